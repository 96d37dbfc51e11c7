"""Do synthetic windows teach what comes next? Networks trained on them, tried on real windows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.fidelity.repeats import (
    CHUNK,
    Scaling,
    descend,
    draw,
    generators,
    mean_of_repeats,
    scaled,
)
from timeloom.metrics.metric import Interval, Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["METRICS", "next_step_error", "predictive_score"]

Array = NDArray[Any]

LEGACY_STEPS = 5_000  # of the published score
STEPS = 300  # of ours
NOTHING = Interval(float("nan"), float("nan"), float("nan"))


def predictive_score(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    repeats: int = 10,
    scaling: Scaling = "minmax",
    steps: int | None = None,
) -> Interval:
    """The predictive score as papers print it: the last channel told from all others.

    Formula: a one-layer GRU (TensorFlow's) of channels // 2 units reads all channels but the last
    up to time t and says, through a sigmoid, the last one at t + 1; trained on synthetic windows,
    mean absolute error, Adam at 1e-3, 5,000 steps, each on 128 windows drawn anew; mean absolute
    error on all real windows. Range from 0, lower is better. Unit: that of the scaled channel.
    Smallest sensible sample: 100 windows a side.
    It looks at one channel, and a sigmoid ends at 0 and 1: on standardised data (``"zscore"``, as
    published tables have it for ETT and weather) every generator scores about .48, whatever it
    makes. :func:`next_step_error` is the one to read. Source: Yoon et al. 2019 (TimeGAN); the same
    code in Diffusion-TS, ImagenTime and ImagenFew.

    Args:
        real: (window, time, channel), two channels or more. NaN = not measured, read as the mean.
        synthetic: (window, time, channel).
        seed: Repeat r depends on (``seed``, r) alone.
        repeats: How many networks; all are trained in one batched network.
        scaling: ``"minmax"`` by the real windows given. The papers scale by the whole file,
            before windows are cut: do so first and say ``"none"`` to have exactly theirs.
        steps: Optimisation steps; the papers' 5,000 where None.

    Returns:
        Mean over the repeats ± 1.96 standard errors; NaN for one channel (nothing to read from) or
        one time point.

    Raises:
        ValueError: If ``scaling`` is not known, or ``repeats`` is below 1.
    """
    import torch

    from timeloom.nets.many_gru import ManyGRU

    channels = real.shape[2]
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1; got {repeats}.")
    if channels < 2 or real.shape[1] < 2:
        return NOTHING
    told, made = (torch.as_tensor(side) for side in scaled(real, synthetic, scaling))
    rngs = generators(seed, range(repeats))
    weights = [int(rng.integers(2**62)) for rng in rngs]
    readers = ManyGRU(weights, channels - 1, channels // 2, reset="before")

    def losses() -> Iterator["Tensor"]:
        pool = [np.arange(len(made))] * repeats
        for _ in range(LEGACY_STEPS if steps is None else steps):
            windows = made[torch.as_tensor(draw(rngs, pool, 128))]
            yield _last_errors(readers, windows).mean((1, 2)).sum()

    descend(readers, losses())
    wrong = np.zeros(repeats)
    with torch.no_grad():
        for part in told.split(CHUNK):
            errors = _last_errors(readers, part.expand(repeats, *part.shape))
            wrong += errors.double().sum((1, 2)).numpy()
    return mean_of_repeats(wrong / (len(real) * (real.shape[1] - 1)))


def _last_errors(readers: "nn.Module", windows: "Tensor") -> "Tensor":
    """(network, time, window) absolute errors of the last channel, one time point ahead."""
    said = readers(windows[:, :, :-1, :-1], every=True)[:, 0].sigmoid()
    return (said - windows[:, :, 1:, -1].transpose(1, 2)).abs()


def next_step_error(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    repeats: int = 3,
    steps: int | None = None,
    hidden: int = 24,
) -> Interval:
    """How far off a network trained on synthetic windows says what comes next in real ones.

    Formula: a one-layer GRU reads all channels up to time t and says the change of every channel
    to t + 1; mean absolute error over measured values of all channels, in standard deviations of
    the real windows. The number of steps (Adam, 64 windows each, the rate falling to 0) is the same
    whoever it learns from. Range from 0, lower is better, down to the floor: trained on other real
    windows. Unit: real standard deviations. Smallest sensible sample: 100 windows a side.
    Source: the idea of Yoon et al. 2019 (TimeGAN), without the sigmoid, on all channels.

    Args:
        real: (window, time, channel), tested on; their mean and spread scale both sides. NaN = not
            measured: read as the channel's mean, never asked for.
        synthetic: (window, time, channel), learnt from.
        seed: Repeat r depends on (``seed``, r) alone.
        repeats: How many networks; all are trained in one batched network.
        steps: Optimisation steps; 300 where None.
        hidden: Units of each network.

    Returns:
        Mean over the repeats ± 1.96 standard errors; NaN for windows of one time point.

    Raises:
        ValueError: If a channel of ``real`` holds no measured value, or ``repeats`` is below 1.
    """
    import torch

    from timeloom.nets.many_gru import ManyGRU

    if repeats < 1:
        raise ValueError(f"repeats must be at least 1; got {repeats}.")
    if real.shape[1] < 2:
        return NOTHING
    steps = STEPS if steps is None else steps
    told, made = (torch.as_tensor(side) for side in scaled(real, synthetic, "zscore"))
    there, made_there = (torch.as_tensor(~np.isnan(side)) for side in (real, synthetic))
    rngs = generators(seed, range(repeats))
    weights = [int(rng.integers(2**62)) for rng in rngs]
    readers = ManyGRU(weights, real.shape[2], hidden, real.shape[2])

    def losses() -> Iterator["Tensor"]:
        pool = [np.arange(len(made))] * repeats
        for _ in range(steps):
            rows = torch.as_tensor(draw(rngs, pool, 64))
            wrong, count = _errors(readers, made[rows], made_there[rows])
            yield (wrong / count.clamp_min(1)).sum()

    descend(readers, losses(), rate=1e-2, steps=steps)
    wrong, count = torch.zeros(repeats, dtype=torch.float64), torch.zeros(repeats)
    with torch.no_grad():
        for part, known in zip(told.split(CHUNK), there.split(CHUNK), strict=True):
            wide = [one.expand(repeats, *one.shape) for one in (part, known)]
            more, of = _errors(readers, *wide)
            wrong, count = wrong + more, count + of
    return mean_of_repeats((wrong / count).numpy())


def _errors(readers: "nn.Module", windows: "Tensor", there: "Tensor") -> tuple["Tensor", "Tensor"]:
    """(network,) sums of absolute errors one time point ahead, and numbers of measured values."""
    change = readers(windows[:, :, :-1], every=True).permute(0, 3, 2, 1)
    wrong = (windows[:, :, :-1] + change - windows[:, :, 1:]).abs() * there[:, :, 1:]
    return wrong.sum((1, 2, 3)), there[:, :, 1:].sum((1, 2, 3))


METRICS = (
    Metric(
        "next_step_error",
        next_step_error,
        "lower",
        "real sd",
        "How far off a network taught by synthetic windows says what comes next in real ones.",
        about="time",
        needs=("real", "synthetic", "seed"),
        far=0.1,
        smallest=100,
        once=True,
        ideal=None,
    ),
    Metric(
        "predictive_score",
        predictive_score,
        "lower",
        "share of range",
        "The predictive score of published tables: the last channel told from all others.",
        about="time",
        needs=("real", "synthetic", "seed"),
        far=0.05,
        smallest=100,
        once=True,
        default=False,
        ideal=None,
    ),
)
