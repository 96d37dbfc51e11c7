"""Are synthetic windows new, or training windows handed back, moved or with a little noise?"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.metric import Interval, Metric
from timeloom.metrics.privacy.distances import (
    SHIFTS,
    Nearest,
    Prepared,
    elsewhere,
    mutual,
    prepare,
)

__all__ = [
    "METRICS",
    "Novelty",
    "authenticity",
    "memorised_share",
    "near_copy_share",
    "nearest_neighbour_ratio",
    "novelty",
]

Array = NDArray[Any]

NEAR = 0.01  # quantile of the held-out distances below which a window counts as a near copy
MEMORISED = 1 / 3  # of the distance of a training window to its nearest other one
PAIRS = 40_000_000  # pairs of windows compared at most, each at every shift
FEWEST = 200  # windows compared however many training windows there are
# Windows of a row, where not 50: a median needs few, the 1 % quantile of fewer than 100 is none.
SMALLEST = {"ratio": 10, "shifted_ratio": 10, "near_copies": 100, "shifted_copies": 100}
MEMBERS = 5_000  # training windows up to which the reverse distances are computed as well


class Novelty(NamedTuple):
    """How new synthetic windows are; each number as its own function tells it.

    Attributes:
        ratio: :func:`nearest_neighbour_ratio`.
        near_copies: :func:`near_copy_share`.
        shifted_ratio: The first with windows moved by up to three time points.
        shifted_copies: The second with windows moved by up to three time points.
        authentic: :func:`authenticity`.
        memorised: :func:`memorised_share`.
        count: Synthetic windows that were compared, on which the intervals of the shares rest.
    """

    ratio: float
    near_copies: float
    shifted_ratio: float
    shifted_copies: float
    authentic: float
    memorised: float
    count: int


def novelty(synthetic: Array, train: Array, held_out: Array) -> Novelty:
    """Every figure of this file, from one computation of the distances.

    Formulas, ranges, directions, units, smallest sensible samples and sources: see
    :func:`nearest_neighbour_ratio`, :func:`near_copy_share`, :func:`authenticity` and
    :func:`memorised_share`. Where there are more than 40 million pairs of windows, a fixed draw of
    synthetic and of held-out windows is compared (200 of them at least), always with every training
    window: leaving training windows out would hide their copies.

    Args:
        synthetic: (window, time, channel). NaN = not measured; such points are left out.
        train: (window, time, channel): every window that the generator was trained on.
        held_out: (window, time, channel) real windows of other recordings.
    """
    made, reference, real = _found(synthetic, train, held_out, SHIFTS)
    plain, moved = _crowding(made, real)
    return Novelty(
        _ratio(made.plain, reference.plain),
        _near(made.plain, reference.plain),
        _ratio(made.distance, reference.distance),
        _near(made.distance, reference.distance),
        _share(made.plain > plain, plain),
        _share(made.distance < MEMORISED * moved, moved),
        len(made.plain),
    )


def nearest_neighbour_ratio(
    synthetic: Array, train: Array, held_out: Array, *, shifts: int = 0
) -> float:
    """How far synthetic windows stay from the training windows, as unseen real windows do.

    Formula: median over synthetic windows of the distance to the nearest training window, over the
    same median for held-out real windows. Distance: root of the mean of squares over all points, in
    training standard deviations per channel; with ``shifts`` the least over all moves of one window
    against the other, over the time points that still overlap. Range 0 upwards, higher is better: 1
    means as far as unseen real data, 0 copies. Above 1 nothing is gained: noise is far from
    everything, so read it beside the fidelity. Unit: none. Smallest sensible sample: 10 windows
    each. Source: the distance to closest record against a holdout, Platzer and Reutterer 2021
    (arXiv 2104.00635); the moves are ours.

    Args:
        synthetic: (window, time, channel). NaN = not measured; such points are left out.
        train: (window, time, channel): every window that the generator was trained on.
        held_out: (window, time, channel) real windows of other recordings.
        shifts: Time points by which a window may be moved; at most a quarter of its length is.

    Returns:
        NaN where the held-out windows are themselves copies of training windows.
    """
    made, reference, _ = _found(synthetic, train, held_out, shifts)
    return _ratio(made.distance, reference.distance)


def near_copy_share(synthetic: Array, train: Array, held_out: Array, *, shifts: int = 0) -> float:
    """How many synthetic windows lie nearer to a training window than unseen real ones hardly do.

    Formula: share of synthetic windows whose distance to the nearest training window is at most the
    1 % quantile of the same distances of held-out real windows; the distance is that of
    :func:`nearest_neighbour_ratio`, whose median a minority of copies does not move. Range 0 to 1,
    lower is better: .01 is expected of new windows, 1 means all are copies. Unit: share. Smallest
    sensible sample: 100 windows each; with fewer the quantile lies beside the smallest distance.
    Source: as there.

    Args:
        synthetic: (window, time, channel). NaN = not measured; such points are left out.
        train: (window, time, channel): every window that the generator was trained on.
        held_out: (window, time, channel) real windows of other recordings.
        shifts: Time points by which a window may be moved; at most a quarter of its length is.

    Returns:
        NaN where half of the held-out windows are themselves copies of training windows.
    """
    made, reference, _ = _found(synthetic, train, held_out, shifts)
    return _near(made.distance, reference.distance)


def authenticity(synthetic: Array, train: Array) -> float:
    """How many synthetic windows are no closer to a training window than another real one is.

    Formula: share of synthetic windows that are farther from their nearest training window than
    that training window is from its own nearest other one. Range 0 to 1, higher is better; about
    one half is what unseen real windows score, 0 means copies. Unit: share. Smallest sensible
    sample: 50 windows each. Source: Alaa et al. 2022 (arXiv 2102.08921). Overlapping windows of one
    recording would make every training window crowded and every copy authentic, so the "other one"
    shares less than half of its time points with it; overlap is told by equal values.

    Args:
        synthetic: (window, time, channel). NaN = not measured; such points are left out.
        train: (window, time, channel): every window that the generator was trained on.

    Returns:
        NaN where every training window lies at one place of one recording.
    """
    made, real = prepare(synthetic, train, by=train)
    found = _nearest(made, real, 0)
    crowding, _ = _crowding(found, real)
    return _share(found.plain > crowding, crowding)


def memorised_share(synthetic: Array, train: Array, *, shifts: int = SHIFTS) -> float:
    """How many synthetic windows are far nearer to a training window than any other real one is.

    Formula: share of synthetic windows whose distance to the nearest training window is less than a
    third of the distance of that training window to its own nearest other one. The first distance
    is the least over moves in time of :func:`nearest_neighbour_ratio`, the other one that of
    :func:`authenticity`. Range 0 to 1, lower is better: about 0 is what unseen real windows score,
    so that a few copies among many new windows are seen. Unit: share. Smallest sensible sample: 50
    windows each. Source: the third is that of Yoon et al. 2023 ("Diffusion probabilistic models
    generalize when they fail to memorize"), who take the second nearest training window instead;
    that one is mostly the same stretch of time where windows overlap.

    Args:
        synthetic: (window, time, channel). NaN = not measured; such points are left out.
        train: (window, time, channel): every window that the generator was trained on.
        shifts: Time points by which a window may be moved; at most a quarter of its length is.

    Returns:
        NaN where every training window lies at one place of one recording.
    """
    made, real = prepare(synthetic, train, by=train)
    found = _nearest(made, real, shifts)
    _, crowding = _crowding(found, real)
    return _share(found.distance < MEMORISED * crowding, crowding)


def _crowding(found: Nearest, train: Prepared) -> tuple[Array, Array]:
    """How far the nearest training windows, without and with moves, are from their own nearest."""
    wanted = np.concatenate([found.plain_row, found.row])
    rows, which = np.unique(np.maximum(wanted, 0), return_inverse=True)
    distance = elsewhere(train.some(rows), train)[which]
    comparable = np.isfinite(np.concatenate([found.plain, found.distance]))
    plain, moved = np.split(np.where(comparable, distance, np.inf), 2)
    return plain, moved


def _share(hit: Array, crowding: Array) -> float:
    known = np.isfinite(crowding)
    return float(np.mean(hit[known])) if known.any() else float("nan")


def _found(
    synthetic: Array, train: Array, held_out: Array, shifts: int
) -> tuple[Nearest, Nearest, Prepared]:
    made, real, unseen = prepare(synthetic, train, held_out, by=train)
    return _nearest(made, real, shifts), _nearest(unseen, real, shifts), real


def _nearest(side: Prepared, train: Prepared, shifts: int) -> Nearest:
    few = max(PAIRS // max(len(train.x), 1), FEWEST)
    if len(side.x) > few:
        rng = np.random.default_rng(0)
        side = side.some(np.sort(rng.choice(len(side.x), few, replace=False)))
    return mutual(side, train, shifts, both=len(train.x) <= MEMBERS)[0]


def _ratio(made: Array, reference: Array) -> float:
    made, reference = made[np.isfinite(made)], reference[np.isfinite(reference)]
    if not len(made) or not len(reference) or np.median(reference) == 0:
        return float("nan")
    return float(np.median(made)) / float(np.median(reference))


def _near(made: Array, reference: Array) -> float:
    made, reference = made[np.isfinite(made)], reference[np.isfinite(reference)]
    if not len(made) or not len(reference) or np.median(reference) == 0:
        return float("nan")
    return float(np.mean(made <= np.quantile(reference, NEAR)))


def _figure(found: Novelty, field: str, unit: str) -> float | Interval:
    """A ratio as it is; a share with its 95 % interval (Wilson 1927)."""
    value = float(getattr(found, field))
    if unit != "share" or not np.isfinite(value):
        return value
    z2 = 1.96**2 / found.count
    center = (value + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (value * (1 - value) + z2 / 4)) / (1 + z2)
    return Interval(value, min(value, float(center - half)), max(value, float(center + half)))


def _row(name: str, field: str, better: str, unit: str, meaning: str, far: float) -> Metric:
    return Metric(
        name,
        novelty,
        better,
        unit,
        meaning,
        about="novelty",
        needs=("synthetic", "train", "held_out"),
        far=far,
        # Authenticity has none: of real windows about half are.
        ideal=None if name == "authenticity" else 1.0 if better == "higher" else 0.0,
        copies="bad",
        then=lambda found: _figure(found, field, unit),
        smallest=SMALLEST.get(field, 50),
    )


METRICS = (
    _row(
        "nearest_neighbour_ratio",
        "ratio",
        "higher",
        "",
        "How far from training windows, compared with unseen real ones (1: as far; 0: copies).",
        0.5,
    ),
    _row(
        "near_copy_share",
        "near_copies",
        "lower",
        "share",
        "How many windows lie nearer to a training window than 99 % of unseen real ones (1: all).",
        0.15,
    ),
    _row(
        "shifted_neighbour_ratio",
        "shifted_ratio",
        "higher",
        "",
        "How far from training windows that may be moved in time, compared with unseen real ones.",
        0.5,
    ),
    _row(
        "shifted_copy_share",
        "shifted_copies",
        "lower",
        "share",
        "How many windows are near copies of training windows that may be moved in time.",
        0.15,
    ),
    _row(
        "authenticity",
        "authentic",
        "higher",
        "share",
        "How many windows are no closer to a training window than another real one is.",
        0.3,
    ),
    _row(
        "memorised_share",
        "memorised",
        "lower",
        "share",
        "How many windows are three times nearer to a training window than any other real one is.",
        0.02,
    ),
)
