import numpy as np
import pytest

from timeloom.data.resample import resample
from timeloom.data.windows import Windows


def naive(x, length):
    """Every row by itself, by another's linear interpolation."""
    at = np.linspace(0, x.shape[1] - 1, length)
    rows = [
        [np.interp(at, np.arange(x.shape[1]), x[w, :, c]) for c in range(x.shape[2])]
        for w in range(len(x))
    ]
    return np.array(rows).transpose(0, 2, 1)


@pytest.mark.parametrize(("time", "length"), [(152, 24), (24, 152), (7, 5), (5, 9), (2, 3), (9, 2)])
def test_a_window_is_drawn_anew_as_linear_interpolation_does(rng, time, length):
    x = rng.normal(size=(4, time, 3))
    np.testing.assert_allclose(resample(Windows(x), length).x, naive(x, length), atol=1e-12)


def test_both_ends_are_kept_to_the_last_bit(rng):
    x = rng.normal(size=(3, 152, 2)).astype(np.float32)
    found = resample(Windows(x), 24).x
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, [0, -1]], x[:, [0, -1]])


def test_as_many_points_are_the_same_points_and_the_source_stays(rng):
    x = rng.normal(size=(3, 11, 2))
    windows = Windows(x.copy())
    np.testing.assert_array_equal(resample(windows, 11).x, x)
    resample(windows, 5).x[:] = 0
    np.testing.assert_array_equal(windows.x, x)


def test_what_is_missing_stays_missing_and_reaches_no_further():
    x = np.arange(9.0).reshape(1, 9, 1)
    x[0, 3] = np.nan
    # Five points of nine are old ones: the missing one is none of them and none leans on it.
    assert resample(Windows(x), 5).x[0, :, 0].tolist() == [0, 2, 4, 6, 8]
    # Half steps: 2.5 and 3.5 lean on it, 2 and 4 do not.
    found = resample(Windows(x), 17).x[0, :, 0]
    assert np.flatnonzero(np.isnan(found)).tolist() == [5, 6, 7]
    np.testing.assert_array_equal(
        np.delete(found, [5, 6, 7]), np.delete(np.arange(17) / 2, [5, 6, 7])
    )


def test_labels_recordings_starts_and_names_are_kept(rng):
    windows = Windows(
        rng.normal(size=(3, 8, 2)), [4, 5, 6], [0, 0, 7], [3, 9, 1], ("a", "b"), "rul"
    )
    found = resample(windows, 4)
    assert found.shape == (4, 2) and found.channels == ("a", "b") and found.label_name == "rul"
    for name in ("y", "series", "start"):
        np.testing.assert_array_equal(getattr(found, name), getattr(windows, name))
    assert resample(windows[:0], 4).x.shape == (0, 4, 2)


def test_a_single_point_has_no_two_ends():
    with pytest.raises(ValueError, match="length must be at least 2.*got 1"):
        resample(Windows(np.zeros((1, 5, 1))), 1)
    with pytest.raises(ValueError, match="at least 2 time points to be resampled; got 1"):
        resample(Windows(np.zeros((1, 1, 1))), 4)


def test_wafer_is_24_points_of_152(data_folder):
    if not (data_folder / "ucr_wafer").is_dir():
        pytest.skip("ucr_wafer is not in $TIMELOOM_DATA")
    from timeloom.data.sets import load_dataset
    from timeloom.data.windows import cut

    series = load_dataset("wafer")[0][:50]
    windows = cut(series, len(series[0]))
    found = resample(windows, 24)
    np.testing.assert_allclose(found.x, naive(windows.x, 24), atol=1e-6)
