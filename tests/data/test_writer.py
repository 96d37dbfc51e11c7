"""Writing windows, and reading them back."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from timeloom.data import Series, Windows, cut, read, read_windows, write

KINDS = ["parquet", "csv", "npz"]
TABLES = ["parquet", "csv"]


def some(count=7, seed=0, y="number", dtype=np.float64, label_name="rul"):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 5, 2)).astype(dtype)
    x[rng.random(x.shape) < 0.1] = np.nan
    labels = {
        "number": rng.normal(size=count),
        "whole": rng.integers(0, 3, count),
        "text": rng.choice(["new", "worn"], count),
        None: None,
    }[y]
    return Windows(x, labels, channels=("pressure", "y"), label_name=label_name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("y", ["number", "whole", "text", None])
@pytest.mark.parametrize("label_name", ["rul", "how worn it is"])
def test_what_was_written_is_read_back(tmp_path, kind, y, label_name):
    windows, path = some(y=y, label_name=label_name), tmp_path / f"out.{kind}"
    assert write(path, windows) == 7
    back = read_windows(path)
    np.testing.assert_array_equal(back.x, windows.x)
    assert back.channels == windows.channels
    if y is None:
        assert back.y is None
    else:
        np.testing.assert_array_equal(back.y, windows.y)
        assert back.label_name == label_name and back.y.dtype.kind == windows.y.dtype.kind


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_survives(tmp_path, kind):
    windows = some(dtype=np.float32)
    write(tmp_path / f"out.{kind}", windows)
    back = read_windows(tmp_path / f"out.{kind}")
    np.testing.assert_array_equal(back.x.astype(np.float32), windows.x)
    assert back.x.dtype == (np.float64 if kind == "csv" else np.float32)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_has_window_step_channels_and_label_and_can_be_read_as_series(tmp_path, kind):
    windows, path = some(), tmp_path / f"out.{kind}"
    write(path, windows)
    table = pd.read_parquet(path) if kind == "parquet" else pd.read_csv(path)
    assert table.columns.tolist() == ["window", "step", "pressure", "y", "rul"]
    assert table["window"].tolist() == np.repeat(range(7), 5).tolist()
    assert table["step"].tolist() == list(range(5)) * 7
    series = read(path)
    assert [one.name for one in series] == list("0123456")
    np.testing.assert_array_equal(series[2].values, windows.x[2])
    np.testing.assert_array_equal(series[2].label, [windows.y[2]] * 5)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_written_in_parts_equal_windows_written_at_once(tmp_path, kind):
    windows = some()
    parts = (windows[at] for at in (slice(0, 3), slice(3, 3), slice(3, 4), slice(4, 7)))
    whole, streamed = tmp_path / f"whole.{kind}", tmp_path / f"streamed.{kind}"
    assert write(whole, windows) == write(streamed, parts) == 7
    first, second = read_windows(whole), read_windows(streamed)
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.y, second.y)
    if kind == "csv":
        assert whole.read_bytes() == streamed.read_bytes()
    if kind == "parquet":
        assert pq.ParquetFile(streamed).num_row_groups == 3


@pytest.mark.parametrize("kind", TABLES)
def test_parts_are_written_as_they_come(tmp_path, kind):
    sizes = []

    def parts():
        for seed in range(3):
            yield some(20000, seed)
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))

    write(tmp_path / f"out.{kind}", parts())
    assert 0 < sizes[0] < sizes[1] < sizes[2]


def test_an_npz_remembers_where_windows_were_cut(tmp_path):
    windows = cut([Series(np.arange(9.0)[:, None]), Series(np.arange(6.0)[:, None])], 4, 2)
    write(tmp_path / "out.npz", windows)
    back = read_windows(tmp_path / "out.npz")
    np.testing.assert_array_equal(back.series, windows.series)
    np.testing.assert_array_equal(back.start, windows.start)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_kept_as_objects_are_no_pickle(tmp_path, kind):
    windows = Windows(np.zeros((2, 3, 1)), np.array(["a", "b"], dtype=object), label_name="class")
    write(tmp_path / f"out.{kind}", windows)
    assert read_windows(tmp_path / f"out.{kind}").y.tolist() == ["a", "b"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_between_parts_leaves_nothing_behind(tmp_path, kind):
    def parts():
        yield some()
        raise RuntimeError("the generator broke")

    with pytest.raises(RuntimeError):
        write(tmp_path / f"out.{kind}", parts())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_takes_no_more_leaves_the_old_file_and_nothing_else(tmp_path, kind):
    resource = pytest.importorskip("resource")
    path = tmp_path / f"out.{kind}"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system then refuses to let any file grow beyond 10 kB, as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError):
            write(path, some(20000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "windows", "message"),
    [
        ("out.xlsx", some(), "written as .parquet, .csv, .npz; got 'out.xlsx'"),
        ("out.csv", [], "no window to write"),
        ("out.csv", some()[:0], "no window to write"),
        ("out.csv", Windows(np.zeros((1, 2, 2)), channels=("window", "a")), "different names"),
        ("out.csv", some(label_name="pressure"), r"two of \['pressure'\]"),
        ("out.csv", [some(), some(y=None)], "must share time points, channels and label"),
        ("out.parquet", [some(), some(y="text")], "must share time points, channels and label"),
    ],
)
def test_what_cannot_be_one_file_is_refused_and_leaves_nothing(tmp_path, name, windows, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / name, windows)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write(tmp_path / "nowhere" / "out.csv", some())
