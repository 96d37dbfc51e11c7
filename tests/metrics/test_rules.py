"""Are the rules found that real windows keep, and those that break them?"""

import tracemalloc

import numpy as np
import pytest

from timeloom.data.sets import load_dataset
from timeloom.data.windows import cut
from timeloom.metrics.fidelity import rules as module
from timeloom.metrics.fidelity.rules import broken, learn_rules, rule_table, rules_broken


def plant(count=200, seed=0):
    """Windows with a rule of every kind; channels by name."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(count, 20, 3)), axis=1)
    low = 50 + walk[:, :, 0]
    gap = rng.exponential(1, (count, 20))
    share = np.clip(50 + 30 * walk[:, :, 1], 0, 100)
    counter = np.cumsum(rng.random((count, 20)) < 0.3, axis=1) + rng.normal(0, 9, (count, 1))
    channels = {
        "low": low,
        "high": low + gap,
        "gap": gap,
        "share": share,
        "fahrenheit": 1.8 * walk[:, :, 2] + 32,
        "celsius": walk[:, :, 2],
        "people": rng.poisson(3, (count, 20)),
        "fixed": np.full((count, 20), 518.67),
        "counter": counter,
        "free": rng.normal(size=(count, 20)),
    }
    return np.stack(list(channels.values()), axis=2), list(channels)


def sentences(rules):
    return {rule.sentence for rule in rules}


def test_every_planted_rule_is_found_and_said_in_plain_words():
    found = sentences(learn_rules(*plant()))
    assert {
        "fixed is always 518.67",
        "gap = -low + high",
        "celsius = 0.5556 fahrenheit - 17.78",
        "low is never above high",
        "share is never below 0",
        "share is never above 100",
        "gap is never below 0",
        "people is never below 0",
        "people takes only multiples of 1",
        "counter never falls within a window",
    } <= found


def test_nothing_is_found_in_windows_without_rules():
    rng = np.random.default_rng(0)
    assert learn_rules(rng.normal(size=(300, 20, 6))) == []
    assert np.isnan(rules_broken(rng.normal(size=(9, 20, 6)), rng.normal(size=(300, 20, 6)))).all()


def test_new_windows_of_the_same_kind_break_no_rule():
    rules = learn_rules(plant()[0])
    assert broken(rules, plant(seed=1)[0]).max() < 1e-3


@pytest.mark.parametrize(
    ("channel", "change", "kind"),
    [
        ("fixed", lambda x: x + 5, "identities"),
        ("celsius", lambda x: x + 1, "identities"),
        ("gap", lambda x: x + 1, "identities"),
        ("low", lambda x: x + 3, "orderings"),
        ("share", lambda x: x + 10, "bounds"),
        ("people", lambda x: x + 0.4, "steps"),
        ("counter", lambda x: x[:, ::-1], "steps"),
    ],
)
def test_what_breaks_a_rule_is_seen_in_its_row(channel, change, kind):
    train, names = plant()
    faulty = plant(seed=1)[0]
    at = names.index(channel)
    faulty[:, :, at] = change(faulty[:, :, at])
    found = rules_broken(faulty, train)
    assert getattr(found, kind) > 0.1
    # Values off a grid are a matter of rounding, and have a row of their own.
    assert (found.worst >= getattr(found, kind)) == (channel != "people")
    kept = rules_broken(plant(seed=1)[0], train)
    assert kept.worst < 1e-3


def test_shares_are_counted_as_a_loop_counts_them():
    train, names = plant()
    made = plant(seed=1)[0] + np.random.default_rng(3).normal(0, 0.3, train.shape)
    rules = learn_rules(train, names)
    order = next(i for i, rule in enumerate(rules) if rule.kind == "order")
    tolerance = rules[order].tolerance
    points = [t[0] - t[1] > tolerance for window in made for t in window]
    assert broken(rules, made)[order] == pytest.approx(np.mean(points))
    fall = next(i for i, rule in enumerate(rules) if "never falls" in rule.sentence)
    at = names.index("counter")
    steps = [w[t, at] - w[t + 1, at] > rules[fall].tolerance for w in made for t in range(19)]
    assert broken(rules, made)[fall] == pytest.approx(np.mean(steps))


def test_ranges_that_do_not_meet_make_bounds_and_no_order():
    rng = np.random.default_rng(0)
    x = np.stack([rng.random((200, 20)), 5 + rng.random((200, 20))], axis=2)
    assert not [rule for rule in learn_rules(x) if rule.kind == "order"]


def test_an_order_that_follows_from_two_others_is_left_out():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(200, 20)), axis=1)
    gaps = rng.exponential(0.3, (2, 200, 20))
    x = np.stack([walk, walk + gaps[0], walk + gaps.sum(axis=0)], axis=2)
    orders = {rule.channels for rule in learn_rules(x) if rule.kind == "order"}
    assert orders == {(0, 1), (1, 2)}


def test_one_event_makes_no_rule():
    x = np.random.default_rng(0).normal(size=(200, 20, 2))
    x[:, :, 1] = 0.0
    x[50:60, :, 1] = 2 * x[50:60, :, 0]
    assert learn_rules(x) == []


def test_gaps_break_nothing_and_hide_nothing():
    train, names = plant()
    rng = np.random.default_rng(4)
    train[rng.random(train.shape) < 0.1] = np.nan
    made = plant(seed=1)[0]
    made[rng.random(made.shape) < 0.1] = np.nan
    assert "low is never above high" in sentences(learn_rules(train, names))
    assert rules_broken(made, train).worst < 1e-3
    made[:, :, names.index("share")] += 10
    assert rules_broken(made, train).bounds > 0.1
    assert np.isnan(broken(learn_rules(train), np.full_like(made, np.nan))).all()


def test_a_rule_that_held_out_real_windows_break_is_none():
    train, names = plant()
    held_out = plant(seed=2)[0]
    held_out[:, :, names.index("fixed")] += 5
    made = held_out.copy()
    assert rules_broken(made, train).identities == 1
    assert rules_broken(made, train, held_out).identities < 1e-3


def test_the_table_tells_each_rule_its_share_and_its_worst_point():
    train, names = plant()
    made = plant(seed=1)[0]
    made[7, 3, names.index("fixed")] = 600
    rows = rule_table(train, made, names)
    assert len(rows) == len(learn_rules(train))
    assert rows[0]["sentence"] == "fixed is always 518.67"
    assert rows[0]["broken"] == pytest.approx(1 / (200 * 20))
    assert rows[0]["example"] == "window 7, time point 3: fixed = 600"
    assert rows[-1]["broken"] == 0 and rows[-1]["example"] == ""


def test_rules_are_learnt_once_for_all_sides(monkeypatch):
    train = plant()[0]
    first = rules_broken(plant(seed=1)[0], train)
    monkeypatch.setattr(module, "learn_rules", None)
    assert rules_broken(plant(seed=1)[0], train.copy()) == first


def halves(name, deal, *, length=24, stride=1):
    """Two halves of a real set: of its recordings, or of tenths of its only one."""
    try:
        found = load_dataset(name)
    except ValueError as error:
        assert "is not here" in str(error)
        pytest.skip(f"{name} needs $TIMELOOM_DATA")
    windows = cut(found[0] if isinstance(found, tuple) else found, length, stride)
    parts = windows.series
    if len(np.unique(parts)) == 1:
        parts = windows.start * 10 // (windows.start.max() + 1)
    names = np.random.default_rng(deal).permutation(np.unique(parts))
    first = np.isin(parts, names[: len(names) // 2])
    return windows[first], windows[~first]


# The share of time points that a rule of chance may cost: a pass is up to .004.
@pytest.mark.parametrize("deal", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "stride"),
    [
        ("cmapss_fd001", 5),
        ("stock_goog", 1),
        ("nasdaq_5yr", 40),
        ("etth1", 5),
        ("weather", 10),
        ("air_quality", 3),
        ("energy_appliances", 5),
    ],
)
def test_held_out_real_windows_break_almost_no_rule(name, stride, deal):
    train, other = halves(name, deal, stride=stride)
    found = rules_broken(other.x[::2], train.x, other.x[1::2])
    assert np.nan_to_num(found.worst) < 0.004


def test_stock_prices_have_their_orders_and_a_gaussian_breaks_them():
    train, other = halves("stock_goog", 0)
    found = sentences(learn_rules(train.x, train.channels))
    assert {"Low is never above Open", "Close is never above High", "Adj_Close = Close"} <= found
    flat = train.x.reshape(len(train), -1)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(500, len(flat))) / np.sqrt(len(flat))
    drawn = (flat.mean(axis=0) + weights @ (flat - flat.mean(axis=0))).reshape(500, *train.shape)
    assert rules_broken(drawn, train.x, other.x).orderings > 0.05


def test_weather_has_its_identity_and_shuffled_channels_break_it():
    train, other = halves("weather", 0, stride=10)
    found = sentences(learn_rules(train.x, train.channels))
    assert "VPdef (mbar) = VPmax (mbar) - VPact (mbar)" in found
    rng = np.random.default_rng(0)
    shuffled = np.stack([rng.permutation(other.x[:, :, c]) for c in range(21)], axis=2)
    assert rules_broken(shuffled, train.x, other.x).identities > 0.5


def test_a_rule_turns_no_channel_but_its_own_into_double():
    train = plant()[0].astype(np.float32)[:, :, [*range(10), *[9] * 190]]
    rule = next(rule for rule in learn_rules(plant()[0]) if rule.kind == "order")
    tracemalloc.start()
    miss = rule.miss(train)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * train.nbytes
    low, high = (train[:, :, c].astype(np.float64) for c in rule.channels)
    np.testing.assert_allclose(miss, low - high, atol=1e-12)
