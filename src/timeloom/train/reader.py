"""A network that reads whole windows, trained for a fixed number of steps."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from timeloom.nets.batches import batches

__all__ = ["outputs_of", "train_reader"]

CLIP = 1.0  # largest norm of a gradient


def train_reader(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    steps: int,
    batch: int = 128,
    rate: float = 2e-3,
    seed: int = 0,
    checks: int = 0,
    score: Callable[[nn.Module], float] | None = None,
    weights: Tensor | None = None,
) -> int:
    """Trains ``net`` in place by Adam, its rate falling to 0 along a cosine.

    Args:
        net: From ``x`` rows to what ``loss`` compares with ``y`` rows.
        x: (window, ...) what is read.
        y: (window, ...) what is to be said.
        loss: ``loss(net(x), y)``, one number.
        steps: Optimiser steps, however many windows there are.
        batch: Windows per step; where there are fewer, some come twice.
        rate: Highest learning rate.
        seed: Order of the windows.
        checks: How often ``score`` is asked, evenly; 0: never, the last weights are kept.
        score: Of the network as it is, lower is better; the best weights are kept.
        weights: (window,) how often each is drawn, in proportion; None: all alike, in passes.

    Returns:
        The step whose weights are kept.
    """
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    asked = {round(steps * (k + 1) / checks) for k in range(checks)} if score else set()
    best, kept, chosen = float("inf"), net.state_dict(), 0 if asked else steps
    for step, rows in enumerate(_rows(len(x), batch, steps, seed, weights), 1):
        net.train()
        optimiser.zero_grad()
        loss(net(x[rows]), y[rows]).backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        if score is not None and step in asked and (now := score(net)) < best:
            best, chosen = now, step
            kept = {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(kept)
    net.eval()
    return chosen


@torch.no_grad()
def outputs_of(net: nn.Module, x: Tensor, *, chunk: int = 512) -> Tensor:
    """What ``net`` says of all rows of ``x``, in evaluation mode, ``chunk`` rows at a time."""
    net.eval()
    return torch.cat([net(part) for part in x.split(chunk)])


def _rows(
    count: int, batch: int, steps: int, seed: int, weights: Tensor | None
) -> Iterator[Tensor]:
    """Rows of each step: drawn with weights, or in passes."""
    rng = torch.Generator().manual_seed(seed)
    if weights is None:
        yield from batches(count, batch, steps, rng)
    else:
        for _ in range(steps):
            yield torch.multinomial(weights, batch, replacement=True, generator=rng)
