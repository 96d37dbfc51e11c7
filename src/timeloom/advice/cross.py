"""What the probe says of windows it has not seen: with all labels, fewer of them, shuffled ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.advice.layout import Layout, dealt, permuted, splits
from timeloom.advice.probe import Ridge, areas, features, probabilities
from timeloom.metrics.utility.scores import Prediction, resampled

__all__ = ["RESAMPLES", "Crossed", "crossed", "drawn", "shuffled"]

Array = NDArray[Any]

REPEATS = 3  # of the whole cross-validation, each with folds and kernels of its own
PERMUTATIONS = 199
RESAMPLES = 400
PARTS = (1, 2, 4)  # eighths of what is learnt from, for the learning curve
DRAWS = 2  # of these parts per fold


@dataclass(frozen=True)
class Crossed:
    """Out-of-fold outputs of the probe.

    Attributes:
        said: (repeat, window, class) outputs; where they rank high, the class is likely.
        fewer: (part, draw, window, class) the same, learnt from an eighth, a quarter, a half.
        norms: (window,) length of the gradient that each window would send to the probe's weights.
        chance: (permutation,) AUROC with shuffled labels.
        learnt: Windows that the probe learnt from in a fold, on average.
    """

    said: Array
    fewer: Array
    norms: Array
    chance: Array
    learnt: float


def shuffled(layout: Layout, seed: int, rows: Array | None = None) -> Array:
    """(window, permutation) labels for the null, of ``rows`` alone where these are given."""
    rng = np.random.default_rng([seed, 20427])
    whole = slice(None) if rows is None else rows
    return np.stack([permuted(layout, rng)[whole] for _ in range(PERMUTATIONS)], axis=1)


def crossed(x: Array, layout: Layout, null: Array | None = None, *, seed: int) -> Crossed:
    """Cross-validates the probe; nothing is tried on a window that it was learnt from.

    Args:
        x: (window, time, channel), NaN = not measured.
        layout: Classes and folds.
        null: (window, permutation) shuffled labels; None: no null, and no learning curve either.
        seed: Of folds and kernels.
    """
    y, count = layout.y, len(layout.y)
    width = int(y.max()) + 1
    rng = np.random.default_rng([seed, 20422])
    labels = y[:, None] if null is None else np.column_stack([y, null])
    # Where recordings share a clock there are thrice as many folds.
    repeats = 1 if layout.kind == "times" else REPEATS
    said = np.zeros((repeats, count, width))
    fewer = np.zeros((len(PARTS), repeats * DRAWS, count, width))
    norms, chance, learnt = np.zeros(count), np.zeros(labels.shape[1] - 1), []
    for r in range(repeats):
        turned = np.zeros((count, len(chance), width), dtype=np.float32)
        for k, (learn, tried) in enumerate(splits(layout, seed + 1000 * r)):
            seen = features(x, learn, seed + 1000 * r + k)
            out, likely = _one_fold(seen, np.eye(width)[labels[learn]], learn, tried)
            said[r, tried], turned[tried] = out[:, 0], out[:, 1:]
            error = np.linalg.norm(likely - np.eye(width)[y[tried]], axis=1)
            norms[tried] += error * np.sqrt((seen[tried] ** 2).sum(axis=1) + 1) / repeats
            learnt.append(len(learn))
            for draw in range(r * DRAWS, (r + 1) * DRAWS if len(chance) else 0):
                fewer[:, draw, tried] = _with_fewer(seen, layout, learn, tried, rng)
        if len(chance):
            chance += areas(turned, labels[:, 1:]) / repeats
    return Crossed(said, fewer, norms, chance, float(np.mean(learnt)))


def _one_fold(seen: Array, told: Array, learn: Array, tried: Array) -> tuple[Array, Array]:
    """Outputs (tried, labelling, class), and probabilities (tried, class) by the true labels."""
    ridge = Ridge(seen[learn], seen[tried])
    out, kept = ridge.fit(told)
    true = told[:, 0]
    return out, probabilities(ridge.left_out(true, kept[:, 0]), true, out[:, 0])


def drawn(said: Array, y: Array, weights: Array) -> Array:
    """(resample,) AUROC, mean over repeats.

    Args:
        said: (repeat, window, class).
        y: (window,) classes from 0.
        weights: (resample, window) how often each window is drawn.
    """
    classes = tuple(range(said.shape[2]))
    each = [resampled(Prediction(one, y, classes), "auroc", weights) for one in said]
    return np.mean(each, axis=0)


def _with_fewer(
    seen: Array, layout: Layout, learn: Array, tried: Array, rng: np.random.Generator
) -> Array:
    """(part, tried, class) outputs after learning from nested parts of ``learn``."""
    y = layout.y[learn]
    width = int(layout.y.max()) + 1
    unit = layout.unit[learn]
    whole = np.unique(unit)
    if len(whole) < 8 * width:  # too few recordings to leave most of them out
        unit = np.arange(len(learn))
    eighth = dealt(unit, y, 8, rng)
    eighth = rng.permutation(8)[eighth]
    found = []
    for part in PARTS:
        rows = np.flatnonzero(eighth < part)
        rows = rows if len(rows) else np.arange(1)  # of fewer than eight
        out, _ = Ridge(seen[learn[rows]], seen[tried]).fit(np.eye(width)[y[rows]][:, None])
        found.append(out[:, 0])
    return np.stack(found)
