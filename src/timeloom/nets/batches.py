"""Which windows each step of a short training takes."""

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["batches"]


def batches(count: int, batch: int, steps: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Rows of each step, all of the same size: passes over the windows, one after another.

    Args:
        count: Windows there are.
        batch: Windows of a step; where there are fewer, some come twice.
        steps: How many steps.
        rng: Decides the order of each pass; drawn from when a pass begins.
    """
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        while len(order) < batch:
            order = torch.cat([order, torch.randperm(count, generator=rng)])
        yield order[:batch]
        order = order[batch:]
