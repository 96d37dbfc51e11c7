"""Do the questions to a detector keep rows apart, count right, and go on where they stopped?"""

from dataclasses import replace

import numpy as np
import pytest

from timeloom.bench import anomalyquestions, anomalyquestions_page
from timeloom.bench.anomaly_made import CHANNELS, echoes, factor
from timeloom.bench.anomaly_rules import (
    RULES,
    flagged,
    next_block,
    rates_kept,
    rolling,
    rules_on,
    spread_blocks,
)
from timeloom.bench.anomaly_sets import DEVELOPMENT, EVALUATION, Case
from timeloom.bench.anomalyquestions import WHOLE, Size, cells_of, run
from timeloom.bench.anomalyquestions_page import kept_ways
from timeloom.data.windows import Series
from timeloom.metrics.detection import best_f1, point_scores, runs
from timeloom.metrics.record import Record, read_records, write_records

SMALL = Size(
    steps=3, seeds=1, sets=("made",), length=1_000, masks=("comb", "none"), lags=(10,),
    windows=(64,), correlations=(0.5,),
)  # fmt: skip


def case(name="one", role=DEVELOPMENT, seed=0, step=60.0):
    rng = np.random.default_rng(seed)
    test, labels = rng.normal(size=(400, 2)), np.zeros(400, dtype=bool)
    labels[200:240] = labels[300:310] = True
    test[labels] += 5
    train = Series(rng.normal(size=(700, 2)), name=name)
    return Case("made", name, role, train, Series(test, name=name), labels, 20, step)


@pytest.fixture
def small(monkeypatch):
    """A made recording that may be tuned on, and one that may not."""
    made = (case(), case("secret", EVALUATION, 1))
    monkeypatch.setattr(anomalyquestions, "cases", lambda name: made)
    monkeypatch.setattr(anomalyquestions, "WHOLE", SMALL)


@pytest.mark.parametrize("way", [next_block, spread_blocks])
@pytest.mark.parametrize("length", [400, 604, 1145, 2158, 8640, 23697])
def test_no_row_trains_calibrates_and_measures_and_gaps_lie_between(way, length):
    parts = way(length, 64)
    use = np.zeros(length, dtype=int)
    for number, stretches in enumerate((parts.train, parts.calibrate, (parts.measure,))):
        for one in stretches:
            assert 0 <= one.start < one.stop <= length
            assert not use[one].any()
            use[one] = number + 1
    for one in parts.train:
        around = use[max(one.start - parts.gap, 0) : one.stop + parts.gap]
        assert set(around.tolist()) <= {0, 1}
        assert one.stop - one.start >= 64
    assert parts.measure.start > 0.8 * length and parts.measure.stop == length
    # Every recording leaves most of its first 60 % to the detector, by either way.
    assert (use == 1).sum() > 0.3 * length


def test_both_ways_measure_the_same_rows_and_calibrate_on_as_many():
    near, wide = next_block(8640, 64), spread_blocks(8640, 64)
    assert near.measure == wide.measure
    counts = [sum(one.stop - one.start for one in parts.calibrate) for parts in (near, wide)]
    assert counts[0] - len(wide.calibrate) < counts[1] <= counts[0]
    assert wide.calibrate[0].start < 0.2 * 8640 and wide.calibrate[-1].stop > 0.6 * 8640


def test_the_rolling_quantile_is_the_slow_one(rng):
    before, scores = rng.normal(size=50), rng.normal(size=200)
    line = np.concatenate([before, scores])
    slow = [
        scores[at] > np.quantile(line[at + 50 - 30 : at + 50], 0.9, method="higher")
        for at in range(200)
    ]
    np.testing.assert_array_equal(rolling(scores, before, 0.1, span=30), slow)
    with pytest.raises(ValueError, match="one or more normal scores"):
        rolling(scores, np.empty(0), 0.1)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_keeps_its_rate_on_independent_scores(rule, rng):
    normal, later = rng.gamma(2.0, size=4_000), rng.gamma(2.0, size=20_000)
    share = flagged(rule, 0.01, [normal], later).mean()
    assert 0.007 < share < 0.015
    assert flagged(rule, 0.01, [normal], later + 100.0)[0]


def test_an_unknown_rule_is_refused(rng):
    with pytest.raises(ValueError, match="one of conformal"):
        flagged("hope", 0.05, [rng.normal(size=100)], rng.normal(size=100))


def test_rates_are_counted_on_the_last_rows_and_missing_ones_say_why(rng):
    parts = next_block(1_000, 20)
    scores = rng.random(1_000)
    scores[parts.measure.start :: 2] = 2.0
    found = dict(rates_kept("next block", parts, scores, 1.5))
    rows = parts.measure.stop - parts.measure.start
    own = found["the detector's own, 1 %"]
    assert own["rate_kept"] == pytest.approx(((rows + 1) // 2) / rows / 0.01)
    assert found["conformal, next block, 5 %"]["rate_kept"] > 9
    short = dict(rates_kept("next block", next_block(60, 20), scores[:60], None))
    assert "40 scores or more" in str(short["POT, next block, 1 %"]["rate_kept"])


def test_no_rule_beats_the_oracle(rng):
    one = case()
    scores = np.abs(one.test.values).mean(axis=1)
    found = dict(rules_on(one, one.labels, scores, np.abs(rng.normal(size=(500, 2))).mean(1), 2.0))
    best = found.pop("oracle")["point_f1"]
    assert best == best_f1(one.labels, scores).f1 > 0.9
    assert all(figures["point_f1"] <= best for figures in found.values())
    own = point_scores(one.labels, scores > 2.0).f1
    assert found["the detector's own, 1 %"]["point_f1"] == own
    unknown = dict(rules_on(replace(one, step_seconds=None), one.labels, scores, scores, 2.0))
    assert "not known" in str(unknown["oracle"]["false_alarms_per_day"])


@pytest.mark.parametrize("lag", [10, 100])
def test_an_echo_is_told_by_its_event_and_by_nothing_else(lag):
    made = echoes(lag, 0)
    event, echo = made.train.values[:, 0], made.train.values[:, 1]
    along = [float(np.corrcoef(event[: -at or None], echo[at:])[0, 1]) for at in range(1, 220)]
    assert int(np.argmax(along)) + 1 == lag and max(along) > 0.9
    # In the test part the answer is right but where the labels say that it is not.
    wrong = np.abs(made.test.values[lag:, 1] - made.test.values[:-lag, 0]) > 0.8
    assert not wrong[~made.labels[lag:]].any() and wrong[made.labels[lag:]].any()
    # Half of the wrong ones do come, but late: two labelled places, the second with a bump.
    begin, end = runs(made.labels)
    bumps = [made.test.values[a:b, 1].max() > 0.8 for a, b in zip(begin, end, strict=True)]
    assert set((end - begin).tolist()) == {12} and 0.2 < np.mean(bumps) < 0.5
    assert made.blamed[:, 1].sum() == made.labels.sum() and not made.blamed[:, 0].any()
    with pytest.raises(ValueError, match="lag must be"):
        echoes(0, 0)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_channels_are_as_alike_as_asked_and_only_the_blamed_ones_are_shifted(correlation):
    one, everywhere = (factor(correlation, where, 1, 20_000) for where in ("channel", "factor"))
    np.testing.assert_array_equal(one.train.values, everywhere.train.values)
    alike = np.corrcoef(one.train.values.T)[np.triu_indices(CHANNELS, 1)]
    np.testing.assert_allclose(alike.mean(), correlation, atol=0.08)
    np.testing.assert_allclose(one.train.values.std(axis=0), 1, atol=0.1)
    assert set(one.blamed.sum(axis=1)) == {0, 1}
    assert set(everywhere.blamed.sum(axis=1)) == {0, CHANNELS}
    np.testing.assert_array_equal(one.labels, one.blamed.any(axis=1))
    same = ~one.blamed & ~everywhere.blamed
    np.testing.assert_array_equal(one.test.values[same], everywhere.test.values[same])
    with pytest.raises(ValueError, match="'channel' or 'factor'"):
        factor(1.0, "channel", 0)


def test_the_plan_tunes_on_development_recordings_and_draws_three_times(small):
    cells = cells_of(WHOLE._replace(sets=("made",)))
    assert {one.seed for one in cells} == {0, 1, 2}
    assert len({one.title for one in cells}) == len(cells)
    assert {one.data for one in cells if "made" in one.data} == {"made, one"}


def test_cells_are_measured_once_and_missing_ones_are_added(small, tmp_path):
    said = list(run(folder=tmp_path))
    # Three detectors of the recording, two networks, one correlation; nothing of the secret one.
    assert len(said) == 3 + 2 + 1 + 1 and not any("secret" in one for one in said)
    path = tmp_path / "anomalyquestions.jsonl"
    records = read_records(path)
    assert {one.settings["question"] for one in records} == {"1", "2", "3", "4", "5", "cost"}
    comb = [one for one in records if one.settings["fit"] == "comb"]
    assert {one.settings["question"] for one in comb} == {"1", "2", "3", "cost"}
    whole = path.read_text()
    assert len(list(run(folder=tmp_path))) == 1 and path.read_text() == whole
    write_records(path, [one for one in records if one.settings["fit"] != "none"])
    again = list(run(folder=tmp_path))
    assert len(again) == 2 and again[0].startswith("made, one, none, seed 0")
    page = (tmp_path / "anomalyquestions.md").read_text()
    assert [f"## {n}. " in page for n in range(1, 6)] == [True] * 5
    auc = next(one.value for one in records if (one.method, one.metric) == ("comb", "auc"))
    assert f"| made, one | {auc:.3g} |" in page and "| oracle |" in page


def test_work_is_shared_and_what_is_not_there_is_said(small, tmp_path):
    parts = [list(run(folder=tmp_path, part=part, only="echo")) for part in ("1/2", "2/2")]
    assert sorted(len(one) for one in parts) == [2, 2]
    with pytest.raises(ValueError, match="no cell was measured"):
        list(run(folder=tmp_path / "none", only="nothing"))
    with pytest.raises(ValueError, match="I/N"):
        list(run(folder=tmp_path, part="3/2"))


def test_the_best_way_is_the_one_that_keeps_the_rate_on_most_sets():
    ratios = {
        "good, 1 %": {"a": 1.2, "b": 0.7, "c": 9.0},
        "near, 1 %": {"a": 1.6, "b": 0.6, "c": 1.0},
        "any, 5 %": {"a": 0.0, "b": 0.0, "c": 0.0},
    }
    records = [
        Record(
            metric="rate_kept", value=value, method=way, data=f"{name}, x", seeds=(seed,),
            settings={"question": "3", "fit": "comb", "set": name, "case": "x", "role": "r"},
        )
        for way, own in ratios.items() for name, value in own.items() for seed in (0, 1)
    ]  # fmt: skip
    rows = kept_ways(records)
    assert [row["way"] for row in rows] == ["good, 1 %", "near, 1 %", "any, 5 %"]
    assert [row["sets kept"] for row in rows] == [2, 1, 0]
    assert rows[2]["never an alarm in"] == "6 of 6" and rows[2]["distance"] == 4
    assert anomalyquestions_page.WITHIN == 1.5
