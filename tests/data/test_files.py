"""Reading tables: what is guessed, what is kept, and what is refused."""

import gzip
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from timeloom.data import cut, read, read_windows


def engines(lengths=(5, 3)):
    table = pd.DataFrame(
        {
            "unit": np.repeat([7, 4], lengths),
            "cycle": np.concatenate([np.arange(1, n + 1) for n in lengths]),
            "pressure": np.linspace(0, 1, sum(lengths)),
            "speed": np.arange(sum(lengths)),
            "RUL": np.concatenate([np.arange(n)[::-1] for n in lengths]),
        }
    )
    return table


def save(table, path):
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


def text(tmp_path, content, name="x.csv"):
    path = tmp_path / name
    path.write_text(content)
    return path


@pytest.mark.parametrize("name", ["engines.csv", "engines.parquet"])
def test_a_long_table_is_one_series_per_name_in_order_of_appearance(tmp_path, name):
    said = []
    first, second = read(save(engines(), tmp_path / name), said=said)
    assert (first.name, second.name) == ("7", "4")
    assert first.channels == ("pressure", "speed") and first.label_name == "RUL"
    assert first.values.dtype == np.float64
    np.testing.assert_array_equal(first.values[:, 1], [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(second.label, [2, 1, 0])
    np.testing.assert_array_equal(second.time, [1, 2, 3])
    assert said == ["guessed: series column 'unit', time column 'cycle', label 'RUL', 2 channels"]


def test_rows_of_several_series_may_be_mixed(tmp_path):
    table = engines().sort_values("cycle", kind="stable")
    for mixed, plain in zip(
        read(save(table, tmp_path / "a.csv")),
        read(save(engines(), tmp_path / "b.csv")),
        strict=True,
    ):
        np.testing.assert_array_equal(mixed.values, plain.values)


def test_what_is_told_is_not_guessed(tmp_path):
    path, said = save(engines(), tmp_path / "engines.csv"), []
    (one,) = read(path, time="speed", channels=["pressure"], label="cycle", series="unit")[:1]
    assert one.channels == ("pressure",) and one.label_name == "cycle"
    read(path, series="unit", time="cycle", channels=["speed"], label="RUL", said=said)
    assert said == []


def test_without_a_plain_series_column_the_file_is_one_series(tmp_path):
    (one,) = read(text(tmp_path, "pressure,speed\n1,2\n3,4\n", "pump.csv"))
    assert one.name == "pump" and one.values.tolist() == [[1, 2], [3, 4]]
    assert one.label is None and one.time is None


def test_empty_cells_and_question_marks_were_not_measured(tmp_path):
    (one,) = read(text(tmp_path, "a,b\n1,?\n,4\nNaN,5\n"))
    np.testing.assert_array_equal(one.values, [[1, np.nan], [np.nan, 4], [np.nan, 5]])


def test_dates_are_recognised_under_any_name_and_kept_as_dates(tmp_path):
    said = []
    path = text(tmp_path, "taken,a\n2024-03-01 10:00,1\n2024-03-01 11:00,2\n")
    (one,) = read(path, said=said)
    assert one.time.dtype.kind == "M" and "time column 'taken'" in said[0]
    assert one.time[1] - one.time[0] == np.timedelta64(1, "h")


def test_dates_with_a_zone_become_universal_time(tmp_path):
    (one,) = read(text(tmp_path, "date,a\n2024-03-01T10:00+02:00,1\n2024-03-01T11:00+02:00,2\n"))
    assert one.time[0] == np.datetime64("2024-03-01T08:00")


def test_labels_of_text_stay_text_and_missing_numbers_stay_missing(tmp_path):
    (one,) = read(text(tmp_path, "a,class\n1,worn\n2,new\n3,\n"))
    assert one.label.tolist() == ["worn", "new", ""]
    (one,) = read(text(tmp_path, "a,rul\n1,2\n2,\n"))
    np.testing.assert_array_equal(one.label, [2, np.nan])


def test_the_axes_of_a_sensor_are_channels_and_so_is_a_temperature(tmp_path):
    (one,) = read(text(tmp_path, "x,y,z,T\n1,2,3,20.5\n1,2,3,20.1\n"))
    assert one.channels == ("x", "y", "z", "T") and one.label is None and one.time is None


def test_a_time_called_t_is_a_time_and_units_in_brackets_do_not_matter(tmp_path):
    (one,) = read(text(tmp_path, "t (s),a\n0,2\n0.5,3\n"))
    assert one.channels == ("a",) and one.time.tolist() == [0, 0.5]


def test_a_column_that_numbers_the_rows_is_left_out_and_this_is_said(tmp_path):
    said = []
    table = pd.DataFrame({"a": [1.5, 2.5, 2.5], "b": [0, 1, 0]})
    table.to_csv(tmp_path / "x.csv")
    (one,) = read(tmp_path / "x.csv", said=said)
    assert one.channels == ("a", "b") and "numbers the rows" in said[1]


def test_single_precision_is_kept_where_all_channels_have_it(tmp_path):
    table = pd.DataFrame({"a": np.float32([1, 2]), "b": np.float32([3, 4])})
    assert read(save(table, tmp_path / "x.parquet"))[0].values.dtype == np.float32


def test_a_parquet_index_is_a_column(tmp_path):
    dates = pd.date_range("2024-01-01", periods=4, freq="h", name="date")
    pd.DataFrame({"a": [1.0, 2, 3, 4]}, index=dates).to_parquet(tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet")[0].time.dtype.kind == "M"


def test_integers_with_gaps_and_categories_are_read(tmp_path):
    table = pd.DataFrame(
        {"ticker": pd.Categorical(["b", "b", "a"]), "volume": pd.array([1, None, 3], "Int64")}
    )
    first, second = read(save(table, tmp_path / "x.parquet"))
    assert (first.name, second.name) == ("b", "a")
    np.testing.assert_array_equal(first.values[:, 0], [1, np.nan])


@pytest.mark.parametrize(
    "content",
    ["a;b\n1,5;2\n2,5;4\n", "a\tb\n1.5\t2\n2.5\t4\n", "  a   b\n 1.5   2  \n 2.5 4\n"],
)
def test_separators_and_decimal_commas_are_seen(tmp_path, content):
    (one,) = read(text(tmp_path, content, "x.txt"))
    assert one.values.tolist() == [[1.5, 2], [2.5, 4]] and one.channels == ("a", "b")


def test_packed_text_is_read(tmp_path):
    with gzip.open(tmp_path / "pump.csv.gz", "wt") as file:
        file.write("a\n1\n2\n")
    (one,) = read(tmp_path / "pump.csv.gz")
    assert one.name == "pump" and one.values.tolist() == [[1], [2]]


def test_numbers_without_header_are_channels(tmp_path):
    (one,) = read(text(tmp_path, "0.5 1 2\n0.6 3 4\n0.9 5 6\n", "m.txt"))
    assert one.channels == ("c0", "c1", "c2") and one.values.shape == (3, 3)


def test_numbers_without_header_that_count_cycles_per_unit_are_a_long_table(tmp_path):
    said = []
    first, second = read(text(tmp_path, "1 1 5\n1 2 6\n2 1 7\n2 2 8\n", "m.txt"), said=said)
    assert first.values.tolist() == [[5], [6]] and second.time.tolist() == [1, 2]
    assert said[1] == "guessed: c0 tells the series apart and c1 counts the time"


def wide(separator, missing=True):
    rng = np.random.default_rng(0)
    labels, values = [1, 2, 1, -1, 2, -1], rng.normal(size=(6, 10)).round(3)
    rows = [[str(label), *map(str, row)] for label, row in zip(labels, values, strict=True)]
    if missing:
        rows[1][-3:] = ["NaN"] * 3
        rows[2][4] = "NaN"
    return values, "\n".join(separator.join(row) for row in rows) + "\n"


@pytest.mark.parametrize(("name", "mark"), [("W.tsv", "\t"), ("W.csv", ","), ("W.txt", "   ")])
def test_a_wide_table_is_one_series_per_row_with_its_label_first(tmp_path, name, mark):
    values, content = wide(mark)
    said = []
    series = read(text(tmp_path, content, name), said=said)
    assert [len(one) for one in series] == [10, 7, 10, 10, 10, 10]
    np.testing.assert_array_equal(series[1].values[:, 0], values[1, :7])
    assert np.isnan(series[2].values[3, 0])
    assert series[3].label.tolist() == [-1] * 10 and "one row per series" in said[0]


def test_a_wide_table_with_labels_of_text_or_floating_point(tmp_path):
    _, content = wide(",")
    worn = content.replace("\n2,", "\nworn,").replace("\n1,", "\nnew,").replace("\n-1,", "\nold,")
    assert read(text(tmp_path, "new" + worn[1:]))[1].label[0] == "worn"
    floating = content.replace("\n2,", "\n2.0e+00,")
    assert read(text(tmp_path, floating))[1].label.dtype == np.int64


def test_columns_told_make_a_table_without_header_long(tmp_path):
    _, content = wide(",", missing=False)
    (one,) = read(text(tmp_path, content), channels=["c1", "c2"])
    assert one.values.shape == (6, 2)


def test_series_of_one_length_are_windows_with_the_last_label(tmp_path):
    windows = read_windows(save(engines((4, 4)), tmp_path / "x.csv"))
    assert windows.x.shape == (2, 4, 2) and windows.y.tolist() == [0, 0]
    assert windows.label_name == "RUL" and windows.channels == ("pressure", "speed")
    np.testing.assert_array_equal(windows.x, cut(read(tmp_path / "x.csv"), 4).x)


def test_series_of_different_lengths_are_no_windows(tmp_path):
    with pytest.raises(ValueError, match="got 3 to 5 time points.*--window"):
        read_windows(save(engines(), tmp_path / "x.csv"))


def test_a_missing_file_is_named_with_its_neighbour(tmp_path):
    save(engines(), tmp_path / "engines.csv")
    with pytest.raises(ValueError, match=r"no file .*engine\.csv; did you mean 'engines\.csv'\?"):
        read(tmp_path / "engine.csv")
    with pytest.raises(ValueError, match="its folder does not exist"):
        read(tmp_path / "nowhere" / "engine.csv")


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder; expected a file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"is empty \(0 bytes\)"),
        ("\n \n", "is empty; expected a table"),
        ("a,b\n", "has a header and no rows"),
        ("a,b\n1,2\n3,4,5\n", "same number of cells"),
        ("a,a\n1,2\n", "two columns named 'a'"),
        ("a,b\n1,2\n3,broken\n", r"channel 'b' .* must hold numbers; got 'broken' in row 2"),
        ("a,b\n1,2\n3,inf\n", "channel 'b' .* got inf in row 2"),
        ("a,b\n1,\n3,\n", "channel 'b' .* holds no measured value"),
        ("cycle,a\n1,5\n3,5\n2,5\n", "has 2 after 3 in row 3. Sort the table by 'cycle'"),
        ("unit,cycle,a\nx,1,5\ny,1,5\nx,1,6\n", "series 'x' has 1 in rows 1 and 3"),
        ("date,a\n2024-01-02,5\n2024-01-01,5\n", "Sort the table by 'date'"),
        ("date,a\n2024-01-02,5\nsoon,5\n", "numbers or dates such as .* got 'soon' in row 2"),
        ("cycle,a\n1,5\n,5\n", "time column 'cycle' .* is empty in row 2"),
        ("unit,a\nx,5\n,5\n", "series column 'unit' .* is empty in row 2"),
        ("unit,cycle\nx,5\nx,6\n", "no column left for a channel"),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as raised:
        read(text(tmp_path, content))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wide("\t")[1].replace("\n2\t", "\n2\tbroken", 1), "value 1' .* got 'broken"),
        (wide("\t")[1] + "\t".join(["1", *["NaN"] * 10]) + "\n", "row 7 .* holds no measured"),
        (wide("\t")[1] + "\t".join(["1", *["inf"] * 10]) + "\n", "got inf in row 7"),
    ],
)
def test_a_bad_wide_table_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(text(tmp_path, content, "x.tsv"))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"series": "unti"}, "no column 'unti'; .* did you mean 'unit'"),
        ({"channels": ["pressure", "Sped"]}, "did you mean 'speed'"),
        ({"label": "zzz"}, "its columns are unit, cycle, pressure, speed, RUL; name one"),
        ({"series": "unit", "time": "unit"}, "'unit' is given two parts"),
    ],
)
def test_an_unknown_column_is_refused_with_the_nearest(tmp_path, told, message):
    with pytest.raises(ValueError, match=message):
        read(save(engines(), tmp_path / "x.csv"), **told)


def test_an_unknown_kind_of_file_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"unknown kind '.xlsx'; expected one of .csv"):
        read(text(tmp_path, "x", "x.xlsx"))


def test_a_damaged_parquet_file_and_one_without_rows_are_refused(tmp_path):
    path = save(engines(), tmp_path / "x.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="whole Parquet file; got a damaged one"):
        read(path)
    with pytest.raises(ValueError, match="no rows"):
        read(save(engines()[:0], tmp_path / "y.parquet"))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"a,b\n\xff\xfe\x00,1\n")
    with pytest.raises(ValueError, match="must be UTF-8 text"):
        read(tmp_path / "x.csv")


def test_importing_the_folder_imports_nothing_heavy():
    heavy = ["torch", "pandas", "pyarrow", "scipy", "sklearn"]
    code = f"import sys, timeloom.data; print([n for n in {heavy} if n in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
