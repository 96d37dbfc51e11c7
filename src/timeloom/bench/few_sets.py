"""Which windows may a generator of few windows learn from, and which judge it? Eight sets.

None of them is in the corpus that the shipped weights were trained on. A long series is cut into
blocks that are, in turn, for training and held out, because two halves of it would differ by drift
more than by anything that a generator does. Between two blocks a window's length of time points is
left out, so that no held-out window shares one with a training window.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from timeloom.data.sets import load_dataset
from timeloom.data.windows import Series, Windows, concatenate, cut

__all__ = ["COUNTS", "LENGTH", "PROTOCOLS", "SETS", "SHARES", "FewSet", "blocks", "few", "load"]

Array = NDArray[Any]

SETS = ("weather", "ili", "saugeen", "ecg200", "air_quality", "sine", "etth1", "stock_goog")
PROTOCOLS = ("random", "first")
COUNTS = (10, 25, 50)
SHARES = (0.05, 0.10, 0.15)  # of the training windows, as the paper has beside the counts
LENGTH = 24
HELD_OUT = 1_000  # held-out windows at most, evenly spread
POINTS = 300  # of a block, about; but no fewer than ten blocks and no more than forty
LONGEST_GAP = 6  # time points in a row that are interpolated where nothing was measured
SINES = 10_000
IN_PARTS = ("weather", "ili", "etth1")  # their readers give parts of a benchmark unless asked
# Nine tenths of this channel's hours were not measured.
DROPPED: Mapping[str, tuple[str, ...]] = {"air_quality": ("NMHC(GT)",)}


class FewSet(NamedTuple):
    """Real windows of one set.

    Attributes:
        train: (window, time, channel) those that few are drawn from. ``series`` is the block they
            were cut from, ``start`` the time point of the whole series.
        held_out: Those that generators are judged by; no time point of theirs is in ``train``.
    """

    train: Windows
    held_out: Windows


@cache
def load(name: str, length: int = LENGTH) -> FewSet:
    """Reads a set and cuts its two parts.

    Args:
        name: One of ``SETS``.
        length: Time points of a window.

    Raises:
        ValueError: If there is no such set here, or if it is too short for ``length``.
    """
    if name not in SETS:
        raise ValueError(f"the set must be one of {', '.join(SETS)}; got {name!r}.")
    if name == "sine":
        return FewSet(_sines(SINES, length, 0), _sines(HELD_OUT, length, 1))
    if name == "ecg200":
        train, test = cast(tuple[list[Series], list[Series]], load_dataset("ucr_ecg200"))
        # As the paper has it: the beginning of every series.
        return FewSet(_beginnings(train, length), _spread(_beginnings(test, length)))
    found = blocks(_whole(name), length)
    return FewSet(_cut(found[0::2], length, 0), _spread(_cut(found[1::2], length, 1)))


def blocks(series: Series, length: int) -> list[tuple[int, Series]]:
    """Equal stretches of a series with ``length`` time points left out between two of them.

    Gaps of up to six time points are filled linearly from within the block; longer ones stay NaN.

    Returns:
        The time point at which a block begins, and the block; blocks in the order of time.

    Raises:
        ValueError: If a block would hold less than one window.
    """
    count = int(np.clip(len(series) // POINTS // 2 * 2, 10, 40))
    size = (len(series) - (count - 1) * length) // count
    if size < length:
        raise ValueError(
            f"{count} blocks with gaps between them need {count * length * 2 - length} time points "
            f"or more for windows of {length}; {series.name!r} has {len(series)}. Take shorter "
            "windows."
        )
    starts = np.arange(count) * (size + length)
    return [
        (int(at), Series(_filled(series.values[at : at + size]), channels=series.channels))
        for at in starts
    ]


def few(train: Windows, count: int | float, seed: int, protocol: str = "random") -> Windows:
    """The few windows that a generator gets.

    ``"random"``, the paper's: so many of all training windows, which overlap. ``"first"``, ours:
    the first ``count * length`` time points from a block on that the seed chooses, cut without
    overlap; where a block ends the next training block goes on. Windows that are recordings of
    their own, as heart beats are, know no order in time, so both are the same for them.

    Args:
        train: From :func:`load`.
        count: How many; or, below 1, which share of them.
        seed: Which ones.
        protocol: ``"random"`` or ``"first"``.

    Raises:
        ValueError: If the protocol is not known, or there are fewer windows than asked for.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}; got {protocol!r}.")
    wanted = int(count * len(train)) if count < 1 else int(count)
    rng = np.random.default_rng([seed, 20451])
    if protocol == "random" or len(np.unique(train.series)) == len(train):
        rows, there = np.sort(rng.permutation(len(train))[:wanted]), len(train)
    else:
        whole = _side_by_side(train, int(rng.integers(len(np.unique(train.series)))))
        rows, there = whole[:wanted], len(whole)
    if not 0 < wanted <= there:
        raise ValueError(
            f"{wanted} windows were asked for; the training part gives 1 to {there} under the "
            f"protocol {protocol!r}. Ask for as many."
        )
    return train[rows]


def _side_by_side(train: Windows, first: int) -> Array:
    """Rows of windows that do not overlap, block by block from the ``first`` one, then round."""
    names = np.unique(train.series)
    rows: list[int] = []
    for name in np.roll(names, -first):
        own = np.flatnonzero(train.series == name)
        free = -1
        for row in own[np.argsort(train.start[own])]:
            if train.start[row] >= free:
                rows.append(int(row))
                free = train.start[row] + train.shape[0]
    return np.array(rows)


def _whole(name: str) -> Series:
    """The set's series in one piece."""
    if name == "saugeen":
        parts = load_dataset("monash", collections=["saugeenday"])
        (train,), (test,) = cast(tuple[list[Series], list[Series]], parts)
        values = np.concatenate([train.values, test.values])
        return Series(values, name=name, channels=train.channels)
    found = load_dataset(name, whole=True) if name in IN_PARTS else load_dataset(name)
    (series,) = cast(list[Series], found)
    kept = [i for i, one in enumerate(series.channels) if one not in DROPPED.get(name, ())]
    channels = tuple(series.channels[i] for i in kept)
    return Series(series.values[:, kept], name=name, channels=channels)


def _cut(parts: list[tuple[int, Series]], length: int, odd: int) -> Windows:
    """Every window of some blocks that was measured throughout."""
    found = []
    for k, (at, block) in enumerate(parts):
        windows = cut(block, length)
        known = windows[~np.isnan(windows.x).any(axis=(1, 2))]
        series = np.full(len(known), 2 * k + odd)
        x = known.x.astype(np.float32)
        found.append(Windows(x, None, series, known.start + at, known.channels))
    return concatenate(found)


def _filled(values: Array) -> Array:
    """(time, channel) with short gaps between two measured values filled linearly."""
    values = np.array(values, dtype=np.float64)
    for column in values.T:
        gap = np.isnan(column)
        if not gap.any() or gap.all():
            continue
        known = np.flatnonzero(~gap)
        line = np.interp(np.arange(len(column)), known, column[known])
        edges = np.flatnonzero(np.diff(np.r_[False, gap, False].astype(int)))
        for begin, end in edges.reshape(-1, 2):
            if end - begin <= LONGEST_GAP and 0 < begin and end < len(column):
                column[begin:end] = line[begin:end]
    return values


def _spread(windows: Windows) -> Windows:
    if len(windows) <= HELD_OUT:
        return windows
    return windows[np.linspace(0, len(windows) - 1, HELD_OUT).round().astype(int)]


def _beginnings(series: list[Series], length: int) -> Windows:
    """The first time points of each series, a recording of its own."""
    x = np.stack([one.values[:length] for one in series]).astype(np.float32)
    return Windows(x, channels=series[0].channels)


def _sines(count: int, length: int, seed: int) -> Windows:
    """(1 + sin(f t + p)) / 2 in six channels, f and p uniform in [0, 0.1], as the paper draws."""
    rng = np.random.default_rng([seed, 20452])
    rate, phase = rng.uniform(0, 0.1, (2, count, 1, 6))
    time = np.arange(length)[None, :, None]
    return Windows(((1 + np.sin(rate * time + phase)) / 2).astype(np.float32))
