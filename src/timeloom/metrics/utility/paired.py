"""Does an arm beat another beyond chance? A bootstrap over test windows and seeds, in pairs."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.metric import Interval
from timeloom.metrics.utility.scores import HIGHER, Prediction, resampled

__all__ = ["Paired", "paired_interval", "paired_intervals"]

Array = NDArray[Any]

CELLS = 4_000_000  # of a table of weights that is held at a time


class Paired(NamedTuple):
    """A score with its interval, and its difference from another arm's with its own.

    Attributes:
        score: Of the arm.
        against: Of the other arm.
        difference: Arm minus other; ``low`` and ``high`` of the same resamples of both.
        better: ``"higher"`` or ``"lower"``.
    """

    score: Interval
    against: Interval
    difference: Interval
    better: str

    @property
    def word(self) -> str:
        """``"helps"``, ``"harms"``, or ``"no difference can be shown"``."""
        sign = 1 if self.better == "higher" else -1
        if not np.isfinite(self.difference.low):
            return "no difference can be shown"
        low, high = sorted((sign * self.difference.low, sign * self.difference.high))
        return "helps" if low > 0 else "harms" if high < 0 else "no difference can be shown"


def paired_interval(
    arm: Prediction | Sequence[Prediction],
    other: Prediction | Sequence[Prediction],
    name: str,
    *,
    resamples: int = 500,
    seed: int = 0,
) -> Paired:
    """One score of an arm, and by how much it differs from another's: 95 % intervals.

    Test windows are drawn with replacement, whole recordings where ``Prediction.groups`` names
    them, and seeds are drawn with replacement too; both arms get the same draws, so that what
    makes a test window hard for both cancels. The interval holds the 2.5 % to 97.5 % quantiles.
    It knows of the test windows and of the seeds, not of other training windows. Below about a
    hundred test windows or ten recordings it is too narrow.
    Source: Efron & Tibshirani 1993, chapters 8 and 13.

    Args:
        arm: Its predictions, one per seed.
        other: The other arm's, for the same seeds and the same test windows.
        name: Of the score, see :func:`timeloom.metrics.utility.scores.scores`.
        resamples: Number of resamples.
        seed: Of the draws.

    Raises:
        ValueError: If the two do not hold the same test windows or numbers of seeds.
    """
    return paired_intervals(arm, other, (name,), resamples=resamples, seed=seed)[name]


def paired_intervals(
    arm: Prediction | Sequence[Prediction],
    other: Prediction | Sequence[Prediction],
    names: Iterable[str] | None = None,
    *,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, Paired]:
    """Several scores at once, from the same resamples, as :func:`paired_interval`."""
    first, second = _listed(arm), _listed(other)
    _check(first, second)
    names = tuple(first[0].names if names is None else names)
    rng = np.random.default_rng([seed, 20410])
    picked = rng.integers(0, len(first), (resamples, len(first)))
    draws = rng.spawn(1)[0]
    size = max(1, CELLS // max(len(first[0].truth), 1))
    found: dict[tuple[str, int], list[Array]] = {(n, k): [] for n in names for k in (0, 1)}
    for begin in range(0, resamples, size):
        weights = _weights(first[0], min(size, resamples - begin), draws)
        for name in names:
            for k, side in enumerate((first, second)):
                each = np.array([resampled(one, name, weights) for one in side])
                seeds = picked[begin : begin + size]
                found[name, k].append(each[seeds, np.arange(len(seeds))[:, None]].mean(axis=1))
    sides = {key: np.concatenate(parts) for key, parts in found.items()}
    return {n: _paired(n, first, second, sides[n, 0], sides[n, 1]) for n in names}


def _paired(
    name: str, arm: list[Prediction], other: list[Prediction], drawn: Array, against: Array
) -> Paired:
    once = np.ones((1, len(arm[0].truth)))
    value, base = (
        float(np.mean([resampled(one, name, once)[0] for one in side])) for side in (arm, other)
    )
    return Paired(
        Interval(value, *_quantiles(drawn)),
        Interval(base, *_quantiles(against)),
        Interval(value - base, *_quantiles(drawn - against)),
        "higher" if name in HIGHER else "lower",
    )


def _quantiles(figures: Array) -> tuple[float, float]:
    known = figures[np.isfinite(figures)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _weights(one: Prediction, count: int, rng: np.random.Generator) -> Array:
    """(resample, window) how often each window is drawn; windows of one recording together."""
    total = len(one.truth)
    if one.groups is None:
        return rng.multinomial(total, np.full(total, 1 / total), size=count)
    names, which = np.unique(one.groups, return_inverse=True)
    return rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=count)[:, which]


def _listed(arm: Prediction | Sequence[Prediction]) -> list[Prediction]:
    return [arm] if isinstance(arm, Prediction) else list(arm)


def _check(first: list[Prediction], second: list[Prediction]) -> None:
    if not first or len(first) != len(second):
        raise ValueError(
            f"both arms need one prediction per seed; got {len(first)} and {len(second)}. "
            "Run both with the same seeds."
        )
    for one in (*first, *second):
        if not np.array_equal(one.truth, first[0].truth):
            raise ValueError("the arms must predict the same test windows, in the same order.")
