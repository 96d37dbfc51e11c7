"""The house rules that a machine can check: names, docstrings, examples, the README, habits."""

import ast
import inspect
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import timeloom

PACKAGE = Path(timeloom.__file__).parent
ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# One page per folder; metrics.md is also that of evaluation and report.
PAGES = (
    "data", "diffusion", "nets", "train", "metrics", "utility", "novelty", "detection",
    "compare", "bench", "cli", "advise", "tardiff", "corpus", "imagenfew",
)  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))
LIBRARY = [file for file in FILES if file.parent.name != "cli"]
MODULES = [
    ".".join([PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )
    for file in FILES
    if file.name != "__main__.py"
]


def tree(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def run(code, folder, *arguments):
    """Runs Python in ``folder`` as a user would; its output, and what it said if it failed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("module", MODULES)
def test_every_file_says_first_what_it_answers(module):
    assert (import_module(module).__doc__ or "").strip()


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there_and_is_explained(module):
    for name in getattr(import_module(module), "__all__", ()):
        value = getattr(import_module(module), name)
        if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
            assert (value.__doc__ or "").strip(), name


def test_every_public_name_of_the_package_is_there_and_is_explained():
    for name in timeloom.__all__:
        assert (getattr(timeloom, name).__doc__ or "").strip(), name


def refusals(node):
    """Whether a function raises ValueError itself; what it calls answers for itself."""
    return any(
        isinstance(part, ast.Raise)
        and part.exc is not None
        and ast.unparse(part.exc).startswith("ValueError(")
        for part in ast.walk(node)
    )


def silent(file):
    """Public functions and classes of a file that raise ValueError and do not say so."""
    whole = tree(file)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in whole.body:
        if isinstance(node, functions) and not node.name.startswith("_") and refusals(node):
            yield node.name, ast.get_docstring(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in (part for part in node.body if isinstance(part, functions)):
                if refusals(method) and method.name in ("__init__", "__post_init__"):
                    yield node.name, ast.get_docstring(node)
                elif refusals(method) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", ast.get_docstring(method)


# The docstring of a verb is its help, and what is wrong with its input is its exit status 2. "As
# :func:`other`" hands over to what is said there.
@pytest.mark.parametrize("file", LIBRARY, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_what_refuses_its_input_says_so(file):
    said = re.compile(r"Raises:|\b[Aa]s :(func|meth):")
    unsaid = [name for name, text in silent(file) if not said.search(text or "")]
    assert unsaid == []


def test_no_assert_stands_in_for_an_error():
    found = [
        f"{file.name}:{node.lineno}"
        for file in FILES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def test_nothing_is_left_for_later():
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK|WIP)\b")
    assert [file.name for file in FILES if words.search(file.read_text(encoding="utf-8"))] == []


def test_importing_timeloom_waits_for_neither_torch_nor_pandas(tmp_path):
    code = "import sys, timeloom; print([n for n in ('torch', 'pandas') if n in sys.modules])"
    assert run(["-c", code], tmp_path).strip() == "[]"


def blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)


def test_the_python_of_the_readme_runs(tmp_path):
    shown = blocks(ROOT / "README.md")
    if not shown:
        pytest.skip("the README shows no Python yet")
    run(["-c", "\n".join(shown)], tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_every_page_runs(page, tmp_path):
    run(["-c", "\n".join(blocks(ROOT / "docs" / f"{page}.md"))], tmp_path)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs_and_leaves_something(example, tmp_path):
    out = tmp_path / "out"
    assert run([str(example)], tmp_path, str(out)).strip()
    assert any(out.iterdir())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_short(example):
    assert 10 <= len(example.read_text(encoding="utf-8").splitlines()) <= 60
