"""Spacecraft telemetry of NASA's MSL rover and SMAP satellite, with labelled anomalies."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from timeloom.data.sets.folder import absent, chosen, find_file, numbers, packed
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]


def _info(name: str, title: str, channels: int, count: int, aliases: tuple[str, ...]) -> Info:
    return Info(
        name=name,
        title=title,
        channels=channels,
        length=f"some hundred to 9,000 points for each of {count} channel-ids",
        split="the publisher's: of every channel-id one part trains, the other is labelled; the "
        "benchmark of OmniAnomaly joins them in sorted order",
        label="anomaly: 0 or 1 per time point, test part only",
        licence="Caltech/JPL, in the manner of BSD-3",
        redistribution="yes, with the notice and citation",
        citation="K. Hundman et al., Detecting Spacecraft Anomalies Using LSTMs and Nonparametric "
        "Dynamic Thresholding, KDD 2018",
        source="https://github.com/khundman/telemanom (data.zip; also on Kaggle, "
        "patrickfleith/nasa-anomaly-detection-dataset-smap-msl)",
        files=("labeled_anomalies.csv", "train/*.npy", "test/*.npy"),
        aliases=aliases,
    )


INFO = (
    _info("msl", "NASA MSL rover telemetry", 55, 27, ("Mars Science Laboratory",)),
    _info("smap", "NASA SMAP satellite telemetry", 25, 54, ("Soil Moisture Active Passive",)),
)


def load(
    folder: Path, name: str, *, ids: Sequence[str] | None = None
) -> tuple[list[Series], list[Series]]:
    """Reads the channel-ids of one spacecraft, in sorted order.

    The first channel, ``f00``, is the telemetry value; the others are commands, 0 or 1, and many
    of them never change.

    Args:
        folder: Holds ``labeled_anomalies.csv`` with the folders ``train`` and ``test`` of
            ``.npy`` files, or ``train.parquet`` and ``test.parquet``.
        name: ``"msl"`` or ``"smap"``.
        ids: Only these channel-ids, such as ``["C-1"]``.

    Returns:
        One training series, without labels, and one test series, labelled, per channel-id.

    Raises:
        ValueError: If a file is missing, or if a channel-id is not there.
    """
    if (folder / "train.parquet").is_file():
        train, test = (_table(folder / f"{part}.parquet") for part in ("train", "test"))
    else:
        train, test = _arrays(folder, name.upper())
    wanted = chosen(sorted(train), ids, "channel-id")
    return [train[one] for one in wanted], [test[one] for one in wanted]


def _table(path: Path) -> dict[str, Series]:
    frame = packed(path)
    channels = tuple(name for name in frame.columns if name[0] == "f")
    found = {}
    for name, part in frame.groupby("channel"):
        label = part["label"].to_numpy(np.int64) if "label" in part.columns else None
        time = part["t"].to_numpy(np.int64)
        values = numbers(part, channels, path)
        found[str(name)] = Series(values, label, str(name), channels, time, "anomaly")
    return found


def _arrays(folder: Path, spacecraft: str) -> tuple[dict[str, Series], dict[str, Series]]:
    listed = find_file(folder, "labeled_anomalies.csv")
    if listed is None:
        raise absent(folder, "labeled_anomalies.csv", "train.parquet")
    anomalies: dict[str, list[tuple[int, int]]] = {}
    with listed.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["spacecraft"] == spacecraft:
                # SMAP's P-2 is listed twice, with other intervals each time.
                known = anomalies.setdefault(row["chan_id"], [])
                known.extend(json.loads(row["anomaly_sequences"]))
    train, test = {}, {}
    for name in anomalies:
        paths = [find_file(folder, f"{part}/{name}.npy") for part in ("train", "test")]
        if paths[0] is None or paths[1] is None:
            continue
        train[name] = _series(paths[0], name, None)
        test[name] = _series(paths[1], name, anomalies[name])
    if not train:
        raise absent(folder, f"train/*.npy and test/*.npy of {spacecraft}", "train.parquet")
    return train, test


def _series(path: Path, name: str, anomalies: list[tuple[int, int]] | None) -> Series:
    values = np.load(path, allow_pickle=False)
    label = None
    if anomalies is not None:
        label = np.zeros(len(values), dtype=np.int64)
        for first, last in anomalies:
            label[first : last + 1] = 1
    channels = tuple(f"f{i:02}" for i in range(values.shape[1]))
    return Series(values, label, name, channels, np.arange(len(values)), "anomaly")
