"""Windows that share a measured stretch with others, beside a slow search by comparing runs."""

import time

import numpy as np
import pytest

import timeloom as tl
from timeloom.data.overlap import repeated, shared


def runs(window):
    """Every run of half a window's length, as (length, rows); a run that does not move is out."""
    half = max(2, -(-len(window) // 2))
    return half, [window[i : i + half] for i in range(len(window) - half + 1)]


def moves(run):
    return not all(np.array_equal(row, run[0], equal_nan=True) for row in run)


def naive(windows, others):
    found = []
    for window in windows:
        half, own = runs(window)
        hit = False
        for run in filter(moves, own):
            for other in others:
                for i in range(len(other) - half + 1):
                    hit |= np.array_equal(run, other[i : i + half], equal_nan=True)
        found.append(hit)
    return np.array(found)


@pytest.mark.parametrize("seed", range(12))
def test_it_finds_what_a_slow_search_finds(seed):
    rng = np.random.default_rng(seed)
    length, channels = int(rng.integers(2, 8)), int(rng.integers(1, 3))
    # Few different values, so that runs of all kinds coincide: equal, constant, equal but for one.
    draw = rng.choice([0.0, -0.0, 1.0, np.nan], (2, 40, length + 2, channels))
    windows, others = draw[0, :, :length], draw[1, :3]
    expected = naive(windows, others)
    np.testing.assert_array_equal(shared(windows, others), expected)


def test_the_slow_search_is_tried_on_both_outcomes():
    rng = np.random.default_rng(3)
    x = rng.choice([0.0, 1.0], (60, 7, 1))
    assert 0 < naive(x[:40], x[40:43] * [[[1.0]]]).mean() < 1


def test_windows_of_one_recording_are_found_where_half_of_them_overlaps():
    series = tl.Series(np.random.default_rng(0).standard_normal((400, 3)))
    windows = tl.cut(series, 20, 10)
    others = tl.Windows(windows.x[::4])
    own = np.isin(np.arange(len(windows)) % 4, [0, 1, 3])
    np.testing.assert_array_equal(shared(windows, others), own)
    shifted = tl.cut(tl.Series(series.values[11:]), 20, 20)  # overlaps of 9 and of 11 points
    assert shared(shifted, tl.Windows(windows.x[::2])).all()
    far = tl.Windows(windows.x[:1])
    np.testing.assert_array_equal(shared(far, tl.cut(tl.Series(series.values[11:]), 20)), [False])


def test_a_run_must_agree_in_all_channels():
    x = np.random.default_rng(0).standard_normal((5, 12, 2))
    other = x.copy()
    other[:, :, 1] += 1e-9
    assert not shared(x, other).any()
    assert shared(x, x).all()


def test_sensors_at_rest_do_not_count():
    still = np.zeros((3, 10, 2))
    still[:, -1] = 5.0  # nine points at rest, then a jump: the last runs of five move
    rest = np.zeros((1, 10, 2))
    assert not shared(still, rest).any() and not shared(rest, still).any()
    assert shared(still, still).all()


def test_a_gap_equals_a_gap_whatever_its_bits():
    x = np.random.default_rng(1).standard_normal((4, 10, 1))
    x[:, 4] = np.nan
    other = x.copy()
    other[:, 4] = -np.nan
    assert shared(x, other).all()


def test_sides_of_other_precision_are_compared_at_the_coarser():
    x = np.random.default_rng(1).standard_normal((4, 10, 1))
    assert shared(x, x.astype(np.float32)).all() and shared(x.astype(np.float32), x).all()


def test_nothing_is_shared_with_nothing():
    x = np.ones((3, 8, 1))
    assert shared(x, x[:0]).tolist() == [False] * 3
    assert shared(x[:0], x).tolist() == []


def test_repeats_of_the_own_group_do_not_count():
    series = [tl.Series(np.random.default_rng(k).standard_normal((60, 2))) for k in range(3)]
    windows = tl.cut(series, 12, 4)
    assert not repeated(windows, windows.series).any()
    assert repeated(windows).all()
    both = np.concatenate([windows.x, windows.x[:1]])
    found = repeated(both, np.append(windows.series, 9))
    assert found[0] and found[-1] and 2 <= found.sum() < 8


@pytest.mark.parametrize(
    ("windows", "others", "words"),
    [
        (np.ones((3, 8)), np.ones((3, 8, 1)), "x[:, :, None]"),
        (np.ones((3, 8, 1)), np.ones((3, 8, 2)), "the same channels; got 1 and 2"),
        (np.ones((3, 8, 1)), np.ones((3, 3, 1)), "at least 4 time points"),
    ],
)
def test_sides_that_do_not_fit_are_refused(windows, others, words):
    with pytest.raises(ValueError) as refused:
        shared(windows, others)
    assert words in str(refused.value)


def test_groups_of_another_number_are_refused():
    with pytest.raises(ValueError, match="one per window"):
        repeated(np.ones((3, 8, 1)), [1, 2])


def test_a_hundred_thousand_windows_take_seconds():
    x = np.random.default_rng(0).standard_normal((100_000, 24, 5))
    x[7, 12:] = x[60_000, :12]
    began = time.process_time()
    found = shared(x[:50_000], x[50_000:])
    assert np.flatnonzero(found).tolist() == [7]
    assert time.process_time() - began < 20
