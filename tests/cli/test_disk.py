"""Full disks, closed folders and killed processes: nothing half written, and a way to go on."""

import errno
import json
import os
import signal

import pytest
from recordings import SMALL

from timeloom.cli.messages import one_line, os_sentence, ours, writing

resource = pytest.importorskip("resource")

LONG = ["--window", "8", "--steps", "60", *SMALL]


def small_files():
    """In the child: no file may grow beyond 4 kB, which acts as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_full_disk_leaves_no_table(start, fitted, tmp_path):
    out = tmp_path / "out.csv"
    process = start("sample", fitted, "-n", 200, "-o", out, preexec_fn=small_files)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert err.count("\n") == 1 and str(out) in err
    assert left_in(tmp_path) == []


def test_a_full_disk_leaves_no_weights(start, file, tmp_path):
    arguments = [
        "fit",
        "diffmts",
        file,
        "-o",
        tmp_path / "run",
        "--window",
        8,
        "--steps",
        4,
        *SMALL,
    ]
    process = start(*arguments, preexec_fn=small_files)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert "Traceback" not in err and str(tmp_path / "run") in err.splitlines()[-1]
    assert not [name for name in left_in(tmp_path / "run") if "safetensors" in name]


@pytest.mark.parametrize("place", ["{file}/out.csv", "/proc/timeloom/out.csv"])
def test_a_place_that_cannot_be_written_is_refused(refused, fitted, file, place):
    out = place.format(file=file)
    assert out.removesuffix("/out.csv") in refused("sample", fitted, "-n", 3, "-o", out)


def test_a_run_where_nothing_can_be_written_is_refused(refused, file):
    refused("fit", "diffmts", file, "-o", "/proc/timeloom/run", "--window", 8, *SMALL)


def test_a_folder_without_permission_is_refused(refused, fitted, tmp_path, monkeypatch):
    real = os.access  # changed, as the tests may run as root, who may do everything
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and real(path, mode))
    assert "permission" in refused("sample", fitted, "-n", 3, "-o", tmp_path / "out.csv")


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.ENOSPC, "no space left"),
        (errno.EACCES, "permission"),
        (errno.EROFS, "read-only"),
        (errno.EISDIR, "is a folder"),
    ],
)
def test_an_error_of_the_system_becomes_a_sentence_with_the_path(number, words):
    sentence = os_sentence(OSError(number, os.strerror(number), "place/out.csv"))
    assert words in sentence and "place/out.csv" in sentence


def test_a_full_disk_that_a_library_reports_in_its_own_way_is_recognised():
    with pytest.raises(OSError) as caught, writing("run"):
        raise RuntimeError("Error while serializing: IoError(Os { code: 28, kind: StorageFull })")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "run")


def test_only_a_value_error_that_timeloom_raised_is_the_users():
    import numpy as np

    from timeloom.data.windows import Windows

    with pytest.raises(ValueError) as about_input:
        Windows(np.zeros(3))
    with pytest.raises(ValueError) as defect:
        np.zeros(3) + np.zeros(4)
    assert ours(about_input.value) and not ours(defect.value)


def test_one_line_has_no_line_breaks():
    assert one_line("a\n  b\n") == "a b"


def stop_at_first_report(process, number):
    """Sends a signal as soon as training has said something; gives what was said afterwards."""
    assert process.stdout.readline().startswith("fit")
    process.send_signal(number)
    return process.communicate(timeout=120)


def losses(run):
    lines = (run / "train.jsonl").read_text().splitlines()
    return [(line["step"], line["loss"], line["validation"]) for line in map(json.loads, lines)]


def test_a_run_that_is_stopped_and_killed_goes_on_to_the_same_weights(start, file, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unbroken = start("fit", "diffmts", file, "-o", whole, *LONG)
    arguments = ["fit", "diffmts", file, "-o", broken, *LONG]

    stopped = start(*arguments)
    _, err = stop_at_first_report(stopped, signal.SIGINT)
    assert stopped.returncode == 130, err
    assert f"timeloom fit diffmts {file} -o {broken}" in err and err.rstrip().endswith("--resume")
    assert not (broken / "weights.safetensors").exists()

    killed = start(*arguments, "--resume")
    stop_at_first_report(killed, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL

    last = start(*arguments, "--resume")
    _, err = last.communicate(timeout=240)
    assert last.returncode == 0, err
    unbroken.communicate(timeout=240)
    assert losses(broken) == losses(whole)
    weights = [(run / "weights.safetensors").read_bytes() for run in (whole, broken)]
    assert weights[0] == weights[1]


def test_a_run_killed_before_its_first_checkpoint_starts_anew(start, command, file, tmp_path):
    arguments = ["fit", "diffmts", file, "-o", tmp_path / "run", *LONG]
    stop_at_first_report(start(*arguments), signal.SIGKILL)
    outcome = command(*arguments, "--steps", 4, "--resume")
    assert outcome.status == 0, outcome.err
    assert (tmp_path / "run" / "weights.safetensors").exists()
