"""Does TarDiff help on share prices, where the cross-domain report found hardly anything to learn?

Windows of 24 days of open, high, low, close and volume, labelled by the next week's return: up or
down, or one of the rare extremes.
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from timeloom.bench.crossdomain import EXTREME, NASDAQ
from timeloom.bench.market import market_data
from timeloom.bench.ten_grid import grid
from timeloom.bench.ten_page import write_ten_page
from timeloom.bench.ten_steps import Parts, Task
from timeloom.metrics.fidelity.prices import ohlc_violations
from timeloom.metrics.judging import Training

__all__ = ["market_parts", "run", "tasks"]

MOST = 400  # training windows, drawn anew for every seed; all would be 4,796
SEEDS = (0, 1, 2)  # what two cores afford; the full plan has five or more, and all windows
QUICK = 160
CLASSES = {
    "direction": {0: "down", 1: "up"},
    "extreme": {0: "loss", 1: "neutral", 2: "gain"},
}
PUBLISHED = {"direction": NASDAQ, "extreme": EXTREME}
ABOUT = (
    "Windows of 24 days and 5 channels of {source}, prices as logarithms relative to the window's "
    "first close, volumes as logarithms; the label is {label} over the five days after the window. "
    "Split by time with a gap, so that no day of a label is in two parts; edges of classes are of "
    "the training part. {train} training windows, drawn anew for every seed of the {all} there "
    "are, {validation} validation windows, which are the guidance set and choose the judge's "
    "checkpoint, {test} test windows. Resamples keep a company's windows together; what all "
    "companies share on one day makes the true intervals wider than those shown."
)
LABELS = {
    "direction": "whether the close rises",
    "extreme": "whether the return is among the lowest 5 %, the highest 5 %, or neither,",
}


def run(
    quick: bool = False,
    folder: Path = Path("results"),
    part: str = "1/1",
    *,
    data: Path | None = None,
) -> Iterator[str]:
    """Redoes the report's ten steps on both labellings and writes the page.

    Args:
        quick: One seed, few windows and steps: under two minutes on a CPU.
        folder: Where ``nasdaq.jsonl`` is added to and the page is written.
        part: ``"2/3"``: every third cell from the second.
        data: A folder with one CSV per ticker, in place of the set ``nasdaq_5yr``.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N, or the folder cannot be read.
    """
    # Folders of one name elsewhere are other data.
    mark = "" if data is None else f"-{data.resolve().name}-{_digest(data)}"
    path = folder / f"nasdaq{mark}{'-quick' if quick else ''}.jsonl"
    both = tasks(quick, data)
    yield from grid(both, path, part)
    command = "timeloom bench nasdaq" + (" --quick" if quick else "")
    command += "" if data is None else f" --data {data}"
    yield f"page: {write_ten_page(path, both, command)}"


def _digest(data: Path) -> str:
    return hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:6]


def tasks(quick: bool = False, data: Path | None = None) -> list[Task]:
    """Both labellings as the ten steps take them.

    Args:
        quick: Few windows and steps.
        data: As :func:`run` takes it.
    """
    return [_task(label, quick, data) for label in CLASSES]


def market_parts(seed: int, *, label: str, most: int, data: Path | None = None) -> Parts:
    """Training (at most ``most``, drawn by seed), validation and test windows."""
    train, validation, test = market_data(label, data)
    rng = np.random.default_rng([seed, 20419])
    rows = np.sort(rng.permutation(len(train))[:most])
    return train[rows], validation, test


def _task(label: str, quick: bool, data: Path | None) -> Task:
    most = QUICK if quick else MOST
    source = "nasdaq_5yr" if data is None else data.name
    train, validation, test = market_data(label, data)
    return Task(
        name=f"{'nasdaq' if data is None else data.resolve().name}, {label}",
        about=ABOUT.format(
            source=source,
            label=LABELS[label],
            train=min(most, len(train)),
            all=len(train),
            validation=len(validation),
            test=len(test),
        ),
        load=partial(market_parts, label=label, most=most, data=data),
        classes=CLASSES[label],
        one=1,
        published=PUBLISHED[label],
        train_steps=30 if quick else 200,
        judge=Training("resnet", steps=15 if quick else 60, batch=64, checks=5 if quick else 10),
        width=16,
        classifier_steps=30 if quick else 100,
        seeds=(0,) if quick else SEEDS,
        rules={"days that cannot be": ohlc_violations},
    )
