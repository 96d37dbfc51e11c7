"""Every time point for itself: how well scores rank abnormal points, and F1 at a threshold."""

from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.metrics.detection.labels import checked
from timeloom.metrics.detection.line import SCORES, line
from timeloom.metrics.detection.thresholds import Threshold

__all__ = ["METRICS", "BestF1", "PointScores", "auc_pr", "auc_roc", "best_f1", "point_scores"]

Array = NDArray[Any]


class PointScores(NamedTuple):
    """Precision, recall and F1 over time points."""

    precision: float
    recall: float
    f1: float


class BestF1(NamedTuple):
    """The highest F1 over all thresholds, and the threshold; it has seen the labels."""

    f1: float
    threshold: Threshold


def auc_roc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve over time points.

    Formula: the chance that an abnormal point scores above a normal one, ties half. Range 0 to 1,
    higher is better; 0.5 knows nothing. Unit: share. Smallest sensible sample: one event; long
    events weigh more, and where few points are abnormal it hides many false alarms.
    Source: Hanley and McNeil 1982; equal to scikit-learn's ``roc_auc_score``.

    Args:
        labels: (time,), 0 or 1.
        scores: (time,), higher = more abnormal.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    hits, false, _ = _curve(*checked(labels, scores))
    across, up = np.diff(false, prepend=0) / false[-1], hits / hits[-1]
    return float(np.sum(across * (up + np.r_[0, up[:-1]]) / 2))


def auc_pr(labels: ArrayLike, scores: ArrayLike) -> float:
    """Average precision over time points.

    Formula: sum of (recall_k - recall_{k-1}) precision_k over the distinct scores from the top.
    Range 0 to 1, higher is better; a score that knows nothing gets the share of abnormal points.
    Unit: share. Smallest sensible sample: one event; long events weigh more.
    Source: equal to scikit-learn's ``average_precision_score``.

    Args:
        labels: (time,), 0 or 1.
        scores: (time,), higher = more abnormal.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    hits, false, _ = _curve(*checked(labels, scores))
    return float(np.sum(np.diff(hits, prepend=0) / hits[-1] * hits / (hits + false)))


def best_f1(labels: ArrayLike, scores: ArrayLike) -> BestF1:
    """The highest F1 over time points that any threshold reaches. Oracle: it reads the labels.

    Formula: max over thresholds of 2 TP / (2 TP + FP + FN). Range 0 to 1, higher is better; an
    alarm at every point gets 2r / (1 + r) where r is the share of abnormal points. Unit: share.
    An upper bound on what a threshold could do, never what one did. Smallest sensible sample:
    one event.
    Source: ``Standard-F1`` of TSB-AD.

    Args:
        labels: (time,), 0 or 1.
        scores: (time,), higher = more abnormal.

    Returns:
        F1, and the threshold that reaches it, with ``oracle=True``.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, score = checked(labels, scores)
    hits, false, levels = _curve(truth, score)
    f1 = 2 * hits / (hits + false + hits[-1])
    best = int(np.argmax(f1))
    just_below = float(np.nextafter(levels[best], -np.inf))
    return BestF1(float(f1[best]), Threshold(just_below, "", 0, len(truth), oracle=True))


def point_scores(labels: ArrayLike, flags: ArrayLike) -> PointScores:
    """Precision, recall and F1 over time points at one threshold.

    Formula: TP / (TP + FP), TP / (TP + FN), 2 TP / (2 TP + FP + FN); 0 where nothing is flagged.
    Range 0 to 1, higher is better. Unit: share. An alarm at every point has F1 = 2r / (1 + r), r
    the share of abnormal points. Smallest sensible sample: one event.
    Source: van Rijsbergen 1979.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1; :func:`~timeloom.metrics.detection.thresholds.flag` makes them.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, flagged = checked(labels, flags, what="flags")
    hits, alarms = int((truth & flagged).sum()), int(flagged.sum())
    abnormal = int(truth.sum())
    return PointScores(
        hits / alarms if alarms else 0.0,
        hits / abnormal,
        2 * hits / (alarms + abnormal),
    )


def _curve(truth: Array, score: Array) -> tuple[Array, Array, Array]:
    """Abnormal and normal points that reach each distinct score, from the highest; the scores."""
    order = np.argsort(-score, kind="stable")
    hits, level = np.cumsum(truth[order]), score[order]
    # Equal scores are flagged together: only the last of them is a threshold.
    last = np.flatnonzero(np.r_[level[1:] != level[:-1], True])
    return hits[last], last + 1 - hits[last], level[last]


METRICS = (
    line(
        "auc_pr",
        auc_pr,
        "Average precision over time points (chance: the share of abnormal points).",
        needs=SCORES,
    ),
    line(
        "auc_roc",
        auc_roc,
        "How often an abnormal point scores above a normal one (0.5: no better than chance).",
        needs=SCORES,
    ),
    line(
        "point_f1",
        point_scores,
        "F1 over time points at the threshold that was given.",
        then=attrgetter("f1"),
    ),
    line(
        "best_f1",
        best_f1,
        "Oracle: the highest F1 over time points of any threshold, chosen by the labels.",
        needs=SCORES,
        then=attrgetter("f1"),
    ),
)
