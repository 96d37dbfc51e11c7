"""A small residual network of convolutions that reads whole windows of any length."""

from jaxtyping import Float
from torch import Tensor, cat, nn

__all__ = ["ResNet"]


class ResNet(nn.Module):
    """Residual blocks of dilated convolutions; their mean and largest responses are read.

    Source: Wang et al. 2017 (arXiv 1611.06455), smaller: about 72,000 parameters, and dilated, so
    that three blocks see 57 time points.

    Args:
        channels: Channels of a window.
        outputs: Numbers per window: 1 for a value, one per class otherwise.
        width: Channels inside.
        blocks: Residual blocks; each doubles the dilation of the one before.
        smooth: SiLU for ReLU, and the root mean square of the responses for the largest: no kinks,
            for those who take differences of gradients.
    """

    def __init__(
        self,
        channels: int,
        outputs: int = 1,
        *,
        width: int = 48,
        blocks: int = 3,
        smooth: bool = False,
    ) -> None:
        super().__init__()
        self.smooth = smooth
        self.act = nn.SiLU() if smooth else nn.ReLU()
        self.stem = nn.Conv1d(channels, width, 5, padding=2)
        self.blocks = nn.ModuleList(_block(width, 2**power, self.act) for power in range(blocks))
        self.head = nn.Linear(2 * width, outputs)

    def forward(self, x: Float[Tensor, "window channel time"]) -> Float[Tensor, "window output"]:
        """Reads whole windows."""
        hidden = self.stem(x)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        hidden = self.act(hidden)
        # The square of a response of 0 would have an endless slope under the root.
        top = (hidden.square().mean(dim=2) + 1e-6).sqrt() if self.smooth else hidden.amax(dim=2)
        return self.head(cat([hidden.mean(dim=2), top], dim=1))


def _block(width: int, dilation: int, act: nn.Module) -> nn.Sequential:
    # Norms of each window by itself: with those of a batch, synthetic windows would decide how
    # real ones are scaled. The path round the block keeps the level and size of a window.
    return nn.Sequential(
        nn.GroupNorm(1, width),
        act,
        nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation),
        nn.GroupNorm(1, width),
        act,
        nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation),
    )
