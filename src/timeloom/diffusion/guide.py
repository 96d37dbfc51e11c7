"""Guidance: a denoiser round a denoiser, or a push on its estimate."""

import copy

import torch
from torch import Tensor, nn

from timeloom.diffusion.denoise import Denoiser
from timeloom.diffusion.gradients import differentiable, loss_of, moved
from timeloom.diffusion.noise import Schedule
from timeloom.diffusion.sample import Moment

__all__ = ["ClassifierFree", "Influence"]

VANISHED = 1e-30  # gradients without a larger value are rounding and point nowhere
REACH = 2e-4  # half the distance of the two classifiers, in lengths of all their parameters


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


class Influence:
    """Pushes every window to where its own training gradient points more along a given one.

    ``J(x, y) = d/dx <G, d/dphi loss(x, y; phi)>`` for each window by itself, whatever else is in
    the batch. Since ``<G, d/dphi>`` is the derivative along G, J is the difference of two plain
    input gradients, of the classifier a step along G and a step against it: no gradient of a
    gradient is needed, as long as the classifier has no kinks (ReLU, largest response) near by;
    for one that has, ``exact`` takes the gradient of the gradient.
    Source: TarDiff (arXiv 2504.17613), algorithm 1; the difference is ours.

    Two strengths. ``"relative"``: J is scaled to a root mean square of 1 in each window, and the
    estimate of data of spread 1 is moved by ``scale`` times the noise that remains where the step
    lands, ``sigma / sqrt(alpha² + sigma²)``: without noise there is no push. ``"absolute"``:
    ``scale`` times J is added to what the step arrives at, as in the paper (which takes 100).

    Args:
        classifier: From windows, as the sampler holds them, to outputs (window, class); copied.
        toward: (parameter,) the gradient G of the loss to be lowered; see ``class_gradients``.
        scale: Strength; negative pushes away.
        strength: ``"relative"`` or ``"absolute"``.
        at: Where J is taken: at the ``"clean"`` estimate, or at the ``"noisy"`` window.
        last: Only this last share of the steps is pushed.
        exact: Whether J is a gradient of a gradient, at some two and a half times the cost.

    Raises:
        ValueError: If G vanishes or is not finite.
    """

    def __init__(
        self,
        classifier: nn.Module,
        toward: Tensor,
        *,
        scale: float,
        strength: str = "relative",
        at: str = "clean",
        last: float = 1.0,
        exact: bool = False,
    ) -> None:
        size = float(toward.norm())
        if not 0 < size < float("inf"):
            raise ValueError(
                f"the guidance gradient must be finite and not 0; its length is {size:g}. Train "
                "the classifier less, or give guidance windows that it does not know."
            )
        self.scale, self.strength, self.at, self.last = scale, strength, at, last
        self.exact = exact
        self._classifier, self._toward = copy.deepcopy(classifier).eval(), toward
        trained = [p.detach().norm() for p in classifier.parameters() if p.requires_grad]
        step = REACH * float(torch.stack(trained).norm())
        self._along = _shifted(classifier, toward * (step / size))
        self._against = _shifted(classifier, toward * (-step / size))
        self._unit = size / (2 * step)

    def __call__(self, moment: Moment) -> Tensor:
        """What is to be added to the estimate; 0 for windows without a class."""
        x = moment.x_hat if self.at == "clean" else moment.x_t
        if moment.cond is None or moment.progress < 1 - self.last - 1e-9:
            return torch.zeros_like(x)
        self._follow(x.device)
        gradient = self.gradient(x, moment.cond)
        if self.strength == "absolute":
            return self.scale / moment.gain * gradient
        alpha, sigma = moment.landing
        remaining = sigma / (alpha**2 + sigma**2) ** 0.5
        return self.scale * remaining * _unit_size(gradient)

    def gradient(self, x: Tensor, cond: Tensor) -> Tensor:
        """J at ``x`` for the classes ``cond`` (window,); 0 where that is NaN."""
        told = torch.where(cond.isnan(), 0, cond).long()
        if self.exact:
            gradient = self._slope_of_slope(x, told)
        else:
            along, against = (_slope(one, x, told) for one in (self._along, self._against))
            gradient = (along - against) * self._unit
        return torch.where(cond.isnan().view(-1, *[1] * (x.ndim - 1)), 0.0, gradient)

    def _follow(self, device: torch.device) -> None:
        """Goes to where the sampler computes, which is known only then."""
        if self._toward.device != device:
            self._toward = self._toward.to(device)
            for one in (self._classifier, self._along, self._against):
                one.to(device)

    def _slope_of_slope(self, x: Tensor, told: Tensor) -> Tensor:
        own = [p for p in self._classifier.parameters() if p.requires_grad]
        with torch.enable_grad(), differentiable(self._classifier):
            x = x.detach().requires_grad_(True)
            loss = loss_of(self._classifier(x), told)
            found = torch.autograd.grad(loss, own, create_graph=True, allow_unused=True)
            ways = self._toward.split([p.numel() for p in own])
            pairs = [(g, way) for g, way in zip(found, ways, strict=True) if g is not None]
            along = torch.stack([(g.flatten() * way).sum() for g, way in pairs]).sum()
            return torch.autograd.grad(along, x)[0]


def _unit_size(gradient: Tensor) -> Tensor:
    """Every window's gradient at a root mean square of 1; what is 0, or next to it, becomes 0.

    The largest value is taken out first: squares of 1e-23 are 0 in float32.
    """
    flat = gradient.flatten(1)
    largest = flat.abs().amax(dim=1, keepdim=True)
    alive = largest > VANISHED
    flat = torch.where(alive, flat / torch.where(alive, largest, 1.0), 0.0)
    rms = flat.square().mean(dim=1, keepdim=True).sqrt()
    return (flat / torch.where(alive, rms, 1.0)).view_as(gradient)


def _shifted(classifier: nn.Module, by: Tensor) -> nn.Module:
    """A frozen copy whose parameters stand elsewhere."""
    ways = moved(classifier, by)
    other = copy.deepcopy(classifier).eval()
    for name, parameter in other.named_parameters():
        if name in ways:
            parameter.data = parameter.data + ways[name]
    return other.requires_grad_(False)


def _slope(classifier: nn.Module, x: Tensor, told: Tensor) -> Tensor:
    """The gradient of each window's own loss by the window."""
    with torch.enable_grad(), differentiable(classifier):
        x = x.detach().requires_grad_(True)
        return torch.autograd.grad(loss_of(classifier(x), told), x)[0]
