"""Repeats of one score, trained side by side: each has a network, split and batches of its own."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import standardise
from timeloom.metrics.metric import Interval

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Scaling", "descend", "draw", "generators", "mean_of_repeats", "scaled"]

Array = NDArray[Any]
Scaling = Literal["zscore", "minmax", "none"]

CHUNK = 512  # windows that are read at a time: bounds memory


def generators(seed: int, repeats: Iterable[int]) -> list[np.random.Generator]:
    """One generator per repeat, a function of (``seed``, repeat) alone."""
    return [np.random.default_rng([seed, repeat]) for repeat in repeats]


def draw(rngs: list[np.random.Generator], pools: list[Array], batch: int) -> Array:
    """For each repeat ``batch`` different numbers of its pool (or all, where it holds fewer).

    The same as the first of a new permutation, as the field's code draws them, at the cost of the
    batch instead of the pool.

    Returns:
        (repeat, number).
    """
    size = min(batch, len(pools[0]))
    picked = [
        pool[rng.choice(len(pool), size, replace=False, shuffle=False)]
        for rng, pool in zip(rngs, pools, strict=True)
    ]
    return np.stack(picked)


def scaled(real: Array, synthetic: Array, how: Scaling) -> tuple[Array, Array]:
    """Both sides on the scale that a score is measured on, without NaN (the channel's mean there).

    Args:
        real: (window, time, channel). NaN = not measured.
        synthetic: (window, time, channel).
        how: ``"zscore"`` (mean 0 and standard deviation 1 of the real windows), ``"minmax"``
            (their range becomes 0 to 1) or ``"none"``: the caller has scaled.

    Returns:
        Both as float32.

    Raises:
        ValueError: If ``how`` is another word, or a channel of ``real`` holds no measured value.
    """
    if how not in ("zscore", "minmax", "none"):
        raise ValueError(f"scaling must be 'zscore', 'minmax' or 'none'; got {how!r}.")
    a, b = standardise(real, synthetic, by=real)
    if how == "minmax":
        low, high = a.min((0, 1)), a.max((0, 1))
        unit = np.where(high > low, high - low, 1)
        return (a - low) / unit, (b - low) / unit
    if how == "none":
        center = np.nanmean(np.asarray(real, dtype=np.float64), axis=(0, 1))
        a, b = (np.where(np.isnan(x), center, x).astype(np.float32) for x in (real, synthetic))
    return a, b


def descend(
    network: "nn.Module", losses: Iterable["Tensor"], *, rate: float = 1e-3, steps: int = 0
) -> None:
    """One step of Adam per loss; each loss must be computed when it is asked for.

    Args:
        network: Its parameters are changed.
        losses: Sums over repeats, so that no repeat feels another.
        rate: Adam's learning rate.
        steps: Where given, the rate rises over the first twentieth of so many steps, and falls
            to 0 over the others; else it is constant, as in the field's code.
    """
    import torch

    optimiser = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
    for step, loss in enumerate(losses):
        if steps:
            rise, fall = (step + 1) * 20 / steps, (1 - step / steps) / 0.95
            optimiser.param_groups[0]["lr"] = rate * min(1.0, rise, fall)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def mean_of_repeats(scores: Array) -> Interval:
    """Mean of the repeats, and mean ± 1.96 standard errors.

    The interval is that of the judge (split, first weights, batches): all repeats see the same
    windows, so it says nothing of how the score would vary with others.

    Args:
        scores: (repeat,); the interval of a single one is the value itself.
    """
    mean = float(np.mean(scores))
    error = float(np.std(scores, ddof=1)) / len(scores) ** 0.5 if len(scores) > 1 else 0.0
    return Interval(mean, mean - 1.96 * error, mean + 1.96 * error)
