"""``timeloom sample`` and ``timeloom impute``: tables of windows, and holes filled."""

import numpy as np
import pandas as pd
import pytest

import timeloom


@pytest.fixture
def sample(command, fitted, tmp_path):
    """Samples to a Parquet file and reads it as a table."""

    def run(*more, run=fitted, out="out.parquet"):
        outcome = command("sample", run, "-o", tmp_path / out, *more)
        assert outcome.status == 0, outcome.err
        return (
            pd.read_csv(tmp_path / out) if out.endswith(".csv") else pd.read_parquet(tmp_path / out)
        )

    return run


def test_a_table_has_one_row_per_time_point(sample):
    table = sample("-n", 5)
    assert list(table.columns) == ["window", "step", "heat", "press", "speed", "rul"]
    assert table["window"].tolist() == np.repeat(np.arange(5), 8).tolist()
    assert table["step"].tolist() == list(range(8)) * 5


def test_csv_and_parquet_hold_the_same(sample):
    pd.testing.assert_frame_equal(
        sample("-n", 3), sample("-n", 3, out="out.csv"), check_dtype=False, rtol=1e-5
    )


def test_npz_holds_x_and_y(command, fitted, tmp_path):
    assert command("sample", fitted, "-n", 4, "-o", tmp_path / "out.npz").status == 0
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["x"].shape == (4, 8, 3) and arrays["y"].shape == (4,)


def test_the_seed_decides(sample):
    assert sample("-n", 3, "--seed", 1).equals(sample("-n", 3, "--seed", 1))
    assert not sample("-n", 3, "--seed", 1).equals(sample("-n", 3, "--seed", 2))


def test_y_is_the_label_of_every_window(sample):
    assert set(sample("-n", 3, "--y", 4)["rul"]) == {4.0}


def test_per_class_draws_as_many_of_each_class(sample, fitted_on_classes):
    table = sample("--per-class", 3, run=fitted_on_classes)
    counts = table.groupby("state")["window"].nunique()
    assert counts.to_dict() == {"good": 3, "worn": 3}


def test_a_class_is_asked_for_by_name(sample, fitted_on_classes):
    assert set(sample("-n", 3, "--y", "worn", run=fitted_on_classes)["state"]) == {"worn"}


def test_like_takes_the_labels_of_data(sample, file):
    table = sample("--like", file)
    wanted = timeloom.cut(timeloom.read(file), 8)
    assert table.groupby("window")["rul"].first().tolist() == wanted.y.tolist()


def test_like_with_a_count_draws_from_the_labels_of_data(sample, file):
    table = sample("--like", file, "-n", 7)
    assert table["window"].nunique() == 7


@pytest.mark.parametrize(
    "more", [["--steps", 3], ["--step", "heun"], ["--guidance", 2.0]], ids=lambda more: more[0]
)
def test_every_option_of_the_sampler_changes_the_result(sample, more):
    assert not sample("-n", 3, "--y", 4).equals(sample("-n", 3, "--y", 4, *more))


def test_a_folder_that_is_absent_is_made(command, fitted, tmp_path):
    out = tmp_path / "a" / "b" / "out.csv"
    assert command("sample", fitted, "-n", 2, "-o", out).status == 0
    assert out.exists()


def test_holes_are_filled_and_measured_values_stay(command, fitted, table, tmp_path):
    holed = table.copy()
    holed.loc[10:14, "heat"] = np.nan
    holed.loc[40:42, "press"] = np.nan
    holed.to_csv(tmp_path / "holes.csv", index=False)
    outcome = command("impute", fitted, tmp_path / "holes.csv", "-o", tmp_path / "out.csv")
    assert outcome.status == 0, outcome.err
    assert "8 missing values are filled" in outcome.out
    filled = pd.read_csv(tmp_path / "out.csv", float_precision="round_trip")
    assert list(filled.columns) == ["unit", "cycle", "heat", "press", "speed", "rul"]
    channels = ["heat", "press", "speed"]
    assert filled[channels].notna().all().all()
    measured = holed[channels].notna()
    np.testing.assert_array_equal(filled[channels][measured], holed[channels][measured])
    assert filled["cycle"].tolist() == table["cycle"].tolist()


def test_windows_come_back_as_windows(command, fitted, tmp_path):
    windows = timeloom.load(fitted).sample(5, seed=0)
    windows.x[0, :3, 1] = np.nan
    timeloom.write(tmp_path / "windows.parquet", windows)
    outcome = command("impute", fitted, tmp_path / "windows.parquet", "-o", tmp_path / "out.npz")
    assert outcome.status == 0, outcome.err
    filled = timeloom.read_windows(tmp_path / "out.npz")
    assert np.isfinite(filled.x).all()
    np.testing.assert_array_equal(filled.x[1:], windows.x[1:])
