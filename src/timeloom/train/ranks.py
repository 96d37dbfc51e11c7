"""What several processes must see together."""

from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor

__all__ = ["is_main_process", "together"]


def together(x: Tensor) -> Tensor:
    """The rows of all processes, in order of rank, with gradients to each; ``x`` itself if alone.

    A statistic of the whole batch, computed from this by every process, has the gradient that
    one process with the whole batch would have, once gradients are averaged over processes.
    """
    if not _many():
        return x
    return _Gather.apply(x)  # pyright: ignore[reportReturnType]


class _Gather(torch.autograd.Function):
    """all_gather with a gradient: what every process wants of these rows, summed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        whole = grads[0].contiguous()
        distributed.all_reduce(whole)
        return whole.chunk(distributed.get_world_size())[distributed.get_rank()]


def is_main_process() -> bool:
    """Whether this process is the one that writes files."""
    return not _many() or distributed.get_rank() == 0


def _many() -> bool:
    return distributed.is_available() and distributed.is_initialized()
