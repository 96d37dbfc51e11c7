"""NASA C-MAPSS: simulated turbofan engines that run until they fail."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.sets.folder import absent, find_file, nearest, numbers, packed, text
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "INFORMATIVE", "load"]

SETTINGS = tuple(f"op_setting_{i}" for i in range(1, 4))
SENSORS = tuple(f"sensor_{i}" for i in range(1, 22))
# The others are constant in FD001, and the literature leaves them out of all four.
INFORMATIVE = tuple(f"sensor_{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21))
COLUMNS = ("unit_id", "cycle", *SETTINGS, *SENSORS)
# Engines to train on, engines to test on, flight conditions, fault modes.
PARTS = {1: (100, 100, 1, 1), 2: (260, 259, 6, 1), 3: (100, 100, 1, 2), 4: (249, 248, 6, 2)}


def _info(number: int, train: int, test: int, conditions: int, faults: int) -> Info:
    part = f"FD00{number}"
    return Info(
        name=f"cmapss_{part.lower()}",
        title=f"NASA C-MAPSS turbofan {part}",
        channels=len(INFORMATIVE),
        length="one row per cycle, until failure (train) or cut short before it (test)",
        split=f"the publisher's: {train} training and {test} test engines; {conditions} flight "
        f"condition(s), {faults} fault mode(s)",
        label="rul: cycles left until failure, clipped at 125",
        licence="a work of the US government (public domain)",
        redistribution="yes, with citation",
        citation="A. Saxena, K. Goebel, D. Simon, N. Eklund, Damage Propagation Modeling for "
        "Aircraft Engine Run-to-Failure Simulation, PHM 2008",
        source="https://www.nasa.gov/intelligent-systems-division/discovery-and-systems-health/"
        "pcoe/pcoe-data-set-repository/ (6. Turbofan Engine Degradation Simulation)",
        files=(f"train_{part}.txt", f"test_{part}.txt", f"RUL_{part}.txt"),
        aliases=(part, "cmapss", "turbofan") if number == 1 else (part,),
    )


INFO = tuple(_info(number, *counts) for number, counts in PARTS.items())


def load(
    folder: Path,
    name: str,
    *,
    channels: str | Sequence[str] = "informative",
    clip: float | None = 125,
) -> tuple[list[Series], list[Series]]:
    """Reads one of the four parts, one series per engine, time in cycles.

    The label is the remaining useful life in cycles at every time point. A training engine fails
    at its last row; a test engine's last row has the life that the RUL file gives.

    Args:
        folder: Holds ``train_FD001.txt``, ``test_FD001.txt`` and ``RUL_FD001.txt`` as NASA ships
            them, or ``train.parquet`` and ``test.parquet`` in place of the first two.
        name: ``"cmapss_fd001"`` to ``"cmapss_fd004"``.
        channels: ``"informative"``: the 14 sensors of the literature. ``"all"``: the three
            settings and all 21 sensors. Or names, such as ``["sensor_2", "sensor_11"]``.
        clip: The label never exceeds this, as an engine that is still sound shows no wear; None
            leaves it as it is.

    Returns:
        Training engines and test engines.

    Raises:
        ValueError: If a file is missing or of another form, or if a channel is unknown.
    """
    part = name[-5:].upper()
    lives = find_file(folder, f"RUL_{part}.txt")
    if lives is None:
        raise absent(folder, f"RUL_{part}.txt")
    left = text(lives, header=None, sep=r"\s+").to_numpy().reshape(-1)
    train, test = (_engines(folder, w, part, _channels(channels)) for w in ("train", "test"))
    if len(left) != len(test):
        raise ValueError(
            f"{lives} must hold one life per test engine, {len(test)}; got {len(left)}. Give the "
            "files of one part."
        )
    return _with_label(train, np.zeros(len(train)), clip), _with_label(test, left, clip)


def _channels(asked: str | Sequence[str]) -> tuple[str, ...]:
    offered = (*SETTINGS, *SENSORS)
    if asked == "informative":
        return INFORMATIVE
    if asked == "all":
        return offered
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    for one in names:
        if one not in offered:
            raise ValueError(
                f"channels must be 'informative', 'all' or names of channels; got {one!r}, "
                f"{nearest(one, offered)}."
            )
    return names


def _engines(folder: Path, which: str, part: str, channels: tuple[str, ...]) -> list[Series]:
    path = find_file(folder, f"{which}.parquet", f"{which}_{part}.txt")
    if path is None:
        raise absent(folder, f"{which}_{part}.txt", f"{which}.parquet")
    if path.suffix == ".parquet":
        frame = packed(path)
    else:
        # Every line ends in blanks, which would otherwise count as further columns.
        frame = text(path, header=None, sep=r"\s+")
        if frame.shape[1] != len(COLUMNS):
            raise ValueError(
                f"{path} must have {len(COLUMNS)} columns: engine, cycle, 3 settings and 21 "
                f"sensors; got {frame.shape[1]}. Give the publisher's file unchanged."
            )
        frame.columns = list(COLUMNS)
    values = numbers(frame, channels, path)
    unit, cycle = frame["unit_id"].to_numpy(np.int64), frame["cycle"].to_numpy(np.int64)
    borders = np.flatnonzero(np.diff(unit)) + 1
    return [
        Series(x, name=f"engine {u[0]}", channels=channels, time=c, label_name="rul")
        for x, u, c in zip(*(np.split(a, borders) for a in (values, unit, cycle)), strict=True)
    ]


def _with_label(engines: list[Series], left: Any, clip: float | None) -> list[Series]:
    labelled = []
    for engine, at_end in zip(engines, left, strict=True):
        life = at_end + np.arange(len(engine) - 1, -1, -1, dtype=np.float64)
        label = life if clip is None else np.minimum(life, clip)
        labelled.append(
            Series(engine.values, label, engine.name, engine.channels, engine.time, "rul")
        )
    return labelled
