"""What has long been done about a rare class without any generator: copies, lines, noise."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows, concatenate
from timeloom.metrics.discriminator import standardise

__all__ = ["interpolated", "jittered", "oversampled", "warped"]

Array = NDArray[Any]
Change = Callable[[Array, np.random.Generator], Array]

NEIGHBOURS = 5
NOISE, SIZE = 0.05, 0.1  # of jitter, in units of the spread of a channel; of the factor, round 1
BENDS, BENT = 4, 0.2  # how often the pace of time is drawn, and how far it strays from 1


def oversampled(train: Windows, counts: Mapping[int, int], seed: int) -> Windows:
    """Copies of windows, drawn with replacement.

    Args:
        train: Windows with classes in ``y``.
        counts: How many windows of each class are wanted.
        seed: Which ones.

    Returns:
        The new windows alone, class by class, each a recording of its own.

    Raises:
        ValueError: If ``train`` holds no window of a class that is wanted.
    """
    return _made(train, counts, seed, lambda x, rng: x)


def jittered(train: Windows, counts: Mapping[int, int], seed: int) -> Windows:
    """As :func:`oversampled`, with noise at every point and another size.

    Noise of 5 % of each channel's spread; each channel of a window is stretched about its mean in
    the training windows by a factor of 1 ± .1. Source: jittering and scaling of Um et al. 2017
    (arXiv 1706.00527), their sizes.
    """
    center = np.nanmean(train.x, axis=(0, 1))
    spread = np.nanstd(train.x, axis=(0, 1))

    def change(x: Array, rng: np.random.Generator) -> Array:
        factor = 1 + SIZE * rng.standard_normal((len(x), 1, x.shape[2]))
        return center + factor * (x - center) + NOISE * spread * rng.standard_normal(x.shape)

    return _made(train, counts, seed, change)


def warped(train: Windows, counts: Mapping[int, int], seed: int) -> Windows:
    """As :func:`oversampled`, read at another pace: faster here, slower there.

    Both ends stay. Source: time-warping of Um et al. 2017 (arXiv 1706.00527), with linear pieces
    in place of splines.
    """

    def change(x: Array, rng: np.random.Generator) -> Array:
        length = x.shape[1]
        grid, knots = np.arange(length), np.linspace(0, length - 1, BENDS)
        out = np.empty_like(x)
        for i, one in enumerate(x):
            # A pace near 0 would hold the window still.
            drawn = np.maximum(0.2, 1 + BENT * rng.standard_normal(BENDS))
            clock = np.cumsum(np.interp(grid, knots, drawn))
            clock = (clock - clock[0]) / (clock[-1] - clock[0]) * (length - 1)
            out[i] = np.stack([np.interp(clock, grid, column) for column in one.T], axis=1)
        return out

    return _made(train, counts, seed, change)


def interpolated(
    train: Windows, counts: Mapping[int, int], seed: int, *, neighbours: int = NEIGHBOURS
) -> Windows:
    """Points on the line between a window and one of its nearest of the same class.

    Near is Euclidean over all points, channels standardised by ``train``. A class of one window
    gives copies. Source: SMOTE (Chawla et al. 2002). Our own lines and not imbalanced-learn's: that
    wants flat rows, scaled beforehand, and more windows of a class than neighbours.

    Args:
        train: As for :func:`oversampled`, and its errors.
        counts: How many of each class.
        seed: Which windows, which neighbours, where on the line.
        neighbours: Among how many nearest ones the other end is drawn; fewer where a class is
            smaller.
    """

    def change(x: Array, rng: np.random.Generator, own: Array) -> Array:
        flat, theirs = (one.reshape(len(one), -1) for one in standardise(x, own, by=train.x))
        apart = np.square(flat[:, None] - theirs[None]).sum(axis=2)
        # The nearest is the window itself.
        near = np.argsort(apart, axis=1, kind="stable")[:, 1 : neighbours + 1]
        if not near.shape[1]:
            return x
        other = own[near[np.arange(len(x)), rng.integers(0, near.shape[1], len(x))]]
        return x + rng.uniform(size=(len(x), 1, 1)) * (other - x)

    y = np.asarray(train.y)
    parts = []
    for label, count in counts.items():
        own = train.x[y == label]
        parts.append(
            _made(train, {label: count}, seed, lambda x, rng, own=own: change(x, rng, own))
        )
    return _as_new(concatenate(parts))


def _made(train: Windows, counts: Mapping[int, int], seed: int, change: Change) -> Windows:
    y = np.asarray(train.y)
    parts = []
    for label, count in counts.items():
        there = np.flatnonzero(y == label)
        if count and not len(there):
            raise ValueError(
                f"{count} windows of class {label} are wanted, and the training windows hold none; "
                f"they hold {np.unique(y).tolist()}."
            )
        rng = np.random.default_rng([seed, int(label), 20416])
        rows = there[rng.integers(0, len(there), count)] if count else there[:0]
        x = change(train.x[rows].astype(np.float64), rng) if count else train.x[rows]
        parts.append(replace(train[rows], x=x.astype(train.x.dtype)))
    return _as_new(concatenate(parts))


def _as_new(windows: Windows) -> Windows:
    count = np.arange(len(windows))
    return replace(windows, series=count, start=np.zeros(len(windows), dtype=np.int64))
