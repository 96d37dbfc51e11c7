"""Cutting, splitting and stitching."""

import numpy as np
import pytest

from tests import naive
from timeloom.data import Series, Windows, cut, split, stitch


def recordings(lengths=(31, 12, 20), channels=3, seed=0, missing=0.1):
    rng = np.random.default_rng(seed)
    found = []
    for i, n in enumerate(lengths):
        values = rng.normal(size=(n, channels))
        values[rng.random(values.shape) < missing] = np.nan
        found.append(Series(values, rng.integers(0, 100, n), f"engine {i}"))
    return found


@pytest.mark.parametrize(("length", "stride"), [(1, 1), (5, 1), (5, 2), (12, 7), (7, 30)])
def test_cut_equals_the_slow_version(length, stride):
    series = recordings()
    windows = cut(series, length, stride)
    x, y, owners, starts = naive.cut(series, length, stride)
    np.testing.assert_array_equal(windows.x, x)
    np.testing.assert_array_equal(windows.y, y)
    np.testing.assert_array_equal(windows.series, owners)
    np.testing.assert_array_equal(windows.start, starts)


@pytest.mark.parametrize("label", [None, "one for the run"])
def test_cut_takes_series_with_one_label_or_none(label):
    label = None if label is None else np.asarray("worn")
    windows = cut([Series(np.zeros((9, 1)), label)], 4)
    assert windows.y is None if label is None else windows.y.tolist() == ["worn"] * 6


@pytest.mark.parametrize(("length", "stride"), [(1, 1), (5, 1), (12, 7)])
def test_stitching_what_was_cut_gives_the_series_back(length, stride):
    series = recordings(missing=0.2)
    windows = cut(series, length, stride)
    for one, back in zip(series, stitch(windows.x, windows), strict=True):
        np.testing.assert_allclose(back, one.values, rtol=1e-12, equal_nan=True)


def test_stitch_equals_the_slow_version_where_scores_disagree_and_points_are_uncovered():
    rng = np.random.default_rng(1)
    windows = cut(recordings(), 5, 3)[rng.permutation(14)[:9]]
    scores = rng.normal(size=(9, 5))
    scores[rng.random(scores.shape) < 0.2] = np.nan
    slow = naive.stitch(scores.tolist(), windows.series.tolist(), windows.start.tolist())
    fast = stitch(scores, windows)
    for name, row in zip(sorted(slow), fast, strict=True):
        np.testing.assert_allclose(row, slow[name], rtol=1e-12, equal_nan=True)


def test_stitch_keeps_the_channels_apart_and_the_floating_type():
    windows = cut(recordings(missing=0), 6, 2)
    assert [one.shape for one in stitch(windows.x, windows)] == [(31, 3), (12, 3), (20, 3)]
    assert stitch(windows.x.astype(np.float32), windows)[0].dtype == np.float32


@pytest.mark.parametrize("seed", range(5))
def test_no_series_stands_on_both_sides_of_a_split(seed):
    windows = cut(recordings(lengths=[10] * 11), 4)
    parts = split(windows, 0.6, 0.2, 0.2, seed=seed)
    names = [set(part.series.tolist()) for part in parts]
    assert set.union(*names) == set(range(11))
    assert sum(map(len, names)) == 11
    assert sum(map(len, parts)) == len(windows)


def test_a_split_by_series_is_the_same_for_the_same_seed_only():
    windows = cut(recordings(lengths=[10] * 11), 4)
    first, again, other = (split(windows, 1, 1, seed=seed)[0].series for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(first.tolist()) != set(other.tolist())


@pytest.mark.parametrize(("gap", "expected"), [(None, 6), (0, 0), (11, 11)])
def test_a_split_by_time_leaves_the_gap_in_every_series(gap, expected):
    windows = cut(recordings(lengths=(100, 57, 80)), 6)
    before, after = split(windows, 0.7, 0.3, by="time", gap=gap)
    for name in range(3):
        last = before.start[before.series == name].max() + 6
        first = after.start[after.series == name].min()
        assert first - last == expected


def test_parts_by_time_follow_their_shares():
    windows = cut(recordings(lengths=(1000,)), 10)
    parts = split(windows, 0.5, 0.3, 0.2, by="time", gap=0)
    spans = [part.start.max() + 10 - part.start.min() for part in parts]
    assert spans == [500, 300, 200]


def test_windows_are_indexed_with_their_labels_and_places():
    windows = cut(recordings(), 5)
    chosen = windows[windows.series == 1]
    assert len(chosen) == 8 and set(chosen.series.tolist()) == {1}
    assert windows[3].x.shape == (1, 5, 3)
    np.testing.assert_array_equal(np.asarray(windows), windows.x)


def test_windows_of_unknown_origin_are_recordings_of_their_own():
    assert Windows(np.zeros((4, 3, 2))).series.tolist() == [0, 1, 2, 3]


def test_whole_numbers_become_floating_point():
    assert Series(np.ones((3, 1), dtype=int)).values.dtype == np.float64
    assert Windows(np.ones((2, 3, 1), dtype=np.int16)).x.dtype == np.float64


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: cut([], 3), "no series to cut"),
        (lambda: cut(recordings(), 13), r"series 1 \('engine 1'\) has 12 time points.*13"),
        (lambda: cut(recordings(), 0), "at least 1"),
        (lambda: cut([*recordings(), *recordings(channels=2)], 3), "must have the channels"),
        (lambda: cut([*recordings(), Series(np.zeros((9, 3)))], 3), "has a label or none"),
        (lambda: split(cut(recordings(), 5), 1.0), "two or more positive"),
        (lambda: split(cut(recordings(), 5), 1, -1), "two or more positive"),
        (lambda: split(cut(recordings(), 5), 1, 1, by="luck"), "'series' or 'time'"),
        (lambda: split(cut(recordings()[:1], 5), 1, 1), "Split by='time'"),
        (lambda: split(cut(recordings(), 12), 1, 1, by="time"), "would hold no window"),
        (lambda: stitch(np.zeros((3, 4)), cut(recordings(), 5)), "must begin with shape"),
        (lambda: Windows(np.zeros((3, 4))), r"x\[:, :, None\]"),
        (lambda: Windows(np.zeros((3, 4, 1)), np.zeros(2)), r"y must have shape \(3,\)"),
        (lambda: Windows(np.zeros((3, 4, 2)), channels=("a",)), "2 channels need 2 names"),
        (lambda: Series(np.zeros(3)), r"values\[:, None\]"),
        (lambda: Series(np.zeros((3, 1)), label=np.zeros(2)), "one per time point"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
