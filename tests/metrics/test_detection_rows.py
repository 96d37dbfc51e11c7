"""What an evaluation of anomaly scores says, and that nothing looks good without deserving it."""

import numpy as np
import pytest

from timeloom.evaluation.detection import CONSTANT, RANDOM, evaluate_scores
from timeloom.evaluation.scored import blocks
from timeloom.metrics.detection import INFLATED, METRICS, NO_EVENT, Threshold, fit_threshold
from timeloom.metrics.record import Record

NAMES = [metric.name for metric in METRICS]


def recording(seed, n=3000, lift=0.6):
    """Labels with six events, and uniform scores lifted in them."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(n, dtype=int)
    for begin in range(200, n, 500):
        labels[begin : begin + 60] = 1
    return labels, rng.random(n) + lift * labels


def normal_threshold(quantile=0.995):
    normal = np.random.default_rng(99).random(4000)
    return fit_threshold(normal, quantile=quantile, series="normal time")


def rows(records, method):
    return {record.metric: record for record in records if record.method == method}


@pytest.fixture(scope="module")
def good():
    labels, scores = recording(0)
    how = {"threshold": normal_threshold(), "step_seconds": 60, "first": 10_000}
    return evaluate_scores(labels, scores, **how, method="mine", data="made")


def test_every_metric_has_a_row_of_the_detector_of_random_and_of_constant_scores(good):
    assert [record.metric for record in good] == 3 * NAMES
    assert {record.method for record in good} == {"mine", RANDOM, CONSTANT}
    for name in NAMES:
        mine, random, constant = (rows(good, who)[name] for who in ("mine", RANDOM, CONSTANT))
        assert mine.settings["random"] == random.value, name
        assert mine.settings["constant"] == constant.value, name
        assert random.verdict == constant.verdict == "skipped"
        assert "reference row" in random.why
        assert mine.data == "made"
        assert Record.from_json(mine.to_json()) == mine


def test_a_detector_that_finds_the_events_passes_and_knows_how_sure_it_is(good):
    mine = rows(good, "mine")
    for name in ("vus_pr", "vus_roc", "auc_pr", "auc_roc", "point_f1", "affiliation_normalised"):
        assert mine[name].verdict == "pass", mine[name].why
    for name in ("vus_pr", "auc_pr", "point_f1"):
        assert mine[name].low < mine[name].value < mine[name].high
        assert mine[name].low > mine[name].settings["random"]
    assert mine["events_found"].value == 1
    assert mine["vus_pr"].sizes == {
        "recordings": 1,
        "points": 3000,
        "events": 6,
        "flagged": mine["point_f1"].sizes["flagged"],
    }
    assert mine["false_alarms_per_day"].unit == "alarms per day"


def test_point_adjusted_figures_never_pass_and_show_what_random_scores_get(good):
    mine = rows(good, "mine")
    for name in INFLATED:
        assert mine[name].verdict == "warn"
        assert "inflated" in mine[name].why
        assert f"random scores get {mine[name].settings['random']:.3g}" in mine[name].why
    assert mine["best_pa_f1"].settings["random"] > 0.6
    assert mine["best_f1"].verdict == "warn"  # the labels chose its threshold


def test_an_endless_alarm_is_said_to_do_as_well(good):
    assert rows(good, CONSTANT)["event_f1"].value == 1
    assert rows(good, "mine")["event_f1"].verdict == "warn"
    assert "never ends" in rows(good, "mine")["event_f1"].why


def test_random_scores_fail_wherever_something_can_fail():
    labels, _ = recording(0)
    noise = np.random.default_rng(7).random(len(labels))
    found = evaluate_scores(labels, noise, threshold=normal_threshold(0.97), first=9999)
    words = {name: row.verdict for name, row in rows(found, "").items()}
    assert "pass" not in words.values()
    for name in ("vus_pr", "auc_pr", "point_f1", "affiliation_normalised", "range_f1"):
        assert words[name] == "fail", name


def test_the_random_row_is_at_chance():
    labels, scores = recording(1)
    random = rows(evaluate_scores(labels, scores, seeds=range(6)), RANDOM)
    assert random["auc_pr"].value == pytest.approx(labels.mean(), rel=0.15)
    assert random["auc_roc"].value == pytest.approx(0.5, abs=0.03)
    assert len(random["auc_pr"].per_seed["value"]) == 6


def test_several_recordings_are_averaged_and_those_that_cannot_be_scored_are_named():
    made = {f"pump {seed}": recording(seed, n=1300) for seed in range(6)}
    labels = {name: pair[0] for name, pair in made.items()}
    scores = {name: pair[1] for name, pair in made.items()}
    labels["quiet"], scores["quiet"] = np.zeros(500), np.random.default_rng(0).random(500)
    labels["torn"], scores["torn"] = np.zeros(50), np.full(50, np.nan)
    limit = normal_threshold()
    found = rows(evaluate_scores(labels, scores, threshold=limit, step_seconds=1), "")
    alone = [rows(evaluate_scores(labels[name], scores[name]), "")["auc_pr"].value for name in made]
    assert found["auc_pr"].value == pytest.approx(np.mean(alone))
    assert found["auc_pr"].low < found["auc_pr"].value < found["auc_pr"].high
    assert found["auc_pr"].sizes["recordings"] == 6
    assert found["false_alarms_per_day"].sizes["recordings"] == 7  # needs no event
    assert "Left out torn: NaN or infinite scores." in found["auc_pr"].why


def test_what_cannot_be_measured_is_skipped_with_the_reason():
    labels, scores = recording(0, n=2300)
    no_limit = rows(evaluate_scores(labels, scores), "")
    assert no_limit["auc_pr"].verdict != "skipped"
    assert no_limit["point_f1"].verdict == "skipped"
    assert "fit_threshold" in no_limit["point_f1"].why
    assert "step_seconds" in no_limit["false_alarms_per_day"].why
    for other, why in ((labels * 0, "there is no event"), (labels * 0 + 1, "all points are ab")):
        record = rows(evaluate_scores(other, scores), "")["vus_pr"]
        assert (record.verdict, record.value) == ("skipped", None)
        assert why in record.why
    gone = evaluate_scores(labels, scores * np.nan)
    assert {record.verdict for record in gone} == {"skipped"}
    assert "NaN" in gone[0].why
    high = evaluate_scores(labels, scores, threshold=9.0)
    assert "never found" in rows(high, "")["time_to_detect"].why
    assert "plain number" in rows(high, "")["point_f1"].why


def smallest(wanted):
    return {metric.name for metric in METRICS if metric.smallest == wanted}


def test_fewer_events_than_a_metric_needs_are_skipped_with_the_reason_never_a_number():
    how = {"threshold": normal_threshold(), "step_seconds": 60, "first": 10_000}
    for n, events in ((690, 1), (1200, 2), (1300, 3), (2200, 4), (2300, 5)):
        found = evaluate_scores(*recording(0, n=n), **how)
        for record in found:
            metric = METRICS[NAMES.index(record.metric)]
            assert record.settings["step_seconds"] == 60
            assert record.sizes["events"] == events
            if record.metric in NO_EVENT or events >= metric.smallest:
                assert record.value is not None, (record.metric, events)
                continue
            assert (record.verdict, record.value, record.low) == ("skipped", None, None)
            many = "" if events == 1 else "s"
            needed = f"{events} event{many}, fewer than the {metric.smallest} that this metric"
            assert record.why.startswith(needed), record.why


def test_three_events_give_ranks_and_points_but_nothing_about_whole_events():
    found = rows(evaluate_scores(*recording(0, n=1300), threshold=0.95), "")
    for name in ("vus_pr", "vus_roc", "auc_pr", "auc_roc", "point_f1", "best_f1", "range_f1"):
        assert found[name].value is not None, name
    few = {"events_found", "event_f1", "time_to_detect"}
    few |= {"affiliation_f1", "affiliation_normalised"}
    assert smallest(5) == few
    for name in few:
        assert found[name].why.startswith("3 events, fewer than the 5 that this metric needs.")


def test_events_are_counted_over_all_recordings():
    made = [recording(seed, n=690) for seed in range(5)]
    labels = {f"pump {place}": pair[0] for place, pair in enumerate(made)}
    scores = {f"pump {place}": pair[1] for place, pair in enumerate(made)}
    found = rows(evaluate_scores(labels, scores, threshold=0.95), "")
    assert found["events_found"].sizes["events"] == 5
    assert found["events_found"].value is not None
    assert found["vus_pr"].value is not None


def test_false_alarms_need_a_hundred_normal_points():
    assert smallest(100) == set(NO_EVENT)
    rng = np.random.default_rng(0)
    for n in (99, 100):
        how = {"threshold": 0.9, "step_seconds": 60}
        found = rows(evaluate_scores(np.zeros(n, dtype=int), rng.random(n), **how), "")
        for name in NO_EVENT:
            assert (found[name].value is None) == (n < 100)
            said = "99 normal points, fewer than the 100 that this metric needs."
            assert found[name].why.startswith(said) == (n < 100)


def test_a_threshold_that_saw_the_scored_points_is_refused_unless_it_is_called_an_oracle():
    labels, scores = recording(0)
    with pytest.raises(ValueError, match="overlap the scored points 0 to 3000"):
        evaluate_scores(labels, scores, threshold=fit_threshold(scores))
    part = fit_threshold(scores, span=(0, 150), series="a")
    with pytest.raises(ValueError, match="fit it on other points"):
        evaluate_scores({"a": labels}, {"a": scores}, threshold={"a": part})
    cut = ({"a": labels[150:]}, {"a": scores[150:]})
    assert evaluate_scores(*cut, threshold={"a": part}, first={"a": 150})
    oracle = evaluate_scores(labels, scores, threshold=fit_threshold(scores, oracle=True))
    row = rows(oracle, "")["point_f1"]
    assert row.settings["oracle"]
    assert row.verdict == "warn"
    assert "saw the labels" in row.why


@pytest.mark.parametrize(
    ("labels", "scores", "how", "said"),
    [
        ([0, 1], [0.1], {}, r"labels and scores of the recording must both be \(time,\)"),
        ({"a": [0, 1]}, {"b": [0.1, 0.2]}, {}, r"only one side has \['a', 'b'\]"),
        ([0, 3], [0.1, 0.2], {}, "labels must be 0 or 1"),
        ([0, 1], [0.1, 0.2], {"seeds": ()}, "at least one seed"),
        ({"a": [0, 1]}, {"a": [0.1, 0.2]}, {"threshold": {"b": 1.0}}, "nothing for the recording"),
        ({}, {}, {}, "one or more"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(labels, scores, how, said):
    with pytest.raises(ValueError, match=said):
        evaluate_scores(labels, scores, **how)


def test_blocks_hold_one_event_each_and_all_of_time():
    labels, _ = recording(0)
    parts = blocks(labels == 1)
    assert parts[0][0] == 0
    assert parts[-1][1] == len(labels)
    assert all(a[1] == b[0] for a, b in zip(parts[:-1], parts[1:], strict=True))
    assert all(np.diff(labels[a:b], prepend=0, append=0).clip(0).sum() == 1 for a, b in parts)


def test_figures_repeat_themselves(good):
    labels, scores = recording(0)
    how = {"threshold": normal_threshold(), "step_seconds": 60, "first": 10_000}
    again = evaluate_scores(labels, scores, **how, method="mine", data="made")
    assert [(r.value, r.low, r.why) for r in again] == [(r.value, r.low, r.why) for r in good]


def test_a_threshold_taken_from_elsewhere_needs_no_span():
    labels, scores = recording(0, n=1300)
    assert rows(evaluate_scores(labels, scores, threshold=Threshold(0.9)), "")["point_f1"].value
