"""Do windows move in time as real ones do? Errors against loops, and against planted faults."""

import numpy as np
import pytest

from tests import naive_metrics as naive
from tests.metrics.waves import saws, smoothed, waves, with_gaps
from timeloom.metrics.alignment import dtw
from timeloom.metrics.fidelity import dynamics
from timeloom.metrics.moments import autocorrelation, interpolate, spread, spread_ratio

ERRORS = (
    "autocorrelation_error",
    "acd",
    "spectral_distance",
    "difference_autocorrelation_error",
    "time_asymmetry_error",
)


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("gaps", [False, True])
def test_errors_equal_their_slow_versions(name, gaps):
    real, synthetic = waves(12, 0), waves(9, 1, noise=0.8) * 3 + 100
    if gaps:
        real, synthetic = with_gaps(real), with_gaps(synthetic, 1)
    expected = getattr(naive, name)(real, synthetic)
    np.testing.assert_allclose(getattr(dynamics, name)(real, synthetic), expected, rtol=1e-8)


@pytest.mark.parametrize("gaps", [False, True])
def test_the_difference_spread_error_equals_its_slow_version(gaps):
    real, synthetic = waves(12, 0), waves(9, 1, noise=0.8)
    if gaps:
        real, synthetic = with_gaps(real), with_gaps(synthetic, 1)
    expected = np.mean(naive.spread_ratios(naive.steps(real), naive.steps(synthetic)))
    np.testing.assert_allclose(dynamics.difference_spread_error(real, synthetic), expected)


def test_half_the_amplitude_is_six_decibels():
    x = waves(60, 0)
    assert dynamics.spectral_distance(x, 0.5 * x) == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert dynamics.difference_spread_error(x, 0.5 * x) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("error", "far"),
    [
        (dynamics.spectral_distance, 3),
        (dynamics.difference_spread_error, 0.3),
        (dynamics.difference_autocorrelation_error, 0.15),
    ],
)
def test_smoothing_is_seen(error, far):
    real, other = waves(400, 0), waves(400, 1)
    floor = error(real, other)
    assert floor < far / 5
    assert error(real, smoothed(other)) > floor + far


@pytest.mark.parametrize("kind", ["saw", "trend"])
def test_reversed_time_is_seen(kind):
    real, other = saws(300, 0), saws(300, 1)
    if kind == "trend":
        line = 0.05 * np.arange(16)[:, None]
        real, other = waves(300, 0) + line, waves(300, 1) + line
    floor = dynamics.time_asymmetry_error(real, other)
    assert floor < 0.1
    assert dynamics.time_asymmetry_error(real, other[:, ::-1]) > 0.2 + floor


def test_what_cannot_be_measured_is_nan():
    x = waves(20, 0)
    for name in (*ERRORS, "difference_spread_error"):
        if name != "difference_spread_error":
            assert np.isnan(getattr(dynamics, name)(x[:, :1], x[:, :1])), name
    flat = np.full((10, 4, 1), 3.0)
    assert np.isnan(autocorrelation(flat)).all()
    assert np.isnan(dynamics.spectral_distance(flat, x[:10, :4, :1]))
    assert np.isnan(dynamics.difference_spread_error(x[:, :1], x[:, :1]))


def test_a_channel_that_stands_still_in_one_set_alone_counts_in_full():
    x = waves(20, 0)
    still = x.copy()
    still[..., 1] = 5.0
    expected = (0, np.log(100), 0)
    np.testing.assert_allclose(spread_ratio(x, still), expected, atol=1e-12)
    np.testing.assert_allclose(spread_ratio(still, x), expected, atol=1e-12)
    assert spread(np.full((3, 4, 1), 1e6 / 3)) == 0


def test_gaps_are_filled_on_a_straight_line_and_nothing_else_is_touched():
    x = np.array([[np.nan, 1, np.nan, np.nan, 4, np.nan]])[..., None]
    before = x.copy()
    np.testing.assert_allclose(interpolate(x)[0, :, 0], [1, 1, 2, 3, 4, 4])
    np.testing.assert_array_equal(x, before)


def test_the_dtw_distance_is_the_mean_over_pairs_and_copies_score_zero():
    real, synthetic = waves(9, 0), waves(7, 1)
    center, scale = real.mean(axis=(0, 1)), real.std(axis=(0, 1))
    one, other = ((x[:7] - center) / scale for x in (real, synthetic))
    found = dynamics.dtw_distance(real, synthetic)
    assert found == pytest.approx(dtw(one, other).mean(), rel=1e-5)
    assert dynamics.dtw_distance(real, real) == pytest.approx(0, abs=1e-3)
    assert np.isfinite(dynamics.dtw_distance(with_gaps(real), with_gaps(synthetic)))


def test_the_dtw_distance_looks_at_rows_from_all_over_the_sets(monkeypatch):
    monkeypatch.setattr(dynamics, "PAIRS", 5)
    real, synthetic = waves(21, 0), waves(17, 1)
    center, scale = real.mean(axis=(0, 1)), real.std(axis=(0, 1))
    one, other = ((x[[0, 4, 8, 12, 16]] - center) / scale for x in (real, synthetic))
    found = dynamics.dtw_distance(real, synthetic)
    assert found == pytest.approx(dtw(one, other).mean(), rel=1e-5)
