"""What holds for every distance, and for the folds and scales that all judges share."""

import numpy as np
import pytest

from tests.metrics.waves import smoothed, waves, with_gaps
from timeloom.metrics import fidelity
from timeloom.metrics.discriminator import folds_by_group, standardise
from timeloom.metrics.fidelity import channels, dynamics, values
from timeloom.metrics.metric import Interval

METRICS = {
    metric.name: metric for metric in (*values.METRICS, *channels.METRICS, *dynamics.METRICS)
}
DISTANCES = [name for name in METRICS if name != "dtw_distance"]  # that one goes row by row
# What a constant channel among four does to a mean over channels, each 0 there.
SHARES = {
    "marginal_distance": 3 / 4,
    "difference_spread_error": 3 / 4,
    "time_asymmetry_error": 3 / 4,
}


def measure(name, real, synthetic):
    return METRICS[name](real=real, synthetic=synthetic)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_sample_is_at_distance_zero_from_itself_in_any_order(name):
    x = with_gaps(waves(30, 0))
    assert measure(name, x, x[::-1]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
def test_large_levels_and_constant_channels_are_no_trouble(name):
    real, synthetic = (
        np.concatenate([1e6 + waves(20, seed), np.full((20, 16, 1), 7.0)], axis=2)
        for seed in (0, 1)
    )
    plain = measure(name, waves(20, 0), waves(20, 1))
    expected = SHARES.get(name, 1) * plain
    assert measure(name, real, synthetic) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", [*DISTANCES, "dtw_distance"])
def test_gaps_sizes_and_single_precision_are_no_trouble(name):
    real, synthetic = waves(40, 0), waves(30, 1)
    exact = measure(name, with_gaps(real), with_gaps(synthetic, 1))
    halved = measure(
        name,
        with_gaps(real).astype(np.float32),
        with_gaps(synthetic, 1).astype(np.float32),
    )
    assert halved == pytest.approx(exact, rel=2e-2, abs=1e-3)


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


def test_the_network_cannot_tell_two_samples_of_the_same_kind_and_can_tell_smoothing():
    real, other = waves(300, 0), waves(300, 1)
    assert fidelity.discriminative_accuracy(real, other, seed=0) == pytest.approx(0.5, abs=0.13)
    assert fidelity.discriminative(real, smoothed(other), seed=0) > 0.2


def test_the_network_depends_on_the_seed_alone_and_takes_gaps():
    real, other = with_gaps(waves(60, 0)), with_gaps(waves(60, 1), 1)
    first = fidelity.discriminative(real, other, seed=1)
    assert fidelity.discriminative(real, other, seed=1) == first
    assert 0 <= first <= 0.5


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


def test_every_metric_of_these_files_gives_a_number():
    for name in METRICS:
        found = measure(name, waves(40, 0), waves(40, 1))
        assert np.isfinite(found.value if isinstance(found, Interval) else found), name


def test_a_channel_that_wobbles_by_rounding_is_only_shifted():
    x = waves(20, 0)
    x[..., 1] = 1e6 + 1e-7 * np.sign(x[..., 1])
    made = x.copy()
    made[..., 1] += 0.5
    np.testing.assert_allclose(standardise(made, by=x)[0][..., 1], 0.5, atol=1e-3)
    np.testing.assert_array_equal(np.abs(standardise(x, by=x)[0][..., 1]) < 1e-3, True)


def test_scaling_changes_no_set_and_is_that_of_the_plain_formula():
    x, made = with_gaps(waves(20, 0)) + 1e5, waves(9, 1).astype(np.float32)
    before = x.copy(), made.copy()
    center, spread = np.nanmean(x, axis=(0, 1)), np.nanstd(x, axis=(0, 1))
    for one, scaled in zip((x, made), standardise(x, made, by=x), strict=True):
        plain = np.nan_to_num((one.astype(np.float64) - center) / spread)
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(scaled, plain, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(made, before[1])
