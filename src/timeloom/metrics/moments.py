"""Moments of windows with gaps: between channels, within a channel in time, and of steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "autocorrelation",
    "correlation",
    "interpolate",
    "l_ratios",
    "lagged_correlation",
    "mean_of",
    "spectrum",
    "spread",
    "spread_ratio",
    "time_asymmetry",
]

Array = NDArray[Any]

LAGS = 24  # at most this many
FACTOR = 100.0  # two spreads further apart than this count as this far apart
FLAT = 1e-9  # a spread below this share of the level is rounding, not movement
QUIET = 1e-6  # share of a channel's mean power that is added to each of its frequencies


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


def lagged_correlation(x: Array, lags: int = LAGS) -> Array:
    """Correlation of each channel with each later one: (lag, earlier channel, later channel).

    Formula: mean of (a_t - m_a)(b_{t+k} - m_b) over all windows and all t at which both points were
    measured, over the product of the two standard deviations; means and deviations over all
    windows. Lags 1 to min(time - 1, ``lags``). NaN for channels that do not vary.
    """
    x = np.asarray(x, dtype=np.float64)
    known = ~np.isnan(x)
    flat = (-1, x.shape[2])
    count = np.maximum(known.reshape(flat).sum(axis=0), 1)
    centred = np.where(known, x - np.nansum(x.reshape(flat), axis=0) / count, 0)
    scale = spread(x)
    scale = np.where(scale > 0, scale, np.nan)
    there = known.astype(np.float64)
    rows = []
    for k in range(1, min(x.shape[1] - 1, lags) + 1):
        sums, counts = (
            one[:, :-k].reshape(flat).T @ one[:, k:].reshape(flat) for one in (centred, there)
        )
        rows.append(np.where(counts > 0, sums, np.nan) / np.maximum(counts, 1))
    return np.array(rows).reshape(len(rows), *2 * x.shape[2:]) / np.outer(scale, scale)


def spread(x: Array) -> Array:
    """Standard deviation of each channel, all windows and times pooled: (channel,).

    Exactly 0 where a channel moves by no more than rounding; NaN where nothing was measured.
    """
    flat = np.asarray(x, dtype=np.float64).reshape(-1, x.shape[2])
    known = ~np.isnan(flat)
    count = np.maximum(known.sum(axis=0), 1)
    level = np.where(known, flat, 0).sum(axis=0) / count
    power = (np.where(known, flat - level, 0) ** 2).sum(axis=0) / count
    found = np.where(power > (FLAT * np.abs(level)) ** 2, np.sqrt(power), 0)
    return np.where(known.any(axis=0), found, np.nan)


def spread_ratio(real: Array, synthetic: Array) -> Array:
    """Absolute natural logarithm of the ratio of the two spreads of each channel: (channel,).

    At most log 100, which is also what a channel counts that is constant in one set alone; 0 where
    both are constant; NaN where one set holds no value.
    """
    one, other = spread(real), spread(synthetic)
    both = (one > 0) & (other > 0)
    ratio = np.divide(other, one, out=np.ones_like(one), where=both)
    apart = np.where(both, np.abs(np.log(ratio)), np.where(one == other, 0, np.inf))
    return np.where(np.isnan(one + other), np.nan, np.minimum(apart, np.log(FACTOR)))


def l_ratios(values: Array) -> tuple[float, float]:
    """L-skewness and L-kurtosis of numbers: what is left of skew and tails that one outlier spares.

    Formula: t3 = l3 / l2 and t4 = l4 / l2 with the unbiased sample L-moments l2, l3, l4. Both lie
    between -1 and 1 and exist wherever the mean does; a normal law has 0 and .1226.
    Source: Hosking 1990.

    Args:
        values: (value,) without NaN, at least four.

    Returns:
        (t3, t4); NaN where the values do not vary or are fewer than four.
    """
    count = len(values)
    if count < 4:
        return float("nan"), float("nan")
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    level = ordered.mean()
    if ordered[-1] - ordered[0] <= FLAT * abs(level):
        return float("nan"), float("nan")
    ordered -= level
    rank, weight, b = np.arange(count), np.ones(count), []
    for k in range(4):
        b.append(float((weight * ordered).mean()))
        weight = weight * (rank - k) / (count - 1 - k)
    scale = 2 * b[1] - b[0]
    third = 6 * b[2] - 6 * b[1] + b[0]
    return third / scale, (20 * b[3] - 30 * b[2] + 12 * b[1] - b[0]) / scale


def time_asymmetry(x: Array) -> Array:
    """How much more each channel rises than falls over 1, 2, 4, ... steps: (lag, 2, channel).

    Formula: of all steps d = x_{t+k} - x_t over all windows and all t at which both points were
    measured, first the share of rises less that of falls, then the mean of d over the mean of
    abs(d) (0 where nothing moves); k = 1, 2, 4, ... below the number of time points. The first sees
    slow rises and sudden falls, the second a trend within the window. Between -1 and 1; both change
    their sign when time is reversed. NaN where nothing was measured.
    """
    x = np.asarray(x, dtype=np.float64)
    rows, k = [], 1
    while k < x.shape[1]:
        step = x[:, k:] - x[:, :-k]
        known = ~np.isnan(step)
        step = np.where(known, step, 0)
        count = known.sum(axis=(0, 1))
        net = np.sign(step).sum(axis=(0, 1)) / np.maximum(count, 1)
        length = np.abs(step).sum(axis=(0, 1))
        drift = step.sum(axis=(0, 1)) / np.where(length > 0, length, 1)
        rows.append(np.where(count > 0, [net, drift], np.nan))
        k *= 2
    return np.array(rows).reshape(len(rows), 2, x.shape[2])


def interpolate(x: Array) -> Array:
    """``x`` (window, time, channel) with gaps filled on a straight line; the ends stay level.

    Channels of which a window measured nothing stay NaN there.
    """
    x = np.array(x, dtype=np.float64)
    gaps = np.isnan(x)
    times = np.arange(x.shape[1])
    for i, c in np.argwhere(gaps.any(axis=1) & ~gaps.all(axis=1)):
        gap = gaps[i, :, c]
        x[i, gap, c] = np.interp(times[gap], times[~gap], x[i, ~gap, c])
    return x


def spectrum(x: Array) -> Array:
    """Mean power of each channel at each frequency above 0: (frequency, channel).

    Formula: squared modulus of the Fourier transform of the window less its mean, tapered by a Hann
    window (so that a trend does not drown the fast end), averaged over windows; gaps are filled on
    a straight line. Frequencies 1 to time // 2 per window length. NaN where nothing was measured.
    Source: Welch 1967.
    """
    x = interpolate(x)
    taper = np.hanning(x.shape[1] + 2)[1:-1, None]
    x = x - x.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(x * taper, axis=1)[:, 1:]) ** 2
    known = ~np.isnan(power)
    count = known.sum(axis=0)
    total = np.where(known, power, 0).sum(axis=0)
    return np.where(count > 0, total, np.nan) / np.maximum(count, 1)


def mean_of(figures: Array) -> float:
    """Mean of what is finite; NaN where nothing is."""
    kept = np.asarray(figures, dtype=np.float64)
    kept = kept[np.isfinite(kept)]
    return float(kept.mean()) if kept.size else float("nan")
