"""Features from random convolutions: nothing is trained, and hardly a difference stays hidden."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv1d

__all__ = ["random_kernels"]

TAPS = 9  # length of a kernel
CHUNK = 256  # windows at a time: bounds memory


@torch.no_grad()
def random_kernels(
    x: Float[Tensor, "window channel time"], *, count: int = 600, seed: int = 0
) -> Float[Tensor, "window feature"]:
    """Reads windows through random dilated kernels: three numbers per kernel.

    Each kernel sees a random part of the channels at one dilation. Its three numbers are the
    largest response, the mean response, and the share of time points above a threshold drawn from
    the responses to a few of the windows. Half of the kernels are centred and see shape alone, half
    are not and see the level too: centred ones alone miss an offset.
    Source: Dempster et al. 2020 (ROCKET, arXiv 1910.13051) and 2021 (MiniRocket, 2012.08791).

    Args:
        x: Windows, standardised per channel, without NaN.
        count: Number of kernels.
        seed: Which kernels.

    Returns:
        Features, not scaled.
    """
    rng = np.random.default_rng(seed)
    _, channels, length = x.shape
    taps = min(TAPS, length)
    deepest = int(np.log2(max(1, (length - 1) // max(1, taps - 1))))
    share = np.array_split(np.arange(count), deepest + 1)
    anchors = x[torch.as_tensor(rng.permutation(len(x))[:64])]
    features = []
    for power, kernels in enumerate(share):
        weight = _kernels(len(kernels), channels, taps, rng).to(x.dtype)
        dilation = 2**power
        how = {"padding": dilation * (taps - 1) // 2, "dilation": dilation}
        seen = conv1d(anchors, weight, **how).transpose(0, 1).flatten(1)
        level = torch.as_tensor(rng.uniform(0.1, 0.9, len(kernels)), dtype=x.dtype)
        at = (level * (seen.shape[1] - 1)).long()
        threshold = seen.sort(dim=1).values.gather(1, at[:, None])
        parts = []
        for part in x.split(CHUNK):
            response = conv1d(part, weight, **how)
            above = (response > threshold).to(x.dtype).mean(2)
            parts.append(torch.cat([response.amax(2), response.mean(2), above], dim=1))
        features.append(torch.cat(parts))
    return torch.cat(features, dim=1)


def _kernels(count: int, channels: int, taps: int, rng: np.random.Generator) -> Tensor:
    weight = rng.standard_normal((count, channels, taps))
    weight[::2] -= weight[::2].mean(axis=2, keepdims=True)
    # Few channels per kernel as often as many: a fault may sit in one channel or between all.
    size = np.exp2(rng.uniform(0, np.log2(channels + 1), count)).astype(int)
    rank = rng.random((count, channels)).argsort(axis=1).argsort(axis=1)
    return torch.as_tensor(weight * (rank < size[:, None])[:, :, None])
