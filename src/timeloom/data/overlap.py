"""Do windows share measured stretches with other windows? Found by hashing runs of time points."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.data.windows import Windows

__all__ = ["repeated", "shared"]

Array = NDArray[Any]

CELLS = 1 << 24  # numbers that are hashed at a time: bounds memory
# Constants of splitmix64; Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
# generators".
STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def shared(windows: Windows | ArrayLike, others: Windows | ArrayLike) -> Array:
    """Which windows hold a stretch of half their length that also occurs in ``others``.

    A stretch is a run of neighbouring time points, at least two, equal in all channels; where it
    begins in either window does not matter, so windows that were cut from one recording with an
    overlap of half are found. A run in which no channel moves does not count: sensors at rest look
    alike everywhere. Values are compared as they are (NaN equals NaN, at the precision of the
    coarser side): windows that were rescaled one by one no longer tell where they come from.

    Args:
        windows: (window, time, channel).
        others: (window, time, channel), the same channels in the same units; windows may be of
            another length, but not below half that of ``windows``.

    Returns:
        (window,) true where a window shares a run with ``others``.

    Raises:
        ValueError: If the shapes do not fit together.
    """
    ours, theirs = _values(windows, "windows"), _values(others, "others")
    run = _run(ours.shape[1])
    if ours.shape[2] != theirs.shape[2]:
        raise ValueError(
            f"both sides must have the same channels; got {ours.shape[2]} and {theirs.shape[2]}. "
            "Leave out what only one side has."
        )
    if not len(ours) or not len(theirs):
        return np.zeros(len(ours), dtype=bool)
    if theirs.shape[1] < run:
        raise ValueError(
            f"others must have at least {run} time points, half of the {ours.shape[1]} of windows; "
            f"got {theirs.shape[1]}. Cut both alike."
        )
    kind = np.float32 if np.float32 in (ours.dtype, theirs.dtype) else np.float64
    known, moving = _runs(theirs, run, kind)
    asked, ours_moving = _runs(ours, run, kind)
    return np.any(np.isin(asked, np.unique(known[moving])) & ours_moving, axis=1)


def repeated(windows: Windows | ArrayLike, groups: ArrayLike | None = None) -> Array:
    """Which windows share a stretch, as :func:`shared` means it, with a window of another group.

    Args:
        windows: (window, time, channel).
        groups: (window,) what tells recordings apart; None: each window is a group of its own.

    Returns:
        (window,) true or false.

    Raises:
        ValueError: If there is not one group per window.
    """
    x = _values(windows, "windows")
    group = np.arange(len(x)) if groups is None else np.asarray(groups)
    if group.shape != (len(x),):
        raise ValueError(f"groups must have shape ({len(x)},), one per window; got {group.shape}.")
    if len(x) < 2:
        return np.zeros(len(x), dtype=bool)
    group = np.unique(group, return_inverse=True)[1]
    marks, moving = _runs(x, _run(x.shape[1]), np.float32 if x.dtype == np.float32 else np.float64)
    _, which = np.unique(marks, return_inverse=True)
    which = which.reshape(marks.shape)
    owner = np.broadcast_to(group[:, None], marks.shape)
    least = np.full(which.max() + 1, len(x))
    most = np.full(which.max() + 1, -1)
    np.minimum.at(least, which, owner)
    np.maximum.at(most, which, owner)
    return np.any((least < most)[which] & moving, axis=1)


def _run(length: int) -> int:
    return max(2, -(-length // 2))


def _values(windows: Windows | ArrayLike, name: str) -> Array:
    x = windows.x if isinstance(windows, Windows) else np.asarray(windows)
    if x.ndim != 3:
        raise ValueError(
            f"{name} must have shape (window, time, channel); got {x.shape}. For one channel pass "
            "x[:, :, None]."
        )
    return x if x.dtype == np.float32 else x.astype(np.float64, copy=False)


def _runs(x: Array, run: int, kind: Any) -> tuple[Array, Array]:
    """(window, start) a hash of each run, and whether any channel moves within it."""
    count, length, channels = x.shape
    starts = max(0, length - run + 1)
    marks = np.empty((count, starts), np.uint64)
    moving = np.empty((count, starts), bool)
    size = max(1, CELLS // max(1, length * channels))
    for begin in range(0, count, size):
        part = slice(begin, begin + size)
        points = _points(x[part].astype(kind))
        marks[part] = _rolled(points, run)
        changed = np.cumsum(points[:, 1:] != points[:, :-1], axis=1)
        changed = np.concatenate([np.zeros((len(points), 1), changed.dtype), changed], axis=1)
        moving[part] = changed[:, run - 1 :] > changed[:, :starts]
    return marks, moving


def _points(x: Array) -> Array:
    """(window, time) one hash per time point; 64 bits, so that chance equals are no concern."""
    x = np.where(x == 0, 0.0, x).astype(np.float64)  # -0 is 0
    bits = np.where(np.isnan(x), np.nan, x).view(np.uint64)  # every NaN alike
    with np.errstate(over="ignore"):
        keys = np.arange(1, x.shape[2] + 1, dtype=np.uint64) * np.uint64(STEP)
        return _mixed(_mixed(bits + keys).sum(axis=2, dtype=np.uint64))


def _mixed(z: Array) -> Array:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(SECOND)
    return z ^ (z >> np.uint64(31))


def _rolled(points: Array, run: int) -> Array:
    """Hash of every run: a polynomial in an odd number, whose inverse modulo 2^64 exists.

    With the sums S_k = sum over j < k of point_j B^j, the run that begins at i has the hash
    (S_{i + run} - S_i) B^{-i}, which does not depend on i.
    """
    length = points.shape[1]
    with np.errstate(over="ignore"):
        power = [pow(STEP, j, 1 << 64) for j in range(length)]
        sums = np.cumsum(points * np.array(power, np.uint64), axis=1, dtype=np.uint64)
        sums = np.concatenate([np.zeros((len(points), 1), np.uint64), sums], axis=1)
        back = [pow(STEP, -j, 1 << 64) for j in range(length - run + 1)]
        return (sums[:, run:] - sums[:, : length - run + 1]) * np.array(back, np.uint64)
