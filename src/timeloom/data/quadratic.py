"""Which point of a polyhedron is nearest, for many points at once?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Polyhedron"]

Array = NDArray[Any]

SWEEPS = (10, 100, 1_000)  # over all limits, more where the rounds after them do not settle
ROUNDS = 12  # of exact solutions, each with the limits that the last one has shown to hold
RIDGE = 1e-10  # limits that repeat one another share their force
SMALL = 1e-9  # of a unit of distance
NARROW = 1e-3  # room that the origin is taken to have; less would send a point all the way there
ALIGNED = 1e-12  # cosine of two limits below which neither feels the other
VANISHED = 1e-7  # length of what the equations leave of a limit that follows from them
ENTRIES = 2_000_000  # of all small matrices at a time


class Polyhedron:
    """The points at which some sums of coordinates are given and others are limited.

    Args:
        weights: (row, coordinate).
        offset: (row,) what the weighted sum is, or is at most.
        equal: (row,) whether it is the one or the other.
    """

    def __init__(self, weights: Array, offset: Array, equal: Array) -> None:
        inverse = np.linalg.pinv(weights[equal], rcond=1e-9)
        # Equations are eliminated: what is left of a point, of 0 and of every limit within them.
        self._inside = np.eye(weights.shape[1]) - inverse @ weights[equal]
        self._origin = inverse @ offset[equal]
        limits, most = weights[~equal], offset[~equal]
        left = limits @ self._inside
        length = np.linalg.norm(left, axis=1)
        kept = length > VANISHED * np.linalg.norm(limits, axis=1)
        self._limits = left[kept] / length[kept, None]
        self._most = (most - limits @ self._origin)[kept] / length[kept]
        self._together = _together(np.abs(self._limits @ self._limits.T) > ALIGNED)

    def nearest(self, points: Array) -> Array:
        """The nearest points at which all rows hold, by Euclid.

        Which limits hold a point is found by Hildreth's sweeps (cyclic projections with memory),
        settled by exact solutions of the conditions of Karush, Kuhn and Tucker, and what rounding
        leaves beyond a limit is mended by a step towards the origin, which must keep all rows.
        Source: Hildreth 1957; Dykstra 1983; Hintermüller, Ito and Kunisch 2002 for the rounds.

        Args:
            points: (point, coordinate).
        """
        within = points @ self._inside.T + self._origin
        beyond = within @ self._limits.T - self._most  # (point, limit)
        moved = within.copy()
        for one in self._together:
            limits, excess = self._limits[one], beyond[:, one]
            gram, out = limits @ limits.T, np.flatnonzero((excess > 0).any(axis=1))
            many = max(ENTRIES // len(gram) ** 2, 1)
            for first in range(0, len(out), many):
                rows = out[first : first + many]
                moved[rows] -= _forces(excess[rows], gram) @ limits
        out = (beyond > 0).any(axis=1)
        if out.any():
            moved[out] = self._mended(moved[out])
        return moved

    def _mended(self, within: Array) -> Array:
        """Points on the way to the origin, no farther than the last limit asks."""
        beyond = within @ self._limits.T - self._most
        room = np.maximum(self._most - self._limits @ self._origin, NARROW)
        share = np.where(beyond > SMALL, beyond / (beyond + room), 0.0).max(axis=1)[:, None]
        return within + share * (self._origin - within)


def _together(touches: Array) -> list[Array]:
    """Limits that touch one another, at first or second hand: each such lot is solved by itself."""
    left, found = np.ones(len(touches), dtype=bool), []
    while left.any():
        lot = np.arange(len(touches)) == np.argmax(left)
        while (more := touches[lot].any(axis=0) | lot).sum() > lot.sum():
            lot = more
        left &= ~lot
        found.append(np.flatnonzero(lot))
    return found


def _forces(beyond: Array, gram: Array) -> Array:
    """(point, limit) how far each limit pushes its point back; 0 for those it lies within."""
    if len(gram) == 1:
        return np.maximum(beyond, 0)
    force, todo = np.zeros_like(beyond), np.arange(len(beyond))
    for sweeps in SWEEPS:
        force[todo] = _swept(force[todo], beyond[todo], gram, sweeps)
        holds = force > 0
        for _ in range(ROUNDS):
            exact, left = _solved(beyond[todo], gram, holds[todo])
            done = (exact > -SMALL).all(axis=1) & (left < SMALL).all(axis=1)
            force[todo[done]] = np.maximum(exact[done], 0)
            holds[todo] = exact + left > 0
            todo = todo[~done]
            if len(todo) == 0:
                return force
    return force


def _swept(force: Array, beyond: Array, gram: Array, sweeps: int) -> Array:
    force, left = force.T.copy(), (beyond - force @ gram).T.copy()  # (limit, point)
    for _ in range(sweeps):
        for i, row in enumerate(gram):
            step = np.maximum(left[i], -force[i])
            force[i] += step
            left -= row[:, None] * step
    return force.T


def _solved(beyond: Array, gram: Array, holds: Array) -> tuple[Array, Array]:
    """Forces that put a point on just the limits that hold it, and what is left beyond all."""
    matrix = np.where(holds[:, :, None] & holds[:, None, :], gram, 0.0)
    diagonal = np.arange(len(gram))
    matrix[:, diagonal, diagonal] += np.where(holds, RIDGE, 1.0)
    force = np.linalg.solve(matrix, np.where(holds, beyond, 0.0)[:, :, None])[:, :, 0]
    return force, beyond - force @ gram
