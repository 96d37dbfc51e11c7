"""From scores to flags, by a threshold that remembers what it was fitted on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.data.alarms import rule_of

__all__ = ["Threshold", "check_threshold", "fit_threshold", "flag"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Threshold:
    """A threshold and where it comes from; a point is flagged when its score is above ``value``.

    Attributes:
        value: In the unit of the scores.
        series: The recording it was fitted on; empty where unknown.
        first: First time point of that recording that was used.
        last: The time point after the last one used. An empty span (``first == last``) says that
            no score was used: a constant taken from elsewhere.
        oracle: Whether it may have seen the labels it is scored with: an upper bound, no result.
        notes: What the rule behind it has to say, in sentences.
    """

    value: float
    series: str = ""
    first: int = 0
    last: int = 0
    oracle: bool = False
    notes: tuple[str, ...] = ()


def fit_threshold(
    scores: ArrayLike,
    *,
    quantile: float = 0.99,
    rule: str = "quantile",
    span: tuple[int, int] | None = None,
    series: str = "",
    oracle: bool = False,
) -> Threshold:
    """The threshold that at most a share 1 - ``quantile`` of these scores exceeds.

    Args:
        scores: (time,), higher = more abnormal; best of a stretch held to be normal.
        quantile: Between 0 and 1; 1 less the share of normal points that may be flagged.
        rule: ``"quantile"`` counts; ``"conformal"`` keeps the share on new points as well;
            ``"pot"`` extrapolates to shares rarer than the scores show. The last two are those of
            :mod:`timeloom.data.alarms`.
        span: First time point and the one after the last; all of ``scores`` where None.
        series: Name of the recording, which :func:`flag` and the evaluation compare.
        oracle: Says that it will be scored on the very points it was fitted on.

    Raises:
        ValueError: If scores in the span are missing or not finite, the quantile is not a share,
            or the rule is unknown or has too few scores.
    """
    line = np.asarray(scores, dtype=np.float64)
    first, last = (0, line.size) if span is None else span
    if line.ndim != 1 or not 0 <= first < last <= line.size:
        raise ValueError(
            f"a threshold needs scores (time,) and a span within them; got shape {line.shape} "
            f"and {first} to {last}. Give first and last with 0 <= first < last <= time."
        )
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile must be above 0 and at most 1; got {quantile}.")
    part = line[first:last]
    if not np.isfinite(part).all():
        raise ValueError("scores in the span must be finite; leave out points without a score.")
    if rule != "quantile":
        fitted = rule_of(rule, 1 - quantile).fit(part)
        found = fitted.threshold_
        return Threshold(found, series, int(first), int(last), oracle, fitted.notes)
    value = float(np.quantile(part, quantile, method="higher"))
    return Threshold(value, series, int(first), int(last), oracle)


def flag(
    scores: ArrayLike,
    threshold: Threshold | float,
    *,
    series: str = "",
    first: int = 0,
    oracle: bool = False,
) -> Array:
    """Which points are flagged, after the check that the threshold saw none of them.

    Args:
        scores: (time,), the points to be scored against labels.
        threshold: A plain number is taken at its word: nobody can say what it was fitted on.
        series: Name of the recording that the scores belong to.
        first: Where in that recording the scores begin.
        oracle: Allows a threshold fitted on these points.

    Returns:
        (time,) of booleans, True where the score is above the threshold.

    Raises:
        ValueError: As :func:`check_threshold`.
    """
    line = np.asarray(scores, dtype=np.float64)
    if isinstance(threshold, Threshold):
        check_threshold(threshold, (first, first + len(line)), series=series, oracle=oracle)
        threshold = threshold.value
    return line > threshold


def check_threshold(
    threshold: Threshold, span: tuple[int, int], *, series: str = "", oracle: bool = False
) -> None:
    """Refuses a threshold that was fitted on points whose labels it is about to be scored with.

    Recordings without a name are held to be the same one, as nobody can say that they are not.

    Args:
        threshold: What is to be used.
        span: First scored time point of the recording, and the one after the last.
        series: The recording that is scored.
        oracle: Allows the overlap.

    Raises:
        ValueError: If the spans overlap and neither ``oracle`` nor ``threshold.oracle`` is True.
    """
    same = not series or not threshold.series or series == threshold.series
    overlap = max(span[0], threshold.first) < min(span[1], threshold.last)
    if same and overlap and not (oracle or threshold.oracle):
        where = f" of {series or threshold.series!r}" if series or threshold.series else ""
        raise ValueError(
            f"this threshold was fitted on time points {threshold.first} to {threshold.last}"
            f"{where}, which overlap the scored points {span[0]} to {span[1]}; fit it on other "
            "points (or name both recordings, if they differ), or say oracle=True."
        )
