"""``timeloom advise``: a verdict on stdout, remarks on stderr, exit status 0 whatever it says."""

import json

import numpy as np
import pytest
from recordings import engines

import timeloom as tl
from timeloom.advice import simulated


def written(path, windows):
    tl.write(path, windows)
    return path


@pytest.fixture
def windows(tmp_path):
    return written(tmp_path / "windows.npz", simulated(100, 0))


def test_the_verdict_and_its_reasons_are_shown(command, windows):
    outcome = command("advise", windows)
    assert outcome.status == 0, outcome.err
    first, blank, *rest = outcome.out.splitlines()
    assert first in ("verdict: yes", "verdict: limited", "verdict: no") and blank == ""
    assert "AUROC" in rest[0] and rest[0].startswith("- ")
    assert "100 windows of 32 time points x 1 channels" in outcome.err


def test_json_alone_is_on_stdout(command, windows, tmp_path):
    test = written(tmp_path / "test.npz", simulated(400, 1))
    outcome = command("advise", windows, "--test", test, "--json", "--seed", 3)
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert set(found) == {"verdict", "reasons", "figures"}
    assert found["figures"]["test_counts"] == {"normal": 360, "transient": 40}
    assert found["figures"]["seed"] == 3


def test_recordings_of_a_table_are_cut(command, tmp_path):
    table = engines(count=8)
    table["state"] = np.where(table.pop("rul") < 12, "worn", "good")
    table.to_csv(tmp_path / "engines.csv", index=False)
    outcome = command(
        *("advise", tmp_path / "engines.csv", "--window", 6, "--stride", 3, "--label", "state"),
        "--json",
    )
    assert outcome.status == 0, outcome.err
    figures = json.loads(outcome.out)["figures"]
    assert figures["folds"] == "recordings" and figures["time"] == 6
    assert set(figures["counts"]) == {"good", "worn"}


def test_a_set_brings_its_own_test_part(command, data_folder):
    outcome = command("advise", "gunpoint", "--json")
    assert outcome.status == 0, outcome.err
    figures = json.loads(outcome.out)["figures"]
    assert figures["windows"] == 50 and sum(figures["test_counts"].values()) == 150
    assert "its test part is counted" in outcome.err and "never scored" in outcome.err


def test_labels_that_are_values_are_refused(refused, file):
    said = refused("advise", file, "--window", 8)
    assert "'rul' are values, from 0 to" in said and "classify only" in said


def test_a_table_without_labels_is_refused(refused, tmp_path):
    engines().drop(columns="rul").to_csv(tmp_path / "plain.csv", index=False)
    assert "there are no labels" in refused("advise", tmp_path / "plain.csv", "--window", 8)


def test_test_windows_of_other_channels_are_refused(refused, windows, tmp_path):
    other = written(tmp_path / "other.npz", simulated(60, 0, channels=2))
    assert "must have the channels c0" in refused("advise", windows, "--test", other)


def test_an_unknown_task_is_refused_at_once(refused, windows):
    assert "make classes of them first" in refused("advise", windows, "--task", "regress")
