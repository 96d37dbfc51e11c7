"""What do the tokens of the few-shot generator hold, and how far does it carry to many channels?

Four questions to the shipped weights: do sets of one source have near tokens; whose token helps on
whose windows; where does the token of a new set go while adapting; and what is left of the quality
when a set has four times the channels of any that was seen.
"""

import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

import timeloom
from timeloom.bench.few_arms import NotHere
from timeloom.bench.few_sets import few, load
from timeloom.bench.records import note, share_of
from timeloom.bench.token_page import write_token_page
from timeloom.bench.token_parts import (
    ADAPTED,
    FLOOR,
    GAUSSIAN,
    KINDS,
    PERMUTED,
    SHUFFLES,
    SWAPS,
    WIDE_HOW,
    nearest_share,
    parts_of,
    path_of,
    plane,
    source_of,
    spread_error,
    swapped_losses,
    unseen_windows,
    wide_arm,
    wide_set,
)
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Series
from timeloom.methods.imagenfew import ImagenFew
from timeloom.metrics.discriminator import standardise
from timeloom.metrics.fidelity.channels import cross_correlation_error
from timeloom.metrics.fidelity.two_sample import two_sample_auc
from timeloom.metrics.record import Record, read_records

__all__ = ["FULL", "QUICK", "Cell", "Plan", "cells_of", "run"]

RUNS = ("dynamic", "padded")  # variants whose run folders may be given
WIDE = "smd"  # what the wide set is made of
MANY = 38  # channels from which on the variants are tried


class Plan(NamedTuple):
    """What is measured.

    Attributes:
        seeds: Of the noise, the draws and the training.
        swapped: Sources whose test parts are the windows for swapping tokens.
        windows: Of each of their sets.
        adapted: New sets whose tokens are followed, each by 25 windows.
        steps: Of adapting to them.
        channels: Numbers of channels of the wide set.
        permuted: Those for which the channels are permuted too.
        wide_few: Windows of the wide set that are learned from.
        wide_steps: Of adapting to it.
    """

    seeds: int = 3
    swapped: tuple[str, ...] = ("asd", "smd", "msl")
    windows: int = 100
    adapted: tuple[str, ...] = ("etth1", "weather", "ecg200")
    steps: int = 300
    channels: tuple[int, ...] = (1, 8, 38, 76, 152)
    permuted: tuple[int, ...] = (8, 152)
    wide_few: int = 50
    wide_steps: int = 100


FULL = Plan()
QUICK = Plan(1, ("asd",), 20, ("ecg200",), 20, (1, 8), (8,), 20, 10)


class Cell(NamedTuple):
    """One measurement, known again by its first three."""

    data: str
    method: str
    seed: int
    measure: Callable[[], list[Record]]


def run(
    quick: bool = False,
    folder: Path = Path("results"),
    part: str = "1/1",
    runs: Path | None = None,
    only: str = "",
) -> Iterator[str]:
    """Measures what has no record yet and writes the page and its map.

    Args:
        quick: One source, one new set, one seed, few steps.
        folder: Where ``tokens.jsonl``, ``tokens.md`` and ``tokens.svg`` go.
        part: ``"1/2"`` takes every second cell, for two processes side by side.
        runs: Folder of pre-trained run folders; ``dynamic`` and ``padded`` in it are tried on the
            wide set too. Those that are absent are skipped, and said.
        only: Only cells whose data hold this, such as ``"swap"`` or ``"wide: 152"``.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N, or nothing was measured yet.
    """
    path = folder / ("tokens-quick.jsonl" if quick else "tokens.jsonl")
    first, every = share_of(part)
    cells = cells_of(QUICK if quick else FULL, runs)
    for cell in cells[first - 1 :: every]:
        if only in cell.data and not _known(path, cell):
            yield _noted(path, cell)
    if not path.exists():
        raise ValueError(
            f"no cell was measured, so there is no page; expected cells that hold {only!r}. Leave "
            "--only out, or give the folder of sets as TIMELOOM_DATA."
        )
    yield f"page: {write_token_page(path, [cell[:3] for cell in cells])}"


def _noted(path: Path, cell: Cell) -> str:
    """Measures a cell, notes its records and says what came out, or why nothing did."""
    where = f"{cell.data}, {cell.method}, seed {cell.seed}"
    began = time.process_time()
    try:
        found = cell.measure()
    except (NotHere, ValueError) as error:
        return f"{where}: left out; {error}"
    note(path, found)
    told = ", ".join(f"{r.metric} {r.value:.3f}" for r in found[:4] if r.value is not None)
    return f"{where}: {told} ({time.process_time() - began:.1f} CPU s)"


def cells_of(plan: Plan, runs: Path | None = None) -> list[Cell]:
    """Everything that a plan asks for, the cheapest first."""
    seeds = range(plan.seeds)
    cells = [Cell(f"map: {kind}", "shipped", 0, _bound(_mapped, kind)) for kind in KINDS]
    names = [name for name in _shipped().sets_ if source_of(name) in plan.swapped]
    cells += [
        Cell(f"swap: {name}", SWAPS[0], seed, _bound(_swapped, name, seed, plan.windows))
        for seed in seeds
        for name in names
    ]
    cells += [
        Cell(f"path: {name}", "full", seed, _bound(_path, name, seed, plan.steps))
        for seed in seeds
        for name in plan.adapted
    ]
    for seed in seeds:
        for count in plan.channels:
            arms = [FLOOR, GAUSSIAN, ADAPTED, *([PERMUTED] if count in plan.permuted else [])]
            arms += RUNS if runs is not None and count >= MANY else ()
            data = f"wide: {count} channels"
            cells += [
                Cell(data, arm, seed, _bound(_wide, count, arm, plan, runs, seed)) for arm in arms
            ]
    return cells


def _bound(measure: Callable[..., list[Record]], *given: Any) -> Callable[[], list[Record]]:
    return lambda: measure(*given)


def _known(path: Path, cell: Cell) -> bool:
    own = (cell.data, cell.method, (cell.seed,))
    known = read_records(path) if path.exists() else []
    return any((one.data, one.method, one.seeds) == own for one in known)


def _record(metric: str, value: float, data: str, method: str, seed: int, **more: Any) -> Record:
    more = {"version": timeloom.__version__, **more}
    return Record(metric, value, data=data, method=method, seeds=(seed,), **more)


@cache
def _shipped() -> ImagenFew:
    return ImagenFew.pretrained(device="cpu")


@cache
def _loaded(folder: Path) -> ImagenFew:
    return ImagenFew.load(folder, device="cpu")


def _mapped(kind: str) -> list[Record]:
    model = _shipped()
    points, names = parts_of(model)[kind], model.sets_
    sources = [source_of(name) for name in names]
    several = [len(model.domains_[name].channels) > 1 for name in names]
    data, found = f"map: {kind}", []
    for metric, among in (("same_source", None), ("same_source_and_width", several)):
        share, chance = nearest_share(points, sources, among)
        low, high = np.quantile(chance, [0.025, 0.975])
        about = {"chance": float(chance.mean()), "shuffles": SHUFFLES}
        about["p"] = float((1 + (chance >= share).sum()) / (1 + SHUFFLES))
        ends = {"low": float(low), "high": float(high), "better": "higher", "settings": about}
        found.append(_record(metric, share, data, "shipped", 0, **ends, sizes={"sets": len(names)}))
    centre, axes, explained = plane(points)
    places = np.round((points - centre) @ axes.T, 4)
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    typical = float(np.median(apart[np.triu_indices(len(points), 1)]))
    np.fill_diagonal(apart, np.inf)
    near = float(np.median(apart.min(axis=1))) / typical
    found.append(_record("neighbour", near, data, "shipped", 0, settings={"typical": typical}))
    about = {"places": dict(zip(names, places.tolist(), strict=True))}
    return [*found, _record("plane", float(explained.sum()), data, "shipped", 0, settings=about)]


@cache
def _tests(source: str) -> dict[str, Series]:
    _, test = cast(tuple[list[Series], list[Series]], load_dataset(source))
    return {f"{source}-{one.name}": one for one in test}


def _swapped(name: str, seed: int, most: int) -> list[Record]:
    model, source = _shipped(), source_of(name)
    windows = unseen_windows(_tests(source)[name], model.domains_[name].channels, most)
    rng = np.random.default_rng([seed, list(model.sets_).index(name), 20462])
    same = [one for one in model.sets_ if source_of(one) == source and one != name]
    far = [one for one in model.sets_ if source_of(one) != source]
    others = {"sibling": str(rng.choice(same)), "unrelated": str(rng.choice(far))}
    found = swapped_losses(model, windows, name, others, seed)
    return [
        _record(
            "loss",
            found[word],
            f"swap: {name}",
            word,
            seed,
            sizes={"windows": len(windows)},
            settings={"token": others.get(word, name)},
        )
        for word in SWAPS
    ]


def _path(name: str, seed: int, steps: int) -> list[Record]:
    model = _shipped()
    windows = few(load(name).train, 25, seed)
    found = path_of(model, windows, name=name, how="full", seed=seed, steps=steps)
    centre, axes, _ = plane(parts_of(model)[KINDS[0]])
    about: dict[str, Any] = {key: found[key] for key in ("before", "after")}
    about |= {"steps": steps, "places": np.round((found["ends"] - centre) @ axes.T, 4).tolist()}
    sizes = {"few": len(windows)}
    return [
        _record(key, found[key], f"path: {name}", "full", seed, sizes=sizes, settings=about)
        for key in ("moved", "nearest_before", "nearest_after", "typical", "drift")
    ]


def _wide(count: int, arm: str, plan: Plan, runs: Path | None, seed: int) -> list[Record]:
    real = wide_set(list(_tests(WIDE).values()), count, plan.wide_few, seed)
    model = _model_of(arm, runs)
    began = time.process_time()
    made = wide_arm(real, arm, model, seed, plan.wide_steps)
    seconds = time.process_time() - began
    known = np.concatenate([real.few.x, real.floor.x])
    one, other = standardise(real.held_out.x, made, by=known)
    auc = two_sample_auc(one, other, seed=seed, groups=(real.held_out.series, None))
    figures = {"two_sample_auc": auc.value, "cpu_seconds": seconds}
    figures["spread_error"] = spread_error(one, other)
    if count > 1:
        figures["correlation_error"] = cross_correlation_error(one, other)
    sizes = {"few": len(real.few), "made": len(made), "held_out": len(real.held_out)}
    return [
        _record(
            metric,
            value,
            f"wide: {count} channels",
            arm,
            seed,
            sizes=sizes,
            settings={"channels": count, "steps": plan.wide_steps, "source": WIDE, "how": WIDE_HOW},
        )
        for metric, value in figures.items()
    ]


def _model_of(arm: str, runs: Path | None) -> ImagenFew | None:
    if arm in (FLOOR, GAUSSIAN):
        return None
    if arm not in RUNS:
        return _shipped()
    home = None if runs is None else runs / arm
    if home is None or not (home / "weights.safetensors").exists():
        raise NotHere(f"there is no finished run folder {arm!r} in --runs ({runs})")
    return _loaded(home)
