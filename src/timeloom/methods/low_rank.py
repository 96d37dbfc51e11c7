"""Which weights does adapting change: all of them, tokens alone, or a low-rank change of each?"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

__all__ = ["freeze_but", "low_rank", "merge"]


class LowRank(nn.Module):
    """Adds a product of two thin matrices to a weight; it starts at 0.

    Source: Hu et al. 2021 (LoRA). A kernel (out, in, ...) counts as a matrix (out, rest).

    Args:
        weight: What it is added to.
        rank: Columns of the first matrix; 0 changes nothing, to the last bit.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        self.up = nn.Parameter(weight.new_zeros(rows, rank))
        self.down = nn.Parameter(torch.randn(rank, columns).to(weight) * columns**-0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        if self.up.shape[1] == 0:
            return weight
        return weight + (self.up @ self.down).reshape(weight.shape)


def low_rank(model: nn.Module, rank: int) -> None:
    """Freezes the weights of ``model`` and gives every matrix and kernel a low-rank change.

    What is no matrix (biases, scales) is trained as it is.
    """
    for module in list(model.modules()):
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim >= 2:
            weight.requires_grad_(False)
            parametrize.register_parametrization(module, "weight", LowRank(weight, rank))


def merge(model: nn.Module) -> None:
    """Makes the low-rank changes part of the weights: a plain network is left."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def freeze_but(model: nn.Module, *trained: nn.Parameter) -> None:
    """Freezes every parameter that is not among ``trained``."""
    kept = {id(parameter) for parameter in trained}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in kept)
