"""Air quality beside a road in an Italian city, by hour."""

from pathlib import Path

import numpy as np

from timeloom.data.sets.folder import absent, find_file, numbers, packed, stamps, text
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

CHANNELS = (
    *("CO(GT)", "PT08.S1(CO)", "NMHC(GT)", "C6H6(GT)", "PT08.S2(NMHC)", "NOx(GT)"),
    *("PT08.S3(NOx)", "NO2(GT)", "PT08.S4(NO2)", "PT08.S5(O3)", "T", "RH", "AH"),
)
MISSING = -200  # how the source writes what was not measured
INFO = (
    Info(
        name="air_quality",
        title="Air quality of an Italian city, hourly 2004-2005",
        channels=len(CHANNELS),
        length="9,357 hours",
        split="none",
        label=None,
        licence="CC BY 4.0",
        redistribution="yes, with attribution",
        citation="S. De Vito et al., On field calibration of an electronic nose for benzene "
        "estimation in an urban pollution monitoring scenario, Sensors and Actuators B 129(2), "
        "2008",
        source="https://archive.ics.uci.edu/dataset/360/air+quality",
        files=("AirQualityUCI.csv",),
        aliases=("AirQualityUCI",),
    ),
)


def load(folder: Path) -> list[Series]:
    """Reads the table, in the source's units, with its time stamps; -200 becomes NaN.

    Args:
        folder: Holds ``AirQualityUCI.csv`` as published, or ``data.parquet``.

    Raises:
        ValueError: If the file is missing or of another form.
    """
    path = find_file(folder, "data.parquet", "AirQualityUCI.csv")
    if path is None:
        raise absent(folder, "AirQualityUCI.csv", "data.parquet")
    if path.suffix == ".parquet":
        frame = packed(path)
        time = stamps(frame["datetime"])
    else:
        # Decimal commas, two empty columns at the end of each line, empty lines at the end.
        frame = text(path, sep=";", decimal=",").dropna(how="all")
        time = stamps(frame["Date"] + " " + frame["Time"], "%d/%m/%Y %H.%M.%S")
    values = numbers(frame, CHANNELS, path)
    values = np.where(values == MISSING, np.nan, values)
    return [Series(values, None, "air_quality", CHANNELS, time)]
