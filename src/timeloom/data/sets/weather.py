"""Weather in Jena, every 10 minutes of 2020."""

from pathlib import Path

import numpy as np

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

# The copies in circulation have broken letters in the units, so columns go by position.
CHANNELS = (
    *("p (mbar)", "T (degC)", "Tpot (K)", "Tdew (degC)", "rh (%)", "VPmax (mbar)"),
    *("VPact (mbar)", "VPdef (mbar)", "sh (g/kg)", "H2OC (mmol/mol)", "rho (g/m**3)"),
    *("wv (m/s)", "max. wv (m/s)", "wd (deg)", "rain (mm)", "raining (s)", "SWDR (W/m2)"),
    *("PAR (umol/m2/s)", "max. PAR (umol/m2/s)", "Tlog (degC)", "OT"),
)
FAULT = -9999  # what the station writes where a sensor failed
INFO = (
    Info(
        name="weather",
        title="Weather of the Max Planck Institute Jena, 2020",
        channels=len(CHANNELS),
        length="52,696 points of 10 minutes",
        split="the benchmark's, by time: 70 % train and 10 % validate (together the first part "
        "here), 20 % test",
        label=None,
        licence="none stated in the copies; the institute offers its data freely, with thanks",
        redistribution="customary with citation; not inside a package",
        citation="Max Planck Institute for Biogeochemistry, Jena; as a benchmark: H. Wu et al., "
        "Autoformer, NeurIPS 2021",
        source="https://www.bgc-jena.mpg.de/wetter/ (weather.csv of the Autoformer benchmark)",
        files=("weather.csv",),
        aliases=("Jena",),
    ),
)


def load(folder: Path, *, whole: bool = False, faults: bool = False) -> Loaded:
    """Reads the table, in the source's units, with its time stamps.

    Args:
        folder: Holds ``weather.csv`` as in the benchmark, or ``data.parquet``.
        whole: Give all rows as one series.
        faults: Leave the 81 values of -9999, as the published forecasting figures do. Otherwise
            they are NaN, being not measured.

    Returns:
        ``([train], [test])``, where the first holds the rows that train **and validate**. Or
        ``[series]``.

    Raises:
        ValueError: If the file is missing or of another form.
    """
    path = find_file(folder, "data.parquet", "weather.csv")
    if path is None:
        raise absent(folder, "weather.csv", "data.parquet")
    frame = table(path, encoding="latin-1")
    if len(frame.columns) != len(CHANNELS) + 1:
        raise ValueError(
            f"{path} must have a date and {len(CHANNELS)} channels; got {len(frame.columns)} "
            "columns. Give the benchmark's file unchanged."
        )
    frame.columns = ["date", *CHANNELS]
    values = numbers(frame, CHANNELS, path)
    if not faults:
        values = np.where(values == FAULT, np.nan, values)
    series = Series(values, None, "weather", CHANNELS, stamps(frame["date"]))
    return [series] if whole else forecast_parts(series, shares(len(series)))
