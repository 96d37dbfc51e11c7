"""Do channels hang together as in reality? The errors against loops, and against planted faults."""

import numpy as np
import pytest

from tests import naive_metrics as naive
from tests.metrics.waves import shuffled, waves, with_gaps
from timeloom.metrics.fidelity import channels
from timeloom.metrics.moments import correlation, lagged_correlation

ERRORS = ("cross_correlation_error", "lagged_correlation_error", "correlational_score")


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("gaps", [False, True])
def test_errors_equal_their_slow_versions(name, gaps):
    real, synthetic = waves(12, 0), waves(9, 1, noise=0.8) * 3 + 100
    if gaps:
        real, synthetic = with_gaps(real), with_gaps(synthetic, 1)
    expected = getattr(naive, name)(real, synthetic)
    np.testing.assert_allclose(getattr(channels, name)(real, synthetic), expected, rtol=1e-9)


@pytest.mark.parametrize(
    "error",
    [
        channels.cross_correlation_error,
        channels.difference_correlation_error,
        channels.lagged_correlation_error,
    ],
)
def test_channels_shuffled_against_each_other_are_seen(error):
    real, other = waves(400, 0, noise=0.1), waves(400, 1, noise=0.1)
    floor = error(real, other)
    assert error(real, shuffled(other)) > max(0.1, 5 * floor)


def test_reversed_time_is_seen_between_channels():
    real, other = waves(400, 0), waves(400, 1)
    floor = channels.lagged_correlation_error(real, other)
    assert channels.lagged_correlation_error(real, other[:, ::-1]) > 0.1 + 3 * floor


def test_one_channel_or_one_time_point_says_nothing():
    x = waves(20, 0)
    for error in (getattr(channels, name) for name in ERRORS):
        assert np.isnan(error(x[..., :1], x[..., :1]))
    assert np.isnan(channels.lagged_correlation_error(x[:, :1], x[:, :1]))
    assert np.isnan(correlation(np.full((10, 4, 1), 3.0))).all()
    assert np.isnan(lagged_correlation(np.full((10, 4, 2), 3.0))).all()


def test_the_lagged_correlation_of_a_delayed_channel_is_one_at_its_delay():
    x = np.random.default_rng(0).standard_normal((500, 20, 1))
    both = np.concatenate([x[:, 3:], x[:, :-3]], axis=2)  # the second is three steps late
    found = lagged_correlation(both, 8)
    assert found[2, 0, 1] == pytest.approx(1, abs=0.02)
    assert abs(found[2, 1, 0]) < 0.05
