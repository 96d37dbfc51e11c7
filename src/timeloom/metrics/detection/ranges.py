"""Precision and recall of runs: how much of each event, and of each alarm, is covered."""

from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.metrics.detection.labels import checked, runs
from timeloom.metrics.detection.line import line

__all__ = ["BIASES", "METRICS", "RangeScores", "range_scores"]

Array = NDArray[Any]

BIASES = ("flat", "front", "middle", "back")


class RangeScores(NamedTuple):
    """Range-based precision, recall and their harmonic mean."""

    precision: float
    recall: float
    f1: float


def range_scores(
    labels: ArrayLike,
    flags: ArrayLike,
    *,
    alpha: float = 0.2,
    bias: str = "flat",
    cardinality: str = "reciprocal",
) -> RangeScores:
    """Range-based precision and recall: runs of flags against runs of labels.

    Formula: recall is the mean over events of alpha [any point flagged] + (1 - alpha) g w, where w
    is the weighted share of the event that is flagged and g = 1 / (number of alarms in it), or 1.
    Precision is the mean over alarms of g w with the roles exchanged, without alpha. F1 is their
    harmonic mean; 0 where nothing is flagged. Range 0 to 1, higher is better. Unit: share.
    Smallest sensible sample: one event. Print a random score beside it.
    Source: Tatbul et al. 2018 (NeurIPS); alpha 0.2 as TSB-AD has it, 0.5 is aeon's default.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.
        alpha: Weight of finding an event at all, 0 to 1.
        bias: Which part of an event weighs more, one of ``BIASES``; alarms are weighed flat.
        cardinality: ``"reciprocal"`` punishes an event found in pieces, ``"one"`` does not.

    Raises:
        ValueError: If alpha, bias or cardinality is none of the above; and as
            :func:`~timeloom.metrics.detection.labels.checked`.
    """
    if bias not in BIASES or cardinality not in ("reciprocal", "one") or not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha must be within 0 and 1, bias one of {BIASES}, cardinality 'reciprocal' or "
            f"'one'; got {alpha}, {bias!r}, {cardinality!r}."
        )
    truth, flagged = checked(labels, flags, what="flags")
    if not flagged.any():
        return RangeScores(0.0, 0.0, 0.0)
    pieces = cardinality == "reciprocal"
    precision = float(_covered(flagged, truth, "flat", pieces).mean())
    covered = _covered(truth, flagged, bias, pieces)
    recall = float((alpha * (covered > 0) + (1 - alpha) * covered).mean())
    total = precision + recall
    return RangeScores(precision, recall, 2 * precision * recall / total if total else 0.0)


def _covered(own: Array, other: Array, bias: str, pieces: bool) -> Array:
    """For each run of ``own`` the weighted share that ``other`` covers, over the pieces."""
    begin, end = runs(own)
    length = np.repeat(end - begin, end - begin)
    place = np.flatnonzero(own) - np.repeat(begin, end - begin) + 1  # 1 ... length
    weight = {
        "flat": np.ones(len(place)),
        "front": 1 - (place - 1) / length,
        "back": place / length,
        "middle": np.where(place <= length / 2, place, length - place + 1) / (length / 2),
    }[bias]
    at = np.r_[0, np.cumsum(end - begin)[:-1]]
    share = np.add.reduceat(weight * other[own], at) / np.add.reduceat(weight, at)
    if not pieces:
        return share
    # A piece begins where `other` rises, or where the run begins on a point that `other` holds.
    rises = other & ~np.r_[False, other[:-1]]
    rises[begin] = other[begin]
    return share / np.maximum(np.add.reduceat(rises[own].astype(np.int64), at), 1)


METRICS = (
    line(
        "range_f1",
        range_scores,
        "How much of each event and of each alarm is covered, pieces punished.",
        then=attrgetter("f1"),
    ),
)
