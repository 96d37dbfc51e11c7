"""The recurrent judge that the papers score with: an LSTM whose every hidden state is read."""

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Judge"]


class Judge(nn.Module):
    """One LSTM; all its hidden states, flattened, go through two linear layers.

    Source: the classifier and regressor of Diff-MTS (arXiv 2407.11501; one layer of 64 units).

    Args:
        channels: Channels of a window.
        length: Time points of a window.
        outputs: Numbers per window: 1 for a value, one per class otherwise.
        hidden: Units of the LSTM and of the hidden linear layer.
        dropout: Share of hidden states left out while training.
    """

    def __init__(
        self, channels: int, length: int, outputs: int = 1, *, hidden: int = 64, dropout: float = 0
    ) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(channels, hidden, batch_first=True)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(length * hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: Float[Tensor, "window time channel"]) -> Float[Tensor, "window output"]:
        """Reads whole windows. The one network that takes time before channel, as an LSTM does."""
        states, _ = self.recurrent(x)
        return self.head(states)
