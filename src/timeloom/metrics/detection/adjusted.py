"""Point adjustment, kept because papers print it: figures that a random score can win."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.metrics.detection.labels import checked, runs
from timeloom.metrics.detection.line import SCORES, line

__all__ = ["METRICS", "best_pa_f1", "pa_f1", "pak_area", "pak_f1", "point_adjusted"]

Array = NDArray[Any]


def point_adjusted(labels: ArrayLike, flags: ArrayLike, *, percent: float = 0.0) -> Array:
    """Flags after point adjustment: one hit makes its whole event flagged.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.
        percent: An event is filled when more than this share of it, in per cent, is flagged.

    Returns:
        (time,) of booleans.

    Raises:
        ValueError: If ``percent`` is not within 0 ... 100; and as
            :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, flagged = checked(labels, flags, what="flags", both=False)
    begin, end, hits = _hits(truth, flagged)
    # Every event is a run of labels, so the filled ones are told apart by their number.
    filled = np.repeat(_filled(begin, end, hits, percent), end - begin)
    adjusted = flagged.copy()
    adjusted[truth] |= filled
    return adjusted


def pa_f1(labels: ArrayLike, flags: ArrayLike) -> float:
    """F1 after point adjustment. Inflated: random scores reach 0.9 where events are long.

    Formula: F1 over time points of :func:`point_adjusted` flags. Range 0 to 1, higher is better.
    Unit: share. Uniform random numbers get .90 on MSL and .96 on SMAP by it: never print it
    without that row. Smallest sensible sample: one event.
    Source: Xu et al. 2018; its flaw: Kim et al. 2022 (AAAI).

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    return pak_f1(labels, flags, percent=0.0)


def best_pa_f1(labels: ArrayLike, scores: ArrayLike) -> float:
    """The highest F1 after point adjustment over all thresholds. Inflated, and an oracle too.

    Formula: max over thresholds of :func:`pa_f1`; an event counts in full once its highest score
    is reached. Range 0 to 1, higher is better. Unit: share. What most published tables hold.
    Smallest sensible sample: one event.
    Source: Xu et al. 2018; the threshold as in Su et al. 2019 (OmniAnomaly's best F1).

    Args:
        labels: (time,), 0 or 1.
        scores: (time,), higher = more abnormal.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, score = checked(labels, scores)
    begin, end = runs(truth)
    # An event is won, all its points at once, at its highest score.
    highest = np.array([score[a:b].max() for a, b in zip(begin, end, strict=True)])
    levels = np.unique(np.r_[score[~truth], highest])
    won = _at_least(highest, levels, (end - begin).astype(np.float64))
    false = _at_least(score[~truth], levels)
    return float(np.max(2 * won / (won + false + truth.sum())))


def pak_f1(labels: ArrayLike, flags: ArrayLike, *, percent: float = 20.0) -> float:
    """F1 after adjusting only events of which more than K per cent is flagged. Inflated.

    Formula: K = 0 is :func:`pa_f1`, K = 100 the plain F1. Range 0 to 1, higher is better. Unit:
    share. Still flattered at small K; see :func:`pak_area`. Smallest sensible sample: one
    event.
    Source: Kim et al. 2022 (AAAI).

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.
        percent: K, 0 to 100.

    Raises:
        ValueError: As :func:`point_adjusted`, and where there is one class only.
    """
    truth, flagged = checked(labels, flags, what="flags")
    begin, end, hits = _hits(truth, flagged)
    found = float(np.where(_filled(begin, end, hits, percent), end - begin, hits).sum())
    false = int((flagged & ~truth).sum())
    return 2 * found / (found + false + int(truth.sum()))


def pak_area(labels: ArrayLike, flags: ArrayLike) -> float:
    """F1 after point adjustment by K per cent, averaged over K from 0 to 100. Inflated, less so.

    Formula: the integral of :func:`pak_f1` over K / 100, exactly (it is a step function). Range 0
    to 1, higher is better; never below the plain F1. Unit: share. Smallest sensible sample: one
    event.
    Source: Kim et al. 2022 (AAAI), who average over whole K.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, flagged = checked(labels, flags, what="flags")
    begin, end, hits = _hits(truth, flagged)
    length = end - begin
    share = hits / length
    order = np.argsort(share)
    # Between two neighbouring shares, the events below are left alone and those above are filled.
    lost = np.r_[0, np.cumsum((length - hits)[order])]
    found = length.sum() - lost
    false = int((flagged & ~truth).sum())
    f1 = 2 * found / (found + false + int(truth.sum()))
    return float(np.sum(f1 * np.diff(np.r_[0.0, share[order], 1.0])))


def _hits(truth: Array, flagged: Array) -> tuple[Array, Array, Array]:
    """Begins and ends of the events, and how many of their points are flagged."""
    begin, end = runs(truth)
    total = np.r_[0, np.cumsum(flagged & truth)]
    return begin, end, total[end] - total[begin]


def _filled(begin: Array, end: Array, hits: Array, percent: float) -> Array:
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be within 0 and 100; got {percent}.")
    return 100 * hits > percent * (end - begin)


def _at_least(values: Array, levels: Array, weights: Array | None = None) -> Array:
    """For each level, ascending, the weight of the values that reach it."""
    place = np.searchsorted(levels, values)
    return np.cumsum(np.bincount(place, weights, minlength=len(levels))[::-1])[::-1]


METRICS = (
    line(
        "pa_f1",
        pa_f1,
        "Inflated: F1 after one hit is made to flag its whole event; random scores do well.",
    ),
    line(
        "best_pa_f1",
        best_pa_f1,
        "Inflated, and an oracle: point-adjusted F1 at the threshold that the labels choose.",
        needs=SCORES,
    ),
    line(
        "pak_area",
        pak_area,
        "Inflated, less so: F1 after events more than K % flagged are filled, mean over K.",
    ),
)
