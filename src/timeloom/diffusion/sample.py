"""Steps from a time to an earlier one, and the one reverse loop that calls them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from timeloom.diffusion.denoise import Cond
from timeloom.diffusion.draws import Draws
from timeloom.diffusion.noise import SWITCH, Schedule

__all__ = [
    "STEPS",
    "Moment",
    "Push",
    "ddim",
    "ddpm",
    "dpmpp_2m",
    "heun",
    "hybrid_2m",
    "sample",
    "trig_2m",
]

Step = Callable[..., Tensor]  # step(denoise, x, t, s, levels, rng) -> x_s


@runtime_checkable
class Model(Protocol):
    """A denoiser, or a denoiser round a denoiser."""

    @property
    def schedule(self) -> Schedule:
        """Its schedule."""
        ...

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond = None) -> Tensor:
        """The clean estimate."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a trajectory is when it has got a clean estimate: what a push is told.

    Attributes:
        x_t: (window, ...) the noisy tensors.
        x_hat: Their clean estimate.
        cond: What the denoiser was told besides, one row per window.
        level: (alpha, sigma) of ``x_t``.
        landing: (alpha, sigma) of the time that the step goes to; sigma is 0 in the last step.
        gain: By how much the step's result moves where the estimate moves by 1.
        progress: Share of the steps that are done, from 0 in the first to below 1 in the last.
    """

    x_t: Tensor
    x_hat: Tensor
    cond: Cond
    level: tuple[float, float]
    landing: tuple[float, float]
    gain: float
    progress: float


Push = Callable[[Moment], Tensor]  # what is added to the clean estimate


class Estimate:
    """The clean estimate of one trajectory; it remembers its last answers for multi-step rules."""

    def __init__(
        self,
        model: Model,
        cond: Cond,
        push: Push | None,
        known: tuple[Tensor, Tensor] | None,
    ) -> None:
        self.model, self.cond, self.push, self.known = model, cond, push, known
        self.past: list[tuple[Tensor, Tensor, Tensor]] = []  # (time, x, estimate), the last two
        self.landing, self.progress = torch.zeros(()), 0.0

    def __call__(self, x: Tensor, t: Tensor, gain: float | None = None) -> Tensor:
        """The estimate at ``x``; ``gain`` where the step is no deterministic one."""
        x_hat = self.model(x, t.to(x), self.cond)
        if self.push is not None:
            x_hat = x_hat + self.push(self._moment(x, x_hat, t, gain))
        if self.known is not None:
            values, mask = self.known
            x_hat = torch.where(mask, values, x_hat)
        self.past = [*self.past[-1:], (t, x, x_hat)]
        return x_hat

    def _moment(self, x: Tensor, x_hat: Tensor, t: Tensor, gain: float | None) -> Moment:
        (a_t, b_t), (a_s, b_s) = _levels(self.model.schedule, t, self.landing)
        own = a_s - a_t * b_s / b_t if gain is None else gain
        return Moment(x, x_hat, self.cond, (a_t, b_t), (a_s, b_s), own, self.progress)


def ddim(
    denoise: Estimate, x: Tensor, t: Tensor, s: Tensor, levels: Schedule, rng: Draws | None
) -> Tensor:
    """Deterministic step. Source: Song et al. 2021, eq. 12 with eta = 0."""
    (a_t, b_t), (a_s, b_s) = _levels(levels, t, s)
    x_hat = denoise(x, t)
    return a_s * x_hat + b_s / b_t * (x - a_t * x_hat)


def ddpm(
    denoise: Estimate,
    x: Tensor,
    t: Tensor,
    s: Tensor,
    levels: Schedule,
    rng: Draws | None,
    *,
    variance: str = "posterior",
) -> Tensor:
    """Ancestral step. Source: Ho et al. 2020, eq. 7.

    ``variance="posterior"`` is the paper's β̃; ``"beta"`` the larger β = 1 - (α_t/α_s)² that
    Diff-MTS's code samples with. The last step adds no noise with either.

    Raises:
        ValueError: If the variance is unknown, or there is nothing to draw from.
    """
    if variance not in ("posterior", "beta"):
        raise ValueError(f"variance must be 'posterior' or 'beta'; got {variance!r}.")
    (a_t, b_t), (a_s, b_s) = _levels(levels, t, s)
    ratio = a_t / a_s
    added = b_t**2 - ratio**2 * b_s**2  # variance of the noise put in between s and t
    gain = a_s * added / b_t**2
    mean = ratio * b_s**2 / b_t**2 * x + gain * denoise(x, t, gain)
    if b_s == 0:
        return mean
    if rng is None:
        raise ValueError("an ancestral step draws noise; pass rng.")
    spread = math.sqrt(added if variance == "beta" else added * b_s**2 / b_t**2)
    return mean + spread * rng.normal(x.shape).to(x)


def heun(
    denoise: Estimate, x: Tensor, t: Tensor, s: Tensor, levels: Schedule, rng: Draws | None
) -> Tensor:
    """Second-order step, two calls (one where s = 0). Source: EDM, 2022, algorithm 1."""
    (a_t, b_t), (a_s, b_s) = _levels(levels, t, s)
    level, lower = b_t / a_t, b_s / a_s
    z = x / a_t  # in which the noise is simply added
    slope = (z - denoise(x, t)) / level
    euler = z + (lower - level) * slope
    if lower == 0:
        return a_s * euler
    # Either estimate moves the result by half of what it would alone; both are pushed in full.
    there = denoise(a_s * euler, s, gain=a_s * (level / lower - 1))
    slope_there = (euler - there) / lower
    return a_s * (z + (lower - level) * (slope + slope_there) / 2)


def dpmpp_2m(
    denoise: Estimate, x: Tensor, t: Tensor, s: Tensor, levels: Schedule, rng: Draws | None
) -> Tensor:
    """Second-order multi-step rule, one call. Source: DPM-Solver++, Lu et al. 2022, algorithm 2."""
    (a_t, b_t), (a_s, b_s) = _levels(levels, t, s)
    x_hat = denoise(x, t)
    if b_s == 0:
        return a_s * x_hat
    h = math.log(a_s / b_s) - math.log(a_t / b_t)  # step in log signal-to-noise
    if len(denoise.past) == 2:
        r, _, before = denoise.past[0]
        (a_r, b_r), _ = _levels(levels, r, t)
        back = (math.log(a_t / b_t) - math.log(a_r / b_r)) / h
        x_hat = x_hat + (x_hat - before) / (2 * back)
    return b_s / b_t * x - a_s * math.expm1(-h) * x_hat


def trig_2m(
    denoise: Estimate, x: Tensor, t: Tensor, s: Tensor, levels: Schedule, rng: Draws | None
) -> Tensor:
    """Second-order multi-step rule in the angle atan(sigma/alpha), one call.

    In TrigFlow's coordinates (Lu and Song 2024, arXiv 2410.11081, section 3; data of spread 1)
    ``u = x / sqrt(alpha² + sigma²)`` obeys du/dθ = -F, where F is what a "karras" network
    predicts; two steps of Adams and Bashforth's rule are taken on F. For a Gaussian of spread 1
    F is 0, so nothing is lost at any number of steps; spreads far above 1 lose much.
    """
    (a_t, b_t), (a_s, b_s) = _levels(levels, t, s)
    denoise(x, t)
    slope, angle = _slope(denoise.past[-1], levels)
    h = math.atan2(b_s, a_s) - angle
    move = slope
    if len(denoise.past) == 2:
        before, higher = _slope(denoise.past[0], levels)
        move = slope + h / (2 * (angle - higher)) * (slope - before)
    return (x / math.hypot(a_t, b_t) + h * move) * math.hypot(a_s, b_s)


def _slope(moment: tuple[Tensor, Tensor, Tensor], levels: Schedule) -> tuple[Tensor, float]:
    """(du/dθ, θ) at a moment of the trajectory: x_hat = cos(θ)·u - sin(θ)·du/dθ."""
    t, x, x_hat = moment
    (a, b), _ = _levels(levels, t, t)
    angle = math.atan2(b, a)
    u = x / math.hypot(a, b)
    return (math.cos(angle) * u - x_hat) / math.sin(angle), angle


def hybrid_2m(
    denoise: Estimate, x: Tensor, t: Tensor, s: Tensor, levels: Schedule, rng: Draws | None
) -> Tensor:
    """``dpmpp_2m`` above level 3, ``trig_2m`` below it, one call.

    Windows hold a few directions of large spread (15 for the level of all 14 sensors of FD001
    at 48 points) and many below 1. The exponential rule is right where the level is above most
    spreads, the rule in angles where it is near them: with 12 steps from 80 every spread from
    0.3 to 15 is kept to 5 %, where either rule alone is 10 to 60 % off on some.
    """
    (a_t, b_t), _ = _levels(levels, t, s)
    rule = dpmpp_2m if b_t / a_t > SWITCH * (1 + 1e-9) else trig_2m
    return rule(denoise, x, t, s, levels, rng)


STEPS: dict[str, Step] = {
    "ddpm": ddpm,
    "ddpm_beta": partial(ddpm, variance="beta"),
    "ddim": ddim,
    "heun": heun,
    "dpmpp_2m": dpmpp_2m,
    "trig_2m": trig_2m,
    "hybrid_2m": hybrid_2m,
}


@torch.no_grad()
def sample(
    model: Model,
    noise: Tensor,
    times: Tensor,
    *,
    step: Step = hybrid_2m,
    cond: Cond = None,
    push: Push | None = None,
    known: tuple[Tensor, Tensor] | None = None,
    rng: Draws | None = None,
) -> Tensor:
    """Goes from noise to clean tensors along ``times``.

    Args:
        model: A denoiser.
        noise: (window, ...) unit normal numbers to start from.
        times: Decreasing, the last is 0; see ``Schedule.grid``.
        step: The rule that goes from one time to the next.
        cond: What the denoiser is told besides, one row per window.
        push: Changes every clean estimate: ``push(moment)`` is added to it.
        known: (values, mask) of the shape of ``noise``: where the mask is True the values are
            given, and come back exactly. Elsewhere values must still be finite.
        rng: What ancestral steps draw from.

    Returns:
        Clean tensors of the shape and dtype of ``noise``.
    """
    alpha, sigma = model.schedule(times[0])
    x = sigma.item() * noise
    if known is not None:
        x = torch.where(known[1], alpha.item() * known[0] + x, x)
    denoise = Estimate(model, cond, push, known)
    # Times stay on the CPU in float64: the levels of a step are numbers, not tensors.
    times = times.to("cpu", torch.float64)
    for k, (t, s) in enumerate(zip(times[:-1], times[1:], strict=True)):
        denoise.landing, denoise.progress = s, k / (len(times) - 1)
        x = step(denoise, x, t, s, model.schedule, rng)
    return x if known is None else torch.where(known[1], known[0], x)


def _levels(
    levels: Schedule, t: Tensor, s: Tensor
) -> tuple[tuple[float, float], tuple[float, float]]:
    (a_t, b_t), (a_s, b_s) = levels(t), levels(s)
    return (a_t.item(), b_t.item()), (a_s.item(), b_s.item())
