"""Which rows train, calibrate and measure a threshold, and which rows a rule flags then."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.bench.anomaly_sets import Case
from timeloom.data.alarms import Dspot, rule_of
from timeloom.data.tails import autocorrelation_time
from timeloom.metrics.detection import (
    best_f1,
    event_scores,
    false_alarms_per_day,
    false_time_share,
    point_scores,
    time_to_detect,
)

__all__ = ["JUDGED", "PROMISED", "RULES", "Figures", "Parts", "flagged", "next_block",
           "rates_kept", "rolling", "rules_on", "spread_blocks"]  # fmt: skip

Array = NDArray[Any]
Figures = dict[str, float | str]  # a word says why there is no figure

JUDGED = (0.01, 0.001)  # rates asked for where labels judge the alarms
PROMISED = (0.01, 0.05)  # and where it is counted whether they are kept

DEPTH = 100  # rows in DSPOT's moving mean; a third of a shorter start
ROLLED = 2_000  # last rows that the rolling quantile is of, at most
BLOCKS = 8  # of calibration, at most, spread over the training span


class Parts(NamedTuple):
    """Rows of a normal recording, by what they are for; no row is for two things.

    Attributes:
        train: Stretches the detector learns from.
        calibrate: Stretches whose scores a rule is fitted on.
        measure: Rows on which its rate is counted, later than all others.
        gap: Rows left out between a stretch that trains and one that does not.
    """

    train: tuple[slice, ...]
    calibrate: tuple[slice, ...]
    measure: slice
    gap: int


def _gap(length: int, window: int) -> int:
    # Where every row counts, a whole window between two parts would leave nothing.
    return min(window, length // 25)


def next_block(length: int, window: int) -> Parts:
    """The first 60 % train, the next 20 % calibrate, the last 20 % measure.

    Args:
        length: Time points of the recording.
        window: Of the detector: the gap between parts, where there is room for it.
    """
    first, second, gap = round(0.6 * length), round(0.8 * length), _gap(length, window)
    later = slice(second + gap, length)
    return Parts((slice(0, first),), (slice(first + gap, second),), later, gap)


def spread_blocks(length: int, window: int) -> Parts:
    """As many rows calibrate as by :func:`next_block`, but spread over the first 80 %.

    Up to eight blocks, so few that the gaps at both ends of each leave room to train. The rows
    that measure are the same.

    Args:
        length: Time points of the recording.
        window: As for :func:`next_block`.
    """
    near = next_block(length, window)
    span, gap = round(0.8 * length), near.gap
    rows = near.calibrate[0].stop - near.calibrate[0].start
    count = max(1, min(BLOCKS, rows // (2 * gap)))
    while count > 1 and (span - rows - 2 * gap * count) // (count + 1) < 2 * window:
        count -= 1
    size = rows // count
    stretch = (span - count * (size + 2 * gap)) // (count + 1)
    train, calibrate, at = [], [], 0
    for _ in range(count):
        train.append(slice(at, at + stretch))
        begin = at + stretch + gap
        calibrate.append(slice(begin, begin + size))
        at = begin + size + gap
    return Parts((*train, slice(at, span)), tuple(calibrate), near.measure, gap)


def flagged(rule: str, rate: float, normal: Sequence[Array], scores: Array) -> Array:
    """(time,) of booleans: which scores a rule flags, after it learned from normal ones.

    Args:
        rule: One of ``RULES``.
        rate: Share of normal rows that may be flagged.
        normal: Scores (time,) of stretches held to be normal.
        scores: (time,), in the order in which they come.

    Raises:
        ValueError: If there is no such rule, or the normal scores are too few for it.
    """
    if rule not in RULES:
        raise ValueError(f"a rule is one of {', '.join(RULES)}; got {rule!r}.")
    return RULES[rule](rate, normal, scores)


def rolling(scores: Array, before: Array, rate: float, span: int = ROLLED) -> Array:
    """(time,) of booleans: above the quantile of the ``span`` scores before, alarms included.

    Args:
        scores: (time,).
        before: (time,) what came before them, one or more.
        rate: 1 less the quantile.
        span: Rows that the quantile is of; fewer where ``before`` is shorter.

    Raises:
        ValueError: If nothing came before.
    """
    if not len(before):
        raise ValueError("a rolling quantile starts from one or more normal scores; got none.")
    last = deque(before[-span:].tolist())
    order = sorted(last)
    # As quantile(..., method="higher"): at most a share ``rate`` lies above.
    place = int(np.ceil((len(order) - 1) * (1 - rate) - 1e-9))
    flags = np.empty(len(scores), dtype=bool)
    for row, score in enumerate(scores.tolist()):
        flags[row] = score > order[place]
        del order[bisect_left(order, last.popleft())]
        last.append(score)
        insort(order, score)
    return flags


def rules_on(
    case: Case, labels: Array, scores: Array, normal: Array, own: float
) -> Iterator[tuple[str, Figures]]:
    """What a user sees under every rule, and under the oracle; nothing where there is one class.

    Args:
        case: Whose time step is known, or is not.
        labels: (time,) of booleans.
        scores: (time,), of the same points.
        normal: (time,) scores of rows held to be normal, which came before.
        own: The detector's own threshold.

    Yields:
        The rule with its rate, and its figures or why there are none.
    """
    if labels.all() or not labels.any():
        return
    best = best_f1(labels, scores)
    yield "oracle", _alarms(case, labels, scores > best.threshold.value)
    yield "the detector's own, 1 %", _alarms(case, labels, scores > own)
    for rate in JUDGED:
        for rule in RULES:
            try:
                flags = flagged(rule, rate, [normal], scores)
            except ValueError as error:
                yield f"{rule}, {_share(rate)}", {"point_f1": str(error)}
                continue
            yield f"{rule}, {_share(rate)}", _alarms(case, labels, flags)


def _alarms(case: Case, labels: Array, flags: Array) -> Figures:
    events, delay = event_scores(labels, flags), time_to_detect(labels, flags)
    step = case.step_seconds
    return {
        "point_f1": point_scores(labels, flags).f1,
        "event_f1": events.f1,
        "events_found": events.recall,
        "false_time_share": float(false_time_share(labels, flags)),
        "false_alarms_per_day": "the time between points is not known"
        if step is None
        else float(false_alarms_per_day(labels, flags, step_seconds=step)),
        "delay": delay if np.isfinite(delay) else "half of the events or more are missed",
    }


def rates_kept(
    where: str, parts: Parts, scores: Array, own: float | None
) -> Iterator[tuple[str, Figures]]:
    """The share of later normal rows that each rule flags, as a multiple of what was asked.

    Args:
        where: How the calibration rows were taken, as records call it.
        parts: Of the recording.
        scores: (time,), of all its rows.
        own: The detector's own threshold, or None to leave it out.

    Yields:
        The rule with its rate, and its figures or why there are none.
    """
    normal, later = [scores[one] for one in parts.calibrate], scores[parts.measure]
    effective = len(later) / autocorrelation_time(later)
    if own is not None:
        share = float((later > own).mean())
        yield "the detector's own, 1 %", {"rate_kept": share / 0.01, "effective": effective}
    for rate in PROMISED:
        for rule in RULES:
            name = f"{rule}, {where}, {_share(rate)}"
            try:
                share = float(flagged(rule, rate, normal, later).mean())
            except ValueError as error:
                yield name, {"rate_kept": str(error)}
                continue
            yield name, {"rate_kept": share / rate, "effective": effective}


def _share(rate: float) -> str:
    return f"{100 * rate:g} %"


def _fixed(name: str, rate: float, normal: Sequence[Array], scores: Array) -> Array:
    return scores > rule_of(name, rate).fit(list(normal)).threshold_


def _dspot(rate: float, normal: Sequence[Array], scores: Array) -> Array:
    depth = min(DEPTH, max(map(len, normal)) // 3)
    return Dspot(rate, depth=max(depth, 1)).fit(list(normal)).update(scores)[0]


def _rolling(rate: float, normal: Sequence[Array], scores: Array) -> Array:
    return rolling(scores, np.concatenate(list(normal)), rate)


RULES: dict[str, Callable[[float, Sequence[Array], Array], Array]] = {
    "conformal": partial(_fixed, "conformal"),
    "quantile": partial(_fixed, "quantile"),
    "POT": partial(_fixed, "pot"),
    "DSPOT": _dspot,
    "rolling quantile": _rolling,
}
