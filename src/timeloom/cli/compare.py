"""``timeloom compare``: a plan in, one cell after another, a table of ranks out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timeloom.cli.inputs import check_output
from timeloom.cli.messages import say, show, writing
from timeloom.cli.progress import meter, table

if TYPE_CHECKING:
    from timeloom.evaluation.plan import Cell, Plan
    from timeloom.report.ranks import Ranks

__all__ = ["compare"]


def compare(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="TOML: sets, methods, seeds.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where cells and tables go.")
    ],
    shard: Annotated[
        str, typer.Option("--shard", metavar="I/N", help="Every N-th cell from the I-th.")
    ] = "1/1",
    again: Annotated[
        bool, typer.Option("--again", help="Measure changed and failed cells from the beginning.")
    ] = False,
    only_table: Annotated[
        bool, typer.Option("--table", help="Measure nothing; make the tables of what is there.")
    ] = False,
    export: Annotated[
        bool, typer.Option("--export", help="Write the sets' windows, to train others on; end.")
    ] = False,
) -> int:
    """Compare methods on sets over seeds and write a table of ranks, with floors."""
    part = _part(shard)
    check_output(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"-o must name a folder; {out} is a file.")
    if not plan.is_file():
        raise ValueError(f"there is no plan {plan}; expected a TOML file.")
    from timeloom.evaluation.compare import prepare
    from timeloom.evaluation.plan import read_plan

    read = read_plan(plan)
    try:
        with writing(out):
            failed = {}
            if export:
                return _export(read, out)
            if not only_table:
                left = prepare(read, out, part=part, again=again)
                whole = len(read.cells(part))
                say(f"{whole} cells, {whole - len(left)} of them measured before")
                failed = _run(read, left, out)
            _tables(read, out)
    except KeyboardInterrupt:
        say("stopped; what was measured and learned is saved. The same command goes on with it.")
        return 130
    for name, why in failed.items():
        say(f"failed: {name}: {why}")
    return 1 if failed else 0


def _export(plan: "Plan", folder: Path) -> int:
    """Writes what a generator of one's own is trained on, and what it will be compared with."""
    from timeloom.data.files import write
    from timeloom.evaluation.compare import training_windows

    for data in plan.sets:
        for name, windows in zip(("train", "held_out"), training_windows(data), strict=True):
            path = folder / "windows" / f"{data.folder}-{name}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            show(f"{path}: {write(path, windows):,} windows")
    return 0


def _run(plan: "Plan", cells: "list[Cell]", folder: Path) -> dict[str, str]:
    """Measures the cells; gives the reasons of those that failed, by name."""
    from timeloom.evaluation.compare import attempt

    failed = {}
    for number, cell in enumerate(cells, start=1):
        with meter(f"[{number}/{len(cells)}] {cell.name}") as shown:
            for stage in attempt(plan, cell, folder):
                shown.at(stage.share, stage.text)
                if stage.state == "failed":
                    failed[cell.name] = stage.text
    return failed


def _tables(plan: "Plan", folder: Path) -> None:
    from timeloom.evaluation.compare import gather
    from timeloom.report.ranks import rank, write_ranks

    records, missing = gather(plan, folder)
    ranks = rank(records, missing)
    page = write_ranks(folder, ranks, records)
    _show(ranks)
    waiting = sum(why == "not measured yet" for why in missing.values())
    if waiting:
        show(f"\n{waiting} of {len(plan.cells())} cells are not measured yet.")
    show(f"\nThe page is {page}; {folder / 'ranks.jsonl'} holds the figures.")


def _show(ranks: "Ranks") -> None:
    from timeloom.report.ranks import summary

    rows = summary(ranks)
    if not ranks.rows:
        return
    show("\nMean ranks (1 is best; in brackets: where a reference would stand)")
    table(list(rows[0]), [["-" if cell is None else cell for cell in r.values()] for r in rows])
    for method, said in ranks.copies.items():
        show(f"{method} {said}.")
    show(ranks.notes[0])


def _part(text: str) -> tuple[int, int]:
    first, slash, parts = text.partition("/")
    if slash and first.isdecimal() and parts.isdecimal() and 1 <= int(first) <= int(parts):
        return int(first), int(parts)
    raise ValueError(f"--shard must be i/n with 1 <= i <= n, for example 1/2; got {text!r}.")
