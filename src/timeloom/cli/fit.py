"""``timeloom fit``: windows in, a run folder out."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from timeloom.cli import options
from timeloom.cli.config import read_config
from timeloom.cli.inputs import check_data, check_output, read_windows_of
from timeloom.cli.messages import leads, say, show, writing
from timeloom.cli.options import Columns
from timeloom.cli.progress import clock, follow
from timeloom.methods import settings as known

__all__ = ["fit"]


def fit(
    context: typer.Context,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="diffmts.")],
    data: options.Data,
    run: Annotated[Path, typer.Option("-o", "--out", metavar="RUN", help="Folder to write.")],
    window: options.Window = None,
    stride: Annotated[
        int | None,
        typer.Option("--stride", min=1, help="Time points between two windows. Default: 1."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; repeatable."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="TOML file of settings; --set wins over it."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training budget in steps.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Training budget in minutes, instead of steps."),
    ] = None,
    device: options.Device = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Default: 0.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> int:
    """Train a method on windows of DATA and write a run folder."""
    columns = Columns(series, time, label, channels, allow_pickle)
    chosen = _settings(method, config, changes or [])
    options_given = {"train_steps": steps, "minutes": minutes, "device": device, "seed": seed}
    chosen |= known.check(method, {k: v for k, v in options_given.items() if v is not None})
    if steps is not None and minutes is not None:
        raise ValueError(
            "--steps and --minutes are two budgets for one training; give one of them."
        )
    if steps is not None:
        # The other budgets would win over the steps if a file of settings listed them.
        chosen |= {"minutes": None, "windows_seen": None}
    length, step = chosen.pop("window", None), chosen.pop("stride", None)
    _check_run(run, resume)
    check_data(data)
    windows = read_windows_of(
        data, columns, length=window or length, stride=stride or step or 1, part="train"
    )
    time_points, count = windows.shape
    say(f"{data}: {len(windows):,} windows of {time_points} time points x {count} channels")
    return _train(context.obj or [], method, chosen, windows, run, resume)


def _train(
    arguments: list[str], method: str, chosen: dict[str, Any], windows: Any, run: Path, resume: bool
) -> int:
    from timeloom.methods import find

    model = find(method)(**chosen)
    try:
        with writing(run):
            last = follow(model.training(windows, folder=run, resume=resume))
    except KeyboardInterrupt:
        again = arguments if resume else [*arguments, "--resume"]
        say(f"stopped; what was learned is saved. Go on with: timeloom {shlex.join(again)}")
        return 130
    if last is not None:
        show(f"trained {last.step:,} steps in {clock(last.seconds)}; the run is in {run}")
    return 0


def _settings(method: str, config: Path | None, changes: list[str]) -> dict[str, Any]:
    known.names(method)  # an unknown method is the first thing to be said
    chosen = {} if config is None else read_config(config, method)
    return chosen | known.check(method, changes)


def _check_run(run: Path, resume: bool) -> None:
    check_output(run)
    # The other processes of one launch may find what the first has just begun to write.
    if resume or not leads() or not run.exists():
        return
    if not run.is_dir():
        raise ValueError(f"-o must name a folder; {run} is a file.")
    if any(run.iterdir()):
        raise ValueError(
            f"{run} exists already; go on with it by --resume, or choose another folder with -o."
        )
