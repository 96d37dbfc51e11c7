"""Labelled windows of known difficulty: vibration, and in the rare class a transient on it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from timeloom.data.windows import Windows

__all__ = ["simulated"]

Array = NDArray[Any]

DAMPING, PITCH = 0.9, 0.15  # of the resonance that colours the noise; cycles per time point
SETTLED = 60  # time points until the noise has forgotten its start
BAND = (0.28, 0.36)  # cycles per time point of a transient
FADES = 4.0  # time points until a transient has fallen to 1 / e
VARIES = 0.15  # of the logarithm of the level of the noise, and of the size of a transient
CLASSES = ("normal", "transient")


def simulated(
    count: int,
    seed: int = 0,
    *,
    share: float = 0.1,
    size: float = 1.35,
    length: int = 32,
    channels: int = 1,
) -> Windows:
    """Draws windows like those of a vibration sensor, of which some hold a short transient.

    Every window is noise of a damped resonance (spread about 1) whose level differs from window to
    window. Windows of the class ``transient`` hold, in each channel at the same time, a burst at
    another pitch that begins anywhere and fades. Place, phase, pitch and size are random, so that
    one must have seen many to know them. Each window is a recording of its own.

    Args:
        count: Number of windows.
        seed: Of everything that is drawn.
        share: Share of windows that hold a transient; the number is rounded, at least 1.
        size: Difficulty: first swing of the transient over the spread of the noise. 0: no window
            differs from another.
        length: Time points per window, at least 12.
        channels: Sensors, each with noise of its own.

    Returns:
        Windows with ``y`` of the words ``normal`` and ``transient``, in random order.

    Raises:
        ValueError: If a number is out of its range.
    """
    if count < 2 or not 0 < share < 1 or size < 0 or length < 12 or channels < 1:
        raise ValueError(
            "count must be at least 2, share between 0 and 1, size at least 0, length at least 12 "
            f"and channels at least 1; got {count}, {share}, {size}, {length} and {channels}."
        )
    rng = np.random.default_rng([seed, 20426])
    hold = rng.permutation(count) < min(max(1, round(share * count)), count - 1)
    x = _noise(count, length, channels, rng)
    x += np.where(hold, size, 0.0)[:, None, None] * _bursts(count, length, channels, rng)
    return Windows(x, np.array(CLASSES)[hold.astype(int)], label_name="state")


def _noise(count: int, length: int, channels: int, rng: np.random.Generator) -> Array:
    drive = rng.standard_normal((count, SETTLED + length, channels))
    echo = [1.0, -2 * DAMPING * np.cos(2 * np.pi * PITCH), DAMPING**2]
    noise = np.asarray(lfilter([1.0], echo, drive, axis=1))[:, SETTLED:]
    response = lfilter([1.0], echo, np.eye(1, 1000)[0])
    level = np.exp(VARIES * rng.standard_normal((count, 1, 1)))
    return noise * level / np.linalg.norm(response)


def _bursts(count: int, length: int, channels: int, rng: np.random.Generator) -> Array:
    begin = rng.uniform(0, length - 8, (count, 1, 1))
    pitch = rng.uniform(*BAND, (count, 1, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, 1, channels))
    level = np.exp(VARIES * rng.standard_normal((count, 1, 1)))
    since = np.arange(length)[None, :, None] - begin
    fading = np.where(since >= 0, np.exp(-np.maximum(since, 0) / FADES), 0.0)
    return level * fading * np.sin(2 * np.pi * pitch * since + phase)
