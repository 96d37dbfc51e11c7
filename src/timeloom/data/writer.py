"""Windows into one file: a long table or arrays, written whole or not at all."""

import json
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.atomic import atomic
from timeloom.data.windows import Windows

__all__ = ["NOTE", "write"]

KINDS = (".parquet", ".csv", ".npz")
NOTE = b"timeloom"  # the key of our note in a Parquet file: which column is the label


def write(path: str | os.PathLike[str], windows: Windows | Iterable[Windows]) -> int:
    """Writes windows to one file, whole or not at all.

    ``.parquet`` and ``.csv`` are long tables with the columns ``window``, ``step``, the channels
    under their own names, and the label under its own; an iterable of windows is written as it
    comes, so memory does not grow with its length, and the window number runs on. ``.npz`` holds
    ``x`` (window, time, channel), ``y``, ``channels``, ``label_name`` and, for windows given at
    once, ``series`` and ``start``. What is not measured is an empty cell in a table.

    Args:
        path: The file, in a folder that exists. What lies there is replaced at the very end.
        windows: All windows, or parts of them one after the other.

    Returns:
        How many windows were written.

    Raises:
        ValueError: If the kind is unknown, there is no window, names clash, or parts differ.
        OSError: If the folder is not writable or the disk is full; nothing is left behind.
    """
    kind = Path(path).suffix.lower()
    if kind not in KINDS:
        raise ValueError(
            f"windows are written as {', '.join(KINDS)}; got '{Path(path).name}'. Change the "
            "ending of its name."
        )
    with atomic(path) as temporary:
        parts = _alike([windows] if isinstance(windows, Windows) else windows)
        if kind == ".npz":
            return _write_npz(temporary, list(parts))
        return _write_table(temporary, parts, kind)


def _write_table(path: Path, parts: Iterator[Windows], kind: str) -> int:
    from pyarrow import csv, parquet

    first = next(parts)
    schema = _table(first, 0).schema
    note = {"label": None if first.y is None else first.label_name}
    schema = schema.with_metadata({NOTE: json.dumps(note).encode()})
    count = 0
    with (
        parquet.ParquetWriter(path, schema, compression="zstd")
        if kind == ".parquet"
        else csv.CSVWriter(path, schema)
    ) as file:
        for part in chain([first], parts):
            file.write_table(_table(part, count).cast(schema))
            count += len(part)
    return count


def _table(windows: Windows, first: int) -> Any:
    """A long arrow table of the windows, numbered from ``first``."""
    import pyarrow as pa

    count, (time, channel) = len(windows), windows.shape
    flat = windows.x.reshape(-1, channel)
    columns: dict[str, Any] = {
        "window": np.repeat(np.arange(first, first + count, dtype=np.int64), time),
        "step": np.tile(np.arange(time, dtype=np.int64), count),
    }
    for c, name in enumerate(windows.channels):
        columns[name] = pa.array(flat[:, c], from_pandas=True)
    if windows.y is not None:
        columns[windows.label_name] = pa.array(np.repeat(windows.y, time), from_pandas=True)
    return pa.table(columns)


def _write_npz(path: Path, parts: list[Windows]) -> int:
    first = parts[0]
    arrays: dict[str, Any] = {
        "x": np.concatenate([part.x for part in parts]),
        "channels": np.array(first.channels),
        "label_name": np.array(first.label_name),
    }
    if first.y is not None:
        y = np.concatenate([part.y for part in parts if part.y is not None])
        # An array of objects would be a pickle.
        arrays["y"] = y.astype(str) if y.dtype == object else y
    if len(parts) == 1:
        arrays |= {"series": first.series, "start": first.start}
    np.savez(path, **arrays)
    return len(arrays["x"])


def _alike(parts: Iterable[Windows]) -> Iterator[Windows]:
    """The parts that hold windows, which must fit into one table.

    Raises:
        ValueError: If no part does, if names clash, or if two parts differ in kind.
    """
    first = None
    for part in parts:
        label = None if part.y is None else part.label_name
        kind = (part.shape[0], part.channels, label, None if part.y is None else part.y.dtype.kind)
        if not len(part):
            continue
        if first is None:
            first = kind
            names = ["window", "step", *part.channels, *([label] if label else [])]
            double = {name for name in names if names.count(name) > 1}
            if double:
                raise ValueError(
                    f"the columns window, step, the channels and the label need different names; "
                    f"got two of {sorted(double)}. Rename one."
                )
        if kind != first:
            raise ValueError(
                f"all windows of a file must share time points, channels and label; got {kind} "
                f"after {first}. Write them to two files."
            )
        yield part
    if first is None:
        raise ValueError("there is no window to write; got none.")
