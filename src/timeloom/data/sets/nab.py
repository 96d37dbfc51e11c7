"""NAB, the Numenta Anomaly Benchmark: single metrics with labelled anomalies."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from timeloom.data.sets.folder import absent, chosen, find_file, numbers, packed, stamps, text
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

# Packed column and published file of the two ways to mark an anomaly.
MARKS = {
    "window": ("in_window", "combined_windows.json"),
    "point": ("is_anomaly", "combined_labels.json"),
}
INFO = (
    Info(
        name="nab",
        title="Numenta Anomaly Benchmark (NAB)",
        channels=1,
        length="1,100 to 22,700 points per series",
        split="none: NAB scores as the series goes on, after a probation of 15 % of each",
        label="anomaly: 1 inside the window round an anomaly, else 0, per time point",
        licence="MIT",
        redistribution="yes, with the licence",
        citation="S. Ahmad, A. Lavin, S. Purdy, Z. Agha, Unsupervised real-time anomaly detection "
        "for streaming data, Neurocomputing 262, 2017",
        source="https://github.com/numenta/NAB",
        files=("data/*/*.csv", "labels/combined_windows.json"),
        aliases=("Numenta",),
    ),
)


def load(
    folder: Path, *, series: Sequence[str] | None = None, mark: str = "window"
) -> list[Series]:
    """Reads the series that are there, named as in NAB: ``realKnownCause/nyc_taxi.csv``.

    Args:
        folder: Holds ``data`` and ``labels`` as in NAB's repository, or ``series.parquet``.
        series: Only these.
        mark: ``"window"``: every point of the window round an anomaly counts. ``"point"``: the
            one point does.

    Raises:
        ValueError: If a file is missing, or if a series is not there.
    """
    if mark not in MARKS:
        raise ValueError(f"mark must be 'window' or 'point'; got {mark!r}.")
    column, listed = MARKS[mark]
    path = folder / "series.parquet"
    if path.is_file():
        found = _packed(path, column)
        return [found[name] for name in chosen(sorted(found), series, "series")]
    labels = find_file(folder, listed)
    if labels is None:
        raise absent(folder, f"labels/{listed}", "series.parquet")
    anomalies = json.loads(labels.read_text(encoding="utf-8"))
    paths = {name: labels.parent.parent / "data" / name for name in anomalies}
    there = sorted(name for name, path in paths.items() if path.is_file())
    if not there:
        raise absent(folder, "data/*/*.csv", "series.parquet")
    return [_series(paths[one], one, anomalies[one]) for one in chosen(there, series, "series")]


def _packed(path: Path, column: str) -> dict[str, Series]:
    found = {}
    for name, part in packed(path).groupby("series"):
        values, label = numbers(part, ("value",), path), part[column].to_numpy(np.int64)
        time = stamps(part["timestamp"])
        found[str(name)] = Series(values, label, str(name), ("value",), time, "anomaly")
    return found


def _series(path: Path, name: str, anomalies: list[str] | list[list[str]]) -> Series:
    frame = text(path)
    time = stamps(frame["timestamp"])
    label = np.zeros(len(time), dtype=np.int64)
    for one in anomalies:
        first, last = (one, one) if isinstance(one, str) else one
        label[(time >= np.datetime64(first, "s")) & (time <= np.datetime64(last, "s"))] = 1
    values = numbers(frame, ("value",), path)
    return Series(values, label, name, ("value",), time, "anomaly")
