"""``timeloom evaluate``: real and synthetic windows in, records and a report out."""

import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import timeloom
from timeloom.cli import options
from timeloom.cli.inputs import check_data, check_output, load_set, read_windows_of, set_name
from timeloom.cli.messages import problem, say, show, writing
from timeloom.cli.options import Columns
from timeloom.cli.progress import track
from timeloom.data.windows import Windows
from timeloom.report.gates import Gate, check_gates, failed_gates, parse_gate

if TYPE_CHECKING:
    from timeloom.evaluation import Report

__all__ = ["evaluate", "report_on"]

TASKS = ("classify", "regress")
GATE_BROKEN = 3  # exit status


def evaluate(
    context: typer.Context,
    real: Annotated[str, typer.Argument(metavar="REAL", help="Real DATA the run did not see.")],
    synthetic: Annotated[str, typer.Argument(metavar="SYNTHETIC", help="Table of windows.")],
    train: Annotated[
        str | None, typer.Option("--train", metavar="TRAIN", help="DATA the run was trained on.")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="classify or regress. Default: from the labels.")
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The page; records.jsonl beside it.")
    ] = Path("report.html"),
    seed: Annotated[int, typer.Option("--seed", help="First of the seeds.")] = 0,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="How many seeds; their spread is shown.")
    ] = 3,
    limit: Annotated[
        int, typer.Option("--limit", min=10, help="Windows per side and seed at most.")
    ] = 2000,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            "--gate",
            metavar="DEMAND",
            help="As 'tstr_auroc>=0.9' (>=, <=, >, <) or no-fail; exit status 3 where it does "
            "not hold. May be given several times.",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            metavar="NAME",
            help="Measure this too: discriminative_score (the published one: half a minute), "
            "predictive_score, acd, mdd, ... May be given several times.",
        ),
    ] = None,
    stride: options.Stride = 1,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> None:
    """Compare synthetic windows with real ones and write a page that says what was found.

    Exit status: 0 done, 2 wrong input, 3 a --gate does not hold (page and records are written).
    """
    gates = [parse_gate(text) for text in gate or ()]
    if task is not None and task not in TASKS:
        raise ValueError(f"--task must be classify or regress; got {task!r}.")
    check_output(out, (".html",))
    for spec in (real, synthetic, *([] if train is None else [train])):
        check_data(spec)
    columns = Columns(series, time, label, channels, allow_pickle)
    made = _read_synthetic(synthetic, columns)
    train = train or _own_train_part(real)
    parts = {"test": real} if train is None else {"test": real, "train": train}
    for spec in parts.values():
        _check_length(spec, made)
    cut = {
        part: read_windows_of(
            spec, columns, length=made.shape[0], stride=stride, part=part, drop_short=True
        )
        for part, spec in parts.items()
    }
    report = report_on(
        cut["test"],
        made,
        cut.get("train"),
        task=task,
        out=out,
        seeds=range(seed, seed + seeds),
        limit=limit,
        names=(synthetic, real),
        made={"command": _command(context.obj)},
        gates=gates,
        also=also or (),
    )
    broken = failed_gates(report.records, gates) if gates else []
    for line in broken:
        problem(line)
    if broken:
        raise typer.Exit(GATE_BROKEN)


def report_on(
    real: Windows,
    synthetic: Windows,
    reference: Windows | None,
    *,
    task: str | None,
    out: Path,
    seeds: range,
    limit: int,
    names: tuple[str, str],
    made: Mapping[str, Any],
    gates: Sequence[Gate] = (),
    also: Sequence[str] = (),
) -> "Report":
    """Evaluates, writes the page and ``records.jsonl`` beside it, and shows the rows.

    Args:
        real: Held-out real windows.
        synthetic: Synthetic windows.
        reference: The windows that the generator was trained on, or None.
        task: ``"classify"``, ``"regress"`` or None: from the labels.
        out: The page.
        seeds: One measurement per seed.
        limit: Windows per side and seed at most.
        names: What the synthetic and the real windows are called.
        made: How the windows were made, for the page.
        gates: What they name is measured even where an evaluation would not do so unasked.
        also: Further measures, by name.

    Raises:
        ValueError: If the two sides cannot be compared, or a gate or ``also`` names no measure.
    """
    from timeloom.evaluation import Report, evaluate_rows, known_metrics, planned
    from timeloom.methods.estimator import fingerprint

    sides = (real, synthetic, reference, task)
    measured, known = planned(*sides), known_metrics()
    for name in also:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise ValueError(f"--also names no measure: {name!r}; {hint}")
    wanted = [*also, *(gate.metric for gate in gates if gate.metric in known)]
    asked = [name for name in wanted if name not in measured]
    if asked:
        measured = planned(*sides, metrics=[*measured, *asked])
    check_gates(gates, measured, known)
    rows = evaluate_rows(
        real,
        synthetic,
        reference,
        task=task,
        seeds=list(seeds),
        method=names[0],
        data=names[1],
        limit=limit,
        metrics=measured if asked else None,
    )
    records = tuple(track(rows, "evaluate", len(measured), unit="measures", by_size=False))
    report = Report(records, real, synthetic, reference)
    about = {
        "version": timeloom.__version__,
        "seed": seeds.start,
        "seeds": len(seeds),
        "data": f"{names[1]} ({fingerprint(real)})",
        "synthetic": f"{names[0]} ({fingerprint(synthetic)})",
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with writing(out):
        report.save_records(out.with_name("records.jsonl"))
        report.to_html(out, made={**made, **about})
    _show(report)
    show(f"\nThe page is {out}; {out.with_name('records.jsonl')} holds the figures.")
    return report


def _check_length(spec: str, made: Windows) -> None:
    """Refuses finished windows of another length, which would be cut anew as if recordings."""
    if set_name(spec) is not None or Path(spec).suffix.lower() != ".npz":
        return
    import numpy as np

    with np.load(spec) as arrays:
        shape = arrays["x"].shape if "x" in arrays else ()
    if len(shape) == 3 and shape[1] != made.shape[0]:
        raise ValueError(
            f"{spec} holds windows of {shape[1]} time points, the synthetic ones have "
            f"{made.shape[0]}; cut both alike."
        )


def _show(report: "Report") -> None:
    from timeloom.report.terminal import summary

    show(f"\n{report.headline}\n\n{summary(report.records)}")


def _command(arguments: list[str] | None) -> str:
    """The command line as it was given."""
    return shlex.join(["timeloom", *(arguments or [])])


def _own_train_part(real: str) -> str | None:
    """The training part of the set that REAL names without a part, where it has one."""
    named = set_name(real)
    if named is None or named[1] == "train" or not isinstance(load_set(named[0]), tuple):
        return None
    say(f"{named[0]}: its train part stands for what was trained on (--train names another)")
    return f"{named[0]}:train"


def _read_synthetic(spec: str, columns: Columns) -> Windows:
    """Windows of SYNTHETIC, whose windows and steps have columns of their own."""
    if set_name(spec) is not None:
        return read_windows_of(spec, columns)
    from timeloom.data.files import read_windows

    if Path(spec).suffix.lower() == ".npz":
        return read_windows(spec, allow_pickle=columns.allow_pickle)
    # The columns of series and time are those of REAL.
    own = Columns(label=columns.label, channels=columns.channels)
    said: list[str] = []
    windows = read_windows(spec, **own.told(), said=said)
    for sentence in said:
        say(f"{spec}: {sentence}")
    return windows
