import numpy as np
import pytest
import torch

import timeloom as tl
from timeloom.methods.ddmt import DDMT
from timeloom.methods.rebuild import MASKS, Seen

QUICK = dict(window=16, width=8, train_steps=30, batch=16, block=2, spans="1,16", device="cpu")


def waves(count=600, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(count)[:, None]
    return np.sin(t / 5 + np.arange(channels)) + 0.1 * rng.standard_normal((count, channels))


@pytest.fixture(scope="module")
def fitted():
    return DDMT(**QUICK | dict(train_steps=150)).fit(waves())


@pytest.fixture
def broken():
    """A recording in which one channel stands still for a while."""
    x = waves(300, seed=1)
    x[150:170, 1] = 2.5
    return x


def test_every_time_point_has_a_score(fitted, broken):
    scores, channels = fitted.anomaly_scores(broken), fitted.channel_scores(broken)
    assert scores.shape == (300,) and channels.shape == (300, 3)
    assert np.isfinite(scores).all() and (channels >= 0).all()
    np.testing.assert_array_equal(fitted.score_samples(broken), -scores)
    flags = fitted.predict(broken)
    np.testing.assert_array_equal(flags, scores > fitted.threshold_)
    several = fitted.anomaly_scores([tl.Series(broken), tl.Series(broken[:50])])
    np.testing.assert_array_equal(several[0], scores)
    assert several[1].shape == (50,)


def test_what_does_not_fit_is_found_and_its_channel_named(fitted, broken):
    scores, channels = fitted.anomaly_scores(broken), fitted.channel_scores(broken)
    assert scores[150:170].mean() > 2 * scores[:140].mean()
    assert (channels[150:170].argmax(axis=1) == 1).mean() > 0.9
    flags = fitted.predict(broken)
    assert flags[150:170].mean() > 5 * flags[:140].mean()


def test_scores_do_not_depend_on_the_company_or_on_units(fitted, broken, monkeypatch):
    scores = fitted.anomaly_scores(broken)
    monkeypatch.setattr("timeloom.methods.residuals.WINDOWS", 3)
    np.testing.assert_allclose(fitted.anomaly_scores(broken), scores, rtol=1e-4, atol=1e-5)
    unit, zero = np.array([1e3, 0.01, 1.0]), np.array([5.0, -2.0, 1e3])
    other = DDMT(**QUICK | dict(train_steps=150)).fit(waves() * unit + zero)
    np.testing.assert_allclose(other.anomaly_scores(broken * unit + zero), scores, rtol=1e-2)


def test_the_rebuilt_window_follows_its_input(fitted):
    """As released, what is rebuilt is drawn from noise alone: it is the same whatever is given."""
    x = torch.from_numpy(fitted._scaled(waves(16, seed=3)))[None].mT.clone().requires_grad_()
    part = torch.zeros(16, dtype=torch.bool)
    part[6:8] = True
    given = (~part).to(x).expand(x.shape)
    rebuilt = fitted.model_._estimate(x, Seen(x * given, given))
    (slope,) = torch.autograd.grad(rebuilt[..., 6:8].sum(), x)
    assert (slope.abs().sum(dim=(0, 1)) > 0).sum() > 8


def test_blind_points_do_not_see_themselves():
    model = DDMT(**QUICK | dict(start="blind", train_steps=2)).fit(waves())
    z = fitted_input(model)
    parts = torch.eye(2).bool()[:, [0] * 8 + [1] * 8]
    rebuilt = model.model_.rebuilt(z, torch.ones_like(z), parts, [0])
    moved = z.clone()
    moved[0, 0, 3] += 5  # hidden in the first part, in which it is rebuilt
    again = model.model_.rebuilt(moved, torch.ones_like(z), parts, [0])
    torch.testing.assert_close(again[..., :8], rebuilt[..., :8])
    assert not torch.allclose(again[..., 8:], rebuilt[..., 8:])


def fitted_input(model):
    z = torch.from_numpy(model._scaled(waves(16, seed=3)))[None].mT.contiguous()
    model.model_.eval()
    return z


@pytest.mark.parametrize("network", ["series", "transformer"])
@pytest.mark.parametrize("mask", MASKS)
def test_every_network_takes_every_mask(network, mask, broken):
    model = DDMT(**QUICK | dict(network=network, mask=mask, train_steps=4)).fit(waves())
    assert np.isfinite(model.anomaly_scores(broken)).all()


def test_the_neighbour_mask_acts_in_scoring_and_its_encoder_learns(broken):
    how = dict(mask="neighbour", share=0.2)
    one, other = (DDMT(**QUICK | how | dict(train_steps=n)).fit(waves()) for n in (1, 30))
    before, after = (m.model_.encoder.state_dict() for m in (one, other))
    assert all(not torch.equal(before[name], after[name]) for name in before)
    scores = other.anomaly_scores(broken)
    other.model_.settings = other.model_.settings | {"share": 0.0}
    assert np.abs(other.anomaly_scores(broken) - scores).max() > 1e-3


@pytest.mark.parametrize("network", ["series", "transformer"])
def test_a_point_that_the_neighbour_mask_hides_cannot_be_copied(network):
    how = dict(network=network, mask="neighbour", share=0.2, train_steps=4)
    model = DDMT(**QUICK | how).fit(waves())
    x = fitted_input(model)
    _, hidden = model.model_.masked(x, torch.ones_like(x))
    assert hidden.any() and not hidden.all()
    x.requires_grad_()
    seen = Seen(x * 0, torch.zeros_like(x), None, hidden)
    (slope,) = torch.autograd.grad(model.model_._estimate(x, seen).square().sum(), x)
    assert (slope[hidden] == 0).all() and (slope[~hidden] != 0).any()


@pytest.mark.parametrize("scope", ["input", "query", "key"])
def test_every_scope_is_another_mask(scope, broken):
    how = dict(network="transformer", mask="neighbour", scope=scope, share=0.2, train_steps=4)
    scores = DDMT(**QUICK | how).fit(waves()).anomaly_scores(broken)
    base = DDMT(**QUICK | how | dict(scope="input", most_neighbours=0)).fit(waves())
    assert np.isfinite(scores).all()
    assert not np.allclose(base.anomaly_scores(broken), scores)


def test_the_paper_scores_by_windows_drawn_from_noise(broken):
    small = dict(
        window=16, width=16, heads=2, steps=5, train_steps=3, batch=8, hop=16, device="cpu"
    )
    model = DDMT.paper(**small).fit(waves())
    assert model.mask == "neighbour" and model.scope == "query" and model.start == "noise"
    scores = model.anomaly_scores(broken)
    assert np.isfinite(scores).all() and scores.shape == (300,)
    z, there = fitted_input(model), torch.ones_like(fitted_input(model))
    other = z.clone()
    other[:, :, 3] += 9.0
    one, two = (model.model_.rebuilt(x, there, torch.zeros(1), [0]) for x in (z, other))
    assert (one != two).any()  # the mask follows the window, in scoring as in training
    model.model_.encoder = None
    one, two = (model.model_.rebuilt(x, there, torch.zeros(1), [0]) for x in (z, other))
    torch.testing.assert_close(one, two)  # and nothing else does


def test_a_loaded_detector_scores_the_same(fitted, broken, tmp_path):
    fitted.save(tmp_path)
    again = tl.load(tmp_path)
    np.testing.assert_allclose(again.anomaly_scores(broken), fitted.anomaly_scores(broken))
    assert again.threshold_ == fitted.threshold_ and again.notes_ == fitted.notes_
    assert again.channels_ == fitted.channels_ and again.window_ == 16


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, broken):
    whole = DDMT(**QUICK).fit(waves(), folder=tmp_path / "whole")
    steps = DDMT(**QUICK).training(waves(), folder=tmp_path / "parts")
    for now in steps:
        if now.step >= 10:
            steps.close()
    again = DDMT(**QUICK).fit(waves(), folder=tmp_path / "parts", resume=True)
    np.testing.assert_allclose(
        again.anomaly_scores(broken), whole.anomaly_scores(broken), rtol=1e-4, atol=1e-5
    )


def test_gaps_of_any_length_are_survived(fitted, broken):
    gaps = broken.copy()
    gaps[20:30, 0] = np.nan
    gaps[60:120] = np.nan  # longer than a window, in all channels
    scores, channels = fitted.anomaly_scores(gaps), fitted.channel_scores(gaps)
    assert np.isfinite(scores).all() and (channels[68:112] == 0).all()
    assert (channels[20:30, 1] > 0).any()
    assert scores[150:170].mean() > 2 * scores[120:140].mean()
    trained = waves()
    trained[100:200, 2] = np.nan
    assert np.isfinite(DDMT(**QUICK).fit(trained).anomaly_scores(gaps)).all()


def test_a_dead_channel_counts_once_it_moves():
    x = waves()
    x[:, 2] = 7.0
    model = DDMT(**QUICK | dict(train_steps=100)).fit(x)
    test = waves(200, seed=2)
    test[:, 2] = 7.0
    assert np.isfinite(model.anomaly_scores(test)).all()
    test[100:120, 2] = 8.0
    channels = model.channel_scores(test)
    assert channels[100:120, 2].mean() > 2 * channels[:80, 2].mean()


@pytest.mark.parametrize(
    "change, said",
    [
        (dict(mask="holes"), "mask must be one of comb, neighbour, none; got 'holes'"),
        (dict(network="mlp"), "network must be one of series, transformer"),
        (dict(start="end"), "start must be one of anchor, blind, noise"),
        (dict(pool="sum"), "pool must be one of mean, square, max"),
        (dict(parts=1), "parts must be from 2 to 8; got 1"),
        (dict(hop=0), "hop must be at least 1; got 0"),
        (dict(hop=17), "hop must be at most the window's 16 time points"),
        (dict(block=0), "block must be at least 1; got 0"),
        (dict(anchor=0.0), "anchor must be above 0; got 0"),
        (dict(share=1.5), "share must be at least 0 and at most 1; got 1.5"),
        (dict(scope="query"), "needs network='transformer'"),
        (dict(threshold="best"), "best"),
        (dict(alarm_rate=2.0), "alarm_rate"),
        (dict(window=10_000), "needs a recording at least that long"),
    ],
)
def test_a_setting_that_cannot_be_is_said(change, said):
    with pytest.raises(ValueError, match=said):
        DDMT(**QUICK | change).fit(waves())


def test_bad_recordings_are_said(fitted):
    with pytest.raises(ValueError, match="not fitted yet"):
        DDMT().anomaly_scores(waves())
    with pytest.raises(ValueError, match="at least one window long, 16 time points; .* has 10"):
        fitted.anomaly_scores(waves(10))
    with pytest.raises(ValueError, match="trained on 3 channels .*; got 2"):
        fitted.anomaly_scores(waves(channels=2))
    with pytest.raises(ValueError, match="y must be left out"):
        DDMT(**QUICK).fit(waves(), np.zeros(600))
    with pytest.raises(ValueError, match="channels .* hold no measured value"):
        DDMT(**QUICK).fit(np.column_stack([waves(channels=1), np.full(600, np.nan)]))


def test_where_too_little_is_there_to_set_aside_it_is_said():
    model = DDMT(**QUICK | dict(train_steps=2)).fit(waves(40))
    assert "too little data to set some aside" in model.notes_[0]


def test_what_is_drawn_for_a_window_hangs_on_its_place_alone(broken, monkeypatch):
    how = dict(window=16, width=16, heads=2, steps=3, train_steps=2, batch=8, hop=8, device="cpu")
    model = DDMT.paper(**how).fit(waves())
    whole = model.anomaly_scores(broken)
    monkeypatch.setattr("timeloom.methods.residuals.WINDOWS", 3)
    np.testing.assert_allclose(model.anomaly_scores(broken), whole, rtol=1e-4, atol=1e-5)
    stream = model.stream(lag=0)
    answers = [stream.push(broken[at : at + 50]) for at in range(0, 300, 50)]
    scores = np.concatenate([one.scores for one in [*answers, stream.finish()]])
    np.testing.assert_allclose(scores, whole, rtol=1e-4, atol=1e-5)


def test_a_channel_that_is_lost_and_labels_that_cannot_be_read_are_said(fitted, broken):
    broken[:, 2] = np.nan
    with pytest.warns(UserWarning, match="nothing was measured of c2; .* without it"):
        assert np.isfinite(fitted.anomaly_scores(broken)).all()
    labels = np.where(np.arange(600) < 50, "fault", "ok")
    with pytest.warns(UserWarning, match="for faults to be left out; got fault and ok"):
        DDMT(**QUICK | dict(train_steps=2)).fit(tl.Series(waves(), labels))
