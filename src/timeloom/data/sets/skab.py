"""SKAB, the Skoltech Anomaly Benchmark: a water loop whose valves are closed by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.sets.folder import absent, chosen, natural, numbers, packed, rows, stamps, text
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

CHANNELS = (
    *("Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure"),
    *("Temperature", "Thermocouple", "Voltage", "Volume Flow RateRMS"),
)
NORMAL = "anomaly-free/anomaly-free"
HEALTHY = 400  # the publisher's notebooks train on this many rows of every experiment
INFO = (
    Info(
        name="skab",
        title="Skoltech Anomaly Benchmark (SKAB)",
        channels=len(CHANNELS),
        length="about 1,100 seconds per experiment, 9,400 without anomalies",
        split="the publisher's notebooks: the first 400 rows of every experiment train, the rest "
        "test; the recording without anomalies trains too",
        label="anomaly: 0 or 1 per time point, test part only",
        licence="GPL-3.0, data and code together",
        redistribution="under GPL-3.0; not inside a package",
        citation="I. D. Katser, V. O. Kozitsin, Skoltech Anomaly Benchmark (SKAB), 2020, "
        "doi:10.34740/KAGGLE/DSV/1693952",
        source="https://github.com/waico/SKAB",
        files=("data/anomaly-free/anomaly-free.csv", "data/valve1/*.csv", "data/other/*.csv"),
        aliases=("Skoltech",),
    ),
)


def load(
    folder: Path, *, experiments: Sequence[str] | None = None, mark: str = "anomaly"
) -> tuple[list[Series], list[Series]]:
    """Reads the experiments that are there, named ``valve1/0``.

    Args:
        folder: Holds ``data`` with its folders of CSV files as in SKAB's repository, or
            ``experiments.parquet``.
        experiments: Only these.
        mark: ``"anomaly"``, or ``"changepoint"``: only where an anomaly begins or ends.

    Returns:
        The healthy beginnings, without labels, and what follows them, labelled. The recording
        without anomalies is in the first list only.

    Raises:
        ValueError: If there is no experiment, or one is not there.
    """
    if mark not in ("anomaly", "changepoint"):
        raise ValueError(f"mark must be 'anomaly' or 'changepoint'; got {mark!r}.")
    path = folder / "experiments.parquet"
    if path.is_file():
        tables = {str(name): part for name, part in packed(path).groupby("experiment")}
    else:
        tables = _texts(folder)
    train, test = [], []
    for name in chosen(sorted(tables, key=natural), experiments, "experiment"):
        one = _series(tables[name], name, mark, folder)
        if name == NORMAL:
            train.append(_unlabelled(one))
            continue
        train.append(_unlabelled(rows(one, slice(0, HEALTHY))))
        test.append(rows(one, slice(HEALTHY, None)))
    return train, test


def _texts(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.rglob("*.csv")):
        frame = text(path, sep=";")
        if "datetime" in frame.columns:
            found[f"{path.parent.name}/{path.stem}"] = frame
    if not found:
        raise absent(folder, "data/*/*.csv", "experiments.parquet")
    return found


def _series(frame: Any, name: str, mark: str, folder: Path) -> Series:
    # The recording without anomalies is published without the columns of labels.
    labelled = mark in frame.columns
    label = frame[mark].to_numpy() if labelled else np.zeros(len(frame))
    return Series(
        numbers(frame, CHANNELS, folder / f"{name}.csv"),
        label.astype(np.int64),
        name,
        CHANNELS,
        stamps(frame["datetime"]),
        mark,
    )


def _unlabelled(series: Series) -> Series:
    return Series(series.values, None, series.name, series.channels, series.time, series.label_name)
