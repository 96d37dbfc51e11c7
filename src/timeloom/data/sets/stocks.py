"""Google's share by day, as TimeGAN and its successors use it."""

from pathlib import Path

from timeloom.data.sets.folder import absent, find_file, numbers, text
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

CHANNELS = ("Open", "High", "Low", "Close", "Adj_Close", "Volume")
INFO = (
    Info(
        name="stock_goog",
        title="Google's share, daily 2004-2019 (TimeGAN)",
        channels=len(CHANNELS),
        length="3,685 days",
        split="none: TimeGAN draws windows of 24 from all rows",
        label=None,
        licence="quotes from Yahoo Finance, without a licence to pass them on; the repository: "
        "Apache-2.0",
        redistribution="customary with citation; not inside a package",
        citation="J. Yoon, D. Jarrett, M. van der Schaar, Time-series Generative Adversarial "
        "Networks, NeurIPS 2019",
        source="https://github.com/jsyoon0823/TimeGAN (data/stock_data.csv)",
        files=("stock_data.csv",),
        aliases=("stock", "stocks", "google", "stock_data"),
    ),
)


def load(folder: Path) -> list[Series]:
    """Reads the table: prices in US dollars, the volume in shares. It has no dates.

    Args:
        folder: Holds ``stock_data.csv`` as in TimeGAN's repository, or ``stock_data.csv.gz``.

    Raises:
        ValueError: If the file is missing or of another form.
    """
    path = find_file(folder, "stock_data.csv", "stock_data.csv.gz")
    if path is None:
        raise absent(folder, "stock_data.csv", "stock_data.csv.gz")
    return [Series(numbers(text(path), CHANNELS, path), None, "stock_goog", CHANNELS)]
