"""Does the encoder learn what windows have in common, and nothing about the run that trained it?"""

import numpy as np
import pytest
import torch

from tests import naive_context as naive
from timeloom.nets.context import ContextEncoder, depth_for, fit_encoder, hierarchical_contrast


def waves(count, seed, length=16):
    """Two channels of noisy waves, slow in the first half of the windows, fast in the second."""
    rng = torch.Generator().manual_seed(seed)
    pace = torch.where(torch.arange(count) < count // 2, 0.3, 1.2)[:, None]
    angle = 6.3 * torch.rand(count, 1, generator=rng) + pace * torch.arange(length)
    x = torch.stack([angle.sin(), angle.cos()], dim=1)
    return x + 0.1 * torch.randn(x.shape, generator=rng)


@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_the_loss_equals_its_slow_version(length):
    rng = torch.Generator().manual_seed(0)
    one, other = (torch.randn(3, 4, length, generator=rng, dtype=torch.float64) for _ in range(2))
    expected = naive.hierarchical_contrast(one.numpy(), other.numpy())
    np.testing.assert_allclose(hierarchical_contrast(one, other).item(), expected, rtol=1e-9)


def test_the_loss_is_the_same_whichever_view_comes_first():
    one, other = torch.randn(3, 4, 6), torch.randn(3, 4, 6)
    torch.testing.assert_close(hierarchical_contrast(one, other), hierarchical_contrast(other, one))


@pytest.mark.parametrize("length", [2, 3, 7, 24, 25, 152])
def test_every_time_point_sees_the_whole_window_and_one_block_less_would_not(length):
    for depth, whole in ((depth_for(length), True), (depth_for(length) - 1, False)):
        encoder = ContextEncoder(1, depth, hidden=4, features=3)
        x = torch.zeros(1, 1, length, requires_grad=True)
        encoder(x)[0, :, -1].sum().backward()
        assert (x.grad is not None and bool(x.grad[0, 0, 0] != 0)) is whole


def test_what_is_hidden_is_seen_by_its_neighbours_alone():
    encoder = ContextEncoder(2, 1, hidden=4, features=3)
    x, shown = torch.randn(1, 2, 12), torch.ones(1, 12, dtype=torch.bool)
    shown[0, 5] = False
    changed = x.clone()
    changed[0, :, 5] += 1
    torch.testing.assert_close(encoder(x, shown), encoder(changed, shown), rtol=0, atol=0)
    assert not torch.equal(encoder(x), encoder(changed))


def test_the_same_windows_and_seed_give_the_same_encoder_and_leave_the_generator_alone():
    x = waves(40, 0)
    before = torch.get_rng_state()
    one, same, other = (fit_encoder(x, seed=seed, steps=4) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.encode(x), same.encode(x))
    assert not torch.equal(one.encode(x), other.encode(x))


def test_units_and_offsets_of_the_channels_do_not_matter():
    x = waves(40, 0).double()
    scale = torch.tensor([[100.0], [1e-3]], dtype=torch.float64)
    one, other = fit_encoder(x, steps=4), fit_encoder(x * scale + 5, steps=4)
    torch.testing.assert_close(one.encode(x), other.encode(x * scale + 5), rtol=1e-2, atol=1e-2)


def test_gaps_and_constant_channels_are_read_as_the_mean():
    x = waves(40, 0)
    x[:, 1] = 7.1
    x[:, 0] -= x[:, 0].mean()
    gaps = x.clone()
    gaps[:, 1] = torch.nan
    gaps[0, 1] = 7.1
    encoder = fit_encoder(gaps, steps=4)
    assert encoder.spread[1] == 1
    torch.testing.assert_close(encoder.encode(x), encoder.encode(gaps))


def test_training_moves_slow_waves_together_and_away_from_fast_ones():
    encoder = fit_encoder(waves(200, 0), batch=32, steps=25)
    vectors = encoder.encode(waves(100, 1))
    slow, fast = vectors[:50], vectors[50:]
    within = torch.cdist(slow, slow).sum() / (50 * 49)
    assert torch.cdist(slow, fast).mean() > 1.5 * within


def test_it_knows_how_far_apart_the_vectors_of_its_own_windows_are():
    x = waves(40, 0)
    encoder = fit_encoder(x, steps=4)
    torch.testing.assert_close(encoder.variance, encoder.encode(x).var(dim=0).sum())


def test_vectors_do_not_depend_on_how_many_windows_are_read_at_once(monkeypatch):
    x = waves(40, 0)
    encoder = fit_encoder(x, steps=2)
    whole = encoder.encode(x)
    monkeypatch.setattr("timeloom.nets.context.POINTS", 3 * 16)
    torch.testing.assert_close(encoder.encode(x), whole)


@pytest.mark.parametrize("shape", [(2, 1, 1), (3, 2, 2), (9, 1, 3), (4, 1, 300)])
def test_few_short_and_long_windows_can_be_learnt(shape):
    encoder = fit_encoder(torch.randn(shape), steps=2)
    assert encoder.encode(torch.randn(shape)).isfinite().all()


@pytest.mark.parametrize("setting", [{"steps": 3}, {"batch": 8}, {"rate": 1e-2}, {"seed": 3}])
def test_each_setting_changes_the_encoder(setting):
    x = waves(40, 0)
    one, other = fit_encoder(x, steps=2), fit_encoder(x, **{"steps": 2, **setting})
    assert not torch.equal(one.encode(x), other.encode(x))


def test_too_little_to_learn_from_is_said():
    with pytest.raises(ValueError, match="at least two windows"):
        fit_encoder(torch.zeros(1, 2, 8))
    empty = torch.zeros(5, 2, 8)
    empty[:, 1] = torch.nan
    with pytest.raises(ValueError, match=r"channels \[1\] hold no measured value"):
        fit_encoder(empty)


def test_a_small_spread_on_a_high_level_is_read_like_the_same_windows_at_zero():
    x = waves(40, 0).double()
    one, other = fit_encoder(x, steps=4), fit_encoder(1e9 + 10 * x, steps=4)
    assert other.center.dtype == other.spread.dtype == torch.float64
    torch.testing.assert_close(other.encode(1e9 + 10 * x), one.encode(x), rtol=1e-3, atol=1e-3)
