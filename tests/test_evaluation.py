"""Is the evaluation honest: same sizes, same labels, no leak, a verdict with its reason?"""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from timeloom.data.windows import Windows
from timeloom.evaluation import (
    Record,
    evaluate,
    evaluate_rows,
    planned,
    read_records,
    write_records,
)
from timeloom.evaluation.arms import deal, guess_task, halves, recordings
from timeloom.evaluation.verdict import level_verdict, verdict
from timeloom.metrics import fidelity


def recorded(count, seed, *, noise=0.2, recordings=12, label="value"):
    """Waves whose amplitude is the label, from several recordings."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(1, 5, count)
    wave = np.sin(rng.uniform(0, 6.3, (count, 1)) + 0.5 * np.arange(12))
    x = np.stack([size[:, None] * wave, -size[:, None] * wave], axis=2)
    x = x + noise * rng.standard_normal(x.shape)
    y = {"value": size, "class": np.where(size > 3, "high", "low"), None: None}[label]
    series = 100 * seed + np.arange(count) % recordings
    return Windows(x, y, series, np.arange(count), ("a", "b"), "size")


def noise_like(windows, seed=0):
    rng = np.random.default_rng(seed)
    return replace(windows, x=rng.standard_normal(windows.x.shape) * windows.x.std((0, 1)))


@pytest.fixture(scope="module")
def honest():
    """New windows of the same kind, with their labels."""
    made = evaluate(
        recorded(200, 0), recorded(150, 1), recorded(150, 2), seeds=(0, 1), method="m", data="d"
    )
    return {record.metric: record for record in made.records}


@pytest.fixture(scope="module")
def copied():
    train = recorded(150, 2)
    made = evaluate(recorded(200, 0), train, train, seeds=(0,))
    return {record.metric: record for record in made.records}


@pytest.fixture(scope="module")
def noise():
    made = evaluate(recorded(200, 0), noise_like(recorded(150, 1)), recorded(150, 2), seeds=(0,))
    return {record.metric: record for record in made.records}


def test_new_windows_of_the_same_kind_fail_nothing(honest):
    assert {record.verdict for record in honest.values()} <= {"pass", "warn", "skipped"}
    reasons = {row.why for row in honest.values() if row.verdict == "skipped"}
    assert all(re.search("fewer than|no rule of this kind", why) for why in reasons)
    assert honest["two_sample_auc"].verdict == "pass"
    assert honest["nearest_neighbour_ratio"].verdict == "pass"


def test_noise_fails_every_kind_of_row(noise):
    for name in ("two_sample_auc", "autocorrelation_error", "cross_correlation_error", "tstr_rmse"):
        assert noise[name].verdict == "fail", name
    assert noise["steering_spearman"].verdict == "fail"


def test_copies_pass_as_real_and_fail_as_new(copied):
    assert copied["nearest_neighbour_ratio"].value == 0
    assert copied["nearest_neighbour_ratio"].verdict == "fail"
    assert copied["two_sample_auc"].verdict != "fail"


def privacy_of(real, synthetic, train):
    """The share of near copies alone."""
    rows = evaluate_rows(real, synthetic, train, seeds=(0, 1))
    return next(row for row in rows if row.metric == "near_copy_share")


def test_a_fifth_of_exact_copies_fails_and_real_held_out_windows_pass():
    real, new, train = (recorded(600, s, recordings=60, label=None) for s in (0, 1, 2))
    mixed = replace(new, x=np.concatenate([train.x[:120], new.x[120:]]))
    assert privacy_of(real, mixed, train).verdict == "fail"
    half = np.isin(real.series, np.unique(real.series)[::2])
    assert privacy_of(real[half], real[~half], train).verdict == "pass"


def test_copies_of_the_held_out_windows_raise_the_alarm():
    real = recorded(600, 0, recordings=600)
    rows = evaluate_rows(real, real, recorded(600, 2), seeds=(0, 1))
    row = next(row for row in rows if row.metric == "two_sample_auc")
    assert row.value is not None and row.value < 0.45
    assert row.verdict == "fail"
    assert "copies" in row.why


def test_every_row_has_a_floor_a_copy_machine_an_interval_and_a_reason(honest):
    once = {metric.name for metric in fidelity.METRICS if metric.once}
    for record in honest.values():
        if record.verdict == "skipped":
            continue
        assert record.low <= record.value <= record.high
        assert record.floor is not None and record.copy is not None
        assert len(record.per_seed["value"]) == len(record.seeds) == 2 - (record.metric in once)
        assert record.why.endswith(".") and record.meaning and record.version
        assert (record.method, record.data) == ("m", "d")


def test_seeds_change_the_figures_and_the_same_seeds_repeat_them(honest):
    assert honest["two_sample_auc"].low < honest["two_sample_auc"].high
    again = evaluate_rows(recorded(200, 0), recorded(150, 1), recorded(150, 2), seeds=(0, 1))
    for record, _ in zip(again, range(4), strict=False):
        assert record.per_seed == honest[record.metric].per_seed


def test_the_planned_rows_are_the_rows_that_come(honest):
    assert planned(recorded(9, 0), recorded(9, 1), recorded(9, 2)) == tuple(honest)


def test_records_survive_their_json_line(honest, tmp_path):
    records = list(honest.values())
    write_records(tmp_path / "records.jsonl", records)
    assert read_records(tmp_path / "records.jsonl") == records
    odd = Record("odd", value=float("nan"), settings={"x": np.float32("inf"), "n": np.int64(3)})
    line = json.loads(odd.to_json())
    assert line["value"] is None and line["settings"] == {"x": None, "n": 3}


def test_a_line_that_is_no_record_is_named(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text(Record("one").to_json() + "\n{}\n")
    with pytest.raises(ValueError, match="line 2"):
        read_records(path)


def test_classes_are_scored_by_their_own_rows():
    sides = [recorded(120, seed, label="class") for seed in (0, 1, 2)]
    rows = {row.metric: row for row in evaluate_rows(*sides, seeds=(0,))}
    assert rows["tstr_balanced_accuracy"].floor > 0.8
    assert rows["tstr_auroc"].better == "higher"
    assert "steering_mae" not in rows


def test_windows_without_labels_have_no_rows_about_labels():
    rows = list(evaluate_rows(*[recorded(60, s, label=None) for s in (0, 1, 2)], seeds=(0,)))
    assert not [row.metric for row in rows if row.metric.startswith(("tstr", "steering"))]


def test_without_training_windows_nothing_is_said_of_copying():
    rows = {r.metric: r for r in evaluate_rows(recorded(300, 0), recorded(99, 1), seeds=(0,))}
    assert rows["nearest_neighbour_ratio"].verdict == "skipped"
    assert "give reference=" in rows["nearest_neighbour_ratio"].why
    assert rows["two_sample_auc"].value is not None


def test_too_few_windows_are_skipped_with_a_reason_and_never_a_number():
    for row in evaluate_rows(recorded(8, 0), recorded(8, 1), recorded(8, 2), seeds=(0,)):
        if row.metric in ("identical_share", "repeated_share"):
            continue  # counted, not estimated: any number of windows will do
        assert row.verdict == "skipped" and row.value is None
        assert "few" in row.why


def test_labels_are_made_equal_on_all_sides_and_no_recording_is_on_both_halves():
    real, reference = recorded(300, 0), recorded(300, 2)
    rare = recorded(300, 1)
    rare = rare[np.argsort(rare.y)[:150]]
    arms = deal(real, rare, reference, task="regress", limit=60, seed=0)
    sizes = {len(part.x) for part in (arms.real, arms.synthetic, arms.copy, arms.first)}
    assert len(sizes) == 1 and sizes.pop() <= 60
    np.testing.assert_allclose(np.mean(arms.real.y), np.mean(arms.synthetic.y), atol=0.2)
    assert np.mean(arms.real.y) < np.mean(real.y) - 0.3
    assert not set(arms.first.groups) & set(arms.second.groups)


def test_gaps_of_real_windows_are_given_to_synthetic_ones():
    real, synthetic = recorded(200, 0), recorded(200, 1)
    real.x[np.random.default_rng(0).random(real.x.shape) < 0.3] = np.nan
    rows = {r.metric: r for r in evaluate_rows(real, synthetic, recorded(200, 2), seeds=(0, 1))}
    assert "not measured" in rows["two_sample_auc"].why
    assert rows["two_sample_auc"].value < 0.75


def test_one_recording_that_outweighs_all_others_is_still_compared():
    sizes = [600] + [1] * 79
    long = recorded(sum(sizes), 0, label=None)
    long = replace(
        long,
        series=np.repeat(np.arange(80), sizes),
        start=np.concatenate([np.arange(n) for n in sizes]),
    )
    rows = evaluate_rows(long, recorded(90, 1, label=None), recorded(90, 2, label=None), seeds=(0,))
    rows = {row.metric: row for row in rows}
    assert rows["two_sample_auc"].value is not None
    assert rows["discriminative"].value is not None


def test_windows_of_one_series_and_start_are_skipped_by_judges_with_a_way_out():
    zeros = np.zeros(60, dtype=int)
    same = replace(recorded(60, 1, label=None), series=zeros, start=zeros)
    real = recorded(140, 0, label=None)
    rows = evaluate_rows(real, same, recorded(60, 2, label=None), seeds=(0,))
    rows = {row.metric: row for row in rows}
    assert rows["two_sample_auc"].verdict == rows["discriminative"].verdict == "skipped"
    assert "give every synthetic window a series of its own" in rows["two_sample_auc"].why
    assert rows["marginal_distance"].value is not None


def test_one_long_recording_is_halved_in_time_and_cut_in_blocks():
    one = replace(recorded(100, 0), series=np.zeros(100, dtype=int))
    first, second = halves(one, 0)
    assert one.start[first].max() + one.shape[0] <= one.start[second].min()
    assert len(np.unique(recordings(one))) == 10


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ([np.array(["a", "b"])], "classify"),
        ([np.array([True, False])], "classify"),
        ([np.arange(20)], "classify"),
        ([np.array([0.0, 1.0])], "classify"),
        ([np.arange(21)], "regress"),
        ([np.array([0.5, 1.0])], "regress"),
        ([np.arange(3), None], None),
    ],
)
def test_the_task_is_guessed_from_the_labels(labels, task):
    assert guess_task(*labels) == task


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: replace(w, x=w.x[:, :5]), "12 time points x 2 channels"),
        (lambda w: replace(w, channels=("b", "a")), "must have the channels a, b in this order"),
        (lambda w: replace(w, x=np.full_like(w.x, np.inf)), "hold inf"),
        (lambda w: replace(w, x=np.full_like(w.x, np.nan)), "no value in a, b"),
        (lambda w: replace(w, y=np.full(len(w), np.nan)), "20 of 20 synthetic windows have NaN"),
        (lambda w: replace(w, y=np.array(["x"] * len(w))), "words on the other"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(change, says):
    with pytest.raises(ValueError, match=says):
        evaluate_rows(recorded(20, 0), change(recorded(20, 1)), recorded(20, 2))


def test_a_task_without_labels_or_of_an_unknown_kind_is_refused():
    sides = [recorded(20, seed, label=None) for seed in (0, 1)]
    with pytest.raises(ValueError, match="needs labels on every side"):
        evaluate_rows(*sides, task="regress")
    with pytest.raises(ValueError, match="'classify' or 'regress'; got 'guess'"):
        evaluate_rows(*sides, task="guess")
    words = [recorded(40, seed, label="class") for seed in (0, 1, 2)]
    with pytest.raises(ValueError, match="needs labels that are numbers"):
        evaluate_rows(*words, task="regress")


@pytest.mark.parametrize(
    ("value", "better", "copies", "word"),
    [
        (0.11, "lower", "good", "pass"),
        (0.2, "lower", "good", "warn"),
        (0.6, "lower", "good", "fail"),
        (0.95, "higher", "bad", "pass"),
        (0.6, "higher", "bad", "warn"),
        (0.1, "higher", "bad", "fail"),
        (float("nan"), "lower", "good", "skipped"),
    ],
)
def test_the_verdict_follows_the_departure_from_the_floor(value, better, copies, word):
    floor, copy = (0.1, 0.05) if better == "lower" else (1.0, 0.0)
    far = 0.3 if better == "lower" else 0.5
    said, why = verdict(value, floor, copy, better=better, far=far, copies=copies)
    assert said == word and why.endswith(".")


@pytest.mark.parametrize(
    ("value", "spread", "word"),
    [
        (0.95, 0.1, "warn"),
        (0.96, 0.1, "fail"),
        (1.15, 0.2, "warn"),
        (1.16, 0.2, "fail"),
        (0.96, 5.0, "warn"),
        (0.55, 0.3, "pass"),
        (0.6, 0.3, "warn"),
        (0.65, 0.1, "pass"),
        (0.65, 0.0, "warn"),
    ],
)
def test_a_floor_that_wavers_neither_passes_nor_fails_what_it_cannot_tell(value, spread, word):
    said, why = verdict(value, 0.55, 0.5, better="lower", far=0.4, spread=spread)
    assert said == word
    vague = "real data vary too much between recordings" in why
    assert vague == (word == "warn" and spread >= 0.2)


@pytest.mark.parametrize(("p", "word"), [(0.005, "fail"), (0.03, "warn"), (0.2, "pass")])
def test_a_p_value_is_judged_by_its_level(p, word):
    assert level_verdict(p, 0.01)[0] == word


def rows_of(real, synthetic, train, metrics=None):
    rows = evaluate_rows(real, synthetic, train, seeds=(0,), metrics=metrics)
    return {row.metric: row for row in rows}


WHOLE = ("identical_share", "repeated_share", "scale_ratio", "missing_share_error")


def test_the_same_file_given_twice_is_said():
    real, train = recorded(60, 0, label=None), recorded(60, 1, label=None)
    row = rows_of(real, real, train, WHOLE)["identical_share"]
    assert (row.value, row.verdict) == (1, "fail")
    assert "same file given twice" in row.why.replace("was the ", "")


def test_a_file_that_stands_for_both_real_and_train_is_said():
    real, made = recorded(60, 0, label=None), recorded(60, 1, label=None)
    with pytest.warns(UserWarning, match="the same file stands for both"):
        row = rows_of(real, real, real, WHOLE)["identical_share"]
    assert row.verdict == "fail" and "the same file stands for both" in row.why
    blind = {r.metric: r for r in evaluate_rows(real, real, seeds=(0,), metrics=WHOLE)}
    assert blind["identical_share"].value == 1 and "given twice" in blind["identical_share"].why
    with pytest.warns(UserWarning, match="no figure beside real data holds"):
        assert rows_of(real, made, real, WHOLE)["identical_share"].verdict == "pass"


def test_labels_that_no_synthetic_window_has_are_said():
    real, made, train = (recorded(200, seed, label="class") for seed in (0, 1, 2))
    rows = rows_of(real, made[made.y == "low"], train, ("missing_label_share", "scale_ratio"))
    row = rows["missing_label_share"]
    assert row.verdict == "fail" and "the label high" in row.why
    assert row.value == np.mean(real.y == "high") and row.floor == 0
    value = [recorded(200, seed) for seed in (0, 1, 2)]
    value[1] = value[1][value[1].y < 3]
    assert rows_of(*value, ("missing_label_share",))["missing_label_share"].verdict == "fail"


def test_no_label_in_common_is_skipped_with_a_reason():
    sides = [recorded(120, seed, label="class") for seed in (0, 1, 2)]
    sides[1] = replace(sides[1], y=np.char.upper(sides[1].y))
    rows = {row.metric: row for row in evaluate_rows(*sides, seeds=(0,))}
    assert rows["missing_label_share"].value == 1
    assert rows["two_sample_auc"].verdict == rows["marginal_distance"].verdict == "skipped"


def test_the_spread_of_many_windows_is_that_of_all_their_time_points():
    walk = np.cumsum(np.random.default_rng(0).standard_normal((30_000, 24, 1)), axis=1)
    few, many = Windows(walk[:2000]), Windows(walk)
    assert rows_of(few, many, Windows(-walk[:2000]), WHOLE)["scale_ratio"].value < 1.1


def test_a_channel_that_is_hardly_ever_measured_is_left_out_and_named():
    sides = [recorded(150, seed, label=None) for seed in (0, 1, 2)]
    for side in sides:
        side.x[1:, :, 1] = np.nan
    rows = rows_of(*sides, ("two_sample_auc", "marginal_distance"))
    assert all("left out: b" in row.why for row in rows.values())
    assert rows["two_sample_auc"].value is not None


@pytest.mark.parametrize("floor", [0.5, 0.62, 0.75, 0.9])
def test_the_worst_figure_there_is_always_fails(floor):
    how = {"better": "lower", "far": 0.4, "ideal": 0.5, "worst": 1.0, "spread": 0.2}
    assert verdict(1.0, floor, 0.5, **how)[0] == "fail"
    how = {"better": "higher", "far": 0.15, "ideal": 1.0, "worst": 0.0, "spread": 0.3}
    assert verdict(0.0, 1 - floor, 0.9, **how)[0] == "fail"


def test_nobody_must_match_real_data_that_are_better_than_the_ideal():
    how = {"better": "lower", "far": 0.1, "ideal": 0.5, "copies": "bad"}
    assert verdict(0.56, 0.42, 0.6, **how)[0] == "warn"
    assert verdict(0.51, 0.42, 0.6, **how)[0] == "pass"


def test_other_units_and_repeated_windows_are_said():
    real, made, train = (recorded(60, seed, label=None) for seed in (0, 1, 2))
    scaled = replace(made, x=made.x * np.array([1000.0, 1.0]))
    row = rows_of(real, scaled, train, WHOLE)["scale_ratio"]
    assert row.verdict == "fail" and "spread of a is" in row.why and "same units" in row.why
    twice = replace(made, x=np.concatenate([made.x[:30], made.x[:30]]))
    rows = rows_of(real, twice, train, WHOLE)
    assert rows["repeated_share"].value == 0.5 and rows["repeated_share"].verdict == "fail"
    assert rows["scale_ratio"].verdict == "pass"


def test_gaps_that_reality_has_not_are_a_fault_and_gaps_that_are_filled_are_none():
    real, made, train = (recorded(60, seed, label=None) for seed in (0, 1, 2))
    holes = np.random.default_rng(0).random(made.x.shape) < 0.5
    broken = replace(made, x=np.where(holes, np.nan, made.x))
    assert rows_of(real, broken, train, WHOLE)["missing_share_error"].verdict == "fail"
    gappy = [replace(one, x=np.where(holes, np.nan, one.x)) for one in (real, train)]
    assert rows_of(gappy[0], made, gappy[1], WHOLE)["missing_share_error"].verdict == "pass"


def test_the_gaussian_has_the_mean_and_the_covariance_of_the_training_windows():
    arms = deal(*(recorded(2000, s, label=None) for s in (0, 1, 2)), task=None, limit=900, seed=0)
    train, drawn = (part.x.reshape(900, -1) for part in (arms.copy, arms.gaussian))
    np.testing.assert_allclose(drawn.mean(0), train.mean(0), atol=0.3)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(train.T), atol=0.9)
    assert len(np.unique(arms.gaussian.groups)) == 900


def test_only_the_metrics_that_are_named_are_measured():
    sides = [recorded(60, seed) for seed in (0, 1, 2)]
    names = ("marginal_distance", "acd", "tstr_rmse")
    assert tuple(rows_of(*sides, names)) == planned(*sides, metrics=names)
    assert set(planned(*sides, metrics=names)) == set(names)
    with pytest.raises(ValueError, match="must be a list of names"):
        evaluate_rows(*sides, metrics="acd")
    with pytest.raises(ValueError, match=r"real must be Windows; got ndarray"):
        evaluate_rows(*(side.x for side in sides))
    with pytest.raises(ValueError, match="did you mean 'marginal_distance'"):
        evaluate_rows(*sides, metrics=["marginal_distanc"])


@pytest.mark.parametrize(
    ("value", "ideal", "word"),
    [(0.39, 0.0, "warn"), (0.41, 0.0, "fail"), (0.39, None, "fail"), (0.21, None, "pass")],
)
def test_real_data_that_depart_far_from_the_ideal_excuse_as_much(value, ideal, word):
    assert verdict(value, 0.2, 0.05, better="lower", far=0.15, ideal=ideal)[0] == word


def test_what_meets_the_ideal_passes_whatever_the_floor_does():
    how = {"better": "lower", "far": 0.1, "copies": "bad", "spread": 0.2}
    assert verdict(0.51, 0.55, 0.7, ideal=0.5, **how)[0] == "pass"
    assert verdict(0.54, 0.55, 0.7, ideal=0.5, **how)[0] == "warn"


def test_an_auc_below_guessing_alarms_only_below_all_that_real_data_scored():
    how = {"better": "lower", "far": 0.4, "alarm": 0.45, "ideal": 0.5}
    assert verdict(0.2, 0.6, 0.5, lowest=0.4, **how)[0] == "fail"
    assert verdict(0.38, 0.6, 0.5, lowest=0.4, **how)[0] == "pass"
