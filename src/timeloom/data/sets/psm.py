"""PSM, Pooled Server Metrics: 25 metrics of eBay's servers, with labelled anomalies."""

from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.sets.folder import absent, find_file, numbers, table
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

TIME = "timestamp_(min)"
CHANNELS = tuple(f"feature_{i}" for i in range(25))


def _info(name: str, title: str, length: str, split: str) -> Info:
    return Info(
        name=name,
        title=title,
        channels=len(CHANNELS),
        length=length,
        split=split,
        label="anomaly: 0 or 1 per time point, test part only",
        licence="CC BY 4.0",
        redistribution="yes, with attribution",
        citation="A. Abdulaal, Z. Liu, T. Lancewicki, Practical Approach to Asynchronous "
        "Multivariate Time Series Anomaly Detection and Localization, KDD 2021",
        source="https://github.com/eBay/RANSynCoders (folder data)",
        files=("train.csv", "test.csv", "test_label.csv"),
    )


INFO = (
    _info(
        "psm",
        "Pooled Server Metrics (PSM)",
        "132,481 training and 87,841 test minutes",
        "the publisher's: 13 weeks train, the 8 weeks after them are labelled",
    ),
    _info(
        "psm_sample",
        "Pooled Server Metrics (PSM), a sample to try the format with",
        "399 training and 300 test minutes",
        "the first rows of the training part, and two stretches of the test part",
    ),
)


def load(folder: Path) -> tuple[list[Series], list[Series]]:
    """Reads the whole set, or a sample of it; both lie in files of the same names.

    A gap in time begins a new series, so that no window spans it.

    Args:
        folder: Holds ``train.csv``, ``test.csv`` and ``test_label.csv`` as published, or
            ``train.parquet`` and ``test.parquet`` with a column ``label``.

    Returns:
        Training series, without labels, and test series, labelled; time in minutes.

    Raises:
        ValueError: If a file is missing, or if a test row has no label.
    """
    paths = [find_file(folder, f"{part}.parquet", f"{part}.csv") for part in ("train", "test")]
    if paths[0] is None or paths[1] is None:
        raise absent(folder, "train.csv and test.csv", "train.parquet and test.parquet")
    train, test = table(paths[0]), table(paths[1])
    if "label" not in test.columns:
        labels = find_file(folder, "test_label.csv")
        if labels is None:
            raise absent(folder, "test_label.csv")
        test = test.merge(table(labels), on=TIME, how="left")
        if test["label"].isna().any():
            raise ValueError(
                f"{labels} must have a label for every row of {paths[1]}; some lack it."
            )
    return _stretches(train, paths[0], "train"), _stretches(test, paths[1], "test")


def _stretches(frame: Any, path: Path, part: str) -> list[Series]:
    time = frame[TIME].to_numpy(np.int64)
    values = numbers(frame, CHANNELS, path)
    label = frame["label"].to_numpy(np.int64) if part == "test" else None
    edges = [0, *(np.flatnonzero(np.diff(time) != 1) + 1), len(time)]
    return [
        Series(
            values[low:high],
            None if label is None else label[low:high],
            part if len(edges) == 2 else f"{part} {i}",
            CHANNELS,
            time[low:high],
            "anomaly",
        )
        for i, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True))
    ]
