"""``timeloom bench``: a published table redone, ours beside it."""

import difflib
import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

import timeloom
from timeloom.cli.inputs import check_output
from timeloom.cli.messages import show, writing

__all__ = ["bench", "names"]


def names() -> list[str]:
    """The tables that can be redone: the modules of ``timeloom.bench``."""
    folder = Path(timeloom.__file__).parent / "bench"
    # A table is a module with a run of its own; importing all of them to ask would take seconds.
    return sorted(file.stem for file in folder.glob("*.py") if "\ndef run(" in file.read_text())


def bench(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="adjusted, alarms, anomaly, anomalyquestions, augment, cmapss, fewshot, fulldata, "
            "metrics, nasdaq, push, sampling, streaming, tokens or wafer.",
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="A small cell only: minutes on a CPU.")
    ] = False,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where records and pages go.")
    ] = Path("results"),
    part: Annotated[
        str, typer.Option(metavar="I/N", help="Every N-th cell from the I-th, to share the work.")
    ] = "1/1",
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="nasdaq: a folder of one CSV per ticker, instead."),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="fewshot: pre-trained run folders, one per variant."),
    ] = None,
    rivals: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="fewshot: clones of Diffusion-TS and ImagenTime."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="adjusted, anomaly, anomalyquestions, fewshot, fulldata: cells that hold TEXT "
            '("seed 0").',
        ),
    ] = None,
) -> None:
    """Redo a table of a paper, with the published figures beside ours."""
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}."
        raise ValueError(f"there is no bench {name!r}; {hint}")
    check_output(out)
    redo = import_module(f"timeloom.bench.{name}").run
    own = _own(name, redo, {"data": data, "runs": runs, "rivals": rivals, "only": only})
    with writing(out):
        for line in redo(quick=quick, folder=out, part=part, **own):
            show(str(line))


def _own(name: str, redo: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The options that only some tables have, of those that were given."""
    own = {option: value for option, value in given.items() if value is not None}
    for option, value in own.items():
        if option not in inspect.signature(redo).parameters:
            what = "reads its own data sets" if option == "data" else f"takes no --{option}"
            raise ValueError(f"bench {name} {what}; leave --{option} out.")
        if isinstance(value, Path) and not value.is_dir():
            what = "a folder of one CSV per ticker" if option == "data" else "a folder"
            raise ValueError(f"--{option} must be {what}; {value} is none.")
    return own
