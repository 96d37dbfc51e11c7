"""The recordings that are scored, with what is left out and why; and intervals over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.metrics.detection import Threshold, events, flag, runs
from timeloom.metrics.detection.labels import checked
from timeloom.metrics.metric import Metric

__all__ = ["Track", "blocks", "intervals", "tracks"]

Array = NDArray[Any]

DRAWS = 100
ENOUGH = 5  # recordings, or events, below which nothing is resampled
LONGEST = 20_000  # time points that are resampled
SLOW = (events.affiliation,)


@dataclass(frozen=True, eq=False)
class Track:
    """One recording: labels, scores and, where there is a threshold, flags.

    Attributes:
        name: Of the recording; empty where there is only one.
        labels: (time,) of booleans.
        scores: (time,), higher = more abnormal.
        flags: (time,) of booleans, or None without a threshold.
        threshold: What made the flags.
    """

    name: str
    labels: Array
    scores: Array
    flags: Array | None
    threshold: Threshold | None

    @property
    def events(self) -> int:
        """How many runs of abnormal points there are."""
        return len(runs(self.labels)[0])


def tracks(
    labels: ArrayLike | Mapping[str, ArrayLike],
    scores: ArrayLike | Mapping[str, ArrayLike],
    *,
    threshold: Threshold | float | Mapping[str, Threshold | float] | None,
    first: int | Mapping[str, int],
    whole: str = "",
) -> tuple[list[Track], list[str]]:
    """The recordings without missing values, and a sentence for each that was left out.

    Args:
        labels: (time,) or one such array by name.
        scores: As ``labels``.
        threshold: One for all, one by name, or None.
        first: Where in their recordings they begin.
        whole: What to call a recording without a name in a sentence.

    Raises:
        ValueError: If names or lengths differ, a threshold or a begin is missing for a name,
            labels are not 0 or 1, or a threshold was fitted on scored points.
    """
    truths = labels if isinstance(labels, Mapping) else {"": labels}
    found = scores if isinstance(scores, Mapping) else {"": scores}
    if set(truths) != set(found) or not truths:
        odd = sorted(set(truths) ^ set(found))[:5]
        raise ValueError(
            f"labels and scores must be of the same recordings, one or more; only one side has "
            f"{odd}. Give both as arrays, or both by the same names."
        )
    kept, notes = [], []
    for name, truth in truths.items():
        truth, score = np.asarray(truth), np.asarray(found[name])
        wrong = _missing(truth, score, name or whole or "the recording")
        if wrong:
            notes.append(wrong)
            continue
        truth, score = checked(truth, score, both=False)
        limit, flags = _of(threshold, name, "threshold"), None
        if limit is not None:
            flags = flag(score, limit, series=name, first=_of(first, name, "first"))
        if limit is not None and not isinstance(limit, Threshold):
            limit = Threshold(float(limit), name)
            notes.append("The threshold is a plain number: nobody can say what it was fitted on.")
        kept.append(Track(name, truth, score, flags, limit))
    return kept, list(dict.fromkeys(notes))


def blocks(labels: Array) -> list[tuple[int, int]]:
    """Stretches of time with one event each, cut midway between events.

    Args:
        labels: (time,) of booleans.

    Returns:
        First time point and the one after the last, one pair per event.
    """
    begin, end = runs(labels)
    cuts = [0, *((end[:-1] + begin[1:]) // 2).tolist(), len(labels)]
    return list(zip(cuts[:-1], cuts[1:], strict=True))


def intervals(
    metric: Metric,
    measured: Sequence[Track],
    own: Sequence[float],
    given: Mapping[str, Any],
    known: dict[Any, Any],
) -> tuple[float | None, float | None]:
    """95 % interval of the mean over recordings, by resampling recordings or events.

    Args:
        metric: What is measured.
        measured: The recordings.
        own: Its figure in each; NaN where there is none.
        given: The arguments besides labels, scores and flags.
        known: Answers of functions that metrics share; added to.

    Returns:
        Both ends, or None twice where there is too little to resample or it would take long.
    """
    finite = np.array([one for one in own if np.isfinite(one)])
    rng = np.random.default_rng(0)
    if len(measured) >= ENOUGH:
        if len(finite) < ENOUGH:
            return None, None
        means = rng.choice(finite, (20 * DRAWS, len(finite))).mean(1)
        return _ends(means)
    points = sum(len(one.labels) for one in measured)
    few = sum(one.events for one in measured) < ENOUGH or not len(finite)
    if few or points > LONGEST or metric.function in SLOW:
        return None, None
    key = (metric.function, "resampled")
    if key not in known:
        known[key] = [_resampled(metric, measured, given, rng) for _ in range(DRAWS)]
    means = [np.mean([metric.read(one) for one in some]) for some in known[key]]
    return _ends(np.array(means))


def _missing(truth: Array, score: Array, called: str) -> str:
    """Why a recording is left out; empty where it is not."""
    if truth.shape != score.shape or truth.ndim != 1:
        raise ValueError(
            f"labels and scores of {called} must both be (time,) and equally long; got "
            f"{truth.shape} and {score.shape}. Give one score per labelled time point."
        )
    if not len(truth):
        return f"Left out {called}: no time points."
    sides = {"labels": truth, "scores": score}
    gone = [what for what, side in sides.items() if not np.isfinite(side.astype(float)).all()]
    return f"Left out {called}: NaN or infinite {' and '.join(gone)}." if gone else ""


def _resampled(
    metric: Metric, measured: Sequence[Track], given: Mapping[str, Any], rng: np.random.Generator
) -> list[Any]:
    """What the function returns for each recording, its events drawn with replacement."""
    answers = []
    for track in measured:
        parts = blocks(track.labels)
        # A recording without an event is one block.
        drawn = rng.integers(0, len(parts), len(parts))
        rows = np.concatenate([np.arange(*parts[place]) for place in drawn])
        sides = {"labels": track.labels, "scores": track.scores, "flags": track.flags}
        cut = {name: None if side is None else side[rows] for name, side in sides.items()}
        every = {**given, **cut}
        answers.append(metric.function(**{name: every[name] for name in metric.needs}))
    return answers


def _ends(means: Array) -> tuple[float | None, float | None]:
    means = means[np.isfinite(means)]
    if len(means) < DRAWS // 2:
        return None, None
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _of(given: Any, name: str, what: str) -> Any:
    """The value of one recording, out of one for all or one by name."""
    if not isinstance(given, Mapping):
        return given
    if name not in given:
        raise ValueError(
            f"{what} has nothing for the recording {name!r}; it has {list(given)[:5]}."
        )
    return given[name]
