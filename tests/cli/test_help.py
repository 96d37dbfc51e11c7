"""Help and wrong command lines answer at once: nothing slow is imported for them."""

import json
import subprocess
import sys

import pytest

SLOW = ("torch", "pandas", "sklearn", "plotly", "scipy.stats", "accelerate", "pyarrow", "jinja2")

VERBS = (
    "demo data advise fit adapt sample impute extend score evaluate compare bench influence".split()
)
RIGHT = [
    ["--help"],
    ["--version"],
    [],
    *[[verb, "--help"] for verb in VERBS],
]
WRONG = {
    "unknown verb": ["fti"],
    "unknown option": ["fit", "diffmts", "{file}", "-o", "{new}", "--windw", "8"],
    "missing argument": ["fit", "diffmts"],
    "missing option": ["fit", "diffmts", "{file}"],
    "not a number": ["fit", "diffmts", "{file}", "-o", "{new}", "--window", "many"],
    "number out of range": ["fit", "diffmts", "{file}", "-o", "{new}", "--window", "0"],
    "unknown method": ["fit", "difmts", "{file}", "-o", "{new}"],
    "unknown setting": ["fit", "diffmts", "{file}", "-o", "{new}", "--set", "widht=8"],
    "setting of a wrong type": ["fit", "diffmts", "{file}", "-o", "{new}", "--set", "width=wide"],
    "setting without a value": ["fit", "diffmts", "{file}", "-o", "{new}", "--set", "width"],
    "two budgets": ["fit", "diffmts", "{file}", "-o", "{new}", "--steps", "5", "--minutes", "1"],
    "score without a run": ["score", "{new}", "{file}", "-o", "{new}.csv"],
    "missing file": ["fit", "diffmts", "{new}.csv", "-o", "{new}"],
    "folder as data": ["fit", "diffmts", "{folder}", "-o", "{new}"],
    "missing config": ["fit", "diffmts", "{file}", "-o", "{new}", "--config", "{new}.toml"],
    "existing run": ["fit", "diffmts", "{file}", "-o", "{folder}"],
    "run below a file": ["fit", "diffmts", "{file}", "-o", "{file}/run"],
    "setting before folder": ["fit", "diffmts", "{file}", "-o", "{folder}", "--set", "widht=8"],
    "several data": ["fit", "diffmts", "{file}", "{file}", "-o", "{new}"],
    "several lengths": [
        "fit",
        "diffmts",
        "{file}",
        "-o",
        "{new}",
        "--window",
        "8",
        "--window",
        "9",
    ],
    "one name twice": ["fit", "imagenfew", "{file}", "{file}", "-o", "{new}", "--window", "8"],
    "adapt without a run": ["adapt", "{new}", "{file}", "-o", "{new}2"],
    "adapt in an unknown way": ["adapt", "{new}", "{file}", "-o", "{new}2", "--how", "half"],
    "adapt with an unknown setting": ["adapt", "{new}", "{file}", "-o", "{new}2", "--set", "lrr=1"],
    "extend without a length": ["extend", "{new}", "{file}", "-o", "{new}.csv"],
    "extend without a run": ["extend", "{new}", "{file}", "-o", "{new}.csv", "--length", "9"],
    "missing run": ["sample", "{new}", "-n", "5", "-o", "{new}.csv"],
    "no run folder": ["sample", "{folder}", "-n", "5", "-o", "{new}.csv"],
    "no count": ["sample", "{folder}", "-o", "{new}.csv"],
    "two ways to say the labels": ["sample", "{folder}", "-n", "5", "--y", "1", "--like", "{file}"]
    + ["-o", "{new}.csv"],
    "unknown kind of table": ["sample", "{folder}", "-n", "5", "-o", "{new}.docx"],
    "impute without a run": ["impute", "{new}", "{file}", "-o", "{new}.csv"],
    "evaluate without a file": ["evaluate", "{file}", "{new}.csv", "-o", "{new}.html"],
    "unknown task": ["evaluate", "{file}", "{file}", "--task", "guess", "-o", "{new}.html"],
    "page of a wrong kind": ["evaluate", "{file}", "{file}", "-o", "{new}.pdf"],
    "unknown bench": ["bench", "cmaps"],
    "unknown set": ["data", "get", "waffer"],
    "get without a name": ["data", "get"],
}

PROBE = """
import contextlib, io, json, sys
from timeloom.cli import main
outcomes = []
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    slow = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
    outcomes.append([status, out.getvalue(), err.getvalue(), slow])
print(json.dumps(outcomes))
"""


def probe(lines):
    """Status, stdout, stderr and slow modules so far, for each command line, in one process."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(lines), json.dumps(SLOW)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong")
    file = folder / "a.csv"
    file.write_text("unit,cycle,heat\n1,1,0.5\n")
    places = {"file": file, "folder": folder, "new": folder / "new"}
    lines = [[word.format(**places) for word in line] for line in WRONG.values()]
    outcomes = dict(zip(WRONG, probe(lines), strict=True))
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv"]
    return outcomes


def test_help_and_version_import_nothing_slow():
    for line, (status, out, err, slow) in zip(RIGHT, probe(RIGHT), strict=True):
        assert (status, err, slow) == (0, "", []), line
        assert "timeloom" in out


def test_importing_timeloom_imports_nothing_slow():
    code = "import sys, timeloom; print([name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code, *SLOW], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_line_is_refused_at_once_in_one_line(wrong, case):
    status, out, err, slow = wrong[case]
    assert status == 2, err
    assert err.startswith("timeloom: ") and err.count("\n") == 1, err
    assert "Traceback" not in err and out == ""
    assert slow == []


@pytest.mark.parametrize(
    "case, offered",
    [
        ("unknown verb", "fit"),
        ("unknown option", "--window"),
        ("unknown method", "diffmts"),
        ("unknown setting", "width"),
        ("unknown bench", "cmapss"),
        ("missing option", "-o"),
        ("existing run", "--resume"),
        ("setting before folder", "width"),
        ("several data", "imagenfew"),
        ("one name twice", "Rename"),
        ("adapt in an unknown way", "low_rank"),
        ("adapt with an unknown setting", "'lr'"),
        ("extend without a length", "--length"),
    ],
)
def test_what_was_probably_meant_is_offered(wrong, case, offered):
    assert offered in wrong[case][2]


def test_every_verb_is_in_the_help():
    (_, out, _, _), *_ = probe([["--help"]])
    for verb in VERBS:
        assert verb in out
