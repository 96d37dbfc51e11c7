"""What belongs together: folds, and labels that are given to other windows."""

import numpy as np
import pytest

import timeloom as tl
from timeloom.advice.layout import dealt, lay_out, permuted, splits, taken


def windows(recordings=12, points=60, length=6, stride=3, label=None, seed=0):
    """Windows of recordings whose label per time point ``label(recording, time)`` gives."""
    rng = np.random.default_rng(seed)
    label = label or (lambda k, t: np.full(points, k % 2))
    series = [
        tl.Series(rng.standard_normal((points, 2)), label(k, np.arange(points)))
        for k in range(recordings)
    ]
    return tl.cut(series, length, stride)


def laid_out(**how):
    cut = windows(**how)
    return lay_out(cut, np.unique(cut.y, return_inverse=True)[1])


def late(k, t):
    return (t > 40).astype(int)


def by_chance(k, t):
    return np.random.default_rng(k).integers(0, 2, len(t))


LAYOUTS = {
    "windows": dict(points=6),
    "recordings": dict(),
    "blocks": dict(recordings=2, points=300),
    "times": dict(points=300, label=lambda k, t: (t // 30) % 2),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_kind_is_found(kind):
    assert laid_out(**LAYOUTS[kind]).kind == kind


def test_recordings_whose_labels_change_by_chance_share_no_clock():
    assert laid_out(label=by_chance).kind == "recordings"


def test_a_class_of_a_single_recording_needs_blocks_of_time():
    layout = laid_out(label=lambda k, t: np.where(k == 3, late(k, t), 0))
    assert layout.kind == "blocks"


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("seed", range(3))
def test_every_window_is_tried_once_and_never_learnt_from(kind, seed):
    layout = laid_out(**LAYOUTS[kind])
    found = splits(layout, seed)
    tried = np.concatenate([test for _, test in found])
    np.testing.assert_array_equal(np.sort(tried), np.arange(len(layout.y)))
    for learn, test in found:
        assert len(learn) and not set(learn) & set(test)


@pytest.mark.parametrize("kind", ["recordings", "times"])
def test_no_recording_stands_on_both_sides(kind):
    layout = laid_out(**LAYOUTS[kind])
    for learn, test in splits(layout, 0):
        assert not set(layout.series[learn]) & set(layout.series[test])


@pytest.mark.parametrize("kind", ["blocks", "times"])
def test_no_time_point_stands_on_both_sides(kind):
    layout = laid_out(**LAYOUTS[kind])
    for learn, test in splits(layout, 0):
        apart = np.abs(layout.start[learn][:, None] - layout.start[test])
        if kind == "blocks":
            apart = apart[layout.series[learn][:, None] == layout.series[test]]
        assert apart.min() >= layout.length


@pytest.mark.parametrize("kind", ["windows", "recordings"])
def test_folds_hold_every_class_in_its_share(kind):
    layout = laid_out(recordings=60, label=lambda k, t: np.full(len(t), int(k % 6 == 0)), points=9)
    if kind == "windows":
        layout = lay_out(tl.Windows(np.ones((len(layout.y), 6, 1))), layout.y)
    assert layout.kind == kind
    fold = dealt(layout.unit, layout.y, 5, np.random.default_rng(0))
    for c in (0, 1):
        held = np.bincount(fold[layout.y == c], minlength=5)
        assert held.max() - held.min() <= 2


@pytest.mark.parametrize("kind", LAYOUTS)
def test_shuffled_labels_are_others(kind):
    layout = laid_out(**LAYOUTS[kind])
    found = [permuted(layout, np.random.default_rng(k)) for k in range(5)]
    assert any((one != layout.y).mean() > 0.2 for one in found)
    if kind != "times":  # there a label may be handed to two neighbours at the seam
        for one in found:
            np.testing.assert_array_equal(np.bincount(one), np.bincount(layout.y))


def test_recordings_of_one_label_keep_one_label_when_shuffled():
    layout = laid_out()
    found = permuted(layout, np.random.default_rng(0))
    for k in range(12):
        assert len(np.unique(found[layout.series == k])) == 1


def test_labels_that_change_in_time_keep_their_neighbours_when_shuffled():
    layout = laid_out(recordings=2, points=300, label=late)
    changes = np.abs(np.diff(layout.y)).sum()
    found = permuted(layout, np.random.default_rng(0))
    assert np.abs(np.diff(found)).sum() <= changes + 2


def test_recordings_that_share_a_clock_keep_what_they_have_in_common():
    layout = laid_out(**LAYOUTS["times"])
    for seed in range(5):
        found = permuted(layout, np.random.default_rng(seed))
        for start in np.unique(layout.start):
            assert len(np.unique(found[layout.start == start])) == 1


def test_a_part_numbers_its_units_anew():
    layout = laid_out(recordings=12)
    rows = np.flatnonzero(np.isin(layout.series, [2, 5, 7]))
    part = taken(layout, rows)
    assert sorted(set(part.unit)) == sorted(set(part.series)) == [0, 1, 2]
    np.testing.assert_array_equal(part.y, layout.y[rows])


def test_runs_to_failure_share_no_clock():
    rng = np.random.default_rng(0)
    lives = rng.integers(300, 900, 30)
    series = np.repeat(np.arange(30), lives // 10)
    start = np.concatenate([10 * np.arange(life // 10) for life in lives])
    left = lives[series] - start  # old machines are about to fail: labels agree where starts do
    cuts = tl.Windows(np.zeros((len(start), 10, 1)), (left < 60).astype(int), series, start)
    assert lay_out(cuts, np.asarray(cuts.y)).kind == "recordings"
