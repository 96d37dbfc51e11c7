"""What in the windows themselves stands in the way: repeats, gaps, wild values, leaks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.overlap import repeated, shared
from timeloom.data.windows import Windows

__all__ = ["Feasible", "feasible"]

Array = NDArray[Any]

TAIL = 30.0  # robust spreads from the median, from which a channel is said to have heavy tails
POINTS = 2_000_000  # values per channel that its spread is taken of


@dataclass(frozen=True)
class Feasible:
    """What was found.

    Attributes:
        constant: Channels that never move.
        heavy: Channels that reach beyond 30 of their usual spreads, and how far.
        scales: Largest spread of a channel over the smallest.
        missing: Share of the values that were not measured.
        duplicates: Windows that equal an earlier one, value for value.
        contradictions: Those whose labels differ all the same.
        repeated: Share of the windows that hold half of a window of another recording.
        shared: Test windows that hold half of a training window; None without a test set.
        both_sides: Recordings, named by words, that training and test windows have in common.
    """

    constant: tuple[str, ...] = ()
    heavy: dict[str, float] = field(default_factory=dict)
    scales: float = 1.0
    missing: float = 0.0
    duplicates: int = 0
    contradictions: int = 0
    repeated: float = 0.0
    shared: int | None = None
    both_sides: tuple[str, ...] = ()


def feasible(windows: Windows, y: Array, test: Windows | None) -> Feasible:
    """Looks at every training window, and at which test windows are among them."""
    spreads, heavy, constant = [], {}, []
    step = max(1, windows.x[:, :, 0].size // POINTS)
    for c, name in enumerate(windows.channels):
        column = windows.x[:, :, c].astype(np.float64)
        column = column[~np.isnan(column)]
        if column.min() == column.max():
            constant.append(name)
            continue
        spreads.append(float(column.std()))
        quarter, middle, three = np.quantile(column[::step], [0.25, 0.5, 0.75])
        usual = (three - quarter) / 1.349  # of a Gaussian: its standard deviation
        reach = float(np.abs(column - middle).max())
        if usual > 0 and reach > TAIL * usual:
            heavy[name] = reach / usual
    again, against = _duplicates(windows.x, y)
    both = None if test is None else shared(test, windows)
    return Feasible(
        tuple(constant),
        heavy,
        max(spreads) / max(min(spreads), 1e-300) if spreads else 1.0,
        float(np.isnan(windows.x).mean()),
        again,
        against,
        float(repeated(windows, windows.series).mean()),
        None if both is None else int(both.sum()),
        () if test is None else _common(windows, test),
    )


def _duplicates(x: Array, y: Array) -> tuple[int, int]:
    rows = np.ascontiguousarray(np.where(np.isnan(x), np.nan, x)).reshape(len(x), -1)
    rows = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)
    again = np.arange(len(x)) != first[which]
    return int(again.sum()), int((again & (y != y[first[which]])).sum())


def _common(windows: Windows, test: Windows) -> tuple[str, ...]:
    """Numbers are no names: the first recording of one file is not the first of another."""
    if windows.series.dtype.kind != "U" or test.series.dtype.kind != "U":
        return ()
    return tuple(map(str, np.intersect1d(windows.series, test.series)))
