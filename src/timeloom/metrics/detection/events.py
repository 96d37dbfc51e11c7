"""Whole events: found or not, how soon, at the price of how many false alarms."""

from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.metrics.detection.labels import checked, runs
from timeloom.metrics.detection.line import FLAGS, line

__all__ = [
    "METRICS",
    "Affiliation",
    "EventScores",
    "affiliation",
    "detection_delays",
    "event_scores",
    "false_alarms_per_day",
    "false_time_share",
    "time_to_detect",
]

Array = NDArray[Any]

SECONDS_PER_DAY = 86_400


class EventScores(NamedTuple):
    """Events found, alarms that touch one, their harmonic mean; and the counts behind them."""

    precision: float
    recall: float
    f1: float
    events: int
    found: int
    false_alarms: int


class Affiliation(NamedTuple):
    """Affiliation precision, recall and F1; F1 as a share of the way from random to perfect."""

    precision: float
    recall: float
    f1: float
    normalised: float


def event_scores(labels: ArrayLike, flags: ArrayLike) -> EventScores:
    """Events found and alarms that were right, each counted once, however long.

    Formula: an event is found when any of its points is flagged; an alarm is a run of flags, false
    when it touches no event. Recall = found / events, precision = true alarms / alarms (0 without
    an alarm), F1 = harmonic mean. Range 0 to 1, higher is better. Unit: share. **One endless alarm
    gets 1**: read it beside the share of normal time flagged. Smallest sensible sample: five
    events.
    Source: equal to telemeval's event-wise scores with beta = 1, counted in one pass.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, flagged = checked(labels, flags, what="flags")
    found, right = _touching(truth, flagged), _touching(flagged, truth)
    recall, precision = float(found.mean()), float(right.mean()) if len(right) else 0.0
    total = precision + recall
    f1 = 2 * precision * recall / total if total else 0.0
    return EventScores(precision, recall, f1, len(found), int(found.sum()), int((~right).sum()))


def affiliation(
    labels: ArrayLike, flags: ArrayLike, *, seed: int = 0, draws: int = 3
) -> Affiliation:
    """How near alarms are to events, and events to alarms, on each event's own stretch of time.

    Formula: time is split midway between events. Precision of an event is the mean, over flagged
    time in its stretch, of the chance that a point drawn at random there lies farther from it;
    recall the mean over the event of the chance that a random point lies farther than the nearest
    alarm; averaged over events (precision over those with an alarm). F1 = harmonic mean; 0 where
    nothing is flagged. ``normalised`` = (F1 - R) / (1 - R), where R is the mean F1 of ``draws``
    sets of as many flagged points drawn at random: 0 knows nothing, below 0 is worse.
    Range 0 to 1 (normalised: to 1), higher is better. Unit: share. **Random flags get about 0.67
    and can get .95 at the best threshold**: only the normalised figure says anything alone.
    Smallest sensible sample: five events. Cost: events times alarms, for each set of flags; a
    second for 36 events and 700 alarms, minutes for thousands of both.
    Source: Huet et al. 2022 (KDD), computed by telemeval, which vendors the authors' code.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.
        seed: Of the random flags.
        draws: How many sets of random flags; 0 leaves ``normalised`` NaN.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, flagged = checked(labels, flags, what="flags")
    rng = np.random.default_rng(seed)
    # Where every point or none is flagged, so is every random set.
    same = flagged.all() or not flagged.any()
    sets = [flagged if same else rng.permutation(flagged) for _ in range(draws)]
    (precision, recall, f1), *by_chance = _affiliated(truth, [flagged, *sets])
    level = float(np.mean([one[2] for one in by_chance])) if by_chance else float("nan")
    normalised = (f1 - level) / (1 - level) if level < 1 else float("nan")
    return Affiliation(precision, recall, f1, normalised)


def detection_delays(labels: ArrayLike, flags: ArrayLike) -> Array:
    """Time points from the first of each event to its first flag; NaN for a missed event.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.

    Returns:
        (event,), 0 = at once.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, flagged = checked(labels, flags, what="flags")
    begin, end = runs(truth)
    places = np.r_[np.flatnonzero(flagged), len(truth)]
    first = places[np.searchsorted(places, begin)]
    return np.where(first < end, first - begin, np.nan)


def time_to_detect(labels: ArrayLike, flags: ArrayLike) -> float:
    """Median delay over events, a missed event counting as longer than any.

    Formula: median over events of (first flagged point of the event - its first point). Range 0 to
    the longest event, lower is better; NaN where half of the events or more are missed. Unit: time
    points. An alarm at every point gets 0: read it beside the false alarms. Smallest sensible
    sample: five events.
    Source: what operators ask for; compare Numenta's detection delay (Lavin and Ahmad 2015).

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.

    Raises:
        ValueError: As :func:`~timeloom.metrics.detection.labels.checked`.
    """
    delays = detection_delays(labels, flags)
    median = float(np.median(np.where(np.isnan(delays), np.inf, delays)))
    return median if np.isfinite(median) else float("nan")


def false_alarms_per_day(labels: ArrayLike, flags: ArrayLike, *, step_seconds: float) -> float:
    """Alarms that touch no event, per day of normal time.

    Formula: runs of flags without an abnormal point / (normal points x step / 86,400 s). Range 0
    upwards, lower is better. Unit: alarms per day. One endless alarm counts as none when it
    touches an event: read it beside the share of normal time flagged. Recordings without an event
    are welcome. Smallest sensible sample: a hundred normal points, and normal time of several
    times the wanted gap between false alarms.
    Source: what operators ask for.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.
        step_seconds: Seconds from one time point to the next.

    Raises:
        ValueError: If the step is not above 0, or there is no normal point; and as
            :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, flagged = checked(labels, flags, what="flags", both=False)
    if not step_seconds > 0 or truth.all():
        raise ValueError(
            f"step_seconds must be above 0 and some points normal; got {step_seconds} and "
            f"{int((~truth).sum())} normal points."
        )
    false = int((~_touching(flagged, truth)).sum())
    return false / ((~truth).sum() * step_seconds / SECONDS_PER_DAY)


def false_time_share(labels: ArrayLike, flags: ArrayLike) -> float:
    """The share of normal time points that are flagged.

    Formula: flagged normal points / normal points. Range 0 to 1, lower is better. Unit: share. No
    alarm at all gets 0: read it beside the events found. Recordings without an event are welcome.
    Smallest sensible sample: a hundred normal points.
    Source: the false positive rate.

    Args:
        labels: (time,), 0 or 1.
        flags: (time,), 0 or 1.

    Raises:
        ValueError: If there is no normal point; and as
            :func:`~timeloom.metrics.detection.labels.checked`.
    """
    truth, flagged = checked(labels, flags, what="flags", both=False)
    if truth.all():
        raise ValueError("labels must hold normal points; all are abnormal.")
    return float(flagged[~truth].mean())


def _touching(own: Array, other: Array) -> Array:
    """For each run of ``own``, whether ``other`` holds any of its points."""
    begin, end = runs(own)
    before = np.r_[0, np.cumsum(other)]
    return before[end] > before[begin]


def _affiliated(truth: Array, sets: list[Array]) -> list[tuple[float, float, float]]:
    """Precision, recall and F1 of each set of flags on the same events."""
    from telemeval import score_affiliation

    if not sets[0].any():
        return [(0.0, 0.0, 0.0) for _ in sets]
    inputs = _for_telemeval(truth, sets[0])
    clock = inputs["global_predictions"]
    found = []
    for flagged in sets:
        # The tables are checked once; only the flags differ.
        inputs = {**inputs, "global_predictions": clock.assign(Score=flagged.astype(np.uint8))}
        got = score_affiliation(inputs, beta=1.0)
        names = ("precision", "recall", "fbeta")
        found.append(tuple(got[f"affiliation_{name}"] for name in names))
    return found


def _for_telemeval(truth: Array, flagged: Array) -> Any:
    """One channel on a grid of minutes: telemeval wants tables with a clock."""
    import pandas as pd
    from telemeval import build_metric_inputs, validate_labels

    clock = pd.date_range("2000-01-01", periods=len(truth), freq="min")
    begin, end = runs(truth)
    events = {
        "ID": [f"event {number}" for number in range(len(begin))],
        "Channel": "scores",
        "StartTime": clock[begin],
        "EndTime": clock[end - 1],
    }
    alarms = pd.DataFrame({"Timestamp": clock, "Score": flagged.astype(np.uint8)})
    return build_metric_inputs(validate_labels(pd.DataFrame(events)), {"scores": alarms})


METRICS = (
    line(
        "events_found",
        event_scores,
        "The share of events in which any point is flagged.",
        then=attrgetter("recall"),
        smallest=5,
    ),
    line(
        "event_f1",
        event_scores,
        "Events found against false alarms, each counted once (one endless alarm gets 1).",
        then=attrgetter("f1"),
        smallest=5,
    ),
    line(
        "affiliation_f1",
        affiliation,
        "How near alarms and events are to each other; random flags get about 0.67.",
        needs=(*FLAGS, "seed"),
        then=attrgetter("f1"),
        smallest=5,
    ),
    line(
        "affiliation_normalised",
        affiliation,
        "The same as a share of the way from random flags (0) to perfect ones (1).",
        needs=(*FLAGS, "seed"),
        then=attrgetter("normalised"),
        far=0.1,
        smallest=5,
    ),
    line(
        "time_to_detect",
        time_to_detect,
        "Median delay from the begin of an event to its first flag; missed ones are longest.",
        better="lower",
        ideal=0.0,
        unit="time points",
        far=1.0,
        smallest=5,
    ),
    line(
        "false_alarms_per_day",
        false_alarms_per_day,
        "Alarms that touch no event, per day of normal time.",
        better="lower",
        ideal=0.0,
        unit="alarms per day",
        needs=(*FLAGS, "step_seconds"),
        far=1.0,
        smallest=100,
    ),
    line(
        "false_time_share",
        false_time_share,
        "The share of normal time that is flagged.",
        better="lower",
        ideal=0.0,
        smallest=100,
    ),
)
