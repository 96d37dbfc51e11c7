"""What users get wrong: each is refused with exit status 2 and one sentence of advice."""

import json
import shutil

import numpy as np
import pytest
from recordings import SMALL, engines


@pytest.fixture
def fit(tmp_path, refused):
    """Fits on a table, which must be refused; gives the sentence."""

    def run(table, *more, window=8):
        path = tmp_path / "given.csv"
        table.to_csv(path, index=False)
        budget = ["--window", window, "--steps", 4, *SMALL]
        sentence = refused("fit", "diffmts", path, "-o", tmp_path / "run", *budget, *more)
        assert not (tmp_path / "run" / "weights.safetensors").exists()
        return sentence

    return run


def test_a_missing_file_is_refused_and_the_nearest_offered(refused, file, tmp_path):
    sentence = refused("fit", "diffmts", tmp_path / "engine.csv", "-o", tmp_path / "run")
    assert "neither a file nor" in sentence and "engines.csv" in sentence


def test_an_empty_file_is_refused(refused, tmp_path):
    (tmp_path / "a.csv").touch()
    assert "empty" in refused("fit", "diffmts", tmp_path / "a.csv", "-o", tmp_path / "run")


def test_a_file_with_a_header_only_is_refused(fit, table):
    assert "row" in fit(table.head(0))


def test_a_text_column_among_the_channels_is_refused(fit, table):
    table["heat"] = table["heat"].round(1).astype(str).replace("0.1", "warm")
    assert "heat" in fit(table)


@pytest.mark.parametrize("option", ["--series", "--time", "--label", "--channels"])
def test_an_unknown_column_is_refused_and_the_nearest_offered(fit, table, option):
    assert "'speed'" in fit(table, option, "sped")


def test_unsorted_times_are_refused(fit, table):
    table.loc[[3, 4], "cycle"] = table.loc[[4, 3], "cycle"].to_numpy()
    assert "cycle" in fit(table)


def test_duplicate_times_are_refused(fit, table):
    table.loc[4, "cycle"] = table.loc[3, "cycle"]
    assert "once" in fit(table)


def test_a_series_shorter_than_the_window_is_refused(fit, table):
    assert "fewer than length 31" in fit(table, window=31)


def test_a_constant_channel_is_refused(fit, table):
    assert "speed" in fit(table.assign(speed=1.0))


def test_inf_is_refused(fit, table):
    table.loc[5, "press"] = np.inf
    sentence = fit(table)
    assert "inf" in sentence and "press" in sentence


def test_a_channel_that_was_never_measured_is_refused(fit, table):
    assert "press" in fit(table.assign(press=np.nan))


def test_one_window_is_refused(fit):
    assert "window" in fit(engines(count=1, cycles=8))


def test_nan_labels_are_refused(fit, table):
    table.loc[20:40, "rul"] = np.nan
    sentence = fit(table)
    assert "'rul'" in sentence and "14 of 138 windows" in sentence


def test_long_series_without_a_window_are_refused(refused, tmp_path):
    table = engines()
    table.drop(index=[0, 1]).to_csv(tmp_path / "a.csv", index=False)
    sentence = refused("fit", "diffmts", tmp_path / "a.csv", "-o", tmp_path / "run")
    assert "28 to 30 time points" in sentence and "--window 28" in sentence


def test_an_unknown_setting_is_refused_and_the_nearest_offered(fit, table):
    assert "'width'" in fit(table, "--set", "widht=8")


def test_an_unknown_setting_in_a_file_is_refused_and_the_nearest_offered(fit, table, tmp_path):
    (tmp_path / "run.toml").write_text("widht = 8\n")
    assert "'width'" in fit(table, "--config", tmp_path / "run.toml")


def test_a_setting_of_a_wrong_type_in_a_file_is_refused(fit, table, tmp_path):
    (tmp_path / "run.toml").write_text('width = "wide"\n')
    assert "'width'" in fit(table, "--config", tmp_path / "run.toml")


def test_a_file_of_settings_that_is_no_toml_is_refused(fit, table, tmp_path):
    (tmp_path / "run.toml").write_text("width: 8\n")
    assert "TOML" in fit(table, "--config", tmp_path / "run.toml")


def test_a_value_outside_the_trained_range_is_refused(refused, fitted, tmp_path):
    sentence = refused("sample", fitted, "-n", 3, "--y", 500, "-o", tmp_path / "out.csv")
    assert "500" in sentence and "--extrapolate" in sentence
    assert not (tmp_path / "out.csv").exists()


def test_a_value_outside_the_trained_range_is_drawn_with_extrapolate_and_a_warning(
    start, fitted, tmp_path
):
    out = tmp_path / "out.csv"
    process = start("sample", fitted, "-n", 3, "--y", 500, "--extrapolate", "-o", out)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "timeloom: warning: " in err and "500" in err
    assert out.exists()


def test_a_class_that_was_not_trained_is_refused_and_the_nearest_offered(
    refused, fitted_on_classes, tmp_path
):
    out = tmp_path / "out.csv"
    assert "'worn'" in refused("sample", fitted_on_classes, "-n", 3, "--y", "wron", "-o", out)


def test_per_class_of_a_run_trained_on_a_value_is_refused(refused, fitted, tmp_path):
    assert "on a value" in refused("sample", fitted, "--per-class", 3, "-o", tmp_path / "out.csv")


@pytest.mark.parametrize("name", ["settings.json", "weights.safetensors"])
def test_a_half_written_run_is_refused(refused, fitted, tmp_path, name):
    shutil.copytree(fitted, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    sentence = refused("sample", tmp_path / "run", "-n", 3, "-o", tmp_path / "out.csv")
    assert "half written" in sentence


def test_a_run_with_cut_off_weights_is_refused(refused, fitted, tmp_path):
    shutil.copytree(fitted, tmp_path / "run")
    weights = tmp_path / "run" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    sentence = refused("sample", tmp_path / "run", "-n", 3, "-o", tmp_path / "out.csv")
    assert "damaged" in sentence


def test_a_run_with_cut_off_settings_is_refused(refused, fitted, tmp_path):
    shutil.copytree(fitted, tmp_path / "run")
    settings = tmp_path / "run" / "settings.json"
    settings.write_text(settings.read_text()[:50])
    sentence = refused("sample", tmp_path / "run", "-n", 3, "-o", tmp_path / "out.csv")
    assert "damaged" in sentence


def test_a_run_of_a_newer_version_is_refused(refused, fitted, tmp_path):
    shutil.copytree(fitted, tmp_path / "run")
    settings = tmp_path / "run" / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"format": 99}))
    sentence = refused("sample", tmp_path / "run", "-n", 3, "-o", tmp_path / "out.csv")
    assert "written by a newer timeloom" in sentence


def test_imputing_other_channels_than_were_trained_is_refused(refused, fitted, tmp_path, table):
    table.drop(columns="heat").to_csv(tmp_path / "a.csv", index=False)
    refused("impute", fitted, tmp_path / "a.csv", "-o", tmp_path / "out.csv")


def test_a_pickle_is_refused_unless_allowed(refused, tmp_path):
    import pickle

    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps((np.zeros((4, 2, 8)), np.arange(4))))
    assert "--allow-pickle" in refused("fit", "diffmts", path, "-o", tmp_path / "run")
