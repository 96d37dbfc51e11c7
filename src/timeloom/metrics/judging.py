"""One recurrent judge, trained on windows to read their class or value."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from timeloom.metrics.discriminator import folds_by_group, standardise
from timeloom.nets.judge import Judge

__all__ = ["train_judge"]

Array = NDArray[Any]

BATCH = 256
RATE = 2e-3  # Adam's; Source: the judges of Diff-MTS (arXiv 2407.11501)
FOLDS = 5  # one of them is for choosing the epoch


def train_judge(
    x: Array,
    y: Array,
    *,
    outputs: int = 1,
    seed: int = 0,
    groups: Array | None = None,
    epochs: int = 6,
) -> Callable[[Array], Array]:
    """Trains an LSTM; the epoch that counts is chosen on a fifth of the training windows.

    Args:
        x: (window, time, channel) in any units. NaN = not measured; the judge sees the mean there.
        y: (window,) values, or classes from 0 to ``outputs`` - 1.
        outputs: 1 for a value, else one per class.
        seed: First weights, order, and the fifth.
        groups: (window,) recordings, so that the fifth holds whole ones; None where unknown.
        epochs: Passes over the other four fifths; the rate falls to 0 over them.

    Returns:
        A function from windows to values (window,), in the unit of ``y``, or to scores of the
        classes (window, class).
    """
    if groups is not None and len(np.unique(groups)) < FOLDS:
        groups = None
    held = folds_by_group(groups, len(x), FOLDS, seed) == 0
    level, unit = (float(np.mean(y)), float(np.std(y)) or 1.0) if outputs == 1 else (0.0, 1.0)
    windows = torch.as_tensor(standardise(x, by=x)[0])
    told = torch.as_tensor(np.asarray((y - level) / unit, dtype=np.float32))[:, None]
    target, loss = (told, mse_loss) if outputs == 1 else (torch.as_tensor(y).long(), cross_entropy)
    with torch.random.fork_rng(devices=[]):  # gives the global generator back untouched
        torch.manual_seed(seed)
        judge = Judge(x.shape[2], x.shape[1], outputs)
    learn, check = (torch.as_tensor(np.flatnonzero(rows)) for rows in (~held, held))
    best, kept = float("inf"), judge.state_dict()
    for _ in _epochs(judge, windows, target, learn, loss, epochs, seed):
        now = float(loss(_outputs(judge, windows[check]), target[check]))
        if now < best:
            best, kept = now, {k: v.clone() for k, v in judge.state_dict().items()}
    judge.load_state_dict(kept)

    def read(new: Array) -> Array:
        out = _outputs(judge, torch.as_tensor(standardise(new, by=x)[0])).numpy()
        return out[:, 0].astype(np.float64) * unit + level if outputs == 1 else out

    return read


def _epochs(
    judge: nn.Module, x: Tensor, y: Tensor, learn: Tensor, loss: Any, epochs: int, seed: int
) -> Any:
    """Trains, and stops after every pass so that the caller can look."""
    rng = torch.Generator().manual_seed(seed)
    batches = -(-len(learn) // BATCH)
    optimiser = torch.optim.Adam(judge.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    for _ in range(epochs):
        judge.train()
        for rows in learn[torch.randperm(len(learn), generator=rng)].split(BATCH):
            optimiser.zero_grad()
            loss(judge(x[rows]), y[rows]).backward()
            nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        yield


@torch.no_grad()
def _outputs(judge: nn.Module, x: Tensor) -> Tensor:
    judge.eval()
    return torch.cat([judge(part) for part in x.split(512)])
