"""Which windows score which time point, in a whole recording and in one that is arriving?"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ledger", "check_hop", "comb", "ends", "recorded"]

Array = NDArray[np.float64]

WINDOWS = 512  # that are scored at once


def comb(length: int, block: int, parts: int) -> NDArray[np.bool_]:
    """(part, time): every time point is hidden in exactly one part, in blocks of ``block`` points.

    Part k hides blocks k, k + parts, k + 2·parts, ...; the last point of a window ends a block.

    Raises:
        ValueError: If there would be parts that hide nothing or everything.
    """
    blocks = -(-length // block)
    if not 2 <= parts <= blocks:
        raise ValueError(
            f"a window of {length} time points has {blocks} blocks of {block}, so parts must be "
            f"from 2 to {blocks}; got {parts}."
        )
    number = (np.arange(length)[::-1] // block) % parts
    return number == np.arange(parts)[:, None]


def check_hop(hop: int, window: int) -> None:
    """Refuses windows that leave time points out.

    Raises:
        ValueError: If ``hop`` is longer than a window.
    """
    if hop > window:
        raise ValueError(
            f"hop must be at most the window's {window} time points, or some would have no "
            f"score; got {hop}."
        )


def ends(first: int, last: int, length: int, hop: int) -> NDArray[np.int64]:
    """Last time points of the windows that end in [first, last] of an endless recording.

    A first window as soon as there is one, at ``length - 1``, then one at every time point whose
    number, counted from 1, is a multiple of ``hop``.
    """
    at = np.arange(max(first, length - 1), last + 1, dtype=np.int64)
    return at[(at == length - 1) | ((at + 1) % hop == 0)]


class Ledger:
    """Sums the residuals of overlapping windows, and lets go of time points that are settled.

    A time point is scored by the first window that ends at it or later, and by all others that
    end less than ``lag`` points after it; the mean is taken. So a point is settled, and what was
    said of it stays, as soon as no further such window can come.

    Args:
        length: Time points of a window.
        hop: Time points between the ends of two windows.
        lag: Time points that a score may wait beyond the first window; 0 waits for none.
        channels: How many.
    """

    def __init__(self, length: int, hop: int, lag: int, channels: int) -> None:
        self.length, self.hop, self.lag = length, hop, lag
        self.begin = 0  # first time point that is not settled
        self.last = -1  # last time point of the newest window
        self.total = np.zeros((0, channels))
        self.count = np.zeros((0, channels))

    @property
    def latency(self) -> int:
        """Time points after its own that a score waits for at most, once a window is full."""
        return max(self.hop - 1, self.lag + self.hop - 2 if self.lag else 0)

    def add(self, end: int, residual: Array) -> None:
        """Counts in one window's residual (time, channel), NaN where nothing was measured."""
        first = end - self.length + 1
        grown = end + 1 - self.begin - len(self.total)
        if grown > 0:
            room = np.zeros((grown, self.total.shape[1]))
            self.total, self.count = (np.concatenate([a, room]) for a in (self.total, self.count))
        # Points up to the window before this one have had their first window.
        new = max(self.last + 1, first)
        old = max(first, self.begin, end - self.lag + 1)
        start = min(new, old)
        own = residual[start - first :]
        rows = slice(start - self.begin, end + 1 - self.begin)
        there = ~np.isnan(own)
        self.total[rows] += np.where(there, own, 0.0)
        self.count[rows] += there
        self.last = end

    def settled(self, *, all_of_them: bool = False) -> Array:
        """(time, channel) means of the points that no later window changes, from ``begin`` on."""
        # The next window ends at ``last + hop`` at the earliest, or at ``last + 1`` at the end.
        upto = self.last + 1 if all_of_them else min(self.last, self.last + 1 - self.lag) + 1
        size = max(0, upto - self.begin)
        found = np.full((size, self.total.shape[1]), np.nan)
        np.divide(self.total[:size], self.count[:size], out=found, where=self.count[:size] > 0)
        self.total, self.count = self.total[size:], self.count[size:]
        self.begin += size
        return found

    def state(self) -> dict[str, Array]:
        """What a later process needs to go on."""
        return {
            "total": self.total,
            "count": self.count,
            "place": np.array([self.begin, self.last], dtype=np.float64),
        }

    def restore(self, state: dict[str, Array]) -> None:
        """Takes back what :meth:`state` gave."""
        self.total, self.count = (np.array(state[key]) for key in ("total", "count"))
        self.begin, self.last = (int(value) for value in state["place"])


def recorded(
    values: Array, ledgers: Sequence[Ledger], wrong: Callable[[Array, Any, int], Array]
) -> list[Array]:
    """For each ledger the (time, channel) residuals of a whole recording.

    Args:
        values: (time, channel), at least one window of it.
        ledgers: Empty, of one length and hop; they differ in what they wait for.
        wrong: From values, the last time points of windows and the time point that the values
            begin at to (window, time, channel) residuals.
    """
    length, last = ledgers[0].length, len(values) - 1
    at = ends(0, last, length, ledgers[0].hop)
    at = at if at[-1] == last else np.append(at, last)
    found: list[list[Array]] = [[] for _ in ledgers]
    for some in np.array_split(at, -(-len(at) // WINDOWS)):
        low = int(some[0]) - length + 1
        own = wrong(values[low : some[-1] + 1], some, low)
        for ledger, settled in zip(ledgers, found, strict=True):
            for end, residual in zip(some.tolist(), own, strict=True):
                ledger.add(end, residual)
            settled.append(ledger.settled(all_of_them=bool(some[-1] == last)))
    return [np.concatenate(settled) for settled in found]
