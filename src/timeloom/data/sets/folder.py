"""Reading what lies in a data set's folder: tables, time stamps, members, and their parts."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.text import exact_digits
from timeloom.data.windows import Series

__all__ = [
    "Loaded",
    "absent",
    "chosen",
    "find_file",
    "forecast_parts",
    "natural",
    "nearest",
    "numbers",
    "packed",
    "rows",
    "shares",
    "stamps",
    "table",
    "text",
]

Array = NDArray[Any]
# What a loader gives: all series, or the pair (train, test) where a set comes in two parts.
Loaded = list[Series] | tuple[list[Series], list[Series]]


def find_file(folder: Path, *names: str) -> Path | None:
    """The first of ``names`` that lies in ``folder`` or below it, or None.

    Publishers pack their files into folders of their own (``CMAPSSData/train_FD001.txt``), so the
    whole tree is looked through where the file is not on top.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    for name in names:
        below = sorted(path for path in folder.rglob(name) if path.is_file())
        if below:
            return below[0]
    return None


def absent(folder: Path, *expected: str) -> ValueError:
    """What to raise where a folder holds neither the packed form nor the publisher's files."""
    return ValueError(
        f"{folder} must hold {' or '.join(expected)}; none was found. Put the files there under "
        "their publisher's names."
    )


def packed(path: Path, columns: Sequence[str] | None = None) -> Any:
    """A Parquet table as a data frame.

    Raises:
        ValueError: If the file is damaged.
    """
    import pandas as pd

    try:
        return pd.read_parquet(path, columns=None if columns is None else list(columns))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} must be a whole Parquet file; got: {error}.") from error


def text(path: Path, **layout: Any) -> Any:
    """A table of text as a data frame; every number is the one nearest to what is written.

    Raises:
        ValueError: If the file is no such table.
    """
    import pandas as pd

    try:
        return pd.read_csv(path, **layout, **exact_digits(layout.get("decimal", ".")))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must be a table of text; got: {error}.") from error


def table(path: Path, **layout: Any) -> Any:
    """A packed or a text table, as the file's name says."""
    return packed(path) if path.suffix == ".parquet" else text(path, **layout)


def numbers(frame: Any, columns: Sequence[str], path: Path) -> Array:
    """The named columns as (time, channel) in their own floating type.

    Raises:
        ValueError: If a column is missing or holds text.
    """
    gone = [name for name in columns if name not in frame.columns]
    if gone:
        raise ValueError(
            f"{path} must have the columns {', '.join(columns)}; {', '.join(gone)} is missing. "
            "Give the publisher's file unchanged."
        )
    values = frame[list(columns)].to_numpy()
    if values.dtype.kind not in "fiub":
        raise ValueError(
            f"{path} must hold numbers in {', '.join(columns)}; got text. Give the publisher's "
            "file unchanged."
        )
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def stamps(column: Any, form: str | None = None) -> Array:
    """A column of dates as ``datetime64[s]``."""
    import pandas as pd

    return pd.to_datetime(column, format=form).to_numpy().astype("datetime64[s]")


def rows(series: Series, at: slice, name: str = "") -> Series:
    """The time points ``at`` of a series, under another name where one is given."""
    label, time = series.label, series.time
    return replace(
        series,
        values=series.values[at],
        label=label[at] if label is not None and label.ndim else label,
        time=None if time is None else time[at],
        name=name or series.name,
    )


def forecast_parts(
    series: Series, train: int, end: int | None = None
) -> tuple[list[Series], list[Series]]:
    """One long table as the pair of a forecasting benchmark, in time order.

    Args:
        series: All rows.
        train: How many rows train **and validate**: the benchmark's two first parts together.
        end: Where the test part ends; the last row where None.

    Returns:
        ``([train], [test])``.
    """
    name = series.name
    first = rows(series, slice(0, train), f"{name} train")
    return [first], [rows(series, slice(train, end), f"{name} test")]


def shares(count: int) -> int:
    """Rows before the test part where 70 % train, 10 % validate and 20 % test."""
    return count - int(count * 0.2)


def natural(name: str) -> list[Any]:
    """A sorting key by which ``machine-2`` comes before ``machine-10``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def chosen(found: Sequence[str], asked: Sequence[str] | None, what: str) -> list[str]:
    """The members that were asked for, all where nothing was.

    Raises:
        ValueError: If one is not there.
    """
    if asked is None:
        return list(found)
    for name in [asked] if isinstance(asked, str) else asked:
        if name not in found:
            raise ValueError(f"there is no {what} {name!r} here; {nearest(name, found)}.")
    return [asked] if isinstance(asked, str) else list(asked)


def nearest(name: str, offered: Sequence[str]) -> str:
    """The end of a sentence that offers the closest name, or some names where none is close."""
    close = difflib.get_close_matches(name.lower(), [one.lower() for one in offered], n=1)
    for one in offered:
        if close and one.lower() == close[0]:
            return f"did you mean {one!r}"
    more = f" and {len(offered) - 8} more" if len(offered) > 8 else ""
    return f"there are {', '.join(offered[:8])}{more}"
