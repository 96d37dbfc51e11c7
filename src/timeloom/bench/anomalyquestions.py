"""What the grid of detectors does not ask: masks, thresholds, kept rates, lags, correlation.

Development recordings and made ones only. Labels are read by the measures and by nothing else; a
detector of a recording learns from 60 % of its training part, so that all thresholds come from
rows that it never saw.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import timeloom
from timeloom.bench.anomaly import hit_rate
from timeloom.bench.anomaly_made import Made, echoes, factor
from timeloom.bench.anomaly_rivals import RIVALS
from timeloom.bench.anomaly_rules import (
    Figures,
    Parts,
    next_block,
    rates_kept,
    rules_on,
    spread_blocks,
)
from timeloom.bench.anomaly_sets import DEVELOPMENT, SETS, Case, cases
from timeloom.bench.anomalyquestions_page import FIGURES, LEVELS, write_questions_page
from timeloom.bench.records import note, share_of
from timeloom.data.sets.folder import rows
from timeloom.metrics.detection import (
    auc_pr,
    auc_roc,
    vus,
)
from timeloom.metrics.record import Record, read_records

__all__ = ["CORRELATIONS", "LAGS", "Cell", "Size", "cells_of", "run"]

Array = NDArray[Any]

SEEDS = 3
MASKS = ("comb", "neighbour", "none")
SPREAD = "comb, spread calibration"
LAGS = (10, 40, 100, 200)
WINDOWS = (64, 256)
NETWORKS = {"U-Net": "series", "transformer": "transformer"}
CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
WHERE = ("channel", "factor")
BESIDE = ("squared z-score", "PCA", "PCA, calibrated")
WINDOW = 32  # time points, of recordings
POINTS = 2_048  # time points per optimiser step, whatever the window
# Small, so that the page takes an hour of one core at most; the same for every arm.
SMALL = {"width": 32, "hop": 16, "validations": 1}
SHIFTED = 30  # time points: the window of VUS, the usual length of a shift


class Size(NamedTuple):
    """How much is trained and asked.

    Attributes:
        steps: Optimiser steps of a detector.
        seeds: How many.
        sets: Of recordings.
        each: Recordings of a set; all where None.
        length: Time points of each part of a made recording.
        masks, lags, windows, correlations: Which.
    """

    steps: int = 300
    seeds: int = SEEDS
    sets: tuple[str, ...] = SETS
    each: int | None = None
    length: int = 4_000
    masks: tuple[str, ...] = MASKS
    lags: tuple[int, ...] = LAGS
    windows: tuple[int, ...] = WINDOWS
    correlations: tuple[float, ...] = CORRELATIONS


WHOLE = Size()
QUICK = Size(
    steps=20, seeds=1, sets=("skab",), each=1, length=2_000, masks=("comb", "none"), lags=(10,),
    windows=(64,), correlations=(0.8,),
)  # fmt: skip


class Cell(NamedTuple):
    """One detector of one recording and seed, and all that it is asked.

    Attributes:
        data: As records call the recording.
        fit: As records call the detector.
        seed: Of its training; of made recordings too.
        measure: Gives the records.
    """

    data: str
    fit: str
    seed: int
    measure: Callable[[], list[Record]]

    @property
    def title(self) -> str:
        """What ``--only`` looks in."""
        return f"{self.data}, {self.fit}, seed {self.seed}"


class Asked(NamedTuple):
    """What the records of a cell share.

    Attributes:
        data: As records call the recording.
        fit: The detector.
        seed: Of its training.
        sizes: Rows, by what they are for.
        known: Of the recording.
    """

    data: str
    fit: str
    seed: int
    sizes: Mapping[str, int]
    known: Mapping[str, Any]

    def keep(self, question: str, method: str, figures: Figures) -> list[Record]:
        """One record per figure; a figure that is a word says why there is none."""
        return [
            Record(
                metric=name,
                value=value if isinstance(value, float) else None,
                why=value if isinstance(value, str) else "",
                better=FIGURES[name].better,
                unit=FIGURES[name].unit,
                method=method,
                data=self.data,
                seeds=(self.seed,),
                sizes=dict(self.sizes),
                version=timeloom.__version__,
                settings={"question": question, "fit": self.fit, **self.known},
            )
            for name, value in figures.items()
        ]


def run(
    quick: bool = False, folder: Path = Path("results"), part: str = "1/1", only: str = ""
) -> Iterator[str]:
    """Measures the cells that have no record yet and writes the page.

    Args:
        quick: One recording, one lag and one correlation, 20 steps: half a minute.
        folder: Where ``anomalyquestions.jsonl`` is added to and the page is written.
        part: ``"1/2"`` takes every second cell, for two processes side by side.
        only: Only cells whose title holds this, such as ``"skab,"``, ``"echo"`` or ``"seed 0"``.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N, or there is nothing to write a page of.
    """
    path = folder / f"anomalyquestions{'-quick' if quick else ''}.jsonl"
    size = QUICK if quick else WHOLE
    first, every = share_of(part)
    planned = cells_of(size)
    for cell in planned[first - 1 :: every]:
        if only in cell.title and not _known(path, cell):
            began = process_time()
            note(path, cell.measure())
            yield f"{cell.title}: {process_time() - began:.0f} CPU seconds"
    if not path.exists():
        raise ValueError(
            f"no cell was measured, so there is no page; expected cells whose title holds {only!r},"
            f" such as {planned[-1].title!r}. Give the folder of sets as TIMELOOM_DATA."
        )
    titles = [(cell.data, cell.fit, cell.seed) for cell in planned]
    yield f"page: {write_questions_page(path, titles, SMALL | {'train_steps': size.steps})}"


def cells_of(size: Size) -> list[Cell]:
    """Every detector that is fitted, seed by seed; sets that are not at hand are left out."""
    return [
        cell
        for seed in range(size.seeds)
        for cells in (_of_recordings(size, seed), _of_echoes(size, seed), _of_factor(size, seed))
        for cell in cells
    ]


def _of_recordings(size: Size, seed: int) -> Iterator[Cell]:
    for name in size.sets:
        try:
            own = [one for one in cases(name) if one.role == DEVELOPMENT][: size.each]
        except ValueError:
            continue
        for case in own:
            for mask in size.masks:
                yield Cell(case.data, mask, seed, partial(_masked, case, mask, size.steps, seed))
            yield Cell(case.data, SPREAD, seed, partial(_spread, case, size.steps, seed))


def _of_echoes(size: Size, seed: int) -> Iterator[Cell]:
    for lag in size.lags:
        for title in NETWORKS:
            for window in size.windows:
                fit = _echo_fit(title, window)
                asked = partial(_echo, lag, title, window, size, seed)
                yield Cell(f"echo, lag {lag}", fit, seed, asked)


def _echo_fit(network: str, window: int) -> str:
    return f"{network}, window {window}"


def _of_factor(size: Size, seed: int) -> Iterator[Cell]:
    for correlation in size.correlations:
        asked = partial(_factor, correlation, size, seed)
        yield Cell(f"factor, correlation {correlation}", "DDMT", seed, asked)


def _known(path: Path, cell: Cell) -> bool:
    wanted = (cell.data, cell.fit, (cell.seed,))
    return path.exists() and any(
        (one.data, one.settings["fit"], one.seeds) == wanted for one in read_records(path)
    )


def _detector(steps: int, seed: int, window: int = WINDOW, **settings: Any) -> Any:
    from timeloom.methods.ddmt import DDMT

    batch = max(4, POINTS // window)
    small: dict[str, Any] = SMALL | settings
    return DDMT(window=window, batch=batch, train_steps=steps, seed=seed, **small)


def _fitted(case: Case, parts: Parts, steps: int, seed: int, **settings: Any) -> Any:
    """A detector that has seen only what ``parts`` gives it to learn from."""
    stretches = [rows(case.train, one, f"rows from {one.start}") for one in parts.train]
    return _detector(steps, seed, **settings).fit(stretches)


def _parts(case: Case, way: Callable[[int, int], Parts]) -> Parts:
    return way(len(case.train), WINDOW)


def _masked(case: Case, mask: str, steps: int, seed: int) -> list[Record]:
    """Question 1; with the comb also questions 2 and 3, which the same detector answers."""
    began, parts = process_time(), _parts(case, next_block)
    one = _fitted(case, parts, steps, seed, mask=mask)
    scores = np.asarray(one.anomaly_scores(case.test))[case.known :]
    labels = case.labels[case.known :]
    keep = _asked(case, mask, seed, parts).keep
    found = keep("1", mask, _apart(labels, scores))
    if mask == "comb":
        normal = np.asarray(one.anomaly_scores(case.train))
        after = slice(parts.calibrate[0].start, len(normal))
        for name, figures in rules_on(case, labels, scores, normal[after], one.threshold_):
            found += keep("2", name, figures)
        for name, figures in rates_kept("next block", parts, normal, one.threshold_):
            found += keep("3", name, figures)
    cost: Figures = {"seconds": process_time() - began}
    return [*found, *keep("cost", mask, cost)]


def _spread(case: Case, steps: int, seed: int) -> list[Record]:
    """Question 3 with calibration rows from the whole training span."""
    began, parts = process_time(), _parts(case, spread_blocks)
    one = _fitted(case, parts, steps, seed)
    normal = np.asarray(one.anomaly_scores(case.train))
    keep = _asked(case, SPREAD, seed, parts).keep
    found = [
        record
        for name, figures in rates_kept("spread blocks", parts, normal, None)
        for record in keep("3", name, figures)
    ]
    cost: Figures = {"seconds": process_time() - began}
    return [*found, *keep("cost", SPREAD, cost)]


def _asked(case: Case, fit: str, seed: int, parts: Parts) -> Asked:
    sizes = {
        "train": sum(one.stop - one.start for one in parts.train),
        "calibrate": sum(one.stop - one.start for one in parts.calibrate),
        "measure": parts.measure.stop - parts.measure.start,
        "test": len(case.test) - case.known,
        "channels": case.test.values.shape[1],
        "blocks": len(parts.calibrate),
    }
    known = {"set": case.set, "case": case.name, "role": case.role}
    return Asked(case.data, fit, seed, sizes, known)


def _apart(labels: Array, scores: Array) -> Figures:
    """How far the errors of abnormal and of normal points are from each other."""
    if labels.all() or not labels.any():
        return dict.fromkeys(("auc", "error_ratio"), "there is one class only")
    wrong, right = scores[labels], scores[~labels]
    middle = float(np.median(right))
    found: Figures = {
        "auc": float(auc_roc(labels, scores)),
        "error_abnormal": float(np.median(wrong)),
        "error_normal": middle,
        "error_ratio": float(np.median(wrong)) / middle if middle > 0 else "normal points have 0",
    }
    for level in LEVELS:
        found[f"beyond_{level}"] = float((wrong > np.quantile(right, level / 100)).mean())
    return found


def _echo(lag: int, network: str, window: int, size: Size, seed: int) -> list[Record]:
    """Question 4: who sees that an echo is missing?"""
    made, began = echoes(lag, seed, size.length), process_time()
    one = _detector(size.steps, seed, window, network=NETWORKS[network]).fit(made.train)
    scores = np.asarray(one.anomaly_scores(made.test))
    taken, fit = process_time() - began, _echo_fit(network, window)
    known = {"lag": lag, "network": network, "window": window}
    keep = Asked(f"echo, lag {lag}", fit, seed, {"test": len(scores)}, known).keep
    found = keep("4", fit, _found(made.labels, scores) | {"seconds": taken})
    if fit == _echo_fit(next(iter(NETWORKS)), size.windows[0]):  # once per lag and seed
        plain = next(rival for rival in RIVALS if rival.name == BESIDE[0])
        beside = plain(made.train.values, made.test.values, seed).points
        found += keep("4", BESIDE[0], _found(made.labels, beside))
        found += keep("4", "random", {"auc_pr": float(made.labels.mean())})
    return found


def _found(labels: Array, scores: Array) -> Figures:
    return {"auc_pr": float(auc_pr(labels, scores)), "auc": float(auc_roc(labels, scores))}


def _factor(correlation: float, size: Size, seed: int) -> list[Record]:
    """Question 5: one detector, asked about shifts in one channel and in all."""
    began, data = process_time(), f"factor, correlation {correlation}"
    parts = {where: factor(correlation, where, seed, size.length) for where in WHERE}
    one, found = _detector(size.steps, seed).fit(parts[WHERE[0]].train), []
    for where, made in parts.items():
        sizes, known = {"test": len(made.test)}, {"correlation": correlation, "where": where}
        keep = Asked(data, "DDMT", seed, sizes, known).keep
        for name, (points, channels) in _said(one, made, seed).items():
            figures = _found(made.labels, points)
            figures["vus_pr"] = float(vus(made.labels, points, window=SHIFTED).pr)
            if where == "channel" and channels is not None:
                figures["hit_rate"] = hit_rate(made.blamed, channels)
            found += keep("5", name, figures)
    cost: Figures = {"seconds": process_time() - began}
    return [*found, *Asked(data, "DDMT", seed, {}, {}).keep("cost", "DDMT", cost)]


def _said(one: Any, made: Made, seed: int) -> dict[str, tuple[Array, Array | None]]:
    """Scores of points and of channels, of a fitted detector and of the rivals beside it."""
    test = made.test
    said: dict[str, tuple[Array, Array | None]] = {
        "DDMT": (np.asarray(one.anomaly_scores(test)), np.asarray(one.channel_scores(test)))
    }
    for rival in RIVALS:
        if rival.name in BESIDE:
            scores = rival(made.train.values, test.values, seed)
            said[rival.name] = scores.points, scores.channels
    return said
