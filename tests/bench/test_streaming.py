"""Is the same network timed on both sides, is every row answered, does the page say what is so?"""

import json
import mmap

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from timeloom.bench import streaming
from timeloom.bench.anomaly_sets import DEVELOPMENT, Case
from timeloom.bench.records import note
from timeloom.bench.streaming_page import Arm, streamed, write_streaming_page
from timeloom.data.windows import Series
from timeloom.methods.ddmt import DDMT
from timeloom.metrics.record import Record, read_records

TINY = streaming.Size(
    repeats=1, windows=4, least=0.0, batched=512, single=128, channels=(2,), train_steps=2,
    rows=11_000, steps=(1, 20),
)  # fmt: skip


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """No public set is at hand."""
    monkeypatch.setenv("TIMELOOM_DATA", str(tmp_path))


def by_metric(path):
    return {(one.method, one.metric): one for one in read_records(path)}


def test_time_is_not_measured_in_parts(tmp_path):
    with pytest.raises(ValueError, match="one part, 1/1; got 1/2"):
        next(streaming.run(folder=tmp_path, part="1/2"))


def test_made_up_rows_are_called_made_up(no_data):
    name, train, test = streaming.recording(55)
    assert name == "synthetic waves with columns repeated"
    assert train.shape[1] == test.shape[1] == 55
    np.testing.assert_array_equal(test[:, 38:], test[:, :17])
    assert not np.array_equal(train, test)


def test_rows_of_the_machine_are_its_own(data_folder):
    if not (data_folder / "smd").is_dir():
        pytest.skip("SMD is not at hand")
    name, train, test = streaming.recording(8)
    assert name == "smd machine-1-7"
    assert train.shape[1] == test.shape[1] == 8 and len(test) > 20_000


def test_both_sides_are_one_network_and_steps_change_the_sampler_alone(no_data, tmp_path):
    _, train, test = streaming.recording(3)
    made = streaming._pair(tmp_path, train[:600], 0)
    ours, sampler = (load_file(tmp_path / one / "weights.safetensors") for one in
                     ("ours", "sampler"))  # fmt: skip
    shapes = [
        {name: array.shape for name, array in one.items() if name.startswith("model/")}
        for one in (ours, sampler)
    ]
    assert shapes[0] == shapes[1] and len(shapes[0]) > 10
    few, more = (made(Arm(steps, apart=True)) for steps in (1, 3))
    assert few.settings["hop"] == few.settings["window"] and more.settings["steps"] == 3
    assert not np.allclose(few.channel_scores(test[:128]), more.channel_scores(test[:128]))
    assert made(Arm(None)).settings["hop"] == DDMT().hop


def test_the_arm_without_steps_is_the_default_detector():
    assert DDMT(**streaming._settings(Arm(None))).settings == DDMT(device="cpu").settings


def test_twenty_steps_cost_more_than_one_and_a_second_run_measures_nothing(no_data, tmp_path):
    path = tmp_path / "streaming.jsonl"
    before = torch.get_num_threads()
    assert len(list(streaming.costs(path, TINY))) == 1
    assert torch.get_num_threads() == before
    found = by_metric(path)
    one, many = (found[Arm(steps).name, "window_ms"].value for steps in (1, 20))
    assert many > 3 * one
    for arm in (Arm(None), Arm(20, apart=True)):
        window, row = (found[arm.name, metric] for metric in ("window_ms", "row_ms"))
        assert row.value == pytest.approx(window.value / window.settings["hop"])
        assert window.sizes["windows"] == 4 and window.settings["threads"] == 1
    kept = path.read_bytes()
    assert list(streaming.costs(path, TINY)) == []
    assert path.read_bytes() == kept


def test_latencies_are_in_order_and_rates_fit_them(no_data, tmp_path, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # or two threads would be measured, too
    path = tmp_path / "streaming.jsonl"
    assert len(list(streaming.pushes(path, TINY))) == 1
    found = {metric: one for (method, metric), one in by_metric(path).items()}
    assert {one.method for one in found.values()} == {"stream, 1 thread"}
    p50, p99, longest = (found[name].value for name in ("p50_ms", "p99_ms", "max_ms"))
    assert 0 < p50 <= p99 <= longest
    assert found["single_rate"].value >= 1_000 / longest
    assert found["batched_rate"].value > 0 and found["batched_rate"].sizes["channels"] == 2


def test_the_child_answers_every_row_and_notes_its_memory(no_data, tmp_path):
    path = tmp_path / "streaming.jsonl"
    list(streaming.memory(path, TINY))
    found = {metric: one for (_, metric), one in by_metric(path).items()}
    noted = found["flat"].settings["noted"]
    assert len(noted) == streaming.MARKS
    assert found["flat"].sizes["answered"] == found["flat"].sizes["rows"] == 11_000
    assert found["flat"].value == pytest.approx(noted[-1] / noted[0])
    assert 50 < min(noted) <= max(noted) == found["largest_mb"].value
    # The peak is that of a whole process, which held no less at any mark.
    assert found["peak_mb"].value >= 0.95 * max(noted)


def test_memory_that_is_held_now_is_seen_to_come_and_go():
    before = streaming.resident()
    # Pages of its own: an array may be given memory that was freed before and is held still.
    block = mmap.mmap(-1, 40 * 1024**2)
    for page in range(0, len(block), mmap.PAGESIZE):
        block[page] = 1
    during = streaming.resident()
    block.close()
    assert during - before > 30
    assert streaming.resident() < during - 30


def test_arms_are_judged_on_the_same_first_rows(no_data, tmp_path, rng):
    values = np.sin(0.2 * np.arange(700))[:, None] + 0.1 * rng.standard_normal((700, 2))
    values[560:590] += 3.0
    labels = np.zeros(300, bool)
    labels[160:190] = True
    case = Case("made", "up", DEVELOPMENT, Series(values[:400]), Series(values[400:]), labels, 30)
    records = streaming._judged(case, labels, TINY._replace(steps=(1, 2)), 0)
    assert [one.method for one in records] == [
        "DDMT",
        "DDMT, windows side by side",
        "from noise, 1 step, windows side by side",
        "from noise, 2 steps, windows side by side",
    ]
    assert all(one.sizes == {"train": 400, "rows": 300, "abnormal": 30} for one in records)
    # Chance gets 0.1; two steps of training teach no sampler, while ours looks at its window.
    assert min(one.value for one in records[:2]) > 0.3
    assert [one.settings["steps"] for one in records] == [1, 1, 1, 2]
    assert [one.settings["start"] for one in records] == [*["anchor"] * 2, *["noise"] * 2]
    assert len({one.settings["hop"] for one in records[1:]}) == 1


def test_sets_that_are_not_at_hand_are_said(no_data, tmp_path):
    streaming.cases.cache_clear()
    said = list(streaming.accuracy(tmp_path / "streaming.jsonl", TINY))
    assert [line.split(":")[0] for line in said] == ["asd is left out", "skab is left out"]
    assert not (tmp_path / "streaming.jsonl").exists()


def figures(metric, method, values, data="smd machine-1-7, 38 channels", **how):
    return [
        Record(metric, value, method=method, data=data, seeds=(seed,), **how)
        for seed, value in enumerate(values)
    ]


def test_the_page_divides_within_repeats_and_says_what_is_not_reached(tmp_path):
    path = tmp_path / "streaming.jsonl"
    timed = {"settings": DDMT().settings | {"threads": 1, "cores": 2}, "sizes": {"windows": 64}}
    held = {
        "settings": DDMT().settings | {"noted": [100.0, 120.0], "every": 500_000},
        "sizes": {"rows": 1_000_000, "batch": 1_024},
    }
    records = [
        *figures("window_ms", "DDMT", (1.0, 2.0), **timed),
        *figures("window_ms", Arm(500).name, (200.0, 200.0), **timed),
        *figures("batched_rate", streamed(1), (1_900.0, 1_950.0), **timed),
        *figures("single_rate", streamed(1), (150.0, 170.0), **timed),
        *figures("first_mb", "stream of 1,000,000 rows", (100.0,), **held),
        *figures("flat", "stream of 1,000,000 rows", (1.2,), **held),
    ]
    note(path, records)
    page = write_streaming_page(path, "a command").read_text()
    table = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    rows = [(line[2], line[3].strip(" |")) for line in table if len(line) == 4]
    title, rule, first, batched, single, flat = rows
    assert title == ("measured", "reached")
    assert first == ("150 ± 71", "yes")  # the mean of 200 and 100, not 200 / 1.5
    assert batched[1] == "no" and single[1] == "yes"
    assert flat == ("1.2", "no")
    assert "100; 120 MB" in page


def test_the_page_pairs_recordings_and_seeds(tmp_path):
    path = tmp_path / "streaming.jsonl"
    how = {"settings": DDMT().settings, "sizes": {"rows": 100, "abnormal": 10}}
    for data, shift in (("a, 1", 0.0), ("b, 1", 0.2)):
        note(path, figures("vus_pr", "DDMT", (0.5 + shift, 0.6 + shift), data, **how))
        note(path, figures("vus_pr", Arm(500, True).name, (0.4 + shift, 0.5 + shift), data, **how))
    page = write_streaming_page(path, "a command").read_text()
    assert "| mean | – | – | 0.650 ± 0.071 | 0.550 ± 0.071 |" in page
    against = f"| {Arm(500, True).name} | +0.100 | +0.100 to +0.100 | +0.100 to +0.100 | 4 |"
    assert against in page
    assert "## Memory" not in page and "## Asked" not in page


@pytest.mark.slow
def test_the_quick_bench_measures_everything_once(tmp_path, data_folder):
    said = list(streaming.run(quick=True, folder=tmp_path))
    assert said[-1].startswith("page: ")
    lines = (tmp_path / "streaming-quick.jsonl").read_text().splitlines()
    assert all(json.loads(line)["value"] is not None for line in lines)
    page = (tmp_path / "streaming-quick.md").read_text()
    for title in ("Asked", "CPU time", "VUS-PR of the same", "Rows as they", "Memory"):
        assert f"## {title}" in page
    again = list(streaming.run(quick=True, folder=tmp_path))
    assert len(again) == 1 and len(lines) == len(
        (tmp_path / "streaming-quick.jsonl").read_text().splitlines()
    )
