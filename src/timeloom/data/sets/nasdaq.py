"""Share prices by day, one series per company: a table of tickers or a folder of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.sets.folder import Loaded, absent, chosen, numbers, packed, rows, stamps, text
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "NASDAQ", "load"]

CHANNELS = ("open", "high", "low", "close", "volume")
TEST_FROM = "2017-07-01"
# Of the 505 companies in all_stocks_5yr.csv, those that NASDAQ lists.
NASDAQ = tuple(
    """
    AAL AAPL ADBE ADI ADP ADSK AKAM ALGN ALXN AMAT AMD AMGN AMZN ANSS ATVI AVGO BHF BIIB CA CBOE
    CDNS CELG CERN CHRW CHTR CINF CMCSA CME COST CSCO CSX CTAS CTSH CTXS DISCA DISCK DISH DLTR EA
    EBAY EQIX ESRX ETFC EXPD EXPE FAST FB FFIV FISV FITB FLIR FOX FOXA GILD GOOG GOOGL GRMN GT HAS
    HBAN HOLX HSIC IDXX ILMN INCY INFO INTC INTU ISRG JBHT KHC KLAC LKQ LRCX MAR MAT MCHP MDLZ MNST
    MSFT MU MYL NAVI NCLH NDAQ NFLX NTAP NTRS NVDA NWS NWSA ORLY PAYX PBCT PCAR PCLN PDCO PYPL QCOM
    QRVO REGN ROST SBAC SBUX SNI SNPS SRCL STX SWKS SYMC TRIP TROW TSCO TXN ULTA VIAB VRSK VRSN VRTX
    WBA WDC WLTW WYNN XLNX XRAY ZION
    """.split()
)


def _info(name: str, title: str, aliases: tuple[str, ...]) -> Info:
    return Info(
        name=name,
        title=title,
        channels=len(CHANNELS),
        length="1,259 days for most companies",
        split="ours, by time: up to June 2017 trains, from July 2017 on tests",
        label=None,
        licence="CC0 1.0",
        redistribution="yes",
        citation="C. Nugent, S&P 500 stock data, Kaggle 2018",
        source="https://www.kaggle.com/datasets/camnugent/sandp500",
        files=("all_stocks_5yr.csv, or one CSV per ticker",),
        aliases=aliases,
    )


INFO = (
    _info("nasdaq_5yr", "Shares of the S&P 500 that NASDAQ lists, daily 2013-2018", ("nasdaq",)),
    _info("nyse_5yr", "Shares of the S&P 500 that others list, daily 2013-2018", ("nyse",)),
)


def load(
    folder: Path,
    name: str,
    *,
    tickers: Sequence[str] | None = None,
    test_from: str | None = TEST_FROM,
) -> Loaded:
    """Reads daily prices (in the quotes' currency) and volumes (in shares) of many companies.

    Args:
        folder: Holds one CSV per ticker (``AAPL.csv`` or ``AAPL_data.csv``, with the columns Date,
            Open, High, Low, Close and Volume in any case and order; others are left out), or the
            table of all, ``all_stocks_5yr.csv``, or ``ohlcv.parquet``.
        name: ``"nasdaq_5yr"`` or ``"nyse_5yr"``; it chooses the companies in the table of all and
            nothing else.
        tickers: Only these.
        test_from: The first day of the test part, as ``"2017-07-01"``; None: no parts.

    Returns:
        ``(train, test)``; a company with no day in a part is not in it. Or a list.

    Raises:
        ValueError: If there is no ticker, or one is not there, or if a part would be empty.
    """
    frames = _frames(folder, name)
    series = [_series(frames[one], one) for one in chosen(sorted(frames), tickers, "ticker")]
    if test_from is None:
        return series
    border = np.datetime64(test_from, "s")
    train, test = [], []
    for one in series:
        first = int(np.searchsorted(one.time, border))  # pyright: ignore
        train += [rows(one, slice(0, first))] if first else []
        test += [rows(one, slice(first, None))] if first < len(one) else []
    if not train or not test:
        raise ValueError(
            f"{folder} must hold days before and after {test_from}, where the test part begins; "
            f"all lie {'after' if test else 'before'} it. Give another day as test_from, or None."
        )
    return train, test


def _frames(folder: Path, name: str) -> dict[str, Any]:
    if (folder / "ohlcv.parquet").is_file():
        frame = packed(folder / "ohlcv.parquet")
        return {str(ticker): part for ticker, part in frame.groupby("ticker")}
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.csv")):
        frame = text(path)
        frame.columns = [column.strip().lower().replace(" ", "_") for column in frame.columns]
        gone = [one for one in ("date", *CHANNELS) if one not in frame.columns]
        if gone:
            raise ValueError(
                f"{path} must have the columns Date, Open, High, Low, Close and Volume; "
                f"{', '.join(gone)} is missing. Leave files of another kind out of the folder."
            )
        if "name" not in frame.columns or frame["name"].nunique() == 1:
            found[path.stem.removesuffix("_data")] = frame
            continue
        for ticker, part in frame.groupby("name"):
            if (str(ticker) in NASDAQ) == (name == "nasdaq_5yr"):
                found[str(ticker)] = part
    if not found:
        raise absent(folder, "all_stocks_5yr.csv", "one CSV per ticker", "ohlcv.parquet")
    return found


def _series(frame: Any, ticker: str) -> Series:
    time = stamps(frame["date"])
    order = np.argsort(time, kind="stable")
    values = numbers(frame, CHANNELS, Path(ticker))[order]
    return Series(values, None, ticker, CHANNELS, time[order])
