"""Is it of use? What a model learns with synthetic windows, tried on real ones.

``protocols`` trains judges on real, on synthetic and on both, with the same number of steps each,
and returns what they say of real test windows; ``scores`` and ``paired_interval`` say how right
that is, and whether one arm beats another beyond chance.
"""

from timeloom.metrics.utility.arms import (
    ARMS,
    arms_at,
    chosen_on,
    class_reader,
    protocols,
)
from timeloom.metrics.utility.paired import Paired, paired_interval, paired_intervals
from timeloom.metrics.utility.scores import (
    CLASS_SCORES,
    VALUE_SCORES,
    Prediction,
    constant,
    nasa_score,
    resampled,
    scores,
)
from timeloom.metrics.utility.trained import (
    shown_class,
    shown_value,
    steering,
    tstr_classification,
    tstr_regression,
)

__all__ = [
    "ARMS",
    "CLASS_SCORES",
    "VALUE_SCORES",
    "Paired",
    "Prediction",
    "arms_at",
    "chosen_on",
    "class_reader",
    "constant",
    "nasa_score",
    "paired_interval",
    "paired_intervals",
    "protocols",
    "resampled",
    "scores",
    "shown_class",
    "shown_value",
    "steering",
    "tstr_classification",
    "tstr_regression",
]
