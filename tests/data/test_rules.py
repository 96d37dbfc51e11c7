"""Are the rules found that real windows keep?"""

import tracemalloc

import numpy as np
import pytest

from timeloom.data.rules import broken, learn_rules


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
    assert learn_rules(np.random.default_rng(0).normal(size=(300, 20, 6))) == []


def test_new_windows_of_the_same_kind_break_no_rule():
    rules = learn_rules(plant()[0])
    assert broken(rules, plant(seed=1)[0]).max() < 1e-3


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


def test_gaps_hide_no_rule_and_break_none():
    train, names = plant()
    train[np.random.default_rng(4).random(train.shape) < 0.1] = np.nan
    rules = learn_rules(train, names)
    assert "low is never above high" in sentences(rules)
    assert np.nanmax(broken(rules, train)) == 0
    assert np.isnan(broken(rules, np.full_like(train, np.nan))).all()


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
