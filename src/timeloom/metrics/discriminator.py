"""A judge that tells synthetic from real: what it sees, how it is trained, what it is tried on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timeloom.metrics.moments import FLAT
from timeloom.nets.batches import batches
from timeloom.nets.judge import Judge

__all__ = ["Groups", "both_sides", "folds_by_group", "standardise", "train_discriminator"]

Array = NDArray[Any]
Loss = Callable[[Tensor, Tensor], Tensor]
Groups = tuple[Array | None, Array | None] | None  # recordings of real, of synthetic windows


def standardise(*sets: Array, by: Array) -> tuple[Array, ...]:
    """Scales channels by the mean and spread of ``by``; what was not measured becomes the mean.

    Args:
        sets: Each (window, time, channel), in the units of ``by``. NaN = not measured.
        by: (window, time, channel) whose mean becomes 0 and whose standard deviation becomes 1. A
            channel that is constant there, or moves by no more than rounding (a standard deviation
            of at most 1e-9 of the mean), is only shifted.

    Returns:
        ``sets`` as float32 without NaN.

    Raises:
        ValueError: If a channel of ``by`` holds no measured value.
    """
    flat = np.asarray(by, dtype=np.float64).reshape(-1, by.shape[-1])
    empty = np.flatnonzero(np.isnan(flat).all(axis=0))
    if len(empty):
        raise ValueError(f"channels {empty.tolist()} hold no measured value. Leave them out.")
    center = np.nanmean(flat, axis=0)
    spread = np.nanstd(flat, axis=0)
    del flat  # may be as large as all sets, in double
    spread = np.where(spread <= FLAT * np.abs(center), 1.0, spread)
    return tuple(_scaled(one, center, spread) for one in sets)


def _scaled(x: Array, center: Array, spread: Array) -> Array:
    """In double, for levels far above the spread, but with one copy in double at a time."""
    wide = np.subtract(x, center, dtype=np.float64)
    wide /= spread
    return np.nan_to_num(wide, copy=False).astype(np.float32)


def folds_by_group(groups: Array | None, count: int, folds: int, seed: int) -> Array:
    """Puts every window in a fold; windows of one group (recording) share theirs.

    Groups are shuffled, then the largest goes first to whichever fold is smallest, so that folds
    hold about equally many windows.

    Args:
        groups: (window,) anything that tells recordings apart; None: each window is its own.
        count: Number of windows.
        folds: Number of folds.
        seed: Which group goes where.

    Returns:
        (window,) numbers from 0 to ``folds`` - 1.

    Raises:
        ValueError: If there are fewer groups than folds.
    """
    rng = np.random.default_rng(seed)
    if groups is None:
        return rng.permutation(np.arange(count) % folds)
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < folds:
        raise ValueError(
            f"{folds} folds by recording need at least {folds} recordings; got {len(sizes)}. "
            "Give each block of time a number of its own as its group."
        )
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(folds)
    fold_of = np.empty(len(sizes), dtype=int)
    for group in order:
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return fold_of[which]


def both_sides(
    real: Array, synthetic: Array, groups: Groups, seed: int, folds: int
) -> tuple[Array, Array, Array]:
    """Both sets in one, for a judge that is tried on other recordings than it learnt from.

    Args:
        real: (window, time, channel).
        synthetic: (window, time, channel).
        groups: The recording of each real and of each synthetic window; None where unknown.
        seed: Which recording goes where.
        folds: Number of folds.

    Returns:
        All windows standardised by the real ones, which of them are real, the fold of each.
    """
    one, other = groups or (None, None)
    fold = [
        folds_by_group(one, len(real), folds, seed),
        folds_by_group(other, len(synthetic), folds, seed + 1),
    ]
    x = np.concatenate(standardise(real, synthetic, by=real))
    is_real = np.arange(len(x)) < len(real)
    return x, is_real, np.concatenate(fold)


def train_discriminator(
    x: Array,
    y: Array,
    loss: Loss,
    *,
    outputs: int = 1,
    steps: int = 200,
    batch: int = 128,
    rate: float = 4e-3,
    hidden: int = 32,
    seed: int = 0,
) -> Callable[[Array], Array]:
    """Trains one recurrent judge for a fixed number of steps; nothing is chosen on a test split.

    Args:
        x: (window, time, channel) without NaN, standardised.
        y: (window,) what to read from each window, as ``loss`` takes it.
        loss: Of the judge's outputs (window, output) and ``y``.
        outputs: Numbers per window.
        steps: Optimisation steps (Adam; the rate rises over a twentieth, then falls to 0).
        batch: Windows per step.
        rate: The highest learning rate.
        hidden: Units of the judge.
        seed: Initial weights and order.

    Returns:
        A function from windows to outputs (window, output).
    """
    # Layers draw their first weights from the global generator; the fork gives it back untouched.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge(x.shape[2], x.shape[1], outputs, hidden=hidden)
    optimiser = torch.optim.Adam(judge.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=0.05, anneal_strategy="linear"
    )
    windows, targets = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    rng = torch.Generator().manual_seed(seed)
    for rows in batches(len(windows), min(batch, len(windows)), steps, rng):
        optimiser.zero_grad()
        loss(judge(windows[rows]), targets[rows]).backward()
        nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    judge.eval()
    return lambda new: _read(judge, new)


@torch.no_grad()
def _read(judge: nn.Module, x: Array) -> Array:
    parts = torch.as_tensor(x, dtype=torch.float32).split(512)
    return torch.cat([judge(part) for part in parts]).numpy()
