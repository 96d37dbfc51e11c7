"""Windows whose class is a bump in noise, and a generator of them that trains in a second."""

import numpy as np
import torch
from torch import nn

from timeloom.data.windows import Windows
from timeloom.methods.diffmts import DiffMTS
from timeloom.train.reader import train_reader

LENGTH = 10
SHAPES = {"dip": (-1.0, 0.5), "plain": (0.0, 0.5), "rise": (1.0, 0.5), "late": (1.0, 0.9)}


def bumps(count=160, classes=("plain", "rise"), rare=0.5, noise=0.6, seed=0):
    """Two channels, the second ten times as large; ``rare`` is the share of the last class."""
    rng = np.random.default_rng(seed)
    share = [*[(1 - rare) / (len(classes) - 1)] * (len(classes) - 1), rare]
    y = np.array(classes)[rng.choice(len(classes), count, p=share)]
    y[: 8 * len(classes)] = np.repeat(classes, 8)  # every class is there
    height, place = np.array([SHAPES[label] for label in y]).T[:, :, None]
    t = np.arange(LENGTH)
    bump = 1.5 * height * np.exp(-((t - LENGTH * place) ** 2) / 4)
    wave = np.sin(t + rng.uniform(0, 6, (count, 1)))
    x = np.stack([bump + wave, 10 * (wave - bump)], axis=2)
    x += noise * rng.standard_normal(x.shape) * [1, 10]
    series, start = np.arange(count) // 4, np.arange(count) % 4 * LENGTH
    return Windows(x, y, series, start, ("low", "high"), "state")


class Told(nn.Module):
    """Two layers that are told the time and the class: enough for bumps, and quick."""

    def __init__(self, classes=2, width=64):
        super().__init__()
        self.classes = classes
        self.told = nn.Embedding(classes + 1, width)
        self.first = nn.Linear(2 * LENGTH + 1, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 2 * LENGTH)

    def forward(self, x, t, cond):
        place = torch.where(cond.isnan(), self.classes, cond.nan_to_num(0)).long()
        seen = torch.cat([x.flatten(1), t[:, None]], dim=1)
        h = torch.nn.functional.silu(self.first(seen) + self.told(place))
        return self.last(h + torch.nn.functional.silu(self.second(h))).view_as(x)


def generator(windows, steps=500, **how):
    """A fitted generator of the classes of ``windows``."""
    torch.manual_seed(0)
    net = Told(len(np.unique(windows.y)))
    quick = dict(batch=64, sample_steps=6, validations=2, device="cpu", train_steps=steps)
    return DiffMTS(net=net, **{**quick, **how}).fit(windows)


def classifier(base, windows, steps=60):
    """A small network without kinks, trained as a user would train one, in the scaled space."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(2 * LENGTH, 12), nn.Tanh(), nn.Linear(12, 2))
    x = torch.tensor(base.scaler_.transform(windows.x), dtype=torch.float32)
    y = torch.tensor((windows.y == base.condition_.classes[1]).astype(int))
    loss = nn.functional.cross_entropy
    train_reader(net, x, y, loss=loss, steps=steps, batch=32, rate=1e-2)
    return net
