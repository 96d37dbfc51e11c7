"""Who finds anomalies, by measures that nobody can flatter? DDMT beside plain rivals.

Every recording of every set at hand; one detector per recording, fitted on its training part
alone. Labels are read by the measures and by nothing else; thresholds come from normal data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import timeloom
from timeloom.bench.anomaly_page import FIGURES, Planned, write_anomaly_page
from timeloom.bench.anomaly_rivals import QUANTILE, RIVALS, Rival, Scores, held_out_threshold
from timeloom.bench.anomaly_sets import DEVELOPMENT, EVALUATION, SETS, Case, cases
from timeloom.bench.few_arms import NotHere
from timeloom.bench.records import note, share_of
from timeloom.metrics.detection import (
    affiliation,
    auc_pr,
    event_scores,
    false_alarms_per_day,
    false_time_share,
    pa_f1,
    point_scores,
    runs,
    vus,
)
from timeloom.metrics.record import Record, read_records

__all__ = ["PLAN", "QUICK_PLAN", "Arm", "Cell", "Found", "Part", "cells_of", "detector", "figures",
           "hit_rate", "measure", "run"]  # fmt: skip

Array = NDArray[Any]

SEEDS = 3  # of arms that draw; the others have one
PAIRS = 200_000  # events times alarms, beyond which affiliation would take minutes
OURS, PAPER = "DDMT", "DDMT, paper"
WINDOWS = (64, 256, 1024)  # of the two networks, at growing lengths


class Found(NamedTuple):
    """What an arm says of a case.

    Attributes:
        scores: Of the test rows, and what they took.
        threshold: From normal data alone; None leaves out what needs flags.
        rule: How the threshold was come by.
    """

    scores: Scores
    threshold: float | None
    rule: str


class Arm(NamedTuple):
    """One detector of the grid.

    Attributes:
        name: As records call it.
        make: From a case and a seed to what it says; raises NotHere where it cannot.
        seeds: How many.
        most: Test rows beyond which it would take minutes; longer cases are left out, and said.
    """

    name: str
    make: Callable[[Case, int], Found]
    seeds: int = SEEDS
    most: int | None = None


class Cell(NamedTuple):
    """One recording and one seed."""

    case: Case
    seed: int

    @property
    def title(self) -> str:
        """What ``--only`` looks in, with the arm's name behind it."""
        return f"{self.case.data}, {self.case.role}, seed {self.seed}"


class Part(NamedTuple):
    """A part of the grid: all arms in every case of these sets that has this role."""

    title: str
    role: str
    sets: tuple[str, ...]
    arms: tuple[Arm, ...]
    each: int | None = None  # cases per set; all where None


def detector(
    settings: Mapping[str, Any], build: Callable[..., Any], case: Case, seed: int
) -> Found:
    """Fits a detector on a case and asks it.

    Args:
        settings: What it is built with, beside the seed.
        build: Gives something with ``fit``, ``anomaly_scores``, ``channel_scores`` and
            ``threshold_``.
        case: Whose labels it never sees.
        seed: Of its training.

    Raises:
        NotHere: If it does not know a setting or cannot learn from this case.
    """
    try:
        one = build(**settings, seed=seed)
    except TypeError as error:  # a setting that this version does not have
        raise NotHere(str(error)) from error
    began = process_time()
    try:
        one.fit(case.train)
        learnt = process_time()
        points = np.asarray(one.anomaly_scores(case.test))
        scored = process_time()
        asked = case.channel_labels is not None
        channels = np.asarray(one.channel_scores(case.test)) if asked else None
    except ValueError as error:  # too short for its windows, say
        raise NotHere(str(error)) from error
    level, rule = getattr(one, "threshold_", None), getattr(one, "rule_", None)
    scores = Scores(points, channels, learnt - began, scored - learnt)
    said = "" if rule is None else f"{rule.name}, {rule.alarm_rate:g}"
    return Found(scores, None if level is None else float(level), said)


def _rival(rival: Rival, case: Case, seed: int) -> Found:
    train = case.train.values
    scores = rival(train, case.test.values, seed)
    rule = f"{QUANTILE:.0%}-quantile of the scores of held-out training rows"
    return Found(scores, held_out_threshold(rival, train, seed), rule)


def _ddmt(settings: Mapping[str, Any], case: Case, seed: int, paper: bool = False) -> Found:
    try:
        found = import_module("timeloom.methods.ddmt").DDMT
    except ImportError as error:
        raise NotHere(f"DDMT is not part of this version: {error}.") from error
    return detector(settings, found.paper if paper else found, case, seed)


def _ours(name: str = OURS, most: int | None = None, **settings: Any) -> Arm:
    return Arm(name, partial(_ddmt, settings), most=most)


RIVAL_ARMS = tuple(Arm(one.name, partial(_rival, one), SEEDS if one.drawn else 1) for one in RIVALS)
MAIN = (*RIVAL_ARMS, _ours())
# The published form draws 500 steps per window.
PAPER_ARM = Arm(PAPER, partial(_ddmt, {}, paper=True), seeds=1, most=10_000)
# Settings that a version does not know are skipped, and said.
VARIANTS = (
    _ours(f"{OURS}, rebuilding alone", beside=""),
    _ours(f"{OURS}, single points", spans="1"),
    _ours(f"{OURS}, no mask", mask="none"),
    _ours(f"{OURS}, neighbour mask", mask="neighbour"),
    *(
        _ours(f"{OURS}, mask width {n}", mask="neighbour", criterion="fixed", most_neighbours=n)
        for n in range(1, 11)
    ),
    *(_ours(f"{OURS}, transformer, window {n}", network="transformer", window=n) for n in WINDOWS),
    *(_ours(f"{OURS}, U-Net, window {n}", network="series", window=n) for n in WINDOWS),
    *(
        _ours(f"{OURS}, from noise, {n} steps", most=most, start="noise", steps=n)
        for n, most in ((1, None), (5, None), (10, None), (50, 10_000), (500, 3_000))
    ),
)

# In the order in which they are run. What is tuned is tuned on the development cases alone.
PLAN = (
    Part("evaluation", EVALUATION, SETS, MAIN),
    Part("development", DEVELOPMENT, SETS, MAIN),
    Part("the paper's settings", EVALUATION, ("msl_tsbad", "msl", "asd", "skab"), (PAPER_ARM,)),
    Part("mask, steps and network", DEVELOPMENT, SETS, VARIANTS),
)
CHEAP = ("random", "difference", "squared z-score", "PCA", "PCA, calibrated", "k-means")
QUICK_PLAN = (
    Part(
        "quick", DEVELOPMENT, ("skab", "nab"),
        (*(one for one in RIVAL_ARMS if one.name in CHEAP), _ours(train_steps=20)), 1,
    ),
)  # fmt: skip


def run(
    quick: bool = False, folder: Path = Path("results"), part: str = "1/1", only: str = ""
) -> Iterator[str]:
    """Runs the arms that have no record yet and writes the page.

    Args:
        quick: Two development cases and few arms.
        folder: Where ``anomaly.jsonl`` is added to and ``anomaly.md`` is written.
        part: ``"1/2"`` takes every second cell, for two processes side by side.
        only: Only what holds this, such as ``"smd,"``, ``"evaluation, seed 0"`` or ``"k-means"``.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N, or there is nothing to write a page of.
    """
    path = folder / ("anomaly-quick.jsonl" if quick else "anomaly.jsonl")
    plan = QUICK_PLAN if quick else PLAN
    first, every = share_of(part)
    yield from _absent(plan)
    for cell, arms in cells_of(plan)[first - 1 :: every]:
        wanted = [arm for arm in arms if only in f"{cell.title}, {arm.name}"]
        yield from _measured(path, cell, wanted) if wanted else ()
    if not path.exists():
        raise ValueError(
            f"no cell was measured, so there is no page; expected cells that hold {only!r} of sets "
            f"that are at hand, of {', '.join(SETS)}. Give the folder of sets as TIMELOOM_DATA."
        )
    yield f"page: {write_anomaly_page(path, _planned(plan))}"


def cells_of(plan: Sequence[Part]) -> list[tuple[Cell, tuple[Arm, ...]]]:
    """Every cell once, with the arms of all parts that hold it; seed by seed within a part."""
    found: dict[tuple[str, int], tuple[Cell, tuple[Arm, ...]]] = {}
    for one in plan:
        for seed in range(max(arm.seeds for arm in one.arms)):
            arms = tuple(arm for arm in one.arms if seed < arm.seeds)
            for case in _cases(one):
                cell, known = found.get((case.data, seed), (Cell(case, seed), ()))
                found[case.data, seed] = cell, tuple(dict.fromkeys(known + arms))
    return list(found.values())


def measure(cell: Cell, arm: Arm) -> list[Record]:
    """One record per measure of an arm; those that cannot be computed say why.

    Raises:
        NotHere: If the arm cannot be run here.
    """
    case = cell.case
    if arm.most is not None and len(case.test) > arm.most:
        raise NotHere(f"{len(case.test):,} rows would take minutes; it is run up to {arm.most:,}.")
    made = arm.make(case, cell.seed)
    found = figures(case, made.scores, made.threshold)
    sizes = {"train": len(case.train), "test": len(case.test), "events": len(runs(case.labels)[0])}
    sizes |= {"channels": case.test.values.shape[1], "abnormal": int(case.labels.sum())}
    settings = {"set": case.set, "case": case.name, "role": case.role, "window": case.period}
    settings |= {"threshold": made.threshold, "rule": made.rule, "known": case.known}
    return [
        Record(
            metric=name,
            value=value if isinstance(value, float) else None,
            better=FIGURES[name].better,
            why=value if isinstance(value, str) else "",
            method=arm.name,
            data=case.data,
            seeds=(cell.seed,),
            sizes=sizes,
            unit=FIGURES[name].unit,
            version=timeloom.__version__,
            settings=settings,
        )
        for name, value in found.items()
    ]


def figures(case: Case, scores: Scores, threshold: float | None) -> dict[str, float | str]:
    """Every measure of scores (time,), or why it cannot be computed."""
    labels = case.labels
    found: dict[str, float | str] = {
        "fit_seconds": scores.fit_seconds,
        "score_seconds": scores.score_seconds,
        # The clock has a grain: nothing is scored in no time.
        "points_per_second": len(labels) / max(scores.score_seconds, 1e-3),
    }
    if labels.all() or not labels.any():
        found |= dict.fromkeys(("vus_pr", "vus_roc", "auc_pr"), "there is one class only")
    else:
        volume = vus(labels, scores.points, window=case.period)
        found |= {"vus_pr": volume.pr, "vus_roc": volume.roc}
        found["auc_pr"] = float(auc_pr(labels, scores.points))
    flags = None if threshold is None else scores.points[case.known :] > threshold
    found |= _flagged(case, labels[case.known :], flags)
    if case.channel_labels is not None and scores.channels is not None:
        for share in (1.0, 1.5):
            rate = hit_rate(case.channel_labels, scores.channels, share)
            found[f"hit_rate_{share:.0%}".rstrip("%")] = rate
    else:
        why = "the set names no channels" if case.channel_labels is None else "no channel scores"
        found |= dict.fromkeys(("hit_rate_100", "hit_rate_150"), why)
    return found


def _flagged(case: Case, labels: Array, flags: Array | None) -> dict[str, float | str]:
    """What a user sees at the threshold that was chosen without labels."""
    needs = ("event_f1", "point_f1", "pa_f1", "events_found", "affiliation_normalised")
    alarms = ("false_time_share", "false_alarms_per_day")
    if flags is None:
        return dict.fromkeys((*needs, *alarms), "there is no threshold")
    found: dict[str, float | str] = {"false_time_share": "every point is abnormal"}
    if not labels.all():
        found["false_time_share"] = float(false_time_share(labels, flags))
        step = case.step_seconds
        found["false_alarms_per_day"] = (
            "the time between points is not known"
            if step is None
            else float(false_alarms_per_day(labels, flags, step_seconds=step))
        )
    if labels.all() or not labels.any():
        return found | dict.fromkeys(needs, "there is one class only")
    events, points = event_scores(labels, flags), point_scores(labels, flags)
    found |= {"event_f1": events.f1, "events_found": events.recall, "point_f1": points.f1}
    found["pa_f1"] = float(pa_f1(labels, flags))
    # Random flags, which it is measured against, hardly ever touch each other.
    cost = events.events * min(int(flags.sum()), int((~flags).sum()) + 1)
    normalised = affiliation(labels, flags).normalised if cost <= PAIRS else float("nan")
    found["affiliation_normalised"] = (
        normalised if np.isfinite(normalised) else "too many alarms, or every point flagged alike"
    )
    return found


def hit_rate(blamed: Array, scores: Array, share: float = 1.0) -> float:
    """How many of the channels behind an anomaly are among those with the highest scores.

    Formula: at a time point with g blamed channels, the share of them among the ``share`` x g
    highest (rounded down); mean over the points of an event, then over events. Range 0 to 1,
    higher is better; chance is about ``share`` x g / channels.
    Source: HitRate@P% of OmniAnomaly (Su et al. 2019), there a mean over points.

    Args:
        blamed: (time, channel) of booleans.
        scores: (time, channel), higher = more abnormal.
        share: 1.0 for HitRate@100, 1.5 for HitRate@150.

    Raises:
        ValueError: If the shapes differ or no channel is blamed anywhere.
    """
    if blamed.shape != scores.shape or not blamed.any():
        raise ValueError(
            "blamed and scores must be (time, channel) alike, with some channel blamed; got "
            f"{blamed.shape} and {scores.shape}."
        )
    begin, end = runs(blamed.any(axis=1))
    rates = []
    for first, last in zip(begin, end, strict=True):
        truth, score = blamed[first:last], scores[first:last]
        place = np.argsort(np.argsort(-score, axis=1, kind="stable"), axis=1)
        count = truth.sum(axis=1)
        among = truth & (place < np.floor(share * count)[:, None])
        rates.append(float((among.sum(axis=1) / count).mean()))
    return float(np.mean(rates))


def _cases(part: Part) -> list[Case]:
    """Those at hand."""
    found: list[Case] = []
    for name in part.sets:
        try:
            own = [one for one in cases(name) if one.role == part.role]
        except ValueError:
            continue
        found += own[: part.each]
    return found


def _absent(plan: Sequence[Part]) -> Iterator[str]:
    for name in dict.fromkeys(name for one in plan for name in one.sets):
        try:
            cases(name)
        except ValueError as error:
            yield f"{name}: left out; {error}"


def _planned(plan: Sequence[Part]) -> list[Planned]:
    return [
        Planned(one.title, {arm.name: arm.seeds for arm in one.arms},
                tuple(case.data for case in _cases(one)))
        for one in plan
    ]  # fmt: skip


def _measured(path: Path, cell: Cell, arms: Sequence[Arm]) -> Iterator[str]:
    """Notes the arms of a cell that have no record yet, each as soon as it is measured."""
    own = (cell.case.data, (cell.seed,))
    known = (
        {r.method for r in read_records(path) if (r.data, r.seeds) == own} if path.exists() else ()
    )
    told = []
    for arm in arms:
        if arm.name in known:
            continue
        try:
            records = measure(cell, arm)
        except NotHere as error:
            yield f"{cell.title}: {arm.name} skipped; {error}"
            continue
        note(path, records)
        value = next(one.value for one in records if one.metric == "vus_pr")
        told.append(f"{arm.name} {'–' if value is None else format(value, '.3f')}")
    if told:
        yield f"{cell.title}, VUS-PR: {', '.join(told)}"
