"""``timeloom fit`` and ``timeloom bench``: what is printed, what is written, which setting wins."""

import json
import runpy
import sys

import numpy as np
import pytest
from recordings import SMALL, engines

import timeloom


def settings(run):
    return json.loads((run / "settings.json").read_text())["settings"]


@pytest.fixture
def fit(command, file, tmp_path):
    """Fits for four steps; gives the outcome and the run folder."""

    def run(*more, steps=("--steps", 4), data=file):
        folder = tmp_path / "run"
        outcome = command("fit", "diffmts", data, "-o", folder, *steps, *SMALL, *more)
        assert outcome.status == 0, outcome.err
        return outcome, folder

    return run


def test_a_run_folder_holds_settings_weights_and_the_log(fit):
    _, run = fit("--window", 8)
    assert sorted(path.name for path in run.iterdir()) == [
        "settings.json",
        "train.jsonl",
        "weights.safetensors",
    ]
    assert timeloom.load(run).shape_ == (8, 3)


def test_what_was_guessed_goes_to_stderr_and_progress_to_stdout(fit):
    outcome, run = fit("--window", 8)
    assert "guessed: series column 'unit', time column 'cycle', label 'rul'" in outcome.err
    assert "138 windows of 8 time points x 3 channels" in outcome.err
    assert outcome.out.splitlines()[-1].endswith(f"the run is in {run}")
    lines = [line for line in outcome.out.splitlines() if line.startswith("fit")]
    assert 2 <= len(lines) <= 11 and "loss" in lines[0] and "100 %" in lines[-1]


def test_equally_long_series_are_whole_windows_by_default(fit):
    _, run = fit()
    assert timeloom.load(run).shape_ == (30, 3)


def test_named_columns_are_used(fit):
    _, run = fit("--window", 8, "--channels", "speed, heat", "--label", "rul")
    assert timeloom.load(run).channels_ == ("speed", "heat")


def test_a_file_of_settings_lists_differences_and_set_wins_over_it(fit, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text('window = 9\nlr = 0.001\nmmd = "none"\nseed = 3\n')
    _, run = fit("--config", config, "--set", "mmd=fixed", "--seed", 5)
    chosen = settings(run)
    assert (chosen["lr"], chosen["mmd"], chosen["seed"]) == (0.001, "fixed", 5)
    assert timeloom.load(run).shape_[0] == 9


def test_steps_win_over_minutes_of_a_file(fit, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("minutes = 60.0\n")
    _, run = fit("--config", config, "--window", 8)
    assert (settings(run)["train_steps"], settings(run)["minutes"]) == (4, None)


def test_minutes_are_a_budget(fit):
    outcome, run = fit("--window", 8, steps=("--minutes", 0.01))
    assert settings(run)["minutes"] == 0.01


def test_a_finished_run_is_not_overwritten(fit, refused, file):
    _, run = fit("--window", 8)
    before = (run / "weights.safetensors").read_bytes()
    assert "--resume" in refused("fit", "diffmts", file, "-o", run, "--window", 8, *SMALL)
    assert (run / "weights.safetensors").read_bytes() == before


def test_the_stride_thins_the_windows(fit):
    outcome, _ = fit("--window", 8, "--stride", 22)
    assert "12 windows of 8" in outcome.err


def test_the_main_module_runs_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["timeloom", "--version"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("timeloom.cli", run_name="__main__")
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"timeloom {timeloom.__version__}\n"


def test_another_process_of_a_launch_says_nothing(fit, monkeypatch):
    from timeloom.cli import messages

    monkeypatch.setattr(messages, "leads", lambda: False)
    monkeypatch.setattr("timeloom.cli.progress.leads", lambda: False)
    outcome, _ = fit("--window", 8)
    assert (outcome.out, outcome.err) == ("", "")


def test_an_error_that_is_ours_has_status_1_and_asks_for_a_report(command, file, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("loose thread")

    monkeypatch.setattr("timeloom.cli.fit.read_parts", broken)
    arguments = ["fit", "diffmts", file, "-o", file.parent / "run"]
    outcome = command(*arguments)
    assert outcome.status == 1 and "loose thread" in outcome.err and "report" in outcome.err
    assert "Traceback" not in outcome.err
    assert "Traceback" in command(*arguments, "--debug").err


def test_every_public_name_is_there():
    for name in timeloom.__all__:
        assert getattr(timeloom, name) is not None
    assert set(timeloom.__all__) <= set(dir(timeloom))
    with pytest.raises(AttributeError, match="no attribute 'gues'"):
        timeloom.gues  # noqa: B018


def test_windows_of_an_npz_keep_where_they_were_cut(fit, tmp_path):
    series = [
        timeloom.Series(part[["heat", "press"]].to_numpy()) for _, part in engines().groupby("unit")
    ]
    timeloom.write(tmp_path / "windows.npz", timeloom.cut(series, 8))
    outcome, run = fit(data=tmp_path / "windows.npz")
    assert "138 windows of 8" in outcome.err
    assert np.isfinite(timeloom.load(run).sample(2, seed=0).x).all()
