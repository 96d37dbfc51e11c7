"""``timeloom adapt``: a fitted run and a few windows in, a run that knows a new set out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from timeloom.cli import options
from timeloom.cli.inputs import check_data, plain_name, read_windows_of, run_folder
from timeloom.cli.messages import say
from timeloom.cli.options import Columns
from timeloom.cli.training import check_budget, check_new_run, run_to_end, say_labels_unused
from timeloom.data.windows import Windows
from timeloom.methods import settings as known

if TYPE_CHECKING:
    from timeloom.train import Progress

__all__ = ["adapt"]

HOW = ("auto", "full", "low_rank", "token")


def adapt(
    context: typer.Context,
    run: options.RunOrPretrained,
    data: options.Data,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="RUN2", help="Folder to write.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the new set. Default: that of DATA.")
    ] = None,
    how: Annotated[
        str,
        typer.Option(
            "--how",
            help="What is trained: full, low_rank, token, or auto: by the number of windows.",
        ),
    ] = "auto",
    window: options.Window = None,
    stride: options.WindowStride = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--windows", metavar="K", min=1, help="Take K windows at random. Default: all."
        ),
    ] = None,
    changes: options.Changes = None,
    steps: options.Steps = None,
    minutes: options.Minutes = None,
    device: options.Device = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Decides the training, and which windows K are.")
    ] = 0,
    resume: options.Resume = False,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> int:
    """Teach a run of imagenfew a new set from a few windows of DATA; RUN stays as it is."""
    check_budget(steps, minutes)
    if how not in HOW:
        raise ValueError(f"--how must be one of {', '.join(HOW)}; got {how!r}.")
    settings = {"seed": seed} | known.check("imagenfew", changes or [])
    if steps is not None:
        settings |= {"train_steps": steps, "minutes": None, "windows_seen": None}
    if minutes is not None:
        settings["minutes"] = minutes
    folder = _check_run(run)
    check_new_run(out, resume)
    check_data(data)
    columns = Columns(series, time, label, channels, allow_pickle)
    few = read_windows_of(data, columns, length=window, stride=stride or 1, part="train")
    name = plain_name(data) if name is None else name
    few = _some(data, few, count, seed)
    say(f"{data}: {len(few):,} windows of {few.shape[0]} time points x {few.shape[1]} channels")
    say_labels_unused(few)
    where = {} if device is None else {"device": device}
    more = {"name": name, "how": how, "folder": out, "resume": resume, **settings}
    arguments = context.obj or []
    return run_to_end(
        lambda: _begin(folder, where, few, more), out, arguments=arguments, resume=resume
    )


def _begin(
    folder: Path, where: dict[str, Any], few: Windows, more: dict[str, Any]
) -> Iterator["Progress"]:
    from timeloom.methods import load

    return load(folder, **where).adapting(few, **more)[1]


def _check_run(run: Path) -> Path:
    """The folder of a run that can be adapted."""
    folder = run_folder(run)
    method = known.read_run(folder)["method"]
    if method != "imagenfew":
        raise ValueError(
            f"adapt teaches a generator of many sets a new one, which imagenfew is; {run} is a run "
            f"of {method}. Give a run of imagenfew, or pretrained, or fit {method} on the new data."
        )
    return folder


def _some(data: str, windows: Windows, count: int | None, seed: int) -> Windows:
    """``count`` of the windows, drawn by the seed, in the order in which they stand."""
    if count is None:
        return windows
    if count > len(windows):
        raise ValueError(
            f"--windows must be at most the {len(windows):,} windows that {data} gives; got "
            f"{count:,}. Leave --windows out to take all, or give a smaller --stride or --window."
        )
    return windows[np.sort(np.random.default_rng(seed).permutation(len(windows))[:count])]
