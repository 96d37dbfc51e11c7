"""What is said of recordings."""

import numpy as np
import pytest

from timeloom.data import Series, describe
from timeloom.data.describe import label_kind


def recordings(count=3, length=40, labels=None, time=None):
    rng = np.random.default_rng(0)
    return [
        Series(
            rng.normal(size=(length, 2)),
            None if labels is None else np.asarray(labels[i]),
            f"run {i}",
            ("a", "b"),
            time,
            "class",
        )
        for i in range(count)
    ]


def test_counts_lengths_and_ranges():
    values = np.array([[1.0, np.nan], [2.0, 4.0], [6.0, 8.0], [3.0, np.nan]])
    found = describe([Series(values, channels=("a", "b")), Series(values[:2], channels=("a", "b"))])
    assert (found.series, found.points, found.lengths) == (2, 6, (2, 3.0, 4))
    a, b = found.channels
    assert (a.low, a.mean, a.high, a.missing, a.constant) == (1, 2.5, 6, 0, False)
    assert (b.low, b.high, b.missing) == (4, 8, 0.5)
    assert found.labels is None and found.times is None


def test_sound_recordings_have_no_problem():
    assert describe(recordings()).problems == ()


def test_every_problem_is_named_with_what_to_do():
    values = np.ones((40, 4))
    values[:, 1] = np.nan
    values[:, 2] = np.arange(40)
    values[3, 2] = np.inf
    values[:, 3] = np.where(np.arange(40) < 30, np.nan, np.arange(40))
    label = np.where(np.arange(40) < 35, 1.0, 2.0)
    label[0] = np.nan
    time = np.append(np.arange(37), [36, 80, 79])
    problems = "\n".join(describe([Series(values, label, time=time)]).problems)
    for part in (
        "channel 'c0' is always 1: there is nothing to learn",
        "channel 'c1' holds no measured value; leave it out",
        "channel 'c2' holds 1 infinite values; leave those cells empty",
        "channel 'c3' was not measured at 75%",
        "only one series: training and test windows can then be told apart by time alone",
        "label 'label' is missing at 1 time points",
        "fewer than 10 time points for the class '2' (5)",
        "1 time stamps are double",
        "1 time stamps go back",
        "1 steps in time are longer than the usual 1 (the longest is 44)",
    ):
        assert part in problems


def test_short_series_are_counted_against_the_usual_length():
    series = [*recordings(5), Series(np.zeros((15, 2)), name="tiny", channels=("a", "b"))]
    (problem,) = describe(series).problems
    assert problem.startswith("1 series is shorter than 20 time points (the shortest, 'tiny'")


def test_classes_are_counted_by_series_where_each_has_one():
    found = describe(recordings(labels=["new", "worn", "new"])).labels
    assert found.kind == "class" and found.counted == "series"
    assert found.classes == (("new", 2), ("worn", 1))


def test_missing_labels_of_text_are_no_class():
    found = describe(recordings(labels=["new", "", "worn"])).labels
    assert found.classes == (("new", 1), ("worn", 1)) and found.missing == 40


def test_values_have_a_range():
    found = describe(recordings(labels=[np.arange(40)] * 3)).labels
    assert (found.kind, found.low, found.high, found.classes) == ("value", 0, 39, ())


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (None, None),
        (["a", "b"], "class"),
        ([True, False], "class"),
        ([0, 1, -1], "class"),
        ([0.0, 1.0, np.nan], "class"),
        ([0.5, 1.0], "value"),
        (np.arange(21), "value"),
    ],
)
def test_classes_and_values_are_told_apart(labels, kind):
    assert label_kind(labels) == kind


def test_steps_in_time_are_said_in_words():
    hours = np.datetime64("2024-01-01T00:00", "m") + np.append(np.arange(39), 62) * np.timedelta64(
        60, "m"
    )
    times = describe(recordings(time=hours)).times
    assert (times.step, times.gaps, times.longest) == ("1 hour", 3, "1 day")


def test_the_text_holds_every_channel_the_labels_and_the_problems():
    text = str(describe(recordings(labels=["new", "worn", "new"])))
    assert "3 series, 120 time points (shortest 40, median 40, longest 40), 2 channels" in text
    assert "label 'class': 2 classes (series: new: 2, worn: 1)" in text
    assert "problem: fewer than 10 series for the class 'new' (2), 'worn' (1)" in text


def test_nothing_and_different_channels_are_refused():
    with pytest.raises(ValueError, match="no series to describe"):
        describe([])
    with pytest.raises(ValueError, match="must have the channels"):
        describe([*recordings(1), Series(np.zeros((3, 1)))])
