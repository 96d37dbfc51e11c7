"""Do single values occur as often as in reality?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.metric import Metric
from timeloom.metrics.moments import FLAT, l_ratios, mean_of, spread_ratio

__all__ = [
    "METRICS",
    "channel_distances",
    "kurtosis_error",
    "marginal_distance",
    "mdd",
    "shape_errors",
    "skewness_error",
    "spread_error",
    "worst_channel_distance",
]

Array = NDArray[Any]

BINS = 50  # of the histograms of mdd


def channel_distances(real: Array, synthetic: Array) -> Array:
    """How far the values of each channel must be moved to be distributed as the real ones.

    Formula: 1-Wasserstein distance over the real standard deviation; windows and time points
    pooled, NaN left out. A channel that is constant in reality (it moves by no more than rounding)
    has no such unit: it counts 0 where the synthetic one is that constant, else 1. Range 0 upwards,
    lower is better. Unit: real standard deviations. Smallest sensible sample: 10 windows.
    Source: Vaserstein 1969; the first Wasserstein distance as scipy computes it.

    Args:
        real: (window, time, channel). NaN = not measured.
        synthetic: (window, time, channel), any number.

    Returns:
        (channel,) distances; NaN where one set holds no value.
    """
    from scipy.stats import wasserstein_distance

    distances = np.full(real.shape[2], np.nan)
    for c, (one, other) in enumerate(zip(_values(real), _values(synthetic), strict=True)):
        if not len(one) or not len(other):
            continue
        unit = one.std()
        if unit <= FLAT * abs(one.mean()):
            distances[c] = 0.0 if np.allclose(other, one[0], rtol=1e-6, atol=1e-9) else 1.0
        else:
            distances[c] = wasserstein_distance(one, other) / unit
    return distances


def marginal_distance(real: Array, synthetic: Array) -> float:
    """Mean over channels of :func:`channel_distances`, which says formula, range and source.

    Lower is better. Unit: real standard deviations. Smallest sensible sample: 10 windows.
    """
    return mean_of(channel_distances(real, synthetic))


def worst_channel_distance(real: Array, synthetic: Array) -> float:
    """Largest over channels of :func:`channel_distances`, which says formula, range and source.

    One channel that is wrong among many is lost in a mean and shows here. Lower is better. Unit:
    real standard deviations. Smallest sensible sample: 10 windows.
    """
    return _largest(channel_distances(real, synthetic))


def spread_error(real: Array, synthetic: Array) -> float:
    """By what factor channels vary too much or too little: the worst channel's.

    Formula: largest over channels of abs(ln(s_synthetic / s_real)), s the standard deviation over
    all windows and time points; a channel that is constant in one set alone counts ln 100, one that
    is constant in both 0. Range 0 to 4.61, lower is better; .69 is half or twice the spread.
    Unit: none. Smallest sensible sample: 10 windows.
    Source: as the log ratio of scales used in method comparison; no paper's own.
    """
    return _largest(spread_ratio(real, synthetic))


def shape_errors(real: Array, synthetic: Array) -> tuple[float, float]:
    """How far skew and tails of channels are off.

    Formula: mean over channels of abs(t_real - t_synthetic), t the L-skewness and the L-kurtosis of
    all values (:func:`timeloom.metrics.moments.l_ratios`). The skewness and kurtosis of moments,
    which TSGBench compares, are moved at will by a few outliers; these are not. Range 0 to 2 and 0
    to 1.25, lower is better. Unit: none. Smallest sensible sample: 10 windows. Channels that are
    constant in either set are left out; NaN if all are. Source: Hosking 1990.

    Args:
        real: (window, time, channel). NaN = not measured.
        synthetic: (window, time, channel), any number.

    Returns:
        Of L-skewness, of L-kurtosis.
    """
    one, other = (np.array([l_ratios(v) for v in _values(x)]) for x in (real, synthetic))
    apart = np.abs(one - other)
    return mean_of(apart[:, 0]), mean_of(apart[:, 1])


def skewness_error(real: Array, synthetic: Array) -> float:
    """How much more or less lopsided the values of channels are: first of :func:`shape_errors`."""
    return shape_errors(real, synthetic)[0]


def kurtosis_error(real: Array, synthetic: Array) -> float:
    """How much heavier or lighter the tails of channels are: second of :func:`shape_errors`."""
    return shape_errors(real, synthetic)[1]


def mdd(real: Array, synthetic: Array) -> float:
    """Marginal distribution difference as TSGBench computes it; kept for comparison alone.

    Formula: for each time point but the first and each channel, a histogram of 50 bins between the
    smallest and largest real value there; the densities' absolute difference, averaged over bins,
    time points and channels. Synthetic values outside that range are seen only as missing from it.
    Values are scaled to 0 .. 1 by each channel's real range first, as TSGBench's data are. Left out
    are time points at which a real channel is constant, of which the original makes 1e5. Range 0
    upwards, lower is better: a time point counts at most 2 / s, s the share of the channel's whole
    range that its real values span at that time point, so the figure is at most 2 only where each
    spans it all. It does not reach 0 for real data, since 50 bins of few windows are noise.
    Unit: density. Smallest sensible sample: 500 windows.
    Source: Ang et al. 2023 (TSGBench, arXiv 2309.03755); code of Ni et al. 2021 (Sig-WGAN).
    """
    low, high = np.nanmin(real, axis=(0, 1)), np.nanmax(real, axis=(0, 1))
    found = []
    for c in np.flatnonzero(high > low):
        for t in range(1, real.shape[1]):
            one, other = (
                (x[:, t, c][~np.isnan(x[:, t, c])] - low[c]) / (high[c] - low[c])
                for x in (real, synthetic)
            )
            if not len(one) or not len(other) or one.min() == one.max():
                continue
            count, edges = np.histogram(one, bins=BINS)
            again = np.histogram(other, bins=edges)[0]
            width = edges[1] - edges[0]
            found.append(np.abs(count / len(one) - again / len(other)).mean() / width)
    return float(np.mean(found)) if found else float("nan")


def _values(x: Array) -> list[Array]:
    """Of each channel all that was measured."""
    columns = (x[:, :, c].ravel().astype(np.float64) for c in range(x.shape[2]))
    return [one[~np.isnan(one)] for one in columns]


def _largest(figures: Array) -> float:
    return float(np.nanmax(figures)) if np.isfinite(figures).any() else float("nan")


def _first(found: tuple[float, float]) -> float:
    return found[0]


def _second(found: tuple[float, float]) -> float:
    return found[1]


METRICS = (
    Metric(
        "marginal_distance",
        channel_distances,
        "lower",
        "standard deviations",
        "How far each channel's values lie from the real distribution.",
        about="values",
        far=0.15,
        then=mean_of,
    ),
    Metric(
        "worst_channel_distance",
        channel_distances,
        "lower",
        "standard deviations",
        "The same for the channel that is furthest off.",
        about="values",
        far=0.3,
        then=_largest,
    ),
    Metric(
        "spread_error",
        spread_error,
        "lower",
        "",
        "By what factor (as a logarithm) the worst channel varies too much or too little.",
        about="values",
        far=0.3,
    ),
    Metric(
        "skewness_error",
        shape_errors,
        "lower",
        "",
        "How much more or less lopsided the values of channels are.",
        about="values",
        far=0.2,
        then=_first,
    ),
    Metric(
        "kurtosis_error",
        shape_errors,
        "lower",
        "",
        "How much heavier or lighter the tails of channels are.",
        about="values",
        far=0.2,
        then=_second,
    ),
    Metric(
        "mdd",
        mdd,
        "lower",
        "density",
        "Marginal distribution difference as TSGBench computes it, for comparison with papers.",
        about="values",
        far=0.3,
        smallest=500,
        default=False,
    ),
)
