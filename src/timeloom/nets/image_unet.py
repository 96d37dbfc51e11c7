"""ImagenFew's published network: windows folded into images, and a U-Net on them.

Source: arXiv 2505.20446; the U-Net is that of Dhariwal and Nichol 2021 in the form of EDM (2022).
"""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout, pad, scaled_dot_product_attention, silu

from timeloom.nets.delay_image import DelayImage
from timeloom.nets.dynamic_conv import DynamicConv2d

__all__ = ["ImageUNet"]

RELEASED_TOKENS = 32  # rows of the released table of tokens


class LevelEmbedding(nn.Module):
    """Cosines and sines of one number per window, through two linear layers."""

    frequency: Tensor

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        half = width // 2
        frequency = 10_000 ** (-torch.arange(half) / half)
        self.register_buffer("frequency", frequency, persistent=False)
        self.first = nn.Linear(2 * half, out)
        self.second = nn.Linear(out, out)

    def forward(self, t: Float[Tensor, "window"]) -> Float[Tensor, "window told"]:
        """Embeds; the sum with a token comes before the last activation."""
        angle = t[:, None] * self.frequency
        return self.second(silu(self.first(torch.cat([angle.cos(), angle.sin()], dim=1))))


class SelfAttention(nn.Module):
    """Every pixel asks all pixels; starts as the identity."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = _norm(features)
        self.qkv = nn.Conv2d(features, 3 * features, 1)
        self.out = _silent(nn.Conv2d(features, features, 1))

    def forward(self, x: Float[Tensor, "window feature row column"]) -> Tensor:
        """Adds what was asked for; the same shape comes back."""
        parts = self.qkv(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1))
        q, k, v = parts.transpose(-1, -2).unbind(1)  # (window, head, pixel, feature)
        mixed = scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.transpose(-1, -2).reshape(x.shape))


class ResidualBlock(nn.Module):
    """Two convolutions; what is told scales and shifts between them. Starts as its shortcut."""

    def __init__(
        self,
        inside: int,
        outside: int,
        *,
        told: int,
        dropout: float,
        heads: int = 0,
        resample: str = "keep",
    ) -> None:
        super().__init__()
        self.inside, self.dropout, self.resample = inside, dropout, resample
        self.first_norm, self.second_norm = _norm(inside), _norm(outside)
        self.first = nn.Conv2d(inside, outside, 3, padding=1)
        self.told = nn.Linear(told, 2 * outside)
        self.second = _silent(nn.Conv2d(outside, outside, 3, padding=1))
        self.short = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()
        self.attend = SelfAttention(outside, heads) if heads else nn.Identity()

    def forward(
        self, x: Float[Tensor, "window feature row column"], told: Float[Tensor, "window told"]
    ) -> Tensor:
        """Adds what the two convolutions make of ``x`` to its shortcut, and attends."""
        h = self.first(_resample(silu(self.first_norm(x)), self.resample))
        scale, shift = self.told(told)[:, :, None, None].chunk(2, dim=1)
        h = silu(torch.addcmul(shift, self.second_norm(h), 1 + scale))
        h = self.second(dropout(h, self.dropout, self.training))
        return self.attend(h + self.short(_resample(x, self.resample)))


class ImageUNet(nn.Module):
    """The denoising network of ImagenFew: fold, U-Net with adaptive group norm, unfold.

    The weights fit any length up to :func:`timeloom.nets.delay_image.longest`, and with
    ``channels="dynamic"`` any number of channels. Pixels without a time point are 0 on the way in
    and not looked at on the way out.

    Args:
        length: Time points of the windows it is mostly called with.
        width: Features of the first level.
        multipliers: Features of each level, in units of ``width``; each level halves the image.
        blocks: Residual blocks of a level on the way down; one more on the way up.
        delay: See :class:`timeloom.nets.delay_image.DelayImage`.
        embedding: Side of the image.
        attention: Sides of the image at which blocks attend.
        heads_width: Features of one head of attention, at least; narrower blocks have one head.
        dropout: Share of features dropped between the two convolutions of a block.
        token: Numbers of a token, the vector that tells data sets apart.
        compat: Keeps what the released code does: blocks narrower than ``heads_width`` do not
            attend (none at the full resolution), the single pixel at the bottom does, dynamic
            kernels are not calibrated, and a table of 32 tokens is held.
        channels: ``"dynamic"``, or the number that data of fewer channels are filled up to with
            zeros, for ordinary convolutions.
        tokens: Rows of a table of tokens held by the network; None is 32 with ``compat``, else 0.

    Raises:
        ValueError: If the image cannot be halved so often, a side of ``attention`` does not occur,
            ``channels`` is neither, a size is too small, or as :class:`DelayImage`.
    """

    def __init__(
        self,
        length: int,
        *,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2, 2, 4),
        blocks: int = 3,
        delay: int = 8,
        embedding: int = 8,
        attention: Sequence[int] = (8, 4, 2),
        heads_width: int = 64,
        dropout: float = 0.1,
        token: int = 128,
        compat: bool = False,
        channels: str | int = "dynamic",
        tokens: int | None = None,
    ) -> None:
        super().__init__()
        _check(width, len(multipliers), embedding, attention, channels)
        self.image = DelayImage(length, delay, embedding, compat=compat)
        self.channels, self.compat, self.heads_width = channels, compat, heads_width
        self.attention = tuple(attention)
        rows = (RELEASED_TOKENS if compat else 0) if tokens is None else tokens
        self.tokens = nn.Embedding(rows, token) if rows else None
        self.level = LevelEmbedding(width, token)
        block = partial(ResidualBlock, told=token, dropout=dropout)
        if isinstance(channels, int):
            self.first: nn.Module = nn.Conv2d(channels, width, 3, padding=1)
            self.last: nn.Module = _silent(nn.Conv2d(width, channels, 3, padding=1))
        else:
            self.first = DynamicConv2d(width, "in", calibrate=not compat)
            self.last = DynamicConv2d(width, "out", calibrate=not compat)
        self.down, self.middle, self.up = self._levels(width, multipliers, blocks, block)
        self.norm = _norm(width * multipliers[0])

    def forward(
        self,
        x: Float[Tensor, "window channel time"],
        t: Float[Tensor, "window"],
        token: Float[Tensor, "window told"] | Int[Tensor, "window"] | None = None,
    ) -> Float[Tensor, "window channel time"]:
        """What the denoiser asked for.

        Args:
            x: Noisy windows.
            t: Of the noise level, 250 ln(sigma): see ``KarrasSchedule.embed``.
            token: One vector per window, or rows of ``tokens``; None adds none.

        Raises:
            ValueError: If windows are too long for the image, have no or too many channels, or
                tokens do not fit.
        """
        told = silu(self._told(t, token))
        image = self._image(x.shape[2])
        h = self._enter(image.fold(x))
        skips = [h]
        for block in self.down:
            h = block(h, told)
            skips.append(h)
        for block in self.middle:
            h = block(h, told)
        for block in self.up:
            joins = block.resample != "up"
            h = block(torch.cat([h, skips.pop()], dim=1) if joins else h, told)
        h = silu(self.norm(h))
        if isinstance(self.last, DynamicConv2d):
            return image.unfold(self.last(h, x.shape[1]))
        return image.unfold(self.last(h))[:, : x.shape[1]]

    def _levels(
        self, width: int, multipliers: Sequence[int], blocks: int, block: "partial[ResidualBlock]"
    ) -> tuple[nn.ModuleList, nn.ModuleList, nn.ModuleList]:
        """Blocks on the way down, at the bottom, and on the way up."""
        down, up = nn.ModuleList(), nn.ModuleList()
        skips, inside = [width], width
        sides = [self.image.embedding >> level for level in range(len(multipliers))]
        for level, side in enumerate(sides):
            if level:
                down.append(block(inside, inside, resample="down"))
                skips.append(inside)
            outside = width * multipliers[level]
            for _ in range(blocks):
                down.append(block(inside, outside, heads=self._heads(outside, side)))
                skips.append(outside)
                inside = outside
        bottom = sides[-1]
        # Attention over one pixel only repeats it: the released network has it all the same.
        heads = self._heads(inside, bottom, listed=self.compat or bottom > 1)
        middle = nn.ModuleList([block(inside, inside, heads=heads), block(inside, inside)])
        for level, side in reversed(list(enumerate(sides))):
            if side != bottom:
                up.append(block(inside, inside, resample="up"))
            outside = width * multipliers[level]
            for _ in range(blocks + 1):
                heads = self._heads(outside, side)
                up.append(block(inside + skips.pop(), outside, heads=heads))
                inside = outside
        return down, middle, up

    def _heads(self, features: int, side: int, *, listed: bool | None = None) -> int:
        """Heads of a block: none where its side is not listed."""
        if not (side in self.attention if listed is None else listed):
            return 0
        heads = (
            features // self.heads_width if self.compat else max(1, features // self.heads_width)
        )
        while heads and features % heads:
            heads -= 1
        return heads

    def _told(self, t: Tensor, token: Tensor | None) -> Tensor:
        level = self.level(t / 1000)  # ln(sigma) / 4
        if token is None:
            return level
        vector = token if token.is_floating_point() else self._row(token)
        if vector.shape != level.shape:
            raise ValueError(
                f"tokens must have shape {tuple(level.shape)}, one vector per window; got "
                f"{tuple(vector.shape)}."
            )
        return level + vector

    def _row(self, rows: Tensor) -> Tensor:
        if self.tokens is None:
            raise ValueError(
                "this network holds no table of tokens; pass one vector per window, or make it "
                "with tokens=."
            )
        return self.tokens(rows)

    def _image(self, length: int) -> DelayImage:
        image = self.image
        if length == image.length:
            return image
        other = DelayImage(length, image.delay, image.embedding, compat=self.compat)
        return other.to(image.mask.device)

    def _enter(self, image: Tensor) -> Tensor:
        if isinstance(self.channels, str):
            return self.first(image)
        missing = self.channels - image.shape[1]
        if missing < 0:
            raise ValueError(
                f"this network was made for at most {self.channels} channels; got {image.shape[1]}."
            )
        return self.first(pad(image, (0, 0, 0, 0, 0, missing)))


def _check(
    width: int, levels: int, embedding: int, attention: Sequence[int], channels: str | int
) -> None:
    if width < 4 or width % 2:
        raise ValueError(f"width must be even and at least 4; got {width}.")
    if embedding % 2 ** (levels - 1):
        raise ValueError(
            f"an image of side {embedding} cannot be halved {levels - 1} times. Use an embedding "
            f"that is a multiple of {2 ** (levels - 1)}, or fewer multipliers."
        )
    sides = [embedding >> level for level in range(levels)]
    if not set(attention) <= set(sides):
        raise ValueError(
            f"attention is possible at the sides {sides} of this image; got {list(attention)}."
        )
    if channels != "dynamic" and (isinstance(channels, str) or channels < 1):
        raise ValueError(f"channels must be 'dynamic' or a number of at least 1; got {channels!r}.")


def _norm(features: int) -> nn.GroupNorm:
    """Groups of at least four features, at most 32 of them."""
    most = min(32, features // 4)
    return nn.GroupNorm(max(g for g in range(1, most + 1) if features % g == 0), features)


def _silent(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution, with an output of 0 until it has learned."""
    for parameter in conv.parameters():
        nn.init.zeros_(parameter)
    return conv


def _resample(x: Tensor, how: str) -> Tensor:
    """Half the side by means of 2 x 2 pixels, twice the side by repeating them, or as it is."""
    if how == "down":
        return avg_pool2d(x, 2)
    if how == "up":
        wide = x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2)
        return wide.flatten(4, 5).flatten(2, 3)
    return x
