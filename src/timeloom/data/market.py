"""How do daily prices become labelled windows, in parts that share no day?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.data.prices import PRICES, VOLUME, price_places
from timeloom.data.windows import Series, Windows

__all__ = [
    "LABELS",
    "extreme_edges",
    "forward_returns",
    "last_days",
    "market_split",
    "market_windows",
]

Array = NDArray[Any]

LABELS = ("direction", "extreme")
RARE = 0.05  # share of windows in each outer class of "extreme"
IMPLAUSIBLE = 0.5  # a return beyond it is taken for a split or an error of the source
HALTED = 10  # days between two rows beyond which they are no neighbours; holidays make up to 7
SHARES = (0.78, 0.88)  # of the days: where validation and test begin when no date is given


def forward_returns(series: Sequence[Series], windows: Windows, horizon: int = 5) -> Array:
    """What happens after each window: ``close[t + horizon] / close[t] - 1``, t its last day.

    Args:
        series: Daily prices; ``windows.series`` and ``windows.start`` point into them.
        windows: Where to look; their values are not read.
        horizon: Days ahead, in rows of the series.

    Returns:
        (window,) returns as shares; NaN where one of the two days is not there.
    """
    found = np.full(len(windows), np.nan)
    last = windows.start + windows.shape[0] - 1
    for i in np.unique(windows.series):
        close = series[i].values[:, _close(series[i])].astype(np.float64)
        rows = np.flatnonzero((windows.series == i) & (last + horizon < len(close)))
        with np.errstate(divide="ignore", invalid="ignore"):
            found[rows] = close[last[rows] + horizon] / close[last[rows]] - 1
    found[~np.isfinite(found)] = np.nan
    return found


def last_days(series: Sequence[Series], windows: Windows) -> Array:
    """(window,) the date of each window's last day.

    Windows of one day or week share the fate of the market: an interval that takes them for
    independent is too narrow. Resample days, not windows or companies.

    Raises:
        ValueError: If dates are missing or do not ascend.
    """
    found = np.empty(len(windows), dtype="datetime64[D]")
    for i in np.unique(windows.series):
        rows = windows.series == i
        found[rows] = _dates(series[i])[windows.start[rows] + windows.shape[0] - 1]
    return found


def extreme_edges(returns: ArrayLike) -> tuple[float, float]:
    """The returns below and above which 5 % each lie; for training windows, and no others.

    Args:
        returns: (window,) as shares. NaN and what exceeds 0.5 either way is left out.

    Raises:
        ValueError: If fewer than 20 are left, so that 5 % is not one window.
    """
    known = np.asarray(returns, dtype=np.float64)
    known = known[np.abs(known) <= IMPLAUSIBLE]
    if len(known) < 1 / RARE:
        raise ValueError(
            f"the outer 5 % need at least 20 returns; got {len(known)}. Give more series or a "
            "smaller stride."
        )
    low, high = np.quantile(known, [RARE, 1 - RARE])
    return float(low), float(high)


def market_windows(
    series: Sequence[Series],
    *,
    length: int = 24,
    stride: int = 24,
    horizon: int = 5,
    label: str = "direction",
    edges: tuple[float, float] | None = None,
    stagger: bool = True,
) -> Windows:
    """Cuts daily prices into windows labelled with what comes after them.

    The return ``r = close[t + horizon] / close[t] - 1`` after the last day t makes the label:
    ``"direction"`` is 1 if r > 0, else 0; ``"extreme"`` is 0 (loss) if r is at most the lower edge,
    2 (gain) if it is at least the upper one, else 1, and windows with |r| > 0.5 are left out. Days
    that are not there make no window: past the end, more than ten days after the one before, or
    with a missing value, a price of 0 or a negative volume. Source: the TarDiff report on NASDAQ,
    which takes the edges over all data.

    Args:
        series: Daily open, high, low, close and volume of many companies, in order of time.
        length: Days per window.
        stride: Days between the starts of two windows.
        horizon: Days ahead that the label looks.
        label: ``"direction"`` or ``"extreme"``.
        edges: Lower and upper edge of ``"extreme"``, as :func:`extreme_edges` gives them; those of
            the windows themselves where None, which is right for training windows alone.
        stagger: Company i begins i days later (modulo ``stride``), so that windows end on all days.
            Otherwise those of all companies end on the same few days, each one throw of the dice
            for the whole market, as in the report.

    Returns:
        Windows in the units of the series, ``y`` (window,) of integers;
        :func:`~timeloom.data.prices.to_log_prices` makes them what a generator can learn.

    Raises:
        ValueError: If the label is unknown, a size is below 1, there is no close, series differ in
            channels, edges do not ascend, or no window is left.
    """
    _check(series, label, length, stride, horizon)
    rows = [(0, len(one)) for one in series]
    found = _cut(series, rows, length, stride, horizon, stagger)
    return _labelled(series, found, label, horizon, edges)


def market_split(
    series: Sequence[Series],
    *,
    borders: tuple[str, str] | None = None,
    gap: int = 7,
    length: int = 24,
    stride: int = 24,
    horizon: int = 5,
    label: str = "direction",
) -> tuple[Windows, Windows, Windows]:
    """The windows of :func:`market_windows` in three parts by date, for all companies alike.

    A window stands in a part with all its days and the days that its label looks at; no day is in
    two parts. Drawing windows at random instead puts days of one market on both sides, for
    companies rise and fall together. The edges of ``"extreme"`` are those of training windows.
    Starts are staggered over companies, in every part anew.

    Args:
        series: Daily prices with dates in ``time``.
        borders: First days of validation and test, as ``("2017-01-01", "2017-07-01")``; after 78 %
            and 88 % of all days where None.
        gap: Calendar days before each border that nothing may touch.
        length: Days per window.
        stride: Days between the starts of two windows.
        horizon: Days ahead that the label looks.
        label: ``"direction"`` or ``"extreme"``.

    Returns:
        Training, validation and test windows; ``series`` and ``start`` point into ``series``.

    Raises:
        ValueError: As :func:`market_windows`; and if dates are missing or do not ascend, borders do
            not, or a part would be empty.
    """
    _check(series, label, length, stride, horizon)
    if gap < 0:
        raise ValueError(f"gap must be at least 0 days, or parts share days; got {gap}.")
    times = [_dates(one) for one in series]
    first, second = _borders(times, borders)
    pause = np.timedelta64(gap, "D")
    limits = ((None, first - pause), (first, second - pause), (second, None))
    parts, edges = [], None
    for name, (start, end) in zip(("training", "validation", "test"), limits, strict=True):
        rows = [
            (
                0 if start is None else int(np.searchsorted(time, start)),
                len(time) if end is None else int(np.searchsorted(time, end)),
            )
            for time in times
        ]
        found = _cut(series, rows, length, stride, horizon)
        if not len(found):
            raise ValueError(
                f"the {name} part would hold no window: validation begins on {first}, test on "
                f"{second}, and a window needs {length + horizon} days. Give other borders."
            )
        if label == "extreme" and edges is None:
            edges = extreme_edges(forward_returns(series, found, horizon))
        parts.append(_labelled(series, found, label, horizon, edges))
    return parts[0], parts[1], parts[2]


def _cut(
    series: Sequence[Series],
    rows: list[tuple[int, int]],
    length: int,
    stride: int,
    horizon: int,
    stagger: bool = True,
) -> Windows:
    """The usable windows between two rows of each series, the days of their labels included."""
    x, owner, start = [np.empty((0, length, series[0].values.shape[1]))], [], []
    for i, (one, (first, end)) in enumerate(zip(series, rows, strict=True)):
        room = end - first - length - horizon
        if room < 0:
            continue
        late = i % min(stride, room + 1) if stagger else 0
        at = np.arange(first + late, first + room + 1, stride)
        at = at[_usable(one, length, horizon)[at]]
        x.append(one.values[at[:, None] + np.arange(length)])
        owner.append(np.full(len(at), i))
        start.append(at)
    whole = np.concatenate(x)
    if not len(whole):
        return Windows(whole, channels=series[0].channels)
    return Windows(whole, None, np.concatenate(owner), np.concatenate(start), series[0].channels)


def _usable(one: Series, length: int, horizon: int) -> Array:
    """(start,) whether a window may begin there: a sound day throughout, and no long pause."""
    places = price_places(one.channels)
    prices = [places[name] for name in PRICES if name in places]
    sound = ~np.isnan(one.values).any(axis=1) & (one.values[:, prices] > 0).all(axis=1)
    if VOLUME in places:
        sound &= one.values[:, places[VOLUME]] >= 0
    ahead = np.greater(one.values[:, places["close"]], 0)  # the label's day needs a close alone
    last = len(one) - length - horizon + 1
    view = np.lib.stride_tricks.sliding_window_view
    usable = view(sound, length).all(axis=1)[:last] & ahead[length + horizon - 1 :]
    if one.time is not None and one.time.dtype.kind == "M":
        near = np.diff(one.time) <= np.timedelta64(HALTED, "D")
        usable &= view(near, length + horizon - 1).all(axis=1)
    return usable


def _labelled(
    series: Sequence[Series],
    found: Windows,
    label: str,
    horizon: int,
    edges: tuple[float, float] | None,
) -> Windows:
    if not len(found):
        raise ValueError(
            f"no series holds {found.shape[0] + horizon} sound days on end, as a window and its "
            "label need. Ask for shorter windows, or look for missing values in the files."
        )
    after = forward_returns(series, found, horizon)
    if label == "direction":
        return replace(found, y=(after > 0).astype(np.int64), label_name=label)
    plausible = np.abs(after) <= IMPLAUSIBLE
    found, after = found[plausible], after[plausible]
    low, high = extreme_edges(after) if edges is None else edges
    if not low < high:
        raise ValueError(f"edges must ascend, as (-0.08, 0.08); got ({low}, {high}).")
    y = np.where(after <= low, 0, np.where(after >= high, 2, 1))
    return replace(found, y=y.astype(np.int64), label_name=label)


def _dates(one: Series) -> Array:
    time = one.time
    if time is None or time.dtype.kind != "M" or not (np.diff(time) > np.timedelta64(0, "s")).all():
        raise ValueError(
            f"a split by date needs ascending dates in the time of every series; '{one.name}' has "
            "none, or others. Read them with the column of dates as time."
        )
    return time


def _borders(times: list[Array], given: tuple[str, str] | None) -> tuple[Any, Any]:
    if given is not None:
        first, second = (np.datetime64(day, "D") for day in given)
    else:
        days = np.unique(np.concatenate(times)).astype("datetime64[D]")
        first, second = (days[int(share * len(days))] for share in SHARES)
    if not first < second:
        raise ValueError(f"borders must ascend; got validation from {first}, test from {second}.")
    return first, second


def _close(one: Series) -> int:
    places = price_places(one.channels)
    if "close" not in places:
        raise ValueError(f"a channel of '{one.name}' must be called close; got {one.channels}.")
    return places["close"]


def _check(series: Sequence[Series], label: str, length: int, stride: int, horizon: int) -> None:
    if label not in LABELS:
        raise ValueError(f"label must be 'direction' or 'extreme'; got {label!r}.")
    if min(length, stride, horizon) < 1:
        raise ValueError(
            f"length, stride and horizon must be at least 1; got {length}, {stride}, {horizon}."
        )
    if not series:
        raise ValueError("there is no series to cut; got an empty list.")
    for one in series:
        _close(one)
        if one.channels != series[0].channels:
            raise ValueError(
                f"all series must have the channels {series[0].channels}; '{one.name}' has "
                f"{one.channels}."
            )
