"""Are synthetic windows counted that break the rules which real ones keep?"""

import numpy as np
import pytest

from tests.data.test_rules import plant, sentences
from timeloom.data.rules import learn_rules
from timeloom.data.sets import load_dataset
from timeloom.data.windows import cut
from timeloom.metrics.fidelity import rules as module
from timeloom.metrics.fidelity.rules import rule_table, rules_broken


def test_windows_without_rules_make_no_figure():
    rng = np.random.default_rng(0)
    assert np.isnan(rules_broken(rng.normal(size=(9, 20, 6)), rng.normal(size=(300, 20, 6)))).all()


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


def test_gaps_break_nothing_and_hide_no_break():
    train, names = plant()
    rng = np.random.default_rng(4)
    train[rng.random(train.shape) < 0.1] = np.nan
    made = plant(seed=1)[0]
    made[rng.random(made.shape) < 0.1] = np.nan
    assert rules_broken(made, train).worst < 1e-3
    made[:, :, names.index("share")] += 10
    assert rules_broken(made, train).bounds > 0.1
    assert np.isnan(rules_broken(np.full_like(made, np.nan), train).worst)


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
