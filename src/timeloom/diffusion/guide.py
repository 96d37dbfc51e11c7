"""Guidance: a denoiser round a denoiser."""

import torch
from torch import Tensor

from timeloom.diffusion.denoise import Denoiser
from timeloom.diffusion.noise import Schedule

__all__ = ["ClassifierFree"]


class ClassifierFree:
    """Moves the estimate away from what it would be without the condition.

    ``(1 + w)·x_hat(cond) - w·x_hat(none)``, both from one call on a doubled batch. On the clean
    estimate this equals guidance on the noise. Source: Ho and Salimans 2022, eq. 6.

    Args:
        denoiser: Takes a condition whose NaN rows mean "none".
        weight: w; 0 is the denoiser itself, at its cost.
    """

    def __init__(self, denoiser: Denoiser, weight: float) -> None:
        self.denoiser = denoiser
        self.weight = weight

    @property
    def schedule(self) -> Schedule:
        """The schedule of the denoiser inside."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor, cond: Tensor | None = None) -> Tensor:
        """The guided clean estimate."""
        if self.weight == 0 or cond is None:
            return self.denoiser(x_t, t, cond)
        t = t.expand(len(x_t)) if t.ndim == 0 else t
        both = torch.cat([cond, torch.full_like(cond, torch.nan)])
        given, none = self.denoiser(x_t.repeat(2, *[1] * (x_t.ndim - 1)), t.repeat(2), both).chunk(
            2
        )
        return given + self.weight * (given - none)
