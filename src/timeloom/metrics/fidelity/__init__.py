"""Do synthetic windows look like real ones? Judges that try to tell, distances that say how far.

A new metric is a function and a line in the tuple ``METRICS`` of one of these files.
"""

from timeloom.metrics.fidelity import (
    channels,
    context,
    coverage,
    dynamics,
    judged,
    mmd,
    predicted,
    rules,
    two_sample,
    values,
)
from timeloom.metrics.fidelity.channels import (
    correlational_score,
    cross_correlation_error,
    difference_correlation_error,
    lagged_correlation_error,
)
from timeloom.metrics.fidelity.context import context_fid, context_fid_infinity
from timeloom.metrics.fidelity.coverage import neighbourhoods
from timeloom.metrics.fidelity.dynamics import (
    acd,
    autocorrelation_error,
    difference_autocorrelation_error,
    difference_spread_error,
    dtw_distance,
    spectral_distance,
    time_asymmetry_error,
)
from timeloom.metrics.fidelity.judged import (
    discriminative,
    discriminative_accuracy,
    discriminative_score,
)
from timeloom.metrics.fidelity.mmd import mmd_test
from timeloom.metrics.fidelity.predicted import next_step_error, predictive_score
from timeloom.metrics.fidelity.prices import ohlc_rules, ohlc_table, ohlc_violations
from timeloom.metrics.fidelity.rules import learn_rules, rule_table, rules_broken
from timeloom.metrics.fidelity.two_sample import summary_auc, two_sample_auc
from timeloom.metrics.fidelity.values import (
    kurtosis_error,
    marginal_distance,
    mdd,
    skewness_error,
    spread_error,
    worst_channel_distance,
)

__all__ = [
    "METRICS",
    "acd",
    "autocorrelation_error",
    "context_fid",
    "context_fid_infinity",
    "correlational_score",
    "cross_correlation_error",
    "difference_autocorrelation_error",
    "difference_correlation_error",
    "difference_spread_error",
    "discriminative",
    "discriminative_accuracy",
    "discriminative_score",
    "dtw_distance",
    "kurtosis_error",
    "lagged_correlation_error",
    "learn_rules",
    "marginal_distance",
    "mdd",
    "mmd_test",
    "neighbourhoods",
    "next_step_error",
    "ohlc_rules",
    "ohlc_table",
    "ohlc_violations",
    "predictive_score",
    "rule_table",
    "rules_broken",
    "skewness_error",
    "spectral_distance",
    "spread_error",
    "summary_auc",
    "time_asymmetry_error",
    "two_sample_auc",
    "worst_channel_distance",
]

METRICS = (
    *two_sample.METRICS,
    *mmd.METRICS,
    *judged.METRICS,
    *context.METRICS,
    *predicted.METRICS,
    *values.METRICS,
    *channels.METRICS,
    *dynamics.METRICS,
    *coverage.METRICS,
    *rules.METRICS,
)
