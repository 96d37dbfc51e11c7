"""Is every synthetic window near real ones, and every real one near synthetic ones?"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import Groups
from timeloom.metrics.encoder_cache import read_contexts
from timeloom.metrics.metric import Metric

__all__ = ["METRICS", "Neighbourhoods", "compare_neighbourhoods", "neighbourhoods"]

Array = NDArray[Any]

NEIGHBOURS = 5
BLOCK = 4_000_000  # distances held at a time: 32 MB
SAME = 1e-9  # share of the squared lengths below which two points are one: float32 and rounding


class Neighbourhoods(NamedTuple):
    """Four shares that say which side is missing near the other.

    The ball of a window reaches to its fifth nearest window of its own side that belongs to another
    recording.

    Attributes:
        precision: Share of synthetic windows in the ball of any real one: how many are realistic.
        recall: Share of real windows in the ball of any synthetic one: how much is reached.
        density: Mean number of real balls that a synthetic window lies in, over five.
        coverage: Share of real windows whose ball holds any synthetic one.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(
    real: Array, synthetic: Array, train: Array, *, groups: Groups = None
) -> Neighbourhoods:
    """Precision, recall, density and coverage among the vectors of an encoder.

    Formula: see :class:`Neighbourhoods`; Euclidean distances between the vectors of the encoder
    that :func:`timeloom.metrics.fidelity.context.context_fid` uses. Ranges 0 to 1, density 0
    upwards; higher is better. Of two samples of one distribution, one window a recording: precision
    and recall near 1, density 1, coverage 1 - 2^-5 = .97. Many windows a recording widen the balls:
    density grows (1.2 to 2 on halves of real data), so compare with the floor of the same size, not
    with 1. Unit: share. Smallest sensible sample: 100 windows a side. Copies of the real windows
    score best of all: read them beside novelty.

    Why an encoder and not raw windows: there, windows shrunk to half their amplitude lie in the
    middle of all noise and score precision 1.0, density 57 and coverage .91 on 1,000 windows of
    FD001 (here: 0, 0 and 0), and unseen real ones precision .82 (here: .97).
    Why neighbours of another recording: the nearest of overlapping windows are a window's own
    past, and balls shrink to nothing: halves of the engines of FD001 at 2,000 windows scored .08 /
    .08 / .02 / .03, and score .78 / .75 / 1.6 / .73 so.
    Source: Kynkäänniemi et al. 2019 (arXiv 1904.06991) for precision and recall; Naeem et al. 2020
    (arXiv 2002.09797) for density and coverage.

    Args:
        real: (window, time, channel) held-out windows. NaN = not measured; the encoder sees the
            training mean there.
        synthetic: (window, time, channel), about as many.
        train: (window, time, channel): every window that the generator was trained on; the encoder
            is fitted on them.
        groups: The recording of each real and of each synthetic window; None where unknown, and
            each window is then one of its own.

    Returns:
        NaN where a window has no five others of other recordings, or values are too large.
    """
    _, (one, other) = read_contexts(train, real, synthetic)
    return compare_neighbourhoods(one, other, groups=groups)


def compare_neighbourhoods(
    real: Array, synthetic: Array, *, groups: Groups = None, neighbours: int = NEIGHBOURS
) -> Neighbourhoods:
    """The four shares for any points; memory does not grow with the product of the two counts.

    Args:
        real: (window, feature).
        synthetic: (window, feature).
        groups: The recording of each real and of each synthetic point; None where unknown.
        neighbours: Which nearest neighbour a ball reaches to.

    Returns:
        NaN where a point has too few others of other recordings, or coordinates are not finite.
    """
    nothing = Neighbourhoods(*[float("nan")] * 4)
    if not (np.isfinite(real).all() and np.isfinite(synthetic).all()):
        return nothing
    # Distances are differences of squares: without a common offset they keep their digits.
    center = real.mean(axis=0)
    real, synthetic = real - center, synthetic - center
    one, other = groups or (None, None)
    real_reach = _reach(real, one, neighbours)
    synthetic_reach = _reach(synthetic, other, neighbours)
    if not (np.isfinite(real_reach).all() and np.isfinite(synthetic_reach).all()):
        return nothing
    balls = np.empty(len(synthetic), dtype=np.int64)
    reached = np.zeros(len(real), dtype=bool)
    covered = np.zeros(len(real), dtype=bool)
    for rows, squares in _distances(synthetic, real):
        inside = squares <= real_reach
        balls[rows] = inside.sum(axis=1)
        covered |= inside.any(axis=0)
        reached |= (squares <= synthetic_reach[rows, None]).any(axis=0)
    return Neighbourhoods(
        precision=float((balls > 0).mean()),
        recall=float(reached.mean()),
        density=float(balls.mean()) / neighbours,
        coverage=float(covered.mean()),
    )


def _reach(points: Array, groups: Array | None, neighbours: int) -> Array:
    """Squared distance of each point to its nearest ``neighbours``-th of another recording."""
    _, which = np.unique(np.arange(len(points)) if groups is None else groups, return_inverse=True)
    if len(points) < neighbours:
        return np.full(len(points), np.inf)
    reach = np.empty(len(points))
    for rows, squares in _distances(points, points):
        squares[which[rows, None] == which] = np.inf
        reach[rows] = np.partition(squares, neighbours - 1, axis=1)[:, neighbours - 1]
    return reach


def _distances(one: Array, other: Array) -> Iterator[tuple[slice, Array]]:
    """Squared distances (some of one, all of other), block after block."""
    power = np.einsum("ij,ij->i", other, other)
    size = max(1, BLOCK // max(1, len(other)))
    for at in range(0, len(one), size):
        part = one[at : at + size]
        own = np.einsum("ij,ij->i", part, part)[:, None]
        both = own + power
        squares = both - 2 * (part @ other.T)
        squares[squares <= SAME * both] = 0
        yield slice(at, at + size), squares


def _precision(found: Neighbourhoods) -> float:
    return found.precision


def _recall(found: Neighbourhoods) -> float:
    return found.recall


def _density(found: Neighbourhoods) -> float:
    return found.density


def _coverage(found: Neighbourhoods) -> float:
    return found.coverage


NEEDS = ("real", "synthetic", "train", "groups")

METRICS = (
    Metric(
        "precision",
        neighbourhoods,
        "higher",
        "share",
        "How many synthetic windows lie where real ones do.",
        about="variety",
        needs=NEEDS,
        far=0.12,
        then=_precision,
        smallest=100,
        ideal=1.0,
    ),
    Metric(
        "recall",
        neighbourhoods,
        "higher",
        "share",
        "How many real windows lie where synthetic ones do.",
        about="variety",
        needs=NEEDS,
        far=0.12,
        then=_recall,
        smallest=100,
        ideal=1.0,
    ),
    Metric(
        "density",
        neighbourhoods,
        "higher",
        "",
        "How densely synthetic windows lie among real ones (1: as real ones do; more: too much in "
        "the middle).",
        about="variety",
        needs=NEEDS,
        far=0.4,
        then=_density,
        smallest=100,
        ideal=1.0,
    ),
    Metric(
        "coverage",
        neighbourhoods,
        "higher",
        "share",
        "How many real windows have a synthetic one near them.",
        about="variety",
        needs=NEEDS,
        far=0.12,
        then=_coverage,
        smallest=100,
        ideal=1.0,
    ),
)
