"""Which windows does a step take? A function of the seed and of the windows seen so far."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

__all__ = ["Batch", "Mixture", "Shuffled", "Source"]

Batch = tuple[Tensor, ...]


@runtime_checkable
class Source(Protocol):
    """An endless stream of windows, of which every step takes the next so many."""

    def take(self, seen: int, count: int, rank: int, ranks: int) -> Batch:
        """This process's share of the ``count`` windows after the first ``seen``."""
        ...


class Shuffled:
    """One set, epoch after epoch; the order of an epoch is a function of (seed, epoch).

    Args:
        data: Tensors with the same first axis; a batch is a row choice of each.
        seed: Of the order.
    """

    def __init__(self, data: Batch, seed: int) -> None:
        self.data, self.seed = data, seed
        self.order: dict[int, Tensor] = {}

    def take(self, seen: int, count: int, rank: int, ranks: int) -> Batch:
        """This process's share of the ``count`` windows after the first ``seen``."""
        rows = self._rows(seen, count).chunk(ranks)[rank]
        return tuple(part[rows] for part in self.data)

    def _rows(self, seen: int, count: int) -> Tensor:
        """The next ``count`` of an endless stream of epochs."""
        whole = len(self.data[0])
        position = torch.arange(seen, seen + count)
        epochs = position // whole
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            if epoch not in self.order:
                rng = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
                self.order[epoch] = torch.randperm(whole, generator=rng)
        for epoch in [e for e in self.order if e < int(epochs[0])]:
            del self.order[epoch]
        if int(epochs[0]) == int(epochs[-1]):
            return self.order[int(epochs[0])][position % whole]
        pairs = zip(epochs.tolist(), (position % whole).tolist(), strict=True)
        return torch.stack([self.order[epoch][at] for epoch, at in pairs])


class Mixture:
    """Several sets of different shapes; every step takes all its windows from one of them.

    The set is drawn with probability proportional to ``size ** balance``, its windows with
    replacement; both depend on (seed, windows seen) alone, so that all processes of one launch
    take the same set.

    Args:
        parts: The sets' tensors.
        seed: Of the draws.
        balance: 1 draws every window as often as any other, 0 every set as often as any other.
    """

    def __init__(self, parts: Sequence[Batch], seed: int, balance: float = 0.5) -> None:
        self.parts, self.seed = list(parts), seed
        sizes = np.array([len(part[0]) for part in parts], dtype=np.float64)
        self.shares = sizes**balance / (sizes**balance).sum()

    def take(self, seen: int, count: int, rank: int, ranks: int) -> Batch:
        """This process's share of the ``count`` windows after the first ``seen``."""
        rng = np.random.default_rng((self.seed, seen))
        part = self.parts[rng.choice(len(self.parts), p=self.shares)]
        rows = torch.from_numpy(rng.integers(len(part[0]), size=count)).chunk(ranks)[rank]
        return tuple(tensor[rows] for tensor in part)
