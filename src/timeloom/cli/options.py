"""The options that several verbs share, declared once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "AllowPickle",
    "Channels",
    "Columns",
    "Changes",
    "Data",
    "Device",
    "Label",
    "Minutes",
    "Resume",
    "Run",
    "RunOrPretrained",
    "SeriesName",
    "SetName",
    "Steps",
    "Stride",
    "TimeName",
    "Window",
    "WindowStride",
]

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A data set's name (NAME:train and NAME:test are its parts) or a file."
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that fit wrote.")]
RunOrPretrained = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="A run folder that fit or adapt wrote, or pretrained: imagenfew's weights in the "
        "package.",
    ),
]
SetName = Annotated[
    str | None,
    typer.Option("--name", metavar="SET", help="imagenfew: which set; default: the last learned."),
]
SeriesName = Annotated[
    str | None, typer.Option("--series", help="Column that names the series. Guessed where plain.")
]
TimeName = Annotated[
    str | None, typer.Option("--time", help="Column of time stamps. Guessed where plain.")
]
Label = Annotated[
    str | None, typer.Option("--label", help="Column of the label. Guessed where plain.")
]
Channels = Annotated[
    str | None, typer.Option("--channels", help="Measured columns, a,b,c. Default: all others.")
]
AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Load pickled files, which can run any code.")
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window", min=2, help="Time points per window. Default: whole series, if equally long."
    ),
]
Stride = Annotated[
    int, typer.Option("--stride", min=1, help="Time points between the starts of two windows.")
]
WindowStride = Annotated[
    int | None,
    typer.Option("--stride", min=1, help="Time points between two windows. Default: 1."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; repeatable."),
]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Training budget in steps.")]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", help="Training budget in minutes, instead of steps."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]
Device = Annotated[
    str | None, typer.Option("--device", help="auto, cpu, cuda or mps. Default: auto.")
]


@dataclass(frozen=True, slots=True)
class Columns:
    """How the columns of a file are named, as far as the command line says."""

    series: str | None = None
    time: str | None = None
    label: str | None = None
    channels: str | None = None
    allow_pickle: bool = False

    def told(self) -> dict[str, Any]:
        """The arguments by which :func:`timeloom.data.files.read` is told the same."""
        names = None
        if self.channels is not None:
            names = [name.strip() for name in self.channels.split(",") if name.strip()]
        return {
            "series": self.series,
            "time": self.time,
            "label": self.label,
            "channels": names,
            "allow_pickle": self.allow_pickle,
        }
