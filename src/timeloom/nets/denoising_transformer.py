"""A denoising transformer over time points, from which points can be hidden.

Source: DDMT (arXiv 2310.08800), section 3.4.
"""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import dropout, relu, scaled_dot_product_attention, silu

from timeloom.nets.neighbour_mask import reopened

__all__ = ["DenoisingTransformer", "Hidden"]

PADDINGS = ("zeros", "circular")
NORMS = ("pre", "post")


class Hidden(NamedTuple):
    """What a network may not see of its input.

    Attributes:
        attention: (window, time, time), True where query i may not look at key j.
        points: (window, channel, time), True or 1 where a point is hidden from the network.
    """

    attention: Bool[Tensor, "window time time"] | None = None
    points: Tensor | None = None


class DenoisingTransformer(nn.Module):
    """A token per time point; the tokens of a window ask each other, and become points again.

    ``points`` that are hidden, or missing (NaN), cannot influence the output: they are 0 on the way
    in, where a second convolution says which are hidden, so that 0 is a value like any other.
    A mask on ``attention`` hides less: the residual stream shows each point to itself, layers hand
    on what others saw, and with ``kernel`` above 1 convolutions show the points beside it.
    Weights fit windows of any length.

    Args:
        channels: Channels of a window.
        width: Features of a token.
        layers: Layers of attention.
        heads: Heads of the attention.
        feedforward: Features between the two linear layers that follow the attention.
        dropout: Share of features, and of attention, dropped in training.
        step_width: Sinusoids of the time step.
        kernel: Time points that the first and the last convolution see, odd; 1 sees no neighbour.
        padding: ``"zeros"`` beyond the ends of a window, or ``"circular"``: the other end.
        norm: ``"pre"`` normalises what enters a layer, ``"post"`` what leaves it.
        blind: Nobody looks at time points that are hidden as a whole: they hold nothing but their
            place and what the convolution sees beside them. A token that has no key left looks at
            itself.

    Raises:
        ValueError: If a size or a name cannot be.
    """

    frequency: Tensor

    def __init__(
        self,
        channels: int,
        *,
        width: int = 512,
        layers: int = 1,
        heads: int = 8,
        feedforward: int = 512,
        dropout: float = 0.0,
        step_width: int = 256,
        kernel: int = 3,
        padding: str = "zeros",
        norm: str = "pre",
        blind: bool = True,
    ) -> None:
        super().__init__()
        _check(channels, width, heads, kernel)
        _check_rest(layers, feedforward, dropout, step_width)
        _check_names(padding, norm)
        self.channels, self.dropout, self.blind = channels, dropout, blind
        half = width // 2
        self.register_buffer("frequency", 10_000 ** (-torch.arange(half) / half), persistent=False)
        ends = "circular" if padding == "circular" else "zeros"
        self.enter = _entrance(channels, width, kernel, ends)
        self.mark = _entrance(channels + 1, width, kernel, ends)
        self.step = StepEmbedding(step_width, width)
        self.layers = nn.ModuleList(
            AttentionLayer(width, heads, feedforward, dropout=dropout, norm=norm)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Conv1d(width, channels, kernel, padding=kernel // 2, padding_mode=ends)

    @classmethod
    def paper(cls, channels: int, **overrides: object) -> "DenoisingTransformer":
        """The network of the paper, which is not blind; it has 2,490,935 weights for 55 channels.

        86,016 of these belong to ``mark`` and rest while no point is hidden: the released network
        has as many in a convolution that it never calls.
        """
        settings = {"dropout": 0.1, "padding": "circular", "norm": "post", "blind": False}
        return cls(channels, **{**settings, **overrides})  # pyright: ignore[reportArgumentType]

    def forward(
        self,
        x: Float[Tensor, "window channel time"],
        t: Float[Tensor, "window"],
        told: Hidden | None = None,
    ) -> Float[Tensor, "window channel time"]:
        """What the denoiser asked for, at time ``t`` and without a look at what is hidden.

        Raises:
            ValueError: If ``x`` has other channels, or what is hidden does not fit ``x``.
        """
        told = told or Hidden()
        self._fits(x, told)
        hidden = self._hidden(x, told.points)
        h = self._embed(x, hidden) + self.step(t)[:, None]
        shown = self._shown(told.attention, hidden)
        for layer in self.layers:
            h = layer(h, shown)
        return self.leave(self.norm(h).transpose(1, 2))

    def _hidden(self, x: Tensor, points: Tensor | None) -> Tensor | None:
        """(window, channel, time): what is hidden or missing; None if nothing is."""
        missing = x.isnan()
        if points is not None:
            return missing | points.bool()
        return missing if missing.any() else None

    def _embed(self, x: Tensor, hidden: Tensor | None) -> Tensor:
        """Tokens, (window, time, feature)."""
        if hidden is None:
            h = self.enter(x)
        else:
            whole = hidden.all(dim=1, keepdim=True)
            marks = torch.cat([hidden, whole], dim=1).to(x.dtype)
            h = self.enter(torch.where(hidden, 0.0, x)) + self.mark(marks)
        place = torch.arange(x.shape[2], device=x.device)[:, None] * self.frequency
        h = h.transpose(1, 2) + torch.cat([place.sin(), place.cos()], dim=1)
        return dropout(h, self.dropout, self.training)

    def _shown(self, attention: Tensor | None, hidden: Tensor | None) -> Tensor | None:
        """(window, 1, time, time): which keys each query sees; None if all."""
        if self.blind and hidden is not None:
            closed = hidden.all(dim=1)[:, None, :].expand(-1, hidden.shape[2], -1)
            attention = closed if attention is None else attention | closed
        return None if attention is None else ~reopened(attention)[:, None]

    def _fits(self, x: Tensor, told: Hidden) -> None:
        windows, channels, length = x.shape
        if channels != self.channels:
            raise ValueError(f"this network was made for {self.channels} channels; got {channels}.")
        if told.points is not None and told.points.shape != x.shape:
            raise ValueError(
                f"hidden points must have the shape of the windows, {tuple(x.shape)}; got "
                f"{tuple(told.points.shape)}."
            )
        want = (windows, length, length)
        if told.attention is not None and told.attention.shape != want:
            raise ValueError(
                f"a mask on attention must have shape {want}, (window, query, key); got "
                f"{tuple(told.attention.shape)}."
            )


class AttentionLayer(nn.Module):
    """Every token asks those it may look at, then each is changed on its own."""

    def __init__(
        self, width: int, heads: int, feedforward: int, *, dropout: float, norm: str
    ) -> None:
        super().__init__()
        self.heads, self.dropout, self.order = heads, dropout, norm
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.wide = nn.Linear(width, feedforward)
        self.narrow = nn.Linear(feedforward, width)
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(
        self,
        h: Float[Tensor, "window time feature"],
        shown: Bool[Tensor, "window one time time"] | None,
    ) -> Float[Tensor, "window time feature"]:
        """The same shape comes back; ``shown`` is False where a query may not look."""
        if self.order == "pre":
            h = h + self._drop(self._attend(self.first_norm(h), shown))
            return h + self._drop(self._change(self.second_norm(h)))
        h = self.first_norm(h + self._drop(self._attend(h, shown)))
        return self.second_norm(h + self._drop(self._change(h)))

    def _attend(self, h: Tensor, shown: Tensor | None) -> Tensor:
        parts = self.qkv(h).unflatten(2, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (window, head, time, feature)
        lost = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=shown, dropout_p=lost)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _change(self, h: Tensor) -> Tensor:
        return self.narrow(self._drop(relu(self.wide(h))))

    def _drop(self, h: Tensor) -> Tensor:
        return dropout(h, self.dropout, self.training)


class StepEmbedding(nn.Module):
    """Sines and cosines of the time step through three linear layers."""

    frequency: Tensor

    def __init__(self, sinusoids: int, width: int) -> None:
        super().__init__()
        half = sinusoids // 2
        frequency = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half))
        self.register_buffer("frequency", frequency, persistent=False)
        self.first = nn.Linear(2 * half, width)
        self.second = nn.Linear(width, width)
        self.third = nn.Linear(width, width)

    def forward(self, t: Float[Tensor, "window"]) -> Float[Tensor, "window feature"]:
        """One vector per window."""
        angle = t[:, None] * self.frequency
        h = silu(self.first(torch.cat([angle.sin(), angle.cos()], dim=1)))
        return self.third(silu(self.second(h)))


def _entrance(
    channels: int, width: int, kernel: int, ends: Literal["zeros", "circular"]
) -> nn.Conv1d:
    reach = kernel // 2
    conv = nn.Conv1d(channels, width, kernel, padding=reach, padding_mode=ends, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="leaky_relu")
    return conv


def _check(channels: int, width: int, heads: int, kernel: int) -> None:
    if channels < 1:
        raise ValueError(f"channels must be at least 1; got {channels}.")
    if heads < 1 or width < 2 or width % 2 or width % heads:
        raise ValueError(
            f"width must be even and a multiple of the {heads} heads; got {width}. "
            f"Take {max(2, 2 * heads)}, say, or other heads."
        )
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel must be odd, to keep the length; got {kernel}.")


def _check_rest(layers: int, feedforward: int, dropout: float, step_width: int) -> None:
    if layers < 1 or feedforward < 1:
        raise ValueError(
            f"layers and feedforward must be at least 1; got {layers} and {feedforward}."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1); got {dropout}.")
    if step_width < 4 or step_width % 2:
        raise ValueError(f"step_width must be even and at least 4; got {step_width}.")


def _check_names(padding: str, norm: str) -> None:
    if padding not in PADDINGS:
        raise ValueError(f"padding must be one of {PADDINGS}; got {padding!r}.")
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {NORMS}; got {norm!r}.")
