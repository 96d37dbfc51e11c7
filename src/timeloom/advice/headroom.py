"""How much more data could give, and which gain a test set of a given size can show at all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.advice.cross import PARTS, Crossed, drawn
from timeloom.advice.layout import Layout

__all__ = ["Headroom", "headroom"]

Array = NDArray[Any]

RESAMPLES = 300
POWERS = (0.25, 0.5, 0.75, 1.0)  # of 1/n, at which an AUROC may approach its limit
RELIABLE = 2.8  # standard errors: found in four of five trials by a two-sided test at 5 %


@dataclass(frozen=True)
class Headroom:
    """A learning curve and what it promises.

    Attributes:
        sizes: Windows learnt from, at n/8, n/4, n/2 and n.
        curve: AUROC at each.
        gain: What twice as many real windows would add, by the fitted curve; at least 0.
        low: Lower end of its 95 % interval.
        high: Upper end.
        error: Standard error of the AUROC on the test set.
        error_of_gain: Standard error of a difference between two models on the same test set.
    """

    sizes: tuple[int, ...]
    curve: tuple[float, ...]
    gain: float
    low: float
    high: float
    error: float
    error_of_gain: float

    @property
    def detectable(self) -> float:
        """The gain that such a test set shows four times out of five."""
        return RELIABLE * self.error_of_gain

    @property
    def measurable(self) -> bool:
        """Whether the gain reaches one standard error."""
        return self.gain >= self.error_of_gain and self.gain > 1e-4


def headroom(
    found: Crossed, layout: Layout, weights: Array, counts: Array, share: float, *, seed: int
) -> Headroom:
    """Fits the learning curve and resamples a test set.

    Args:
        found: Out-of-fold outputs.
        layout: Classes.
        weights: (resample, window) of the bootstrap over recordings.
        counts: (class,) windows of the test set.
        share: Of all windows that were looked at; the curve is continued to the rest.
        seed: Of the resamples.
    """
    y = layout.y
    every = [*found.fewer, found.said]
    once = np.ones((1, len(y)))
    curve = np.array([drawn(one, y, once)[0] for one in every])
    again = np.stack([drawn(one, y, weights) for one in every], axis=1)
    sizes = found.learnt * np.array([*PARTS, 8]) / 8
    gains = _gain(np.vstack([curve, again]), sizes, found.learnt / share)
    low, high = np.quantile(gains[1:], [0.025, 0.975])
    test = _test_weights(y, counts, seed)
    full, half = drawn(found.said, y, test), drawn(found.fewer[-1], y, test)
    # Windows of one recording resemble each other: such a test set tells less than its size says.
    alone = drawn(found.said, y, _test_weights(y, np.bincount(y), seed))
    spread = max(1.0, float(again[:, -1].std() / max(alone.std(), 1e-9)))
    return Headroom(
        tuple(round(size) for size in sizes),
        tuple(map(float, curve)),
        float(gains[0]),
        float(low),
        float(high),
        float(full.std() * spread),
        float((full - half).std() * spread),
    )


def _test_weights(y: Array, counts: Array, seed: int) -> Array:
    """(resample, window): test sets of the given class counts, drawn from the windows tried."""
    rng = np.random.default_rng([seed, 20423])
    weights = np.zeros((RESAMPLES, len(y)))
    for c, count in enumerate(counts):
        rows = np.flatnonzero(y == c)
        weights[:, rows] = rng.multinomial(count, np.full(len(rows), 1 / len(rows)), RESAMPLES)
    return weights


def _gain(curves: Array, sizes: Array, now: float) -> Array:
    """(curve,) what doubling ``now`` adds, by the best of a few power laws a - b n^-c.

    Sizes count by their number of windows, since small ones vary most; a curve that falls promises
    nothing, and none passes 1.
    """
    weight = np.sqrt(sizes / sizes.sum())
    best = np.full(len(curves), np.inf)
    gain = np.zeros(len(curves))
    for power in POWERS:
        basis = (sizes / sizes[-1]) ** -power
        design = np.stack([np.ones_like(basis), -basis], axis=1) * weight[:, None]
        limit, slope = np.linalg.lstsq(design, (curves * weight).T, rcond=None)[0]
        error = (((limit[:, None] - slope[:, None] * basis) - curves) ** 2 * weight**2).sum(axis=1)
        step = (now / sizes[-1]) ** -power - (2 * now / sizes[-1]) ** -power
        room = np.maximum(1 - curves[:, -1], 0)
        promised = np.clip(slope * step, 0, room)
        gain = np.where(error < best, promised, gain)
        best = np.minimum(error, best)
    return gain
