"""A 1-D U-Net at full resolution in time, for any number of components and any length.

The default network of ImagenFew (arXiv 2505.20446 has a 2-D one, see ``image_unet``).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from timeloom.nets.dynamic_conv import DynamicConv1d
from timeloom.nets.embed import TimeEmbedding

__all__ = ["SeriesUNet", "Told"]

VIEWS = 4  # the white series, the same as it was measured, what is known, and where


class Told(NamedTuple):
    """What a network is told besides the noisy series.

    Attributes:
        token: (window, feature) of the data set; None for none.
        back: (component, time, time) filter from white series to measured ones; None where they
            are the same.
        values: (window, component, time) measured values where known, 0 elsewhere.
        known: (window, component, time) how much of a component is known there, 0 to 1.
    """

    token: Tensor | None = None
    back: Tensor | None = None
    values: Tensor | None = None
    known: Tensor | None = None


class ResidualBlock(nn.Module):
    """Two convolutions behind normalisations; time and token scale and shift the second one's."""

    def __init__(self, inside: int, outside: int, told: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(groups, inside)
        self.first = nn.Conv1d(inside, outside, kernel, padding=kernel // 2)
        self.told = nn.Linear(told, 2 * outside)
        self.second_norm = nn.GroupNorm(groups, outside, affine=False)
        self.second = nn.Conv1d(outside, outside, kernel, padding=kernel // 2)
        self.short = nn.Conv1d(inside, outside, 1) if inside != outside else nn.Identity()
        # A new block is the identity, so that depth costs nothing at the start.
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias) if self.second.bias is not None else None

    def forward(
        self, x: Float[Tensor, "window feature time"], told: Float[Tensor, "window told"]
    ) -> Float[Tensor, "window feature2 time"]:
        """Adds what the two convolutions make of ``x`` to its shortcut."""
        scale, shift = self.told(told)[:, :, None].chunk(2, dim=1)
        h = self.first(F.silu(self.first_norm(x)))
        h = self.second(F.silu(torch.addcmul(shift, self.second_norm(h), 1 + scale)))
        return h + self.short(x)


class TimeAttention(nn.Module):
    """Self-attention over time, added to what passes through."""

    def __init__(self, features: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(1, features)
        self.qkv = nn.Conv1d(features, 3 * features, 1)
        self.out = nn.Conv1d(features, features, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Float[Tensor, "window feature time"]) -> Tensor:
        """The same shape comes back."""
        q, k, v = self.qkv(self.norm(x)).unflatten(1, (3, self.heads, -1)).mT.unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.mT.flatten(1, 2))


class SlicedConv(nn.Conv1d):
    """A convolution of which only the first so many channels on the data's side are used.

    Component k has its own weights, whatever stands beside it, and components that a set does not
    have cost nothing.
    """

    def read(self, x: Float[Tensor, "window component time"]) -> Tensor:
        """From the components there are to features; of one spread, however many there are."""
        count = min(x.shape[1], self.in_channels)
        weight = self.weight[:, :count] * count**-0.5
        return F.conv1d(x[:, :count], weight, None, padding=self.kernel_size[0] // 2)

    def write(self, x: Float[Tensor, "window feature time"], count: int) -> Tensor:
        """From features to ``count`` components; those beyond the last that has weights are 0."""
        given = min(count, self.out_channels)
        bias = None if self.bias is None else self.bias[:given]
        out = F.conv1d(x, self.weight[:given], bias, padding=self.kernel_size[0] // 2)
        return F.pad(out, (0, 0, 0, count - given))


class Doors(nn.Module):
    """The way in and out: from any number of components to the network's features and back.

    Args:
        width: Features inside.
        most: Components that have weights of their own (``"sliced"``), or that all sets are
            filled up to with zeros (``"padded"``).
        kind: ``"sliced"``, ``"padded"``, or ``"dynamic"``: kernels resized to the number of
            channels, see :class:`timeloom.nets.dynamic_conv.DynamicConv1d`.
    """

    def __init__(self, width: int, most: int, kind: str) -> None:
        super().__init__()
        self.kind, self.most = kind, most
        if kind == "dynamic":
            self.ways = nn.ModuleList(
                DynamicConv1d(width, "in", calibrate=True) for _ in range(VIEWS)
            )
            self.out: nn.Module = DynamicConv1d(width, "out", calibrate=True)
        else:
            ways = [SlicedConv(most, width, 3, bias=False) for _ in range(VIEWS)]
            for way in ways:
                # Every view and tap alike; the number of components is divided by in ``read``.
                nn.init.normal_(way.weight, std=(3 * VIEWS) ** -0.5)
            self.ways = nn.ModuleList(ways)
            self.out = SlicedConv(width, most, 3)
            for parameter in self.out.parameters():
                nn.init.zeros_(parameter)

    def enter(self, white: Tensor, *others: Tensor | None) -> Tensor:
        """Sums what every view that is given adds to the features."""
        parts = []
        for way, view in zip(self.ways, (white, *others), strict=True):
            if view is None:
                # Zeros add nothing but a bias; several processes ask that all weights take part.
                if not self.training and self.kind != "dynamic":
                    continue
                view = torch.zeros_like(white)
            if self.kind == "padded":
                view = F.pad(view, (0, 0, 0, max(0, self.most - view.shape[1])))
            parts.append(way(view) if self.kind == "dynamic" else way.read(view))  # pyright: ignore
        return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]

    def leave(self, x: Tensor, count: int) -> Tensor:
        """The features of the last block as ``count`` components."""
        if self.kind == "dynamic":
            return self.out(x, count)
        if self.kind == "padded":
            return self.out.write(x, max(count, self.most))[:, :count]  # pyright: ignore
        return self.out.write(x, count)  # pyright: ignore


class SeriesUNet(nn.Module):
    """Convolutions at full resolution in time; all components of a time point are features of it.

    Its cost does not depend on the number of components, and nothing is computed on padding.

    Args:
        most: Components with weights of their own; the sampler leaves later ones to the Gaussian
            law that their whitening implies.
        width: Features of the first level, a multiple of 8.
        multipliers: Features of each level in units of ``width``; every further level halves time.
        kernel: Time points of a convolution, odd.
        attention: Whether the coarsest level holds self-attention over time.
        token: Numbers of a data set's token; 0 for none.
        doors: ``"sliced"``, ``"padded"`` or ``"dynamic"``: how components become features.

    Raises:
        ValueError: If ``width`` is no multiple of 8, or ``kernel`` is even.
    """

    def __init__(
        self,
        *,
        most: int = 32,
        width: int = 48,
        multipliers: Sequence[int] = (1, 2),
        kernel: int = 3,
        attention: bool = True,
        token: int = 64,
        doors: str = "sliced",
    ) -> None:
        super().__init__()
        if width % 8:
            raise ValueError(f"width must be a multiple of 8; got {width}.")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"the kernel must be odd, to keep the length; got {kernel}.")
        told, widths = 4 * width, [width * m for m in multipliers]
        self.multiple = 2 ** (len(widths) - 1)
        self.time = TimeEmbedding(64, told)
        self.token = nn.Linear(token, told) if token else None
        self.doors = Doors(width, most, doors)
        block = lambda a, b: ResidualBlock(a, b, told, kernel, 8)  # noqa: E731
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.down = nn.ModuleList(block(w, w) for w in widths)
        self.shrink = nn.ModuleList(nn.Conv1d(a, b, 3, 2, 1) for a, b in pairs)
        self.middle = block(widths[-1], widths[-1])
        self.attention = TimeAttention(widths[-1]) if attention else nn.Identity()
        self.up = nn.ModuleList(block(w, w) for w in reversed(widths))
        self.grow = nn.ModuleList(nn.Conv1d(b, a, 3, padding=1) for a, b in reversed(pairs))
        self.norm = nn.GroupNorm(8, width)

    def forward(
        self,
        x: Float[Tensor, "window component time"],
        t: Float[Tensor, "window"],
        told: Told | None = None,
    ) -> Float[Tensor, "window component time"]:
        """What the denoiser asked for, at time ``t``."""
        told = told or Told()
        count, length = x.shape[1:]
        seen = None if told.back is None else torch.einsum("kst,nkt->nks", told.back, x)
        h = self.doors.enter(x, seen, told.values, told.known)
        if length % self.multiple:
            h = F.pad(h, (0, -length % self.multiple), mode="replicate")
        message = self.time(t)
        if self.token is not None and told.token is not None:
            message = message + self.token(told.token)
        message, skips = F.silu(message), []
        for level, block in enumerate(self.down):
            h = block(h, message)
            skips.append(h)
            h = self.shrink[level](h) if level < len(self.shrink) else h
        h = self.attention(self.middle(h, message))
        for level, block in enumerate(self.up):
            h = block((h + skips.pop()) * 0.5**0.5, message)
            if level < len(self.grow):
                h = self.grow[level](F.interpolate(h, scale_factor=2, mode="nearest"))
        return self.doors.leave(F.silu(self.norm(h))[..., :length], count)
