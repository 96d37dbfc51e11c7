"""``timeloom data``: the sets, what one or a file holds, and where an absent one is from."""

import numpy as np
import pytest

from timeloom.cli.inputs import read_windows_of, set_name
from timeloom.cli.options import Columns


@pytest.fixture(autouse=True)
def only_the_package(monkeypatch, tmp_path):
    """No data set is here but the one in the package."""
    monkeypatch.delenv("TIMELOOM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_list_says_which_sets_are_here(command):
    outcome = command("data")
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line.strip()}
    assert outcome.status == 0
    assert " yes " in lines["cmapss_fd001"] and " no " in lines["ucr_wafer"]


def test_a_set_is_described_part_by_part(command):
    outcome = command("data", "FD001")
    assert outcome.status == 0
    for words in ("licence:", "cite:", "train: 100 series, 20631 time points", "test: 100 series"):
        assert words in outcome.out


def test_a_file_is_described_with_what_is_wrong_with_it(command, file, table):
    table.assign(speed=1.0).to_csv(file, index=False)
    outcome = command("data", file)
    assert outcome.status == 0
    assert "6 series, 180 time points" in outcome.out and "constant" in outcome.out
    assert "guessed: series column 'unit'" in outcome.err


def test_an_absent_set_says_where_it_comes_from_and_how_to_get_it(refused):
    sentence = refused("data", "wafer")
    assert "timeseriesclassification.com" in sentence and "data get" in sentence


def test_a_misspelled_set_is_refused_and_the_nearest_offered(refused):
    assert "Wafer" in refused("data", "waffer")
    assert "Wafer" in refused("data", "get", "waffer")


def test_two_names_are_refused(refused, file):
    assert "one NAME or FILE" in refused("data", file, "wafer")


def test_a_part_is_named_after_a_colon(refused):
    assert set_name("FD001:test") == ("cmapss_fd001", "test")
    assert set_name("FD001") == ("cmapss_fd001", None)
    assert set_name("engines.csv") is None
    assert "cmapss" in refused("data", "cmapss:validation")


def test_the_part_of_a_set_is_chosen_and_said(capsys):
    windows = read_windows_of("cmapss", Columns(), length=48, stride=40, part="train")
    assert "using its train part" in capsys.readouterr().err
    asked = read_windows_of("cmapss:train", Columns(), length=48, stride=40, part="test")
    np.testing.assert_array_equal(windows.x, asked.x)
    assert capsys.readouterr().err == ""


def test_short_series_are_left_out_where_that_is_allowed(capsys):
    windows = read_windows_of("cmapss:test", Columns(), length=48, stride=48, drop_short=True)
    assert len(np.unique(windows.series)) == 95
    assert "5 series shorter than 48 are left out" in capsys.readouterr().err
    with pytest.raises(ValueError, match="fewer than length 48"):
        read_windows_of("cmapss:test", Columns(), length=48)
