"""ASD, the Application Server Dataset: 19 metrics of 12 servers, with labelled anomalies."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.sets.folder import absent, chosen, find_file, natural, numbers, packed
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

CHANNELS = tuple(f"m{i:02}" for i in range(19))
INFO = (
    Info(
        name="asd",
        title="Application Server Dataset (ASD)",
        channels=len(CHANNELS),
        length="8,640 training and 4,320 test points of 5 minutes per server",
        split="the publisher's: the first 30 days of every server train, the last 15 are labelled",
        label="anomaly: 0 or 1 per time point, test part only",
        licence="MIT",
        redistribution="yes, with the licence",
        citation="Z. Li et al., Multivariate Time Series Anomaly Detection and Interpretation "
        "using Hierarchical Inter-Metric and Temporal Embedding (InterFusion), KDD 2021",
        source="https://github.com/zhhlee/InterFusion (folder data/processed)",
        files=("omi-*_train.pkl", "omi-*_test.pkl", "omi-*_test_label.pkl"),
        aliases=("ApplicationServerDataset", "omi"),
    ),
)


def load(
    folder: Path, *, servers: Sequence[str] | None = None, allow_pickle: bool = False
) -> tuple[list[Series], list[Series]]:
    """Reads the servers that are there, in the order of their numbers.

    Args:
        folder: Holds ``omi-1_train.parquet`` and ``omi-1_test.parquet``, or the publisher's
            ``omi-1_train.pkl``, ``omi-1_test.pkl`` and ``omi-1_test_label.pkl``.
        servers: Only these, such as ``["omi-1"]``.
        allow_pickle: Read the publisher's files. A pickle runs whatever code is in it.

    Returns:
        One training series, without labels, and one test series, labelled, per server.

    Raises:
        ValueError: If there is no server, or if the files are pickles and may not be read.
    """
    for suffix, read in ((".parquet", _table), (".pkl", _pickles)):
        paths = {path.name: path.parent for path in folder.rglob(f"omi-*_train{suffix}")}
        if not paths:
            continue
        if suffix == ".pkl" and not allow_pickle:
            raise ValueError(
                f"{folder} holds pickles, which run whatever code is in them; if you trust their "
                "source, pass allow_pickle=True, otherwise save them as Parquet."
            )
        found = sorted((name.removesuffix(f"_train{suffix}") for name in paths), key=natural)
        names = chosen(found, servers, "server")
        home = next(iter(paths.values()))
        pairs = [[read(home, name, part) for name in names] for part in ("train", "test")]
        return pairs[0], pairs[1]
    raise absent(folder, "omi-*_train.parquet", "omi-*_train.pkl")


def _table(home: Path, name: str, part: str) -> Series:
    path = home / f"{name}_{part}.parquet"
    frame = packed(path)
    label = frame["label"].to_numpy(np.int64) if part == "test" else None
    return Series(numbers(frame, CHANNELS, path), label, name, CHANNELS, label_name="anomaly")


def _pickles(home: Path, name: str, part: str) -> Series:
    label = None
    if part == "test":
        label = _pickle(home, f"{name}_test_label.pkl").reshape(-1).astype(np.int64)
    values = _pickle(home, f"{name}_{part}.pkl")
    return Series(values, label, name, CHANNELS, label_name="anomaly")


def _pickle(home: Path, name: str) -> Any:
    path = find_file(home, name)
    if path is None:
        raise absent(home, name)
    with path.open("rb") as file:
        return np.asarray(pickle.load(file))
