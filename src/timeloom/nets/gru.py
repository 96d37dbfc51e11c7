"""A small recurrent network that reads whole windows of any length."""

from jaxtyping import Float
from torch import Tensor, cat, nn

__all__ = ["GRUReader"]


class GRUReader(nn.Module):
    """One gated recurrent layer in both directions; the mean and the last of its states are read.

    Source: the classifiers of TarDiff (arXiv 2504.17613) are bidirectional GRUs; theirs have
    1.6 million parameters, this one about 27,000.

    Args:
        channels: Channels of a window.
        outputs: Numbers per window: 1 for a value, one per class otherwise.
        hidden: Units in each direction.
    """

    def __init__(self, channels: int, outputs: int = 1, *, hidden: int = 64) -> None:
        super().__init__()
        self.recurrent = nn.GRU(channels, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(4 * hidden, outputs)

    def forward(self, x: Float[Tensor, "window channel time"]) -> Float[Tensor, "window output"]:
        """Reads whole windows."""
        states, last = self.recurrent(x.transpose(1, 2))  # (window, time, 2 hidden), (2, window, .)
        return self.head(cat([states.mean(dim=1), last[0], last[1]], dim=1))
