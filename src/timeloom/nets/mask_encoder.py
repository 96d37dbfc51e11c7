"""The small auto-encoder whose errors say which points the neighbour mask hides."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool1d, pad, relu

__all__ = ["MaskEncoder"]


class MaskEncoder(nn.Module):
    """Two convolutions to half the time and ``2·channels`` features, and two back.

    Windows of any length: an odd one is filled up by its last time point, which is cut off again.
    NaN = not measured, and is seen as 0. Source: DDMT (arXiv 2310.08800), section 3.3.

    Args:
        channels: Channels of a window.
        hidden: Features of the outer layers.

    Raises:
        ValueError: If either is below 1.
    """

    def __init__(self, channels: int, hidden: int = 128) -> None:
        super().__init__()
        if channels < 1 or hidden < 1:
            raise ValueError(
                f"channels and hidden must be at least 1; got {channels} and {hidden}."
            )
        self.channels = channels
        self.enter = nn.Conv1d(channels, hidden, 3, padding=1)
        self.down = nn.Conv1d(hidden, 2 * channels, 3, padding=1)
        self.up = nn.Conv1d(2 * channels, hidden, 3, padding=1)
        self.leave = nn.Conv1d(hidden, channels, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "window channel time"]
    ) -> Float[Tensor, "window channel time"]:
        """The windows, rebuilt.

        Raises:
            ValueError: If there are more or fewer channels than the network was made for.
        """
        if x.shape[1] != self.channels:
            raise ValueError(
                f"this network was made for {self.channels} channels; got {x.shape[1]}."
            )
        length = x.shape[2]
        x = pad(torch.where(x.isnan(), 0.0, x), (0, length % 2), mode="replicate")
        code = relu(self.down(max_pool1d(relu(self.enter(x)), 2)))
        wide = interpolate(relu(self.up(code)), scale_factor=2, mode="nearest")
        return self.leave(wide)[:, :, :length]

    def errors(
        self, x: Float[Tensor, "window channel time"]
    ) -> Float[Tensor, "window channel time"]:
        """Squared error of each point, 0 where nothing was measured; its mean is the loss."""
        missing = x.isnan()
        # Filled before the difference: the gradient of a NaN is NaN, even where it is left out.
        gap = self(x) - torch.where(missing, 0.0, x)
        return torch.where(missing, 0.0, gap.square())
