"""Randomness as an argument: draws that depend on (seed, position), never on batch or process."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

__all__ = ["Draws", "ItemDraws", "StepDraws"]


@runtime_checkable
class Draws(Protocol):
    """Something that random numbers come from; ``shape[0]`` counts the items of the batch."""

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Unit normal numbers, float32, on the CPU."""
        ...

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers uniform on [0, 1), float32, on the CPU."""
        ...


class StepDraws:
    """Draws of one training step: a function of (seed, windows seen so far).

    Every process draws for the whole batch and keeps its own rows, so that two processes see
    the very noise that one process with the doubled batch would.

    Args:
        seed: Of the run.
        seen: Windows seen before this step, by all processes together.
        rank: Which of the processes this is.
        ranks: How many processes share the batch.
    """

    def __init__(self, seed: int, seen: int, rank: int = 0, ranks: int = 1) -> None:
        self.rng = _generator(seed, seen)
        self.rank, self.ranks = rank, ranks

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Unit normal numbers, float32, on the CPU."""
        return self._mine(torch.randn(self._whole(shape), generator=self.rng))

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers uniform on [0, 1), float32, on the CPU."""
        return self._mine(torch.rand(self._whole(shape), generator=self.rng))

    def _whole(self, shape: Sequence[int]) -> list[int]:
        return [shape[0] * self.ranks, *shape[1:]]

    def _mine(self, whole: Tensor) -> Tensor:
        return whole.chunk(self.ranks)[self.rank]


class ItemDraws:
    """Draws of generated items: item i's numbers are a function of (seed, i) alone.

    Args:
        seed: Of the whole set that is generated.
        items: The positions in that set of the items of this batch.
    """

    def __init__(self, seed: int, items: Sequence[int]) -> None:
        self.rngs = [_generator(seed, item) for item in items]

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Unit normal numbers, float32, on the CPU."""
        out = torch.empty(tuple(shape))
        for row, rng in zip(out, self.rngs, strict=True):
            row.normal_(generator=rng)
        return out

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers uniform on [0, 1), float32, on the CPU."""
        out = torch.empty(tuple(shape))
        for row, rng in zip(out, self.rngs, strict=True):
            row.uniform_(generator=rng)
        return out


def _generator(seed: int, position: int) -> torch.Generator:
    # SeedSequence mixes the pair, so that (0, 1) and (1, 0) have nothing in common.
    mixed = np.random.SeedSequence((seed, position)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed) >> 1)
