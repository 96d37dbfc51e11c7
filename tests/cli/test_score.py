"""Does ``timeloom score`` find a fault, say which channel it is in, and write what it promises?"""

import numpy as np
import pandas as pd
import pytest
from detectors import CHANNELS, pumps, table, trained

import timeloom as tl
from timeloom.cli import main
from timeloom.data.windows import Series

FAULT = 150


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("detector") / "run")


@pytest.fixture
def data(tmp_path):
    """Two pumps; the second has a fault, and says so in a label."""
    parts = []
    for name, fault in (("a", None), ("b", FAULT)):
        own = table(pumps(300, seed=ord(name), fault=fault))
        own.insert(0, "unit", name)
        own.insert(1, "cycle", np.arange(1, 301) * 10)
        own["anomaly"] = 0
        own.loc[FAULT : FAULT + 9, "anomaly"] = int(fault is not None)
        parts.append(own)
    path = tmp_path / "pumps.csv"
    pd.concat(parts).to_csv(path, index=False)
    return path


def scored(run, data, out, command, *more):
    outcome = command("score", run, data, "-o", out, "--label", "anomaly", *more)
    assert outcome.status == 0, outcome.err
    return outcome


def test_a_table_holds_the_scores_of_every_time_point(run, data, tmp_path, command):
    scored(run, data, tmp_path / "scores.parquet", command)
    found = pd.read_parquet(tmp_path / "scores.parquet")
    blame = [f"score:{name}" for name in CHANNELS]
    assert list(found) == ["unit", "cycle", "step", "score", "threshold", "alarm", *blame]
    assert found.groupby("unit")["step"].apply(list).tolist() == [list(range(300))] * 2
    assert found["cycle"].tolist() == [10 * (i + 1) for i in range(300)] * 2
    detector = tl.load(run, device="cpu")
    series = Series(pd.read_csv(data)[list(CHANNELS)].to_numpy()[300:], channels=CHANNELS)
    own = found[found["unit"] == "b"]
    np.testing.assert_allclose(own["score"], detector.anomaly_scores(series), rtol=1e-6)
    np.testing.assert_allclose(own[blame], detector.channel_scores(series), rtol=1e-6)
    assert own["alarm"].tolist() == detector.predict(series).tolist()


def test_it_says_where_the_fault_is_and_in_which_channel(run, data, tmp_path, command):
    said = scored(run, data, tmp_path / "scores.csv", command).out
    assert "2 recordings, 600 time points" in said
    worst = next(line for line in said.splitlines() if line.startswith("worst: b, "))
    begin, end = (int(part) for part in worst.split(", ")[1].split(" (")[0].split(" to "))
    assert begin <= 10 * (FAULT + 10) and end >= 10 * (FAULT + 1)
    assert "to blame: press" in worst
    assert "label 'anomaly', not used for scoring: 1 event, 1 with an alarm" in said


def test_labels_change_no_score(run, data, tmp_path, command):
    scored(run, data, tmp_path / "with.csv", command)
    bare = tmp_path / "bare.csv"
    pd.read_csv(data).drop(columns="anomaly").to_csv(bare, index=False)
    assert command("score", run, bare, "-o", tmp_path / "without.csv").status == 0
    both = [(tmp_path / name).read_text() for name in ("with.csv", "without.csv")]
    assert both[0] == both[1]


def test_csv_and_npz_hold_the_same(run, data, tmp_path, command):
    for name in ("scores.csv", "scores.npz"):
        scored(run, data, tmp_path / name, command)
    found = pd.read_csv(tmp_path / "scores.csv")
    with np.load(tmp_path / "scores.npz") as file:
        np.testing.assert_allclose(file["score"], found["score"], rtol=1e-9)
        assert file["channel_scores"].shape == (600, 3)
        assert file["channels"].tolist() == list(CHANNELS)
        assert file["unit"].tolist() == found["unit"].tolist()


def test_channels_are_found_by_name_in_any_order_and_others_left_out(run, data, tmp_path, command):
    scored(run, data, tmp_path / "one.csv", command)
    mixed = pd.read_csv(data)[["unit", "cycle", "speed", "press", "anomaly", "heat"]]
    mixed.assign(noise=1.5).to_csv(tmp_path / "mixed.csv", index=False)
    said = scored(run, tmp_path / "mixed.csv", tmp_path / "two.csv", command)
    assert "left out, since the run does not know them: noise" in said.err
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()


def test_channels_without_names_are_matched_by_number(run, tmp_path, command, refused):
    np.save(tmp_path / "bare.npy", pumps(100))
    np.save(tmp_path / "four.npy", np.ones((100, 4)))
    assert command("score", run, tmp_path / "bare.npy", "-o", tmp_path / "s.csv").status == 0
    assert "score:press" in pd.read_csv(tmp_path / "s.csv")
    said = refused("score", run, tmp_path / "four.npy", "-o", tmp_path / "t.csv")
    assert "3 channels" in said and "got 4" in said


def test_missing_channels_are_named(run, data, tmp_path, refused):
    pd.read_csv(data).rename(columns={"heat": "warmth"}).to_csv(data, index=False)
    said = refused("score", run, data, "-o", tmp_path / "s.csv")
    assert "heat" in said and "warmth" in said and "--channels" in said
    assert not (tmp_path / "s.csv").exists()


def test_a_rarer_alarm_rate_raises_the_threshold(run, data, tmp_path, command, refused):
    limits = []
    for rate in (0.2, 0.05):
        scored(run, data, tmp_path / "s.csv", command, "--alarm-rate", rate)
        limits.append(pd.read_csv(tmp_path / "s.csv")["threshold"][0])
    assert limits[1] > limits[0]
    scored(run, data, tmp_path / "s.csv", command)
    scored(run, data, tmp_path / "t.csv", command, "--alarm-rate", 0.02)  # the run's own
    own, again = (pd.read_csv(tmp_path / name)["threshold"][0] for name in ("s.csv", "t.csv"))
    assert again == pytest.approx(own, rel=1e-12)
    said = refused("score", run, data, "-o", tmp_path / "u.csv", "--alarm-rate", 1e-9)
    assert "cannot promise" in said


def test_a_page_can_be_written_alone(run, data, tmp_path, command):
    outcome = command("score", run, data, "--page", tmp_path / "scores.html")
    assert outcome.status == 0, outcome.err
    text = (tmp_path / "scores.html").read_text()
    assert "press" in text and "timeloom score" in text


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "-o"),
        (["-o", "scores.docx"], ".parquet"),
        (["-o", "s.csv", "--once"], "--follow"),
        (["-o", "s.csv", "--alarm-rate", "2"], "between 0 and 1"),
        (["--page", "s.pdf"], ".html"),
        (["--follow", "--page", "s.html"], "--page"),
        (["--follow", "-o", "s.parquet"], ".jsonl"),
        (["--follow", "--state", "s.json"], ".npz"),
    ],
)
def test_what_does_not_go_together_is_refused(run, data, refused, more, told):
    assert told in refused("score", run, data, *more)


def test_standard_input_needs_follow(run, refused):
    assert "--follow" in refused("score", run, "-", "-o", "s.csv")


def test_a_run_of_a_generator_gives_no_scores(fitted, data, refused):
    assert "ddmt" in refused("score", fitted, data, "-o", "s.csv")


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_detector_is_trained_from_the_command_line_without_its_labelled_faults(tmp_path, capsys):
    own = table(pumps(400, seed=3, fault=FAULT))
    own["anomaly"] = 0
    own.loc[FAULT : FAULT + 9, "anomaly"] = 1
    own.to_csv(tmp_path / "normal.csv", index=False)
    line = ["fit", "ddmt", str(tmp_path / "normal.csv"), "--label", "anomaly", "--window", "16"]
    line += ["-o", str(tmp_path / "run"), "--steps", "3", "--set", "width=8", "--device", "cpu"]
    assert main(line) == 0
    said = capsys.readouterr()
    assert "1 recording, 400 time points x 3 channels" in said.out + said.err
    assert "10 time points that are labelled as anomalies" in said.err
    assert tl.load(tmp_path / "run").window_ == 16
