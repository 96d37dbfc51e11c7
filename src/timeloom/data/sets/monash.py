"""A selection of the Monash forecasting archive: seven collections of single series."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.sets.folder import absent, chosen, packed, rows
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

# How many values the archive forecasts, for collections whose file does not say.
HORIZONS = {
    **{"electricity_weekly": 8, "fred_md": 12, "hospital": 12, "m4_hourly": 48},
    **{"saugeenday": 30, "tourism_monthly": 24, "us_births": 30},
}
FREQUENCIES = {
    **{"electricity_weekly": "weekly", "fred_md": "monthly", "hospital": "monthly"},
    **{"m4_hourly": "hourly", "saugeenday": "daily", "tourism_monthly": "monthly"},
    **{"us_births": "daily"},
}
STEPS = {
    **{"minutely": (1, "m"), "10_minutes": (10, "m"), "half_hourly": (30, "m")},
    **{"hourly": (1, "h"), "daily": (1, "D"), "weekly": (7, "D")},
    **{"monthly": (1, "M"), "quarterly": (3, "M"), "yearly": (12, "M")},
}
INFO = (
    Info(
        name="monash",
        title="Monash forecasting archive, a selection of seven collections",
        channels=1,
        length="78 to 23,741 values per series",
        split="the archive's: the last values of every series, as many as it forecasts, test",
        label=None,
        licence="CC BY 4.0",
        redistribution="yes, with attribution",
        citation="R. Godahewa et al., Monash Time Series Forecasting Archive, NeurIPS Datasets and "
        "Benchmarks 2021, arXiv:2105.06643",
        source="https://forecastingdata.org/",
        files=tuple(f"{name}_dataset.tsf" for name in HORIZONS),
        aliases=("MonashArchive",),
    ),
)


def load(
    folder: Path, *, collections: Sequence[str] | None = None
) -> tuple[list[Series], list[Series]]:
    """Reads the collections that are there; a series is named ``m4_hourly/T1``.

    Args:
        folder: Holds files such as ``m4_hourly_dataset.tsf`` (any of the archive), or
            ``m4_hourly.parquet``.
        collections: Only these, such as ``["m4_hourly"]``.

    Returns:
        The beginnings and the last values of the same series, in the same order.

    Raises:
        ValueError: If there is no collection, if one is not there, or if a file does not say how
            many values are forecast and is not one of the seven.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
    if not paths:
        files = sorted(folder.rglob("*.tsf"))
        paths = {path.stem.removesuffix("_dataset"): path for path in files}
    if not paths:
        raise absent(folder, "*_dataset.tsf", "*.parquet")
    train, test = [], []
    for name in chosen(list(paths), collections, "collection"):
        series, horizon = (_packed if paths[name].suffix == ".parquet" else _tsf)(paths[name], name)
        train += [rows(one, slice(0, -horizon)) for one in series]
        test += [rows(one, slice(-horizon, None)) for one in series]
    return train, test


def _packed(path: Path, name: str) -> tuple[list[Series], int]:
    frame = packed(path)
    columns = (frame["series_name"], frame["start_timestamp"], frame["values"])
    series = [
        _series(np.asarray(values, np.float64), f"{name}/{title}", start, FREQUENCIES.get(name))
        for title, start, values in zip(*columns, strict=True)
    ]
    return series, _horizon(path, name, {})


def _tsf(path: Path, name: str) -> tuple[list[Series], int]:
    said: dict[str, str] = {}
    attributes, series = [], []
    lines = iter(path.read_text(encoding="latin-1").splitlines())
    for line in lines:
        key, _, rest = line.strip().partition(" ")
        if key == "@attribute":
            attributes.append(rest.split(" ")[0])
        elif key == "@data":
            break
        elif key.startswith("@"):
            said[key[1:]] = rest.strip()
    for line in lines:
        *fields, values = line.split(":")
        if not line.strip() or line.startswith("#"):
            continue
        if len(fields) != len(attributes):
            raise ValueError(
                f"{path} must have {len(attributes)} attributes before the values of a series; "
                f"got {len(fields)}. Give the publisher's file unchanged."
            )
        one = dict(zip(attributes, fields, strict=True))
        title = one.get("series_name", f"T{len(series) + 1}")
        numbers = np.array([v if v.strip() != "?" else "nan" for v in values.split(",")], float)
        step = said.get("frequency", FREQUENCIES.get(name))
        series.append(_series(numbers, f"{name}/{title}", one.get("start_timestamp"), step))
    return series, _horizon(path, name, said)


def _horizon(path: Path, name: str, said: dict[str, str]) -> int:
    horizon = said.get("horizon", HORIZONS.get(name))
    if horizon is None:
        raise ValueError(
            f"{path} must say how many values are forecast; add a line such as @horizon 12."
        )
    return int(horizon)


def _series(values: NDArray[np.float64], name: str, start: Any, frequency: str | None) -> Series:
    time = None
    if isinstance(start, str) and frequency in STEPS:
        time = _times(start, *STEPS[frequency], len(values))
    return Series(values[:, None], None, name, ("value",), time)


def _times(start: str, step: int, unit: str, count: int) -> NDArray[np.datetime64]:
    """Equal steps from ``1915-01-01 00-00-00`` on; months and years have their own lengths."""
    day, _, clock = start.partition(" ")
    first = np.datetime64(f"{day}T{clock.replace('-', ':') or '00:00:00'}", "s")
    if unit != "M":
        return first + np.arange(count) * np.timedelta64(step, unit)
    month = first.astype("datetime64[M]")
    return (month + np.arange(count) * step).astype("datetime64[s]") + (first - month)
