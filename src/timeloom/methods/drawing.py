"""From a trained denoiser to windows in the units of the source, chunk by chunk."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from timeloom.data.scale import Scaler
from timeloom.diffusion.denoise import Denoiser
from timeloom.diffusion.draws import ItemDraws
from timeloom.diffusion.guide import ClassifierFree
from timeloom.diffusion.sample import STEPS, Push, sample

__all__ = ["Drawing", "pick_device"]

CHUNK = 256  # windows per network call; larger ones are no faster on a CPU (docs/journal.md)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How windows are drawn from a denoiser.

    Attributes:
        denoiser: Trained on scaled windows (window, channel, time).
        scaler: Brings them back to the units of the source.
        shape: (time, channel) of a window.
        step: Name of the sampler's rule.
        steps: Steps of the sampler; None is the schedule's own.
        guidance: Weight of the classifier-free guidance.
        device: ``"auto"`` or a device's name.
    """

    denoiser: Denoiser
    scaler: Scaler
    shape: tuple[int, int]
    step: str
    steps: int | None
    guidance: float
    device: str

    def __call__(
        self,
        items: NDArray[Any],
        told: NDArray[np.float32],
        *,
        seed: int,
        known: NDArray[Any] | None = None,
        push: Push | None = None,
    ) -> NDArray[np.float32]:
        """Draws the windows at positions ``items`` of the whole set, (window, time, channel).

        Args:
            items: (window,) positions: item i depends on (seed, i) only.
            told: (window,) conditions; NaN = none.
            seed: Of the whole set.
            known: (window, time, channel) values that are given, NaN elsewhere.
            push: Changes every clean estimate, in scaled space (window, channel, time).

        Raises:
            ValueError: If the rule or the number of steps is not possible.
        """
        if self.step not in STEPS:
            raise ValueError(
                f"the sampler's step must be one of {', '.join(STEPS)}; got {self.step!r}."
            )
        device = pick_device(self.device)
        guided = ClassifierFree(self.denoiser.to(device).eval(), self.guidance)
        times = guided.schedule.grid(self.steps)
        cond = torch.from_numpy(told).to(device)
        out = np.empty((len(items), *self.shape), np.float32)
        for rows in np.array_split(np.arange(len(items)), -(-len(items) // CHUNK)):
            rng = ItemDraws(seed, items[rows].tolist())
            x = sample(
                guided,
                rng.normal((len(rows), self.shape[1], self.shape[0])).to(device),
                times,
                step=STEPS[self.step],
                cond=cond[rows],
                known=None if known is None else self._given(known[rows], device),
                push=push,
                rng=rng,
            )
            out[rows] = x.mT.cpu().numpy()
        return self.scaler.inverse(out)

    def _given(
        self, known: NDArray[Any], device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        scaled = torch.from_numpy(self.scaler.transform(known).astype(np.float32)).mT
        return scaled.nan_to_num(0).to(device), ~scaled.isnan().to(device)


def pick_device(name: str) -> torch.device:
    """The device of a name; ``"auto"`` is the accelerator where there is one.

    Raises:
        ValueError: If this machine has no such device.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator()
        return torch.device("cpu") if found is None else found
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device must be 'auto' or one that this machine has, such as 'cpu'; got {name!r}."
        ) from error
    return device
