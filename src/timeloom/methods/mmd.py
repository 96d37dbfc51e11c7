"""Maximum mean discrepancy given a condition, and the weight that Diff-MTS learns for it."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from timeloom.diffusion.denoise import Denoiser

__all__ = ["AdaptiveWeight", "WeightedDenoiser", "alike", "conditional_mmd", "gate"]

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # in units of the median squared distance


def conditional_mmd(
    x: Float[Tensor, "window *rest"],
    y: Float[Tensor, "window *rest"],
    given: Float[Tensor, "window window"] | None = None,
) -> Float[Tensor, ""]:
    """Unbiased squared MMD of the joint law of (windows, condition); may fall below 0.

    The kernel is a mixture of RBFs whose bandwidths follow the median squared distance, so that
    it stays alive at any size of window (with a bandwidth of 1, as in the released code, its
    gradient is exactly 0 at 14 channels x 48 time points). ``i = j`` is left out of the cross
    term too: noise and its prediction are a dependent pair.

    Args:
        x: Predicted.
        y: True, row i belonging to row i of ``x``.
        given: k_y, how alike the conditions of rows i and j are, in [0, 1]. None is 1 everywhere:
            the marginal form, Eq. 11 of arXiv 2407.11501, which does not see the condition.
    """
    both = torch.cat([x.flatten(1), y.flatten(1)])
    square = both.square().sum(1)
    distance = (square[:, None] + square[None, :] - 2 * both @ both.T).clamp(min=0)
    n = len(x)
    others = ~torch.eye(n, dtype=torch.bool, device=x.device)
    median = distance.detach()[:n, n:][others].median().clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-distance / (median * b)) for b in BANDWIDTHS]).mean(0)
    gap = kernel[:n, :n] + kernel[n:, n:] - kernel[:n, n:] - kernel[n:, :n]
    if given is not None:
        gap = gap * given
    return cast(Tensor, gap[others].sum() / (n * (n - 1)))


def alike(
    told: Float[Tensor, "window"], kind: str, bandwidth: float
) -> Float[Tensor, "window window"]:
    """k_y: how alike two conditions are, in [0, 1].

    Args:
        told: What the network was told; NaN (a hidden condition) is like nothing.
        kind: ``"class"``: 1 for equal ones. ``"value"``: an RBF. ``"none"``: 1 everywhere.
        bandwidth: Of the RBF, on values scaled to [0, 1].
    """
    gap = told[:, None] - told[None, :]
    if kind == "none":
        return torch.ones_like(gap)
    if kind == "class":
        return (gap == 0).to(told)
    return torch.exp(-gap.square() / (2 * bandwidth**2)).nan_to_num(0)


def gate(signal: Float[Tensor, "window"], below: float) -> Float[Tensor, "window window"]:
    """1 for pairs of which both hold a smaller share of signal than ``below``, else 0."""
    noisy = (signal < below).to(signal)
    return noisy[:, None] * noisy[None, :]


class AdaptiveWeight(nn.Module):
    """A learned weight that trades the noise loss against the MMD, and cannot collapse.

    ``L = (1 - w)·L_noise + w·MMD`` as printed drives w to 1, since dL/dw = MMD - L_noise < 0,
    and the noise loss vanishes. Here ``w = ceiling·sigmoid(a)``, and the entropy of sigmoid(a)
    is rewarded: the optimum is ``sigmoid(a) = sigmoid(ceiling·(L_noise - MMD)/caution)``.

    Args:
        ceiling: What the weight stays below.
        caution: How strongly a weight at either end is held back.
    """

    def __init__(self, ceiling: float = 0.2, caution: float = 0.1) -> None:
        super().__init__()
        self.ceiling, self.caution = ceiling, caution
        self.raw = nn.Parameter(torch.zeros(()))

    @property
    def weight(self) -> Tensor:
        """w, between 0 and ``ceiling``."""
        return self.ceiling * self.raw.sigmoid()

    def forward(self, noise_loss: Tensor, discrepancy: Tensor) -> Tensor:
        """The weighted sum and the reward for keeping away from the ends."""
        share = self.raw.sigmoid()
        entropy = -share * share.log() - (1 - share) * (1 - share).log()
        mixed = (1 - self.weight) * noise_loss + self.weight * discrepancy
        return mixed - self.caution * entropy


class WeightedDenoiser(nn.Module):
    """A denoiser, and the learned weight (or None) that is trained beside it.

    Args:
        denoiser: What samples are drawn from.
        weight: Trades its loss against the MMD.
    """

    denoiser: Denoiser
    weight: AdaptiveWeight | None

    def __init__(self, denoiser: Denoiser, weight: AdaptiveWeight | None = None) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.weight = weight
