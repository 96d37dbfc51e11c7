"""Do judges and distances see what they should, and nothing else?"""

import numpy as np
import pytest
import torch

from tests import naive_metrics as naive
from timeloom.metrics import fidelity
from timeloom.metrics.discriminator import folds_by_group, standardise
from timeloom.metrics.moments import autocorrelation, correlation
from timeloom.nets.random_kernels import random_kernels

DISTANCES = (
    fidelity.cross_correlation_error,
    fidelity.difference_correlation_error,
    fidelity.autocorrelation_error,
    fidelity.marginal_distance,
)


def waves(count, seed, length=16, noise=0.3):
    """Three channels, two of them tied to each other, with memory."""
    rng = np.random.default_rng(seed)
    phase, pace = rng.uniform(0, 6.3, (count, 1)), rng.uniform(0.2, 0.5, (count, 1))
    wave = np.sin(phase + pace * np.arange(length))
    x = np.stack([wave, -wave, np.cos(phase + pace * np.arange(length))], axis=2)
    return x + noise * rng.standard_normal(x.shape)


def with_gaps(x, seed=0):
    return np.where(np.random.default_rng(seed).random(x.shape) < 0.2, np.nan, x)


@pytest.mark.parametrize("name", ["cross_correlation_error", "autocorrelation_error"])
@pytest.mark.parametrize("gaps", [False, True])
def test_errors_equal_their_slow_versions(name, gaps):
    real, synthetic = waves(12, 0), waves(9, 1, noise=0.8) * 3 + 100
    if gaps:
        real, synthetic = with_gaps(real), with_gaps(synthetic, 1)
    expected = getattr(naive, name)(real, synthetic)
    np.testing.assert_allclose(getattr(fidelity, name)(real, synthetic), expected, rtol=1e-9)


def test_the_marginal_distance_equals_its_slow_version():
    real, synthetic = waves(12, 0), waves(12, 1) * 2
    np.testing.assert_allclose(
        fidelity.marginal_distance(real, synthetic),
        naive.marginal_distance(real, synthetic),
        rtol=1e-9,
    )


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_sample_is_at_distance_zero_from_itself_in_any_order(distance):
    x = with_gaps(waves(30, 0))
    assert distance(x, x[::-1]) == pytest.approx(0, abs=1e-12)


def test_the_marginal_distance_of_a_shift_is_the_shift_in_standard_deviations():
    x = waves(50, 0)
    spread = x.std(axis=(0, 1))
    for shift in (0.1, 0.5, 2):
        assert fidelity.marginal_distance(x, x + shift * spread) == pytest.approx(shift)


@pytest.mark.parametrize(
    ("distance", "fault"),
    [
        (
            fidelity.cross_correlation_error,
            lambda x: np.stack([x[..., 0], -x[..., 1], x[..., 2]], 2),
        ),
        (fidelity.autocorrelation_error, lambda x: x[:, np.random.default_rng(0).permutation(16)]),
        (fidelity.difference_correlation_error, lambda x: x + waves(400, 9, noise=2)),
    ],
)
def test_each_distance_sees_its_fault(distance, fault):
    x = waves(400, 0)
    assert distance(x, fault(x)) > 5 * distance(x, waves(400, 1))


@pytest.mark.parametrize("distance", DISTANCES)
def test_large_levels_and_constant_channels_are_no_trouble(distance):
    real, synthetic = (
        np.concatenate([1e6 + waves(20, seed), np.full((20, 16, 1), 7.0)], axis=2)
        for seed in (0, 1)
    )
    plain = distance(waves(20, 0), waves(20, 1))
    share = 3 / 4 if distance is fidelity.marginal_distance else 1
    assert distance(real, synthetic) == pytest.approx(share * plain, rel=1e-4)


def test_a_channel_that_should_be_constant_and_is_not_counts_one():
    real, synthetic = np.full((10, 4, 1), 3.0), 3 + np.random.default_rng(0).random((10, 4, 1))
    assert fidelity.marginal_distance(real, synthetic) == 1
    assert np.isnan(fidelity.cross_correlation_error(real, synthetic))
    assert np.isnan(correlation(real)).all()
    assert np.isnan(autocorrelation(real)).all()


def test_judges_cannot_tell_two_samples_of_the_same_kind_and_can_tell_smoothing():
    real, other = waves(300, 0), waves(300, 1)
    smooth = (other + np.roll(other, 1, 1) + np.roll(other, -1, 1)) / 3
    assert fidelity.two_sample_auc(real, other, seed=0) == pytest.approx(0.5, abs=0.09)
    assert fidelity.two_sample_auc(real, smooth, seed=0) > 0.95
    assert fidelity.discriminative_accuracy(real, other, seed=0) == pytest.approx(0.5, abs=0.13)
    assert fidelity.discriminative(real, smooth, seed=0) > 0.2


def test_copies_of_the_compared_windows_push_the_auc_well_below_one_half():
    x = waves(200, 0)
    assert fidelity.two_sample_auc(x, x.copy(), seed=0) < 0.45


def test_a_two_per_cent_offset_of_one_channel_is_seen_by_the_kernels_that_see_levels():
    real, other = waves(400, 0, noise=0.02), waves(400, 1, noise=0.02)
    other[..., 0] += 0.1
    assert fidelity.two_sample_auc(real, other, seed=0) > 0.9


def test_judges_depend_on_the_seed_alone():
    real, other = waves(60, 0), waves(60, 1)
    state = torch.random.get_rng_state()
    for judge in (fidelity.two_sample_auc, fidelity.discriminative_accuracy):
        first = judge(real, other, seed=1)
        torch.rand(3)
        assert judge(real, other, seed=1) == first
    torch.random.set_rng_state(state)
    fidelity.discriminative_accuracy(real, other, seed=1)
    torch.testing.assert_close(torch.random.get_rng_state(), state)


def test_judges_take_gaps():
    real, other = with_gaps(waves(60, 0)), with_gaps(waves(60, 1), 1)
    assert 0 <= fidelity.discriminative(real, other, seed=0) <= 0.5
    assert 0 <= fidelity.two_sample_auc(real, other, seed=0) <= 1


def test_no_recording_stands_on_both_sides_and_folds_are_of_like_size():
    groups = np.random.default_rng(0).integers(0, 30, 500)
    fold = folds_by_group(groups, 500, 5, seed=0)
    for one in np.unique(groups):
        assert len(np.unique(fold[groups == one])) == 1
    assert np.ptp(np.bincount(fold)) < 30
    assert (folds_by_group(groups, 500, 5, seed=1) != fold).any()


def test_fewer_recordings_than_folds_are_refused_with_advice():
    with pytest.raises(ValueError, match=r"at least 5 recordings; got 2\. Give each block"):
        folds_by_group(np.array([0, 0, 1]), 3, 5, seed=0)


def test_scaling_for_judges_fills_gaps_with_the_mean_and_names_empty_channels():
    x = with_gaps(waves(20, 0))
    scaled = standardise(x, by=x)[0]
    assert (scaled[np.isnan(x)] == 0).all()
    np.testing.assert_allclose(np.nanstd(np.where(np.isnan(x), np.nan, scaled), (0, 1)), 1, 1e-5)
    x[..., 1] = np.nan
    with pytest.raises(ValueError, match=r"channels \[1\] hold no measured value"):
        standardise(x, by=x)


@pytest.mark.parametrize("length", [1, 5, 9, 48])
def test_random_kernels_read_windows_of_any_length(length):
    x = torch.randn(7, 2, length)
    features = random_kernels(x, count=20, seed=3)
    assert features.shape == (7, 60)
    torch.testing.assert_close(features, random_kernels(x, count=20, seed=3))


def test_every_metric_has_a_direction_a_meaning_and_a_known_need():
    known = {"real", "synthetic", "groups", "seed", "train", "held_out"}
    for metric in fidelity.METRICS:
        assert metric.better in ("lower", "higher")
        assert metric.meaning.endswith(".")
        assert set(metric.needs) <= known
        x = waves(40, 0)
        given = {"real": x, "synthetic": waves(40, 1), "groups": None, "seed": 0}
        assert np.isfinite(metric(**given, train=x))
