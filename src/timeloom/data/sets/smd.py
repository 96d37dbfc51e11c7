"""SMD, the Server Machine Dataset: 38 metrics of 28 servers, with labelled anomalies."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from timeloom.data.sets.folder import absent, chosen, find_file, natural, numbers, packed, text
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "causes", "load"]

CHANNELS = tuple(f"m{i:02}" for i in range(38))
INFO = (
    Info(
        name="smd",
        title="Server Machine Dataset (SMD)",
        channels=len(CHANNELS),
        length="about 23,700 or 28,700 minutes per machine and part",
        split="the publisher's: the first half of every machine trains, the second is labelled",
        label="anomaly: 0 or 1 per time point, test part only",
        licence="MIT",
        redistribution="yes, with the licence",
        citation="Y. Su et al., Robust Anomaly Detection for Multivariate Time Series through "
        "Stochastic Recurrent Neural Network (OmniAnomaly), KDD 2019",
        source="https://github.com/NetManAIOps/OmniAnomaly (folder ServerMachineDataset)",
        files=(
            "train/machine-*.txt",
            "test/machine-*.txt",
            "test_label/machine-*.txt",
            "interpretation_label/machine-*.txt",
        ),
        aliases=("ServerMachineDataset",),
    ),
)


def load(
    folder: Path, *, machines: Sequence[str] | None = None
) -> tuple[list[Series], list[Series]]:
    """Reads the machines that are there, in the order of their numbers.

    Args:
        folder: Holds ``train``, ``test`` and ``test_label`` as published, or
            ``machine-1-6_train.parquet`` and ``machine-1-6_test.parquet``.
        machines: Only these, such as ``["machine-1-6"]``.

    Returns:
        One training series, without labels, and one test series, labelled, per machine.

    Raises:
        ValueError: If there is no machine, or one is not there.
    """
    whole = sorted(path.name.removesuffix("_train.parquet") for path in _packed(folder))
    if whole:
        names = chosen(sorted(whole, key=natural), machines, "machine")
        return (
            [_table(folder / f"{name}_train.parquet", name) for name in names],
            [_table(folder / f"{name}_test.parquet", name) for name in names],
        )
    root = _root(folder)
    found = sorted((path.stem for path in (root / "train").glob("machine-*.txt")), key=natural)
    names = chosen(found, machines, "machine")
    train = [_text(root / "train" / f"{name}.txt", name) for name in names]
    test = [
        _text(root / "test" / f"{name}.txt", name, root / "test_label" / f"{name}.txt")
        for name in names
    ]
    return train, test


def causes(folder: Path, machine: str) -> list[tuple[int, int, tuple[int, ...]]]:
    """Which channels are behind each anomaly: (first, last time point, positions of channels).

    Raises:
        ValueError: If the file is not there.
    """
    path = find_file(folder, f"{machine}_interpretation.txt", f"interpretation_label/{machine}.txt")
    if path is None:
        raise absent(folder, f"interpretation_label/{machine}.txt")
    return read_causes(path)


def read_causes(path: Path) -> list[tuple[int, int, tuple[int, ...]]]:
    """Reads lines such as ``246-252:1,2,3``; the file counts channels from 1, we from 0."""
    events = []
    for line in path.read_text(encoding="utf-8").split():
        span, _, channels = line.partition(":")
        first, _, last = span.partition("-")
        events.append((int(first), int(last), tuple(int(i) - 1 for i in channels.split(","))))
    return events


def _packed(folder: Path) -> list[Path]:
    return list(folder.glob("machine-*_train.parquet"))


def _root(folder: Path) -> Path:
    for path in sorted(folder.rglob("machine-*.txt")):
        if path.parent.name == "train":
            return path.parent.parent
    raise absent(folder, "train/machine-*.txt", "machine-*_train.parquet")


def _table(path: Path, name: str) -> Series:
    frame = packed(path)
    label = frame["label"].to_numpy(np.int64) if "label" in frame.columns else None
    return Series(numbers(frame, CHANNELS, path), label, name, CHANNELS, label_name="anomaly")


def _text(path: Path, name: str, labels: Path | None = None) -> Series:
    for one in (path, labels):
        if one is not None and not one.is_file():
            raise absent(path.parent.parent, f"{one.parent.name}/{one.name}")
    values = text(path, header=None).to_numpy(np.float64)
    label = None if labels is None else text(labels, header=None)[0].to_numpy(np.int64)
    return Series(values, label, name, CHANNELS, label_name="anomaly")
