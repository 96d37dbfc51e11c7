"""A network of one's own in the place of ours: nothing is registered, it is passed.

Run it: python examples/own_network.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

import timeloom as tl


class Plain(nn.Module):
    """Three convolutions that are told the time and the label; no U, no attention."""

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.told = nn.Linear(3, width)
        self.first = nn.Conv1d(channels, width, 5, padding=2)
        self.middle = nn.Conv1d(width, width, 5, padding=2)
        self.last = nn.Conv1d(width, channels, 5, padding=2)

    def forward(self, x, t, cond):
        """Takes x (window, channel, time), t the time, cond the label or NaN (window,)."""
        known = ~cond.isnan()
        told = torch.stack([t / 1000, cond.nan_to_num(0), known.to(x)], dim=1)
        h = torch.relu(self.first(x) + self.told(told)[:, :, None])
        return self.last(torch.relu(self.middle(h)) + h)


folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())

engines, _ = tl.load_dataset("cmapss_fd001")
windows = tl.cut(engines, length=24, stride=12)

torch.manual_seed(0)  # weights of your own are yours to seed
# Tiny, to end in seconds: for windows worth having, leave train_steps as it is.
model = tl.DiffMTS(net=Plain(windows.shape[1]), train_steps=20, batch=64, device="cpu")
run = model.fit(windows).save(folder / "run")

# The run folder holds the weights, not the code: the same network is given again.
again = tl.load(run, net=Plain(windows.shape[1]), device="cpu")
made = again.sample(50, y=20.0, seed=0)
print(
    f"{len(made)} windows of (time, channel) {made.shape} by a network of "
    f"{sum(p.numel() for p in model.model_.denoiser.parameters()):,} weights; the run is in {run}"
)
