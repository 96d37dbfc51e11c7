"""Which cells of the ten steps are still to be measured, and what do all seeds say together?"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

import timeloom
from timeloom.bench.records import note, share_of
from timeloom.bench.ten_steps import Figure, Task, measure
from timeloom.metrics.record import Record, read_records
from timeloom.metrics.utility import CLASS_SCORES, Prediction, paired_intervals

__all__ = ["MINUS", "grid"]

MINUS = " minus baseline"  # how metrics of differences end
RESAMPLES = 400


def grid(tasks: Sequence[Task], path: Path, part: str) -> Iterator[str]:
    """Measures every (task, seed) that has no record yet, and yields a line for each.

    Args:
        tasks: What is measured.
        path: Where records are added; what arms say of the test windows, from which intervals are
            made, is kept in ``runs`` beside it.
        part: ``"2/3"``: every third cell from the second.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N.
    """
    first, every = share_of(part)
    cells = [(task, seed) for seed in tasks[0].seeds for task in tasks]
    for task, seed in cells[first - 1 :: every]:
        if _found(path, task, (seed,)):
            continue
        began = time.monotonic()
        figures, said = measure(task, seed, path.parent / "runs")
        kept = _kept(path, task, seed)
        kept.parent.mkdir(parents=True, exist_ok=True)
        _save(kept, said)
        seconds = time.monotonic() - began
        note(path, (_record(task, (seed,), figure, seconds) for figure in figures))
        head = {f"{f.arm} {f.metric}": f.value for f in figures if f.metric.endswith(" auroc")}
        told = ", ".join(
            f"{name} {head[name]:.4f}" for name in ("real baseline auroc", "unguided tstr auroc")
        )
        yield f"{task.name}, seed {seed} ({seconds:.0f} s): {told}"
    for task in tasks:
        yield from _intervals(task, path)


def _intervals(task: Task, path: Path) -> Iterator[str]:
    """Notes by how much every arm beats the baseline, once all seeds are measured."""
    if _found(path, task, task.seeds, MINUS) or not all(
        _found(path, task, (seed,)) for seed in task.seeds
    ):
        return
    files = [_kept(path, task, seed) for seed in task.seeds]
    gone = [file for file in files if not file.exists()]
    if gone:
        yield f"{task.name}: no intervals, for {gone[0]} is not here; measure that seed again"
        return
    each = [_loaded(file) for file in files]
    rows = []
    for key in each[0]:
        arm, protocol = key.split("/")
        if arm == "real":
            continue
        ours, base = ([one[name] for one in each] for name in (key, "real/baseline"))
        for name, pair in paired_intervals(ours, base, CLASS_SCORES, resamples=RESAMPLES).items():
            figure = Figure(arm, f"{protocol} {name}{MINUS}", pair.difference.value)
            rows.append(_record(task, task.seeds, figure, 0.0, *pair.difference[1:]))
    note(path, rows)
    yield f"{task.name}: intervals over {len(each)} seeds noted"


def _record(
    task: Task,
    seeds: tuple[int, ...],
    figure: Figure,
    seconds: float,
    low: float | None = None,
    high: float | None = None,
) -> Record:
    settings = {"train_steps": task.train_steps, "judge_steps": task.judge.steps}
    why = "one cell of the ten steps; no verdict is given on a single seed"
    return Record(
        metric=figure.metric,
        value=figure.value,
        low=low,
        high=high,
        better=figure.better,
        why=why if low is None else "arm minus baseline, in pairs; 95 % bootstrap interval",
        method=figure.arm,
        data=task.name,
        seeds=seeds,
        seconds=seconds,
        version=timeloom.__version__,
        settings={**settings, **figure.settings},
    )


def _found(path: Path, task: Task, seeds: tuple[int, ...], ending: str = "") -> bool:
    return path.exists() and any(
        (r.data, r.seeds) == (task.name, seeds) and r.metric.endswith(ending)
        for r in read_records(path)
    )


def _kept(path: Path, task: Task, seed: int) -> Path:
    return path.parent / "runs" / f"{path.stem}-{task.name.replace(', ', '-')}-{seed}.npz"


def _save(path: Path, said: Mapping[str, Prediction]) -> None:
    one = next(iter(said.values()))
    arrays = {key: prediction.said.astype(np.float32) for key, prediction in said.items()}
    groups = np.arange(len(one.truth)) if one.groups is None else one.groups
    np.savez(path, **arrays, truth=one.truth, groups=groups, rare=one.rare)  # pyright: ignore


def _loaded(path: Path) -> dict[str, Prediction]:
    with np.load(path, allow_pickle=False) as arrays:
        truth, groups, rare = (arrays[name] for name in ("truth", "groups", "rare"))
        keys = [key for key in arrays.files if "/" in key]
        classes = tuple(range(arrays[keys[0]].shape[1]))
        return {key: Prediction(arrays[key], truth, classes, int(rare), groups) for key in keys}
