import numpy as np
import pytest

from timeloom.data.marks import marks, share_marked


def recording(length=3_000, channels=2, seed=0):
    return np.random.default_rng(seed).normal(size=(length, channels)).cumsum(axis=0)


def cut(x, length, stride):
    return np.stack([x[i : i + length] for i in range(0, len(x) - length + 1, stride)])


def test_windows_cut_otherwise_from_the_same_recording_are_known_again():
    x = recording()
    known = marks(cut(x, 24, 1))
    assert share_marked(cut(x, 36, 7), known) == 1
    assert share_marked(cut(x[1_000:1_200], 24, 24), known) == 1
    assert share_marked(cut(x, 24, 1).astype(np.float32), known) == 1


def test_windows_of_another_recording_are_not():
    known = marks(cut(recording(), 24, 1))
    assert share_marked(cut(recording(seed=1), 24, 1), known) == 0
    assert share_marked(cut(recording(channels=3), 24, 1), known) == 0
    assert share_marked(cut(recording()[:, ::-1], 24, 1), known) == 0


def test_half_and_half_is_a_half():
    one, two = (cut(recording(seed=s), 24, 24) for s in (0, 1))
    share = share_marked(np.concatenate([one, two]), marks(one))
    assert 0.35 < share < 0.65


def test_a_long_recording_is_known_again_from_what_was_kept():
    x = recording(60_000)
    known = marks(cut(x, 24, 20))
    assert len(known) == 4_000
    assert share_marked(cut(x[50_000:53_000], 24, 1), known) == 1
    assert share_marked(cut(recording(5_000, seed=1), 24, 20), known) == 0


def test_still_stretches_and_gaps_mark_nothing():
    assert len(marks(np.zeros((50, 24, 2)))) == 0
    x = cut(recording(), 24, 24)
    x[:, ::3] = np.nan
    assert len(marks(x)) == 0
    assert share_marked(np.zeros((50, 24, 2)), marks(cut(recording(), 24, 1))) == 0


def test_zero_has_one_sign():
    x = np.zeros((400, 4, 1))
    x[:, 0, 0] = np.arange(400)
    np.testing.assert_array_equal(marks(x), marks(np.where(x == 0, -0.0, x)))
    assert len(marks(x)) > 20


@pytest.mark.parametrize("shape", [(5, 3, 2), (0, 24, 2), (5, 24, 0)])
def test_too_little_has_no_marks(shape):
    assert len(marks(np.ones(shape))) == 0
    assert share_marked(np.ones(shape), np.arange(5, dtype=np.uint64)) == 0


def test_marks_are_the_same_in_any_order_of_windows():
    x = cut(recording(), 24, 5)
    found = marks(x)
    assert (np.diff(found) > 0).all()
    np.testing.assert_array_equal(marks(x[::-1]), found)
