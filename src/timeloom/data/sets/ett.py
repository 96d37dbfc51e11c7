"""ETT: hourly load and oil temperature of an electricity transformer."""

from pathlib import Path

from timeloom.data.sets.folder import (
    Loaded,
    absent,
    find_file,
    forecast_parts,
    numbers,
    stamps,
    text,
)
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

CHANNELS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
MONTH = 30 * 24  # the benchmark counts 12 + 4 + 4 months of 30 days and leaves out the rest
INFO = (
    Info(
        name="etth1",
        title="ETT-small ETTh1, electricity transformer temperature",
        channels=len(CHANNELS),
        length="17,420 hours",
        split="the benchmark's, by time: 8,640 rows train and the next 2,880 validate (together "
        "the first part here), the next 2,880 test",
        label=None,
        licence="CC BY-ND 4.0",
        redistribution="unchanged only, with attribution",
        citation="H. Zhou et al., Informer: Beyond Efficient Transformer for Long Sequence "
        "Time-Series Forecasting, AAAI 2021",
        source="https://github.com/zhouhaoyi/ETDataset (folder ETT-small)",
        files=("ETTh1.csv",),
        aliases=("ETTh1", "ETT"),
    ),
)


def load(folder: Path, *, whole: bool = False) -> Loaded:
    """Reads the table, in the source's units, with its time stamps.

    Args:
        folder: Holds ``ETTh1.csv``, or the same packed as ``ETTh1.csv.gz``.
        whole: Give all rows as one series.

    Returns:
        ``([train], [test])``: the first holds the 11,520 rows that train **and validate**, the
        second the 2,880 that test. Or ``[series]``.

    Raises:
        ValueError: If the file is missing or of another form.
    """
    path = find_file(folder, "ETTh1.csv", "ETTh1.csv.gz")
    if path is None:
        raise absent(folder, "ETTh1.csv", "ETTh1.csv.gz")
    frame = text(path)
    values = numbers(frame, CHANNELS, path)
    series = Series(values, None, "etth1", CHANNELS, stamps(frame["date"]))
    return [series] if whole else forecast_parts(series, 16 * MONTH, 20 * MONTH)
