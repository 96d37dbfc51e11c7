"""The tables of Diff-MTS on C-MAPSS: discriminative, predictive, DTW and Fréchet, and steering.

Differs from the released protocol where that one chooses on the test set: parts are by engine,
the judge's epoch is chosen on a part of its own training windows, every figure has three seeds.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import timeloom
from timeloom.bench.records import done, note
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Series, Windows, cut
from timeloom.methods.diffmts import DiffMTS
from timeloom.metrics.alignment import dtw, frechet
from timeloom.metrics.fidelity.judged import diffmts_accuracy
from timeloom.metrics.record import Record
from timeloom.metrics.utility import steering, tstr_regression

__all__ = ["ARMS", "PUBLISHED", "Cell", "plan", "run"]

Array = NDArray[Any]
Pair = tuple[list[Series], list[Series]]

ARMS: dict[str, dict[str, Any]] = {
    "TDR, no MMD": dict(trend=True, mmd="none"),
    "TDR, fixed MMD": dict(trend=True, mmd="fixed", mmd_weight=0.1),
    "TDR, adaptive MMD": dict(trend=True, mmd="adaptive", mmd_weight=0.2),
    "U-Net, no MMD": dict(trend=False, mmd="none"),
}
FIRST = "TDR, no MMD"
FD001, FD002 = "cmapss_fd001", "cmapss_fd002"
STEPS = {24: 1500, 48: 1500, 96: 700}  # two to five minutes of one core each
BATCH = 128
SEEN = 18_000  # windows that a judge sees in training, at least

# Published figures, with their source; see docs/diffmts.md for how far each can be trusted.
PUBLISHED = {
    (FD001, 48, "predictive RMSE"): "13.616 (adaptive), 13.976 (fixed), 14.667 (no MMD)",
    (FD002, 48, "predictive RMSE"): "24.408 (adaptive), 25.596 (fixed), 25.815 (no MMD)",
    (FD001, 96, "discriminative accuracy"): "0.611",
}


@dataclass(frozen=True)
class Cell:
    """One run of the grid.

    Attributes:
        data: Name of the subset.
        length: Time points per window.
        arm: Key of ``ARMS``; ``"real"`` (no generator); or, with the first arm's weights,
            ``"samplers"`` (the default one and 500 ancestral steps) or ``"checks"`` (the paper's
            random split, and steering at the labels of real held-out windows).
        seed: Of everything.
        windows: Synthetic windows that are judged.
        steps: Training steps.
    """

    data: str
    length: int
    arm: str
    seed: int
    windows: int
    steps: int

    @property
    def name(self) -> str:
        """A name for folders; runs of different budgets never share one."""
        arm = self.arm.replace(", ", "-").replace(" ", "_")
        return f"{self.data}-{self.length}-{arm}-{self.seed}-{self.steps}"


def plan(quick: bool = False) -> list[Cell]:
    """The cells, the ones that the headline rests on first: about two hours of two cores.

    The full grid is every arm on every subset at every length, three seeds and 4,000 steps each.
    """
    if quick:
        return [Cell(FD001, 24, arm, 0, 2000, 600) for arm in (FIRST, "real")]
    rows = [(FD001, 48, arm, 8000) for arm in (FIRST, "real")]
    rows += [(FD001, 24, arm, 4000) for arm in (FIRST, "real", "samplers")]
    rows += [(FD001, 96, arm, 3000) for arm in (FIRST, "real")]
    rows += [(FD001, length, "checks", 3000) for length in (48, 96)]
    rows += [(FD001, 24, arm, 4000) for arm in ARMS if arm != FIRST]
    rows += [(FD002, 48, arm, 3000) for arm in (FIRST, "real")]
    return [
        Cell(data, length, arm, seed, windows, STEPS[length])
        for data, length, arm, windows in rows
        for seed in range(3)
    ]


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """Runs the cells that have no record yet, and yields a line for each.

    Args:
        quick: One small cell and its real counterpart: under ten minutes on two cores.
        folder: Where ``cmapss.jsonl`` (``cmapss-quick.jsonl``) is added to, and the page written.
        part: ``"1/2"`` takes every second cell, for two processes side by side.
    """
    from timeloom.bench.page import write_page

    path = folder / ("cmapss-quick.jsonl" if quick else "cmapss.jsonl")
    command = "timeloom bench cmapss" + (" --quick" if quick else "")
    number, parts = (int(n) for n in part.split("/"))
    for cell in plan(quick)[number - 1 :: parts]:
        if done(path, cell.data, cell.length, cell.arm, cell.seed):
            yield f"{cell.name}: its record stands in {path}"
            continue
        began = time.monotonic()
        figures = measure(cell, folder / "runs")
        seconds = time.monotonic() - began
        note(path, (_record(cell, figure, seconds) for figure in figures))
        said = ", ".join(f"{f['metric']} {f['value']:.3f}" for f in figures)
        yield f"{cell.name} ({seconds:.0f} s): {said}"
    yield f"page: {write_page(path, PUBLISHED, command)}"


def measure(cell: Cell, runs: Path) -> list[dict[str, Any]]:
    """The figures of one cell, each with ``metric``, ``value`` and ``better``."""
    train_series, test_series = cast(Pair, load_dataset(cell.data))
    train = cut(train_series, cell.length)
    test = last_windows(test_series, cell.length)
    rng = np.random.default_rng(cell.seed)
    rows = rng.permutation(len(train))[: cell.windows]
    real = train[rows]
    if cell.arm == "real":
        return _real(cell, train, real, test, test_series, rng)
    model, seconds = fitted(cell, train, runs)
    if cell.arm == "samplers":
        return _samplers(cell, model, real, test)
    if cell.arm == "checks":
        return _checks(cell, model, real, _held(test_series, cell.length))
    began = time.monotonic()
    made = model.sample(len(real), real.y, seed=cell.seed)
    sampled = time.monotonic() - began
    figures = _judged(cell, made, real, test)
    held = _held(test_series, cell.length)
    steer = steering(
        real.x, _y(real), made.x, _y(made), held.x, _y(held), seed=cell.seed, groups=real.series
    )
    near = rng.permutation(len(real))[:400]
    a, b = (_unit(w.x[near], train.x) for w in (made, real))
    return [
        *figures,
        _figure("steering Spearman", steer["spearman"], "higher"),
        _figure("steering MAE", steer["mae"]),
        _figure("steering MAE, real held-out", steer["held_mae"]),
        _figure("DTW", float(dtw(a, b).mean())),
        _figure("Fréchet", float(frechet(a, b).mean())),
        _figure("training seconds", seconds),
        _figure("sampling seconds per 1,000", 1000 * sampled / len(made)),
    ]


def fitted(cell: Cell, train: Windows, runs: Path) -> tuple[DiffMTS, float]:
    """The trained generator of a cell, from its run folder where it has one; and its seconds."""
    arm = cell.arm if cell.arm in ARMS else FIRST
    folder = runs / replace(cell, arm=arm).name
    if (folder / "weights.safetensors").exists():
        return DiffMTS.load(folder), float("nan")
    model = DiffMTS(**ARMS[arm], train_steps=cell.steps, batch=BATCH, seed=cell.seed, device="auto")
    seconds = 0.0
    for progress in model.training(train, folder=folder, resume=True):
        seconds = progress.seconds
    return model, seconds


def last_windows(series: list[Series], length: int) -> Windows:
    """The last window of each engine; one that is too short begins with its first row repeated.

    That is the paper's test set (its code pads so).
    """
    x, y = [], []
    for one in series:
        missing = max(0, length - len(one))
        values = np.concatenate([np.repeat(one.values[:1], missing, axis=0), one.values])
        x.append(values[-length:])
        y.append(np.asarray(one.label)[-1])
    return Windows(np.stack(x), np.array(y), channels=series[0].channels)


def _accuracy(real: Windows, synthetic: Windows, seed: int) -> float:
    """Balanced accuracy of the paper's LSTM on held-out engines and windows; 0.5 is ideal.

    ``metrics.fidelity.discriminative_accuracy`` is the house's own test.
    """
    groups = (real.series, synthetic.series)
    return diffmts_accuracy(real.x, synthetic.x, seed=seed, groups=groups)


def _real(
    cell: Cell,
    train: Windows,
    real: Windows,
    test: Windows,
    test_series: list[Series],
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """The rows that cost no generator: trained on real, the copy machine, the floor."""
    scores = tstr_regression(real.x, _y(real), test.x, _y(test), seed=cell.seed, groups=real.series)
    engines = rng.permutation(np.unique(train.series))
    half = np.isin(real.series, engines[: len(engines) // 2])
    copies = train[rng.permutation(len(train))[: cell.windows]]
    # Another real window with the same label, of another engine where there is one.
    twin = _twins(real, rng)
    pairs = rng.permutation(len(real))[:400]
    a, b = _unit(real.x[twin[pairs]], train.x), _unit(real.x[pairs], train.x)
    copied = _accuracy(real, copies, cell.seed)
    floor = _accuracy(real[half], real[~half], cell.seed)
    return [
        _figure("predictive RMSE", scores["rmse"]),
        _figure("predictive NASA score", scores["nasa"]),
        _figure("constant RMSE", scores["constant_rmse"]),
        _figure("discriminative accuracy, copy machine", copied),
        _figure("discriminative accuracy, floor", floor),
        _figure("DTW", float(dtw(a, b).mean())),
        _figure("Fréchet", float(frechet(a, b).mean())),
    ]


def _samplers(cell: Cell, model: DiffMTS, real: Windows, test: Windows) -> list[dict[str, Any]]:
    """The default sampler and 500 ancestral steps, same weights, same 1,000 labels, one run."""
    real = real[:1000]
    figures = []
    ways: dict[str, dict[str, Any]] = {"default": {}, "500 steps": dict(step="ddpm", steps=500)}
    for name, how in ways.items():
        began = time.monotonic()
        made = model.sample(len(real), real.y, seed=cell.seed, **how)
        seconds = time.monotonic() - began
        judged = _judged(cell, made, real, test)
        judged.append(_figure("sampling seconds per 1,000", seconds))
        figures += [{**figure, "metric": f"{figure['metric']}, {name}"} for figure in judged]
    return figures


def _checks(cell: Cell, model: DiffMTS, real: Windows, held: Windows) -> list[dict[str, Any]]:
    """What the other rows leave open: the paper's split, and steering at equal labels."""
    made = model.sample(len(real), real.y, seed=cell.seed)
    asked = model.sample(len(held), held.y, seed=cell.seed + 1)
    steer = steering(
        real.x, _y(real), asked.x, _y(held), held.x, _y(held), seed=cell.seed, groups=real.series
    )
    # Every window its own recording: neighbours of stride 1 then stand on both sides, as there.
    loose = Windows(real.x, series=np.arange(len(real)))
    return [
        _figure("discriminative accuracy, random split", _accuracy(loose, made, cell.seed)),
        _figure("steering Spearman, equal labels", steer["spearman"], "higher"),
        _figure("steering Spearman, real held-out", steer["held_spearman"], "higher"),
        _figure("steering MAE, equal labels", steer["mae"]),
        _figure("steering MAE, real held-out", steer["held_mae"]),
    ]


def _judged(cell: Cell, made: Windows, real: Windows, test: Windows) -> list[dict[str, Any]]:
    # Few windows make few steps an epoch, and a judge that has hardly moved judges nothing.
    epochs = max(6, SEEN // len(made))
    scores = tstr_regression(made.x, _y(made), test.x, _y(test), seed=cell.seed, epochs=epochs)
    return [
        _figure("predictive RMSE", scores["rmse"]),
        _figure("predictive NASA score", scores["nasa"]),
        _figure("discriminative accuracy", _accuracy(real, made, cell.seed)),
    ]


def _held(series: list[Series], length: int) -> Windows:
    """Every eighth window of the test engines that are long enough: real and never trained on."""
    return cut([one for one in series if len(one) >= length], length, stride=8)


def _twins(real: Windows, rng: np.random.Generator) -> Array:
    """For each window another one with (nearly) the same label, hardly ever of the same engine."""
    y = _y(real)
    order = np.lexsort((rng.random(len(y)), y))
    twin = np.empty(len(y), dtype=int)
    twin[order] = np.roll(order, 1)
    return twin


def _unit(x: Array, train: Array) -> Array:
    """Min-max by the training windows, as the paper's data are."""
    low, high = train.min((0, 1)), train.max((0, 1))
    return (x - low) / np.where(high > low, high - low, 1)


def _y(windows: Windows) -> Array:
    return np.asarray(windows.y, dtype=np.float64)


def _figure(metric: str, value: float, better: str = "lower") -> dict[str, Any]:
    return dict(metric=metric, value=value, better=better)


def _record(cell: Cell, figure: dict[str, Any], seconds: float) -> Record:
    return Record(
        metric=figure["metric"],
        value=figure["value"],
        better=figure["better"],
        why="one cell of bench cmapss; no verdict is given on a single seed",
        method=cell.arm,
        data=f"{cell.data}, {cell.length}",
        seeds=(cell.seed,),
        sizes=dict(windows=cell.windows),
        seconds=seconds,
        version=timeloom.__version__,
        settings={**ARMS.get(cell.arm, {}), "train_steps": cell.steps, "batch": BATCH},
    )
