"""Which synthetic windows lie closest to training windows, for the eye to judge?"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.privacy.distances import SHIFTS, mutual, prepare

__all__ = ["Pair", "closest_pairs"]

Array = NDArray[Any]


class Pair(NamedTuple):
    """A synthetic window and the training window nearest to it.

    Attributes:
        synthetic: Row of the synthetic window.
        train: Row of the training window.
        distance: Root mean square over the time points that overlap, in training spreads.
        shift: How many time points later the training window must begin to meet the other.
        ratio: ``distance`` over the median of the same of held-out windows; NaN without these.
    """

    synthetic: int
    train: int
    distance: float
    shift: int
    ratio: float


def closest_pairs(
    synthetic: Array,
    train: Array,
    count: int = 6,
    shifts: int = SHIFTS,
    *,
    held_out: Array | None = None,
) -> list[Pair]:
    """The closest pairs of a synthetic and a training window, the closest first.

    Each synthetic and each training window is shown once at most, or six copies of one window
    would fill the gallery.

    Args:
        synthetic: (window, time, channel). NaN = not measured; such points are left out.
        train: (window, time, channel): every window that the generator was trained on.
        count: Pairs at most.
        shifts: Time points by which a window may be moved; at most a quarter of its length is.
        held_out: (window, time, channel) unseen real windows, for the ratio.
    """
    made, real = prepare(synthetic, train, by=train)
    found = mutual(made, real, shifts)[0]
    typical = float("nan")
    if held_out is not None:
        (unseen,) = prepare(held_out, by=train)
        typical = float(np.median(mutual(unseen, real, shifts)[0].distance)) or float("nan")
    order = np.argsort(found.distance, kind="stable")
    order = order[np.isfinite(found.distance[order])]
    _, first = np.unique(found.row[order], return_index=True)  # the closest of each
    return [
        Pair(
            int(row),
            int(found.row[row]),
            float(found.distance[row]),
            int(found.shift[row]),
            float(found.distance[row]) / typical,
        )
        for row in order[np.sort(first)][:count]
    ]
