"""What a window looks like in a few dozen numbers per channel: the features of a tree judge."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["summary_features"]

Array = NDArray[Any]

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def summary_features(x: Array, *, pairs: int = 24, seed: int = 0) -> Array:
    """Numbers that say what a window looks like: level, spread, ends, steps, and how channels hang.

    Per channel: mean, standard deviation, minimum, four quantiles, median, maximum, first and last
    value, slope, number of crossings of the mean, when the highest and the lowest value come; of
    the steps from one time point to the next: standard deviation, lag-1 autocorrelation, skewness,
    share of rises; and the mean absolute second difference. Slope, the two positions, skewness and
    rises change when time is reversed. Per pair of channels: mean and standard deviation of the
    difference, correlation.

    Args:
        x: (window, time, channel), standardised per channel. NaN = not measured.
        pairs: Pairs of channels at most; of more, as many are drawn.
        seed: Which pairs.

    Returns:
        (window, feature) float32; NaN where a window does not tell.
    """
    x = np.asarray(x, dtype=np.float32)
    one, other = np.triu_indices(x.shape[2], k=1)
    if len(one) > pairs:
        kept = np.sort(np.random.default_rng(seed).permutation(len(one))[:pairs])
        one, other = one[kept], other[kept]
    parts = [*_levels(x), *_steps(x), *_pairs(x[:, :, one], x[:, :, other])]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _mean(x: Array) -> Array:
    """Over time, of what was measured; NaN where nothing was."""
    known = ~np.isnan(x)
    count = known.sum(axis=1)
    total = np.where(known, x, 0).sum(axis=1)
    return np.where(count > 0, total, np.nan) / np.maximum(count, 1)


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 1e-12)


def _levels(x: Array) -> list[Array]:
    """Of the values of each window and channel: 15 arrays (window, channel)."""
    known = ~np.isnan(x)
    mean = _mean(x)
    centred = x - mean[:, None]
    time = np.broadcast_to(np.arange(x.shape[1], dtype=x.dtype)[:, None], x.shape[1:])[None]
    time = np.where(known, time, np.nan)
    time = time - _mean(time)[:, None]
    slope = _ratio(_mean(time * centred), _mean(time**2))
    ordered = np.sort(x, axis=1)  # NaN last
    last = np.maximum(known.sum(axis=1) - 1, 0)
    quantiles = []
    for q in QUANTILES:
        low = np.floor(q * last).astype(int)
        high = np.minimum(low + 1, last)
        below, above = (np.take_along_axis(ordered, k[:, None], 1)[:, 0] for k in (low, high))
        quantiles.append(below + (q * last - low) * (above - below))
    first_at, last_at = known.argmax(axis=1), x.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    ends = [np.take_along_axis(x, at[:, None], axis=1)[:, 0] for at in (first_at, last_at)]
    above = centred > 0
    crossings = (above[:, 1:] != above[:, :-1]) & known[:, 1:] & known[:, :-1]
    highest = np.where(known, x, -np.inf).argmax(axis=1)
    lowest = np.where(known, x, np.inf).argmin(axis=1)
    spread = np.sqrt(_mean(centred**2))
    return [mean, spread, *quantiles, *ends, slope, crossings.sum(axis=1), highest, lowest]


def _steps(x: Array) -> list[Array]:
    """Of the steps of each window and channel: 5 arrays (window, channel)."""
    if x.shape[1] < 3:
        return [x[:, -1] - x[:, 0]]
    step = np.diff(x, axis=1)
    centred = step - _mean(step)[:, None]
    power = _mean(centred**2)
    together = _ratio(_mean(centred[:, 1:] * centred[:, :-1]), power)
    skewness = _ratio(_mean(centred**3), power**1.5)
    rises = _mean(np.sign(step))
    roughness = _mean(np.abs(np.diff(step, axis=1)))
    return [np.sqrt(power), together, skewness, rises, roughness]


def _pairs(one: Array, other: Array) -> list[Array]:
    """Of pairs of channels: 3 arrays (window, pair)."""
    apart = one - other
    mean = _mean(apart)
    both = ~np.isnan(apart)
    one, other = np.where(both, one, np.nan), np.where(both, other, np.nan)
    one, other = one - _mean(one)[:, None], other - _mean(other)[:, None]
    scale = np.sqrt(_mean(one**2) * _mean(other**2))
    spread = np.sqrt(_mean((apart - mean[:, None]) ** 2))
    return [mean, spread, _ratio(_mean(one * other), scale)]
