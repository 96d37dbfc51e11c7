import numpy as np
import pytest

from timeloom.bench import cmapss
from timeloom.bench.cmapss import Cell, _accuracy, last_windows, measure, plan
from timeloom.bench.page import write_page
from timeloom.bench.records import done, note
from timeloom.data.windows import Series, Windows
from timeloom.metrics.record import Record


def test_the_plan_has_three_seeds_of_everything_and_the_headline_first():
    cells = plan()
    assert cells[0].length == 48 and cells[0].data == "cmapss_fd001"
    for cell in cells:
        same = [c for c in cells if (c.data, c.length, c.arm) == (cell.data, cell.length, cell.arm)]
        assert sorted(c.seed for c in same) == [0, 1, 2]
    assert {c.arm for c in cells} == {*cmapss.ARMS, "real", "samplers", "checks"}
    assert len({c.name for c in cells}) == len(cells)


def test_a_short_test_engine_begins_with_its_first_row_repeated():
    values = np.arange(6.0).reshape(3, 2)
    windows = last_windows([Series(values, np.array([3.0, 2.0, 1.0]))], 5)
    assert windows.x[0].tolist() == [[0, 1], [0, 1], [0, 1], [2, 3], [4, 5]]
    assert windows.y.tolist() == [1.0]


def test_an_lstm_that_guesses_scores_about_a_half_and_one_that_sees_scores_one(rng):
    def windows(shift):
        return Windows(rng.normal(size=(400, 8, 2)) + shift, series=np.arange(400) // 20)

    assert abs(_accuracy(windows(0), windows(0), 0) - 0.5) < 0.12
    assert _accuracy(windows(0), windows(3), 0) > 0.95


def test_a_cell_whose_record_stands_is_skipped(tmp_path):
    path = tmp_path / "cmapss.jsonl"
    record = Record(metric="m", value=1.0, data="cmapss_fd001, 24", method="real", seeds=(0,))
    assert not done(path, "cmapss_fd001", 24, "real", 0)
    note(path, [record])
    assert done(path, "cmapss_fd001", 24, "real", 0)
    assert not done(path, "cmapss_fd001", 24, "real", 1)
    assert not done(path, "cmapss_fd001", 48, "real", 0)


def test_the_page_shows_mean_and_spread_beside_what_is_published(tmp_path):
    path = tmp_path / "cmapss.jsonl"
    for seed, value in enumerate((1.0, 2.0, 3.0)):
        record = Record(metric="error", value=value, data="fd, 48", method="ours", seeds=(seed,))
        note(path, [record])
    text = write_page(path, {("fd", 48, "error"): "9.9"}, "timeloom bench x").read_text()
    assert "2.0 ± 1.0" in text and "9.9" in text and "`timeloom bench x`" in text


@pytest.mark.slow
def test_a_small_cell_is_measured_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setitem(cmapss.ARMS, "tiny", dict(width=8, mmd="none"))
    figures = measure(Cell("cmapss_fd001", 24, "tiny", 0, 300, 5), tmp_path)
    found = {figure["metric"]: figure["value"] for figure in figures}
    assert found["predictive RMSE"] > 10 and 0 <= found["discriminative accuracy"] <= 1
