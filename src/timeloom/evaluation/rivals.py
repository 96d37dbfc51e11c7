"""The rivals that cost no training: what a generator must beat, or cannot beat."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.evaluation.gaussian import draws

__all__ = ["RIVALS", "Rival", "copy_machine", "gaussian", "jitter", "real_half"]

Array = NDArray[Any]
Sides = tuple[Windows, Windows]  # what is compared: real and synthetic


@dataclass(frozen=True)
class Rival:
    """A rival as a plan names it.

    Attributes:
        make: Called with training windows, held-out windows, count and seed, and the settings by
            name; gives real windows to compare with, and the rival's.
        settings: What it takes, with defaults; numbers from 0.
    """

    make: Callable[..., Sides]
    settings: dict[str, float] = field(default_factory=dict)

    def check(self, given: dict[str, Any], where: str) -> dict[str, float]:
        """The settings with defaults filled in.

        Raises:
            ValueError: If one is unknown or no number from 0.
        """
        for name, value in given.items():
            if name not in self.settings:
                near = difflib.get_close_matches(name, self.settings, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]!r}?" if near else "it takes none of that name."
                raise ValueError(f"{where} has no setting {name!r}; {hint}")
            if type(value) not in (int, float) or not 0 <= value < np.inf:
                raise ValueError(
                    f"{where}: setting {name!r} must be a number from 0; got {value!r}."
                )
        return {**self.settings, **{name: float(value) for name, value in given.items()}}


def copy_machine(train: Windows, real: Windows, *, count: int, seed: int) -> Sides:
    """Training windows handed back, each once at most, with their labels and recordings."""
    return real, train[_some(train, count, seed)]


def jitter(train: Windows, real: Windows, *, count: int, seed: int, noise: float = 0.02) -> Sides:
    """Training windows with white noise of ``noise`` standard deviations of each channel."""
    rng = np.random.default_rng([seed, 7101])
    chosen = train[_some(train, count, seed)]
    spread = np.nanstd(train.x, axis=(0, 1))
    x = chosen.x + noise * spread * rng.standard_normal(chosen.x.shape)
    return real, _with(chosen, x.astype(chosen.x.dtype), chosen.y, cut=True)


def gaussian(train: Windows, real: Windows, *, count: int, seed: int) -> Sides:
    """Draws from the Gaussian with the mean and all covariances of the training windows.

    Labels that are classes: their shares as in training, each class with a mean of its own and
    one covariance for all. Labels that are values: one more dimension of the Gaussian, kept
    inside the trained range. Points that were not measured count as the mean.
    """
    from timeloom.evaluation.arms import guess_task

    rng = np.random.default_rng([seed, 7102])
    flat = train.x.reshape(len(train), int(np.prod(train.shape))).astype(np.float64)
    known = ~np.isnan(flat)
    center = np.where(known, flat, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    flat = np.where(known, flat, center)
    y = None
    if train.y is None:
        drawn = center + draws(flat - center, count, rng)
    elif guess_task(train.y) == "classify":
        classes, which = np.unique(train.y, return_inverse=True)
        means = np.stack([flat[which == k].mean(axis=0) for k in range(len(classes))])
        chosen = rng.choice(which, count)
        drawn = means[chosen] + draws(flat - means[which], count, rng)
        y = classes[chosen]
    else:
        value = np.asarray(train.y, dtype=np.float64)
        joint = np.column_stack([flat, value])
        drawn = joint.mean(axis=0) + draws(joint - joint.mean(axis=0), count, rng)
        drawn, y = drawn[:, :-1], np.clip(drawn[:, -1], value.min(), value.max())
    x = drawn.reshape(count, *train.shape).astype(train.x.dtype)
    return real, _with(train, x, y)


def real_half(train: Windows, real: Windows, *, count: int, seed: int) -> Sides:
    """Held-out windows of half of the recordings, against those of the other half.

    Raises:
        ValueError: If the held-out windows have no two halves that share no time point.
    """
    from timeloom.evaluation.arms import halves

    first, second = halves(real, seed)
    if not len(first) or not len(second):
        raise ValueError(
            f"the {len(real)} held-out windows have no two halves that share no time point, so "
            "real cannot be compared with real; give more held-out recordings."
        )
    chosen = real[second]
    return real[first], chosen[_some(chosen, count, seed)]


RIVALS = {
    "real": Rival(real_half),
    "copy machine": Rival(copy_machine),
    "jitter": Rival(jitter, {"noise": 0.02}),
    "gaussian": Rival(gaussian),
}


def _some(windows: Windows, count: int, seed: int) -> Array:
    rng = np.random.default_rng([seed, 7100])
    return rng.permutation(len(windows))[:count]


def _with(like: Windows, x: Array, y: Array | None, cut: bool = False) -> Windows:
    places = {"series": like.series, "start": like.start} if cut else {}
    return Windows(x, y, channels=like.channels, label_name=like.label_name, **places)
