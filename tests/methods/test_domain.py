import json

import numpy as np
import pytest
import torch

from timeloom.data.windows import Windows
from timeloom.diffusion.sample import Moment
from timeloom.methods.domain import Domain
from timeloom.methods.domains import Domains
from timeloom.methods.imagenfew import ImagenFew

HALF = dict(kind="principal", whitening=0.5, white_from=2)
PLAIN = dict(kind="plain", whitening=0.0, white_from=None)


def prices(count=60, length=10, seed=0):
    """Low, high (at least low, often equal), and their sum; far from 0 and of several scales."""
    rng = np.random.default_rng(seed)
    low = 50 + rng.normal(size=(count, length)).cumsum(axis=1)
    high = low + rng.normal(size=(count, length)).clip(min=0)
    return Windows(np.stack([low, high, low + high], axis=2), channels=("low", "high", "sum"))


def learned(frame=HALF, scale="standard", rules=False, windows=None):
    return Domain(scale, frame, rules).learn([windows or prices()])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def moment(x_hat):
    return Moment(x_hat, x_hat, None, (1.0, 1.0), (1.0, 0.5), 1.0, 0.0)


@pytest.mark.parametrize("frame", [HALF, PLAIN])
def test_a_map_equals_the_frame_it_was_made_of(frame):
    domain, x = learned(frame), prices().x
    turn, own = domain.map(10), domain.frames[10]
    z, measured = domain.tensors(x)
    assert (measured == 1).all() and turn.plain == (frame is PLAIN)
    w = torch.from_numpy(own.transform(domain.scaler.transform(x)))
    torch.testing.assert_close(turn.forward(z).double(), w, rtol=1e-3, atol=1e-4)
    made = normal(4, own.components, 10)
    back = torch.from_numpy(own.inverse(made.double().numpy())).mT
    torch.testing.assert_close(turn.inverse(made).double(), back, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(turn.inverse(turn.forward(z)), z, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "quantile"])
def test_windows_come_back_in_the_units_of_the_source(scale):
    windows = prices()
    windows = Windows(windows.x[..., :2])
    domain = learned(scale=scale, windows=windows)
    z, _ = domain.tensors(windows.x)
    back = domain.finish(domain.map(10).forward(z), 10)
    np.testing.assert_allclose(back, windows.x, rtol=1e-3)


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust"])
def test_an_identity_of_all_windows_holds_in_whatever_comes_back(scale):
    domain = learned(scale=scale)
    assert domain.frames[10].components == 2
    made = domain.finish(normal(50, 2, 10), 10)
    np.testing.assert_allclose(made[..., 2], made[..., 0] + made[..., 1], rtol=1e-5)


def test_what_is_seen_is_the_share_of_the_components_that_is_known():
    domain = learned(windows=Windows(prices().x[..., :2]))
    turn, z = domain.map(10), normal(5, 2, 10)
    known = (normal(5, 2, 10, seed=1) > 0).float()
    values, share = turn.seen(z, known)
    mix = domain.frames[10].mix_
    for n, k, t in np.ndindex(5, 2, 10):
        want = sum(mix[c, k] * z[n, c, t] * known[n, c, t] for c in range(2))
        part = sum(mix[c, k] ** 2 * known[n, c, t] for c in range(2))
        assert abs(values[n, k, t] - want) < 1e-5 and abs(share[n, k, t] - part) < 1e-5
    assert share.min() >= 0 and share.max() <= 1 + 1e-6
    everything, whole = turn.seen(z, torch.ones_like(z))
    torch.testing.assert_close(whole, torch.ones(5, 2, 10))
    nothing, none = turn.seen(z, torch.zeros_like(z))
    assert (nothing == 0).all() and (none == 0).all()
    torch.testing.assert_close(everything.square().sum(1), z.square().sum(1))  # a turn


def test_a_push_brings_known_points_to_what_they_are_and_leaves_the_others():
    windows = Windows(prices().x[..., :2])
    domain = learned(windows=windows)
    z, _ = domain.tensors(windows.x[:4])
    mask = normal(4, 2, 10) > 0
    x_hat = normal(4, 2, 10, seed=1)
    after = domain.map(10).inverse(x_hat + domain.push(moment(x_hat), 10, (z, mask)))
    before = domain.map(10).inverse(x_hat)
    torch.testing.assert_close(after[mask], z[mask], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after[~mask], before[~mask], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust"])
def test_a_push_brings_an_estimate_to_where_the_rules_hold(scale):
    domain = learned(scale=scale, rules=True)
    assert domain.pushes and len(domain.projection.sentences) >= 1
    x_hat = normal(20, 2, 10)
    free = domain.scaler.inverse(domain.map(10).inverse(x_hat).mT.numpy())
    assert (free[..., 0] > free[..., 1] + 0.01).mean() > 0.05
    w = x_hat + domain.push(moment(x_hat), 10, None)
    kept = domain.scaler.inverse(domain.map(10).inverse(w).mT.numpy())
    assert (kept[..., 0] <= kept[..., 1] + 1e-3).all()
    assert (domain.finish(x_hat, 10)[..., 0] <= domain.finish(x_hat, 10)[..., 1] + 1e-4).all()


def test_without_rules_nothing_is_pushed():
    assert not learned().pushes and learned().projection is None
    assert not learned(scale="quantile", rules=True).pushes  # they are kept at the end alone


def test_gaps_are_bridged_and_said():
    x = prices().x.copy()
    x[:, 3:5, 0] = np.nan
    domain = learned(windows=Windows(x))
    z, measured = domain.tensors(x)
    assert z.isfinite().all()
    np.testing.assert_array_equal(measured.mT.numpy(), ~np.isnan(x))
    line = z[:, 0, 2] + (z[:, 0, 5] - z[:, 0, 2]) / 3
    torch.testing.assert_close(z[:, 0, 3], line, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", ["standard", "minmax"])
def test_what_was_learned_comes_back(scale):
    windows = prices()
    parts = [windows, Windows(windows.x[:, :6], channels=windows.channels)]
    domain = Domain(scale, HALF, True).learn(parts)
    assert domain.lengths == (6, 10)
    facts = json.loads(json.dumps(domain.facts()))
    again = Domain(scale, HALF, True).restore(facts, domain.arrays())
    assert again.channels == windows.channels and again.lengths == (6, 10)
    assert again.projection.sentences == domain.projection.sentences
    for length in (6, 10):
        w = normal(5, domain.frames[length].components, length)
        np.testing.assert_array_equal(again.finish(w, length), domain.finish(w, length))


def test_windows_of_another_shape_are_refused():
    domain = learned()
    with pytest.raises(ValueError, match="must have the set's 3 channels; got 2"):
        domain.check_shape(Windows(np.zeros((2, 10, 2))), exact=True)
    with pytest.raises(ValueError, match=r"one of the lengths \[10\].*; got 9"):
        domain.check_shape(Windows(np.zeros((2, 9, 3))), exact=True)
    with pytest.raises(ValueError, match="at least 5 time points.*; got 4"):
        domain.check_shape(Windows(np.zeros((2, 4, 3))), exact=False)
    domain.check_shape(Windows(np.zeros((2, 5, 3))), exact=False)
    domain.check_shape(Windows(np.zeros((2, 10, 3))), exact=True)


def test_sets_are_kept_by_any_name_and_in_order():
    domains = Domains(ImagenFew().settings)
    for i in range(11):
        domains.learn(f"set/{i} ä", [prices(seed=i)])
    facts = json.loads(json.dumps(domains.facts()))
    again = Domains(ImagenFew().settings).restore(facts, domains.arrays())
    assert list(again) == list(domains) and again.named(None) == "set/10 ä"
    for name in domains:
        np.testing.assert_array_equal(again.marks[name], domains.marks[name])
        np.testing.assert_array_equal(again[name].scaler.center_, domains[name].scaler.center_)
    kept = again.keep(["set/3 ä", "set/1 ä"])
    assert list(kept) == list(kept.marks) == ["set/3 ä", "set/1 ä"]
    other = domains.copy()
    other.learn("more", [prices()])
    assert "more" not in domains and "more" not in domains.marks
