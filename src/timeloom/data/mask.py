"""Which points to hide: scattered, in blocks, or in stretches of geometric length."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["block", "geometric", "random"]

Mask = NDArray[np.bool_]
Shape = tuple[int, int, int]


def random(shape: Shape, share: float, rng: np.random.Generator, *, shared: bool = False) -> Mask:
    """Hides every point with probability ``share``, independently of all others.

    Args:
        shape: (window, time, channel).
        share: Expected share of hidden points, at least 0 and below 1.
        rng: Where the randomness comes from.
        shared: Hide the same time points in every channel of a window.

    Returns:
        (window, time, channel) of bool; True = hidden.

    Raises:
        ValueError: If ``shape`` or ``share`` is not as above.
    """
    rows, time = _rows(shape, share, shared)
    return _to_shape(rng.random((rows, time)) < share, shape)


def block(
    shape: Shape,
    share: float,
    rng: np.random.Generator,
    *,
    length: int | None = None,
    shared: bool = False,
) -> Mask:
    """Hides whole blocks of ``length`` successive time points, the same number in every row.

    A row (one channel of one window) gets ``round(share * time / length)`` blocks, at least one
    where ``share > 0`` and at most as many as fit. All placements of blocks that do not overlap
    are equally likely; two blocks may touch. The hidden share is therefore exact and differs from
    ``share`` by rounding only.

    Args:
        shape: (window, time, channel).
        share: Share of hidden points, at least 0 and below 1.
        rng: Where the randomness comes from.
        length: Time points per block; one block that is ``share`` of the window where None.
        shared: Hide the same time points in every channel of a window.

    Returns:
        (window, time, channel) of bool; True = hidden.

    Raises:
        ValueError: If ``shape`` or ``share`` is not as above, or if a block does not fit.
    """
    rows, time = _rows(shape, share, shared)
    if length is None:
        length = max(1, round(share * time))
    if not 1 <= length <= time:
        raise ValueError(f"length must lie between 1 and the {time} time points; got {length}.")
    count = min(max(round(share * time / length), 1), time // length) if share > 0 else 0
    # Shrink every block to one point, choose distinct points, and let the blocks grow again.
    places = time - count * (length - 1)
    chosen = np.sort(rng.random((rows, places)).argsort(axis=1)[:, :count], axis=1)
    start = chosen + np.arange(count) * (length - 1)
    change = np.zeros((rows, time + 1), dtype=np.int8)
    row = np.arange(rows)[:, None]
    # A block may begin where another ends, so the two changes are added one after the other.
    change[row, start] += 1
    change[row, start + length] -= 1
    return _to_shape(change.cumsum(axis=1)[:, :time] > 0, shape)


def geometric(
    shape: Shape,
    share: float,
    rng: np.random.Generator,
    *,
    mean_length: float = 3.0,
    shared: bool = False,
) -> Mask:
    """Hides stretches whose lengths, and the distances between them, are geometric.

    Hidden stretches have the mean length ``lm = mean_length``, measured ones
    ``lu = lm * (1 - share) / share``; the first point is hidden with probability ``share``. So
    every point is hidden with probability ``share``, and stretches are cut off at the ends of a
    window. Source: Zerveas et al. 2021, "A Transformer-based Framework for Multivariate Time
    Series Representation Learning", section 3.2 (there lm = 3, share = 0.15).

    Args:
        shape: (window, time, channel).
        share: Expected share of hidden points, at least 0 and below 1.
        rng: Where the randomness comes from.
        mean_length: Mean length of a hidden stretch in time points, at least 1.
        shared: Hide the same time points in every channel of a window.

    Returns:
        (window, time, channel) of bool; True = hidden.

    Raises:
        ValueError: If ``shape``, ``share`` or ``mean_length`` is not as above, or if measured
            stretches would be shorter than one point.
    """
    rows, time = _rows(shape, share, shared)
    if not mean_length >= 1:
        raise ValueError(f"mean_length must be at least 1 time point; got {mean_length}.")
    end = 1 / mean_length
    begin = end * share / (1 - share)
    if begin > 1:
        most = mean_length / (1 + mean_length)
        raise ValueError(
            f"stretches of mean length {mean_length:g} can hide at most a share of {most:.3g}; got "
            f"{share}. Ask for longer stretches or a smaller share."
        )
    hidden = np.empty((rows, time), dtype=np.bool_)
    draws = rng.random((time, rows))
    state = draws[0] < share
    for t in range(time):
        if t:
            state = state ^ (draws[t] < np.where(state, end, begin))
        hidden[:, t] = state
    return _to_shape(hidden, shape)


def _rows(shape: Shape, share: float, shared: bool) -> tuple[int, int]:
    if len(shape) != 3 or min(shape) < 0 or shape[1] < 1:
        raise ValueError(f"shape must be (window, time, channel); got {tuple(shape)}.")
    if not 0 <= share < 1:
        raise ValueError(f"share must be at least 0 and below 1; got {share}.")
    return shape[0] * (1 if shared else shape[2]), shape[1]


def _to_shape(rows: NDArray[Any], shape: Shape) -> Mask:
    """From (window * channel or window, time) to (window, time, channel)."""
    window, time, channel = shape
    own = channel if window and len(rows) == window * channel else 1
    apart = rows.reshape(window, own, time).transpose(0, 2, 1)
    return np.ascontiguousarray(np.broadcast_to(apart, shape))
