"""From a trained network to windows of one set: drawn, filled in, or gone on with."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from timeloom.data.windows import Windows
from timeloom.diffusion.draws import ItemDraws
from timeloom.diffusion.sample import STEPS, sample
from timeloom.methods.domain import Domain
from timeloom.methods.drawing import CHUNK, pick_device
from timeloom.methods.fewshot import TokenDenoiser
from timeloom.methods.prepare import one_of
from timeloom.nets.series_unet import Told

__all__ = ["Drawer"]

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """How windows of one set and one length are drawn.

    Attributes:
        model: The trained denoiser with its tokens.
        domain: Of the set.
        index: The set's place among the tokens.
        step: Name of the sampler's rule.
        steps: Steps of the sampler.
        device: ``"auto"`` or a device's name.
    """

    model: TokenDenoiser
    domain: Domain
    index: int
    step: str
    steps: int
    device: str

    def __call__(
        self, items: Array, length: int, *, seed: int, known: Array | None = None
    ) -> NDArray[np.float32]:
        """Draws the windows at positions ``items`` of the whole set, (window, time, channel).

        Args:
            items: (window,) positions: item i depends on (seed, i) only.
            length: Time points, one of the domain's lengths.
            seed: Of the whole set.
            known: (window, time, channel) values that are given, NaN elsewhere.
        """
        one_of("the sampler's step", self.step, tuple(STEPS))
        out = np.empty((len(items), length, len(self.domain.channels)), np.float32)
        device = pick_device(self.device)
        model = self.model.to(device).eval()
        times = model.denoiser.schedule.grid(self.steps)
        size = self.domain.map(length).mix.shape[1]
        for rows in np.array_split(np.arange(len(items)), -(-len(items) // CHUNK)):
            rng = ItemDraws(seed, items[rows].tolist())
            given = None if known is None else self._given(known[rows], device)
            push = partial(self.domain.push, length=length, known=given)
            w = sample(
                model.denoiser,
                rng.normal((len(rows), size, length)).to(device),
                times,
                step=STEPS[self.step],
                cond=self._told(len(rows), length, given),
                push=push if self.domain.pushes or given is not None else None,
                rng=rng,
            )
            out[rows] = self.domain.finish(w, length)
        return out

    def _told(self, count: int, length: int, given: tuple[Tensor, Tensor] | None) -> Told:
        turn = self.domain.map(length)
        place = self.model.descriptions.device
        with torch.no_grad():
            token = self.model.token(torch.full((count,), self.index, device=place))
        back = None if turn.plain else turn.back.to(place)
        if given is None:
            return Told(token, back)
        return Told(token, back, *turn.seen(given[0], given[1].to(torch.float32)))

    def _given(self, known: Array, device: torch.device) -> tuple[Tensor, Tensor]:
        scaled = torch.from_numpy(self.domain.scaler.transform(known).astype(np.float32)).mT
        return scaled.nan_to_num(0).to(device), ~scaled.isnan().to(device)

    def windows(
        self, count: int, length: int | None = None, *, seed: int, size: int
    ) -> Iterator[Windows]:
        """Draws ``count`` windows of ``length``, at most ``size`` at once.

        Raises:
            ValueError: If ``count`` or ``length`` is below 1.
        """
        if count < 1:
            raise ValueError(f"the number of windows must be at least 1; got {count}.")
        if length is not None and length < 1:
            raise ValueError(f"length must be at least 1 time point; got {length}.")
        wanted = max(self.domain.lengths) if length is None else length
        longer = [n for n in self.domain.lengths if n >= wanted]
        own = min(longer) if longer else max(self.domain.lengths)
        for start in range(0, count, size):
            items = np.arange(start, min(start + size, count))
            x = self(items, own, seed=seed)[:, :wanted]
            if wanted > own:
                x = self.extended(x, items, wanted, seed=seed)
            yield Windows(x, None, items, channels=self.domain.channels)

    def extended(self, x: Array, items: Array, length: int, *, seed: int) -> Array:
        """Goes on with ``x`` (window, time, channel) to ``length`` time points.

        Each round draws a window of which the first half, the end of what there is, is given.
        """
        size = max(self.domain.lengths)
        while x.shape[1] < length:
            have = min(size - size // 2, x.shape[1])
            given = np.full((len(x), size, x.shape[2]), np.nan, np.float32)
            given[:, :have] = x[:, -have:]
            # Every round has noise of its own, and item i still depends on (seed, i) alone.
            seed += 1_000_003
            drawn = self(items, size, seed=seed, known=given)
            x = np.concatenate([x, drawn[:, have:].astype(x.dtype)], axis=1)
        return x[:, :length]
