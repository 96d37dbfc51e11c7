"""Do headline, cards and the summary name what is wrong, and never call real windows copies?"""

import pytest

from timeloom.metrics.record import Record
from timeloom.report.faults import copied, faults, group_of, title_of
from timeloom.report.measures import measures, skipped
from timeloom.report.terminal import summary
from timeloom.report.words import findings, headline, told


def row(metric, verdict="pass", value=0.5, **more):
    given = {"low": 0.4, "high": 0.6, "floor": 0.5, "copy": 0.5, "why": "Because."}
    return Record(metric, value, verdict=verdict, seeds=(0, 1, 2), **{**given, **more})


def test_copies_are_the_headline_whatever_else_is_good():
    good = row("tstr_rmse")
    ratio = row("nearest_neighbour_ratio", "fail", 0.0, floor=1.0)
    near = row("near_copy_share", "fail", 0.2, floor=0.01)
    same = row("identical_share", "fail", 0.3, floor=0.0)
    for one in (ratio, near, same):
        said = headline([good, one])
        assert "copies" in said and title_of(one.metric) in said
    assert "copies" in headline([good, row("two_sample_auc", "fail", 0.2)])


def test_the_same_file_given_twice_is_said():
    why = "1 is worse. Nearly every window is real: was the same file given twice?"
    said = headline([row("identical_share", "fail", 1.0, floor=0.0, why=why), row("tstr_rmse")])
    assert "the same file given twice" in said and "Identical share" in said


@pytest.mark.parametrize(
    "rows",
    [
        [row("nearest_neighbour_ratio", "fail", 0.94, floor=1.0)],
        [row("near_copy_share", "fail", 0.04, floor=0.01)],
        [row("authenticity", "fail", 0.6, floor=0.7)],
        [row("membership_auc", "fail", 0.6, floor=0.5, about="novelty")],
        [row("two_sample_auc", "fail", 0.43, floor=0.5)],
        [row("two_sample_auc", "fail", 0.42, floor=0.5), row("summary_auc", value=0.51)],
        [row("two_sample_auc", "fail", 0.38, floor=0.41)],
        [row("two_sample_auc", "warn", 0.2, floor=0.5)],
    ],
)
def test_one_small_sign_that_may_be_chance_is_never_called_copies(rows):
    assert copied(rows) is None
    for text in (headline(rows), headline([*rows, row("tstr_rmse")])):
        assert "copies" not in text


def test_two_signs_that_agree_are_enough():
    rows = [
        row("nearest_neighbour_ratio", "fail", 0.9, floor=1.0),
        row("near_copy_share", "fail", 0.05, floor=0.01),
    ]
    assert copied(rows) == ("training windows", rows[0])
    judges = [row("two_sample_auc", "fail", 0.42), row("summary_auc", value=0.41)]
    assert copied(judges) == ("the real windows compared with", judges[0])


def test_windows_that_only_vary_too_little_are_not_called_copies():
    rows = [
        row("nearest_neighbour_ratio", "fail", 0.75, floor=1.0, about="novelty"),
        row("near_copy_share", "fail", 1.0, floor=0.01, about="novelty"),
        row("authenticity", "fail", 0.0, about="novelty"),
        row("spread_error", "fail", 0.7, about="values"),
    ]
    assert copied(rows) is None and "varies too much or too little" in headline(rows)
    assert "without being copies" in told(rows)[0].text
    memorised = row("memorised_share", "fail", 0.3, floor=0.0, about="novelty")
    assert copied([*rows, memorised]) == ("training windows", memorised)


PLANTED = [
    ("recall", "variety", "missing"),
    ("coverage", "variety", "missing"),
    ("cross_correlation_error", "channels", "hang together"),
    ("time_asymmetry_error", "time", "time does not run"),
    ("spread_error", "values", "varies too much or too little"),
    ("worst_channel_distance", "values", "one channel"),
    ("rules_broken", "rules", "rules"),
    ("steps_broken", "rules", "between the steps"),
    ("some_new_measure", "time", "move in time"),
    ("summary_auc", "likeness", "a test can tell"),
]


@pytest.mark.parametrize(("metric", "about", "words"), PLANTED)
def test_a_fault_is_named_with_the_row_that_found_it(metric, about, words):
    rows = [row("two_sample_auc", "warn", 0.7, about="likeness"), row(metric, "fail", about=about)]
    for given in (rows, [row("tstr_rmse"), *rows]):
        assert words in headline(given) and title_of(metric) in headline(given)
        assert "copies" not in headline(given)


def test_labels_are_the_fault_only_where_windows_are_not():
    labels = row("steering_spearman", "fail", 0.1)
    channels = row("cross_correlation_error", "fail", about="channels")
    assert [one.record for one in faults([labels, channels])] == [channels, labels]
    said = headline([row("tstr_rmse"), labels])
    assert "asked for" in said and "Steering spearman" in said
    alone = headline([row("two_sample_auc"), labels])
    assert "look real, but labels do not fit" in alone and "Steering spearman" in alone
    assert "labels do not fit" in headline([row("tstr_rmse", "fail"), labels])


def test_missing_modes_are_the_fault_where_what_is_there_looks_real():
    spread = row("spread_error", "fail", about="values")
    recall = row("recall", "fail", 0.3, about="variety", better="higher")
    assert [one.record for one in faults([spread, recall])] == [recall, spread]
    precision = row("precision", "fail", 0.1, about="variety", better="higher")
    assert faults([spread, recall, precision])[0].record is spread


def test_units_are_named_where_one_side_is_a_hundred_times_wider():
    assert "units" in headline([row("scale_ratio", "fail", 1000.0, floor=1.1, about="values")])
    assert "varies" in headline([row("scale_ratio", "fail", 3.0, floor=1.1, about="values")])


def test_a_channel_that_stands_still_is_not_taken_for_other_units():
    dead = row("scale_ratio", "fail", 1e12, floor=1.1, about="values")
    spread = row("spread_error", "fail", 4.6, floor=0.1, about="values")
    for rows in ([dead], [spread], [dead, spread]):
        assert "stands still" in headline(rows) and "units" not in headline(rows)
    assert faults([dead, spread])[0].record is spread


def test_use_comes_first_where_nothing_is_copied():
    assert headline([row("tstr_rmse")]).startswith("Of use")
    assert headline([row("tstr_auroc", "fail", better="higher")]).startswith("Not of use")
    assert headline([row("tstr_rmse", "warn")]).startswith("Of some use")
    assert "Nothing could be measured" in headline([Record("tstr_rmse")])


def test_windows_are_hard_to_tell_only_if_every_test_of_likeness_passes():
    alike = [row("two_sample_auc"), row("discriminative"), row("discriminative_accuracy")]
    assert "hard to tell" in headline(alike)
    assert "may be told" in headline([*alike[:2], row("discriminative_accuracy", "warn", 0.6)])
    skips = Record("two_sample_auc", why="Too few.")
    assert "not known" in headline([skips, *alike[1:]])
    assert "not known" in headline([row("marginal_distance")])


def test_cards_tell_use_novelty_variety_and_rules_and_what_fails():
    rows = [
        row("tstr_rmse", value=13.2, unit="cycles"),
        row("nearest_neighbour_ratio", value=1.0, about="novelty"),
        row("near_copy_share", "fail", 0.21, about="novelty", unit="share"),
        row("recall", value=0.9, about="variety", better="higher"),
        row("rules_broken", "warn", 0.031, floor=0.0, about="rules", unit="share"),
        row("spread_error", "fail", 0.7, about="values"),
        row("lagged_correlation_error", about="channels"),
    ]
    cards = {one.title: one for one in told(rows)}
    assert list(cards) == ["Training on it", "Not copied", "Values", "Variety", "Rules of the data"]
    assert "errs by 13.2 on real ones (cycles)" in cards["Training on it"].text
    assert "21% of them are nearer" in cards["Not copied"].text
    assert cards["Rules of the data"].text.startswith("In doubt: Rules broken 3%")
    assert "Recall 0.9 (real data: 0.5)" in cards["Variety"].text
    assert cards["Values"].verdict == "fail" and findings(rows)[-1].startswith("4 of 7 measures")


def test_rows_on_labels_are_about_use_whatever_they_say():
    assert group_of(row("steering_mae", about="likeness")) == "use"
    assert group_of(row("coverage", about="variety")) == "variety"


def test_groups_hold_every_measured_row_once_the_worst_first():
    rows = [
        row("a", about="time"),
        row("b", "fail", about="time"),
        row("c", about="rules"),
        row("old"),
        Record("d", why="Too few.", about="rules"),
        Record("e", why="Too few.", about="time"),
    ]
    groups = {one["about"]: one for one in measures(rows)}
    assert list(groups) == ["time", "rules", "other"]
    assert [one["record"].metric for one in groups["time"]["rows"]] == ["b", "a"]
    assert groups["time"]["open"] and not groups["rules"]["open"]
    assert groups["time"]["counts"] == "1 fail, 1 pass"
    assert skipped(rows) == [{"why": "Too few.", "names": ["D", "E"]}]


def test_all_marks_lie_on_the_line_and_one_far_off_does_not_crowd_the_others():
    one = row("a", value=0.5, low=0.45, high=0.55, floor=0.4, copy=0.42, gaussian=50.0)
    scale = measures([one])[0]["rows"][0]["scale"]
    assert scale["off"] == ["gaussian"] and scale["gaussian"] == 99
    assert scale["floor"] < scale["copy"] < scale["low"] < scale["value"] < scale["high"] < 99
    assert scale["high"] - scale["floor"] > 80
    assert measures([row("a", low=0.5, high=0.5)])[0]["rows"][0]["scale"] is None


def test_a_measure_that_a_gaussian_passes_is_said_to_see_no_more():
    def note(metric="a", **more):
        return bool(measures([row(metric, **more)])[0]["rows"][0]["blind"])

    assert note(gaussian=0.51) and note(gaussian=0.1) and note(gaussian=0.9, better="higher")
    assert not note(gaussian=0.6) and not note(gaussian=0.1, better="higher") and not note()
    assert not note(gaussian=0.5, about="novelty")
    p_value = {"interval": "none: a p-value"}
    assert note(gaussian=0.2, settings=p_value) and not note(gaussian=0.01, settings=p_value)


def test_the_summary_of_many_rows_fits_eighty_columns_and_shows_what_matters():
    abouts = ("likeness", "values", "channels", "time", "novelty")
    rows = [row(f"good_{i}_of_many", about=abouts[i % 4]) for i in range(36)]
    bad = "difference_autocorrelation_error_of_a_very_long_name"
    rows += [
        row("cross_correlation_error", "warn", about="channels", gaussian=1234.5),
        row(bad, "fail", 0.123456, about="time"),
        Record("recall", why="Too few.", about="variety"),
    ]
    lines = summary(rows).splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) < 16
    text = "\n".join(lines)
    assert text.index(bad[:30]) < text.index("cross_correlation_error") < text.index(" 9 pass  ")
    assert "good_" not in text and "1 skipped" in lines[-1]


def test_what_was_not_measured_is_counted_with_its_question_and_its_reason_said():
    rows = [row("near", about="novelty"), row("bad", "fail", about="time")]
    rows += [Record(f"far_{i}", why="10 windows are too few.", about="novelty") for i in range(5)]
    text = summary(rows)
    assert "1 pass  Is it new, or copied?  (5 skipped)" in text
    assert text.splitlines()[-1] == "5 skipped: 10 windows are too few."
    assert "skipped:" not in summary(rows[:-1])
