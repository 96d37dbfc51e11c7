"""Denoisers whose clean estimate is known exactly: the oracles of the samplers' tests."""

import torch

from timeloom.diffusion.sample import Estimate


class ExactMixture:
    """The posterior mean for data that are a mixture of Gaussians, one number per item."""

    def __init__(self, schedule, means, spreads, shares):
        self.schedule = schedule
        self.means, self.spreads, self.shares = (
            torch.tensor(v, dtype=torch.float64) for v in (means, spreads, shares)
        )

    def __call__(self, x_t, t, cond=None):
        alpha, sigma = self.schedule(t.to(torch.float64))
        variance = alpha**2 * self.spreads**2 + sigma**2
        gap = x_t[:, None] - alpha * self.means
        weight = (self.shares.log() - gap**2 / (2 * variance) - variance.log() / 2).softmax(1)
        mean = self.means + alpha * self.spreads**2 / variance * gap
        return (weight * mean).sum(1)


def gaussian(schedule, mean=0.0, spread=0.3):
    return ExactMixture(schedule, [mean], [spread], [1.0])


class Fixed:
    """A denoiser that always gives the same estimate."""

    def __init__(self, schedule, estimate):
        self.schedule, self.estimate = schedule, estimate

    def __call__(self, x_t, t, cond=None):
        return self.estimate


def estimate_of(model):
    return Estimate(model, None, None, None)


class Silent:
    """Draws that are all 0."""

    def normal(self, shape):
        return torch.zeros(*shape)

    uniform = normal
