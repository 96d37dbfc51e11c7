"""Energy use of appliances in a house in Belgium, every 10 minutes of 4.5 months."""

from pathlib import Path

from timeloom.data.sets.folder import absent, find_file, numbers, stamps, table
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

ROOMS = tuple(f"{what}{i}" for i in range(1, 10) for what in ("T", "RH_"))
CHANNELS = (
    *("Appliances", "lights", *ROOMS, "T_out", "Press_mm_hg", "RH_out", "Windspeed"),
    *("Visibility", "Tdewpoint", "rv1", "rv2"),
)
INFO = (
    Info(
        name="energy_appliances",
        title="Energy use of appliances",
        channels=len(CHANNELS),
        length="19,735 points of 10 minutes",
        split="none: TimeGAN draws windows of 24 from all rows",
        label=None,
        licence="CC BY 4.0",
        redistribution="yes, with attribution",
        citation="L. M. Candanedo, V. Feldheim, D. Deramaix, Data driven prediction models of "
        "energy use of appliances in a low-energy house, Energy and Buildings 140, 2017",
        source="https://archive.ics.uci.edu/dataset/374/appliances+energy+prediction",
        files=("energydata_complete.csv",),
        aliases=("energy", "appliances"),
    ),
)


def load(folder: Path) -> list[Series]:
    """Reads the table, in the source's units, with its time stamps.

    ``rv1`` and ``rv2`` are the same random numbers, put there by the authors as a trap. The packed
    table lacks the last row of the published one.

    Args:
        folder: Holds ``energydata_complete.csv`` as published, or ``data.parquet``.

    Raises:
        ValueError: If the file is missing or of another form.
    """
    path = find_file(folder, "data.parquet", "energydata_complete.csv")
    if path is None:
        raise absent(folder, "energydata_complete.csv", "data.parquet")
    frame = table(path)
    values, time = numbers(frame, CHANNELS, path), stamps(frame["date"])
    return [Series(values, None, "energy_appliances", CHANNELS, time)]
