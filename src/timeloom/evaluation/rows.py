"""Every metric over the seeds, beside its floor and the copy machine: one record after another."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.evaluation.arms import FOLDS, Arms, Part, check, deal, guess_task, halves
from timeloom.evaluation.case import Case
from timeloom.evaluation.labelled import labelled_names, labelled_rows
from timeloom.evaluation.whole import WHOLE, whole_metrics, whole_rows
from timeloom.metrics import fidelity, privacy
from timeloom.metrics.metric import ABOUT, Interval, Metric
from timeloom.metrics.record import Record

__all__ = ["evaluate_rows", "known_metrics", "planned"]

Array = NDArray[Any]

TASKS = ("classify", "regress")
VALUES = 20_000_000  # of a side and seed: six sides of three seeds are held at a time
FEWEST_DRAWN = 200  # windows a side that are drawn however large they are
SIDES = ("value", "floor", "copy", "gaussian")
WHY_NO_REFERENCE = (
    "the training windows were not given, so nobody can say whether the synthetic windows are "
    "copies of them; give reference="
)
WHY_NO_FIGURE = (
    "it cannot be measured on these windows: what it needs is not there (its docstring says what)"
)
WHY_NO_FOLDS = (
    f"real or synthetic windows come from fewer than {FOLDS} recordings or blocks of time, so a "
    "judge cannot be tested on others than it learnt from; give every synthetic window a series "
    "of its own, and real windows of more recordings or starts"
)


def evaluate_rows(
    real: Windows,
    synthetic: Windows,
    reference: Windows | None = None,
    *,
    task: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    method: str = "",
    data: str = "",
    limit: int = 2000,
    metrics: Sequence[str] | None = None,
) -> Iterator[Record]:
    """Measures, and yields each record as soon as it is known; the arguments of ``evaluate``.

    Raises:
        ValueError: At once, before the first record, if the two cannot be compared, or if a metric
            is not known.
    """
    check(real, synthetic, reference)
    _check_names(metrics)
    if task is not None and task not in TASKS:
        raise ValueError(f"task must be 'classify' or 'regress'; got {task!r}.")
    if not len(seeds) or limit < 1:
        raise ValueError(f"at least one seed and a positive limit; got {seeds} and {limit}.")
    notes = []
    blind, whole = reference is None, real
    guess_task(*[y for y in (real.y, synthetic.y) if y is not None])
    most = max(FEWEST_DRAWN, VALUES // max(int(np.prod(real.shape)), 1))
    if limit > most:
        limit = most
        notes.append(f"at most {most} windows a side were drawn: each holds many values")
    if reference is None:
        first, second = halves(real, 0)
        real, reference = real[second], real[first]
        notes.append("no training windows given: half of the real recordings stand for them")
    known = [real.y, synthetic.y, reference.y]
    if task is not None and any(y is None for y in known):
        raise ValueError(f"task={task!r} needs labels on every side; leave task out or add them.")
    guessed = guess_task(*known)
    if task == "regress" and any(y is not None and y.dtype.kind not in "biuf" for y in known):
        raise ValueError("task='regress' needs labels that are numbers; these are words.")
    task = task or guessed
    gaps = float(np.isnan(real.x).mean()) if len(real) else 0.0
    if gaps:
        notes.append(
            f"{gaps:.1%} of the real values were not measured: synthetic windows got the same gaps "
            "and judges see the channel's mean there"
        )
    case = Case(
        real,
        synthetic,
        reference,
        task,
        tuple(seeds),
        method,
        data,
        limit,
        tuple(notes),
        blind,
        whole,
    )
    return _rows(case, metrics)


def known_metrics() -> tuple[str, ...]:
    """Every name that ``metrics=`` may hold, for any task."""
    tasks = (labelled_names(task) for task in TASKS)
    names = [metric.name for metric in (*WHOLE, *_drawn(None, every=True))]
    return tuple(dict.fromkeys([*names, *(name for some in tasks for name in some)]))


def planned(
    real: Windows,
    synthetic: Windows,
    reference: Windows | None = None,
    task: str | None = None,
    metrics: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """The metrics that ``evaluate_rows`` will yield, in order, so that progress can be shown."""
    sides = [side for side in (real, synthetic, reference) if side is not None]
    task = task or guess_task(*[side.y for side in sides])
    names = [m.name for m in (*whole_metrics(task), *_drawn(metrics))]
    return tuple(n for n in (*names, *labelled_names(task)) if metrics is None or n in metrics)


def _drawn(names: Sequence[str] | None, every: bool = False) -> list[Metric]:
    """The metrics that are measured on drawn windows, in the order of a report."""
    metrics = [
        metric
        for metric in (*fidelity.METRICS, *privacy.METRICS)
        if every or (metric.default if names is None else metric.name in names)
    ]
    return sorted(metrics, key=lambda metric: ABOUT.index(metric.about))


def _check_names(names: Sequence[str] | None) -> None:
    known = known_metrics()
    if isinstance(names, str):
        raise ValueError(f"metrics must be a list of names; got {names!r}. Write [{names!r}].")
    for name in names or ():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise ValueError(f"there is no metric {name!r}; {hint}")


def _rows(case: Case, names: Sequence[str] | None) -> Iterator[Record]:
    yield from (row for row in whole_rows(case) if names is None or row.metric in names)
    arms = _dealt(case)
    empty = _unmeasured(arms)
    if empty.any() and not empty.all():
        # Some channel is measured so seldom that a draw holds no value of it: judges cannot see it.
        case = _without(case, empty)
        arms = _dealt(case)
    known: dict[Any, Any] = {}
    for metric in _drawn(names):
        yield _row(case, metric, arms, known)
    if names is None or set(names) & set(labelled_names(case.task)):
        rows = labelled_rows(case, arms)
        yield from (row for row in rows if names is None or row.metric in names)


def _dealt(case: Case) -> list[Arms]:
    return [
        deal(
            case.real,
            case.synthetic,
            case.reference,
            task=case.task,
            limit=case.limit,
            seed=seed,
        )
        for seed in case.seeds
    ]


def _unmeasured(arms: list[Arms]) -> Array:
    """(channel,) whether some side of some seed holds no value of a channel."""
    parts = [
        part for one in arms for part in (one.real, one.synthetic, one.copy, one.first, one.second)
    ]
    return np.any(
        [np.isnan(part.x).all(axis=(0, 1)) for part in parts if part is not None and len(part.x)]
        or [np.zeros(arms[0].real.x.shape[2], dtype=bool)],
        axis=0,
    )


def _without(case: Case, empty: Array) -> Case:
    """The same evaluation of the other channels, which says so."""
    kept = np.flatnonzero(~empty)
    names = ", ".join(name for name, gone in zip(case.real.channels, empty, strict=True) if gone)

    def some(side: Windows) -> Windows:
        return replace(side, x=side.x[:, :, kept], channels=tuple(side.channels[c] for c in kept))

    return replace(
        case,
        real=some(case.real),
        synthetic=some(case.synthetic),
        reference=some(case.reference),
        notes=(*case.notes, f"measured too seldom to be drawn, and left out: {names}"),
    )


def _row(case: Case, metric: Metric, arms: list[Arms], known: dict[Any, float]) -> Record:
    if metric.about == "novelty" and case.blind:
        return case.skipped(metric, WHY_NO_REFERENCE)
    size = min(len(one.real.x) for one in arms)
    if size < metric.smallest:
        return case.skipped(metric, _too_few(case, size, metric.smallest))
    if not all(_can_be_split(metric, one, "value") for one in arms):
        return case.skipped(metric, WHY_NO_FOLDS)
    began = perf_counter()
    per_seed: dict[str, list[float | Interval]] = {}
    drawn = list(zip(arms, case.seeds, strict=True))[: 1 if metric.once else None]
    for side in SIDES:
        if all(_can_be_split(metric, one, side) for one in arms):
            found = [_figure(case, metric, one, side, seed, known) for one, seed in drawn]
            if all(np.isfinite(one if isinstance(one, float) else one.value) for one in found):
                per_seed[side] = found
    if "value" not in per_seed:
        return case.skipped(metric, metric.absent or WHY_NO_FIGURE)
    sizes = {"real": size, "synthetic": size, "train": len(case.reference)}
    note = "" if case.task is None else "labels made equal on all sides before comparing"
    return case.measured(metric, per_seed, sizes=sizes, began=began, note=note)


def _pair(arms: Arms, side: str) -> tuple[Part | None, Part | None]:
    """What is compared for each of ``SIDES``: real, then synthetic."""
    return {
        "value": (arms.real, arms.synthetic),
        "floor": (arms.first, arms.second),
        "copy": (arms.real, arms.copy),
        "gaussian": (arms.real, arms.gaussian),
    }[side]


def _can_be_split(metric: Metric, arms: Arms, side: str) -> bool:
    """Whether both sides are there and hold enough recordings for the judge's folds, if any."""
    return all(
        part is not None and ("groups" not in metric.needs or len(np.unique(part.groups)) >= FOLDS)
        for part in _pair(arms, side)
    )


def _figure(
    case: Case, metric: Metric, arms: Arms, side: str, seed: int, known: dict[Any, Any]
) -> float | Interval:
    real, synthetic = _pair(arms, side)
    if real is None or synthetic is None:
        return float("nan")
    given = {
        "real": real.x,
        "synthetic": synthetic.x,
        "groups": (real.groups, synthetic.groups),
        "train": case.reference.x,
        "held_out": real.x,
        "seed": seed,
    }
    # Metrics that share a function share its answer.
    key = (metric.function, metric.needs, side, seed)
    if key not in known:
        known[key] = metric.function(**{name: given[name] for name in metric.needs})
    return metric.read(known[key])


def _too_few(case: Case, size: int, needed: int) -> str:
    counts = f"{len(case.real)} real, {len(case.synthetic)} synthetic, {len(case.reference)} train"
    return (
        f"{size} windows a side can be compared (of {counts}; same labels on all sides, real ones "
        f"halved for the floor), fewer than the {needed} that this metric needs"
    )
