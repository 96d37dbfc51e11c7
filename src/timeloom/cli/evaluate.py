"""``timeloom evaluate``: real and synthetic windows in, records and a report out."""

from pathlib import Path
from typing import Annotated

import typer

from timeloom.cli import options
from timeloom.cli.inputs import check_data, check_output, load_set, read_windows_of, set_name
from timeloom.cli.messages import say
from timeloom.cli.options import Columns
from timeloom.data.windows import Windows

__all__ = ["evaluate", "report_on"]

TASKS = ("classify", "regress")


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
    seed: Annotated[int, typer.Option("--seed", help="Decides every draw and split.")] = 0,
    stride: options.Stride = 1,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> None:
    """Compare synthetic windows with real ones and write a page that says what was found."""
    if task is not None and task not in TASKS:
        raise ValueError(f"--task must be classify or regress; got {task!r}.")
    check_output(out, (".html",))
    for spec in (real, synthetic, *([] if train is None else [train])):
        check_data(spec)
    columns = Columns(series, time, label, channels, allow_pickle)
    made = _read_synthetic(synthetic, columns)
    length = made.shape[0]
    train = train or _own_train_part(real)
    held_out = read_windows_of(
        real, columns, length=length, stride=stride, part="test", drop_short=True
    )
    reference = None
    if train is not None:
        reference = read_windows_of(
            train, columns, length=length, stride=stride, part="train", drop_short=True
        )
    report_on(held_out, made, reference, task, out, seed, context.obj or [])


def report_on(
    real: Windows,
    synthetic: Windows,
    reference: Windows | None,
    task: str | None,
    out: Path,
    seed: int,
    arguments: list[str],
) -> list[object]:
    """Evaluates, writes the page and ``records.jsonl`` beside it, and shows the rows."""
    raise NotImplementedError


def _own_train_part(real: str) -> str | None:
    """The training part of the set that REAL names without a part, where it has one."""
    named = set_name(real)
    if named is None or named[1] == "train":
        return None
    if not isinstance(load_set(named[0]), tuple):
        return None
    say(f"{named[0]}: comparing with its train part too (--train names another)")
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
