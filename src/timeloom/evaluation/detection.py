"""Anomaly scores in; one record per metric out, always with a random and a constant score."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import timeloom
from timeloom.evaluation.scored import Track, intervals, tracks
from timeloom.metrics.detection import INFLATED, METRICS, NO_EVENT, ORACLE, Threshold
from timeloom.metrics.metric import Interval, Metric
from timeloom.metrics.record import Record

__all__ = ["CONSTANT", "RANDOM", "evaluate_scores"]

Array = NDArray[Any]

RANDOM, CONSTANT = "random score", "constant score"
# What a user acts on: to be read together, for each alone is won by no alarm or by an endless one.
FACTS = ("events_found", "time_to_detect", "false_alarms_per_day", "false_time_share")
WITH_OTHERS = "read it together with false alarms and events found"
WINDOW = 100
WHY_REFERENCE = {
    RANDOM: "a reference row, not a detector: uniform random scores, as many points flagged.",
    CONSTANT: "a reference row, not a detector: one score everywhere, every point flagged.",
}


@dataclass(frozen=True)
class _Case:
    """What every metric of one evaluation shares."""

    tracks: tuple[Track, ...]
    given: dict[str, Any]
    about: dict[str, Any]
    seeds: tuple[int, ...]
    settings: dict[str, Any]
    notes: tuple[str, ...]


def evaluate_scores(
    labels: ArrayLike | Mapping[str, ArrayLike],
    scores: ArrayLike | Mapping[str, ArrayLike],
    *,
    threshold: Threshold | float | Mapping[str, Threshold | float] | None = None,
    first: int | Mapping[str, int] = 0,
    step_seconds: float | None = None,
    window: int | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    method: str = "",
    data: str = "",
) -> list[Record]:
    """Every detection metric of one detector, beside what nothing gets.

    A figure over several recordings is the mean of theirs. Random scores are drawn once per seed;
    as many points of them are flagged as of the detector, in every recording. A constant score
    flags every point. Intervals: over recordings where there are five or more, else over events
    with the time around them (five or more, up to 20,000 points), else None; for
    affiliation, over recordings only.

    Verdicts: "fail" where the figure is within what random scores reach (the 95 % prediction
    interval of one more draw, or a small lead that the interval does not bear out), "pass" where
    it and the worse end of its interval are clearly beyond, else "warn". Never "pass" for
    point-adjusted figures, for a threshold that saw the labels, and where the constant score does
    as well.

    A metric is skipped, for all three rows and with the reason, where the recordings together
    hold fewer events (for the two of false alarms: normal points) than its ``smallest``.

    Args:
        labels: (time,), 0 or 1; or one such array per recording, by name.
        scores: (time,), higher = more abnormal; the same names.
        threshold: From ``fit_threshold``; one for all recordings or one each, by name. None leaves
            out every metric that needs flags. A plain number is taken at its word.
        first: Where in their recordings labels and scores begin, to compare with what the
            threshold was fitted on.
        step_seconds: Seconds between time points, for false alarms per day.
        window: Largest buffer of VUS in time points; 100 where None. ``period`` is TSB-AD's.
        seeds: Of the random scores.
        method: What made the scores.
        data: What was scored.

    Returns:
        One record per metric of ``method``, then as many of the random and of the constant score.
        Each holds ``random``, ``random_sd`` and ``constant`` in its settings.

    Raises:
        ValueError: If names or lengths differ, labels are not 0 or 1, there is no seed, or a
            threshold was fitted on scored points without ``oracle=True``.
    """
    if not len(seeds):
        raise ValueError("at least one seed for the random scores; got none.")
    kept, notes = tracks(labels, scores, threshold=threshold, first=first, whole=data)
    given = {"window": WINDOW if window is None else window, "step_seconds": step_seconds}
    limits = {one.name: one.threshold for one in kept if one.threshold is not None}
    settings = {
        **given,
        "flavour": "tsb",
        "threshold": {name: one.value for name, one in limits.items()},
        "oracle": any(one.oracle for one in limits.values()),
    }
    case = _Case(
        tuple(kept),
        given,
        {"data": data, "version": timeloom.__version__, "seeds": tuple(seeds)},
        tuple(seeds),
        settings,
        tuple(notes),
    )
    known: dict[Any, Any] = {}
    rows = [_rows(case, metric, method, known) for metric in METRICS]
    return [row for three in zip(*rows, strict=True) for row in three]


def _rows(
    case: _Case, metric: Metric, method: str, known: dict[Any, Any]
) -> tuple[Record, Record, Record]:
    """The records of the detector, the random and the constant score for one metric."""
    began = perf_counter()
    measured, missing = _measurable(case, metric)
    if missing:
        fields = _fields(case, metric, measured, random=None, random_sd=None, constant=None)
        why = " ".join([missing, *case.notes])
        names = (method, RANDOM, CONSTANT)
        own, random, level = (Record(metric.name, method=n, why=why, **fields) for n in names)
        return own, random, level
    found = _figures(case, metric, measured, 0, "own", known)
    draws = [_mean(_figures(case, metric, measured, seed, RANDOM, known)) for seed in case.seeds]
    flat = _mean(_figures(case, metric, measured, 0, CONSTANT, known))
    finite = [one for one in draws if math.isfinite(one)]
    chance, spread = _mean(draws), float(np.std(finite, ddof=1)) if len(finite) > 1 else None
    fields = _fields(case, metric, measured, random=chance, random_sd=spread, constant=flat)
    low, high = intervals(metric, measured, found, case.given, known)
    value, worst = _mean(found), low if metric.better == "higher" else high
    worst = value if worst is None else worst
    word, why = _verdict(metric, value, worst, fields["settings"], _reach(draws))
    unseen = int(np.isnan(found).sum())
    some = [f"Not measured in {unseen} of {len(found)} recordings."] if unseen else []
    own = Record(
        metric.name,
        value,
        low,
        high,
        method=method,
        verdict=word,
        why=" ".join([why, *some, *case.notes]),
        seconds=perf_counter() - began,
        **fields,
    )
    random = _reference_row(RANDOM, chance, draws, metric, fields)
    return own, random, _reference_row(CONSTANT, flat, [flat], metric, fields)


def _reference_row(
    name: str, value: float, draws: list[float], metric: Metric, fields: dict[str, Any]
) -> Record:
    """Not judged, for it is what others are judged by."""
    per_seed: dict[str, list[float | None]] = {"value": list(draws)}
    return Record(
        metric.name, value, method=name, why=WHY_REFERENCE[name], per_seed=per_seed, **fields
    )


def _fields(
    case: _Case, metric: Metric, measured: list[Track], **levels: float | None
) -> dict[str, Any]:
    """What the three records of a metric have in common."""
    return {
        **case.about,
        "better": metric.better,
        "unit": metric.unit,
        "meaning": metric.meaning,
        "about": metric.about,
        "sizes": _sizes(measured),
        "settings": {**case.settings, **levels},
    }


def _measurable(case: _Case, metric: Metric) -> tuple[list[Track], str]:
    """The recordings that this metric can be measured on, and why it is not, if so."""
    if "step_seconds" in metric.needs and case.given["step_seconds"] is None:
        return [], "the time between points is not known; give step_seconds=."
    if "flags" in metric.needs and any(one.flags is None for one in case.tracks):
        return [], (
            "no threshold was given; fit one with fit_threshold on scores of normal time and give "
            "threshold=."
        )
    if not case.tracks:
        return [], "no recording can be scored."
    measured = [
        one
        for one in case.tracks
        if not one.labels.all() and (one.labels.any() or metric.name in NO_EVENT)
    ]
    if measured:
        return measured, _too_few(metric, measured)
    only = "abnormal" if case.tracks[0].labels.any() else "normal: there is no event"
    return [], f"one class only, all points are {only}."


def _too_few(metric: Metric, measured: list[Track]) -> str:
    """Why the recordings together are too small a sample for this metric; empty where not."""
    if metric.name in NO_EVENT:
        what, count = "normal point", sum(int((~one.labels).sum()) for one in measured)
    else:
        what, count = "event", sum(one.events for one in measured)
    if count >= metric.smallest:
        return ""
    many = "" if count == 1 else "s"
    return f"{count} {what}{many}, fewer than the {metric.smallest} that this metric needs."


def _figures(
    case: _Case,
    metric: Metric,
    measured: list[Track],
    seed: int,
    side: str,
    known: dict[Any, Any],
) -> list[float]:
    """One number per recording, for the scores of one side."""
    found = []
    for track in measured:
        # Metrics that share a function share its answer.
        key = (metric.function, side, seed, track.name)
        if key not in known:
            one = _reference(track, side, (seed, case.tracks.index(track)))
            given = {"labels": one.labels, "scores": one.scores, "flags": one.flags, "seed": seed}
            given |= case.given
            known[key] = metric.function(**{name: given[name] for name in metric.needs})
        value = metric.read(known[key])
        found.append(value.value if isinstance(value, Interval) else value)
    return found


def _reference(track: Track, side: str, seed: tuple[int, int]) -> Track:
    """The recording with the scores of one side in place of the detector's."""
    if side == "own":
        return track
    if side == CONSTANT:
        flags = None if track.flags is None else np.ones(len(track.labels), dtype=bool)
        return Track(track.name, track.labels, np.zeros(len(track.labels)), flags, None)
    scores = np.random.default_rng(seed).random(len(track.labels))
    flags = None
    if track.flags is not None:
        flags = np.zeros(len(scores), dtype=bool)
        flags[np.argsort(-scores)[: int(track.flags.sum())]] = True
    return Track(track.name, track.labels, scores, flags, None)


def _mean(values: Sequence[float]) -> float:
    finite = [one for one in values if math.isfinite(one)]
    return float(np.mean(finite)) if finite else float("nan")


def _sizes(measured: list[Track]) -> dict[str, int]:
    return {
        "recordings": len(measured),
        "points": sum(len(one.labels) for one in measured),
        "events": sum(one.events for one in measured),
        "flagged": sum(0 if one.flags is None else int(one.flags.sum()) for one in measured),
    }


def _reach(draws: Sequence[float]) -> float:
    """How far beyond their mean one more random score may lie: half of a 95 % interval."""
    from scipy.special import stdtrit

    finite = [one for one in draws if math.isfinite(one)]
    if len(finite) < 2:
        # One seed shows no spread; one figure out of several says nothing about the others.
        return 0.0 if len(finite) == len(draws) else math.inf
    wide = stdtrit(len(finite) - 1, 0.975) * math.sqrt(1 + 1 / len(finite))
    return float(wide * np.std(finite, ddof=1))


def _verdict(
    metric: Metric, value: float, worst: float, settings: dict[str, Any], reach: float
) -> tuple[str, str]:
    """Pass, warn or fail against the random score, and the rule with its figures.

    ``worst`` is the worse end of the interval, ``reach`` how far random scores lie around.
    """
    chance, level = settings["random"], settings["constant"]
    sign = 1 if metric.better == "higher" else -1
    ahead, sure = sign * (value - chance), sign * (worst - chance)
    known = f"{chance:.3g}" if math.isfinite(chance) else "no figure"
    shown = f"random scores get {known}, a constant score {level:.3g}"
    oracle = settings["oracle"] and "flags" in metric.needs
    if not math.isfinite(value):
        return "skipped", f"half of the events or more were never found; {shown}."
    if metric.name in INFLATED:
        return "warn", f"inflated by point adjustment: {value:.3g}, yet {shown}."
    if metric.name in FACTS:
        word = "warn" if oracle or ahead <= reach or sure <= 0 else "pass"
        return word, f"{value:.3g}; with as many flags {shown}; {WITH_OTHERS}."
    if ahead <= reach or (ahead <= metric.far and sure <= 0):
        return "fail", f"{value:.3g} is within what random scores reach: {shown}."
    if sure <= max(reach, metric.far):
        return "warn", f"{value:.3g} is not clearly beyond random scores: {shown}."
    if oracle or metric.name in ORACLE:
        return "warn", f"{value:.3g}, an upper bound: the threshold saw the labels; {shown}."
    if sign * (value - level) <= 0:
        return "warn", f"{value:.3g}, but an alarm that never ends does as well: {shown}."
    return "pass", f"{value:.3g}; {shown}."
