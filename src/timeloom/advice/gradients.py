"""Do rare windows pull harder at the probe than their rarity alone explains?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pull", "null_ratio", "pull"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Pull:
    """Gradient norms per class.

    Attributes:
        norms: (class,) mean length of the gradient a window of the class sends to the weights.
        ratio: Of the rarest class to the most frequent.
        null: The ratio that a predictor gives which says the class shares of every window.
        excess: ``ratio / null``: 1 is imbalance and nothing else.
        low: Lower end of the excess's 95 % interval.
        high: Upper end.
    """

    norms: tuple[float, ...]
    ratio: float
    null: float
    excess: float
    low: float
    high: float


def null_ratio(shares: Array) -> float:
    """How much longer the gradients of the rarest class are where nothing is known but shares.

    The gradient of the cross-entropy is ``(p - e_c) [features; 1]``, and ``p`` is the shares ``s``:
    its length goes with ``sqrt(1 - 2 s_c + sum s^2)``. Two classes: ``(1 - s) / s`` with the share
    ``s`` of the rarer one. 1 where all are equally frequent.

    Args:
        shares: (class,) above 0, of sum 1.
    """
    shares = np.asarray(shares, dtype=np.float64)
    length = np.sqrt(1 - 2 * shares + (shares**2).sum())
    return float(length[shares.argmin()] / length[shares.argmax()])


def pull(norms: Array, y: Array, weights: Array) -> Pull:
    """Means per class, and their ratio beside its null.

    Args:
        norms: (window,) out-of-fold gradient norms.
        y: (window,) classes from 0.
        weights: (resample, window) of the bootstrap.
    """
    counts = np.bincount(y)
    rare, common = int(counts.argmin()), int(counts.argmax())
    if rare == common:  # all equally frequent
        common = len(counts) - 1
    means = [float(norms[y == c].mean()) for c in range(len(counts))]
    null = null_ratio(counts / counts.sum())

    def mean(c: int) -> Array:
        own = weights[:, y == c]
        return own @ norms[y == c] / np.maximum(own.sum(axis=1), 1e-9)

    below = mean(common)
    known = below > 0
    ratios = mean(rare)[known] / below[known]
    ratio = means[rare] / means[common] if means[common] > 0 else 1.0
    low, high = np.quantile(ratios, [0.025, 0.975]) / null if len(ratios) else (0.0, 0.0)
    return Pull(tuple(means), ratio, null, ratio / null, float(low), float(high))
