"""No method of this library: TarDiff's update as its code was released, to be compared with alone.

Source: the code released with arXiv 2504.17613. At every step it draws what the sampler would,
multiplies that by 1 - alpha and adds alpha times a gradient that is taken for a whole batch at
once. ``timeloom.methods.tardiff`` is the method of the paper.
"""

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from timeloom.data.windows import Windows
from timeloom.diffusion.draws import Draws, ItemDraws
from timeloom.diffusion.guide import ClassifierFree
from timeloom.diffusion.noise import KarrasSchedule, Schedule
from timeloom.diffusion.sample import STEPS, Estimate, sample
from timeloom.methods.diffmts import DiffMTS

__all__ = ["BATCH", "Released"]

Array = NDArray[Any]

TINY = 1e-6  # added to the lengths of gradients that are divided by
BATCH = 256  # windows whose mean loss makes one gradient


class Released:
    """The released update round a fitted generator.

    ``x_s = (1 - alpha) * step(x_t) + alpha * s`` with ``s = alpha * d/dx_hat <g, G>``. G is the
    gradient of the mean loss of the guidance windows, g that of the mean loss of the batch; both
    are divided by their length over all parameters. So alpha shrinks the window once per step,
    counts twice on the gradient, and the gradient is the weaker the larger the batch is.

    Args:
        generator: Fitted, with classes as its condition.
        classifier: Scaled windows (window, time, channel) to outputs (window, class), the classes
            in the generator's order.
        guidance: Windows and classes that G is taken on; the released code takes the training
            windows.
        steps: Steps of the sampler.
        step: Its rule; ``"ddpm"`` is DDIM with eta = 1, as released.
    """

    def __init__(
        self,
        generator: DiffMTS,
        classifier: nn.Module,
        guidance: Windows,
        *,
        steps: int = 20,
        step: str = "ddpm",
    ) -> None:
        self.generator, self.steps, self.step = generator, steps, step
        self.classifier = classifier.eval()
        self.parameters = [p.requires_grad_(True) for p in classifier.parameters()]
        x = torch.as_tensor(generator.scaler_.transform(guidance.x), dtype=torch.float32)
        self.toward = [part.detach() for part in self._direction(x, self._told(guidance.y, len(x)))]

    def sample(self, y: Array, *, alpha: float, seed: int = 0, pushed: bool = True) -> Windows:
        """Draws one window per class in ``y``, the noise of each by (seed, its place).

        Args:
            y: (window,) classes.
            alpha: The released strength; 0 is the generator itself, with this rule and steps.
            seed: Of the noise.
            pushed: False leaves the gradient out and the shrinking in.

        Returns:
            Windows in the units of the training data.
        """
        made, told = self.generator, self._told(y, len(y))
        model = ClassifierFree(made.model_.denoiser.cpu().eval(), made.guidance)
        step = partial(self._step, alpha=alpha, pushed=pushed and alpha > 0)
        length, channels = made.shape_
        parts = []
        for items in torch.arange(len(y)).split(BATCH):
            rng = ItemDraws(seed, items.tolist())
            noise = rng.normal((len(items), channels, length))
            x = sample(model, noise, self._times(), step=step, cond=told[items], rng=rng)
            parts.append(x.mT.numpy())
        x = made.scaler_.inverse(np.concatenate(parts))
        return Windows(x, y, channels=made.channels_, label_name=made.label_name_)

    def _step(
        self,
        denoise: Estimate,
        x: Tensor,
        t: Tensor,
        s: Tensor,
        levels: Schedule,
        rng: Draws,
        *,
        alpha: float,
        pushed: bool,
    ) -> Tensor:
        out = (1 - alpha) * STEPS[self.step](denoise, x, t, s, levels, rng)
        if not pushed or denoise.cond is None:
            return out
        score = alpha * self._score(denoise.past[-1][2], denoise.cond)
        alpha_s, sigma_s = (part.item() for part in levels(s))
        # The released states have spread 1 at every level; theirs is the unit of the score.
        return out + alpha * score * math.hypot(alpha_s, sigma_s)

    def _times(self) -> Tensor:
        """The levels of the released code, where time is the level; else the schedule's own."""
        schedule = self.generator.model_.denoiser.schedule
        if not isinstance(schedule, KarrasSchedule):
            return schedule.grid(self.steps)
        betas = torch.linspace(5e-4**0.5, 0.1**0.5, 200, dtype=torch.float64).square()
        signal = (1 - betas).cumprod(0)[1 :: 200 // self.steps].flip(0)
        return torch.cat([(1 / signal - 1).sqrt(), torch.zeros(1, dtype=torch.float64)])

    def _score(self, x_hat: Tensor, cond: Tensor) -> Tensor:
        """d/dx_hat <g, G> for the batch, (window, channel, time)."""
        with torch.enable_grad():
            x = x_hat.detach().requires_grad_(True)
            own = self._direction(x.mT, cond)
            pairs = zip(own, self.toward, strict=True)
            like = torch.stack([(a * b).sum() for a, b in pairs]).sum()
            return torch.autograd.grad(like, x)[0]

    def _direction(self, x: Tensor, told: Tensor) -> list[Tensor]:
        """The gradient of the mean loss of a batch, divided by its length."""
        with torch.enable_grad():
            loss = cross_entropy(self.classifier(x), told.long())
            parts = torch.autograd.grad(loss, self.parameters, create_graph=True)
            length = torch.stack([part.square().sum() for part in parts]).sum().sqrt() + TINY
            return [part / length for part in parts]

    def _told(self, y: Array | None, count: int) -> Tensor:
        return torch.from_numpy(self.generator.condition_.told(y, count))
