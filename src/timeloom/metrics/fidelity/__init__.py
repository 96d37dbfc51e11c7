"""Do synthetic windows look like real ones? Judges that try to tell, distances that say how far.

A new metric is a function and a line in the tuple ``METRICS`` of one of these files.
"""

from timeloom.metrics.fidelity import channels, dynamics, judged, two_sample, values
from timeloom.metrics.fidelity.channels import (
    cross_correlation_error,
    difference_correlation_error,
)
from timeloom.metrics.fidelity.dynamics import autocorrelation_error
from timeloom.metrics.fidelity.judged import discriminative, discriminative_accuracy
from timeloom.metrics.fidelity.two_sample import two_sample_auc
from timeloom.metrics.fidelity.values import marginal_distance

__all__ = [
    "METRICS",
    "autocorrelation_error",
    "cross_correlation_error",
    "difference_correlation_error",
    "discriminative",
    "discriminative_accuracy",
    "marginal_distance",
    "two_sample_auc",
]

METRICS = (
    *judged.METRICS,
    *two_sample.METRICS,
    *values.METRICS,
    *channels.METRICS,
    *dynamics.METRICS,
)
