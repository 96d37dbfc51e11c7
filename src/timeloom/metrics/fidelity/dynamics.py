"""Do windows move in time as real ones do?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.alignment import dtw
from timeloom.metrics.discriminator import standardise
from timeloom.metrics.metric import Metric
from timeloom.metrics.moments import (
    QUIET,
    autocorrelation,
    mean_of,
    spectrum,
    spread_ratio,
    time_asymmetry,
)

__all__ = [
    "METRICS",
    "acd",
    "autocorrelation_error",
    "difference_autocorrelation_error",
    "difference_spread_error",
    "dtw_distance",
    "spectral_distance",
    "time_asymmetry_error",
]

Array = NDArray[Any]

LEGACY_LAGS = 64  # of acd, lag 0 included
PAIRS = 300  # of windows, of dtw_distance
CELLS = 2**22  # of the tables of dtw at a time: bounds memory


def autocorrelation_error(real: Array, synthetic: Array) -> float:
    """How far the memory of each channel is from the real one.

    Formula: mean over channels and lags 1 to min(length - 1, 24) of abs(rho_real - rho_synthetic),
    see :func:`timeloom.metrics.moments.autocorrelation`. Range 0 to about 2, lower is better. Unit:
    none. Smallest sensible sample: 10 windows. Channels that are constant in either set are left
    out; NaN if all are.
    Source: the ACD of Ang et al. 2023 (TSGBench, arXiv 2309.03755), as a mean.
    """
    return mean_of(np.abs(autocorrelation(real) - autocorrelation(synthetic)))


def acd(real: Array, synthetic: Array) -> float:
    """Autocorrelation difference as TSGBench computes it; kept for comparison alone.

    Formula: root of the sum over lags 0 to min(length, 64) - 1 of (rho_real - rho_synthetic)
    squared, averaged over channels. Range 0 to about 2 sqrt(lags): it grows with the length. Lower
    is better. Unit: none. Smallest sensible sample: 10 windows. Channels that are constant in
    either set are left out. Source: Ang et al. 2023 (TSGBench, arXiv 2309.03755).
    """
    lags = min(real.shape[1], LEGACY_LAGS) - 1
    apart = autocorrelation(real, lags) - autocorrelation(synthetic, lags)
    return mean_of(np.sqrt((apart**2).sum(axis=0))) if lags > 0 else float("nan")


def spectral_distance(real: Array, synthetic: Array) -> float:
    """How far the power of each channel is off, frequency by frequency.

    Formula: mean over channels and frequencies above 0 of abs(10 log10(P_synthetic / P_real)), P
    the mean power of :func:`timeloom.metrics.moments.spectrum` plus a millionth of the channel's
    mean real power, so that rounding does not count. Range 0 to about 60 and more, lower is better.
    Unit: decibels (6 dB: half or twice the amplitude). Smallest sensible sample: 10 windows.
    Channels constant in reality are left out; NaN if all are, and for windows of one time point.
    Source: the log spectral distance of Gray and Markel 1976, as a mean of absolute values.
    """
    one, other = spectrum(real), spectrum(synthetic)
    if not one.size:
        return float("nan")
    level = one.mean(axis=0)
    heard = level > 1e-18 * np.nanmax(np.abs(real), axis=(0, 1)) ** 2
    quiet = np.where(heard, QUIET * level, np.nan)
    return mean_of(np.abs(10 * np.log10((other + quiet) / (one + quiet))))


def difference_spread_error(real: Array, synthetic: Array) -> float:
    """How much too smooth or too rough channels are: most diffusion models smooth too much.

    Formula: mean over channels of abs(ln(s_synthetic / s_real)), s the standard deviation of the
    steps from one time point to the next; a channel whose steps are constant in one set alone
    counts ln 100. Range 0 to 4.61, lower is better. Unit: none. Smallest sensible sample: 10
    windows. NaN for windows of one time point.
    Source: as the log ratio of scales used in method comparison; no paper's own.
    """
    return mean_of(spread_ratio(np.diff(real, axis=1), np.diff(synthetic, axis=1)))


def difference_autocorrelation_error(real: Array, synthetic: Array) -> float:
    """How far the memory of steps is off: does a rise tend to follow a rise?

    Formula: mean over channels of abs(rho_real - rho_synthetic), rho the autocorrelation at lag 1
    (:func:`timeloom.metrics.moments.autocorrelation`) of the steps from one time point to the next;
    -1/2 for white noise, near 1 for smooth windows. Range 0 to 2, lower is better. Unit: none.
    Smallest sensible sample: 10 windows. NaN for windows of fewer than three time points.
    Source: Box and Jenkins 1970, autocorrelation of the differenced series.
    """
    one, other = (autocorrelation(np.diff(x, axis=1), 1) for x in (real, synthetic))
    return mean_of(np.abs(one - other))


def time_asymmetry_error(real: Array, synthetic: Array) -> float:
    """Does time run forwards? How far channels' tendency to rise or fall is off.

    Formula: mean over channels of the largest of abs(a_real - a_synthetic) over lags 1, 2, 4, ...
    and the two kinds of asymmetry a of :func:`timeloom.metrics.moments.time_asymmetry` (share of
    rises less that of falls; mean step over mean absolute step). Reversing time changes the sign of
    a, so a set and its reverse are 2 abs(a) apart: a process that looks alike both ways is not
    found out; for several channels see ``lagged_correlation_error``. Range 0 to 2, lower is better.
    Unit: none. Smallest sensible sample: 50 windows. NaN for windows of one time point.
    Source: Costa et al. 2008 (rises and falls at several scales); Zanin and Papo 2021 (Entropy 23,
    1474) review such measures.
    """
    apart = np.abs(time_asymmetry(real) - time_asymmetry(synthetic))
    if not len(apart):
        return float("nan")
    known = ~np.isnan(apart).all(axis=(0, 1))
    return mean_of(np.nanmax(apart[..., known], axis=(0, 1)))


def dtw_distance(real: Array, synthetic: Array) -> float:
    """Mean distance of row i to row i under dynamic time warping, as TSGBench prints it.

    Formula: mean of :func:`timeloom.metrics.alignment.dtw` over 300 pairs spread evenly over all
    (rows come label by label, so the first would share one), channels scaled by the real mean and
    standard deviation; a point that was not measured is at the mean.
    Range 0 upwards, lower is better. Unit: real standard deviations, summed along the path.
    Smallest sensible sample: 50 windows. Rows share at most their label, so the figure rewards
    windows that regress to the mean: quote it beside real against real.
    Source: Ang et al. 2023 (TSGBench, arXiv 2309.03755).
    """
    shared = min(len(real), len(synthetic))
    pairs = min(shared, PAIRS)
    rows = np.linspace(0, shared - 1, pairs).round().astype(int)
    one, other = standardise(real[rows], synthetic[rows], by=real)
    chunk = max(1, CELLS // (real.shape[1] + 1) ** 2)
    found = [dtw(one[i : i + chunk], other[i : i + chunk]) for i in range(0, pairs, chunk)]
    return float(np.concatenate(found).mean())


METRICS = (
    Metric(
        "autocorrelation_error",
        autocorrelation_error,
        "lower",
        "",
        "How far each channel's memory of its own past is from the real one.",
        about="time",
    ),
    Metric(
        "spectral_distance",
        spectral_distance,
        "lower",
        "decibels",
        "How far the power of each channel is off, frequency by frequency.",
        about="time",
        far=3.0,
    ),
    Metric(
        "difference_spread_error",
        difference_spread_error,
        "lower",
        "",
        "By what factor (as a logarithm) channels are too smooth or too rough.",
        about="time",
        far=0.3,
    ),
    Metric(
        "difference_autocorrelation_error",
        difference_autocorrelation_error,
        "lower",
        "",
        "How far the tendency of a step to follow the last one is off.",
        about="time",
        far=0.15,
    ),
    Metric(
        "time_asymmetry_error",
        time_asymmetry_error,
        "lower",
        "",
        "Whether channels rise and fall as real ones do: whether time runs forwards.",
        about="time",
        far=0.1,
        smallest=50,
    ),
    Metric(
        "acd",
        acd,
        "lower",
        "",
        "Autocorrelation difference as TSGBench computes it, for comparison with papers.",
        about="time",
        far=0.5,
        default=False,
    ),
    Metric(
        "dtw_distance",
        dtw_distance,
        "lower",
        "standard deviations",
        "Mean distance of paired windows after warping; pairs share at most their label.",
        about="time",
        far=2.0,
        default=False,
        smallest=50,
        ideal=None,
    ),
)
