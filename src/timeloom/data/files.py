"""The doors: a file becomes recordings or windows, and windows become a file."""

import difflib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.columns import Roles, find_roles
from timeloom.data.formats import load_npy, load_npz, load_pickle, load_ts
from timeloom.data.tables import long_series, wide_series
from timeloom.data.text import counts_within, load_text, looks_wide, sniff
from timeloom.data.windows import Series, Windows
from timeloom.data.writer import NOTE, write

__all__ = ["read", "read_windows", "write"]

TEXT = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
PICKLE = (".pkl", ".pickle")
READ = (*TEXT, *PARQUET, ".npz", ".npy", ".ts", *PICKLE)


def read(
    path: str | os.PathLike[str],
    *,
    series: str | None = None,
    time: str | None = None,
    channels: Sequence[str] | None = None,
    label: str | None = None,
    allow_pickle: bool = False,
    said: list[str] | None = None,
) -> list[Series]:
    """Reads recordings from a file; its kind is told by the ending of its name.

    ``.csv .tsv .txt`` (also ``.gz``) and ``.parquet``: a long table, one row per time point, or,
    without header and with a label first, a wide one, one row per series (the UCR archive).
    ``.npz .npy .ts`` and pickles: see :mod:`timeloom.data.formats`. Without header, columns are
    called ``c0, c1, ...``. Empty cells, NaN and ``?`` mean "not measured" and become NaN.

    Args:
        path: The file.
        series: The column that tells the series apart; guessed where it is plain. Without one,
            the whole file is one series with the name of the file.
        time: The column of time stamps, dates or numbers; guessed where it is plain.
        channels: The measured columns; every column that has no other part where None.
        label: The column of labels; guessed where it is plain.
        allow_pickle: Load pickles and arrays of objects, which can run any code.
        said: A list that receives a sentence for everything that was guessed.

    Returns:
        Series in the order of their first rows. Labels stand at every time point; a missing
        label is NaN, or '' among labels of text.

    Raises:
        ValueError: If the file is missing, empty, damaged or of an unknown kind, if a column is
            unknown, if a channel holds text, inf or nothing, or if times are not rising.
    """
    path, kind = _existing(path)
    named = {"series": series, "time": time, "channels": channels, "label": label}
    if kind in TEXT or kind in PARQUET:
        return _read_table(path, kind, named, said)
    _no_columns(path, named)
    found: Windows | list[Series]
    if kind == ".npz":
        found = load_npz(path, allow_pickle=allow_pickle, said=said)
    elif kind == ".npy":
        found = load_npy(path, allow_pickle=allow_pickle)
    elif kind == ".ts":
        found = load_ts(path)
    else:
        found = load_pickle(path, allow_pickle=allow_pickle)
    if isinstance(found, Windows):
        found = _apart(found)
    _check(found, path)
    return found


def read_windows(
    path: str | os.PathLike[str],
    *,
    series: str | None = None,
    time: str | None = None,
    channels: Sequence[str] | None = None,
    label: str | None = None,
    allow_pickle: bool = False,
    said: list[str] | None = None,
) -> Windows:
    """Reads a file whose series all have one length as windows, one per series.

    This is the way back from :func:`write`. A window's label is the one at its last time point.

    Args:
        path: As for :func:`read`, and so are all others.
        series: The column that tells the windows apart.
        time: The column of time stamps.
        channels: The measured columns.
        label: The column of labels.
        allow_pickle: Load pickles.
        said: Receives what was guessed.

    Returns:
        Windows; each counts as a recording of its own, unless an ``.npz`` says where it was cut.

    Raises:
        ValueError: As :func:`read`, and if the series differ in length.
    """
    place, kind = _existing(path)
    if kind == ".npz":
        _no_columns(place, {"series": series, "time": time, "channels": channels, "label": label})
        found = load_npz(place, allow_pickle=allow_pickle, said=said)
        if isinstance(found, Windows):
            _check([Series(found.x.reshape(-1, found.shape[1]), channels=found.channels)], place)
            return found
    every = read(
        path,
        series=series,
        time=time,
        channels=channels,
        label=label,
        allow_pickle=allow_pickle,
        said=None if kind == ".npz" else said,
    )
    lengths = [len(one) for one in every]
    if min(lengths) != max(lengths):
        raise ValueError(
            f"{path} must hold series of one length to be read as windows; got {min(lengths)} to "
            f"{max(lengths)} time points. Cut it into windows of one length (--window) instead."
        )
    y = None if every[0].label is None else np.stack([one.label for one in every])[:, -1]  # pyright: ignore
    return Windows(
        np.stack([one.values for one in every]),
        y,
        channels=every[0].channels,
        label_name=every[0].label_name,
    )


def _read_table(
    path: Path, kind: str, named: dict[str, Any], said: list[str] | None
) -> list[Series]:
    nothing_told = all(part is None for part in named.values())
    if isinstance(named["channels"], str):
        named = named | {"channels": [named["channels"]]}
    if kind in PARQUET:
        table, note = _load_parquet(path)
        if note is not None and nothing_told:
            rest = [name for name in table.columns if name not in ("window", "step", note["label"])]
            return long_series(table, Roles("window", "step", note["label"], tuple(rest)), path)
    else:
        layout = sniff(path)
        table = load_text(path, layout)
        if layout.header is None and nothing_told:
            if looks_wide(table, sure=kind == ".tsv"):
                _say(said, f"no header: one row per series, {len(table)} of them, the label first")
                every = wide_series(table, path)
                return [replace(one, name=f"{_stem(path)} {one.name}") for one in every]
            _say(said, f"no header: the columns are called c0 to c{table.shape[1] - 1}")
            if counts_within(table):
                _say(said, "guessed: c0 tells the series apart and c1 counts the time")
                named = named | {"series": "c0", "time": "c1"}
    return long_series(table, find_roles(table, **named, where=str(path), said=said), path)


def _load_parquet(path: Path) -> tuple[Any, dict[str, Any] | None]:
    """A Parquet file as a data frame, and our note in it where it is ours."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    try:
        arrow = parquet.read_table(path)
    except PermissionError:
        raise
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{path} must be a whole Parquet file; got a damaged one: {reason}"
        ) from None
    note = (arrow.schema.metadata or {}).get(NOTE)
    table = arrow.to_pandas()
    if not isinstance(table.index, pd.RangeIndex):
        table = table.reset_index()
    table.columns = [str(name) for name in table.columns]
    if not len(table):
        raise ValueError(f"{path} has columns and no rows; expected one row per time point.")
    note = {} if note is None else json.loads(note)
    # Somebody may have renamed or dropped columns since we wrote the note.
    valid = note and {"window", "step", note["label"] or "step"} <= set(table.columns)
    return table, note if valid else None


def _existing(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """The path of a file that can be read, and its kind.

    Raises:
        ValueError: If it is missing, empty, a folder or of an unknown kind.
    """
    place = Path(path)
    if place.is_dir():
        raise ValueError(f"{place} is a folder; expected a file. Name one of the files in it.")
    if not place.exists():
        if not place.parent.is_dir():
            raise ValueError(f"there is no file {place}: its folder does not exist either.")
        names = [other.name for other in place.parent.iterdir() if other.is_file()]
        near = difflib.get_close_matches(place.name, names, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else "check the name and the folder."
        raise ValueError(f"there is no file {place}; {hint}")
    if place.is_file() and not place.stat().st_size:
        raise ValueError(f"{place} is empty (0 bytes); expected recordings in it.")
    suffixes = [suffix.lower() for suffix in place.suffixes]
    kind = suffixes[-1] if suffixes else ""
    if kind == ".gz" and len(suffixes) > 1 and suffixes[-2] in TEXT:
        kind = suffixes[-2]
    if kind not in READ:
        raise ValueError(
            f"{place.name} has an unknown kind '{kind}'; expected one of {', '.join(READ)}. "
            "Save it as CSV or Parquet."
        )
    return place, kind


def _no_columns(path: Path, named: dict[str, Any]) -> None:
    told = [name for name, value in named.items() if value is not None]
    if told:
        raise ValueError(
            f"{path.name} is no table, so it has no columns to name; leave out {', '.join(told)}."
        )


def _apart(windows: Windows) -> list[Series]:
    time, label = windows.shape[0], windows.y
    return [
        Series(
            one,
            None if label is None else np.full(time, label[i]),
            str(i),
            windows.channels,
            label_name=windows.label_name,
        )
        for i, one in enumerate(windows)
    ]


def _check(every: list[Series], path: Path) -> None:
    """Refuses what no method can use, in files that are not tables."""
    measured = np.zeros(len(every[0].channels), dtype=bool) if every else np.ones(0, dtype=bool)
    for i, one in enumerate(every):
        row, column = np.nonzero(np.isinf(one.values))
        if len(row):
            raise ValueError(
                f"channel '{one.channels[column[0]]}' of {path} must be finite or NaN; got inf at "
                f"time point {row[0]} of series {i}. Put NaN where nothing was measured."
            )
        measured |= ~np.isnan(one.values).all(axis=0)
    if not every:
        raise ValueError(f"{path} holds no series.")
    if not measured.all():
        name = every[0].channels[np.flatnonzero(~measured)[0]]
        raise ValueError(f"channel '{name}' of {path} holds no measured value; leave it out.")


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _say(said: list[str] | None, sentence: str) -> None:
    if said is not None:
        said.append(sentence)
