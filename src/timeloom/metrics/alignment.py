"""How far two windows lie apart once they may be stretched: DTW and discrete Fréchet distance.

Pairs of windows share only their label, so these reward windows that regress to the label's mean,
and a copy scores 0: quote them only beside the copy machine and "another real window with the
same label".
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dtw", "frechet"]

Array = NDArray[Any]


def dtw(a: Array, b: Array) -> Array:
    """Dynamic time warping distance of each pair of windows.

    The root of the smallest sum of squared distances along a warping path that may advance in
    either window or in both. At least 0, lower is better, in the unit of the values. Source:
    Sakoe and Chiba 1978; multivariate (dependent) form, no window.

    Args:
        a: (window, time, channel).
        b: The same number of windows; b[i] is compared with a[i].

    Returns:
        (window,) distances.
    """
    return np.sqrt(_along(_squares(a, b), np.add))


def frechet(a: Array, b: Array) -> Array:
    """Discrete Fréchet distance of each pair of windows.

    The smallest possible largest distance along a warping path. At least 0, lower is better, in
    the unit of the values. Source: Eiter and Mannila 1994. Arguments and result as :func:`dtw`.
    """
    return np.sqrt(_along(_squares(a, b), np.maximum))


def _squares(a: Array, b: Array) -> Array:
    a, b = a.astype(np.float64), b.astype(np.float64)
    own, other = np.square(a).sum(2), np.square(b).sum(2)
    cross = np.einsum("wsc,wtc->wst", a, b, optimize=True)
    return np.maximum(own[:, :, None] + other[:, None, :] - 2 * cross, 0)


def _along(cost: Array, join: Callable[[Array, Array], Array]) -> Array:
    """The best path's cost from the first corner to the last, all pairs at once."""
    count, rows, columns = cost.shape
    reached = np.full((count, rows + 1, columns + 1), np.inf)
    reached[:, 0, 0] = 0
    for i in range(rows):
        for j in range(columns):
            before = np.minimum(reached[:, i, j], reached[:, i, j + 1])
            before = np.minimum(before, reached[:, i + 1, j])
            reached[:, i + 1, j + 1] = join(cost[:, i, j], before)
    return reached[:, -1, -1]
