"""Do single values occur as often as in reality?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.metric import Metric

__all__ = ["METRICS", "marginal_distance"]

Array = NDArray[Any]


def marginal_distance(real: Array, synthetic: Array) -> float:
    """How far the values of each channel must be moved to be distributed as the real ones.

    Formula: 1-Wasserstein distance per channel over the real standard deviation, averaged over
    channels; windows and time points pooled, NaN left out. A channel that is constant in reality
    has no such unit: it counts 0 where the synthetic one is that constant, else 1. Range 0 upwards,
    lower is better. Unit: real standard deviations. Smallest sensible sample: 10 windows.
    Source: Vaserstein 1969; the first Wasserstein distance as scipy computes it.
    """
    from scipy.stats import wasserstein_distance

    distances = []
    for c in range(real.shape[2]):
        one, other = (x[:, :, c].ravel().astype(np.float64) for x in (real, synthetic))
        one, other = one[~np.isnan(one)], other[~np.isnan(other)]
        if not len(one) or not len(other):
            continue
        if one.max() == one.min():
            distances.append(0.0 if np.allclose(other, one[0], rtol=1e-6, atol=1e-9) else 1.0)
        else:
            distances.append(wasserstein_distance(one, other) / one.std())
    return float(np.mean(distances)) if distances else float("nan")


METRICS = (
    Metric(
        "marginal_distance",
        marginal_distance,
        "lower",
        "standard deviations",
        "How far each channel's values lie from the real distribution.",
        about="values",
        far=0.15,
    ),
)
