"""A cheap probe: random convolutions, then a ridge in closed form for many labellings at once."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from timeloom.metrics.discriminator import standardise
from timeloom.nets.random_convolutions import RandomConvolutions

__all__ = ["Ridge", "areas", "features", "probabilities"]

Array = NDArray[Any]

KERNELS = 300
STRENGTHS = np.logspace(-2, 4, 13)  # of the ridge, per window; chosen without a label held back
SHARPNESS = np.array([0.0, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 50])
TURNS, NEAR = 500, 1e-4  # until the mean probabilities are the class shares


def features(x: Array, learn: Array, seed: int) -> Array:
    """(window, feature): of all windows, with scale and thresholds of those in ``learn``."""
    by = x[learn]
    if np.isnan(by).all(axis=(0, 1)).any():  # a channel that only the other windows measured
        by = x
    scaled = torch.as_tensor(standardise(x, by=by)[0]).transpose(1, 2)
    convolutions = RandomConvolutions(scaled[torch.as_tensor(learn)], count=KERNELS, seed=seed)
    return convolutions(scaled).double().numpy()


class Ridge:
    """Ridge regression on indicators of classes, solved once for any number of labellings.

    Args:
        learn: (window, feature) to learn from.
        tried: (window, feature) to speak of.
    """

    def __init__(self, learn: Array, tried: Array) -> None:
        middle = learn.mean(axis=0)
        learn, tried = learn - middle, tried - middle
        count, width = learn.shape
        wide = count <= width
        power, vector = np.linalg.eigh(learn @ learn.T if wide else learn.T @ learn)
        kept = power > 1e-10 * max(power[-1], 1e-300)
        self.power, vector = power[kept], vector[:, kept]
        root = np.sqrt(self.power)
        self.own = vector if wide else learn @ vector / root  # (learn, axis), orthonormal
        axes = learn.T @ vector / root if wide else vector
        self.other = tried @ axes  # (tried, axis)

    def fit(self, told: Array) -> tuple[Array, Array]:
        """Chooses a strength per labelling by generalised cross-validation.

        Args:
            told: (learn, labelling, class) indicators.

        Returns:
            What it says of the windows that are tried, (tried, labelling, class), above the
            class's mean among those learnt from; and the shrinkage (axis, labelling) chosen.
        """
        count, _, width = told.shape
        told = told - told.mean(axis=0)
        pull = np.einsum("na,nlc->alc", self.own, told, optimize=True)
        total = (told**2).sum(axis=(0, 2))
        energy = (pull**2).sum(axis=2)
        best = np.full(total.shape, np.inf)
        chosen = np.zeros((len(self.power), len(total)))
        for strength in STRENGTHS * count:
            keep = self.power / (self.power + strength)
            left = ((1 - keep) ** 2) @ energy + np.maximum(total - energy.sum(axis=0), 0)
            score = left / max(1 - (keep.sum() + 1) / count, 1e-9) ** 2
            better = score < best
            best = np.where(better, score, best)
            chosen[:, better] = keep[:, None]
        weight = pull * (chosen / np.sqrt(self.power)[:, None])[:, :, None]
        said = self.other @ weight.reshape(len(weight), len(total) * width)
        return said.reshape(len(self.other), len(total), width), chosen

    def left_out(self, told: Array, chosen: Array) -> Array:
        """What it would say of each window learnt from, had that one been left out.

        Args:
            told: (learn, class) indicators.
            chosen: (axis,) the shrinkage that :meth:`fit` chose for them.
        """
        level = told.mean(axis=0)
        fitted = (self.own * chosen) @ (self.own.T @ (told - level)) + level
        lever = 1 / len(told) + (self.own**2) @ chosen
        return told - (told - fitted) / np.maximum(1 - lever, 1e-9)[:, None] - level


def probabilities(known: Array, told: Array, said: Array) -> Array:
    """Probabilities from a ridge's outputs: as sharp as the left-out outputs bear.

    Whatever the sharpness, the mean probability over the windows learnt from is the share of each
    class; a probe that knows nothing gets sharpness 0 and says these shares of every window.

    Args:
        known: (learn, class) left-out outputs above their mean.
        told: (learn, class) indicators.
        said: (tried, class) outputs above the same mean.

    Returns:
        (tried, class) probabilities.
    """
    share = np.maximum(told.mean(axis=0), 1e-6)
    best, found = np.inf, (0.0, np.log(share))
    for sharp in SHARPNESS:
        level = np.log(share)
        for _ in range(TURNS):
            off = share / np.maximum(_softmax(sharp * known + level).mean(axis=0), 1e-9)
            level = level + np.log(off)
            if abs(off - 1).max() < NEAR:
                break
        likely = (_softmax(sharp * known + level) * told).sum(axis=1)
        loss = -float(np.log(np.maximum(likely, 1e-12)).mean())
        if loss < best:
            best, found = loss, (float(sharp), level)
    return _softmax(found[0] * said + found[1])


def areas(said: Array, y: Array) -> Array:
    """(labelling,) AUROC, one class against the rest, mean over the classes that occur.

    Args:
        said: (window, labelling, class).
        y: (window, labelling) classes from 0, at least two in each labelling.
    """
    from scipy.stats import rankdata

    rank = rankdata(said, axis=0)
    count, _, width = said.shape
    total, present = np.zeros(said.shape[1]), np.zeros(said.shape[1])
    for c in range(width):
        own = y == c
        ups = own.sum(axis=0)
        lift = (rank[:, :, c] * own).sum(axis=0) - ups * (ups + 1) / 2
        total += np.where(ups > 0, lift / np.maximum(ups * (count - ups), 1), 0)
        present += ups > 0
    return total / present


def _softmax(z: Array) -> Array:
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)
