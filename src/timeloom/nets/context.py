"""One vector per window, learned without labels: what Context-FID compares windows by."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, max_pool1d

from timeloom.nets.batches import batches

__all__ = ["ENCODER_VERSION", "ContextEncoder", "depth_for", "fit_encoder", "hierarchical_contrast"]

ENCODER_VERSION = 2  # goes up whenever the same windows would train another encoder
DEEPEST = 10  # blocks of the paper, for series of any length
POINTS = 32_768  # time points read at a time: bounds memory
SEEN = 1_536  # time points of a training step, about: long windows come in smaller batches
FEWEST = 8  # windows of a training step, as in the paper
LONGEST = 256  # time points of a crop at most
HIDDEN = 0.5  # share of time points hidden in each view while training
SHORTEST = 4  # time points that two crops have in common at least


class ContextEncoder(nn.Module):
    """Dilated residual convolutions; the largest response over time is a window's vector.

    It holds the mean and the spread of the channels it was fitted on, in double, so that it takes
    windows in their own units, and the total ``variance`` of the vectors of the windows it was
    fitted on. NaN = not measured, and is seen as the channel's mean.
    Source: Yue et al. 2022 (TS2Vec, arXiv 2106.10466), with a linear layer for its last block: the
    last block, 320 features wide, would cost more than all others together.

    Args:
        channels: Channels of a window.
        depth: Residual blocks, see :func:`depth_for`; block i has dilation 2^i.
        hidden: Width of the blocks.
        features: Length of the vectors.
    """

    center: Tensor
    spread: Tensor
    variance: Tensor

    def __init__(self, channels: int, depth: int, *, hidden: int = 64, features: int = 320) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(channels, dtype=torch.float64))
        # Of the vectors of the windows it was fitted on, summed over features: the loss leaves the
        # length of vectors free, and it differs fivefold between sets.
        self.register_buffer("variance", torch.ones(()))
        self.enter = nn.Linear(channels, hidden)
        self.blocks = nn.ModuleList(_Block(hidden, dilation=2**i) for i in range(depth))
        self.leave = nn.Linear(hidden, features)

    def forward(
        self,
        x: Float[Tensor, "window channel time"],
        shown: Bool[Tensor, "window time"] | None = None,
    ) -> Float[Tensor, "window feature time"]:
        """A vector for every time point; of those not ``shown`` only the neighbours are seen."""
        # Centred in double: in single a spread of 10 on a level of 1e9 is rounding.
        scaled = ((x - self.center[:, None]) / self.spread[:, None]).float()
        h = self.enter(torch.nan_to_num(scaled).transpose(1, 2)).transpose(1, 2)
        if shown is not None:
            h = h * shown[:, None]
        for block in self.blocks:
            h = block(h)
        return self.leave(h.transpose(1, 2)).transpose(1, 2)

    @torch.no_grad()
    def encode(self, x: Float[Tensor, "window channel time"]) -> Float[Tensor, "window feature"]:
        """One vector per window: the largest value of each feature over time."""
        rows = max(1, POINTS // x.shape[2])
        return torch.cat([self(part).amax(dim=2) for part in x.split(rows)])


class _Block(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.second(gelu(self.first(gelu(h))))


def depth_for(length: int) -> int:
    """Blocks after which every time point sees the whole window; more would see only padding.

    Block i reaches 2 x 2^i time points to either side, hence ``depth`` blocks 2 (2^depth - 1).
    """
    return min(max(1, math.ceil(math.log2((length + 1) / 2))), DEEPEST)


def hierarchical_contrast(
    one: Float[Tensor, "window feature time"], other: Float[Tensor, "window feature time"]
) -> Float[Tensor, ""]:
    """How badly two views of the same time points are told from other windows and other times.

    At every level, time points are pairs of those below (the larger value of each feature), down to
    one point per window. Formula: mean over levels of the mean of two cross-entropies: which vector
    at this time is my window's (among all windows), which vector of my window is from this time
    (among all times; 0 where only one time point is left). Source: TS2Vec, sections 3.3 and 3.4.
    """
    levels: list[Tensor] = []
    while True:
        windows = torch.cat([one, other], dim=0).permute(2, 0, 1)  # (time, view of window, feature)
        loss = _pairing(windows) / 2
        if one.shape[2] > 1:
            times = torch.cat([one, other], dim=2).transpose(
                1, 2
            )  # (window, view of time, feature)
            loss = loss + _pairing(times) / 2
        levels.append(loss)
        if one.shape[2] == 1:
            return torch.stack(levels).mean()
        one, other = max_pool1d(one, 2), max_pool1d(other, 2)


def _pairing(vectors: Tensor) -> Tensor:
    """Cross-entropy of finding item i's partner, i + half, among all items but i; by group."""
    groups, count, _ = vectors.shape
    scores = vectors @ vectors.transpose(1, 2)  # (group, item, item)
    itself = torch.eye(count, dtype=torch.bool, device=vectors.device)
    scores = scores.masked_fill(itself, -torch.inf)
    partner = torch.arange(count, device=vectors.device).roll(count // 2)
    return cross_entropy(scores.flatten(0, 1), partner.repeat(groups))


def fit_encoder(
    windows: Float[Tensor, "window channel time"],
    *,
    seed: int = 0,
    steps: int = 100,
    batch: int | None = None,
    rate: float = 1e-3,
) -> ContextEncoder:
    """Trains an encoder for a fixed number of steps; the last weights count, none are picked.

    Two random crops of each window that overlap are read, in each about half of the time points
    hidden; the encoder learns to give what they share the same vectors
    (:func:`hierarchical_contrast`). The same windows and seed give the same encoder.

    Args:
        windows: In their own units. NaN = not measured.
        seed: First weights, order, crops and what is hidden.
        steps: Optimisation steps (AdamW; the rate rises over a twentieth, then falls to 0).
        batch: Windows per step; None: 64 of up to 24 time points, fewer of longer ones, at least 8.
            The paper takes 8 always, and its loss has then few windows to compare.
        rate: The highest learning rate.

    Returns:
        The encoder, in float32 but for the mean and spread of channels, and ready to encode.

    Raises:
        ValueError: If there are fewer than two windows, or a channel holds no measured value.
    """
    if len(windows) < 2:
        raise ValueError(f"at least two windows are needed to compare; got {len(windows)}.")
    # Layers draw their first weights from the global generator; the fork gives it back untouched.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = ContextEncoder(windows.shape[1], depth_for(windows.shape[2]))
    encoder.center, encoder.spread = _scale(windows)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=0.05, anneal_strategy="linear"
    )
    rng = torch.Generator().manual_seed(seed)
    batch = batch or min(max(SEEN // windows.shape[2], FEWEST), 64)
    for rows in batches(len(windows), min(batch, len(windows)), steps, rng):
        optimiser.zero_grad()
        hierarchical_contrast(*_two_views(encoder, windows[rows], rng)).backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    encoder.eval().requires_grad_(False)
    encoder.variance = encoder.encode(windows).double().var(dim=0).sum().float()
    return encoder


def _scale(windows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel; a constant one keeps its unit."""
    flat = windows.double().transpose(0, 1).flatten(1)
    empty = flat.isnan().all(dim=1).nonzero()[:, 0].tolist()
    if empty:
        raise ValueError(f"channels {empty} hold no measured value. Leave them out.")
    center = flat.nanmean(dim=1)
    spread = (flat - center[:, None]).square().nanmean(dim=1).sqrt()
    # Rounding gives a constant channel a spread, too.
    constant = spread <= 1e-9 * center.abs()
    return center, torch.where(constant, 1.0, spread)


def _two_views(encoder: ContextEncoder, x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """What two crops [a, c) and [b, d) with a <= b < c <= d say of what they share, [b, c)."""
    length = min(x.shape[2], LONGEST)
    if length < x.shape[2]:
        start = _draw(0, x.shape[2] - length, rng)
        x = x[:, :, start : start + length]
    shared = _draw(min(SHORTEST, length), length, rng)
    b = _draw(0, length - shared, rng)
    c = b + shared
    a, d = _draw(0, b, rng), _draw(c, length, rng)
    shown = torch.rand(2, len(x), length, generator=rng) >= HIDDEN
    one = encoder(x[:, :, a:c], shown[0, :, a:c])[:, :, b - a :]
    other = encoder(x[:, :, b:d], shown[1, :, b:d])[:, :, :shared]
    return one, other


def _draw(low: int, high: int, rng: torch.Generator) -> int:
    return int(torch.randint(low, high + 1, (1,), generator=rng))
