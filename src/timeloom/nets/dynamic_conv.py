"""Convolutions for any number of channels: one kernel, resized at every call."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d, interpolate

__all__ = ["DynamicConv1d", "DynamicConv2d"]


class _DynamicConv(nn.Module):
    """What both share: a canonical kernel over ``axes`` axes of a window, resized at every call.

    Raises:
        ValueError: If ``side`` is neither of the two, ``kernel`` is even, or a size is below 1.
    """

    convolve: Callable[..., Tensor]
    axes: int

    def __init__(
        self,
        hidden: int,
        side: str = "in",
        *,
        canonical: int = 128,
        kernel: int = 3,
        calibrate: bool = False,
    ) -> None:
        super().__init__()
        if side not in ("in", "out"):
            raise ValueError(f"the data's side must be 'in' or 'out'; got {side!r}.")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"the kernel must be odd, to keep the length; got {kernel}.")
        if hidden < 1 or canonical < 1:
            raise ValueError(
                f"hidden and canonical must be at least 1; got {hidden} and {canonical}."
            )
        self.hidden, self.side, self.calibrate, self.pad = hidden, side, calibrate, kernel // 2
        taps = [kernel] * self.axes
        bound = (canonical * kernel**self.axes) ** -0.5  # kaiming-uniform times sqrt(1/3)
        weight, bias = torch.zeros(*taps, canonical, canonical), torch.zeros(canonical)
        if side == "in" and calibrate:
            nn.init.uniform_(weight, -(3**0.5) * bound, 3**0.5 * bound)
        elif side == "in":
            nn.init.uniform_(weight, -bound, bound)
            nn.init.uniform_(bias, -bound, bound)
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def resized(self, channels: int) -> tuple[Tensor, Tensor]:
        """Kernel (out, in, *taps) and bias (out,) for data of so many channels.

        Raises:
            ValueError: If there is no channel.
        """
        if channels < 1:
            raise ValueError(f"data need at least 1 channel; got {channels}.")
        outputs = self.hidden if self.side == "in" else channels
        inputs = channels if self.side == "in" else self.hidden
        out, into = _resize(outputs, self.bias), _resize(inputs, self.bias)
        # The smaller axis first: it leaves less to multiply.
        few = inputs < outputs
        kernel = out @ (self.weight @ into.T) if few else (out @ self.weight) @ into.T
        if self.calibrate:
            # What resizing leaves of the variance of independent values.
            kept = out.square().sum(1).mean() * into.square().sum(1).mean()
            kernel = kernel * (len(self.bias) / (inputs * kept)).sqrt()
        return kernel.movedim((-2, -1), (0, 1)), out @ self.bias  # (out, in, *taps)

    def forward(
        self, x: Float[Tensor, "window feature *place"], channels: int | None = None
    ) -> Float[Tensor, "window feature2 *place"]:
        """Convolves; ``channels`` are those of the data, needed where they are the output."""
        given = x.shape[1] if self.side == "in" else channels
        if given is None:
            raise ValueError("a convolution to the data must be told how many channels they have.")
        weight, bias = self.resized(given)
        return self.convolve(x, weight, bias, padding=self.pad)


class DynamicConv2d(_DynamicConv):
    """A convolution of images between any number of channels and ``hidden`` features.

    Bicubic interpolation resizes the output and the input axis of a canonical kernel, and its
    bias; a convolution that keeps the size follows. Resizing to ``canonical`` on both axes gives
    the kernel itself. Source: ImagenFew (arXiv 2505.20446), section 5.

    Args:
        hidden: Features on the side that is not the data's.
        side: The data's side: ``"in"`` for a first convolution, ``"out"`` for a last one, which
            starts at 0.
        canonical: Channels of the kernel that is learned, on both sides.
        kernel: Taps along each axis, odd.
        calibrate: Whether the kernel is scaled so that neither the number of channels nor resizing
            changes the variance of the output; a first convolution then starts at variance 1 for
            uncorrelated channels of variance 1. The published one's grows with the channels.

    Raises:
        ValueError: If ``side`` is neither of the two, ``kernel`` is even, or a size is below 1.
    """

    axes = 2
    convolve = staticmethod(conv2d)


class DynamicConv1d(_DynamicConv):
    """The same for windows (window, channel, time): see :class:`DynamicConv2d`.

    Args:
        hidden: Features on the side that is not the data's.
        side: The data's side, ``"in"`` or ``"out"``.
        canonical: Channels of the kernel that is learned, on both sides.
        kernel: Taps along time, odd; 1 maps every time point by itself.
        calibrate: As there.

    Raises:
        ValueError: As there.
    """

    axes = 1
    convolve = staticmethod(conv1d)


def _resize(size: int, like: Tensor) -> Tensor:
    """(size, len(like)): the matrix that resizes an axis of values ``like`` these.

    Bicubic interpolation is linear, and its own backward pass is not repeatable on a GPU.
    """
    eye = torch.eye(len(like), device=like.device)[None, None]
    matrix = interpolate(eye, size=(size, len(like)), mode="bicubic", align_corners=False)
    return matrix[0, 0].to(like.dtype)
