"""The page of the few-shot grid: who beats whom on how many sets, and who only remembers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import timeloom
from timeloom.bench.few_arms import ADAPTED, COPY, EVERY, FLOOR, MIXUP, SCRATCH
from timeloom.bench.few_judges import FIGURES
from timeloom.bench.page import save_page
from timeloom.bench.paired_page import difference
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown

__all__ = ["LEARN_SECONDS", "SAMPLE_SECONDS", "Planned", "better_in", "versus", "write_few_page"]

LEARN_SECONDS, SAMPLE_SECONDS = "learn_seconds", "sample_seconds"
HEADLINE = ("discriminative", "two_sample_auc", "context_fid")
REST = tuple(name for name in FIGURES if name not in (*HEADLINE, "memory_ratio"))
ORDER = (ADAPTED, SCRATCH, MIXUP, COPY, FLOOR)

# Metric -> regime ("random 25") -> arm -> set -> seed -> value.
Grid = dict[str, dict[str, dict[str, dict[str, dict[int, float]]]]]
Values = Mapping[str, Mapping[int, float]]


class Planned(NamedTuple):
    """A part of the grid as it was planned.

    Attributes:
        title: As the page calls it.
        arms: Names of its arms.
        cells: (data, seed) of its cells.
    """

    title: str
    arms: tuple[str, ...]
    cells: tuple[tuple[str, int], ...]


def write_few_page(path: Path, plan: Sequence[Planned]) -> Path:
    """Writes the page beside the records and returns its path.

    Args:
        path: The records.
        plan: What the whole grid is, to stand beside what was run.
    """
    records = read_records(path)
    grid = grid_of(records)
    lines = [_opening(path, records)]
    lines += ["## Does pre-training help?\n", *_headline(grid)]
    for regime in grid["discriminative"]:
        lines += _regime(grid, regime)
    lines += _memory(grid)
    lines += _variants(grid)
    lines += ["## What it took\n", *_costs(records)]
    lines += ["## The plan beside what was run\n", _progress(plan, records)]
    return save_page(path, "\n".join(lines) + "\n")


def grid_of(records: Sequence[Record]) -> Grid:
    """Records as a nested table; figures that could not be measured are left out."""
    grid: Grid = {}
    for one in records:
        if one.value is not None:
            name, _, regime = one.data.partition(", ")
            arms = grid.setdefault(one.metric, {}).setdefault(regime, {})
            arms.setdefault(one.method, {}).setdefault(name, {})[one.seeds[0]] = one.value
    return grid


def better_in(arm: Values, rival: Values) -> tuple[int, int]:
    """In how many sets an arm's mean over the seeds that both have is lower, and of how many."""
    means = [
        np.mean([one[seed] - rival[name][seed] for seed in one.keys() & rival[name].keys()])
        for name, one in arm.items()
        if name in rival and one.keys() & rival[name].keys()
    ]
    return sum(bool(mean < 0) for mean in means), len(means)


def versus(arm: Values, rival: Values) -> dict[str, Any]:
    """Columns that say by how much an arm differs from a rival; empty without common cells."""
    won, of = better_in(arm, rival)
    if not of:
        return {}
    found = difference(arm, rival)
    return {
        "difference": f"{found.mean:+.4f}",
        "95 %, other draws": _interval(found.seeds),
        "95 %, other sets too": _interval(found.sets),
        "pairs": found.pairs,
        "better in": f"{won} of {of} sets",
    }


def _opening(path: Path, records: Sequence[Record]) -> str:
    quick = " --quick" if path.stem.endswith("quick") else ""
    sizes = {name: [one.sizes[name] for one in records] for name in ("held_out", "made")}
    return (
        f"# {path.stem}\n\nMade by `timeloom bench fewshot{quick}` from `{path.name}` (timeloom "
        f"{timeloom.__version__}); with two processes `--part 1/2` and `--part 2/2`, variants with "
        "`--runs FOLDER`, public code with `--rivals FOLDER`. Mean ± standard deviation over the "
        "seeds of the draw; windows of 24 time points.\n\n"
        "A long series is cut into blocks that are, in turn, for training and held out, with a gap "
        "of a window's length: two halves of it would differ by drift more than by anything that "
        'a generator does. "random N" is the paper\'s protocol: N windows of the training part at '
        'random. "first N" is ours: the first N x 24 contiguous time points from a block on that '
        f"the seed chooses. All figures are against {min(sizes['held_out'])} to "
        f"{max(sizes['held_out']):,} held-out real windows, of which {min(sizes['made'])} to "
        f"{max(sizes['made'])} stand on either side. Floor: real training windows, as many; copy: "
        "the few handed back; mixup: between two of the few; scratch: the same network and the "
        "same adapting, from random weights. No checkpoint is chosen by "
        "these judges. Where the floor itself is bad, as for the 966 weeks of ili, the set is too "
        "small for levels to mean much, and only differences between arms are read.\n"
    )


def _headline(grid: Grid) -> list[str]:
    rows = []
    for regime in grid["discriminative"]:
        for metric in HEADLINE:
            arms = grid.get(metric, {}).get(regime, {})
            found = versus(arms.get(ADAPTED, {}), arms.get(SCRATCH, {}))
            if found:
                rows.append({"regime": regime, "figure": FIGURES[metric].title, **found})
    if not rows:
        return ["Not measured yet: it takes both arms in one cell.\n"]
    said = (
        "Adapted minus scratch, paired by set and seed; below 0: pre-training helps. The mean over "
        "sets, its 95 % bootstrap intervals (Efron & Tibshirani 1993, chapter 13; from three seeds "
        "the first is too narrow), and on how many sets the mean over the seeds is below 0.\n"
    )
    return [said, markdown(rows)]


def _regime(grid: Grid, regime: str) -> Iterator[str]:
    yield f"## {regime}\n"
    for metric in (*HEADLINE, *REST):
        arms = grid.get(metric, {}).get(regime, {})
        shown = [arm for arm in ORDER if arm in arms]
        rows = []
        for name in dict.fromkeys(name for arm in shown for name in arms[arm]):
            row: dict[str, Any] = {"set": name}
            row |= {arm: _listed(arms[arm].get(name)) for arm in shown}
            if metric in HEADLINE and ADAPTED in arms and SCRATCH in arms:
                row["adapted - scratch"] = _of_set(arms[ADAPTED], arms[SCRATCH], name)
            rows.append(row)
        if rows:
            better = FIGURES[metric].better
            yield f"### {FIGURES[metric].title}, {regime} ({better} is better)\n"
            yield markdown(rows)


def _of_set(arm: Values, rival: Values, name: str) -> str | None:
    if name not in arm or not arm[name].keys() & rival.get(name, {}).keys():
        return None
    found = difference({name: arm[name]}, {name: rival[name]})
    # One seed has no spread to draw from again.
    return f"{found.mean:+.3f}" + (f" {_interval(found.seeds, 3)}" if found.pairs > 1 else "")


def _memory(grid: Grid) -> Iterator[str]:
    yield "## Memorising\n"
    yield (
        "Median distance to the nearest of the few windows, over the same median of held-out real "
        "windows: those are 1 by construction, the copy machine 0. Adapting stays clear of "
        "memorising where its figure is nearer to 1 than the copy machine's by half at least: from "
        "0.5 to 1.5. Far above 1 is noise.\n"
    )
    rows = []
    for regime, arms in grid.get("memory_ratio", {}).items():
        shown = [arm for arm in ORDER if arm in arms and arm != FLOOR]
        for name in dict.fromkeys(name for arm in shown for name in arms[arm]):
            row: dict[str, Any] = {"regime": regime, "set": name, "held-out real": 1}
            row |= {arm: _listed(arms[arm].get(name)) for arm in shown}
            if ADAPTED in arms and name in arms[ADAPTED] and name in arms.get(COPY, {}):
                row["nearer to 1 by half"] = _nearer(arms[ADAPTED][name], arms[COPY][name])
            rows.append(row)
    if rows:
        yield markdown(rows)
    told = [row["nearer to 1 by half"] for row in rows if "nearer to 1 by half" in row]
    if told:
        yield f"Nearer by half in {sum(told)} of {len(told)} rows.\n"


def _nearer(arm: Mapping[int, float], copy: Mapping[int, float]) -> bool:
    apart, base = (abs(1 - float(np.mean(list(one.values())))) for one in (arm, copy))
    return apart <= base / 2


def _variants(grid: Grid) -> Iterator[str]:
    names = [arm.name for arm in EVERY if arm.name not in ORDER]
    for regime in grid["discriminative"]:
        there = [arm for arm in names if arm in grid["discriminative"][regime]]
        if not there:
            continue
        yield f"## Variants, {regime}\n"
        yield (
            "Means over the sets, of the sets that the arm has. Variants that were pre-trained for "
            'this comparison stand against "default", which was pre-trained as long as they; all '
            "arms stand against the shipped weights. Below 0: the arm is better.\n"
        )
        for metric in (*HEADLINE, "memory_ratio"):
            arms = grid.get(metric, {}).get(regime, {})
            rows = []
            for arm in (*there, *(one for one in ORDER if one in arms)):
                rows.append({"arm": arm, "sets": len(arms.get(arm, {}))})
                rows[-1]["mean"] = _mean(arms.get(arm, {}))
                for rival in ("default", ADAPTED) if metric != "memory_ratio" else ():
                    found = {} if rival == arm else versus(arms.get(arm, {}), arms.get(rival, {}))
                    text = f"{found['difference']} {found['95 %, other draws']}" if found else None
                    rows[-1][f"minus {rival}"] = text
                    rows[-1][f"better than {rival} in"] = found.get("better in")
            yield f"### {FIGURES[metric].title}\n"
            yield markdown(rows)


def _costs(records: Sequence[Record]) -> Iterator[str]:
    yield "CPU seconds of one process with one thread; means over the cells.\n"
    rows = []
    for arm in (one.name for one in EVERY):
        own = [one for one in records if one.method == arm and one.value is not None]
        learn = [one.value or 0.0 for one in own if one.metric == LEARN_SECONDS]
        draw = [one for one in own if one.metric == SAMPLE_SECONDS]
        if not any(learn):
            continue
        per = [1_000 * (one.value or 0) / one.sizes["made"] for one in draw]
        row = {
            "arm": arm,
            "cells": len(learn),
            "s to learn": float(np.mean(learn)),
        }
        rows.append(row | {"longest": max(learn), "ms a window": float(np.mean(per))})
    yield markdown(rows) if rows else "No arm that learns was run.\n"


def _progress(plan: Sequence[Planned], records: Sequence[Record]) -> str:
    done = {(one.data, one.seeds[0], one.method) for one in records}
    rows = []
    for part in plan:
        for arm in part.arms:
            run = sum((data, seed, arm) in done for data, seed in part.cells)
            rows.append({"part": part.title, "arm": arm, "planned": len(part.cells), "run": run})
    return markdown(rows)


def _listed(values: Mapping[int, float] | None) -> list[float] | None:
    return None if values is None else [values[seed] for seed in sorted(values)]


def _mean(sets: Values) -> float | None:
    means = [float(np.mean(list(one.values()))) for one in sets.values()]
    return float(np.mean(means)) if means else None


def _interval(ends: tuple[float, float], digits: int = 4) -> str:
    return f"[{ends[0]:+.{digits}f}, {ends[1]:+.{digits}f}]"
