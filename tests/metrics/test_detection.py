"""Detection metrics against aeon, TSB-AD's figures, telemeval and slow twins; and their traps."""

import json
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from tests import naive_detection as naive
from timeloom.metrics import detection as d
from timeloom.metrics.metric import ABOUT

FIGURES = json.loads((Path(__file__).parent / "tsb_figures.json").read_text(encoding="utf-8"))
CASES = FIGURES["figures"]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["recipe"]["seed"]))


def cases(count, n=60):
    """Seeded labels, scores (some with many ties) and flags: events at both ends, close, short."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        labels = np.zeros(n, dtype=int)
        for begin in rng.integers(0, n, rng.integers(1, 7)):
            labels[begin : begin + rng.integers(1, 9)] = 1
        if seed % 3 == 0:
            labels[:2] = 1
        if seed % 4 == 0:
            labels[-2:] = 1
        scores = rng.random(n) + 0.4 * labels * (seed % 2)
        if seed % 5 == 0:
            scores = np.round(4 * scores)
        yield labels, scores, (rng.random(n) + 0.3 * labels > 0.7).astype(int)


def long_events(n=20_000, events=12, length=220, seed=0):
    """Labels like those of MSL: long events, a tenth of all points."""
    labels = np.zeros(n, dtype=int)
    for begin in np.linspace(500, n - length - 500, events).astype(int):
        labels[begin : begin + length] = 1
    return labels, np.random.default_rng(seed).random(n)


# --- VUS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", ["tsb", "aeon"])
@pytest.mark.parametrize("thresholds", [250, None])
def test_vus_is_what_going_through_every_threshold_and_buffer_gives(flavour, thresholds):
    for labels, scores, _ in cases(6, n=40):
        if len(np.unique(scores)) == 1:
            continue
        got = d.vus(labels, scores, window=9, flavour=flavour, thresholds=thresholds)
        assert got == pytest.approx(
            naive.vus(labels.tolist(), scores.tolist(), 9, flavour, thresholds), abs=1e-10
        )


@each_case
def test_vus_and_point_scores_are_those_of_tsb_ad(case):
    labels, scores, flags, line = naive.series(case["recipe"])
    for window, figures in case["vus"].items():
        assert d.vus(labels, scores, window=int(window)) == pytest.approx(figures, abs=1e-8)
    assert d.auc_roc(labels, scores) == pytest.approx(case["auc_roc"])
    assert d.auc_pr(labels, scores) == pytest.approx(case["auc_pr"])
    # Its F1 has 1e-5 in the denominator.
    assert d.best_f1(labels, scores).f1 == pytest.approx(case["best_f1"], abs=2e-5)
    assert d.point_scores(labels, flags).f1 == pytest.approx(case["f1"])
    assert d.range_scores(labels, flags).f1 == pytest.approx(case["range_f1"])
    assert d.affiliation(labels, flags, draws=0).f1 == pytest.approx(case["affiliation_f1"])
    assert d.period(line) == case["period"]
    if not (labels[0] and not flags[0] and flags[labels == 1].any()):  # it never fills point 0
        assert d.pa_f1(labels, flags) == pytest.approx(case["pa_f1"])


def test_vus_is_that_of_aeon():
    from aeon.benchmarking.metrics import anomaly_detection as aeon

    for labels, scores, _ in cases(6, n=80):
        for window in (0, 1, 6, 15):
            got = d.vus(labels, scores, window=window, flavour="aeon")
            assert got.pr == pytest.approx(
                aeon.range_pr_vus_score(labels, scores, window), abs=1e-9
            )
            assert got.roc == pytest.approx(
                aeon.range_roc_vus_score(labels, scores, window), abs=1e-9
            )


def test_a_constant_score_gets_0_in_aeons_flavour_and_chance_in_that_of_tsb_ad():
    labels, _ = long_events(n=4000, events=5, length=40)
    constant = np.zeros(len(labels))
    assert d.vus(labels, constant, flavour="aeon") == (0, 0)
    assert d.vus(labels, constant, window=10).pr == pytest.approx(labels.mean(), rel=0.2)
    assert d.vus(labels, constant, window=10).roc == pytest.approx(0.5, abs=0.02)


def test_vus_shorthands_are_its_two_volumes():
    labels, scores, _ = next(cases(1))
    assert (d.vus_roc(labels, scores, window=5), d.vus_pr(labels, scores, window=5)) == d.vus(
        labels, scores, window=5
    )


def test_vus_of_half_a_million_points_takes_seconds():
    labels, scores = long_events(n=400_000, events=400, length=100)
    began = perf_counter()
    d.vus(labels, scores, window=250)
    assert perf_counter() - began < 10  # 0.3 s on a quiet machine


def test_vus_forgives_what_is_a_little_off():
    labels = np.zeros(500, dtype=int)
    labels[200:230] = 1
    near, far = np.roll(labels, 12).astype(float), np.roll(labels, 120).astype(float)
    noise = np.random.default_rng(0).random(500) * 0.01
    shifted, missed = d.vus_pr(labels, near + noise, window=40), d.vus_pr(labels, far + noise)
    assert shifted > 5 * missed
    assert shifted > d.auc_pr(labels, near + noise)


def test_a_period_is_found_as_the_slow_twin_finds_it():
    rng = np.random.default_rng(0)
    for true in (7, 24, 90):
        line = np.sin(np.arange(600) * 2 * np.pi / true) + 0.1 * rng.random(600)
        assert d.period(line) == naive.period(line.tolist())
        # The highest peak may be a multiple of the period, never something else by far.
        assert abs(d.period(line) / true - round(d.period(line) / true)) < 0.1
    assert d.period(np.arange(500.0)) == d.period(np.ones(500)) == d.period([1.0, 2.0]) == 125


# --- points, adjustment ------------------------------------------------------------------------


def test_areas_over_points_are_those_of_scikit_learn():
    from sklearn.metrics import average_precision_score, roc_auc_score

    for labels, scores, _ in cases(10):
        assert d.auc_roc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
        assert d.auc_pr(labels, scores) == pytest.approx(average_precision_score(labels, scores))


def test_best_f1_is_the_best_over_every_threshold_and_its_threshold_gives_it_back():
    for labels, scores, _ in cases(10):
        best = d.best_f1(labels, scores)
        tried = [naive.f1(labels, scores >= level) for level in np.unique(scores)]
        assert best.f1 == pytest.approx(max(tried))
        flags = d.flag(scores, best.threshold)  # an oracle, and says so: no error
        assert best.threshold.oracle
        assert d.point_scores(labels, flags).f1 == pytest.approx(best.f1)


def test_point_adjustment_fills_the_events_that_were_hit():
    for labels, scores, flags in cases(12):
        for percent in (0, 20, 50, 100):
            slow = naive.adjusted(labels, flags, percent)
            assert d.point_adjusted(labels, flags, percent=percent).tolist() == slow
            assert d.pak_f1(labels, flags, percent=percent) == pytest.approx(naive.f1(labels, slow))
        assert d.pa_f1(labels, flags) == d.pak_f1(labels, flags, percent=0)
        assert d.pak_f1(labels, flags, percent=100) == d.point_scores(labels, flags).f1
        ks = (np.arange(1000) + 0.5) / 10
        slow = np.mean([naive.f1(labels, naive.adjusted(labels, flags, k)) for k in ks])
        assert d.pak_area(labels, flags) == pytest.approx(slow, abs=2e-3)
        best = max(naive.f1(labels, naive.adjusted(labels, scores >= s)) for s in set(scores))
        assert d.best_pa_f1(labels, scores) == pytest.approx(best)


def test_random_scores_are_at_chance_by_vus_and_win_by_point_adjustment():
    labels, noise = long_events()
    flags = d.flag(noise, np.quantile(noise, 0.99))
    ratio = labels.mean()
    assert d.auc_pr(labels, noise) == pytest.approx(ratio, rel=0.1)
    assert d.auc_roc(labels, noise) == pytest.approx(0.5, abs=0.03)
    assert ratio < d.vus(labels, noise, window=100).pr < 1.4 * ratio
    assert d.point_scores(labels, flags).f1 < 0.03
    assert d.pa_f1(labels, flags) > 0.8  # noise, level with published detectors
    assert d.best_pa_f1(labels, noise) > 0.9
    assert d.pak_area(labels, flags) < 0.05  # what repairs it


def test_what_is_inflated_says_so():
    for metric in d.METRICS:
        marked = "Inflated" in metric.meaning
        assert marked == (metric.name in d.INFLATED), metric.name
        assert ("racle" in metric.meaning) == (metric.name in d.ORACLE), metric.name
        if metric.name in d.INFLATED:
            assert "Inflated" in metric.function.__doc__
        assert metric.about in ABOUT
        for word in ("Formula:", "Range", "better", "Unit:", "Smallest", "Source:"):
            assert word in metric.function.__doc__, (metric.name, word)
        words = {1: "one event", 5: "five events", 100: "a hundred normal points"}
        said = " ".join(metric.function.__doc__.split())
        assert f"Smallest sensible sample: {words[metric.smallest]}" in said, metric.name
        assert (metric.smallest == 100) == (metric.name in d.NO_EVENT)
        assert metric.ideal == (1.0 if metric.better == "higher" else 0.0)


# --- runs and events ---------------------------------------------------------------------------


def test_range_scores_are_those_of_the_slow_twin_and_of_aeon():
    from aeon.benchmarking.metrics import anomaly_detection as aeon

    for labels, _, flags in cases(12):
        for bias in ("flat", "front", "middle", "back"):
            for cardinality in ("reciprocal", "one"):
                got = d.range_scores(labels, flags, alpha=0.3, bias=bias, cardinality=cardinality)
                slow = naive.range_scores(labels, flags, 0.3, bias, cardinality == "reciprocal")
                assert got[:2] == pytest.approx(slow)
                how = {"cardinality": cardinality, "r_bias": bias}
                assert got.f1 == pytest.approx(
                    aeon.range_f_score(labels, flags, r_alpha=0.3, **how)
                )


def test_affiliation_is_that_of_the_slow_twin():
    for labels, _, flags in cases(6, n=30):
        if flags.any() and not labels.all():
            got = d.affiliation(labels, flags, draws=0)
            assert got[:2] == pytest.approx(naive.affiliation(labels, flags), abs=0.02)
            assert np.isnan(got.normalised)


def test_affiliation_of_random_flags_is_high_and_normalised_it_is_nothing():
    labels, noise = long_events(n=4000, events=8, length=60)
    flags = d.flag(noise, 0.95)
    plain, perfect = d.affiliation(labels, flags), d.affiliation(labels, labels)
    assert plain.f1 > 0.6
    assert abs(plain.normalised) < 0.15
    assert perfect.f1 == pytest.approx(1)
    assert perfect.normalised == pytest.approx(1)
    assert d.affiliation(labels, 1 - labels).normalised < 0.15
    assert d.affiliation(labels, np.zeros(4000, dtype=int)).f1 == 0
    assert d.affiliation(labels, flags, seed=1) == d.affiliation(labels, flags, seed=1)


def test_events_and_alarms_are_counted_once():
    labels = np.array([0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1])
    flags = np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1])
    got = d.event_scores(labels, flags)
    assert (got.events, got.found, got.false_alarms) == (3, 2, 1)
    assert (got.precision, got.recall) == (3 / 4, 2 / 3)
    assert got.f1 == pytest.approx(2 * 0.75 * (2 / 3) / (0.75 + 2 / 3))
    np.testing.assert_array_equal(d.detection_delays(labels, flags), [1, np.nan, 0])
    assert d.time_to_detect(labels, flags) == 1
    assert d.false_time_share(labels, flags) == 2 / 6
    per_day = d.false_alarms_per_day(labels, flags, step_seconds=3600)
    assert per_day == pytest.approx(1 / (6 / 24))
    begin, end = d.runs(labels)
    assert list(zip(begin, end, strict=True)) == [(1, 3), (5, 6), (9, 12)]


def test_event_scores_are_those_of_telemeval():
    from telemeval.sklearn import (
        event_wise_fbeta_score,
        event_wise_precision_score,
        event_wise_recall_score,
    )

    for labels, _, flags in cases(10):
        got = d.event_scores(labels, flags)
        assert got.precision == pytest.approx(event_wise_precision_score(labels, flags))
        assert got.recall == pytest.approx(event_wise_recall_score(labels, flags))
        assert got.f1 == pytest.approx(event_wise_fbeta_score(labels, flags, beta=1.0))


def test_missed_events_count_as_longer_than_any():
    labels = np.array([0, 1, 1, 0, 1, 1, 0])
    assert np.isnan(d.time_to_detect(labels, np.zeros(7, dtype=int)))
    assert np.isnan(d.time_to_detect(labels, [0, 1, 0, 0, 0, 0, 0]))
    assert d.time_to_detect([*labels, 1], [0, 1, 0, 0, 0, 1, 0, 0]) == 1


def test_an_endless_alarm_wins_by_events_and_is_caught_by_the_share_of_normal_time():
    labels, _ = long_events(n=2000, events=3, length=50)
    always = np.ones(2000, dtype=int)
    assert d.event_scores(labels, always).f1 == 1
    assert d.time_to_detect(labels, always) == 0
    assert d.false_alarms_per_day(labels, always, step_seconds=1) == 0
    assert d.false_time_share(labels, always) == 1


def test_false_alarms_need_no_event():
    quiet = np.zeros(24, dtype=int)
    flags = np.array([1, 0, 1, 1] + [0] * 20)
    assert d.false_alarms_per_day(quiet, flags, step_seconds=3600) == 2


# --- thresholds and bad input ------------------------------------------------------------------


def test_a_fitted_threshold_is_exceeded_by_no_more_than_the_rest_of_the_quantile():
    scores = np.random.default_rng(0).random(1000)
    for line in (scores, np.round(scores, 1), np.zeros(1000)):
        limit = d.fit_threshold(line, quantile=0.9, series="a")
        assert (line > limit.value).mean() <= 0.1
    assert (limit.series, limit.first, limit.last, limit.oracle) == ("a", 0, 1000, False)


def test_a_threshold_that_saw_the_scored_points_is_refused():
    scores = np.random.default_rng(0).random(100)
    limit = d.fit_threshold(scores, span=(0, 60), series="pump")
    with pytest.raises(ValueError, match=r"fitted on time points 0 to 60 of 'pump', which overlap"):
        d.flag(scores[50:], limit, series="pump", first=50)
    with pytest.raises(ValueError, match="say oracle=True"):
        d.flag(scores, limit)  # without a name it may be the same recording
    assert d.flag(scores[60:], limit, series="pump", first=60).sum() >= 0
    assert len(d.flag(scores, limit, series="fan")) == 100
    assert len(d.flag(scores, limit, series="pump", oracle=True)) == 100
    assert len(d.flag(scores, d.fit_threshold(scores, oracle=True))) == 100
    assert len(d.flag(scores, d.Threshold(0.5))) == 100  # fitted on nothing
    assert len(d.flag(scores, 0.5)) == 100


ZEROS, ONES, MIXED = np.zeros(6, dtype=int), np.ones(6, dtype=int), np.array([0, 0, 1, 1, 0, 0])
SCORES = np.linspace(0, 1, 6)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (partial(d.vus, MIXED, SCORES[:5]), r"equally long; got shapes \(6,\) and \(5,\)"),
        (partial(d.vus, MIXED, SCORES * np.nan), "scores must be finite; 6 of 6 are not"),
        (partial(d.auc_pr, ZEROS, SCORES), "all 6 are normal"),
        (partial(d.auc_roc, ONES, SCORES), "all 6 are abnormal"),
        (partial(d.best_f1, 2 * MIXED, SCORES), "labels must be 0 or 1 at every time point; got 2"),
        (partial(d.best_pa_f1, MIXED * np.nan, SCORES), "got nan"),
        (partial(d.point_scores, MIXED, SCORES), "flags must be 0 or 1"),
        (partial(d.vus, MIXED, SCORES, window=-1), "window >= 0"),
        (partial(d.vus, MIXED, SCORES, flavour="other"), "flavour one of"),
        (partial(d.vus, MIXED, SCORES, thresholds=1), "thresholds >= 2"),
        (partial(d.pak_f1, MIXED, MIXED, percent=101), "percent must be within 0 and 100"),
        (partial(d.range_scores, MIXED, MIXED, bias="side"), "bias one of"),
        (partial(d.period, [[1.0, 2.0]]), r"values must be \(time,\)"),
        (partial(d.fit_threshold, SCORES, quantile=1.5), "quantile must be above 0"),
        (partial(d.fit_threshold, SCORES, span=(4, 9)), "a span within them"),
        (partial(d.fit_threshold, SCORES * np.nan), "must be finite"),
        (partial(d.false_alarms_per_day, MIXED, MIXED, step_seconds=0), "step_seconds must be"),
        (partial(d.false_time_share, ONES, MIXED), "all are abnormal"),
        (partial(d.event_scores, ZEROS, MIXED), "Score a recording with both"),
        (partial(d.affiliation, [], []), "equally long"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_nothing_flagged_gives_0_not_an_error():
    assert d.point_scores(MIXED, ZEROS) == (0, 0, 0)
    assert d.range_scores(MIXED, ZEROS) == (0, 0, 0)
    assert d.event_scores(MIXED, ZEROS).f1 == d.pa_f1(MIXED, ZEROS) == d.pak_area(MIXED, ZEROS) == 0


@pytest.mark.slow
def test_vus_is_50_times_faster_than_that_of_aeon():
    from aeon.benchmarking.metrics import anomaly_detection as aeon

    labels, scores = long_events(n=10_000, events=10, length=100)
    began = perf_counter()
    theirs = aeon.range_pr_vus_score(labels, scores, 100)
    middle = perf_counter()
    ours = d.vus(labels, scores, window=100, flavour="aeon").pr
    ended = perf_counter()
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert middle - began > 50 * (ended - middle)
