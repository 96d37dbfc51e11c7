"""Do channels hang together as in reality?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.metric import Metric
from timeloom.metrics.moments import correlation, lagged_correlation, mean_of

__all__ = [
    "METRICS",
    "correlational_score",
    "cross_correlation_error",
    "difference_correlation_error",
    "lagged_correlation_error",
]

Array = NDArray[Any]

LAGS = 8  # steps at most between two channels


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


def lagged_correlation_error(real: Array, synthetic: Array) -> float:
    """How far the correlations of each channel with the later values of the others are off.

    Formula: mean over ordered pairs of channels and lags 1 to min(length - 1, 8) of
    abs(r_real - r_synthetic), see :func:`timeloom.metrics.moments.lagged_correlation`. Sees which
    channel leads, hence also reversed time. Range 0 to about 2, lower is better. Unit: none.
    Smallest sensible sample: 10 windows. NaN where no pair of channels varies in both sets, and for
    windows of one time point. Source: Box and Jenkins 1970, cross-correlation function.
    """
    one, other = (lagged_correlation(x, LAGS) for x in (real, synthetic))
    apart = np.abs(one - other)
    apart[:, np.eye(real.shape[2], dtype=bool)] = np.nan  # those belong to the autocorrelation
    return mean_of(apart)


def correlational_score(real: Array, synthetic: Array) -> float:
    """Correlational score as Diffusion-TS prints it; kept for comparison alone.

    Formula: sum over pairs of channels of abs(r_real - r_synthetic), over 10; pairs with a channel
    that does not vary are left out. Range 0 to channels * (channels - 1) / 10: it grows with the
    square of the number of channels. Lower is better. Unit: none. Smallest sensible sample: 10
    windows. Source: Yuan and Qiao 2024 (Diffusion-TS, arXiv 2403.01742), after Liao et al. 2020.
    """
    apart = _pairs(correlation(real), correlation(synthetic))
    return float(np.nansum(apart)) / 10 if np.isfinite(apart).any() else float("nan")


def _pairs(one: Array, other: Array) -> Array:
    return np.abs(one - other)[np.triu_indices(len(one), k=1)]


def _pair_error(one: Array, other: Array) -> float:
    return mean_of(_pairs(one, other))


METRICS = (
    Metric(
        "cross_correlation_error",
        cross_correlation_error,
        "lower",
        "",
        "How far the correlations between channels are from the real ones.",
        about="channels",
        absent="no two channels vary",
    ),
    Metric(
        "difference_correlation_error",
        difference_correlation_error,
        "lower",
        "",
        "The same for the steps from one time point to the next.",
        about="channels",
        absent="no two channels vary",
    ),
    Metric(
        "lagged_correlation_error",
        lagged_correlation_error,
        "lower",
        "",
        "The same between each channel and the later values of the others: who leads, who follows.",
        about="channels",
        absent="no two channels vary",
    ),
    Metric(
        "correlational_score",
        correlational_score,
        "lower",
        "",
        "Correlational score as Diffusion-TS computes it, for comparison with papers.",
        about="channels",
        far=0.5,
        default=False,
    ),
)
