"""FEMTO-ST PRONOSTIA: vibration of ball bearings that run until they fail (IEEE PHM 2012)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.sets.folder import absent, chosen, find_file, numbers, packed, text
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "features", "load"]

Array = NDArray[Any]

SAMPLES = 2560  # of one snapshot: 0.1 s at 25.6 kHz
BANDS = 8  # of 1.6 kHz each
FEATURES = (
    *("mean", "std", "rms", "peak", "p2p", "absmean", "skew", "kurt", "crest"),
    *(f"band{i}" for i in range(BANDS)),
)
CHANNELS = tuple(f"{axis}_{feature}" for axis in "hv" for feature in FEATURES)
AXES = ("horizontal", "vertical")
LEARNING = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2")
INFO = (
    Info(
        name="femto_bearing",
        title="FEMTO-ST PRONOSTIA bearings (IEEE PHM 2012)",
        channels=len(CHANNELS),
        length="400 to 2,900 snapshots per bearing, one every 10 s; raw: 2,560 samples each",
        split="the challenge's: the Learning_set trains, the Full_Test_Set tests",
        label="rul: snapshots of 10 s left until failure",
        licence="none stated",
        redistribution="customary with citation; not inside a package",
        citation="P. Nectoux et al., PRONOSTIA: An experimental platform for bearings accelerated "
        "degradation tests, IEEE PHM, Denver 2012",
        source="https://github.com/wkzs111/phm-ieee-2012-data-challenge-dataset",
        files=("Learning_set/Bearing*/acc_*.csv", "Full_Test_Set/Bearing*/acc_*.csv"),
        aliases=("femto", "pronostia", "PHM2012"),
    ),
)


def load(
    folder: Path, *, raw: bool = False, bearings: Sequence[str] | None = None
) -> tuple[list[Series], list[Series]]:
    """Reads the bearings that are there, named ``1_1``, as features or as the raw vibration.

    Args:
        folder: Holds ``Learning_set`` and ``Full_Test_Set`` as published, or ``features.parquet``
            and ``bearing1_1_raw.parquet``.
        raw: Give the acceleration in g, (2,560 x snapshots, 2), where it is there; a recording is
            some million samples. Otherwise 34 features per snapshot (see :func:`features`).
        bearings: Only these, such as ``["1_1"]``.

    Returns:
        Training and test bearings. The label is the number of snapshots left until failure; the
        truncated ``Test_set``, read where there is no ``Full_Test_Set``, has none.

    Raises:
        ValueError: If there is no bearing, or one is not there.
    """
    path = folder / "features.parquet"
    if path.is_file() and not raw:
        frame = packed(path)
        tables = {str(name): part for name, part in frame.groupby("bearing")}
        names = chosen(sorted(tables), bearings, "bearing")
        found = [_table(tables[name], name, path) for name in names]
    else:
        found = list(_recordings(folder, raw, bearings))
    train = [one for one in found if one.name in LEARNING]
    return train, [one for one in found if one.name not in LEARNING]


def features(snapshots: Array) -> Array:
    """What is commonly taken from a snapshot of vibration, for each axis in turn.

    Mean, standard deviation, root mean square, peak, peak to peak, mean of the absolute value,
    skewness, kurtosis (3 for a Gaussian), crest factor, and the root mean square in 8 equal bands
    of frequency, the mean left out.

    Args:
        snapshots: (snapshot, sample, axis).

    Returns:
        (snapshot, 17 x axis), all of the first axis before the second.
    """
    x = np.moveaxis(snapshots, 2, 0)  # (axis, snapshot, sample)
    mean, spread = x.mean(axis=2), x.std(axis=2)
    power, peak = np.sqrt(np.square(x).mean(axis=2)), np.abs(x).max(axis=2)
    # A snapshot without any movement has no shape: its skewness is 0, not a division by 0.
    z = (x - mean[..., None]) / np.where(spread > 0, spread, 1)[..., None]
    density = 2 * np.abs(np.fft.rfft(x, axis=2)) ** 2 / x.shape[2] ** 2
    bands = density[..., 1:].reshape(*density.shape[:2], BANDS, -1).sum(axis=3)
    plain = (
        *(mean, spread, power, peak, np.ptp(x, axis=2), np.abs(x).mean(axis=2)),
        *((z**3).mean(axis=2), (z**4).mean(axis=2), peak / np.where(power > 0, power, 1)),
    )
    found = np.concatenate([np.stack(plain, axis=2), np.sqrt(bands)], axis=2)
    return np.concatenate(list(found), axis=1)


def _table(frame: Any, name: str, path: Path) -> Series:
    label = frame["rul_snapshots"].to_numpy(np.float64)
    time = frame["snapshot"].to_numpy(np.int64)
    return Series(numbers(frame, CHANNELS, path), label, name, CHANNELS, time, "rul")


def _recordings(folder: Path, raw: bool, bearings: Sequence[str] | None) -> Iterator[Series]:
    tables = {path.name[7:10]: path for path in sorted(folder.glob("bearing?_?_raw.parquet"))}
    homes = {} if tables else _homes(folder)
    for name in chosen(sorted(tables or homes), bearings, "bearing"):
        if tables:
            units = packed(tables[name], ("h_milli_g", "v_milli_g")).to_numpy()
        else:
            units = _texts(homes[name])
        # float32 holds the grid of 0.001 g and halves some hundred megabytes.
        values = (units / 1000).astype(np.float32)
        left = np.arange(len(values) // SAMPLES - 1, -1, -1, dtype=np.float64)
        known = tables or homes[name].parent.name != "Test_set"
        if raw:
            label = np.repeat(left, SAMPLES) if known else None
            yield Series(values, label, name, AXES, None, "rul")
            continue
        snapshots = (units / 1000).reshape(-1, SAMPLES, 2)
        time = np.arange(1, len(snapshots) + 1)
        label = left if known else None
        yield Series(features(snapshots), label, name, CHANNELS, time, "rul")


def _homes(folder: Path) -> dict[str, Path]:
    """The folder of every bearing; the truncated test set only where there is no full one."""
    homes: dict[str, Path] = {}
    for which in ("Learning_set", "Full_Test_Set", "Test_set"):
        for path in sorted(folder.rglob(f"{which}/Bearing?_?")):
            if find_file(path, "acc_00001.csv") is not None:
                homes.setdefault(path.name[-3:], path)
    if not homes:
        raise absent(folder, "Learning_set/Bearing1_1/acc_00001.csv", "features.parquet")
    return homes


def _texts(home: Path) -> Array:
    """All snapshots of a bearing, in thousandths of g: (sample, axis)."""
    snapshots = []
    for path in sorted(home.glob("acc_*.csv")):
        with path.open(encoding="ascii") as file:
            separator = ";" if ";" in file.readline() else ","  # one bearing has another
        frame = text(path, header=None, sep=separator)
        if frame.shape[0] != SAMPLES or frame.shape[1] < 6:
            raise ValueError(
                f"{path} must have {SAMPLES} lines: hour, minute, second, microsecond and two "
                f"accelerations; got {frame.shape[0]} lines of {frame.shape[1]} cells."
            )
        snapshots.append(frame.iloc[:, [4, 5]].to_numpy(np.float64))
    return np.rint(np.concatenate(snapshots) * 1000).astype(np.int64)
