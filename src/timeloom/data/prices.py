"""How do daily prices become numbers that a generator can learn, and how do they come back?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.data.windows import Windows

__all__ = ["PRICES", "VOLUME", "from_log_prices", "price_places", "to_log_prices"]

Array = NDArray[Any]

PRICES = ("open", "high", "low", "close")
VOLUME = "volume"


def price_places(channels: Sequence[str]) -> dict[str, int]:
    """Where open, high, low, close and volume stand, by name in any case; what is absent is not in.

    Raises:
        ValueError: If two channels have the same of these names.
    """
    found: dict[str, int] = {}
    for place, name in enumerate(channels):
        plain = name.strip().lower()
        if plain not in (*PRICES, VOLUME):
            continue
        if plain in found:
            raise ValueError(f"one channel at most may be called {plain}; got {tuple(channels)}.")
        found[plain] = place
    return found


def to_log_prices(windows: Windows) -> tuple[Windows, Array]:
    """Prices as logarithms relative to the window's first close, volume as log(1 + volume).

    Formula: ``log(price / close[0])`` for open, high, low and close; ``log1p(volume)``, relative to
    nothing, so that a made window has a volume without any anchor, and 0 stays the least there is.
    Other channels stay as they are. The logarithm keeps every order: high is above low on both
    sides. Nothing is taken from other windows, so nothing can leak between parts.

    Args:
        windows: Windows of prices above 0 (in the quotes' currency) and volumes of at least 0 (in
            shares), channels known by name. NaN = not measured.

    Returns:
        The windows in double precision, and ``anchors`` (window,): the first closes, which
        :func:`from_log_prices` takes.

    Raises:
        ValueError: If there is no close, a first close is missing, a price is 0 or less, or a
            volume is below 0.
    """
    places = price_places(windows.channels)
    prices = [places[name] for name in PRICES if name in places]
    if "close" not in places:
        raise ValueError(f"a channel must be called close; got {windows.channels}.")
    x = windows.x.astype(np.float64)
    wrong = (x[:, :, prices] <= 0).any(axis=(1, 2))
    if VOLUME in places:
        wrong |= (x[:, :, places[VOLUME]] < 0).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"prices must be above 0 and volumes at least 0; window {int(wrong.argmax())} holds "
            "others. Replace what was not measured by NaN."
        )
    anchors = x[:, 0, places["close"]].copy()
    if np.isnan(anchors).any():
        raise ValueError(
            "every window must have a close on its first day; window "
            f"{int(np.isnan(anchors).argmax())} has none. Leave it out."
        )
    x[:, :, prices] = np.log(x[:, :, prices] / anchors[:, None, None])
    if VOLUME in places:
        x[:, :, places[VOLUME]] = np.log1p(x[:, :, places[VOLUME]])
    return replace(windows, x=x), anchors


def from_log_prices(windows: Windows, anchors: ArrayLike = 1.0) -> Windows:
    """Undoes :func:`to_log_prices`.

    Args:
        windows: What :func:`to_log_prices` gave, or what a generator made of the like.
        anchors: First closes, above 0: (window,) or one for all; 1 gives prices as multiples of
            the first close.

    Returns:
        Prices and volumes in double precision. A made volume below 0 stays one.

    Raises:
        ValueError: If there is no close, or anchors are not one per window and above 0.
    """
    places = price_places(windows.channels)
    if "close" not in places:
        raise ValueError(f"a channel must be called close; got {windows.channels}.")
    level = np.asarray(anchors, dtype=np.float64)
    if level.shape not in ((), (len(windows),)) or not (level > 0).all():
        raise ValueError(
            f"anchors must be one first close above 0 for each of {len(windows)} windows, or one "
            f"for all; got shape {level.shape}"
            + (f", least {level.min():g}." if level.size else ".")
        )
    x = windows.x.astype(np.float64)
    prices = [places[name] for name in PRICES if name in places]
    x[:, :, prices] = np.exp(x[:, :, prices]) * level.reshape(-1, 1, 1)
    if VOLUME in places:
        x[:, :, places[VOLUME]] = np.expm1(x[:, :, places[VOLUME]])
    return replace(windows, x=x)
