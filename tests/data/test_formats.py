"""Reading arrays, .ts files and pickles."""

import pickle

import numpy as np
import pytest

from timeloom.data import read, read_windows

TS = """# a comment
@problemName Pumps
@timestamps false
@univariate false
@dimensions 2
@equalLength false
@classLabel true new worn
@data
1.5,2,?:4,5,6:worn
1,2:NaN,4:new
"""


def text(tmp_path, content, name="x.ts"):
    path = tmp_path / name
    path.write_text(content)
    return path


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "x.npz", **arrays)
    return tmp_path / "x.npz"


def pickled(tmp_path, content):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


def test_a_ts_file_holds_series_of_any_length_with_text_labels(tmp_path):
    first, second = read(text(tmp_path, TS))
    np.testing.assert_array_equal(first.values, [[1.5, 4], [2, 5], [np.nan, 6]])
    np.testing.assert_array_equal(second.values, [[1, np.nan], [2, 4]])
    assert first.label.tolist() == ["worn"] * 3 and second.name == "Pumps 1"


def test_a_ts_file_with_whole_number_classes_a_target_or_no_label(tmp_path):
    head = "@univariate true\n@classLabel true 1 -1\n@data\n"
    assert read(text(tmp_path, head + "1,2:1\n3,4:-1\n"))[1].label.tolist() == [-1, -1]
    head = "@targetlabel true\n@data\n"
    assert read(text(tmp_path, head + "1,2:0.25\n3,4:?\n"))[0].label.tolist() == [0.25, 0.25]
    assert read(text(tmp_path, "@classLabel false\n@data\n1,2\n"))[0].label is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("@univariate true\n", "no line @data"),
        ("1,2:1\n", "must begin with lines such as @data"),
        ("@data\n", "no series after @data"),
        ("@data\n(0,1),(1,2):3\n", "not read; write the values alone"),
        ("@timestamps true\n@data\n1,2\n", "not read; write the values alone"),
        ("@data\n1,2:worn\n", "line 2 .* must hold numbers.*@classLabel true"),
        ("@data\n1,2:1\n", "channels of different lengths"),
        ("@data\n1,2:1,2\n1,2\n", "line 3 .* has 1 channels, the first line 2"),
        ("@classLabel true a\n@data\na\n", "a label and no values"),
        ("@targetlabel true\n@data\n1,2:a\n", "must be numbers"),
        ("@data\n1,inf\n", "got inf at time point 1 of series 0"),
        ("@data\n1,2:?,?\n", "channel 'c1' .* holds no measured value"),
    ],
)
def test_a_bad_ts_file_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(text(tmp_path, content))


def test_an_npz_holds_windows(tmp_path):
    x = np.arange(24.0).reshape(4, 3, 2)
    path = saved(tmp_path, x=x, y=np.array(["a", "b", "a", "b"]), channels=["p", "q"])
    windows = read_windows(path)
    np.testing.assert_array_equal(windows.x, x)
    assert windows.channels == ("p", "q") and windows.y.tolist() == ["a", "b", "a", "b"]
    series = read(path)
    assert len(series) == 4 and series[1].label.tolist() == ["b"] * 3
    np.testing.assert_array_equal(series[3].values, x[3])


def test_a_packed_npz_gives_training_then_test_series_with_their_own_lengths(tmp_path):
    said = []
    path = saved(
        tmp_path,
        X_train=np.arange(12.0).reshape(2, 2, 3),
        y_train=np.array([1, 0]),
        X_test=np.ones((1, 2, 3)),
        y_test=np.array([1]),
        classes=np.array(["new", "worn"]),
        len_train=np.array([3, 2]),
    )
    series = read(path, said=said)
    assert [one.name for one in series] == ["train 0", "train 1", "test 0"]
    np.testing.assert_array_equal(series[1].values, [[6, 9], [7, 10]])
    assert [one.label[0] for one in series] == ["worn", "new", "worn"]
    assert "training and test" in said[0]


def test_an_npy_is_one_series_or_many(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 2)))
    np.save(tmp_path / "b.npy", np.zeros((3, 5, 2)))
    assert read(tmp_path / "a.npy")[0].values.shape == (5, 2)
    assert read_windows(tmp_path / "b.npy").x.shape == (3, 5, 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros(3)}, "must hold an array 'x' .* got z"),
        ({"x": np.zeros((3, 4))}, r"save x\[:, :, None\]"),
        ({"x": np.zeros((3, 4, 1)), "y": np.zeros(2)}, r"y must have shape \(3,\)"),
        ({"x": np.full((3, 4, 1), np.inf)}, "got inf"),
        ({"x": np.full((3, 4, 1), np.nan)}, "holds no measured value"),
        ({"x": np.zeros((0, 4, 1))}, "holds no"),
        ({"x": np.array([{}], dtype=object)}, "allow_pickle=True .--allow-pickle"),
    ],
)
@pytest.mark.parametrize("how", [read, read_windows])
def test_a_bad_npz_is_refused(tmp_path, arrays, message, how):
    with pytest.raises(ValueError, match=message):
        how(saved(tmp_path, **arrays))


@pytest.mark.parametrize("name", ["x.npz", "x.npy"])
def test_a_damaged_array_file_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="must be a"):
        read(text(tmp_path, "not an array", name))


def test_a_cut_off_array_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((50, 2)))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        read(tmp_path / "x.npy")


def test_a_pickle_is_loaded_only_when_asked_for(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"runs whatever code .* \(--allow-pickle\)"):
        read(path)
    np.savez(tmp_path / "x.npz", x=np.array([Trap()], dtype=object))
    np.save(tmp_path / "x.npy", np.array([Trap()], dtype=object))
    for name in ("x.npz", "x.npy"):
        with pytest.raises(ValueError, match="--allow-pickle"):
            read(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("labels", [np.array([3, 8]), [[3], [8]], None])
def test_a_pickled_pair_is_turned_from_channel_time_to_time_channel(tmp_path, labels):
    data = np.arange(12.0).reshape(2, 2, 3)
    series = read(pickled(tmp_path, (data, labels)), allow_pickle=True)
    np.testing.assert_array_equal(series[1].values, data[1].T)
    assert series[1].label is None if labels is None else series[1].label.tolist() == [8] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": 1}, r"a pair \(data, labels\); got dict"),
        ((1, 2, 3), r"got tuple of 3"),
        (([np.zeros((2, 3)), np.zeros((2, 4))], [1, 2]), "different shapes.*long table or a .ts"),
        ((np.zeros((4, 3)), np.zeros(4)), r"got shape \(4, 3\)"),
        ((np.zeros((4, 1, 3)), np.zeros(3)), r"one label per series, \(4,\)"),
    ],
)
def test_a_bad_pickle_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(pickled(tmp_path, content), allow_pickle=True)


def test_a_damaged_pickle_is_refused(tmp_path):
    path = pickled(tmp_path, (np.zeros((4, 1, 3)), None))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="must be a whole pickle"):
        read(path, allow_pickle=True)


def test_columns_cannot_be_named_where_there_are_none(tmp_path):
    with pytest.raises(ValueError, match="is no table.*leave out series, label"):
        read(saved(tmp_path, x=np.zeros((2, 3, 1))), series="unit", label="y")
