"""Made-up series from formulas: as many processes as there are seeds, free of anyone's licence.

``kernels`` holds Gaussian processes, ``shapes`` seasons, events and pulses, ``dynamics`` what has a
memory, ``mixing`` how channels come from hidden series. A new family is one function
``(rng, count, length) -> (count, length)`` that draws what shapes the process before anything that
depends on ``count`` or ``length``, and one entry in ``FAMILIES``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.synthetic.dynamics import (
    autoregressive,
    counts,
    oscillators,
    random_walk,
    regimes,
    switches,
    volatility,
)
from timeloom.data.synthetic.kernels import gaussian_process
from timeloom.data.synthetic.mixing import LATEST, mixed
from timeloom.data.synthetic.shapes import events, pulses, seasonal
from timeloom.data.windows import Windows

__all__ = ["FAMILIES", "domain", "family_of"]

Array = NDArray[Any]
Family = Callable[[np.random.Generator, int, int], Array]

FAMILIES: tuple[Family, ...] = (
    *(gaussian_process, seasonal, autoregressive, random_walk, volatility, regimes),
    *(events, pulses, oscillators, counts, switches),
)
# Gaussian processes and seasons are the widest families; shares are out of their sum.
SHARES: dict[Family, float] = {gaussian_process: 4, seasonal: 4, pulses: 2}
WHOLE = (counts, switches)  # families of whole numbers

MOST = 16  # channels
KEY = 20446  # keeps these draws apart from other draws of the same seed


def domain(
    seed: int,
    *,
    count: int = 300,
    length: int = 128,
    channels: int | None = None,
    family: str | None = None,
) -> Windows:
    """Independent windows of one process that is drawn at random.

    The seed decides the family, its parameters and how channels are coupled, so that all windows
    share spectrum, shapes and coupling. With another count or length the process stays the same,
    up to the sample's own mean and spread, by which hidden series are scaled; the windows are
    others.

    Args:
        seed: Which process; at least 0.
        count: Windows.
        length: Time points per window.
        channels: How many; drawn where None: one in a quarter of all domains, mostly two to eight,
            sixteen at most.
        family: The name of one of ``FAMILIES``, for the first hidden series; drawn where None.

    Returns:
        Windows (count, length, channel) in double precision, finite. A channel that is an exact
        linear function of two others is named by it, as ``1 c0 + -0.5 c2``.

    Raises:
        ValueError: If a number is too small, or if there is no such family.
    """
    for name, value, least in (("seed", seed, 0), ("count", count, 1), ("length", length, 2)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}; got {value}.")
    if channels is not None and channels < 1:
        raise ValueError(f"channels must be at least 1, or None to draw it; got {channels}.")
    shape, mix = np.random.default_rng([seed, KEY]), np.random.default_rng([seed, KEY, 1])
    first, drawn, alike = _drawn(shape), _channels(shape), shape.random() < 0.7
    first = first if family is None else _named(family)
    channels = drawn if channels is None else channels
    # Fewer hidden series than channels couple them; as many may leave them nearly free.
    hidden = int(np.ceil(channels * shape.uniform(0.2, 1.0)))
    chosen = [first, *(first if alike else _drawn(shape) for _ in range(hidden - 1))]
    latents = [
        one(np.random.default_rng([seed, KEY, 2, i]), count, length + LATEST)
        for i, one in enumerate(chosen)
    ]
    x, names = mixed(mix, latents, channels, [one in WHOLE for one in chosen])
    return Windows(x, channels=names)


def family_of(seed: int) -> str:
    """The family that :func:`domain` draws for its first hidden series."""
    return _drawn(np.random.default_rng([seed, KEY])).__name__


def _drawn(rng: np.random.Generator) -> Family:
    share = np.array([SHARES.get(one, 1) for one in FAMILIES], float)
    return FAMILIES[rng.choice(len(FAMILIES), p=share / share.sum())]


def _channels(rng: np.random.Generator) -> int:
    few, some, many = rng.random(), int(rng.integers(2, 9)), int(rng.integers(9, MOST + 1))
    return 1 if few < 0.25 else some if few < 0.85 else many


def _named(family: str) -> Family:
    known = {one.__name__: one for one in FAMILIES}
    if family not in known:
        raise ValueError(f"family must be one of {', '.join(known)}; got {family!r}.")
    return known[family]
