"""TDR-UNet: a 1-D U-Net whose bottleneck takes trend and peak apart and joins them by attention.

Source: Diff-MTS, arXiv 2407.11501; the sizes of its C-MAPSS setting are the defaults.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from timeloom.nets.embed import ConditionEmbedding, TimeEmbedding

__all__ = ["TrendBlock", "TrendUNet"]


class StandardConv(nn.Conv1d):
    """Convolution with weights of mean 0 and variance 1. Source: Qiao et al. 2019."""

    def forward(self, input: Float[Tensor, "window feature time"]) -> Tensor:
        """Convolves with the standardised weights."""
        variance, mean = torch.var_mean(self.weight, dim=(1, 2), correction=0, keepdim=True)
        weight = (self.weight - mean) * (variance + 1e-5).rsqrt()
        return F.conv1d(input, weight, self.bias, self.stride, self.padding)


class ResidualBlock(nn.Module):
    """Two standardised convolutions; time and condition scale and shift the first one's output."""

    def __init__(self, inside: int, outside: int, told: int, groups: int) -> None:
        super().__init__()
        self.told = nn.Sequential(nn.SiLU(), nn.Linear(told, 2 * outside))
        self.first = StandardConv(inside, outside, 3, padding=1)
        self.first_norm = nn.GroupNorm(groups, outside)
        self.second = StandardConv(outside, outside, 3, padding=1)
        self.second_norm = nn.GroupNorm(groups, outside)
        self.short = nn.Conv1d(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(
        self, x: Float[Tensor, "window feature time"], told: Float[Tensor, "window told"]
    ) -> Float[Tensor, "window feature2 time"]:
        """Adds what the two convolutions make of ``x`` to its shortcut."""
        scale, shift = self.told(told)[:, :, None].chunk(2, dim=1)
        h = F.silu(torch.addcmul(shift, self.first_norm(self.first(x)), 1 + scale))
        return F.silu(self.second_norm(self.second(h))) + self.short(x)


class TrendBlock(nn.Module):
    """Splits into trend (moving average) and peak (moving maximum) over time, and joins them.

    ``x + x_td + Attention(LayerNorm(x_td))`` with ``x_td = Conv1x1([peak; trend])``.

    Args:
        features: Features of the tensor that passes through.
        window: Time points that are pooled, odd; ends are repeated.
        heads: Heads of the attention over time.
        head: Numbers per head.
        parts: ``"both"``, or only ``"trend"`` or ``"peak"`` (the other is zeros), for ablations.

    Raises:
        ValueError: If ``window`` is even, or ``parts`` none of the three.
    """

    def __init__(
        self, features: int, window: int = 3, heads: int = 4, head: int = 32, parts: str = "both"
    ) -> None:
        super().__init__()
        if window % 2 == 0:
            raise ValueError(f"the trend's window must be odd; got {window}.")
        if parts not in ("both", "trend", "peak"):
            raise ValueError(f"trend parts must be 'both', 'trend' or 'peak'; got {parts!r}.")
        self.window, self.heads, self.parts = window, heads, parts
        self.join = nn.Conv1d(2 * features, features, 1)
        self.gain = nn.Parameter(torch.ones(1, features, 1))
        self.qkv = nn.Conv1d(features, 3 * heads * head, 1, bias=False)
        self.out = nn.Conv1d(heads * head, features, 1)

    def pool(self, x: Float[Tensor, "window feature time"]) -> tuple[Tensor, Tensor]:
        """(trend, peak) of the shape of ``x``, pooled over time."""
        reach = (self.window - 1) // 2
        padded = F.pad(x, (reach, reach), mode="replicate")
        return F.avg_pool1d(padded, self.window, 1), F.max_pool1d(padded, self.window, 1)

    def forward(self, x: Float[Tensor, "window feature time"]) -> Tensor:
        """The same shape comes back."""
        trend, peak = self.pool(x)
        if self.parts == "trend":
            peak = torch.zeros_like(peak)
        elif self.parts == "peak":
            trend = torch.zeros_like(trend)
        joined = self.join(torch.cat([peak, trend], dim=1))
        return x + joined + self._attend(joined)

    def _attend(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        normal = (x - mean) * (variance + 1e-5).rsqrt() * self.gain
        # (window, 3·head·number, time) -> three of (window, head, time, number)
        q, k, v = self.qkv(normal).unflatten(1, (3, self.heads, -1)).transpose(-1, -2).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(-1, -2).flatten(1, 2))


class TrendUNet(nn.Module):
    """The denoising network of Diff-MTS.

    Args:
        channels: Channels of a window.
        classes: Classes the condition counts; None where it is a value in [0, 1].
        width: Features of the first level.
        multipliers: Features of each level, in units of ``width``; all but the last level halve
            the time, so windows are padded to a multiple of 2^(levels - 1) and cut back.
        trend: Whether the bottleneck holds the :class:`TrendBlock`.
        trend_window: Time points that it pools.
        trend_parts: ``"both"``, ``"trend"`` or ``"peak"``.
        groups: Groups of the normalisation.

    Raises:
        ValueError: If ``width`` is no multiple of ``groups``, or as :class:`TrendBlock`.
    """

    def __init__(
        self,
        channels: int,
        classes: int | None = None,
        *,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2, 2),
        trend: bool = True,
        trend_window: int = 3,
        trend_parts: str = "both",
        groups: int = 8,
    ) -> None:
        super().__init__()
        if width % groups:
            raise ValueError(f"width must be a multiple of the {groups} groups; got {width}.")
        widths = [width, *[width * m for m in multipliers]]
        told = 8 * width
        levels = list(zip(widths[:-1], widths[1:], strict=True))
        last = len(levels) - 1
        self.multiple = 2**last
        self.time = TimeEmbedding(width, told // 2)
        self.condition = ConditionEmbedding(width, told // 2, classes)
        self.stem = nn.Conv1d(channels, width, 7, padding=3)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for i, (a, b) in enumerate(levels):
            shrink = (
                nn.Conv1d(a, b, 3, padding=1) if i == last else nn.Conv1d(a, b, 4, 2, padding=1)
            )
            self.down.append(
                nn.ModuleList([_block(a, a, told, groups), _block(a, a, told, groups), shrink])
            )
        for i, (a, b) in reversed(list(enumerate(levels))):
            grow: nn.Module = nn.Conv1d(b, a, 3, padding=1)
            if i != 0:
                grow = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), grow)
            self.up.append(
                nn.ModuleList(
                    [_block(a + b, b, told, groups), _block(a + b, b, told, groups), grow]
                )
            )
        self.middle = nn.ModuleList(_block(widths[-1], widths[-1], told, groups) for _ in range(2))
        self.trend = TrendBlock(widths[-1], trend_window, parts=trend_parts) if trend else None
        self.last = _block(2 * width, width, told, groups)
        self.head = nn.Conv1d(width, channels, 1)

    def forward(
        self,
        x: Float[Tensor, "window channel time"],
        t: Float[Tensor, "window"],
        cond: Float[Tensor, "window"] | None = None,
    ) -> Float[Tensor, "window channel time"]:
        """What the denoiser asked for, at time ``t`` and under ``cond`` (NaN or None = none)."""
        length = x.shape[-1]
        x = F.pad(x, (0, -length % self.multiple), mode="replicate")
        told = torch.cat([self.time(t), self.condition(cond, len(x))], dim=1)
        x = self.stem(x)
        stem, skips = x, []
        for first, second, shrink in self.down:  # pyright: ignore[reportGeneralTypeIssues]
            x = first(x, told)
            skips.append(x)
            x = second(x, told)
            skips.append(x)
            x = shrink(x)
        x = self.middle[0](x, told)
        x = x if self.trend is None else self.trend(x)
        x = self.middle[1](x, told)
        for first, second, grow in self.up:  # pyright: ignore[reportGeneralTypeIssues]
            x = first(torch.cat([x, skips.pop()], dim=1), told)
            x = second(torch.cat([x, skips.pop()], dim=1), told)
            x = grow(x)
        x = self.last(torch.cat([x, stem], dim=1), told)
        return self.head(x)[..., :length]


def _block(inside: int, outside: int, told: int, groups: int) -> ResidualBlock:
    return ResidualBlock(inside, outside, told, groups)
