"""Was this recording seen before? A few hundred numbers tell, without keeping the recording."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["marks", "share_marked"]

Array = NDArray[Any]

STRETCH = 4  # successive time points that make one mark
ONE_IN = 8  # marks are kept; which ones depends on their values alone
MOST = 4_000  # of one recording


def marks(x: Array) -> NDArray[np.uint64]:
    """Sorted marks of windows (window, time, channel): equal stretches of values have equal marks.

    Stretches in which nothing changes, or with a gap, have none. Values count as single
    precision.
    """
    x = np.ascontiguousarray(np.asarray(x), dtype=np.float32)
    if x.shape[1] < STRETCH or not x.shape[2]:
        return np.empty(0, np.uint64)
    rows = np.lib.stride_tricks.sliding_window_view(x, STRETCH, axis=1)
    flat = np.ascontiguousarray(rows).reshape(-1, x.shape[2] * STRETCH)
    steady = rows.max(axis=-1) == rows.min(axis=-1)
    keep = ~np.isnan(flat).any(axis=1) & ~steady.all(axis=-1).ravel()
    bits = (flat[keep] + np.float32(0)).view(np.uint32).astype(np.uint64)  # -0 counts as 0
    odd = np.random.default_rng(0).integers(1, 2**63, flat.shape[1], dtype=np.uint64) * 2 + 1
    with np.errstate(over="ignore"):
        mixed = (bits * odd).sum(axis=1, dtype=np.uint64)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(32)
    found = np.unique(mixed[mixed % ONE_IN == 0])
    return found[:MOST]


def share_marked(x: Array, known: NDArray[np.uint64]) -> float:
    """Share of the marks of windows ``x`` that are among ``known``; 0 where ``x`` has none."""
    own = marks(x)
    if not len(own) or not len(known):
        return 0.0
    if len(known) >= MOST:  # of a long recording only marks up to here were kept
        own = own[own <= known[-1]]
    return float(np.isin(own, known).mean()) if len(own) else 0.0
