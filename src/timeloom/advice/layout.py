"""How windows hang together: which may be parted, drawn again, or given each other's labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows

__all__ = ["Layout", "dealt", "lay_out", "permuted", "splits", "taken"]

Array = NDArray[Any]
Split = tuple[Array, Array]

FOLDS = 5
BLOCKS = 20  # of time, where there are too few recordings to part
CELLS = 4  # folds of recordings times folds of time, where recordings share a clock
TOGETHER = 0.8  # share of recordings that end at about the same time, where they share a clock
ROTATIONS = 30  # rotated labels beside which the agreement of recordings is seen


@dataclass(frozen=True)
class Layout:
    """What belongs together among labelled windows.

    Attributes:
        kind: ``"windows"``: each is a recording of its own. ``"recordings"``: folds hold whole
            recordings. ``"blocks"``: there are too few recordings, so folds hold blocks of time.
            ``"times"``: windows of the same time in different recordings tend to have the same
            label, so a window is tried on other recordings *and* other times.
        y: (window,) classes from 0.
        series: (window,) recordings from 0.
        start: (window,) where each window begins.
        length: Time points per window.
        unit: (window,) what is drawn as one in a bootstrap, from 0.
        clock: (window,) blocks of time from 0, for ``"times"`` alone.
    """

    kind: str
    y: Array
    series: Array
    start: Array
    length: int
    unit: Array
    clock: Array | None = None


def lay_out(windows: Windows, y: Array) -> Layout:
    """Finds out what belongs together; ``y`` holds classes from 0."""
    series = np.unique(windows.series, return_inverse=True)[1]
    start, length = windows.start.astype(np.int64), windows.shape[0]
    common = {"y": y, "series": series, "start": start, "length": length}
    count = int(series.max()) + 1
    if count == len(y):
        return Layout("windows", unit=series, **common)
    holders = [len(np.unique(series[y == c])) for c in range(int(y.max()) + 1)]
    if count < FOLDS or min(holders) < 2:
        return Layout("blocks", unit=_blocks(series, start), **common)
    moment = np.unique((start - start.min()) // length, return_inverse=True)[1]
    # In shorter recordings, nothing would be left to learn from at other times.
    shared = moment.max() + 1 >= BLOCKS and _end_together(series, start, length)
    if shared and _agree_in_time(y, series, start):
        clock = np.unique(start, return_inverse=True)[1]
        clock = clock * 2 * CELLS // (int(clock.max()) + 1)
        return Layout("times", unit=moment, clock=clock, **common)
    return Layout("recordings", unit=series, **common)


def splits(layout: Layout, seed: int) -> list[Split]:
    """(rows to learn from, rows to try) of every fold; each window is tried once."""
    rng = np.random.default_rng([seed, 20420])
    if layout.kind != "times":
        fold = dealt(layout.unit, layout.y, FOLDS, rng)
        return [_parted(layout, fold != k, fold == k) for k in range(FOLDS) if (fold == k).any()]
    who = dealt(layout.series, layout.y, CELLS, rng)
    when = dealt(np.asarray(layout.clock), layout.y, CELLS, rng)
    cells = [(i, j) for i in range(CELLS) for j in range(CELLS)]
    tried = [(who == i) & (when == j) for i, j in cells]
    learnt = [(who != i) & (when != j) for i, j in cells]
    return [_parted(layout, a, b) for a, b in zip(learnt, tried, strict=True) if b.any()]


def dealt(unit: Array, y: Array, folds: int, rng: np.random.Generator) -> Array:
    """(window,) folds from 0: whole units, every class spread as evenly as these allow."""
    names, which = np.unique(unit, return_inverse=True)
    if len(names) == len(unit):
        order = rng.permutation(len(y))
        order = order[np.argsort(y[order], kind="stable")]
        fold = np.empty(len(y), dtype=int)
        fold[order] = np.arange(len(y)) % folds
        return fold
    counts = np.zeros((len(names), int(y.max()) + 1))
    np.add.at(counts, (which, y), 1)
    counts /= np.maximum(counts.sum(axis=0), 1)  # the share of each class that a unit holds
    order = rng.permutation(len(names))
    order = order[np.argsort(-counts[order].max(axis=1), kind="stable")]
    filled = np.zeros((folds, counts.shape[1]))
    of = np.empty(len(names), dtype=int)
    for one in order:
        # Squares grow least where the classes of this unit are still scarce.
        grown = (2 * filled @ counts[one]) + 1e-9 * filled.sum(axis=1)
        of[one] = int(np.argmin(grown))
        filled[of[one]] += counts[one]
    return of[which]


def taken(layout: Layout, rows: Array) -> Layout:
    """The layout of some of the windows; what is empty without the others is gone."""
    unit, series = (
        np.unique(one[rows], return_inverse=True)[1] for one in (layout.unit, layout.series)
    )
    clock = None if layout.clock is None else layout.clock[rows]
    return Layout(
        layout.kind, layout.y[rows], series, layout.start[rows], layout.length, unit, clock
    )


def permuted(layout: Layout, rng: np.random.Generator) -> Array:
    """(window,) the same labels on other windows, as neighbours in time keep theirs together.

    Windows of their own: any to any. Recordings of one label each: from recording to recording.
    Otherwise the labels of all recordings, one after another, are rotated, in a random order of
    recordings. Recordings that share a clock get those of another recording, all from a time as
    much later (beyond the end: from the beginning), so that what they have in common stays so.
    """
    y, series = layout.y, layout.series
    if layout.kind == "windows":
        return rng.permutation(y)
    order = np.lexsort((layout.start, series))
    if layout.kind == "times":
        return y[_at_another_time(layout, order, rng)]
    rows = np.split(order, np.flatnonzero(np.diff(series[order])) + 1)
    if layout.kind == "recordings" and all((y[one] == y[one[0]]).all() for one in rows):
        return rng.permutation([y[one[0]] for one in rows])[series]
    told = np.concatenate([y[rows[k]] for k in rng.permutation(len(rows))])
    found = np.empty_like(y)
    found[order] = np.roll(told, int(rng.integers(1, max(2, len(y)))))
    return found


def _at_another_time(layout: Layout, order: Array, rng: np.random.Generator) -> Array:
    """(window,) rows whose labels each window gets: of its partner, nearest to a later time."""
    series, since = layout.series, layout.start - layout.start.min()
    span = int(since.max()) + layout.length
    shift = int(rng.integers(layout.length, max(layout.length + 1, span - layout.length)))
    partner = rng.permutation(int(series.max()) + 1)[series]
    key = series[order] * (2 * span) + since[order]
    asked = partner * (2 * span) + (since + shift) % span
    first = np.searchsorted(series[order], partner)
    last = np.searchsorted(series[order], partner, side="right") - 1
    right = np.clip(np.searchsorted(key, asked), first, last)
    left = np.maximum(right - 1, first)
    nearer = np.abs(key[left] - asked) <= np.abs(key[right] - asked)
    return order[np.where(nearer, left, right)]


def _parted(layout: Layout, learn: Array, tried: Array) -> Split:
    """Rows of both sides, without what neighbours in time would give away."""
    if layout.kind in ("windows", "recordings"):
        return np.flatnonzero(learn), np.flatnonzero(tried)
    keep = learn.copy()
    if layout.kind == "times":  # a label may look ahead, so twice the length is left out
        keep &= _distance(layout.start, layout.start[tried]) >= 2 * layout.length
    else:
        for one in np.unique(layout.series[tried]):
            own = layout.series == one
            keep[own] &= _distance(layout.start[own], layout.start[own & tried]) >= layout.length
    # Blocks that are no longer than a window would leave nothing to learn from.
    return np.flatnonzero(keep if keep.any() else learn), np.flatnonzero(tried)


def _distance(start: Array, others: Array) -> Array:
    """From each start to the nearest of ``others``."""
    others = np.unique(others)
    right = np.clip(np.searchsorted(others, start), 0, len(others) - 1)
    left = np.maximum(right - 1, 0)
    return np.minimum(abs(others[right] - start), abs(others[left] - start))


def _by_recording(series: Array, start: Array) -> list[Array]:
    order = np.lexsort((start, series))
    return np.split(order, np.flatnonzero(np.diff(series[order])) + 1)


def _blocks(series: Array, start: Array) -> Array:
    rows = _by_recording(series, start)
    each = -(-BLOCKS // len(rows))
    unit = np.empty(len(series), dtype=int)
    for k, one in enumerate(rows):
        unit[one] = k * each + np.arange(len(one)) * each // len(one)
    return np.unique(unit, return_inverse=True)[1]


def _end_together(series: Array, start: Array, length: int) -> bool:
    """Whether most recordings end within a window of each other, as those of one clock do.

    Runs to failure do not: there cycle 150 of two machines is no moment that they share, and labels
    agree for the reason that both are old.
    """
    last = np.zeros(int(series.max()) + 1, dtype=np.int64)
    np.maximum.at(last, series, start - start.min())
    return bool((np.abs(last - np.median(last)) <= length).mean() >= TOGETHER)


def _agree_in_time(y: Array, series: Array, start: Array) -> bool:
    """Whether windows that begin at the same time share labels more often than rotated ones."""
    _, when, beside = np.unique(start, return_inverse=True, return_counts=True)
    if (beside[when] > 1).mean() < 0.5:
        return False
    rows = [one for one in _by_recording(series, start) if len(one) > 1]
    rng = np.random.default_rng(20421)
    turned = y.copy()
    drawn = []
    for _ in range(ROTATIONS):
        for one in rows:
            turned[one] = np.roll(y[one], int(rng.integers(len(one))))
        drawn.append(_agreement(turned, when))
    return _agreement(y, when) > max(drawn)


def _agreement(y: Array, when: Array) -> float:
    counts = np.zeros((int(when.max()) + 1, int(y.max()) + 1))
    np.add.at(counts, (when, y), 1)
    return float((counts**2 / counts.sum(axis=1, keepdims=True)).sum())
