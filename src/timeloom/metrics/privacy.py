"""Are synthetic windows new, or training windows handed back?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import standardise
from timeloom.metrics.metric import Metric

__all__ = ["METRICS", "near_copy_share", "nearest_distances", "nearest_neighbour_ratio"]

Array = NDArray[Any]

BLOCK = 4_000_000  # distances held at a time: 16 MB
NEAR = 0.01  # quantile of the held-out distances below which a window counts as a near copy


def nearest_neighbour_ratio(synthetic: Array, train: Array, held_out: Array) -> float:
    """How far synthetic windows stay from the training windows, as unseen real windows do.

    Formula: median over synthetic windows of the distance to the nearest training window, over the
    same median for held-out real windows. Distance: root of the mean of squares over all points, in
    training standard deviations per channel. Range 0 upwards, higher is better: 1 means as far as
    unseen real data, 0 copies. Above 1 nothing is gained: noise is far from everything, so read it
    beside the fidelity. Unit: none. Smallest sensible sample: 10 windows each.
    Source: the distance to closest record against a holdout, Platzer and Reutterer 2021
    (arXiv 2104.00635).

    Args:
        synthetic: (window, time, channel). NaN = not measured; the training mean is taken.
        train: (window, time, channel): every window that the generator was trained on.
        held_out: (window, time, channel) real windows of other recordings.

    Returns:
        NaN where the held-out windows are themselves copies of training windows.
    """
    reference = float(np.median(nearest_distances(held_out, train)))
    if reference == 0:
        return float("nan")
    return float(np.median(nearest_distances(synthetic, train))) / reference


def near_copy_share(synthetic: Array, train: Array, held_out: Array) -> float:
    """How many synthetic windows lie nearer to a training window than unseen real ones hardly do.

    Formula: share of synthetic windows whose distance to the nearest training window is at most the
    1 % quantile of the same distances of held-out real windows; the distance is that of
    :func:`nearest_neighbour_ratio`, whose median a minority of copies does not move. Range 0 to 1,
    lower is better: .01 is expected of new windows, 1 means all are copies. Unit: share. Smallest
    sensible sample: 100 windows each; with fewer the quantile lies beside the smallest distance.
    Source: as there.

    Args:
        synthetic: (window, time, channel). NaN = not measured; the training mean is taken.
        train: (window, time, channel): every window that the generator was trained on.
        held_out: (window, time, channel) real windows of other recordings.

    Returns:
        NaN where half of the held-out windows are themselves copies of training windows.
    """
    reference = nearest_distances(held_out, train)
    if np.median(reference) == 0:
        return float("nan")
    return float(np.mean(nearest_distances(synthetic, train) <= np.quantile(reference, NEAR)))


def nearest_distances(windows: Array, train: Array) -> Array:
    """Distance of each of ``windows`` to its nearest training window, in training spreads.

    Memory does not grow with the product of the two counts: matrix products by blocks.

    Args:
        windows: (window, time, channel).
        train: (window, time, channel).

    Returns:
        (window,) root mean square distances.
    """
    one, other = standardise(windows, train, by=train)
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    power = np.einsum("ij,ij->i", other, other)
    rows = max(1, BLOCK // len(other))
    nearest = np.empty(len(one), dtype=np.int64)
    for at in range(0, len(one), rows):
        nearest[at : at + rows] = np.argmin(power - 2 * one[at : at + rows] @ other.T, axis=1)
    # The products above lose the digits of small distances; only the winners are computed exactly.
    return np.sqrt(np.mean((one - other[nearest]) ** 2, axis=1))


METRICS = (
    Metric(
        "nearest_neighbour_ratio",
        nearest_neighbour_ratio,
        "higher",
        "",
        "How far from training windows, compared with unseen real ones (1: as far; 0: copies).",
        about="novelty",
        needs=("synthetic", "train", "held_out"),
        far=0.5,
        copies="bad",
    ),
    Metric(
        "near_copy_share",
        near_copy_share,
        "lower",
        "share",
        "How many windows lie nearer to a training window than 99 % of unseen real ones (1: all).",
        about="novelty",
        needs=("synthetic", "train", "held_out"),
        far=0.15,
        copies="bad",
        smallest=50,
    ),
)
