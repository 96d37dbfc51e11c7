"""Pre-training as adapting will be: what is known of a set before is known from a few windows."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from timeloom.data.frame import Frame
from timeloom.diffusion.draws import Draws
from timeloom.methods.domain import Map
from timeloom.methods.fewshot import common, describe
from timeloom.train.ranks import together

__all__ = ["FEWEST", "Episode", "episode"]

FEWEST = 6  # windows that an episode knows its set by at least
CALM = 0.05  # spread, of the set's own, below which the few say nothing of a channel's scale
WILD = 100.0  # mean square of white numbers that are of unit spread in the few; nobody learns there


class Episode(NamedTuple):
    """A batch as it looks to who knows the set from a few of its windows.

    Attributes:
        z: (window, channel, time), scaled by the few.
        turn: The map that was learned from them.
        about: (36,) what they say of the set.
    """

    z: Tensor
    turn: Map
    about: Tensor


def episode(z: Tensor, frame: dict[str, Any], rng: Draws) -> Episode | None:
    """The batch seen from its own first windows; None where those say too little of the others.

    Ten windows give other scales, components and spectra than thousands do. A network that has
    only met coordinates learned from whole sets finds its first few-shot set in coordinates of a
    kind that it does not know.

    Args:
        z: (window, channel, time), scaled by all windows of the set.
        frame: What the :class:`~timeloom.data.frame.Frame` is made with.
        rng: Of how many of the windows are the few: from ``FEWEST`` to all of them, uniform on a
            logarithmic scale.
    """
    whole = together(z)
    fewest, share = min(FEWEST, len(whole)), common(z, rng)
    few = whole[: round(fewest * (len(whole) / fewest) ** share)].double()
    centre, spread = few.mean((0, 2)), few.std((0, 2), correction=0)
    varies = spread > CALM
    if not varies.any():
        return None
    centre, spread = torch.where(varies, centre, 0.0), torch.where(varies, spread, 1.0)
    scaled = ((whole - centre[:, None]) / spread[:, None]).float()
    learned = Frame(**frame).fit(scaled[: len(few)].mT.cpu().numpy())
    turn = Map.of(learned)
    if turn.forward(scaled).square().mean() > WILD:
        return None
    return Episode(((z - centre[:, None]) / spread[:, None]).float(), turn, describe(learned))
