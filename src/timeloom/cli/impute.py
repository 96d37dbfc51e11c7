"""``timeloom impute``: what was not measured, drawn by a trained run to fit what was."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from timeloom.cli import options
from timeloom.cli.inputs import (
    check_data,
    check_generates,
    check_of_sets,
    check_tables,
    read_data,
    run_folder,
    set_name,
)
from timeloom.cli.messages import say, show, writing
from timeloom.cli.options import Columns
from timeloom.data.windows import Series, cut, stitch
from timeloom.methods.settings import read_run

__all__ = ["impute", "role_names", "write_series"]


def impute(
    run: options.RunOrPretrained,
    data: options.Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help=".parquet, .csv or .npz to write.")
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
    """Fill what is missing in DATA; every measured value stays as it is.

    Recordings come back as a long table of recordings, windows of the run's length as windows.
    """
    check_tables(out)
    folder = run_folder(run)
    method = read_run(folder)["method"]
    if method == "tardiff":
        raise ValueError(
            f"{run} steers what is generated and fills nothing in; give its generator's run, "
            f"{run / 'generator'}."
        )
    check_generates(method, run)
    check_of_sets(method, run, name=name)
    check_data(data)
    columns = Columns(series, time, label, channels, allow_pickle)
    found = read_data(data, columns, part="test")
    from timeloom.data.files import write
    from timeloom.methods import load

    model = load(folder, **({} if device is None else {"device": device}))
    which = {"name": name} if method == "imagenfew" else {}
    length = _length(model, found, **which)
    windows = cut(found, length, stride=length)
    holes = sum(int(np.isnan(one.values).sum()) for one in found)
    say(f"imputing {holes:,} missing values in {len(windows):,} windows")
    filled = model.impute(windows, seed=seed, steps=steps, **which)
    out.parent.mkdir(parents=True, exist_ok=True)
    with writing(out):
        if out.suffix.lower() == ".npz" or all(len(one) == length for one in found):
            write(out, filled)
        else:
            whole = stitch(filled.x, windows)
            filled_series = [replace(one, values=x) for one, x in zip(found, whole, strict=True)]
            write_series(out, filled_series, *role_names(data, columns))
    show(f"{holes:,} missing values are filled; the result is in {out}")


def _length(model: Any, found: list[Series], **which: str | None) -> int:
    """Time points of the windows to fill: of the run's lengths the longest that fits into all.

    Where none fits, the shortest: what is too short is refused when it is cut.
    """
    if not which:
        return model.shape_[0]
    lengths = model.domains_[model.domains_.named(which["name"])].lengths
    shortest = min(len(one) for one in found)
    return max((n for n in lengths if n <= shortest), default=min(lengths))


def role_names(spec: str, columns: Columns) -> tuple[str, str]:
    """What a file calls its series and its time: as told, as guessed, or ``series`` and ``time``.

    The file has been read once without complaint; recordings do not carry these two names.
    """
    from timeloom.data.columns import find_roles
    from timeloom.data.files import PARQUET, TEXT
    from timeloom.data.text import counts_within, load_text, looks_wide, sniff

    path, told = Path(spec), columns.told()
    del told["allow_pickle"]
    plain = all(part is None for part in told.values())
    usual = columns.series or "series", columns.time or "time"
    kind = Path(path.name.lower().removesuffix(".gz")).suffix
    if set_name(spec) is not None or kind not in (*TEXT, *PARQUET):
        return usual
    if kind in PARQUET:
        table = _parquet(path)
        if plain and {"window", "step"} <= set(table.columns):
            return "window", "step"
    else:
        layout = sniff(path)
        table = load_text(path, layout)
        if layout.header is None and plain:
            if looks_wide(table, sure=kind == ".tsv"):
                return usual
            if counts_within(table):
                return "c0", "c1"
    roles = find_roles(table, **told, where=spec)
    return roles.series or usual[0], roles.time or usual[1]


def _parquet(path: Path) -> Any:
    import pandas as pd

    table = pd.read_parquet(path)
    table = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    table.columns = [str(name) for name in table.columns]
    return table


def write_series(path: Path, found: list[Series], series: str, time: str) -> None:
    """One row per time point: series, time, channels and label under their own names."""
    import pandas as pd

    from timeloom.data.atomic import atomic

    tables = []
    for i, one in enumerate(found):
        parts: dict[str, Any] = {series: [one.name or str(i)] * len(one)}
        parts[time] = np.arange(len(one)) if one.time is None else one.time
        parts |= dict(zip(one.channels, one.values.T, strict=True))
        if one.label is not None:
            parts[one.label_name] = np.broadcast_to(one.label, len(one))
        tables.append(pd.DataFrame(parts))
    table = pd.concat(tables, ignore_index=True)
    with atomic(path) as temporary:
        if path.suffix.lower() == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)
