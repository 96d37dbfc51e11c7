"""Does TarDiff help on Wafer, on which the cross-domain report says that it does?

UCR Wafer: one sensor of a vacuum chamber in which semiconductors are etched, 24 time points by
linear resampling; about a tenth of the training windows are abnormal.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np

from timeloom.bench.crossdomain import WAFER
from timeloom.bench.ten_grid import grid
from timeloom.bench.ten_page import write_ten_page
from timeloom.bench.ten_steps import Parts, Task, Wanted
from timeloom.data.resample import resample
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Series, Windows, cut
from timeloom.metrics.judging import Training

__all__ = ["run", "task", "wafer_windows"]

LENGTH = 24
HELD = 0.1  # of each class of the canonical training set: the validation windows
PUBLISHED_TEST = 6164
NORMAL, ABNORMAL = "1", "-1"
ABOUT = (
    "UCR Wafer, {length} time points by linear resampling of 152. The canonical training set is "
    "split by class, anew for every seed: {train} training windows and {validation} validation "
    "windows, which are the guidance set and choose the judge's checkpoint. Test: the canonical "
    "test set, {test} windows (of the {published} in the archive, whose first is not at hand)."
)


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """Redoes the report's ten steps on Wafer and writes the page.

    Args:
        quick: One seed, a tenth of the steps and of the test windows: two minutes on a CPU.
        folder: Where ``wafer.jsonl`` is added to and the page is written.
        part: ``"2/3"``: every third cell from the second.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N.
    """
    path = folder / ("wafer-quick.jsonl" if quick else "wafer.jsonl")
    one = task(quick)
    yield from grid([one], path, part)
    command = "timeloom bench wafer" + (" --quick" if quick else "")
    yield f"page: {write_ten_page(path, [one], command)}"


def task(quick: bool = False) -> Task:
    """Wafer as the ten steps take it."""
    train, validation, test = wafer_windows(0, quick)
    return Task(
        name="wafer",
        about=ABOUT.format(
            length=LENGTH,
            train=len(train),
            validation=len(validation),
            test=len(test),
            published=PUBLISHED_TEST,
        ),
        load=lambda seed: wafer_windows(seed, quick),
        classes={NORMAL: "normal", ABNORMAL: "abnormal"},
        one=ABNORMAL,  # 1 in the report
        published=WAFER,
        train_steps=40 if quick else 700,
        judge=Training("resnet", steps=25 if quick else 200, batch=64, checks=5 if quick else 10),
        width=16 if quick else 32,
        classifier_steps=40 if quick else 400,
        seeds=(0,) if quick else (0, 1, 2, 3, 4),
        wanted=(
            Wanted("real", "baseline", 0.99),
            Wanted("unguided", "tstr", 0.95),
            Wanted("unguided", "mixed", 0.9904),
            Wanted("unguided", "tsrtr", 0.9960),
            Wanted("guided 0.1", "tstr", 0.95),
            Wanted("guided 0.1", "mixed", 0.9904),
            Wanted("guided 0.1", "tsrtr", 0.9960),
        ),
    )


def wafer_windows(seed: int, quick: bool = False) -> Parts:
    """Training, validation and test windows (window, 24, 1).

    Args:
        seed: Which of the canonical training windows are held back for validation.
        quick: A quarter of the training and a tenth of the test windows.
    """
    found = cast(tuple[list[Series], list[Series]], load_dataset("ucr_wafer"))
    known, test = (resample(cut(part, len(part[0])), LENGTH) for part in found)
    held = _some(known, HELD, seed)
    train, validation = known[np.setdiff1d(np.arange(len(known)), held)], known[held]
    if quick:
        train, test = train[_some(train, 1 / 4, 0)], test[_some(test, 0.1, 0)]
    return train, validation, test


def _some(windows: Windows, share: float, seed: int) -> np.ndarray:
    """Rows of a share of every class, in the order of the set."""
    rng, y = np.random.default_rng([seed, 20418]), np.asarray(windows.y)
    rows = [rng.permutation(np.flatnonzero(y == label)) for label in np.unique(y)]
    return np.sort(np.concatenate([one[: round(share * len(one))] for one in rows]))
