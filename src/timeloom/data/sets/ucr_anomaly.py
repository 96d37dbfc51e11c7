"""The UCR anomaly archive: long single series with exactly one anomaly each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timeloom.data.sets.folder import absent, chosen
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

INFO = (
    Info(
        name="ucr_anomaly",
        title="UCR anomaly archive (KDD 2021)",
        channels=1,
        length="6,700 to 900,000 points per series",
        split="the archive's, in the file's name: the beginning trains, the rest holds one anomaly",
        label="anomaly: 0 or 1 per time point, test part only",
        licence="none stated; free for research",
        redistribution="customary with citation; not inside a package",
        citation="R. Wu, E. Keogh, Current Time Series Anomaly Detection Benchmarks are Flawed and "
        "are Creating the Illusion of Progress, IEEE TKDE 2021",
        source="https://www.cs.ucr.edu/~eamonn/time_series_data_2018/"
        "UCR_TimeSeriesAnomalyDatasets2021.zip",
        files=("*_UCR_Anomaly_*.txt",),
        aliases=("UCR_TimeSeriesAnomalyDatasets2021", "KDD21"),
    ),
)


def load(folder: Path, *, series: Sequence[str] | None = None) -> tuple[list[Series], list[Series]]:
    """Reads the series that are there, named ``135_InternalBleeding16``.

    Time is the position in the whole file, so that the test part goes on where training ends. The
    archive's two borders of an anomaly are read as positions from 0, both inside it.

    Args:
        folder: Holds files such as ``135_UCR_Anomaly_InternalBleeding16_1200_4187_4199.txt``, or
            ``series.npz``.
        series: Only these.

    Returns:
        The beginnings, without labels, and what follows them, labelled.

    Raises:
        ValueError: If there is no series, or one is not there.
    """
    path = folder / "series.npz"
    found: dict[str, tuple[NDArray[np.float64], tuple[int, ...]]] = {}
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                name, _, what = key.partition("__")
                if what == "values":
                    borders = arrays[f"{name}__train_end_anom_start_anom_end"]
                    found[name] = arrays[key], tuple(int(i) for i in borders)
    else:
        found = _texts(folder, series)
    train, test = [], []
    for name in chosen(sorted(found), series, "series"):
        values, (end, first, last) = found[name]
        time = np.arange(len(values))
        label = ((time >= first) & (time <= last)).astype(np.int64)
        x = values[:, None]
        train.append(Series(x[:end], None, name, ("value",), time[:end], "anomaly"))
        test.append(Series(x[end:], label[end:], name, ("value",), time[end:], "anomaly"))
    return train, test


def _texts(
    folder: Path, wanted: Sequence[str] | None
) -> dict[str, tuple[NDArray[np.float64], tuple[int, ...]]]:
    found = {}
    for path in sorted(folder.rglob("*_UCR_Anomaly_*.txt")):
        number, _, rest = path.stem.partition("_UCR_Anomaly_")
        *name, end, first, last = rest.split("_")
        found[f"{number}_{'_'.join(name)}"] = path, (int(end), int(first), int(last))
    if not found:
        raise absent(folder, "*_UCR_Anomaly_*.txt", "series.npz")
    # Most files have a value per line, some have all values in one.
    return {
        name: (np.loadtxt(path).reshape(-1), found[name][1])
        for name in chosen(sorted(found), wanted, "series")
        for path in [found[name][0]]
    }
