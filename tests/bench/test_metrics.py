import sys

import numpy as np
import pytest

from timeloom.bench import child, metrics
from timeloom.bench.metrics import made_windows, reference_loop, run
from timeloom.metrics.fidelity.judged import discriminative_repeats
from timeloom.metrics.record import read_records


def test_time_is_not_measured_side_by_side():
    with pytest.raises(ValueError, match="one part, 1/1; got 1/2"):
        next(run(part="1/2"))


def test_the_reference_loop_and_the_batched_network_agree():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(2, 200, 6, 4)) * np.array([1, 0.4])[:, None, None, None]
    looped = reference_loop(real, synthetic, seed=0, networks=3, steps=400)
    ours = discriminative_repeats(
        real, synthetic, seed=0, repeats=range(3), scaling="zscore", steps=400
    )
    assert looped == pytest.approx(np.abs(ours - 0.5).mean(), abs=0.1)


def test_the_discriminative_score_is_faster_than_the_loop():
    figures = {(arm, metric): value for arm, metric, value, *_ in metrics._judges(200, 0, 60)}
    assert figures["timeloom", "ratio"] > 2
    assert 0 <= figures["timeloom", "score"] <= 0.5


def test_vus_is_that_of_aeon_where_aeon_is_there():
    figures = {(arm, metric): value for arm, metric, value, *_ in metrics._volumes(1000, 0)}
    if figures["aeon", "wall time"] is None:
        pytest.skip("aeon is not installed")
    for name in ("VUS-ROC", "VUS-PR"):
        assert figures["timeloom", name] == pytest.approx(figures["aeon", name], abs=1e-6)
    assert figures["timeloom", "ratio"] > 1


def test_without_aeon_the_record_says_that_it_was_skipped(monkeypatch):
    monkeypatch.setitem(sys.modules, "aeon.benchmarking.metrics.anomaly_detection", None)
    *_, (arm, metric, value, _, why) = metrics._volumes(500, 0)
    assert (arm, metric, value) == ("aeon", "wall time", None) and "not installed" in why


def test_a_child_s_seconds_and_memory_are_its_own():
    seconds, memory = child.measured(["-c", "x = bytearray(150_000_000); x[::4096] = x[::4096]"])
    assert 150 < memory < 400 and 0 < seconds < 60


def test_a_child_that_fails_says_why():
    with pytest.raises(RuntimeError, match="status 1: .*no such thing"):
        child.measured(["-c", "raise SystemExit('no such thing')"])


def test_made_windows_are_the_same_for_a_seed():
    one, other = made_windows(100, 3, classes=2), made_windows(100, 3, classes=2)
    assert np.array_equal(one.x, other.x) and one.x.shape == (100, 24, 7)
    assert len(np.unique(one.series)) == 50 and set(one.y) == {0, 1}
    assert made_windows(10, 0).y is None


def test_every_cell_is_recorded_once_and_shown(tmp_path, monkeypatch):
    told = ("timeloom", "wall time", 2.0, "s", "why")
    for name in ("_judges", "_volumes", "_evaluation", "_memory"):
        monkeypatch.setattr(metrics, name, lambda size, seed: [told])
    lines = list(run(quick=True, folder=tmp_path))
    assert len(lines) == 5 and "timeloom wall time 2 s" in lines[0]
    assert len(read_records(tmp_path / "metrics-quick.jsonl")) == 4
    assert "wall time" in (tmp_path / "metrics-quick.md").read_text()
    assert len(list(run(quick=True, folder=tmp_path))) == 1
    assert len(list(run(folder=tmp_path))) == 11
