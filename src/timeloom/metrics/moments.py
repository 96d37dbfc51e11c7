"""Second moments of windows with gaps: between channels, and within a channel in time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["autocorrelation", "correlation"]

Array = NDArray[Any]

LAGS = 24  # at most this many


def correlation(x: Array) -> Array:
    """Correlations between the channels of ``x`` (window, time, channel): (channel, channel).

    Each pair over the points where both were measured; NaN where a channel does not vary there.
    """
    flat = np.asarray(x, dtype=np.float64).reshape(-1, x.shape[2])
    known = (~np.isnan(flat)).astype(float)
    # Centred first: sums of squares of large levels lose all digits of a small spread.
    count = np.maximum(known.sum(axis=0), 1)
    flat = np.nan_to_num(flat - np.nansum(flat, axis=0) / count)
    both = np.maximum(known.T @ known, 1)
    mean = flat.T @ known / both  # (a, b): mean of a where b was measured too
    covariance = flat.T @ flat / both - mean * mean.T
    power = (flat**2).T @ known / both
    variance = power - mean**2
    scale = np.sqrt(np.maximum(variance * variance.T, 0))
    varies = (variance > 1e-12 * np.maximum(power.diagonal()[:, None], 1e-300)) & (scale > 0)
    return np.divide(covariance, scale, out=np.full_like(scale, np.nan), where=varies & varies.T)


def autocorrelation(x: Array, lags: int = LAGS) -> Array:
    """Autocorrelation within the windows of ``x`` (window, time, channel): (lag, channel).

    Formula: rho_k = mean of (x_t - m)(x_{t+k} - m) over all windows and all t at which both points
    were measured, over the mean of (x_t - m) squared; m is the channel's mean over all windows.
    Lags 1 to min(time - 1, ``lags``). NaN for channels that do not vary.
    """
    x = np.asarray(x, dtype=np.float64)
    known = ~np.isnan(x)
    flat = (-1, x.shape[2])
    mean = np.nansum(x.reshape(flat), axis=0) / np.maximum(known.reshape(flat).sum(axis=0), 1)
    centred = np.where(known, x - mean, 0)
    power = (centred**2).sum(axis=(0, 1)) / np.maximum(known.sum(axis=(0, 1)), 1)
    level = np.nan_to_num(np.abs(mean))
    varies = power > (1e-9 * level) ** 2
    rows = []
    for k in range(1, min(x.shape[1] - 1, lags) + 1):
        together = (centred[:, :-k] * centred[:, k:]).sum(axis=(0, 1))
        count = (known[:, :-k] & known[:, k:]).sum(axis=(0, 1))
        rows.append(np.where(varies & (count > 0), together, np.nan) / np.maximum(count, 1))
    return np.array(rows).reshape(len(rows), x.shape[2]) / np.where(varies, power, np.nan)
