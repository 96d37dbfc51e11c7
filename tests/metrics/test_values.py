"""Do single values occur as often as in reality? The distances against loops and known answers."""

import numpy as np
import pytest

from tests import naive_metrics as naive
from tests.metrics.waves import waves, with_gaps
from timeloom.metrics.fidelity import values
from timeloom.metrics.moments import l_ratios


def test_the_marginal_distance_equals_its_slow_version():
    real, synthetic = waves(12, 0), waves(12, 1) * 2
    np.testing.assert_allclose(
        values.marginal_distance(real, synthetic),
        naive.marginal_distance(real, synthetic),
        rtol=1e-9,
    )


def test_the_marginal_distance_of_a_shift_is_the_shift_in_standard_deviations():
    x = waves(50, 0)
    spread = x.std(axis=(0, 1))
    for shift in (0.1, 0.5, 2):
        assert values.marginal_distance(x, x + shift * spread) == pytest.approx(shift)


def test_the_worst_channel_is_not_lost_among_many():
    x = np.tile(waves(60, 0), (1, 1, 10))
    wrong = x.copy()
    wrong[..., 7] = wrong[..., 7].mean()
    assert values.marginal_distance(x, wrong) < 0.05
    assert values.worst_channel_distance(x, wrong) > 0.8
    assert values.spread_error(x, wrong) == pytest.approx(np.log(100))


def test_a_channel_that_should_be_constant_and_is_not_counts_one():
    real, synthetic = np.full((10, 4, 1), 3.0), 3 + np.random.default_rng(0).random((10, 4, 1))
    assert values.marginal_distance(real, synthetic) == 1
    assert values.worst_channel_distance(real, synthetic) == 1
    assert values.spread_error(real, synthetic) == pytest.approx(np.log(100))
    assert values.spread_error(real, real) == 0
    assert np.isnan(values.skewness_error(real, synthetic))


def test_a_channel_without_a_value_is_left_out_and_without_any_nothing_is_said():
    real, synthetic = waves(20, 0), waves(20, 1)
    expected = values.marginal_distance(real[..., :2], synthetic[..., :2])
    real[..., 2] = np.nan
    assert values.marginal_distance(real, synthetic) == pytest.approx(expected)
    empty = np.full_like(real, np.nan)
    for distance in (values.marginal_distance, values.worst_channel_distance, values.spread_error):
        assert np.isnan(distance(empty, empty))


@pytest.mark.parametrize("gaps", [False, True])
def test_spread_and_shape_errors_equal_their_slow_versions(gaps):
    real, synthetic = waves(2, 0, length=6), np.exp(waves(2, 1, length=6)) * 3 + 100
    if gaps:
        real, synthetic = with_gaps(real), with_gaps(synthetic, 1)
    shapes = naive.shape_errors(real, synthetic)
    found = values.skewness_error(real, synthetic), values.kurtosis_error(real, synthetic)
    np.testing.assert_allclose(found, shapes, rtol=1e-9)
    spread = max(naive.spread_ratios(real, synthetic))
    np.testing.assert_allclose(values.spread_error(real, synthetic), spread, rtol=1e-9)


def test_l_ratios_are_those_of_hosking_for_known_laws():
    grid = (np.arange(200_000) + 0.5) / 200_000
    np.testing.assert_allclose(l_ratios(grid), (0, 0), atol=1e-5)
    np.testing.assert_allclose(l_ratios(-np.log(grid)), (1 / 3, 1 / 6), atol=1e-3)
    assert all(np.isnan(l_ratios(np.full(9, 1e6))))
    assert all(np.isnan(l_ratios(np.arange(3))))


def test_one_outlier_moves_the_shape_errors_little():
    real, synthetic = waves(50, 0), waves(50, 0)
    synthetic[0, 0] = 40
    assert values.skewness_error(real, synthetic) < 0.1
    assert values.kurtosis_error(real, synthetic) < 0.1


@pytest.mark.parametrize("gaps", [False, True])
def test_mdd_equals_its_slow_version(gaps):
    real, synthetic = waves(60, 0, length=5), waves(40, 1, length=5) * 1.5
    if gaps:
        real, synthetic = with_gaps(real), with_gaps(synthetic, 1)
    expected = naive.mdd(real, synthetic)
    np.testing.assert_allclose(values.mdd(real, synthetic), expected, rtol=1e-9)


def test_mdd_does_not_depend_on_units_and_leaves_constant_channels_out():
    real, synthetic = waves(60, 0), waves(60, 1)
    plain = values.mdd(real, synthetic)
    assert values.mdd(real * 1000 + 5, synthetic * 1000 + 5) == pytest.approx(plain, rel=1e-6)
    flat = np.ones((60, 16, 1))
    both = [np.concatenate([x, flat], axis=2) for x in (real, synthetic)]
    assert values.mdd(*both) == pytest.approx(plain)
    assert np.isnan(values.mdd(flat, flat))


def test_half_the_amplitude_is_half_the_spread():
    x = waves(60, 0)
    assert values.spread_error(x, 0.5 * x) == pytest.approx(np.log(2))
    assert values.spread_error(x, 2 * x) == pytest.approx(np.log(2))


def test_a_channel_that_wobbles_by_rounding_is_no_unit():
    wobble = 1e-7 * np.random.default_rng(0).choice([-1.0, 1.0], (2, 30, 8, 1))
    real, synthetic = 1e6 + wobble
    assert values.marginal_distance(real, synthetic) == 0
    assert values.marginal_distance(real, synthetic + 5) == 1


def test_mdd_is_beyond_two_where_values_at_a_time_span_little_of_the_range():
    rng = np.random.default_rng(0)
    real = rng.random((50, 2, 1)) * np.array([1.0, 0.01])[:, None]
    assert values.mdd(real, real + 100) > 50  # none is in the range: 1 over the share, about .01
