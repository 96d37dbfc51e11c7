"""How far is each window from the nearest one of another set, also when it was moved in time?"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import standardise

__all__ = ["SHIFTS", "Nearest", "Prepared", "elsewhere", "mutual", "nearest_distances", "prepare"]

Array = NDArray[Any]

SHIFTS = 3  # time points by which a window may be moved to meet another
ROWS, COLUMNS = 256, 2048  # distances held at a time: 2 MB
GATHER = 20_000  # windows whose winners are measured exactly at a time
KEPT = 64  # answers kept (rows and distances): all sides and seeds of an evaluation share them
PRIME = np.uint64(1_099_511_628_211)  # of FNV-1a; any odd number will do

_answers: "OrderedDict[tuple[Any, ...], tuple[Nearest, Nearest | None]]" = OrderedDict()


class Nearest(NamedTuple):
    """The nearest other window of each window.

    Attributes:
        distance: (window,) root mean square over the time points that overlap; inf: none could be
            compared.
        row: (window,) which of the other windows.
        shift: (window,) how many time points later the other window must begin to meet it.
        plain: (window,) distance to the nearest one without any shift.
        plain_row: (window,) which one that is.
    """

    distance: Array
    row: Array
    shift: Array
    plain: Array
    plain_row: Array


@dataclass(frozen=True)
class Prepared:
    """Windows in training spreads, 0 where not measured.

    Attributes:
        x: (window, time x channel) float32.
        known: (window, time x channel) 1 where measured, else 0; None where everything is.
        channels: Number of channels.
        name: A digest of the values, the same for the same windows.
    """

    x: Array
    known: Array | None
    channels: int
    name: bytes

    def some(self, rows: Array) -> "Prepared":
        """Only these windows."""
        return _named(self.x[rows], None if self.known is None else self.known[rows], self.channels)


def nearest_distances(windows: Array, train: Array, shifts: int = 0) -> Array:
    """Distance of each of ``windows`` to its nearest training window, in training spreads.

    Root of the mean of squares over the points that were measured in both; windows that share
    fewer than half of their points cannot be compared. With ``shifts``, the least over all
    moves by so many time points, over the time points that still overlap. Exact for the nearest
    window found by blocks of matrix products (float32: two windows at distances equal to 1e-3 may
    be taken for each other); memory does not grow with the product of the two counts.

    Args:
        windows: (window, time, channel).
        train: (window, time, channel).
        shifts: Time points by which a window may be moved; at most a quarter of its length is.

    Returns:
        (window,) root mean square distances; NaN where no training window can be compared.
    """
    one, other = prepare(windows, train, by=train)
    found = mutual(one, other, shifts)[0].distance
    return np.where(np.isfinite(found), found, np.nan)


def prepare(*sets: Array, by: Array) -> tuple[Prepared, ...]:
    """Sets of windows (window, time, channel), standardised by the training windows ``by``."""
    found = []
    for one, x in zip(sets, standardise(*sets, by=by), strict=True):
        gaps = np.isnan(one)
        known = (~gaps).reshape(len(one), -1).astype(np.float32) if gaps.any() else None
        found.append(_named(x.reshape(len(one), -1), known, one.shape[2]))
    return tuple(found)


def mutual(
    one: Prepared, other: Prepared, shifts: int = 0, *, both: bool = False
) -> tuple[Nearest, Nearest | None]:
    """The nearest of ``other`` for each of ``one`` and, from the same products, the reverse.

    The last answers are kept, by what the windows hold: metrics that ask for the same pair of
    sets do not compute it again.

    Args:
        one: From :func:`prepare`.
        other: From the same call.
        shifts: Time points by which windows may be moved; at most a quarter of the length.
        both: Whether the nearest of ``one`` for each of ``other`` is wanted as well.
    """
    length = one.x.shape[1] // one.channels
    shifts = min(shifts, length // 4)
    key = (one.name, other.name, shifts)
    known = _answers.get(key)
    if known is None or (both and known[1] is None):
        known = _search(one, other, shifts, both)
        _answers[key] = known
        while len(_answers) > KEPT:
            _answers.popitem(last=False)
    _answers.move_to_end(key)
    return known


def elsewhere(one: Prepared, other: Prepared) -> Array:
    """Distance of each of ``one`` to the nearest of ``other`` that was cut from another place.

    Windows of one place are told by their values alone: the last time points of one are the first
    of the other, for at least half of a window and in every channel. Equal windows are such.

    Returns:
        (window,) as ``plain`` of :class:`Nearest`; inf where every other is of the same place.
    """
    length = one.x.shape[1] // one.channels
    heads = _hashes(one, length), _hashes(other, length)
    tails = [head[:, -1:] - head for head in heads]  # of what follows the first t time points
    powers = _powers(length)

    def same_place(rows: slice, columns: slice) -> Array:
        shut = np.zeros((len(heads[0][rows]), len(heads[1][columns])), dtype=bool)
        for shared in range(-(-length // 2), length + 1):
            # A tail is a head times a power, because it begins so much later.
            late, power = length - shared, powers[length - shared]
            _mark(shut, tails[0][rows, late], heads[1][columns, shared] * power)
            _mark(shut, heads[0][rows, shared] * power, tails[1][columns, late])
        return shut

    index = _winners((one.x, one.known), (other.x, other.known), False, same_place)[0]
    return np.where(index < 0, np.inf, _exact(one, other, index, 0))


def _named(x: Array, known: Array | None, channels: int) -> Prepared:
    digest = hashlib.blake2b(np.ascontiguousarray(x).data, digest_size=16)
    digest.update(repr((x.shape, channels)).encode())
    if known is not None:
        digest.update(np.ascontiguousarray(known).data)
    return Prepared(x, known, channels, digest.digest())


def _search(
    one: Prepared, other: Prepared, shifts: int, both: bool
) -> tuple[Nearest, Nearest | None]:
    forward: list[tuple[Array, Array]] = []
    backward: list[tuple[Array, Array]] = []
    moves = sorted(range(-shifts, shifts + 1), key=abs)  # of equal distances the least move wins
    for move in moves:
        rows, columns = _winners(_moved(one, move), _moved(other, -move), both)
        forward.append((rows, _exact(one, other, rows, move)))
        if both:
            backward.append((columns, _exact(other, one, columns, -move)))
    return _best(forward, moves), _best(backward, [-m for m in moves]) if both else None


def _best(found: list[tuple[Array, Array]], moves: list[int]) -> Nearest:
    distances = np.stack([distance for _, distance in found])
    which = np.argmin(distances, axis=0)
    at = np.arange(distances.shape[1])
    index = np.stack([index for index, _ in found])[which, at]
    shift = np.array(moves)[which]
    return Nearest(distances[which, at], index, shift, distances[0], found[0][0])


def _moved(side: Prepared, move: int) -> tuple[Array, Array | None]:
    """What is left after the first ``move`` time points, or before the last ``-move``."""
    width = side.x.shape[1]
    part = slice(max(move, 0) * side.channels, width + min(move, 0) * side.channels)
    return side.x[:, part], None if side.known is None else side.known[:, part]


def _winners(
    one: tuple[Array, Array | None],
    other: tuple[Array, Array | None],
    both: bool,
    shut: Callable[[slice, slice], Array] | None = None,
) -> tuple[Array, Array]:
    """For each row of ``one`` the nearest row of ``other``, and the reverse; -1: there is none.

    ``shut`` tells which pairs of two slices do not count.
    """
    rows, columns = len(one[0]), len(other[0])
    near = np.full(rows, np.inf, dtype=np.float32), np.full(columns, np.inf, dtype=np.float32)
    index = np.full(rows, -1), np.full(columns, -1)
    gaps = one[1] is not None or other[1] is not None
    for at in range(0, rows, ROWS):
        left = _expanded(one, slice(at, at + ROWS), gaps, True)
        for by in range(0, columns, COLUMNS):
            right = _expanded(other, slice(by, by + COLUMNS), gaps, False)
            squares = left[0] @ right[0].T
            if gaps:
                shared = left[1] @ right[1].T
                least = 0.5 * np.maximum(left[2][:, None], right[2][None])
                squares = np.where(shared >= least, squares / np.maximum(shared, 1), np.inf)
            if shut is not None:
                squares[shut(slice(at, at + ROWS), slice(by, by + COLUMNS))] = np.inf
            _keep(squares, near[0], index[0], at, by)
            if both:
                _keep(squares.T, near[1], index[1], by, at)
    return index


def _expanded(
    side: tuple[Array, Array | None], rows: slice, gaps: bool, left: bool
) -> tuple[Array, Array, Array]:
    """Factors whose product is the sum of squared differences over shared points, and counts."""
    x = side[0][rows]
    if not gaps:
        power = np.einsum("ij,ij->i", x, x)[:, None]
        ones = np.ones_like(power)
        factors = (-2 * x, power, ones) if left else (x, ones, power)
        return np.concatenate(factors, axis=1), ones, ones
    known = np.ones_like(x) if side[1] is None else side[1][rows]
    factors = (-2 * x, x * x, known) if left else (x, known, x * x)
    return np.concatenate(factors, axis=1), known, np.maximum(known.sum(axis=1), 1)


def _keep(squares: Array, near: Array, index: Array, at: int, by: int) -> None:
    """Notes the least of each row where it is less than what was found before."""
    least = np.argmin(squares, axis=1)
    value = np.take_along_axis(squares, least[:, None], axis=1)[:, 0]
    rows = at + np.flatnonzero(value < near[at : at + len(value)])
    near[rows] = value[rows - at]
    index[rows] = least[rows - at] + by


def _exact(one: Prepared, other: Prepared, index: Array, move: int) -> Array:
    """Distances of row i of ``one`` to row ``index[i]`` of ``other``, digits of small ones kept."""
    (x, known), (y, counted) = _moved(one, move), _moved(other, -move)
    found = np.empty(len(x))
    for at in range(0, len(x), GATHER):
        part = slice(at, at + GATHER)
        squares = (x[part] - y[index[part]]) ** 2
        if known is None and counted is None:
            found[part] = squares.mean(axis=1)
            continue
        left = np.ones_like(squares) if known is None else known[part]
        right = np.ones_like(squares) if counted is None else counted[index[part]]
        both = left * right
        shared, least = both.sum(axis=1), 0.5 * np.maximum(left.sum(axis=1), right.sum(axis=1))
        measured = (squares * both).sum(axis=1) / np.maximum(shared, 1)
        found[part] = np.where(shared >= np.maximum(least, 1), measured, np.inf)
    return np.sqrt(found)


def _hashes(side: Prepared, length: int) -> Array:
    """(window, time + 1) a number for the first t time points, by a sum that can be taken apart."""
    bits = (side.x + np.float32(0)).view(np.uint32).astype(np.uint64)  # -0 becomes 0
    bits = bits.reshape(len(bits), length, -1)
    found = np.zeros((len(bits), length + 1), dtype=np.uint64)
    keys = np.random.default_rng(0).integers(1, 2**63, side.channels, dtype=np.uint64)
    rows = (bits + np.uint64(1)) * (keys | np.uint64(1))
    mixed = (rows ^ (rows >> np.uint64(29))).sum(axis=2, dtype=np.uint64) * PRIME
    np.cumsum(mixed * _powers(length)[:-1], axis=1, out=found[:, 1:])
    return found


def _powers(length: int) -> Array:
    return np.cumprod(np.r_[np.uint64(1), np.full(length, PRIME)], dtype=np.uint64)


def _mark(shut: Array, rows: Array, columns: Array) -> None:
    """Shuts every pair of a row and a column that hold the same number."""
    some = np.flatnonzero(np.isin(rows, columns))
    if len(some):
        others = np.flatnonzero(np.isin(columns, rows[some]))
        shut[np.ix_(some, others)] |= rows[some][:, None] == columns[others][None]
