"""Exchange rates of eight currencies to the US dollar, by day."""

from pathlib import Path

from timeloom.data.sets.folder import (
    Loaded,
    absent,
    find_file,
    forecast_parts,
    numbers,
    shares,
    table,
)
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

CHANNELS = (
    *("Australia", "British", "Canada", "Switzerland"),
    *("China", "Japan", "NewZealand", "Singapore"),
)
INFO = (
    Info(
        name="exchange_rate",
        title="Exchange rates of eight countries, daily 1990-2016",
        channels=len(CHANNELS),
        length="7,588 days",
        split="the benchmark's, by time: 70 % train and 10 % validate (together the first part "
        "here), 20 % test",
        label=None,
        licence="none stated (compiled facts)",
        redistribution="customary with citation; not inside a package",
        citation="G. Lai et al., Modeling Long- and Short-Term Temporal Patterns with Deep Neural "
        "Networks (LSTNet), SIGIR 2018",
        source="https://github.com/laiguokun/multivariate-time-series-data",
        files=("exchange_rate.txt.gz",),
        aliases=("exchange",),
    ),
)


def load(folder: Path, *, whole: bool = False) -> Loaded:
    """Reads the table. It has no dates: those in some public copies were made up.

    Args:
        folder: Holds ``exchange_rate.txt.gz`` or ``exchange_rate.txt`` as published, or
            ``data.parquet``.
        whole: Give all rows as one series.

    Returns:
        ``([train], [test])``, where the first holds the rows that train **and validate**. Or
        ``[series]``.

    Raises:
        ValueError: If the file is missing or of another form.
    """
    path = find_file(folder, "exchange_rate.txt", "exchange_rate.txt.gz", "data.parquet")
    if path is None:
        raise absent(folder, "exchange_rate.txt.gz", "data.parquet")
    frame = table(path, header=None)
    if len(frame.columns) == len(CHANNELS):
        frame.columns = list(CHANNELS)
    series = Series(numbers(frame, CHANNELS, path), None, "exchange_rate", CHANNELS)
    return [series] if whole else forecast_parts(series, shares(len(series)))
