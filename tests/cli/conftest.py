"""A real command line in this process, and small recordings to give it."""

import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from recordings import SMALL, engines

from timeloom.cli import main


@dataclass
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture
def command(capfd):
    """Runs ``timeloom ...`` in this process."""

    def run(*arguments):
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return Outcome(status, said.out, said.err)

    return run


@pytest.fixture
def refused(command):
    """Runs ``timeloom ...``, which must refuse with exit status 2 and one line; gives the line."""

    def run(*arguments):
        outcome = command(*arguments)
        lines = [line for line in outcome.err.splitlines() if line.startswith("timeloom: ")]
        assert (outcome.status, len(lines)) == (2, 1), outcome.err
        assert outcome.err.splitlines()[-1] == lines[0]
        assert "Traceback" not in outcome.err
        return lines[0]

    return run


@pytest.fixture
def start():
    """Starts ``timeloom ...`` as a process of its own."""
    started = []

    def run(*arguments, **how):
        process = subprocess.Popen(
            [sys.executable, "-m", "timeloom.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            **how,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def table():
    return engines()


@pytest.fixture
def file(tmp_path, table):
    path = tmp_path / "engines.csv"
    table.to_csv(path, index=False)
    return path


def _fit(path, run):
    return main(
        ["fit", "diffmts", str(path), "-o", str(run), "--window", "8", "--steps", "6", *SMALL]
    )


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """A run folder, trained on values for a moment."""
    folder = tmp_path_factory.mktemp("fitted")
    engines().to_csv(folder / "engines.csv", index=False)
    assert _fit(folder / "engines.csv", folder / "run") == 0
    return folder / "run"


@pytest.fixture(scope="session")
def fitted_on_classes(tmp_path_factory):
    """A run folder, trained on the classes ``good`` and ``worn``."""
    folder = tmp_path_factory.mktemp("classes")
    table = engines()
    table["state"] = np.where(table.pop("rul") < 15, "worn", "good")
    table.to_csv(folder / "engines.csv", index=False)
    arguments = ["fit", "diffmts", folder / "engines.csv", "-o", folder / "run", "--window", 8]
    assert main([str(a) for a in [*arguments, "--label", "state", "--steps", 6, *SMALL]]) == 0
    return folder / "run"
