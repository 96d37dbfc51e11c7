"""``timeloom evaluate`` and ``timeloom demo``: a page, records beside it, and what was found."""

import json
import re

import numpy as np
import pytest
from recordings import engines

import timeloom
from timeloom.cli import demo
from timeloom.metrics.record import Record

QUICK = ["--seeds", 2, "--limit", 40]


@pytest.fixture
def sides(tmp_path, fitted):
    """Files of real held-out engines, of the engines trained on, and of synthetic windows."""
    engines(count=8, seed=1).to_csv(tmp_path / "real.csv", index=False)
    engines(count=8, seed=0).to_csv(tmp_path / "train.csv", index=False)
    synthetic = timeloom.load(fitted).sample(60, seed=0)
    timeloom.write(tmp_path / "synthetic.parquet", synthetic)
    return tmp_path


def test_a_page_and_records_are_written_and_the_rows_shown(command, sides):
    page = sides / "made" / "report.html"
    outcome = command(
        *("evaluate", sides / "real.csv", sides / "synthetic.parquet"),
        *("--train", sides / "train.csv", "--task", "regress", "-o", page, *QUICK),
    )
    assert outcome.status == 0, outcome.err
    records = list(map(json.loads, page.with_name("records.jsonl").read_text().splitlines()))
    matter = [one["metric"] for one in records if one["verdict"] in ("warn", "fail")]
    assert matter and all(metric in outcome.out for metric in matter)
    assert "floor" in outcome.out and f"of {len(records)} measures pass" in outcome.out
    assert outcome.out.rstrip().splitlines()[-1].startswith(f"The page is {page};")
    text = page.read_text()
    assert "timeloom evaluate" in text and timeloom.__version__ in text
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=.?https?:", text)


@pytest.fixture
def quickly(monkeypatch):
    """Evaluates with two cheap measures instead of all; gives the names that were asked for."""
    asked = []

    def rows(*sides, metrics=None, **how):
        asked.append(metrics)
        yield Record("spread_error", 0.3, floor=0.1, verdict="warn", about="values")
        yield Record("nearest_neighbour_ratio", why="Too few windows.", about="novelty")

    monkeypatch.setattr("timeloom.evaluation.evaluate_rows", rows)
    return asked


def test_gates_that_hold_leave_the_exit_status_alone(command, sides, quickly):
    outcome = command(
        *("evaluate", sides / "real.csv", sides / "synthetic.parquet", "-o", sides / "a.html"),
        *("--gate", "spread_error<=0.3", "--gate", "no-fail"),
    )
    assert outcome.status == 0, outcome.err
    assert "timeloom: gate" not in outcome.err and quickly == [None]


def test_a_gate_that_does_not_hold_ends_with_status_3_after_all_is_written(command, sides, quickly):
    outcome = command(
        *("evaluate", sides / "real.csv", sides / "synthetic.parquet", "-o", sides / "a.html"),
        *("--gate", "spread_error<0.3", "--gate", "nearest_neighbour_ratio>0.9"),
        *("--gate", "no-fail"),
    )
    assert outcome.status == 3
    assert [line for line in outcome.err.splitlines() if line.startswith("timeloom: ")] == [
        "timeloom: gate spread_error<0.3 does not hold: spread_error is 0.3, wanted < 0.3",
        "timeloom: gate nearest_neighbour_ratio>0.9 does not hold: nearest_neighbour_ratio was "
        "not measured: Too few windows",
    ]
    assert (sides / "a.html").exists() and (sides / "records.jsonl").exists()


def test_a_gate_on_a_measure_that_is_not_made_unasked_has_it_made(command, sides, quickly):
    outcome = command(
        *("evaluate", sides / "real.csv", sides / "synthetic.parquet", "-o", sides / "a.html"),
        *("--gate", "mdd<100"),
    )
    assert outcome.status == 3 and "mdd was not measured" in outcome.err
    assert "mdd" in quickly[0] and "spread_error" in quickly[0]


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("sprad_error<1", "did you mean spread_error"),
        ("tstr_auroc>=0.9", "not measured on these labels"),
        ("spread_error=1", "as tstr_auroc>=0.9"),
    ],
)
def test_a_gate_that_cannot_hold_is_refused_before_anything_is_measured(
    refused, sides, quickly, gate, words
):
    said = refused(
        *("evaluate", sides / "real.csv", sides / "synthetic.parquet", "-o", sides / "a.html"),
        *("--train", sides / "train.csv", "--gate", gate),
    )
    assert words in said
    assert quickly == [] and not (sides / "a.html").exists()


def test_progress_is_shown_measure_by_measure(command, sides):
    outcome = command(
        *("evaluate", sides / "real.csv", sides / "synthetic.parquet"),
        *("-o", sides / "report.html", *QUICK),
    )
    assert outcome.status == 0, outcome.err
    lines = [line for line in outcome.out.splitlines() if line.startswith("evaluate ")]
    assert len(lines) > 3 and "100 %" in lines[-1]


def test_other_channels_are_refused(refused, sides):
    table = engines(count=8, seed=1).drop(columns="heat")
    table.to_csv(sides / "real.csv", index=False)
    refused("evaluate", sides / "real.csv", sides / "synthetic.parquet", "-o", sides / "a.html")
    assert not (sides / "a.html").exists()


def test_a_set_is_evaluated_with_its_own_parts(command, tmp_path, monkeypatch):
    seen = {}

    def report_on(real, synthetic, reference, **how):
        assert list(how.pop("gates")) == []
        seen.update(real=real, synthetic=synthetic, reference=reference, **how)

    monkeypatch.setattr("timeloom.cli.evaluate.report_on", report_on)
    train, test = timeloom.load_dataset("FD001")
    timeloom.write(tmp_path / "s.parquet", timeloom.cut(train[:2], 48))
    outcome = command("evaluate", "FD001", tmp_path / "s.parquet", "--stride", 48)
    assert outcome.status == 0, outcome.err
    assert "test part" in outcome.err and "train part" in outcome.err
    long_enough = [one for one in test if len(one) >= 48]
    np.testing.assert_array_equal(seen["real"].x, timeloom.cut(long_enough, 48, 48).x)
    np.testing.assert_array_equal(seen["reference"].x, timeloom.cut(train, 48, 48).x)
    assert seen["made"]["command"].startswith("timeloom evaluate FD001 ")


def test_the_demo_ends_with_a_page_and_what_was_found(command, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "QUICK_MINUTES", 0.02)
    monkeypatch.setattr(demo, "QUICK_STRIDE", 160)
    monkeypatch.setattr(demo, "QUICK_LIMIT", 40)
    for _ in range(2):  # a second demo replaces the first
        outcome = command("demo", "--quick", "-o", tmp_path / "demo")
        assert outcome.status == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "records.jsonl",
        "report.html",
        "run",
        "synthetic.parquet",
    ]
    assert f"The page is {tmp_path / 'demo' / 'report.html'}" in outcome.out
    lives = timeloom.read_windows(tmp_path / "demo" / "synthetic.parquet").y
    assert (np.asarray(lives) <= demo.LAST_CYCLES).mean() > 0.4


def test_the_demo_leaves_alone_what_it_did_not_write(refused, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").touch()
    assert "no run of a demo" in refused("demo", "-o", tmp_path)
    assert (tmp_path / "run" / "thesis.txt").exists()


def test_a_measure_that_is_none_and_windows_of_another_length_are_refused(command, tmp_path):
    rng = np.random.default_rng(0)
    for name, length in (("real", 16), ("made", 16), ("short", 12)):
        np.savez(tmp_path / f"{name}.npz", x=rng.standard_normal((30, length, 2)))
    real, made, short = (tmp_path / f"{name}.npz" for name in ("real", "made", "short"))
    out = ("-o", tmp_path / "page.html")
    outcome = command("evaluate", real, made, "--also", "adc", *out)
    assert outcome.status == 2 and "did you mean 'acd'" in outcome.err
    outcome = command("evaluate", real, short, *out)
    assert outcome.status == 2 and "cut both alike" in outcome.err
