"""Are rows of a stream scored as a recording is, whatever comes down the line?"""

import io
import json
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
from detectors import CHANNELS, pumps, table, trained

import timeloom as tl
from timeloom.cli.follow import Rows, Source, layout_of
from timeloom.data.windows import Series

FAULT = 150


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("detector") / "run")


@pytest.fixture
def stream(tmp_path):
    """Writes rows as CSV and gives the file."""

    def write(values, **columns):
        path = tmp_path / "rows.csv"
        table(values, **columns).to_csv(path, index=False)
        return path

    return write


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def follow(command, run, source, *more):
    outcome = command("score", run, source, "--follow", "--once", *more)
    assert outcome.status == 0, outcome.err
    return outcome


def whole_scores(run, values, lag=0):
    detector = tl.load(run, device="cpu", lag=lag)
    return detector.anomaly_scores(Series(values, channels=CHANNELS))


def test_a_stream_has_the_scores_of_the_recording(run, stream, command):
    values = pumps(300, fault=FAULT)
    outcome = follow(command, run, stream(values, time=np.arange(300)))
    found = lines(outcome.out)
    assert [one["step"] for one in found] == [one["time"] for one in found] == list(range(300))
    np.testing.assert_allclose(
        [one["score"] for one in found], whole_scores(run, values), rtol=1e-4, atol=1e-6
    )
    assert [one["alarm"] for one in found] == [
        int(one["score"] > one["threshold"]) for one in found
    ]
    highest = max(found, key=lambda one: one["score"])
    assert FAULT <= highest["step"] < FAULT + 16 and next(iter(highest["top"])) == "press"
    assert "300 rows, 300 scores" in outcome.err


def test_json_lines_give_the_same_as_csv(run, stream, tmp_path, command):
    values = pumps(60)
    csv = follow(command, run, stream(values)).out
    objects = tmp_path / "rows.jsonl"
    rows = [dict(zip(CHANNELS[::-1], row[::-1], strict=True)) for row in values.tolist()]
    objects.write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = follow(command, run, objects)
    assert "JSON lines" in outcome.err and outcome.out == csv


def test_bad_lines_are_said_with_their_number_and_skipped(run, stream, command):
    path = stream(pumps(40), time=np.arange(40))
    bad = path.read_text().splitlines()
    bad[5] = "4,1.0,2.0"
    bad[9] = "8,warm,0.1,0.2"
    bad[12] = "11,,0.1,0.2"
    bad[20] = "soon,0.1,0.1,0.2"
    bad[30] = "29,inf,0.1,0.2"
    path.write_text("\n".join(bad) + "\n")
    outcome = follow(command, run, path)
    assert "line 6 is skipped: it has 3 columns, expected 4" in outcome.err
    assert "line 10 is skipped: 'warm' in 'heat' is no number" in outcome.err
    assert "line 21 is skipped: its time 'soon'" in outcome.err
    assert "line 31 is skipped: 'inf' in 'heat' is not finite" in outcome.err
    assert "line 13" not in outcome.err and "4 lines skipped" in outcome.err
    times = [one["time"] for one in lines(outcome.out)]
    assert 11 in times and not {4, 8, 29} & set(times)


def test_gaps_and_late_rows_are_said_and_every_score_keeps_its_row(run, stream, command):
    values, at = pumps(120), np.arange(120)
    keep = np.r_[0:40, 45:80, 70:75, 80:120]  # five are missing; five come again, late
    outcome = follow(command, run, stream(values[keep], time=at[keep]))
    assert "5 rows are missing" in outcome.err and "5 rows came late" in outcome.err
    found = lines(outcome.out)
    assert [one["time"] for one in found] == [t for t in range(120) if not 40 <= t < 45]
    holed = values.copy()
    holed[40:45] = np.nan
    expected = np.delete(whole_scores(run, holed), np.arange(40, 45))
    np.testing.assert_allclose([one["score"] for one in found], expected, rtol=1e-4, atol=1e-6)


def test_dates_are_given_back_as_they_came(run, stream, command):
    stamps = pd.date_range("2026-01-31 23:59", periods=40, freq="min").strftime("%F %T")
    found = lines(follow(command, run, stream(pumps(40), when=stamps), "--time", "when").out)
    assert [one["time"] for one in found] == list(stamps)


def test_recordings_in_one_stream_are_kept_apart(run, stream, command):
    one, other = pumps(80, seed=3), pumps(80, seed=4)
    both = np.stack([one, other], axis=1).reshape(-1, 3)
    outcome = follow(command, run, stream(both, pump=["a", "b"] * 80), "--series", "pump")
    found = lines(outcome.out)
    for name, values in (("a", one), ("b", other)):
        own = [row["score"] for row in found if row["series"] == name]
        np.testing.assert_allclose(own, whole_scores(run, values), rtol=1e-4, atol=1e-6)


def test_a_stopped_stream_goes_on_without_losing_or_repeating_a_row(run, stream, tmp_path, command):
    values = pumps(200)
    path = stream(values, time=np.arange(200))
    every = path.read_text().splitlines(keepends=True)
    out, state = tmp_path / "scores.csv", tmp_path / "state.npz"
    path.write_text("".join(every[:91]))
    follow(command, run, path, "--state", state, "-o", out)
    assert len(pd.read_csv(out)) < 91
    with out.open("a") as file:
        file.write("written after the state was saved\n")
    path.write_text("".join(every))
    outcome = follow(command, run, path, "--state", state, "-o", out)
    assert "going on behind line 91" in outcome.err
    found = pd.read_csv(out)
    settled = len(found)
    assert settled > 190 and found["step"].tolist() == list(range(settled))
    np.testing.assert_allclose(
        found["score"], whole_scores(run, values)[:settled], rtol=1e-4, atol=1e-6
    )
    assert list(found)[:2] == ["time", "step"] and "top_3" in found


def test_a_state_of_another_run_is_refused(run, stream, tmp_path, command, refused):
    path, state = stream(pumps(40)), tmp_path / "state.npz"
    follow(command, run, path, "--state", state)
    other = trained(tmp_path / "other", channels=("x", "y", "z"))
    said = refused("score", other, path, "--follow", "--once", "--state", state)
    assert "another run" in said
    state.write_bytes(b"something else")
    assert "state" in refused("score", run, path, "--follow", "--once", "--state", state)


def test_other_channels_are_refused_in_one_sentence(run, tmp_path, refused):
    path = tmp_path / "rows.csv"
    path.write_text("time,heat,press\n0,1,2\n")
    said = refused("score", run, path, "--follow", "--once")
    assert "speed" in said and "heat, press" in said


def test_too_few_rows_are_said(run, stream, command):
    outcome = follow(command, run, stream(pumps(9)))
    assert outcome.out == "" and "9 rows have no score" in outcome.err


def test_standard_input_is_read_to_its_end(run, command, monkeypatch, tmp_path, stream):
    with stream(pumps(50)).open() as file:
        monkeypatch.setattr("sys.stdin", file)
        outcome = command("score", run, "-", "--follow")
    assert outcome.status == 0 and len(lines(outcome.out)) == 50


def test_a_pipe_is_answered_row_by_row_and_ctrl_c_keeps_the_state(run, start, tmp_path):
    state = tmp_path / "state.npz"
    process = start("score", run, "-", "--follow", "--state", state, stdin=-1)
    rows = table(pumps(64)).to_csv(index=False).splitlines(keepends=True)
    process.stdin.writelines(rows[:33])
    process.stdin.flush()
    first = [json.loads(process.stdout.readline()) for _ in range(28)]
    assert first[-1]["step"] == 27  # answered while the pipe stays open
    assert not state.exists()
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert state.exists()


def test_a_file_that_grows_is_waited_for(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"heat\n1\n2")
    source = Source(str(path))
    reader = source.lines(lambda: False)
    assert next(reader) == [b"heat", b"1"]
    assert next(reader) == []  # a line without an end may go on
    with path.open("ab") as file:
        file.write(b"5\n3\n")
    assert [line for part in (next(reader), next(reader)) for line in part] == [b"25", b"3"]
    assert source.place == path.stat().st_size
    path.write_bytes(b"heat\n")  # emptied, as logs are when they are rotated
    while not (found := next(reader)):
        time.sleep(0.01)
    assert found == [b"heat"] and source.shrunk
    source.close()


def test_a_last_line_without_an_end_is_read_at_the_end(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"heat\n1\n2")
    source = Source(str(path), once=True)
    assert [line for part in source.lines(lambda: False) for line in part][-1] == b"2"
    source.close()


@pytest.mark.parametrize(
    ("first", "told", "expected"),
    [
        ("a,b", {}, "CSV, no time, 2 channels"),
        ("time;b;a;c", {}, "CSV, time 'time', 2 channels; left out: c"),
        ("1,2", {}, "CSV without a header, no time, 2 channels"),
        ('{"t": 1, "a": 2, "b": 3}', {}, "JSON lines, time 't', 2 channels"),
        ("x\ty\twhen", {"time": "when", "given": ["x", "y"]}, None),
        ("time,a,a,b", {}, None),
        ("a,b", {"time": "clock"}, None),
        ("1,2,3", {}, None),
    ],
)
def test_the_first_line_tells_the_layout(first, told, expected):
    if expected is None:
        with pytest.raises(ValueError, match=r"stream (must hold|has)"):
            layout_of(first, ("a", "b"), **told)
    else:
        assert layout_of(first, ("a", "b"), **told).said == expected


def test_quotes_missing_values_and_objects_without_keys_are_read():
    said = []
    rows = Rows(layout_of('"a","b"', ("a", "b")), said.append)
    found = rows.parse([b'"a","b"', b'"1,5",2', b'"1.5",', b"NA,?"])
    assert [row.values[0] for row in found][0] == 1.5 and "line 2" in said[0]
    assert np.isnan(found[0].values[1]) and np.isnan(found[1].values).all()
    objects = Rows(layout_of('{"a": 1, "b": null}', ("a", "b")), said.append)
    found = objects.parse([b'{"a": 1}', b'{"z": 1}', b"[1, 2]", b"{"])
    assert len(found) == 1 and np.isnan(found[0].values[1]) and objects.skipped == 3


def test_ten_thousand_lines_are_read_in_well_under_a_second():
    names = ",".join(f"m{i}" for i in range(38))
    rows = Rows(layout_of(names, names.split(",")), lambda sentence: None)
    buffer = io.BytesIO()
    np.savetxt(buffer, np.random.default_rng(0).standard_normal((10_000, 38)), delimiter=",")
    begun = time.process_time()
    assert len(rows.parse(buffer.getvalue().splitlines())) == 9_999  # the first is the header's
    assert time.process_time() - begun < 2


def test_reading_stops_when_asked(tmp_path):
    read, write = os.pipe()
    os.close(write)
    path = tmp_path / "rows.csv"
    path.write_text("a\n1\n")
    source = Source(str(path))
    os.close(read)
    assert list(source.lines(lambda: True)) == []
    source.close()
