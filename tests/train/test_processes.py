"""Two processes, started as a user would, against one with the doubled batch."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.methods.toy import waves
from timeloom.data.files import write
from timeloom.data.windows import Windows

METHODS = {
    "diffmts": ["--label", "load", "--set", "mmd=adaptive"],
    "imagenfew": ["--set", "token_drop=0.5", "--set", "held_out=0.2"],
    "imagenfew, no known points": ["--set", "known=0", "--set", "held_out=0.2"],
}


def fit(folder, table, method, *launcher):
    tables = [str(table)]
    if method != "diffmts":  # sets of different shapes
        tables.append(str(table.with_name("one.parquet")))
    command = [
        *launcher, "fit", method.partition(",")[0], *tables, "-o", str(folder), "--window", "16",
        *METHODS[method], "--set", "width=8", "--set", "batch=32", "--steps", "12",
        "--device", "cpu",
    ]  # fmt: skip
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = (folder / "train.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_reach_the_loss_curve_of_one(method, tmp_path):
    table = tmp_path / "waves.parquet"
    write(table, waves())
    whole = waves(seed=3)
    write(tmp_path / "one.parquet", Windows(whole.x[:, :, :1], channels=("low",)))
    one = fit(tmp_path / "one", table, method, sys.executable, "-m", "timeloom.cli")
    two = fit(
        tmp_path / "two", table, method,
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu",
        "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no",
        "--dynamo_backend", "no", "--main_process_port", "0", "-m", "timeloom.cli",
    )  # fmt: skip
    assert [row["step"] for row in one] == [row["step"] for row in two]
    assert [row["seen"] for row in one] == [row["seen"] for row in two]
    np.testing.assert_allclose(
        [row["loss"] for row in two], [row["loss"] for row in one], rtol=2e-4
    )
    np.testing.assert_allclose(two[-1]["validation"], one[-1]["validation"], rtol=2e-4)


@pytest.mark.parametrize("batch", [33])
def test_a_batch_that_two_processes_cannot_share_is_refused(batch, tmp_path):
    table = tmp_path / "waves.parquet"
    write(table, waves())
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--main_process_port", "0", "-m", "timeloom.cli", "fit", "diffmts", str(table),
        "-o", str(tmp_path / "run"), "--window", "16", "--label", "load", "--set",
        f"batch={batch}", "--device", "cpu",
    ]  # fmt: skip
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode != 0
    assert "batch must be a multiple of the 2 processes; got 33" in done.stderr
