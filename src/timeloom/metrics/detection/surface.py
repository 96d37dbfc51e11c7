"""Volume under the surface: how well scores find events, if being a little off is forgiven."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.metrics.detection.labels import checked, runs
from timeloom.metrics.detection.line import SCORES, line

__all__ = ["FLAVOURS", "METRICS", "Volume", "period", "vus", "vus_pr", "vus_roc"]

Array = NDArray[Any]

FLAVOURS = ("tsb", "aeon")
FAR = np.iinfo(np.int64).max // 2  # the distance to an event that is not there


class Volume(NamedTuple):
    """Both volumes: under the ROC surface and under the precision-recall surface."""

    roc: float
    pr: float


def vus(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    window: int = 100,
    flavour: str = "tsb",
    thresholds: int | None = 250,
) -> Volume:
    """Volume under the ROC and the precision-recall surface, exactly, from one sort.

    Formula: for every buffer b = 0 ... ``window`` the labels y become y_b, softened for h = b // 2
    points on both sides of an event: sqrt(1 - d/b) at distance d, sums cut at 1. At a threshold,
    TP = sum of y_b over the flagged points; recall = min(TP/P, 1) times the share of (joined,
    softened) events in which any point is flagged; precision = TP / flagged; false positive rate =
    (flagged - TP) / (time - P). The areas under both curves, averaged over b.

    * ``"tsb"``: P = (sum y + sum y + softened points that are flagged) / 2; precision-recall area
      by rectangles. What TSB-AD publishes.
    * ``"aeon"``: P = (sum y + sum y_b) / 2; precision-recall area by trapezoids from (0, 1), which
      flatters scores with many ties; the right slope is one point shorter; a constant score is
      given 0, not chance.

    Range 0 to 1, higher is better. Unit: share. A score that knows nothing gets 0.5 to 0.65 under
    ROC, and under precision-recall the share of abnormal points with what the buffer adds, up to
    twice as much where events are shorter than it. Smallest sensible sample: one event; one
    alone gives a figure that says little about the next.
    Source: Paparrizos et al. 2022 (PVLDB 15(11)); Liu and Paparrizos 2024 (TSB-AD); equal to
    aeon 1.6 and to TSB-AD 1.5 within rounding. Cost: one sort, then one pass per buffer over the
    points near events.

    Args:
        labels: (time,), 0 or 1.
        scores: (time,), higher = more abnormal.
        window: Largest buffer in time points; :func:`period` is TSB-AD's choice.
        flavour: One of ``FLAVOURS``.
        thresholds: How many quantiles of the scores; None takes every distinct score.

    Raises:
        ValueError: If labels and scores do not fit (see ``checked``), the window is negative, the
            flavour is unknown or there are fewer than two thresholds.
    """
    truth, score = checked(labels, scores)
    if window < 0 or flavour not in FLAVOURS or (thresholds is not None and thresholds < 2):
        raise ValueError(
            f"window >= 0, flavour one of {FLAVOURS} and thresholds >= 2 or None; got {window}, "
            f"{flavour!r} and {thresholds}."
        )
    if flavour == "aeon" and score.min() == score.max():
        return Volume(0.0, 0.0)
    rank, count = _ranks(score, thresholds)
    flagged = np.cumsum(np.bincount(rank, minlength=count)).astype(np.float64)
    inside = np.cumsum(np.bincount(rank[truth], minlength=count))
    areas = np.zeros(2)
    halves = _softened(truth, rank, count, window // 2, flavour)
    for half, (existence, reach) in enumerate(halves):
        for buffer in range(2 * half, min(2 * half + 1, window) + 1):
            near = reach(buffer)
            held = inside[-1] + (near if flavour == "tsb" else near[-1]) / 2
            areas += _areas(inside + near, held, flagged, existence, flavour)
    return Volume(*(float(area) for area in areas / (window + 1)))


def vus_roc(labels: ArrayLike, scores: ArrayLike, *, window: int = 100) -> float:
    """Volume under the ROC surface, TSB-AD's flavour; formula, range and source as :func:`vus`."""
    return vus(labels, scores, window=window).roc


def vus_pr(labels: ArrayLike, scores: ArrayLike, *, window: int = 100) -> float:
    """Volume under the precision-recall surface, TSB-AD's flavour; as :func:`vus` says it."""
    return vus(labels, scores, window=window).pr


def period(values: ArrayLike, *, default: int = 125) -> int:
    """The period of one channel as TSB-AD finds it; the ``window`` of its published figures.

    The autocorrelation of the first 20,000 points is taken at lags 3 ... 400; the period is the
    lag of its highest local maximum. Where that maximum is fewer than 3 or more than 300 lags
    after the first, or there is none, it is ``default``.
    Source: ``find_length_rank`` of TSB-AD.

    Args:
        values: (time,), without NaN; TSB-AD takes channel 0.
        default: In time points.

    Raises:
        ValueError: If the values are not (time,) or not finite.
    """
    line = np.asarray(values, dtype=np.float64)
    if line.ndim != 1 or not np.isfinite(line).all():
        raise ValueError(
            f"values must be (time,) and finite; got shape {line.shape}. Give one channel, filled."
        )
    line = line[:20_000] - line[:20_000].mean() if len(line) else line
    if len(line) < 6 or not np.any(line):
        return default
    # Twice the length, so that the end does not meet the beginning.
    power = np.abs(np.fft.rfft(line, 2 * len(line))) ** 2
    memory = np.fft.irfft(power)[: min(400, len(line) - 1) + 1]
    memory = memory[3:] / memory[0]
    peaks = 1 + np.flatnonzero((memory[1:-1] > memory[:-2]) & (memory[1:-1] > memory[2:]))
    if not len(peaks):
        return default
    best = int(peaks[np.argmax(memory[peaks])])
    return best + 3 if 3 <= best <= 300 else default


def _ranks(score: Array, thresholds: int | None) -> tuple[Array, int]:
    """The first threshold, from the highest, that each point reaches; and how many there are."""
    if thresholds is None:
        levels = np.unique(score)[::-1]
    else:
        places = np.linspace(0, len(score) - 1, thresholds).astype(np.int64)
        levels = np.sort(score)[::-1][places]
    # Levels fall, so both sides are negated for searchsorted.
    return np.searchsorted(-levels, -score, side="left"), len(levels)


def _softened(
    truth: Array, rank: Array, count: int, halves: int, flavour: str
) -> Iterator[tuple[Array, Any]]:
    """For h = 0, 1 ...: the share of events hit, and what points beside events add, by threshold.

    A slope never falls below sqrt(1/2), so a point within reach of two events has a sum above 1:
    only its nearest and second nearest event matter.
    """
    begin, end = runs(truth)
    points, first, second, distance = _neighbours(truth, begin, end, halves, flavour)
    rank_near = rank[points]
    highest = np.minimum.reduceat(rank, np.stack([begin, end - 1], axis=1).ravel())[::2]
    highest = np.minimum(highest, rank[end - 1])
    shorter = 1 if flavour == "aeon" else 0
    for h in range(halves + 1):
        if h:
            left = np.maximum(begin - h, 0)
            right = np.minimum(end - 1 + h - shorter, len(rank) - 1)
            highest = np.minimum(highest, np.minimum(rank[left], rank[right]))
        # Events whose slopes meet are one.
        apart = np.flatnonzero(begin[1:] - end[:-1] + 1 > 2 * h) + 1
        joined = np.minimum.reduceat(highest, np.r_[0, apart])
        existence = np.cumsum(np.bincount(joined, minlength=count)) / len(joined)
        alone, full = (first <= h) & (second > h), second <= h

        def reach(buffer: int, alone: Array = alone, full: Array = full) -> Array:
            weight = full.astype(np.float64)
            if buffer > 1:
                weight[alone] = np.sqrt(1 - distance[alone] / buffer)
            return np.cumsum(np.bincount(rank_near, weight, minlength=count))

        yield existence, reach


def _neighbours(
    truth: Array, begin: Array, end: Array, halves: int, flavour: str
) -> tuple[Array, Array, Array, Array]:
    """The points near events, the h at which the nearest two events reach them, and how far."""
    change = np.zeros(len(truth) + 1, dtype=np.int64)
    np.add.at(change, np.maximum(begin - halves, 0), 1)
    np.add.at(change, np.minimum(end + halves, len(truth)), -1)
    points = np.flatnonzero((np.cumsum(change[:-1]) > 0) & ~truth)
    # Two events that are not there on either side, so that every point has two neighbours.
    ends = np.r_[-FAR, -FAR, end - 1]
    begins = np.r_[begin, FAR, FAR]
    after = np.searchsorted(begin, points)  # the event to the right, if any
    shorter = 1 if flavour == "aeon" else 0
    reached = np.stack(
        [
            points - ends[after + 1] + shorter,
            points - ends[after] + shorter,
            begins[after] - points,
            begins[after + 1] - points,
        ]
    )
    order = np.sort(reached, axis=0)
    distance = np.minimum(reached[0] - shorter, reached[2])
    return points, order[0], order[1], distance


def _areas(
    found: Array, held: Array | float, flagged: Array, existence: Array, flavour: str
) -> Array:
    """Areas under the ROC and the precision-recall curve of one buffer."""
    recall = np.minimum(found / held, 1) * existence
    alarm = (flagged - found) / (flagged[-1] - held)
    precision = found / flagged
    if flavour == "aeon":
        alarm = np.minimum(alarm, 1)
        height = (np.r_[1.0, precision[:-1]] + precision) / 2
    else:
        height = precision
    up, across = np.r_[0.0, recall, 1.0], np.r_[0.0, alarm, 1.0]
    roc = np.sum(np.diff(across) * (up[1:] + up[:-1]) / 2)
    return np.array([roc, np.sum(np.diff(recall, prepend=0.0) * height)])


METRICS = (
    line(
        "vus_pr",
        vus,
        "How precisely scores find events, if being a little off is forgiven (all thresholds).",
        needs=(*SCORES, "window"),
        then=attrgetter("pr"),
    ),
    line(
        "vus_roc",
        vus,
        "How well scores rank points near events above others (0.5: no better than chance).",
        needs=(*SCORES, "window"),
        then=attrgetter("roc"),
    ),
)
