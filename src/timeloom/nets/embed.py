"""What a network is told besides the windows: the time, and a class or a value."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["ConditionEmbedding", "TimeEmbedding"]


class TimeEmbedding(nn.Module):
    """Sinusoids of the time through two linear layers. Source: Ho et al. 2020.

    Args:
        width: Numbers of the sinusoids.
        out: Numbers that come out.
    """

    frequency: Tensor

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        half = width // 2
        frequency = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half))
        self.register_buffer("frequency", frequency, persistent=False)
        self.mix = nn.Sequential(nn.Linear(2 * half, out), nn.GELU(), nn.Linear(out, out))

    def forward(self, t: Float[Tensor, "window"]) -> Float[Tensor, "window feature"]:
        """Embeds one time per window."""
        angle = t[:, None] * self.frequency
        return self.mix(torch.cat([angle.sin(), angle.cos()], dim=1))


class ConditionEmbedding(nn.Module):
    """A value or a class, or the learned "none". Source: Diff-MTS (arXiv 2407.11501), section 2.2.

    A condition is one number per window. NaN means "no condition" and becomes a learned vector:
    it is never a number, since 0 is a label like any other.

    Args:
        width: Numbers of the first layer.
        out: Numbers that come out.
        classes: How many classes the number counts; None where it is a value (scaled to [0, 1]).
    """

    def __init__(self, width: int, out: int, classes: int | None = None) -> None:
        super().__init__()
        self.classes = classes
        self.first = nn.Linear(1, width) if classes is None else nn.Embedding(classes, width)
        self.none = nn.Parameter(torch.randn(width))
        self.mix = nn.Sequential(nn.Linear(width, out), nn.GELU(), nn.Linear(out, out))

    def forward(
        self, cond: Float[Tensor, "window"] | None, count: int
    ) -> Float[Tensor, "window feature"]:
        """Embeds one condition per window; None is "none" for all ``count`` of them."""
        if cond is None:
            return self.mix(self.none.expand(count, -1))
        given = ~cond.isnan()
        number = torch.where(given, cond, 0)
        known = self.first(number[:, None] if self.classes is None else number.long())
        return self.mix(torch.where(given[:, None], known, self.none))
