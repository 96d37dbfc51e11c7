"""Days that no exchange can have seen, counted by the names of the channels."""

import inspect
import re

import numpy as np
import pytest

from timeloom.data.prices import to_log_prices
from timeloom.data.windows import Windows
from timeloom.metrics.fidelity import ohlc_rules, ohlc_table, ohlc_violations, rule_table

NAMES = ("open", "high", "low", "close", "volume")


def days(rng, count=20, time=12, level=50.0):
    path = level * np.exp(0.01 * np.cumsum(rng.normal(size=(count, time, 8)), axis=2))
    x = [path[:, :, 0], path.max(2), path.min(2), path[:, :, -1], rng.random((count, time)) * 1e6]
    return Windows(np.stack(x, axis=2), channels=NAMES)


def naive(windows):
    """Day by day, the four laws as they are read."""
    broken = 0
    for x in windows.x:
        for o, h, lo, c, v in x:
            broken += h < max(o, c) or lo > min(o, c) or h < lo or v < 0
    return broken / windows.x[:, :, 0].size


def test_real_days_break_nothing_as_prices_and_as_logarithms(rng):
    windows = days(rng)
    assert ohlc_violations(windows) == 0
    made, _ = to_log_prices(windows)
    assert ohlc_violations(made) == 0
    assert [row["broken"] for row in ohlc_table(made)] == [0.0] * 6


@pytest.mark.parametrize("level", [0.5, 5e4])
def test_the_share_is_that_of_a_slow_count(rng, level):
    windows = days(rng, level=level)
    noisy = Windows(windows.x * (1 + 0.01 * rng.normal(size=windows.x.shape)), channels=NAMES)
    noisy.x[rng.random(noisy.x.shape[:2]) < 0.1, 4] *= -1
    assert 0.2 < naive(noisy) < 0.95
    assert ohlc_violations(noisy) == pytest.approx(naive(noisy), abs=1e-12)


def test_logarithms_break_what_prices_break(rng):
    windows = days(rng)
    windows.x[:, :, 1] *= 1 + 0.01 * rng.normal(size=windows.x.shape[:2])
    made, _ = to_log_prices(windows)
    assert ohlc_violations(made) == pytest.approx(ohlc_violations(windows), abs=1e-12) != 0


@pytest.mark.parametrize(
    ("channel", "value", "sentence"),
    [
        (1, 1.0, "low is never above high"),
        (2, 1e3, "low is never above open"),
        (0, 1e3, "open is never above high"),
        (3, 1e3, "close is never above high"),
        (3, 1.0, "low is never above close"),
        (4, -5.0, "volume is never below 0"),
    ],
)
def test_each_law_is_seen_alone(rng, channel, value, sentence):
    windows = days(rng)
    windows.x[3, 4, channel] = value
    assert ohlc_violations(windows) == pytest.approx(1 / 240)
    shares = {row["sentence"]: row["broken"] for row in ohlc_table(windows)}
    assert shares[sentence] == pytest.approx(1 / 240)


def test_channels_are_known_by_name_in_any_order_and_case(rng):
    windows = days(rng)
    windows.x[:5, :, 1] = 1.0
    order = [3, 4, 0, 2, 1]
    other = Windows(
        np.concatenate([np.zeros((20, 12, 1)), windows.x[:, :, order]], axis=2),
        channels=("Adj Close", *(NAMES[c].upper() for c in order)),
    )
    assert ohlc_violations(other) == ohlc_violations(windows) == 0.25
    two = Windows(windows.x[:, :, [1, 2]], channels=("High", "Low"))
    assert ohlc_violations(two) == 0.25 and len(ohlc_table(two)) == 1


def test_what_was_not_measured_is_not_counted(rng):
    windows = days(rng)
    windows.x[0, 0, 1] = 1.0
    windows.x[10:] = np.nan
    assert ohlc_violations(windows) == pytest.approx(1 / 120)
    windows.x[:5, :, 0] = np.nan  # without an open the other orders are still looked at
    assert ohlc_violations(windows) == pytest.approx(1 / 120)
    windows.x[:] = np.nan
    assert np.isnan(ohlc_violations(windows))
    assert all(np.isnan(row["broken"]) for row in ohlc_table(windows))


def test_single_precision_breaks_nothing_and_a_hundredth_of_a_cent_in_a_dollar_does(rng):
    windows = days(rng)
    ties = windows.x[:15]
    ties[:, :, 1] = ties[:, :, 3]  # they close at their high, which rounding undoes
    ties[:, :, 0] = ties[:, :, 2] = 0.9 * ties[:, :, 3]
    made, _ = to_log_prices(windows)
    center, spread = made.x.mean((0, 1)), made.x.std((0, 1))
    scaled = ((made.x - center) / spread).astype(np.float32)
    back = (scaled * spread + center).astype(np.float32)
    assert (back[:, :, 1] < back[:, :, 3]).any()
    assert ohlc_violations(Windows(back, channels=NAMES)) == 0
    ties[:, :, 1] *= 1 - 1e-4
    assert ohlc_violations(windows) == 0.75


def test_names_that_make_no_rule_are_refused():
    with pytest.raises(ValueError, match=r"called open, high, low, close or volume.*'c0'"):
        ohlc_violations(Windows(np.zeros((3, 4, 2))))
    with pytest.raises(ValueError, match="called open"):
        ohlc_rules(("close", "news"))


def test_training_windows_teach_the_orders_that_names_say(rng):
    windows = days(rng, count=300)
    learned = {row["sentence"] for row in rule_table(windows.x, windows.x, NAMES)}
    known = {rule.sentence for rule in ohlc_rules(NAMES)}
    assert {"open is never above high", "low is never above close"} <= learned & known


def test_it_says_what_every_metric_owes_its_reader():
    text = re.sub(r"\s+", " ", inspect.getdoc(ohlc_violations).lower())
    for owed in ("formula", "range", "lower is better", "unit", "smallest sensible", "source"):
        assert owed in text
