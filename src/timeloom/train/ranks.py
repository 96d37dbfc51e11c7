"""What several processes must see together."""

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
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(x))


def is_main_process() -> bool:
    """Whether this process is the one that writes files."""
    return not _many() or distributed.get_rank() == 0


def _many() -> bool:
    return distributed.is_available() and distributed.is_initialized()
