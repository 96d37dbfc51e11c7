"""How many made days cannot have been: a close above the day's high, a volume below zero?

Not a row of an evaluation: what a channel means is known by its name, and rows see arrays only.
There, ``rules_broken`` finds the same orders where the training windows show them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.prices import price_places
from timeloom.data.rules import Rule
from timeloom.data.windows import Windows

__all__ = ["ohlc_rules", "ohlc_table", "ohlc_violations"]

Array = NDArray[Any]

ORDERS = (("open", "high"), ("close", "high"), ("low", "open"), ("low", "close"), ("low", "high"))
ROUNDING = 1e-6  # of the value, or in logarithms: single precision and a scaler there and back


def ohlc_violations(windows: Windows) -> float:
    """Share of days that no exchange can have seen.

    Formula: days that break at least one of high >= max(open, close), low <= min(open, close),
    high >= low, volume >= 0 by more than a millionth of the value (at least 1e-6), over the days
    on which one of these can be looked at. For prices as they are and for logarithms of them
    relative to one value per window, which keep the order; not for channels that were each scaled
    by themselves. A volume may be a logarithm of 1 + volume. Range 0 to 1, lower is better: 0 is
    what real days score. Unit: share. Smallest sensible sample: 10 windows. Source: what the four
    prices of a day mean; TarDiff's report on NASDAQ does not look at it.

    Args:
        windows: Windows whose channels are called open, high, low, close and volume, in any case
            and order; those that are absent are not looked at. NaN = not measured.

    Returns:
        The share; NaN where nothing was measured.

    Raises:
        ValueError: If no channel has such a name, so that there is nothing to break.
    """
    rules = ohlc_rules(windows.channels)
    broken, known = zip(*(_broken(rule, windows.x) for rule in rules), strict=True)
    seen = np.any(known, axis=0)
    return float(np.any(broken, axis=0)[seen].mean()) if seen.any() else float("nan")


def ohlc_rules(channels: Sequence[str]) -> list[Rule]:
    """What every day of prices keeps, for the channels that are there, as learned rules are given.

    Args:
        channels: Names, in any case and order.

    Returns:
        Orders of two prices and the bound of the volume.

    Raises:
        ValueError: If the names make no rule: neither two prices nor a volume.
    """
    at = price_places(channels)
    rules = [
        Rule("order", (at[low], at[high]), f"{low} is never above {high}", ROUNDING, (1.0, -1.0))
        for low, high in ORDERS
        if low in at and high in at
    ]
    if "volume" in at:
        rules.append(Rule("bound", (at["volume"],), "volume is never below 0", ROUNDING, (-1.0,)))
    if not rules:
        raise ValueError(
            "channels must be called open, high, low, close or volume to be checked; got "
            f"{tuple(channels)}. Name them in Windows(channels=...)."
        )
    return rules


def ohlc_table(windows: Windows) -> list[dict[str, Any]]:
    """Every rule of a day with how often it is broken, the most broken first.

    Args:
        windows: As :func:`ohlc_violations` takes them.

    Returns:
        Per rule ``sentence`` and ``broken``, the share of its measured days; NaN where none was.
    """
    rows = []
    for rule in ohlc_rules(windows.channels):
        wrong, known = _broken(rule, windows.x)
        share = float(wrong[known].mean()) if known.any() else float("nan")
        rows.append({"sentence": rule.sentence, "broken": share})
    return sorted(rows, key=lambda row: -np.nan_to_num(row["broken"]))


def _broken(rule: Rule, x: Array) -> tuple[Array, Array]:
    """(window, time) whether a day breaks the rule, and whether that can be said.

    The tolerance grows with the value: prices of 1 and of 100,000 may stand in one array.
    """
    miss = rule.miss(x)
    size = np.abs(x[:, :, list(rule.channels)]).max(axis=2)
    known = ~np.isnan(miss)
    with np.errstate(invalid="ignore"):
        return known & (miss > rule.tolerance * np.maximum(1.0, size)), known
