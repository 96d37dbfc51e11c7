"""Features from random convolutions: nothing is trained, and hardly a difference stays hidden."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv1d

__all__ = ["RandomConvolutions", "random_kernels"]

TAPS = 9  # length of a kernel
CHUNK = 256  # windows at a time: bounds memory
ANCHORS = 64  # windows whose responses the thresholds are drawn from


class RandomConvolutions:
    """Three numbers per random dilated kernel, with thresholds and scale of the windows ``by``.

    Each kernel sees a random part of the channels at one dilation. Its three numbers are the
    largest response, the mean response, and the share of time points above a threshold drawn from
    the responses to a few of the windows. Half of the kernels are centred and see shape alone, half
    are not and see the level too: centred ones alone miss an offset. Thresholds and scale come from
    ``by`` alone, so that what a window is turned into does not depend on which others are read.
    Source: Dempster et al. 2020 (ROCKET, arXiv 1910.13051) and 2021 (MiniRocket, 2012.08791).

    Args:
        by: Windows, standardised per channel, without NaN.
        count: Number of kernels.
        seed: Which kernels.
    """

    def __init__(
        self, by: Float[Tensor, "window channel time"], *, count: int = 300, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        _, channels, length = by.shape
        taps = min(TAPS, length)
        deepest = int(np.log2(max(1, (length - 1) // max(1, taps - 1))))
        anchors = by[torch.as_tensor(rng.permutation(len(by))[:ANCHORS])]
        self._banks: list[tuple[Tensor, Tensor, dict[str, Any]]] = []
        for power, share in enumerate(np.array_split(np.arange(count), deepest + 1)):
            weight = _kernels(len(share), channels, taps, rng).to(by.dtype)
            how: dict[str, Any] = {"padding": 2**power * (taps - 1) // 2, "dilation": 2**power}
            seen = conv1d(anchors, weight, **how).transpose(0, 1).flatten(1).sort(dim=1).values
            level = torch.as_tensor(rng.uniform(0.1, 0.9, len(share)), dtype=by.dtype)
            at = (level * (seen.shape[1] - 1)).long()
            self._banks.append((weight, seen.gather(1, at[:, None]), how))
        raw = self.read(by)
        spread = raw.std(dim=0, correction=0)
        self._center, self._spread = raw.mean(dim=0), torch.where(spread > 1e-6, spread, 1.0)

    def __call__(self, x: Float[Tensor, "window channel time"]) -> Float[Tensor, "window feature"]:
        """Features of mean 0 and spread 1 on ``by``."""
        return (self.read(x) - self._center) / self._spread

    @torch.no_grad()
    def read(self, x: Float[Tensor, "window channel time"]) -> Float[Tensor, "window feature"]:
        """Features as they are, neither centred nor scaled."""
        features = []
        for weight, threshold, how in self._banks:
            for part in x.split(CHUNK):
                response = conv1d(part, weight, **how)
                above = (response > threshold).to(x.dtype).mean(2)
                features.append(torch.cat([response.amax(2), response.mean(2), above], dim=1))
        chunks = len(features) // len(self._banks)
        banks = [features[k * chunks : (k + 1) * chunks] for k in range(len(self._banks))]
        return torch.cat([torch.cat(bank) for bank in banks], dim=1)


def random_kernels(
    x: Float[Tensor, "window channel time"], *, count: int = 600, seed: int = 0
) -> Float[Tensor, "window feature"]:
    """Reads one set of windows by kernels of its own: :class:`RandomConvolutions`, not scaled.

    Args:
        x: Windows, standardised per channel, without NaN.
        count: Number of kernels; three features each.
        seed: Which kernels.
    """
    return RandomConvolutions(x, count=count, seed=seed).read(x)


def _kernels(count: int, channels: int, taps: int, rng: np.random.Generator) -> Tensor:
    weight = rng.standard_normal((count, channels, taps))
    weight[::2] -= weight[::2].mean(axis=2, keepdims=True)
    # Few channels per kernel as often as many: a fault may sit in one channel or between all.
    size = np.exp2(rng.uniform(0, np.log2(channels + 1), count)).astype(int)
    rank = rng.random((count, channels)).argsort(axis=1).argsort(axis=1)
    return torch.as_tensor(weight * (rank < size[:, None])[:, :, None])
