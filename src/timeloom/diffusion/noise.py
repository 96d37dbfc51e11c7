"""Noise schedules: how much signal and how much noise is left at each time."""

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from timeloom.diffusion.draws import Draws

__all__ = ["SWITCH", "BetaSchedule", "CosineSchedule", "KarrasSchedule", "Schedule"]

SWITCH = 3.0  # level, in units of the data's spread, at which hybrid_2m changes its rule


@runtime_checkable
class Schedule(Protocol):
    """Time to (alpha, sigma), with x_t = alpha·x + sigma·noise. Time 0 is clean: (1, 0)."""

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The shares of signal and of noise at times ``t``, in the shape and dtype of ``t``."""
        ...

    def draw(self, count: int, rng: Draws) -> Float[Tensor, "window"]:
        """Times to train at."""
        ...

    def grid(self, steps: int | None = None) -> Float[Tensor, "time"]:
        """Times to sample at, ``steps`` + 1 of them, decreasing; the last is 0.

        Raises:
            ValueError: If so many steps are not possible.
        """
        ...

    def embed(self, t: Tensor) -> Tensor:
        """What the network is told of the time."""
        ...


class _Discrete:
    """What the two schedules with a table of betas share: times are 0, 1, …, steps."""

    steps: int
    alpha_bar: Tensor  # (steps + 1,), float64: the signal's share of the variance; [0] is 1

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        signal = self.alpha_bar.to(t.device)[t.round().long()]
        return signal.sqrt().to(t.dtype), (1 - signal).sqrt().to(t.dtype)

    def draw(self, count: int, rng: Draws) -> Float[Tensor, "window"]:
        """Times to train at."""
        return 1 + (rng.uniform((count,)) * self.steps).floor().clamp(max=self.steps - 1)

    def grid(self, steps: int | None = None) -> Float[Tensor, "time"]:
        """Times to sample at, ``steps`` + 1 of them, decreasing; the last is 0."""
        steps = self.steps if steps is None else steps
        if not 1 <= steps <= self.steps:
            raise ValueError(
                f"this schedule has {self.steps} steps and is sampled in 1 to {self.steps}; "
                f"got {steps}."
            )
        return torch.linspace(self.steps, 0, steps + 1, dtype=torch.float64).round()

    def embed(self, t: Tensor) -> Tensor:
        """What the network is told of the time."""
        return t - 1  # the papers count 0 … steps - 1


@dataclass(frozen=True)
class BetaSchedule(_Discrete):
    """Linear betas. Source: Ho et al. 2020; Diff-MTS's code uses 500 from 1e-4 to 0.028."""

    steps: int = 500
    beta_first: float = 1e-4
    beta_last: float = 0.028
    alpha_bar: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        beta = torch.linspace(self.beta_first, self.beta_last, self.steps, dtype=torch.float64)
        object.__setattr__(self, "alpha_bar", _cumulate(beta))


@dataclass(frozen=True)
class CosineSchedule(_Discrete):
    """Cosine alphas, betas at most 0.999. Source: Nichol and Dhariwal 2021, eq. 17."""

    steps: int = 500
    offset: float = 0.008
    alpha_bar: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        u = torch.arange(self.steps + 1, dtype=torch.float64) / self.steps
        signal = torch.cos((u + self.offset) / (1 + self.offset) * math.pi / 2).square()
        beta = (1 - signal[1:] / signal[:-1]).clamp(0, 0.999)
        object.__setattr__(self, "alpha_bar", _cumulate(beta))


@dataclass(frozen=True)
class KarrasSchedule:
    """Time is the noise level itself; nothing is taken from the signal. Source: EDM, 2022.

    Attributes:
        low: Smallest noise level sampled at. It and ``high`` follow the levels that are trained,
            not EDM's .002 and 80 for images: on stock windows the same weights were told from
            real ones with AUC .795 instead of .846 (twelve calls).
        high: Largest noise level sampled at.
        rho: How EDM's sampling grid crowds towards ``low``, 7 there. None is the grid for
            ``hybrid_2m``: logarithms fall evenly from ``high`` to 3, then the angles
            ``atan(level)`` fall to 0 as (1 - share)^1.5; ``low`` is then unused.
        mean: Mean of the logarithm of the levels that are trained.
        spread: Standard deviation of it.
    """

    low: float = 0.005
    high: float = 80.0
    rho: float | None = None
    mean: float = -0.2
    spread: float = 1.6

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(1, t)."""
        return torch.ones_like(t), t

    def draw(self, count: int, rng: Draws) -> Float[Tensor, "window"]:
        """Times to train at."""
        return (rng.normal((count,)) * self.spread + self.mean).exp()

    def grid(self, steps: int | None = None) -> Float[Tensor, "time"]:
        """As :meth:`Schedule.grid`; 12 steps where None."""
        steps = 12 if steps is None else steps
        if steps < 1:
            raise ValueError(f"sampling takes at least 1 step; got {steps}.")
        if self.rho is None:
            return self._hybrid(steps)
        share = torch.linspace(0, 1, steps, dtype=torch.float64)
        root = self.high ** (1 / self.rho)
        levels = (root + share * (self.low ** (1 / self.rho) - root)) ** self.rho
        return torch.cat([levels, levels.new_zeros(1)])

    def _hybrid(self, steps: int) -> Float[Tensor, "time"]:
        # A quarter of the steps for 80 to 3, more for a longer way.
        way = max(0.0, math.log(self.high / SWITCH))
        above = min(steps - 1, math.ceil(steps * way / (way + 9.8) - 0.5))
        top = SWITCH if above else self.high
        start, end = math.log(self.high), math.log(top)
        levels = torch.linspace(start, end, above + 1, dtype=torch.float64).exp()[:-1]
        share = torch.linspace(0, 1, steps - above + 1, dtype=torch.float64)
        return torch.cat([levels, torch.tan(math.atan(top) * (1 - share) ** 1.5)])

    def embed(self, t: Tensor) -> Tensor:
        """What the network is told of the time."""
        return 250 * t.log()  # EDM's log(sigma)/4, on the scale of the sinusoids' thousand steps


def _cumulate(beta: Tensor) -> Tensor:
    return torch.cat([beta.new_ones(1), (1 - beta).cumprod(0)])
