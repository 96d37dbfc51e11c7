"""All windows of a set, 200 CPU seconds: how good is ImagenFew where data are no concern?

The four sets of the field's tables, 24 time points, trained from scratch. As those tables have it,
every window is trained on and stands on the judges' real side too; beside that stands the honest
version, trained on blocks of time and judged by the blocks between them.
"""

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

import timeloom
from timeloom.bench.few_judges import Judges
from timeloom.bench.few_sets import blocks
from timeloom.bench.full_page import ARMS, Planned, write_full_page
from timeloom.bench.records import done, note, share_of
from timeloom.data.rules import Rule, broken, learn_rules
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Series, Windows, concatenate, cut
from timeloom.methods.imagenfew import ImagenFew
from timeloom.metrics.fidelity.context import context_fid
from timeloom.metrics.fidelity.judged import discriminative_repeats
from timeloom.metrics.fidelity.two_sample import summary_auc, two_sample_auc
from timeloom.metrics.record import Record

__all__ = ["SETS", "SETTINGS", "Budget", "Cell", "budgeted", "judge", "run", "without_rules"]

Array = NDArray[Any]

# Of the network that is measured here; all else is the default of ImagenFew.
SETTINGS: dict[str, Any] = dict(width=48, multipliers="1,2", known=0.0, batch=128)
SETS = ("stock_goog", "energy", "etth1", "sines")
LENGTH, SEEDS, SINES = 24, 3, 10_000
MOST = 3_661  # windows a side at most: all of stock_goog, as papers have it
FLAVOUR = "timegan"  # of the discriminative score: 128 + 128 windows a step, min-max scaling
WARM = 10  # first steps of a probe that are not timed
CENT = 0.01  # what prices are quoted in
PRICES = (("Low", "Open"), ("Low", "Close"), ("Open", "High"), ("Close", "High"))
# A task, and the arms that it gives records of.
TASKS = {"all": ARMS[:2], "blocks": ARMS[2:3], "floors": ARMS[3:]}


@dataclass(frozen=True)
class Budget:
    """What a cell may spend.

    Attributes:
        seconds: CPU seconds of training, what is done before the first step counted in.
        probe: Steps of a training that only measures how long a step takes.
        judges: What judges may spend.
    """

    seconds: float = 200.0
    probe: int = 60
    judges: Judges = field(default_factory=lambda: Judges(repeats=10, most=MOST))


QUICK = Budget(3.0, 15, Judges(2, 60, 60, 10, 200))


class Cell(NamedTuple):
    """What is run, and noted, in one piece: a task of a set with a seed."""

    name: str
    seed: int
    task: str


def run(
    quick: bool = False, folder: Path = Path("results"), part: str = "1/1", only: str = ""
) -> Iterator[str]:
    """Runs the cells that have no records yet and writes the page.

    Args:
        quick: One set, one seed, three CPU seconds of training.
        folder: Where ``fulldata.jsonl`` is added to and ``fulldata.md`` is written.
        part: ``"1/2"`` takes every second cell, for two processes side by side.
        only: Only cells whose name holds this: ``"stock_goog, all"``, ``"blocks"``, ``"seed 0"``.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N, or there is nothing to write a page of.
    """
    first, every = share_of(part)
    path = folder / ("fulldata-quick.jsonl" if quick else "fulldata.jsonl")
    plan = cells(("sines",), 1) if quick else cells()
    for cell in plan[first - 1 :: every]:
        title = f"{cell.name}, {cell.task}, seed {cell.seed}"
        arms = TASKS[cell.task]
        if only not in title or all(done(path, cell.name, LENGTH, a, cell.seed) for a in arms):
            continue
        records = measure(cell, QUICK if quick else Budget())
        note(path, records)
        found = [
            f"{r.method} {r.metric} {r.value:.3f}"
            for r in records
            if r.value is not None and r.metric in ("discriminative", "two_sample_auc", "held_auc")
        ]
        yield f"{title}: {', '.join(found)}"
    if not path.exists():
        raise ValueError(f"no cell was measured (part {part}, only {only!r}); nothing to write.")
    planned = [Planned(cell.name, cell.seed, TASKS[cell.task]) for cell in plan]
    yield f"page: {write_full_page(path, planned)}"


def cells(sets: Sequence[str] = SETS, seeds: int = SEEDS) -> list[Cell]:
    """In the order in which they are run: one seed of everything before the next."""
    return [Cell(n, seed, task) for seed in range(seeds) for task in TASKS for n in sets]


def measure(cell: Cell, budget: Budget) -> list[Record]:
    """One record per arm and figure of a cell.

    Raises:
        ValueError: If the set is not at hand.
    """
    task = {"all": _all, "blocks": _blocks, "floors": _floors}[cell.task]
    judges = asdict(budget.judges)
    return [
        record for arm, found in task(cell, budget) for record in _records(cell, arm, found, judges)
    ]


Found = Iterator[tuple[str, dict[str, Any]]]  # arm, figures; "about" holds what they depend on


def _all(cell: Cell, budget: Budget) -> Found:
    """Trained on and judged by all windows; the same weights with and without projection."""
    real = whole(cell.name)
    model, cost, about = budgeted(real, cell.seed, budget)
    for arm, drawer in zip(ARMS[:2], (model, without_rules(model)), strict=True):
        began = time.process_time()
        made = drawer.sample(min(len(real), budget.judges.most), seed=cell.seed).x
        drawn = {"sample_seconds": time.process_time() - began, "made": len(made)}
        found = judge(made, real.x, train=real.x, seed=cell.seed, judges=budget.judges)
        yield arm, {**found, **validity(made, cell.name), **cost, **drawn, "about": about}


def _blocks(cell: Cell, budget: Budget) -> Found:
    """Trained on blocks of time and judged by the blocks between them."""
    train, held = parts(cell.name)
    model, cost, about = budgeted(train, cell.seed, budget)
    made = model.sample(min(len(held), budget.judges.most), seed=cell.seed).x
    yield ARMS[2], {"held_auc": held_auc(made, held, cell.seed, budget), **cost, "about": about}


def _floors(cell: Cell, budget: Budget) -> Found:
    """Real windows in place of made ones."""
    real, rng = whole(cell.name), np.random.default_rng([cell.seed, 20455])
    half, rows = len(real) // 2, rng.permutation(len(real))
    copies = real.x[rng.integers(len(real), size=min(len(real), budget.judges.most))]
    sides = (real.x[rows[:half]], real.x[rows[half:]]), (copies, real.x)
    for arm, (made, other) in zip(ARMS[3:], sides, strict=True):
        found = judge(made, other, train=real.x, seed=cell.seed, judges=budget.judges)
        yield arm, {**found, **validity(made, cell.name), **_floor_auc(arm, cell, budget)}


def _floor_auc(arm: str, cell: Cell, budget: Budget) -> dict[str, float]:
    """Training blocks against held-out blocks; copies of training windows would be the same."""
    if arm != ARMS[3]:
        return {}
    train, held = parts(cell.name)
    rows = np.random.default_rng([cell.seed, 20456]).permutation(len(train))
    made = train.x[rows[: min(len(held), budget.judges.most)]]
    return {"held_auc": held_auc(made, held, cell.seed, budget)}


@cache
def whole(name: str) -> Windows:
    """Every window of a set, stride 1.

    stock_goog: 3,661 x 24 x 6; the last of the file's 3,662 is left out, as TimeGAN's cutting does.
    energy: 19,711 x 24 x 28. etth1: 17,397 x 24 x 7, of the whole file. sines: 10,000 x 24 x 5.

    Raises:
        ValueError: If the set is not at hand.
    """
    if name == "sines":
        return sines(SINES, 0)
    found = cut(_series(name), LENGTH)
    found = found[np.arange(min(len(found), MOST))] if name == "stock_goog" else found
    return Windows(found.x.astype(np.float32), channels=found.channels)


@cache
def parts(name: str) -> tuple[Windows, Windows]:
    """Windows of every second block of time, and those of the blocks between; see ``blocks``.

    Sines have no time in common: both parts are drawn.
    """
    if name == "sines":
        return sines(SINES, 0), sines(MOST, 1)
    found = blocks(_series(name), LENGTH)
    one, other = (
        concatenate([_numbered(*block, k) for k, block in enumerate(found[odd::2])])
        for odd in (0, 1)
    )
    return one, other


def _numbered(at: int, block: Series, number: int) -> Windows:
    found = cut(block, LENGTH)
    series = np.full(len(found), number)
    return Windows(found.x.astype(np.float32), None, series, found.start + at, found.channels)


def _series(name: str) -> Series:
    if name == "etth1":
        found = load_dataset(name, whole=True)
    else:
        found = load_dataset("energy_appliances" if name == "energy" else name)
    return cast(list[Series], found)[0]


def sines(count: int, seed: int) -> Windows:
    """(1 + sin(f t + p)) / 2 in five channels, f and p uniform in [0, 0.1], t = 0, 1, ...

    Source: the sines of Diffusion-TS (arXiv 2403.01742), which later tables share.
    """
    rng = np.random.default_rng([seed, 20454])
    rate, phase = rng.uniform(0, 0.1, (2, count, 1, 5))
    t = np.arange(LENGTH)[None, :, None]
    return Windows(((1 + np.sin(rate * t + phase)) / 2).astype(np.float32))


def budgeted(
    windows: Windows, seed: int, budget: Budget
) -> tuple[ImagenFew, dict[str, float], dict[str, Any]]:
    """Trains for so many CPU seconds, with a rate that ends when they do.

    A short training measures a step in CPU seconds, so that a busy machine does not count, and the
    budget becomes a number of steps. What was really spent is noted, the probe left out.

    Returns:
        The generator, what it cost, and the settings behind it.
    """
    import_module("accelerate")  # which the loop loads at its first run: seconds of no training
    how = {"device": "cpu", **SETTINGS, "seed": seed}
    probe, began = ImagenFew(**{**how, "train_steps": budget.probe}), time.process_time()
    marks = [(now.step, time.process_time() - began) for now in probe.training(windows)]
    steps = steps_for(budget.seconds, marks)
    model, began = ImagenFew(**{**how, "train_steps": steps}), time.process_time()
    model.fit(windows)
    cost = {"learn_seconds": time.process_time() - began, "steps": float(steps)}
    cost["parameters"] = float(sum(one.numel() for one in model.model_.parameters()))
    return model, cost, {**how, "train_steps": steps, "budget": budget.seconds}


def steps_for(seconds: float, marks: Sequence[tuple[int, float]]) -> int:
    """How many steps take so many seconds.

    Args:
        seconds: The budget.
        marks: (step, seconds since the beginning) of a probe, its first step first.

    Raises:
        ValueError: If the probe is too short to time a step.
    """
    first, before = marks[0]
    later = [mark for mark in marks if mark[0] > WARM] or list(marks)
    (a, begun), (b, ended) = later[0], later[-1]
    if b == a:
        raise ValueError(
            f"a step is timed from step {WARM + 1} of a probe on; got {marks[-1][0]} steps. "
            f"Take {WARM + 2} or more."
        )
    step = (ended - begun) / (b - a)
    return max(1, first + int((seconds - before) / step))


def without_rules(model: ImagenFew) -> ImagenFew:
    """The same weights without the rules between channels: training knows nothing of them."""
    plain = copy.copy(model)
    plain.domains_ = model.domains_.copy()
    for name, domain in plain.domains_.items():
        plain.domains_[name] = domain.without_rules()
    return plain


def judge(
    made: Array, real: Array, *, train: Array, seed: int, judges: Judges
) -> dict[str, float | int]:
    """Scores of windows against real ones, as many on either side.

    Args:
        made: (window, time, channel).
        real: (window, time, channel), of which ``seed`` draws as many where there are more.
        train: (window, time, channel): all real windows, for the encoder and the spread of steps.
        seed: Of the draw and of every judge.
        judges: What they may spend.
    """
    size = min(len(made), len(real), judges.most)
    one = real[_some(len(real), size, seed)]
    other = made[_some(len(made), size, seed + 1)]
    accuracy = discriminative_repeats(
        one,
        other,
        seed=seed,
        flavour=FLAVOUR,
        repeats=range(judges.repeats),
        steps=judges.steps,
    )
    scores = np.abs(accuracy - 0.5)
    ratios = step_spreads(other, train)
    return {
        "discriminative": float(scores.mean()),
        "discriminative_sd": float(scores.std(ddof=1)) if len(scores) > 1 else 0.0,
        "two_sample_auc": two_sample_auc(one, other, seed=seed, kernels=judges.kernels)[0],
        "summary_auc": summary_auc(one, other, seed=seed, rounds=judges.trees)[0],
        "context_fid": context_fid(one, other, train),
        "step_spread_least": float(np.nanmin(ratios)),
        "step_spread_most": float(np.nanmax(ratios)),
        "judged": size,
    }


def held_auc(made: Array, held: Windows, seed: int, budget: Budget) -> float:
    """The random-kernel AUC by real windows of blocks that nobody learnt from, folds by block."""
    size = min(len(made), len(held), budget.judges.most)
    rows = _some(len(held), size, seed)
    own = held.series[rows]
    groups = (own, None) if len(np.unique(held.series)) < len(held) else None
    kernels = budget.judges.kernels
    return two_sample_auc(held.x[rows], made[:size], seed=seed, groups=groups, kernels=kernels)[0]


def step_spreads(made: Array, real: Array) -> Array:
    """(channel,) spread of the steps between time points over that of real ones; NaN: no steps."""
    one, other = (np.diff(x.astype(np.float64), axis=1).std(axis=(0, 1)) for x in (made, real))
    return np.divide(one, other, out=np.full(len(one), np.nan), where=other > 0)


@cache
def _rules(name: str) -> tuple[Rule, ...]:
    real = whole(name)
    return tuple(learn_rules(real.x, real.channels))


def validity(made: Array, name: str) -> dict[str, float]:
    """Shares of time points that break what holds in all real windows of a set.

    ``broken``: any identity or order, beyond the tolerance of :func:`learn_rules`; each rule by
    itself follows. Of stock also the four orders and Close = Adj Close, beyond one cent.
    """
    rules, channels = _rules(name), list(whole(name).channels)
    found: dict[str, float] = {}
    tied = [rule for rule in rules if rule.kind in ("identity", "order")]
    if tied:
        missed = [rule.miss(made) > rule.tolerance for rule in tied]
        found["broken"] = float(np.mean(np.any(missed, axis=0)))
    shares = broken(rules, made)
    found |= {f"broken: {r.sentence}": float(s) for r, s in zip(rules, shares, strict=True)}
    if {"Open", "High", "Low", "Close", "Adj_Close"} <= set(channels):
        at = {channel: made[:, :, i].astype(np.float64) for i, channel in enumerate(channels)}
        over = [at[low] - at[high] > CENT for low, high in PRICES]
        found["cents_orders"] = float(np.mean(np.any(over, axis=0)))
        found["cents_identity"] = float(np.mean(np.abs(at["Close"] - at["Adj_Close"]) > CENT))
    return found


def _some(count: int, size: int, seed: int) -> Array:
    return np.sort(np.random.default_rng([seed, 20457]).permutation(count)[:size])


def _records(
    cell: Cell, arm: str, found: dict[str, Any], judges: dict[str, Any]
) -> Iterator[Record]:
    about, sizes = found.pop("about", {}), {"real": len(whole(cell.name))}
    sizes |= {name: int(found.pop(name)) for name in ("made", "judged") if name in found}
    for metric, value in found.items():
        yield Record(
            metric=metric,
            value=value,
            method=arm,
            data=f"{cell.name}, {LENGTH}",
            seeds=(cell.seed,),
            sizes=sizes,
            version=timeloom.__version__,
            settings={**about, "flavour": FLAVOUR, "judges": judges},
            unit="CPU seconds" if metric.endswith("_seconds") else "",
        )
