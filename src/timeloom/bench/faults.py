"""Faults planted into real windows, each with the rows of an evaluation that must name it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows

__all__ = ["FAULTS", "Fault"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Fault:
    """One way in which a generator can be wrong.

    Attributes:
        name: In plain words.
        plant: (unseen real windows, training windows, random numbers) -> faulty windows.
        rows: Metrics of which at least one must fail, the first one above all.
        labelled: Whether it can only be planted where there are labels.
        channels: Fewest channels that it takes.
    """

    name: str
    plant: Callable[[Windows, Windows, np.random.Generator], Windows]
    rows: tuple[str, ...]
    labelled: bool = False
    channels: int = 1


def half_the_modes(fresh: Windows, train: Windows, rng: np.random.Generator) -> Windows:
    """Only windows on one side of the first principal axis: half of what there is is missing."""
    flat = np.nan_to_num(fresh.x.reshape(len(fresh), -1).astype(np.float64))
    flat = (flat - flat.mean(axis=0)) / np.maximum(flat.std(axis=0), 1e-9)
    axis = np.linalg.svd(flat, full_matrices=False)[2][0]
    place = flat @ axis
    return fresh[np.flatnonzero(place <= np.median(place))]


def copies(fresh: Windows, train: Windows, rng: np.random.Generator) -> Windows:
    """Training windows, handed back as new."""
    rows = np.sort(rng.choice(len(train), min(len(fresh), len(train)), replace=False))
    return _as_new(train[rows])


def noisy_copies(fresh: Windows, train: Windows, rng: np.random.Generator) -> Windows:
    """Training windows with noise of 2 % of each channel's spread."""
    made = copies(fresh, train, rng)
    spread = np.nanstd(train.x, axis=(0, 1))
    return replace(made, x=made.x + 0.02 * spread * rng.standard_normal(made.x.shape))


def shuffled_channels(fresh: Windows, train: Windows, rng: np.random.Generator) -> Windows:
    """Every channel from another window: each is right, together they are wrong."""
    x = np.stack([fresh.x[rng.permutation(len(fresh)), :, c] for c in range(fresh.shape[1])], 2)
    return replace(fresh, x=x)


def reversed_time(fresh: Windows, train: Windows, rng: np.random.Generator) -> Windows:
    """The last time point first."""
    return replace(fresh, x=fresh.x[:, ::-1].copy())


def half_amplitude(fresh: Windows, train: Windows, rng: np.random.Generator) -> Windows:
    """Half as far from each channel's mean."""
    mean = np.nanmean(fresh.x, axis=(0, 1))
    return replace(fresh, x=mean + 0.5 * (fresh.x - mean))


def permuted_labels(fresh: Windows, train: Windows, rng: np.random.Generator) -> Windows:
    """The right labels, each on some other window."""
    return replace(fresh, y=np.asarray(fresh.y)[rng.permutation(len(fresh))])


def dead_channel(fresh: Windows, train: Windows, rng: np.random.Generator) -> Windows:
    """The channel that varies most evenly stays at its mean."""
    flat = fresh.x.reshape(-1, fresh.shape[1]).astype(np.float64)
    kinds = [len(np.unique(flat[:, c])) for c in range(flat.shape[1])]
    chosen = int(np.argmax(kinds))
    x = fresh.x.copy()
    x[:, :, chosen] = np.nanmean(flat[:, chosen])
    return replace(fresh, x=x)


FAULTS = (
    Fault("half the modes missing", half_the_modes, ("coverage", "recall")),
    Fault("copies of training windows", copies, ("identical_share", "nearest_neighbour_ratio")),
    Fault("copies with noise", noisy_copies, ("near_copy_share", "nearest_neighbour_ratio")),
    Fault(
        "channels shuffled",
        shuffled_channels,
        ("cross_correlation_error", "difference_correlation_error", "lagged_correlation_error"),
        channels=2,
    ),
    Fault("time reversed", reversed_time, ("time_asymmetry_error", "summary_auc")),
    Fault(
        "half the amplitude",
        half_amplitude,
        ("spread_error", "marginal_distance", "difference_spread_error", "mmd"),
    ),
    Fault(
        "labels permuted",
        permuted_labels,
        ("steering_spearman", "label_agreement"),
        labelled=True,
    ),
    Fault("one channel constant", dead_channel, ("worst_channel_distance", "spread_error")),
)


def _as_new(windows: Windows) -> Windows:
    """The same windows, as a generator would hand them out: each a recording of its own."""
    count = np.arange(len(windows))
    return replace(windows, series=count, start=np.zeros(len(windows), dtype=np.int64))
