"""``timeloom extend``: recordings in, the same recordings with a drawn future out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from timeloom.cli import options
from timeloom.cli.impute import role_names, write_series
from timeloom.cli.inputs import check_data, check_tables, read_data, run_folder
from timeloom.cli.messages import say, show, writing
from timeloom.cli.options import Columns
from timeloom.data.windows import Series, Windows, cut
from timeloom.methods.settings import read_run

__all__ = ["extend"]


def extend(
    run: options.RunOrPretrained,
    data: options.Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help=".parquet, .csv or .npz to write.")
    ],
    length: Annotated[
        int, typer.Option("--length", min=1, help="Time points of every recording that comes out.")
    ],
    name: options.SetName = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Sampling steps.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides what is drawn.")] = 0,
    device: options.Device = None,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> None:
    """Go on with every recording of DATA until it has --length time points.

    What is recorded stays as it is. Another --seed draws another possible future.
    """
    check_tables(out)
    folder = run_folder(run)
    method = read_run(folder)["method"]
    if method != "imagenfew":
        raise ValueError(
            f"extend goes on with recordings by a run of imagenfew; {run} is one of {method}. "
            "Give a run of imagenfew, or pretrained."
        )
    check_data(data)
    columns = Columns(series, time, label, channels, allow_pickle)
    found = read_data(data, columns, part="test")
    _check_lengths(found, length)
    from timeloom.data.files import write
    from timeloom.methods import load

    model = load(folder, **({} if device is None else {"device": device}))
    known = model.domains_[model.domains_.named(name)].lengths
    longer = _go_on(model, found, length, max(known), name=name, seed=seed, steps=steps)
    names = role_names(data, columns)
    out.parent.mkdir(parents=True, exist_ok=True)
    with writing(out):
        if out.suffix.lower() == ".npz" or names == ("window", "step"):
            write(out, cut(longer, length))
        else:
            write_series(out, longer, *names)
    show(f"{len(longer):,} recordings go on to {length:,} time points; the result is in {out}")


def _check_lengths(found: list[Series], length: int) -> None:
    longest = max(found, key=len)
    if len(longest) > length:
        raise ValueError(
            f"--length must be at least that of every recording; '{longest.name}' has "
            f"{len(longest):,} time points, --length is {length:,}."
        )


def _go_on(model: Any, found: list[Series], length: int, window: int, **how: Any) -> list[Series]:
    """All recordings at ``length``: the last half ``window`` of each is what is gone on from."""
    # Only so much is looked at, so recordings of different lengths can be drawn at once.
    seen = min(window - window // 2, *(len(one) for one in found))
    ends = np.stack([one.values[len(one) - seen :] for one in found])
    missing = [length - len(one) for one in found]
    drawn = model.extend(Windows(ends, channels=found[0].channels), seen + max(missing), **how).x[
        :, seen:
    ]
    if any(one.label is not None and len(set(np.ravel(one.label))) > 1 for one in found):
        say("labels change within a recording, so those of the future are unknown: left out")
        found = [replace(one, label=None) for one in found]
    return [
        replace(
            one,
            values=np.concatenate([one.values, future[:new].astype(one.values.dtype)]),
            time=None if one.time is None else _times(one.time, new),
            label=None if one.label is None else np.ravel(one.label)[0],
        )
        for one, future, new in zip(found, drawn, missing, strict=True)
    ]


def _times(time: Any, new: int) -> Any:
    """Time stamps that go on for ``new`` time points by the usual distance."""
    apart = np.sort(np.diff(time)) if len(time) > 1 else np.ones(1, dtype=int)
    step = apart[len(apart) // 2]
    return np.concatenate([time, time[-1] + step * np.arange(1, new + 1)])
