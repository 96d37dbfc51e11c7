"""Does the grid of detectors keep labels apart, go on where it stopped, and add up right?"""

import numpy as np
import pytest

from timeloom.bench import anomaly, anomaly_sets
from timeloom.bench.anomaly import (
    MAIN,
    PLAN,
    Arm,
    Cell,
    Part,
    cells_of,
    detector,
    figures,
    hit_rate,
    measure,
    run,
)
from timeloom.bench.anomaly_page import FIGURES, OURS, PUBLISHED, over_sets, versus, whole
from timeloom.bench.anomaly_rivals import RIVALS, Scores
from timeloom.bench.anomaly_sets import (
    DEV,
    DEVELOPMENT,
    EVALUATION,
    SETS,
    TSBAD,
    Case,
    cases,
    census,
)
from timeloom.bench.few_arms import NotHere
from timeloom.data.alarms import QuantileRule
from timeloom.data.windows import Series
from timeloom.metrics.record import read_records, write_records

CHEAP = tuple(arm for arm in MAIN if arm.name in ("random", "squared z-score", "PCA"))


class Far:
    """A small detector of the form that arms ask for: the distance from the mean."""

    def __init__(self, power=2, seed=0):
        self.power = power

    def fit(self, normal):
        assert normal.label is None
        self.mean_ = normal.values.mean(axis=0)
        self.rule_ = QuantileRule(0.01).fit([self._far(normal).mean(axis=1)])
        self.threshold_ = self.rule_.threshold_
        return self

    def _far(self, series):
        return np.abs(series.values - self.mean_) ** self.power

    def anomaly_scores(self, series):
        assert series.label is None
        return self._far(series).mean(axis=1)

    def channel_scores(self, series):
        return self._far(series)


FAR = Arm(OURS, lambda case, seed: detector({}, Far, case, seed))


def case(name="one", *, known=0, step=60.0, label=True, role=EVALUATION, seed=0):
    rng = np.random.default_rng(seed)
    test, labels = rng.normal(size=(400, 3)), np.zeros(400, dtype=bool)
    if label:
        labels[200:240] = labels[300:310] = True
        test[labels, 1] += 6
    blamed = np.zeros(test.shape, dtype=bool)
    blamed[labels, 1] = True
    train = Series(rng.normal(size=(500, 3)), name=name)
    causes = blamed if label else None
    return Case("made", name, role, train, Series(test, name=name), labels, 20, step, causes, known)


@pytest.fixture
def small(monkeypatch):
    """A grid of made cases and of arms that take no time."""
    made = {
        "made": (case("one"), case("two", seed=1), case("quiet", label=False)),
        "other": (case("three", role=DEVELOPMENT, seed=2),),
    }
    monkeypatch.setattr(anomaly, "cases", made.__getitem__)
    plan = (
        Part("evaluation", EVALUATION, ("made",), (*CHEAP, FAR)),
        Part("development", DEVELOPMENT, ("other",), CHEAP),
    )
    monkeypatch.setattr(anomaly, "PLAN", plan)
    return plan


def test_every_measure_is_there_or_says_why_it_is_not():
    one = case(step=None)
    made = FAR.make(one, 0)
    found = figures(one, made.scores, made.threshold)
    assert found.keys() == FIGURES.keys()
    assert {name for name, value in found.items() if isinstance(value, str)} == {
        "false_alarms_per_day"
    }
    assert found["vus_pr"] > 0.9 and found["hit_rate_100"] > 0.9 and found["events_found"] == 1
    assert figures(one, made.scores, None)["event_f1"] == "there is no threshold"


def test_a_test_part_without_an_event_still_counts_false_alarms():
    one = case(label=False)
    made = FAR.make(one, 0)
    found = figures(one, made.scores, made.threshold)
    assert found["vus_pr"] == found["event_f1"] == "there is one class only"
    assert 0 < found["false_time_share"] < 0.05 and found["false_alarms_per_day"] > 0
    records = measure(Cell(one, 0), FAR)
    lost = next(r for r in records if r.metric == "vus_pr")
    assert lost.value is None and lost.why == "there is one class only"


def test_flags_are_judged_after_the_rows_that_training_saw():
    one, later = case(), case(known=100)
    scores = Scores(np.where(np.arange(400) < 100, 1.0, 0.0), None, 0.0, 0.0)
    assert figures(one, scores, 0.5)["false_time_share"] > 0
    assert figures(later, scores, 0.5)["false_time_share"] == 0
    assert figures(later, scores, 0.5)["hit_rate_100"] == "no channel scores"


def test_hit_rate_counts_blamed_channels_among_the_highest():
    blamed = np.zeros((4, 4), dtype=bool)
    blamed[0, :2] = blamed[2:, 0] = True
    scores = np.tile([4.0, 1.0, 3.0, 2.0], (4, 1))
    # First event: one of two among the two highest, and of the three highest; second: all.
    assert hit_rate(blamed, scores) == (0.5 + 1) / 2
    assert hit_rate(blamed, scores, 2.0) == (1 + 1) / 2
    with pytest.raises(ValueError, match="some channel blamed"):
        hit_rate(np.zeros((4, 4), dtype=bool), scores)


def test_an_arm_says_what_it_lacks():
    with pytest.raises(NotHere, match="unknown"):
        detector({"unknown": 1}, Far, case(), 0)
    with pytest.raises(NotHere, match="would take minutes"):
        measure(Cell(case(), 0), FAR._replace(most=100))


def test_the_plan_holds_every_rival_three_times_where_it_draws():
    arms = {arm.name: arm.seeds for arm in PLAN[0].arms}
    assert arms == {one.name: 3 if one.drawn else 1 for one in RIVALS} | {OURS: 3}
    assert PLAN[0].role == EVALUATION
    # Whatever has settings to choose from is run on development recordings only.
    assert {part.role for part in PLAN if len({a.name for a in part.arms} - set(arms)) > 1} == {
        DEVELOPMENT
    }


def test_what_is_noted_is_not_measured_again_and_what_is_missing_is_added(small, tmp_path):
    assert len(cells_of(small)) == 3 * 4
    said = list(run(folder=tmp_path))
    assert "page: " in said[-1] and len(said) == 12 + 1
    path = tmp_path / "anomaly.jsonl"
    whole = path.read_text()
    assert len(list(run(folder=tmp_path))) == 1 and path.read_text() == whole
    kept = [r for r in read_records(path) if (r.data, r.method) != ("made, two", "PCA")]
    write_records(path, kept)
    again = list(run(folder=tmp_path))
    assert len(again) == 2 and "PCA" in again[0] and "random" not in again[0]


def test_two_processes_share_the_cells_and_only_some_can_be_run(small, tmp_path):
    parts = [list(run(folder=tmp_path, part=part)) for part in ("1/2", "2/2")]
    assert [len(one) for one in parts] == [7, 7]
    said = list(run(folder=tmp_path / "new", only="seed 1, random"))
    assert len(said) == 4 + 1 and all("random" in one and "PCA" not in one for one in said[:-1])
    with pytest.raises(ValueError, match="no cell was measured"):
        list(run(folder=tmp_path / "none", only="nothing"))
    with pytest.raises(ValueError, match="I/N"):
        list(run(folder=tmp_path, part="3/2"))


def test_the_page_shows_means_of_the_records_and_the_paired_difference(small, tmp_path):
    list(run(folder=tmp_path))
    page = (tmp_path / "anomaly.md").read_text()
    records = [r for r in read_records(tmp_path / "anomaly.jsonl") if r.metric == "vus_pr"]
    ours = {r.data: r.value for r in records if (r.method, r.seeds) == (OURS, (0,)) and r.value}
    row = next(line for line in page.splitlines() if line.startswith(f"| {OURS} |"))
    assert f"{np.mean(list(ours.values())):.3f}" in row and len(ours) == 2
    assert "| random |" in page and "PA-F1 (inflated)" in page and "HitRate@100" in page
    assert f"## {OURS} minus each rival, VUS-PR, evaluation recordings" in page
    assert f"## {OURS} minus each rival, VUS-PR, development recordings" not in page


def test_a_mean_is_of_arms_that_were_run_on_every_recording():
    every = {"a": {"x": {0: 0.6}, "y": {0: 0.5}}, "b": {"z": {0: 0.1}}}
    some = {"a": {"x": {0: 0.9}}, "b": {"z": {0: 0.9}}}
    assert whole({"all": every, "easy": some}) == {"all"}
    assert whole({"easy": some}) == {"easy"}
    sample = {**every, "psm_sample": {"psm_sample": {0: 1.0}}}
    assert whole({"all": every, "with a sample": sample}) == {"all", "with a sample"}


def test_differences_are_paired_by_recording_and_means_are_of_sets():
    ours = {"a": {"x": {0: 0.6, 1: 0.8}, "y": {0: 0.5, 1: 0.5}}, "b": {"z": {0: 0.1, 1: 0.1}}}
    rival = {"a": {"y": {0: 0.4}, "x": {0: 0.4}}, "b": {"z": {0: 0.2}}}
    found = versus(ours, rival)
    assert found["difference"] == f"{((0.3 + 0.1) / 2 - 0.1) / 2:+.3f}"
    assert found["recordings"] == 3 and found["better in"] == "2 of 3"
    np.testing.assert_allclose(over_sets(ours), [(0.55 + 0.1) / 2, (0.65 + 0.1) / 2])
    sample = {**ours, "psm_sample": {"psm_sample": {0: 1.0, 1: 1.0}}}
    assert over_sets(sample) == over_sets(ours)
    assert versus(ours, {"a": {}}) == {}


def test_the_published_figures_are_of_the_files_that_are_known():
    files = sorted(one.file for own in TSBAD.values() for one in own.values())
    assert files == sorted(PUBLISHED) and len(files) == 36
    msl = [PUBLISHED[one.file] for one in TSBAD["msl"].values()]
    # The means that the board's own table gives, of k-means and CNN.
    np.testing.assert_allclose(np.mean(msl, axis=0)[:2], [0.435, 0.352], atol=1e-3)
    assert abs(np.mean([one[0] for one in PUBLISHED.values()]) - 0.374) < 1e-3


def test_a_set_that_is_unknown_is_refused():
    with pytest.raises(ValueError, match="one of msl_tsbad"):
        cases("etth1")


@pytest.mark.parametrize("name", ["msl_tsbad", "msl", "asd", "skab", "psm_sample", "nab"])
def test_every_set_at_hand_comes_in_one_form(name, data_folder):
    own = cases(name)
    assert len({one.name for one in own}) == len(own)
    for one in own:
        assert one.train.label is None and one.test.label is None
        assert len(one.labels) == len(one.test) <= anomaly_sets.LONGEST and one.period > 0
        assert one.train.channels == one.test.channels
        np.testing.assert_array_equal(one.test.values[: one.known], one.train.values[: one.known])
        assert not one.labels[: one.known].any()
    dev = {one.name for one in own if one.role == DEVELOPMENT}
    assert dev == set(DEV.get(name, ()))
    assert sum(row["cases"] for row in census(own)) == len(own)


def test_no_rows_of_the_rover_are_scored_in_two_sets(data_folder):
    first, second = ({one.name for one in cases(name)} for name in ("msl_tsbad", "msl"))
    assert len(first) == 14 and len(second) == 13 and not first & second
    assert set(SETS) >= {"msl_tsbad", "msl"}


def test_channels_behind_an_anomaly_are_within_its_labels(data_folder):
    for one in cases("asd"):
        np.testing.assert_array_equal(one.channel_labels.any(axis=1), one.labels)
