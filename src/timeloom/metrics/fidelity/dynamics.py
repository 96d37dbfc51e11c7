"""Do windows move in time as real ones do?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.metric import Metric
from timeloom.metrics.moments import autocorrelation

__all__ = ["METRICS", "autocorrelation_error"]

Array = NDArray[Any]


def autocorrelation_error(real: Array, synthetic: Array) -> float:
    """How far the memory of each channel is from the real one.

    Formula: mean over channels and lags 1 to min(length - 1, 24) of abs(rho_real - rho_synthetic),
    see :func:`timeloom.metrics.moments.autocorrelation`. Range 0 to about 2, lower is better. Unit:
    none. Smallest sensible sample: 10 windows. Channels that are constant in either set are left
    out; NaN if all are.
    Source: the ACD of Ang et al. 2023 (TSGBench, arXiv 2309.03755), as a mean.
    """
    apart = np.abs(autocorrelation(real) - autocorrelation(synthetic))
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan")


METRICS = (
    Metric(
        "autocorrelation_error",
        autocorrelation_error,
        "lower",
        "",
        "How far each channel's memory of its own past is from the real one.",
        about="time",
    ),
)
