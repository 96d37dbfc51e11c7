import warnings

import numpy as np
import pytest

from timeloom import Series, Windows, cut
from timeloom.methods.normal import (
    as_recordings,
    check_channels,
    parted,
    training_windows,
    without_anomalies,
)


def series(count=100, channels=2, seed=0, **how):
    return Series(np.random.default_rng(seed).standard_normal((count, channels)), **how)


def test_recordings_of_every_form_are_understood():
    one = series()
    assert as_recordings(one) == ([one], True)
    assert as_recordings([one, one]) == ([one, one], False)
    (plain,), single = as_recordings(one.values)
    assert single and np.array_equal(plain.values, one.values)
    (line,), single = as_recordings(one.values[:, 0])
    assert line.values.shape == (100, 1)


@pytest.mark.parametrize("stride", [1, 7])
def test_windows_are_put_back_where_they_were_cut(stride):
    many = [series(seed=0), series(60, seed=1)]
    back, single = as_recordings(cut(many, 16, stride))
    assert not single
    for one, other in zip(back, many, strict=True):
        np.testing.assert_allclose(one.values, other.values)


@pytest.mark.parametrize(
    "data, said",
    [
        (np.zeros((2, 3, 4)), "Give windows as timeloom.Windows"),
        (np.zeros((0, 2)), "must have time points and channels"),
        (np.zeros((5, 0)), "must have time points and channels"),
    ],
)
def test_what_is_no_recording_is_said(data, said):
    with pytest.raises(ValueError, match=said):
        as_recordings(data)


def test_labelled_anomalies_are_left_out_and_said():
    one = series(label=np.repeat([0, 1, 0], [50, 10, 40]))
    with pytest.warns(UserWarning, match="hold 10 time points that are labelled as anomalies"):
        (clean,) = without_anomalies([one])
    assert np.isnan(clean.values[50:60]).all() and not np.isnan(clean.values[:50]).any()
    with pytest.raises(ValueError, match="every time point is labelled abnormal"):
        without_anomalies([series(label=np.ones(100))])


@pytest.mark.parametrize("label", [np.zeros(100), np.array("ball"), np.arange(100.0), None])
def test_other_labels_say_nothing(label):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (same,) = without_anomalies([series(label=label)])
    assert not np.isnan(same.values).any()


def test_windows_that_are_labelled_abnormal_are_left_out():
    x = np.random.default_rng(0).standard_normal((6, 8, 2))
    windows = Windows(x, np.array([0, 0, 1, 0, 0, 0]))
    with pytest.warns(UserWarning, match="hold 1 windows that are labelled"):
        found, _ = as_recordings(windows)
    assert len(found) == 5
    with pytest.raises(ValueError, match="every window is labelled abnormal"):
        as_recordings(Windows(x, np.ones(6)))


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match="trained on 2 channels .a, b.; got 3 .c0, c1, c2."):
        check_channels([series(channels=3)], ("a", "b"))
    with pytest.raises(ValueError, match="got 'b' instead of 'a' and more"):
        check_channels([Series(np.zeros((3, 2)), channels=("b", "a"))], ("a", "b"))
    check_channels([series()], ("a", "b"))  # unnamed ones are taken in their order


def test_no_time_point_trains_and_calibrates():
    one = series(400)
    (train,), (calibrate,) = parted([one], 0.2, 16, 0)
    assert len(calibrate) == 80 and len(train) == 400 - 80 - 16
    np.testing.assert_array_equal(train.values, one.values[:304])
    np.testing.assert_array_equal(calibrate.values, one.values[320:])


def test_of_many_recordings_whole_ones_calibrate():
    many = [series(seed=i, name=str(i)) for i in range(10)]
    train, calibrate = parted(many, 0.2, 16, 0)
    assert len(train) == 8 and len(calibrate) == 2
    assert {s.name for s in train}.isdisjoint(s.name for s in calibrate)
    assert [s.name for s in parted(many, 0.2, 16, 1)[1]] != [s.name for s in calibrate]


def test_what_is_too_short_to_part_trains():
    assert parted([series(30)], 0.2, 16, 0)[1] == []
    assert parted([series(400)], 0.0, 16, 0)[1] == []
    with pytest.raises(ValueError, match="held_out must be a share"):
        parted([series()], 1.0, 16, 0)


def test_training_windows_are_spread_evenly_and_hold_something():
    one = series(1_000)
    assert 90 <= len(training_windows([one], 10, 100)) <= 120
    gone = one.values.copy()
    gone[200:300] = np.nan
    windows = training_windows([Series(gone)], 10, 10_000)
    assert len(windows) == 991 - 91 and not np.isnan(windows.x).all(axis=(1, 2)).any()
    with pytest.raises(ValueError, match="every value of the training data is NaN"):
        training_windows([Series(np.full((50, 1), np.nan))], 10, 100)
    with pytest.raises(ValueError, match=r"windows of 200 .* got 100 at most"):
        training_windows([series()], 200, 100)
