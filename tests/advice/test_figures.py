"""Gradient norms and their null, the learning curve, and what is wrong with windows."""

import numpy as np
import pytest

import timeloom as tl
from timeloom.advice.cross import Crossed
from timeloom.advice.feasible import feasible
from timeloom.advice.gradients import null_ratio, pull
from timeloom.advice.headroom import _gain, headroom
from timeloom.advice.layout import lay_out


def constant_ratio(counts, rng):
    """Lengths of the gradients of a predictor that says the shares, window by window."""
    shares = np.array(counts) / sum(counts)
    y = np.repeat(np.arange(len(counts)), counts)
    seen = rng.standard_normal(5)
    length = [np.linalg.norm(np.outer(shares - np.eye(len(counts))[c], [*seen, 1])) for c in y]
    means = [np.mean(np.array(length)[y == c]) for c in range(len(counts))]
    return means[int(np.argmin(counts))] / means[int(np.argmax(counts))]


@pytest.mark.parametrize("counts", [(90, 10), (5, 90, 5), (10, 20, 30, 40), (3, 997)])
def test_the_null_is_the_ratio_of_a_constant_predictor(rng, counts):
    shares = np.array(counts) / sum(counts)
    assert null_ratio(shares) == pytest.approx(constant_ratio(counts, rng))


def test_the_null_of_two_classes_is_their_odds():
    assert null_ratio(np.array([0.1, 0.9])) == pytest.approx(9)
    assert null_ratio(np.array([0.05, 0.9, 0.05])) == pytest.approx(10.7, abs=0.05)
    assert null_ratio(np.array([0.25] * 4)) == 1


def test_the_excess_compares_with_the_null(rng):
    y = np.repeat([0, 1], [90, 10])
    norms = np.where(y == 1, 18.0, 1.0)
    weights = rng.multinomial(100, np.full(100, 0.01), 50)
    found = pull(norms, y, weights)
    assert (found.ratio, found.null, found.excess) == pytest.approx((18, 9, 2))
    assert found.low == pytest.approx(2) and found.norms == (1.0, 18.0)


SIZES = np.array([30.0, 60, 120, 240])


def test_the_gain_of_a_power_law_is_found():
    curve = 0.95 - 0.4 * (SIZES / 240) ** -0.5
    expected = 0.4 * (1 - 2**-0.5)
    assert _gain(curve[None], SIZES, 240)[0] == pytest.approx(min(expected, 1 - curve[-1]))
    # A curve of a part of the windows is continued from all of them.
    assert _gain(curve[None], SIZES, 960)[0] == pytest.approx(0.4 * (4**-0.5 - 8**-0.5))


def test_a_falling_or_full_curve_promises_nothing():
    falling, full = np.array([[0.6, 0.58, 0.55, 0.5], [0.9, 0.99, 1.0, 1.0]])
    assert _gain(falling[None], SIZES, 240)[0] == 0
    assert _gain(full[None], SIZES, 240)[0] == 0


def outputs(rng, count, lift, wobble):
    """Out-of-fold outputs of a probe that gets better by ``lift`` per doubling."""
    y = (np.arange(count) % 10 == 0).astype(int)
    base = rng.standard_normal(count)
    sides = [base + wobble * rng.standard_normal(count) + k * lift * y for k in (1, 2, 3, 4)]
    said = [np.stack([-one, one], axis=1)[None] for one in sides]
    return Crossed(said[3], np.stack(said[:3]), np.ones(count), np.empty(0), 0.8 * count), y


def of(found, y, counts):
    layout = lay_out(tl.Windows(np.ones((len(y), 6, 1))), y)
    weights = np.random.default_rng(0).multinomial(len(y), np.full(len(y), 1 / len(y)), 100)
    return headroom(found, layout, weights, np.array(counts), 1.0, seed=0)


def test_a_rising_curve_is_measurable_with_many_test_windows_and_not_with_few(rng):
    found, y = outputs(rng, 600, 0.3, 0.5)
    many, few = of(found, y, (9000, 1000)), of(found, y, (18, 2))
    assert many.gain == few.gain > 0.02 and many.low <= many.gain <= many.high
    assert many.measurable and not few.measurable
    assert few.error_of_gain > 5 * many.error_of_gain and few.error > 5 * many.error
    assert many.detectable == pytest.approx(2.8 * many.error_of_gain)


def test_the_error_is_that_of_hanley_and_mcneil(rng):
    found, y = outputs(rng, 2000, 0.3, 0.5)
    area, ups, downs = of(found, y, (450, 50)).curve[-1], 50, 450
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (ups - 1) * (first - area**2) + (downs - 1) * (second - area**2)
    expected = np.sqrt(spread / (ups * downs))
    assert of(found, y, (450, 50)).error == pytest.approx(expected, rel=0.25)


def test_a_flat_curve_is_not_measurable(rng):
    found, y = outputs(rng, 600, 0.0, 0.0)
    flat = of(found, y, (9000, 1000))
    assert flat.gain == pytest.approx(0, abs=1e-12) and not flat.measurable


def made(rng, count=40):
    return tl.Windows(rng.standard_normal((count, 12, 3)), channels=("a", "b", "c"))


def test_nothing_is_wrong_with_plain_windows(rng):
    found = feasible(made(rng), np.arange(40) % 2, made(rng))
    assert (found.constant, found.heavy, found.missing, found.duplicates) == ((), {}, 0, 0)
    assert (found.shared, found.both_sides, found.repeated) == (0, (), 0)
    assert 0.5 < found.scales < 2


def test_what_is_wrong_is_found(rng):
    windows = made(rng)
    windows.x[:, :, 1] *= 1e5
    windows.x[:, :, 2] = 7.0
    windows.x[0, 0, 0] = 500.0
    windows.x[5:7] = windows.x[4]
    windows.x[8, 3:6, 0] = np.nan
    y = np.arange(40) % 2
    test = tl.Windows(windows.x[10:14], channels=("a", "b", "c"))
    found = feasible(windows, y, test)
    assert found.constant == ("c",) and list(found.heavy) == ["a"] and found.heavy["a"] > 100
    assert found.scales > 1e3 and found.missing == pytest.approx(3 / (40 * 36))
    assert (found.duplicates, found.contradictions) == (2, 1)
    assert found.repeated == pytest.approx(3 / 40) and found.shared == 4


def test_named_recordings_on_both_sides_are_found_and_numbers_are_no_names(rng):
    x, y = rng.standard_normal((4, 12, 1)), np.arange(4)
    named = tl.Windows(x, series=np.array(["a", "a", "b", "b"]))
    other = tl.Windows(x + 1, series=np.array(["b", "c", "c", "d"]))
    assert feasible(named, y, other).both_sides == ("b",)
    assert feasible(tl.Windows(x), y, tl.Windows(x + 1)).both_sides == ()
