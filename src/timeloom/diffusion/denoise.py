"""Denoiser: a noisy tensor to the clean estimate, whatever the network predicts."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from timeloom.diffusion.draws import Draws
from timeloom.diffusion.noise import Schedule

__all__ = ["TARGETS", "Cond", "Denoiser", "Pair"]

# What the network is told besides: it alone knows the form. A tensor has one row per window.
Cond = Any

TARGETS = ("noise", "clean", "velocity", "karras")


class Pair(NamedTuple):
    """What a loss compares, and what it may want to know of the noising.

    Attributes:
        output: Raw output of the network.
        target: What the output should have been; unit-weight mean square is the method's loss.
        estimate: The clean estimate that follows from ``output``.
        signal: (window,) alpha_t² / (alpha_t² + sigma_t²), the signal's share of the variance.
    """

    output: Tensor
    target: Tensor
    estimate: Tensor
    signal: Tensor


class Denoiser(nn.Module):
    """A network, a schedule and what the network predicts, together one clean estimate.

    With ``x_hat = skip·x_t + out·F(scale·x_t)`` the plain mean square of
    ``F - (x - skip·x_t) / out`` is DDPM's loss for "noise", the v-loss for "velocity" and EDM's
    weighted loss for "karras" (Karras et al. 2022, table 1, generalised to any alpha).

    Args:
        net: Called as ``net(scale·x_t, schedule.embed(t), cond)``; the shape of ``x_t`` comes back.
        schedule: Time to (alpha, sigma).
        target: What the network predicts: ``"noise"``, ``"clean"``, ``"velocity"``, ``"karras"``.
        spread: Standard deviation of the data, used by "karras" only.

    Raises:
        ValueError: If ``target`` is not one of the four.
    """

    def __init__(
        self, net: nn.Module, schedule: Schedule, target: str = "karras", spread: float = 1.0
    ) -> None:
        super().__init__()
        if target not in TARGETS:
            raise ValueError(f"target must be one of {TARGETS}; got {target!r}.")
        self.net = net
        self.schedule = schedule
        self.target = target
        self.spread = spread

    def forward(
        self, x_t: Float[Tensor, "window *rest"], t: Tensor, cond: Cond = None
    ) -> Float[Tensor, "window *rest"]:
        """The clean estimate of ``x_t`` at times ``t`` (one, or one per window)."""
        t = t.expand(len(x_t)) if t.ndim == 0 else t
        skip, out, scale = self._mix(t, x_t)
        return skip * x_t + out * self._net(scale * x_t, t, cond)

    def pair(self, x: Float[Tensor, "window *rest"], cond: Cond, rng: Draws) -> Pair:
        """Noises ``x`` at times of the schedule's choice, and asks the network."""
        t = self.schedule.draw(len(x), rng).to(x)
        noise = rng.normal(x.shape).to(x)
        alpha, sigma = self.schedule(t)
        x_t = _wide(alpha, x) * x + _wide(sigma, x) * noise
        skip, out, scale = self._mix(t, x)
        output = self._net(scale * x_t, t, cond)
        signal = alpha.square() / (alpha.square() + sigma.square())
        return Pair(output, (x - skip * x_t) / out, skip * x_t + out * output, signal)

    def _net(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        return self.net(x, self.schedule.embed(t).to(x), cond)

    def _mix(self, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(skip, out, scale), each broadcastable to ``x``."""
        alpha, sigma = self.schedule(t)
        if self.target == "noise":
            mix = 1 / alpha, -sigma / alpha, torch.ones_like(alpha)
        elif self.target == "clean":
            mix = torch.zeros_like(alpha), torch.ones_like(alpha), torch.ones_like(alpha)
        elif self.target == "velocity":
            total = alpha.square() + sigma.square()
            mix = alpha / total, -sigma / total.sqrt(), total.rsqrt()
        else:
            level = sigma / alpha
            total = level.square() + self.spread**2
            mix = (
                self.spread**2 / (total * alpha),
                level * self.spread * total.rsqrt(),
                total.rsqrt() / alpha,
            )
        skip, out, scale = (_wide(part, x) for part in mix)
        return skip, out, scale


def _wide(per_window: Tensor, x: Tensor) -> Tensor:
    return per_window.reshape(-1, *[1] * (x.ndim - 1)).to(x.dtype)
