"""Influenza-like illness in the United States, by week."""

from pathlib import Path

from timeloom.data.sets.folder import (
    Loaded,
    absent,
    find_file,
    forecast_parts,
    numbers,
    shares,
    stamps,
    table,
)
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

CHANNELS = (
    *("% WEIGHTED ILI", "%UNWEIGHTED ILI", "AGE 0-4", "AGE 5-24"),
    *("ILITOTAL", "NUM. OF PROVIDERS", "OT"),
)
INFO = (
    Info(
        name="ili",
        title="Influenza-like illness in the US, weekly 2002-2020",
        channels=len(CHANNELS),
        length="966 weeks",
        split="the benchmark's, by time: 70 % train and 10 % validate (together the first part "
        "here), 20 % test",
        label=None,
        licence="a work of the US government (public domain)",
        redistribution="yes",
        citation="CDC FluView Interactive; as a benchmark: H. Wu et al., Autoformer, NeurIPS 2021",
        source="https://gis.cdc.gov/grasp/fluview/fluviewinteractive.html "
        "(national_illness.csv of the Autoformer benchmark)",
        files=("national_illness.csv",),
        aliases=("illness", "national_illness"),
    ),
)


def load(folder: Path, *, whole: bool = False) -> Loaded:
    """Reads the table; rates in per cent, the other channels are counts.

    Args:
        folder: Holds ``national_illness.csv`` as in the benchmark, or ``data.parquet``.
        whole: Give all rows as one series.

    Returns:
        ``([train], [test])``, where the first holds the rows that train **and validate**. Or
        ``[series]``.

    Raises:
        ValueError: If the file is missing or of another form.
    """
    path = find_file(folder, "data.parquet", "national_illness.csv")
    if path is None:
        raise absent(folder, "national_illness.csv", "data.parquet")
    frame = table(path)
    series = Series(numbers(frame, CHANNELS, path), None, "ili", CHANNELS, stamps(frame["date"]))
    return [series] if whole else forecast_parts(series, shares(len(series)))
