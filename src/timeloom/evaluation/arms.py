"""Which windows meet which: equal sizes, equal labels, whole recordings on one side."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.evaluation.gaussian import gaussian_like
from timeloom.metrics.discriminator import folds_by_group

__all__ = [
    "Arms",
    "Part",
    "check",
    "deal",
    "equalise",
    "guess_task",
    "halves",
    "label_bins",
    "recordings",
]

Array = NDArray[Any]

FEWEST = 10  # windows a side below which nothing is measured
FOLDS = 5  # of the judges that tell real from synthetic; each needs a recording of its own
GROUPS = 10  # fewer recordings than this are cut into blocks of time for the judges' folds


@dataclass(frozen=True)
class Part:
    """Some windows with their recordings: ``x`` (window, time, channel), ``groups`` (window,)."""

    x: Array
    groups: Array
    y: Array | None


@dataclass(frozen=True)
class Arms:
    """The sides of every comparison for one seed, all of one size and one label distribution.

    Attributes:
        real: Held-out real windows.
        synthetic: Synthetic ones.
        copy: Training windows: the copy machine.
        gaussian: Drawn from a Gaussian with the means and all covariances of ``copy``.
        first: Real windows of half of the recordings; None where real has no two such halves.
        second: Real windows of the other half.
    """

    real: Part
    synthetic: Part
    copy: Part
    gaussian: Part
    first: Part | None
    second: Part | None


def check(real: Windows, synthetic: Windows, reference: Windows | None) -> None:
    """Refuses what cannot be compared.

    Raises:
        ValueError: If shapes or channel names differ, or values are infinite, or labels are NaN.
    """
    sides = {"real": real, "synthetic": synthetic, "reference": reference}
    for name, side in sides.items():
        if side is None:
            continue
        if not isinstance(side, Windows):
            raise ValueError(
                f"{name} must be Windows; got {type(side).__name__}. Wrap arrays: "
                "timeloom.Windows(x, y), with x of shape (window, time, channel)."
            )
        if side.shape != real.shape:
            raise ValueError(
                f"{name} windows must be {real.shape[0]} time points x {real.shape[1]} channels as "
                f"the real ones are; got {side.shape[0]} x {side.shape[1]}. Cut both alike."
            )
        if side.channels != real.channels and not _unnamed(side) and not _unnamed(real):
            other = [a for a, b in zip(side.channels, real.channels, strict=True) if a != b]
            raise ValueError(
                f"{name} windows must have the channels {', '.join(real.channels)} in this order; "
                f"got {', '.join(map(repr, other[:5]))} instead. Order or rename them."
            )
        if np.isinf(side.x).any():
            raise ValueError(f"{name} windows hold inf; replace it by NaN (not measured).")
        empty = np.isnan(side.x).all(axis=(0, 1)) if len(side) else np.zeros(1, dtype=bool)
        if empty.any():
            lost = ", ".join(np.array(side.channels)[empty])
            raise ValueError(f"{name} windows hold no value in {lost}; leave these channels out.")
        if side.y is not None and side.y.dtype.kind == "f" and np.isnan(side.y).any():
            raise ValueError(
                f"labels must be known; {int(np.isnan(side.y).sum())} of {len(side)} {name} "
                "windows have NaN. Leave these windows or all labels out."
            )


def guess_task(*labels: Array | None) -> str | None:
    """``"classify"`` for words, truth values or at most 20 distinct whole numbers, else
    ``"regress"``; None where any of ``labels`` is missing.

    Raises:
        ValueError: If some labels are numbers and others are not.
    """
    known = [np.asarray(y) for y in labels if y is not None]
    if not known or len(known) < len(labels):
        return None
    words = [y.dtype.kind not in "biuf" for y in known]
    if any(words) and not all(words):
        raise ValueError("labels must be of one kind; got numbers on one side, words on the other.")
    if all(words) or all(y.dtype.kind == "b" for y in known):
        return "classify"
    pooled = np.unique(np.concatenate([y.astype(float) for y in known]))
    whole = bool(np.all(pooled == np.round(pooled)))
    return "classify" if whole and len(pooled) <= 20 else "regress"


def recordings(windows: Windows) -> Array:
    """(window,) the recording of each window; few recordings are cut into blocks of time.

    Blocks of one recording touch: the last window of one may share time points with the first of
    the next. That is the least evil where there are fewer than ten recordings.
    """
    names, which = np.unique(windows.series, return_inverse=True)
    blocks = -(-GROUPS // max(len(names), 1))
    if blocks == 1 or not len(windows):
        return which
    first = np.full(len(names), np.iinfo(np.int64).max)
    last = np.zeros(len(names), dtype=np.int64)
    np.minimum.at(first, which, windows.start)
    np.maximum.at(last, which, windows.start)
    span = (last - first)[which] + 1
    return which * blocks + (windows.start - first[which]) * blocks // span


def halves(windows: Windows, seed: int) -> tuple[Array, Array]:
    """Rows of two halves that share no recording; of one recording, no time point."""
    if len(np.unique(windows.series)) >= 2:
        side = folds_by_group(windows.series, len(windows), 2, seed)
        return np.flatnonzero(side == 0), np.flatnonzero(side == 1)
    end = windows.start + windows.shape[0]
    middle = (windows.start.min() + end.max()) / 2 if len(windows) else 0
    return np.flatnonzero(end <= middle), np.flatnonzero(windows.start >= middle)


def label_bins(labels: list[Array], task: str | None) -> list[Array]:
    """For each set of labels the bin of each: its class, or one of up to ten ranges of values."""
    pooled = np.concatenate(labels)
    if task == "classify":
        _, which = np.unique(pooled, return_inverse=True)
    else:
        count = int(np.clip(min(map(len, labels)) // 20, 1, 10))
        edges = np.unique(np.quantile(labels[0], np.arange(1, count) / count))
        which = np.searchsorted(edges, pooled, side="right")
    return np.split(which, np.cumsum([len(y) for y in labels])[:-1])


def deal(
    real: Windows,
    synthetic: Windows,
    reference: Windows,
    *,
    task: str | None,
    limit: int,
    seed: int,
) -> Arms:
    """Draws the sides of one seed, with the same number of windows in each bin of labels.

    A synthetic set that stresses rare labels is thereby not punished for having more of them. Where
    real windows have gaps and synthetic ones have none, the synthetic ones get the same gaps, or
    a judge would see nothing else.

    Args:
        real: Held-out real windows.
        synthetic: Synthetic windows.
        reference: Training windows.
        task: ``"classify"`` or ``"regress"``: how labels are binned; None: labels are not used.
        limit: Windows a side at most.
        seed: Decides every draw.
    """
    rng = np.random.default_rng([seed, 20407])
    sides = [real, synthetic, reference]
    rows = [np.arange(len(side)) for side in sides]
    groups = [recordings(side) for side in sides]
    bins = [np.zeros(len(side), dtype=int) for side in sides]
    if task is not None and min(map(len, sides)):
        bins = label_bins([np.asarray(side.y) for side in sides], task)
    split = [rows[0][half] for half in halves(real, seed)]
    floors = _common([*bins, *(bins[0][half] for half in split)], limit)
    alone = _common(bins, limit)
    has_floor = floors.sum() >= FEWEST
    counts = floors if has_floor else alone
    parts = [
        _draw(side, which, group, row, counts, rng)
        for side, which, group, row in zip(sides, bins, groups, rows, strict=True)
    ]
    pair: list[Part | None] = [None, None]
    if has_floor:
        pair = [_draw(real, bins[0], groups[0], half, counts, rng) for half in split]
    size = len(parts[2].x)
    drawn = Part(gaussian_like(parts[2].x, size, rng), np.arange(size), parts[2].y)
    synthetic, gaussian = (_same_gaps(part, parts[0]) for part in (parts[1], drawn))
    return Arms(parts[0], synthetic, parts[2], gaussian, pair[0], pair[1])


def equalise(sides: list[Windows], task: str | None, *, limit: int, seed: int) -> list[Windows]:
    """Windows of every side, the same number and with the same labels, for pictures."""
    bins = [np.zeros(len(side), dtype=int) for side in sides]
    if task is not None and min(map(len, sides)):
        bins = label_bins([np.asarray(side.y) for side in sides], task)
    counts = _common(bins, limit)
    rng = np.random.default_rng([seed, 20408])
    return [
        side[_rows(which, np.arange(len(side)), counts, rng)]
        for side, which in zip(sides, bins, strict=True)
    ]


def _common(bins: list[Array], limit: int) -> Array:
    size = max((int(one.max()) + 1 for one in bins if len(one)), default=1)
    counts = np.min([np.bincount(one, minlength=size) for one in bins], axis=0)
    total = counts.sum()
    return counts if total <= limit else counts * limit // total


def _draw(
    side: Windows, bins: Array, groups: Array, among: Array, counts: Array, rng: np.random.Generator
) -> Part:
    rows = _rows(bins, among, counts, rng)
    groups = groups[rows]
    if len(np.unique(groups)) < FOLDS:
        # The draw may leave one of many recordings; its blocks of time can still be told apart.
        groups = recordings(side[rows])
    return Part(side.x[rows], groups, None if side.y is None else side.y[rows])


def _rows(bins: Array, among: Array, counts: Array, rng: np.random.Generator) -> Array:
    # Bin after bin: row i of every side is of the same bin, which _same_gaps relies on.
    chosen = [
        rng.choice(among[bins[among] == one], count, replace=False)
        for one, count in enumerate(counts)
        if count
    ]
    return np.concatenate(chosen) if chosen else np.empty(0, dtype=int)


def _same_gaps(synthetic: Part, real: Part) -> Part:
    gaps = np.isnan(real.x)
    if not gaps.any() or np.isnan(synthetic.x).any():
        return synthetic
    return Part(np.where(gaps, np.nan, synthetic.x), synthetic.groups, synthetic.y)


def _unnamed(windows: Windows) -> bool:
    return windows.channels == tuple(f"c{i}" for i in range(windows.shape[1]))
