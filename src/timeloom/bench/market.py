"""Where do market windows come from: daily prices of NASDAQ, a folder of them, or a simulator?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.market import extreme_edges, forward_returns, market_split, market_windows
from timeloom.data.prices import to_log_prices
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Series, Windows

__all__ = ["BORDERS", "market_data", "market_series", "random_split", "simulated_market"]

Array = NDArray[Any]
Parts = tuple[Windows, Windows, Windows]

BORDERS = ("2017-01-01", "2017-07-01")  # of nasdaq_5yr: where validation and test begin
CHANNELS = ("open", "high", "low", "close", "volume")

# The simulator: a third of a usual company's variance is the market's.
ALPHA, BETA = 0.08, 0.90  # of both GARCH(1,1): today's square, yesterday's variance
OVERNIGHT = 0.2  # of a day's variance falls between close and open
MOVES = 26  # quarters of an hour in a trading day
DAYS_A_YEAR = 252
MARKET_VOLATILITY = 0.16  # a year
MEDIAN_OWN, SPREAD_OWN = 0.22, 0.35  # a year; log-normal over companies


def market_data(
    label: str = "direction",
    folder: Path | str | None = None,
    simulated: bool = False,
    *,
    split: str = "time",
    stride: int = 24,
    seed: int = 0,
) -> Parts:
    """Training, validation and test windows of 24 days, in logarithms, labelled by what follows.

    Args:
        label: ``"direction"`` or ``"extreme"``; see :func:`~timeloom.data.market.market_windows`.
        folder: One CSV per ticker, in place of the set ``nasdaq_5yr``.
        simulated: Take :func:`simulated_market` instead: 120 companies, 1,259 days.
        split: ``"time"``: train to 2016, validate in the first half of 2017, test after that (of
            other data: 78, 10 and 12 % of the days), a week between. ``"random"``: as the TarDiff
            report does, which leaks; for comparison only.
        stride: Days between the starts of two windows.
        seed: Of the simulator, and of ``"random"``.

    Returns:
        Windows (window, 24, 5) as :func:`~timeloom.data.prices.to_log_prices` makes them.

    Raises:
        ValueError: As :func:`market_series` and :func:`~timeloom.data.market.market_split`; or if
            there is no such split.
    """
    if split not in ("time", "random"):
        raise ValueError(f"split must be 'time' or 'random'; got {split!r}.")
    series = market_series(folder, simulated, seed=seed)
    if split == "random":
        parts = random_split(series, label=label, stride=stride, seed=seed)
    else:
        borders = None if folder is not None or simulated else BORDERS
        parts = market_split(series, borders=borders, label=label, stride=stride)
    train, validation, test = (to_log_prices(part)[0] for part in parts)
    return train, validation, test


def market_series(
    folder: Path | str | None = None, simulated: bool = False, *, seed: int = 0
) -> list[Series]:
    """Daily prices of all companies: of ``nasdaq_5yr``, of a folder, or simulated.

    Args:
        folder: One CSV per ticker (Date, Open, High, Low, Close, Volume).
        simulated: Make 120 companies of 1,259 days, as many days as ``nasdaq_5yr`` has.
        seed: Of the simulator.

    Raises:
        ValueError: If both are asked for, or as the loader says.
    """
    if simulated and folder is not None:
        raise ValueError(f"either a folder or a simulated market; got both, {folder} and True.")
    if simulated:
        return simulated_market(120, 1259, seed)
    found = load_dataset("nasdaq_5yr", None if folder is None else Path(folder), test_from=None)
    return found if isinstance(found, list) else [*found[0], *found[1]]


def random_split(
    series: Sequence[Series], *, label: str = "direction", stride: int = 24, seed: int = 0
) -> Parts:
    """80, 10 and 10 % of all windows at random, edges over all of them: the report's way.

    It leaks: windows of all companies end on the same days, some of them in training and some in
    test. Here to measure how much that flatters.

    Raises:
        ValueError: As :func:`~timeloom.data.market.market_windows`.
    """
    edges = None
    if label == "extreme":
        every = market_windows(series, stride=stride, stagger=False)
        edges = extreme_edges(forward_returns(series, every))
    windows = market_windows(series, stride=stride, label=label, edges=edges, stagger=False)
    order = np.random.default_rng([seed, 20413]).permutation(len(windows))
    first, second, third = np.split(order, [int(0.8 * len(order)), int(0.9 * len(order))])
    return windows[first], windows[second], windows[third]


def simulated_market(tickers: int = 120, days: int = 1259, seed: int = 0) -> list[Series]:
    """Daily prices and volumes whose volatility clusters and whose direction nobody can foretell.

    A company's log return is ``b * market + own``. Both are GARCH(1,1), ``h' = w + 0.08 r^2 +
    0.90 h``, w such that the mean variance is that of 16 % a year (market) and of 22 % times a
    log-normal factor (own); b is normal around 1. So calm and storm are partly shared, and nothing
    drifts. A fifth of each day's variance comes overnight, the rest in 26 equal moves; high and low
    are the extremes of that path, open and close included. The logarithm of the volume is the
    company's level (100,000 to 100 million shares), plus 0.8 of the logarithm of its relative
    volatility, 0.3 of its relative range that day and normal noise of 0.3. Source: Bollerslev
    1986; the figures are ours, near those of large companies.

    Args:
        tickers: Companies, at least 1. Company i depends on ``seed`` and i only.
        days: Trading days (Monday to Friday) from 2013-02-08, at least 1. A longer market begins as
            a shorter one of the same seed does.
        seed: Of everything.

    Returns:
        One series of open, high, low, close (above 0) and volume (whole shares) per company.

    Raises:
        ValueError: If there is no company or no day.
    """
    if min(tickers, days) < 1:
        raise ValueError(f"tickers and days must be at least 1; got {tickers} and {days}.")
    market, _ = _moves(np.random.default_rng([seed, 0]), days, MARKET_VOLATILITY)
    time = np.busday_offset("2013-02-08", np.arange(days), roll="forward")
    time = time.astype("datetime64[s]")
    return [
        Series(
            _company(np.random.default_rng([seed, 1 + i]), market),
            None,
            f"S{i:04d}",
            CHANNELS,
            time,
        )
        for i in range(tickers)
    ]


def _company(rng: np.random.Generator, market: Array) -> Array:
    """(day, channel) of one company, given the market's moves (day, move)."""
    days = len(market)
    noise = rng.spawn(1)[0]  # a stream of its own, or it would depend on the number of days
    slope = rng.normal(1.0, 0.3)
    volatility = MEDIAN_OWN * np.exp(SPREAD_OWN * rng.normal())
    price, level = np.exp(rng.normal(4.0, 0.7)), rng.uniform(np.log(1e5), np.log(1e8))
    own, own_variance = _moves(rng, days, volatility)
    path = slope * market + own
    path = (np.log(price) + np.cumsum(path)).reshape(days, 1 + MOVES)
    values = np.empty((days, len(CHANNELS)))
    values[:, 0], values[:, 3] = path[:, 0], path[:, -1]
    values[:, 1], values[:, 2] = path.max(axis=1), path.min(axis=1)
    spread = values[:, 1] - values[:, 2]
    usual = volatility / np.sqrt(DAYS_A_YEAR)
    values[:, 4] = level + 0.4 * np.log(own_variance / usual**2) + 0.3 * spread / usual
    values[:, 4] += 0.3 * noise.normal(size=days)
    values[:, :4] = np.exp(values[:, :4])
    values[:, 4] = np.round(np.exp(values[:, 4]))
    return values


def _moves(rng: np.random.Generator, days: int, volatility: float) -> tuple[Array, Array]:
    """(day, move) of a GARCH(1,1), the first move of a day overnight; and the variances (day,)."""
    usual = volatility**2 / DAYS_A_YEAR
    shares = np.array([OVERNIGHT, *[(1 - OVERNIGHT) / MOVES] * MOVES])
    moves = np.sqrt(shares) * rng.normal(size=(days, 1 + MOVES))
    variances, variance = np.empty(days), usual
    for day, drawn in enumerate(moves.sum(axis=1).tolist()):
        variances[day] = variance
        variance = (1 - ALPHA - BETA) * usual + (ALPHA * drawn**2 + BETA) * variance
    return moves * np.sqrt(variances)[:, None], variances
