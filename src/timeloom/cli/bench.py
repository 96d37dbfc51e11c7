"""``timeloom bench``: a published table redone, ours beside it."""

import difflib
import inspect
from importlib import import_module
from pathlib import Path
from typing import Annotated

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
            help="alarms, augment, cmapss, metrics, nasdaq, push, sampling or wafer.",
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
) -> None:
    """Redo a table of a paper, with the published figures beside ours."""
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}."
        raise ValueError(f"there is no bench {name!r}; {hint}")
    check_output(out)
    redo = import_module(f"timeloom.bench.{name}").run
    own = {} if data is None else {"data": data}
    if data is not None and "data" not in inspect.signature(redo).parameters:
        raise ValueError(f"bench {name} reads its own data sets; leave --data out.")
    if data is not None and not data.is_dir():
        raise ValueError(f"--data must be a folder of one CSV per ticker; {data} is none.")
    with writing(out):
        for line in redo(quick=quick, folder=out, part=part, **own):
            show(str(line))
