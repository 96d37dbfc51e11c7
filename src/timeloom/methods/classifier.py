"""A classifier in a generator's scaled space, to guide by: trained, or brought along."""

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timeloom.data.windows import Windows, split
from timeloom.diffusion.gradients import loss_of
from timeloom.nets.gru import GRUReader
from timeloom.nets.resnet import ResNet
from timeloom.train.reader import outputs_of, train_reader

__all__ = [
    "KINDS",
    "ChannelFirst",
    "auroc",
    "build",
    "check",
    "check_kind",
    "mean_loss",
    "set_aside",
    "train_classifier",
]

Array = NDArray[Any]

KINDS = ("resnet", "gru")
CHECKS = 20  # how often the classifier is tried on the windows that choose its weights
SPLITS = 20  # draws of whole recordings until every class stands on both sides


class ChannelFirst(nn.Module):
    """A classifier of windows (window, time, channel) that reads (window, channel, time).

    One output is taken as the score of the second of two classes.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (window, class)."""
        said = self.inner(x.mT.contiguous())  # modules may view what they are given
        if said.ndim == 1:
            said = said[:, None]
        return torch.cat([torch.zeros_like(said), said], dim=1) if said.shape[1] == 1 else said


class TimeFirst(nn.Module):
    """A network of ours, which reads (window, channel, time), for windows as users hold them."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (window, class) of windows (window, time, channel)."""
        return self.inner(x.mT)


def check_kind(kind: str) -> None:
    """Refuses a name that is no classifier of ours.

    Raises:
        ValueError: If it is none.
    """
    if kind not in KINDS:
        raise ValueError(
            f"classifier must be {' or '.join(KINDS)}, or a torch module that reads windows "
            f"(window, time, channel); got {kind!r}."
        )


def build(kind: str, channels: int, classes: int, seed: int) -> nn.Module:
    """An untrained classifier of ours that reads (window, time, channel).

    Raises:
        ValueError: As :func:`check_kind`.
    """
    check_kind(kind)
    with torch.random.fork_rng(devices=[]):  # gives the global generator back untouched
        torch.manual_seed(seed)
        if kind == "gru":
            return TimeFirst(GRUReader(channels, classes))
        return TimeFirst(ResNet(channels, classes, smooth=True))


def train_classifier(
    net: nn.Module,
    learn: tuple[Tensor, Tensor],
    choose: tuple[Tensor, Tensor],
    *,
    classes: int,
    steps: int,
    balance: bool,
    seed: int,
) -> float:
    """Trains ``net`` in place; the weights with the best AUROC on other windows are kept.

    Args:
        net: Reads (window, time, channel).
        learn: Scaled windows and their classes, from 0.
        choose: Others, which choose the weights; ties in AUROC go to the lower loss.
        classes: How many there are.
        steps: Optimiser steps.
        balance: Draw every class equally often.
        seed: Order of the windows.

    Returns:
        The AUROC on ``choose`` of the weights that were kept.
    """
    x, y = learn
    counts = torch.bincount(y, minlength=classes).clamp(min=1)

    def score(now: nn.Module) -> float:
        said = outputs_of(now, choose[0])
        # Few windows tie often; a thousandth of the loss decides between ties only.
        loss = float(mean_loss(said, choose[1]))
        return -auroc(said.numpy(), choose[1].numpy()) + 1e-3 * loss / (1 + loss)

    train_reader(
        net,
        x,
        y,
        loss=mean_loss,
        steps=steps,
        seed=seed,
        checks=CHECKS,
        score=score,
        weights=(1.0 / counts)[y] if balance else None,
    )
    return auroc(outputs_of(net, choose[0]).numpy(), choose[1].numpy())


def mean_loss(said: Tensor, told: Tensor) -> Tensor:
    """The cross-entropy of outputs (window, class) and classes (window,)."""
    return loss_of(said, told) / len(told)


def auroc(said: Array, truth: Array) -> float:
    """One class against the rest, the mean over the classes that are there; .5 is chance.

    Args:
        said: (window, class) outputs.
        truth: (window,) classes from 0.
    """
    from sklearn.metrics import roc_auc_score

    margins = said - _others(said)
    there = [c for c in np.unique(truth) if (truth == c).sum() < len(truth)]
    areas = [float(roc_auc_score(truth == c, margins[:, c])) for c in there]
    return float(np.mean(areas)) if areas else 0.5


def _others(said: Array) -> Array:
    """The logarithm of the summed exponentials of the other outputs, per output."""
    from scipy.special import logsumexp

    others = [logsumexp(np.delete(said, c, axis=1), axis=1) for c in range(said.shape[1])]
    return np.stack(others, axis=1)


def set_aside(windows: Windows, share: float, seed: int) -> tuple[Windows, Windows]:
    """Parts labelled windows in two: (the rest, about ``share`` of every class).

    Whole recordings are set aside where at least five are known and every class can stand on both
    sides. Else windows, class by class; where they overlap in time, blocks of them, and the rest
    loses its windows that overlap with these.

    Raises:
        ValueError: If the share leaves one side empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"validation must be a share between 0 and 1; got {share}.")
    y = np.asarray(windows.y)
    every, recordings = np.unique(y), np.unique(windows.series)
    if 5 <= len(recordings) < len(windows):
        for k in range(SPLITS):
            rest, aside = split(windows, 1 - share, share, seed=seed + k)
            if all(len(np.unique(np.asarray(one.y))) == len(every) for one in (rest, aside)):
                return rest, aside
    rng, chosen = np.random.default_rng([seed, 50413]), np.zeros(len(y), dtype=bool)
    block = _blocks(windows, y)
    for label in every:
        # Classes of one block cannot be parted but by windows.
        own = block if len(np.unique(block[y == label])) > 1 else np.arange(len(y))
        wanted = max(1, min(round(share * (y == label).sum()), (y == label).sum() - 1))
        for one in rng.permutation(np.unique(own[y == label])):
            rows = (own == one) & (y == label)
            left = (y == label) & ~chosen & ~rows
            if (chosen & (y == label)).sum() < wanted and left.any():
                chosen |= rows
    rest = ~chosen & ~_beside(windows, chosen)
    if len(np.unique(y[rest])) < len(every):
        warnings.warn(
            "the validation windows overlap with training windows, since a class stands in one "
            "place only: what is measured on them flatters. Give guidance windows from elsewhere.",
            stacklevel=2,
        )
        rest = ~chosen
    return windows[rest], windows[chosen]


def _blocks(windows: Windows, y: Array) -> Array:
    """(window,) stretches of a recording, of one class and at most four windows' length.

    Where no window overlaps with another, each is a block of its own.
    """
    length = windows.shape[0]
    order = np.lexsort((windows.start, windows.series))
    series, start = windows.series[order], windows.start[order].astype(np.int64)
    same = series[1:] == series[:-1]
    if not (same & (np.diff(start) < length)).any():
        return np.arange(len(y))
    found, began = np.zeros(len(y), dtype=int), start[0]
    for i in range(1, len(y)):
        new = not same[i - 1] or y[order[i]] != y[order[i - 1]] or start[i] - began >= 4 * length
        found[i] = found[i - 1] + new
        began = start[i] if new else began
    blocks = np.empty_like(found)
    blocks[order] = found
    return blocks


def _beside(windows: Windows, chosen: Array) -> Array:
    """(window,) whether a window overlaps in time with a chosen one of its recording."""
    beside = np.zeros(len(chosen), dtype=bool)
    for one in np.unique(windows.series[chosen]):
        own = windows.series == one
        others = np.sort(windows.start[own & chosen])
        at = np.searchsorted(others, windows.start[own])
        ends = others[np.clip(at, 0, len(others) - 1)], others[np.clip(at - 1, 0, None)]
        apart = np.minimum(*(np.abs(windows.start[own] - end) for end in ends))
        beside[own] = apart < windows.shape[0]
    return beside & ~chosen


def check(classifier: nn.Module, x: Tensor, classes: int) -> None:
    """Refuses a classifier that cannot read these windows.

    Args:
        classifier: Reads (window, time, channel).
        x: Some scaled windows.
        classes: How many classes the generator knows.

    Raises:
        ValueError: If it fails on them, returns another shape, or NaN, or has nothing to train.
    """
    if not any(True for _ in classifier.parameters()):
        raise ValueError(
            "the classifier must be a network with parameters, since their gradients guide; got a "
            f"{type(classifier).__name__} without any."
        )
    shape = tuple(x.shape)
    wanted = f"(window, class) = ({len(x)}, {classes})"
    wanted += f", or ({len(x)}, 1) for the score of the second class" if classes == 2 else ""
    try:
        said = outputs_of(classifier, x.contiguous())
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"the classifier must read windows (window, time, channel) = {shape}; it failed with: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}. Give one for "
            "windows of this length and these channels."
        ) from error
    fits = tuple(said.shape) == (len(x), classes) or (
        classes == 2 and tuple(said.shape) in ((len(x), 1), (len(x),))
    )
    if not fits:
        raise ValueError(f"the classifier must return logits {wanted}; got {tuple(said.shape)}.")
    bad = int((~torch.isfinite(said)).reshape(len(x), -1).any(dim=1).sum())
    if bad:
        raise ValueError(
            f"the classifier must return finite numbers; got NaN or inf for {bad} of {len(x)} "
            "guidance windows, which it is given scaled as the generator scales them. Train it on "
            "such windows."
        )
