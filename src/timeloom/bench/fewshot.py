"""A new domain from 10, 25 or 50 windows: does a pre-trained generator beat one that never learnt?

Eight sets that the shipped weights have not seen, two protocols, three seeds. Every arm is judged
by held-out real windows, beside the floor (real windows) and the copy machine (the few handed
back).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

import timeloom
from timeloom.bench.few_arms import (
    ADAPTED,
    BETWEEN,
    FLOOR,
    FULL,
    FULL_WAY,
    LOW_RANK_WAY,
    MAIN,
    QUICK,
    RIVALS,
    TOKEN_WAY,
    VARIANTS,
    Arm,
    Cell,
    NotHere,
    Place,
    floor_windows,
)
from timeloom.bench.few_judges import FIGURES, Judges, judge, likeness, memory
from timeloom.bench.few_page import LEARN_SECONDS, SAMPLE_SECONDS, Planned, write_few_page
from timeloom.bench.few_sets import COUNTS, SETS, SHARES, load
from timeloom.bench.records import note, share_of
from timeloom.metrics.record import Record, read_records

__all__ = ["PLAN", "QUICK_PLAN", "Part", "cells_of", "measure", "run"]

Array = NDArray[Any]

SEEDS = 3
MOST = 5_000  # training windows that scales and the encoder are taken from, evenly spread
SMALL = ("etth1", "ecg200", "air_quality")  # sets on which variants are compared


class Part(NamedTuple):
    """A part of the grid: every combination of these, all arms in each cell."""

    title: str
    protocol: str
    sets: tuple[str, ...]
    counts: tuple[float, ...]
    seeds: int
    arms: tuple[Arm, ...]


# In the order in which they are run: what the issue asks for first.
PLAN = (
    Part("main, the paper's protocol", "random", SETS, COUNTS, SEEDS, MAIN),
    Part("rivals", "random", SMALL, (25,), SEEDS, RIVALS),
    Part("pre-trained in other ways", "random", SMALL, (25,), SEEDS, VARIANTS),
    # Below 20 windows "adapted" is of low rank, from there on it changes all weights.
    Part("adapted in other ways", "random", SETS, (10,), 1, (BETWEEN, FULL_WAY, TOKEN_WAY)),
    Part("adapted in other ways", "random", SETS, (25, 50), 1, (BETWEEN, LOW_RANK_WAY, TOKEN_WAY)),
    Part("main, the first time points", "first", SETS, COUNTS, SEEDS, MAIN),
    Part("shares", "random", SMALL, SHARES, SEEDS, MAIN),
)
QUICK_PLAN = (Part("quick", "random", ("ecg200", "sine"), (10,), 1, MAIN),)


def run(
    quick: bool = False,
    folder: Path = Path("results"),
    part: str = "1/1",
    runs: Path | None = None,
    rivals: Path | None = None,
    only: str = "",
) -> Iterator[str]:
    """Runs the arms that have no record yet and writes the page.

    Args:
        quick: Two sets, ten windows, one seed, few steps.
        folder: Where ``fewshot.jsonl`` is added to and ``fewshot.md`` is written.
        part: ``"1/2"`` takes every second cell, for two processes side by side.
        runs: Folder of pre-trained run folders: default, no_token, dynamic, padded, narrow, wide.
            Those that are absent are skipped, and said.
        rivals: Folder of the clones of public code; without it they are skipped, and said.
        only: Only cells whose name holds this, such as ``"random 25"`` or ``"etth1,"``.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N, or there is nothing to write a page of.
    """
    path = folder / ("fewshot-quick.jsonl" if quick else "fewshot.jsonl")
    plan, budget = (QUICK_PLAN, QUICK) if quick else (PLAN, FULL)
    first, every = share_of(part)
    for cell, arms in cells_of(plan)[first - 1 :: every]:
        if only in cell.data:
            place = Place(budget, runs, rivals)
            yield from _measured(path, cell, arms, place)
    if not path.exists():
        raise ValueError(
            f"no cell was measured, so there is no page; expected cells that hold {only!r} of sets "
            f"that are at hand, of {', '.join(SETS)}. Give the folder of sets as TIMELOOM_DATA."
        )
    yield f"page: {write_few_page(path, _planned(plan))}"


def cells_of(plan: Sequence[Part]) -> list[tuple[Cell, tuple[Arm, ...]]]:
    """Every cell once, with the arms of all parts that hold it; seed by seed within a part."""
    found: dict[Cell, tuple[Arm, ...]] = {}
    for one in plan:
        for seed in range(one.seeds):
            for count in one.counts:
                for name in one.sets:
                    cell = Cell(one.protocol, name, count, seed)
                    found[cell] = tuple(dict.fromkeys(found.get(cell, ()) + one.arms))
    return list(found.items())


def _planned(plan: Sequence[Part]) -> list[Planned]:
    return [
        Planned(
            one.title,
            tuple(arm.name for arm in one.arms),
            tuple(
                (Cell(one.protocol, name, count, seed).data, seed)
                for name in one.sets
                for count in one.counts
                for seed in range(one.seeds)
            ),
        )
        for one in plan
    ]


def _measured(path: Path, cell: Cell, arms: Sequence[Arm], place: Place) -> Iterator[str]:
    """Notes the arms of a cell that have no record yet, each as soon as it is measured."""
    own = (cell.data, (cell.seed,))
    known = [r for r in read_records(path) if (r.data, r.seeds) == own] if path.exists() else []
    missing = [arm for arm in arms if arm.name not in {r.method for r in known}]
    where = f"{cell.data}, seed {cell.seed}"
    if not missing:
        return
    try:
        few = cell.few
    except ValueError as error:  # the set is not at hand, or too small for so many
        yield f"{where}: left out; {error}"
        return
    place = replace(place, spent=_spent(known))
    told = []
    for arm in missing:
        try:
            records = measure(cell, arm, place)
        except NotHere as error:
            yield f"{where}: {arm.name} skipped; {error}"
            continue
        note(path, records)
        place = replace(place, spent=_spent(records) or place.spent)
        found = {record.metric: record.value for record in records}
        told.append(f"{arm.name} {found['discriminative']:.3f}/{found['two_sample_auc']:.3f}")
    if told:
        yield f"{where}, {len(few)} windows, score/AUC: {', '.join(told)}"


def _spent(records: Sequence[Record]) -> float | None:
    """CPU seconds of ``adapt``, if it is among these."""
    own = [r.value for r in records if (r.method, r.metric) == (ADAPTED, LEARN_SECONDS)]
    return own[0] if own else None


@cache
def _floor_likeness(name: str, seed: int, size: int, judges: Judges) -> dict[str, float]:
    """The floor of a set is the same for every count and protocol."""
    real = load(name)
    made = floor_windows(real, size, seed)
    return likeness(made, real.held_out, train=_some(real.train.x), seed=seed, judges=judges)


def _some(train: Array) -> Array:
    return train[:: -(-len(train) // MOST)]


def measure(cell: Cell, arm: Arm, place: Place) -> list[Record]:
    """One record per figure of an arm, and two of what it cost.

    Raises:
        NotHere: If the arm lacks something here.
    """
    made = arm.make(cell, place)
    judges, real = place.budget.judges, cell.real
    few, train = cell.few.x, _some(real.train.x)
    if arm.name == FLOOR:
        # Training windows overlap the few: what is new is the held-out part itself.
        found = dict(_floor_likeness(cell.name, cell.seed, len(made.x), judges))
        found |= memory(real.held_out.x, real.held_out.x, few=few, train=train)
    else:
        how = {"few": few, "train": train, "seed": cell.seed, "judges": judges}
        found = judge(made.x, real.held_out, **how)
    found |= {LEARN_SECONDS: made.learn_seconds, SAMPLE_SECONDS: made.sample_seconds}
    sizes = {"few": len(few), "train": len(real.train), "held_out": len(real.held_out)}
    settings = {"set": cell.name, "protocol": cell.protocol, "count": cell.count}
    settings |= {"judges": asdict(judges), **made.about}
    return [
        Record(
            metric=name,
            value=value,
            better=FIGURES[name].better if name in FIGURES else "lower",
            method=arm.name,
            data=cell.data,
            seeds=(cell.seed,),
            sizes={**sizes, "made": len(made.x)},
            unit="" if name in FIGURES else "CPU seconds",
            version=timeloom.__version__,
            settings=settings,
        )
        for name, value in found.items()
    ]
