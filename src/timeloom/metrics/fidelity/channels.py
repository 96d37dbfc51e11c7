"""Do channels hang together as in reality?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.metric import Metric
from timeloom.metrics.moments import correlation

__all__ = ["METRICS", "cross_correlation_error", "difference_correlation_error"]

Array = NDArray[Any]


def cross_correlation_error(real: Array, synthetic: Array) -> float:
    """How far the correlations between channels are from the real ones.

    Formula: mean over pairs of channels of abs(r_real - r_synthetic), Pearson's r over all windows
    and time points at which both channels were measured. Range 0 to 2, lower is better. Unit: none.
    Smallest sensible sample: 10 windows. NaN where no pair of channels varies in both sets.
    Source: the correlational score of Liao et al. 2020 (arXiv 2006.05421), as a mean per pair.
    """
    return _pair_error(correlation(real), correlation(synthetic))


def difference_correlation_error(real: Array, synthetic: Array) -> float:
    """As :func:`cross_correlation_error`, of the steps from one time point to the next.

    Steps show what levels hide: a generator that smooths, or adds noise to each channel on its own,
    keeps the correlations of levels and loses these. NaN for windows of one time point.
    """
    return cross_correlation_error(np.diff(real, axis=1), np.diff(synthetic, axis=1))


def _pair_error(one: Array, other: Array) -> float:
    pairs = np.triu_indices(len(one), k=1)
    apart = np.abs(one - other)[pairs]
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan")


METRICS = (
    Metric(
        "cross_correlation_error",
        cross_correlation_error,
        "lower",
        "",
        "How far the correlations between channels are from the real ones.",
        about="channels",
    ),
    Metric(
        "difference_correlation_error",
        difference_correlation_error,
        "lower",
        "",
        "The same for the steps from one time point to the next.",
        about="channels",
    ),
)
