"""How good are anomaly scores? Points, soft edges, runs and events; and what flatters them.

Everything takes labels (time,) of 0 and 1, and either anomaly scores (time,), higher = more
abnormal, or flags (time,) of 0 and 1 at some threshold. A new metric is a function and a line in
the tuple ``METRICS`` of one of these files. Its ``smallest`` counts events over all recordings;
for the metrics in ``NO_EVENT``, normal time points.
"""

from timeloom.metrics.detection import adjusted, events, points, ranges, surface
from timeloom.metrics.detection.adjusted import (
    best_pa_f1,
    pa_f1,
    pak_area,
    pak_f1,
    point_adjusted,
)
from timeloom.metrics.detection.events import (
    affiliation,
    detection_delays,
    event_scores,
    false_alarms_per_day,
    false_time_share,
    time_to_detect,
)
from timeloom.metrics.detection.labels import runs
from timeloom.metrics.detection.points import auc_pr, auc_roc, best_f1, point_scores
from timeloom.metrics.detection.ranges import range_scores
from timeloom.metrics.detection.surface import period, vus, vus_pr, vus_roc
from timeloom.metrics.detection.thresholds import (
    Threshold,
    check_threshold,
    fit_threshold,
    flag,
)

__all__ = [
    "INFLATED",
    "METRICS",
    "NO_EVENT",
    "ORACLE",
    "Threshold",
    "affiliation",
    "auc_pr",
    "auc_roc",
    "best_f1",
    "best_pa_f1",
    "check_threshold",
    "detection_delays",
    "event_scores",
    "false_alarms_per_day",
    "false_time_share",
    "fit_threshold",
    "flag",
    "pa_f1",
    "pak_area",
    "pak_f1",
    "period",
    "point_adjusted",
    "point_scores",
    "range_scores",
    "runs",
    "time_to_detect",
    "vus",
    "vus_pr",
    "vus_roc",
]

METRICS = (
    *surface.METRICS,
    *points.METRICS,
    *events.METRICS,
    *ranges.METRICS,
    *adjusted.METRICS,
)
INFLATED = ("pa_f1", "best_pa_f1", "pak_area")  # flattered by point adjustment: never a pass
# Measured without an event as well: what must suffice is the number of normal time points.
NO_EVENT = ("false_alarms_per_day", "false_time_share")
ORACLE = ("best_f1", "best_pa_f1")  # the labels choose the threshold: an upper bound
