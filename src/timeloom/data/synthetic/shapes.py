"""Series with a shape: seasons and trends, events on a base, trains of pulses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.synthetic.dynamics import autoregressive

__all__ = ["events", "pulses", "seasonal"]

Array = NDArray[Any]
Rng = np.random.Generator

# Hours of a day, days of a week, months of a year, quarters of an hour: what clocks bring.
CLOCKS = (7, 12, 24, 48, 96)
MOST = 3  # events of one kind in a window


def seasonal(rng: Rng, count: int, length: int) -> Array:
    """(count, length): one to three seasons with harmonics, a trend, and noise.

    Phases are those of the clock (equal in all windows) or differ; amplitudes differ from window
    to window and may grow or fade within one.
    """
    periods = [
        float(rng.choice(CLOCKS)) if rng.random() < 0.4 else float(4 * 32 ** rng.random())
        for _ in range(rng.integers(1, 4))
    ]
    waves = [_harmonics(rng) for _ in periods]
    fixed = rng.random() < 0.4
    spread, change = rng.uniform(0, 0.5), rng.uniform(0, 0.8)
    slope, slopes, bend = rng.normal(0, 1.0, 3) * (rng.random(3) < 0.5)
    noise = rng.choice([0.0, rng.uniform(0.02, 0.6)])
    t = np.arange(length) / 100
    total = np.zeros((count, length))
    for period, (sizes, phases) in zip(periods, waves, strict=True):
        start = np.zeros((count, 1)) if fixed else rng.uniform(0, period, (count, 1))
        angle = 2 * np.pi * (100 * t + start) / period
        wave = sum(
            size * np.sin((k + 1) * angle + phase)
            for k, (size, phase) in enumerate(zip(sizes, phases, strict=True))
        )
        growth = 1 + change * rng.uniform(-1, 1, (count, 1)) * t
        total += wave * growth * np.exp(spread * rng.standard_normal((count, 1)))
    total += (slope + slopes * rng.standard_normal((count, 1))) * t + bend * t**2
    return total + noise * rng.standard_normal((count, length))


def _harmonics(rng: Rng) -> tuple[Array, Array]:
    """Sizes and phases of one to five overtones, weaker the higher they are."""
    count = int(rng.integers(1, 6))
    sizes = rng.normal(0, 1, count) / np.arange(1, count + 1) ** rng.uniform(0.5, 2)
    sizes[0] = max(abs(sizes[0]), 0.5)
    return sizes * rng.uniform(0.3, 1.5), rng.uniform(0, 2 * np.pi, count)


def events(rng: Rng, count: int, length: int) -> Array:
    """(count, length): something calm with events on it, and now and then an end of the scale.

    Events are spikes, steps, ramps, decays, bursts and dropouts; a process has one to three kinds.
    """
    calm, base = rng.choice([0.0, 0.1, 0.5]), int(rng.integers(1 << 31))
    kinds = rng.choice(len(KINDS), size=int(rng.integers(1, 4)), replace=False)
    plans = [(KINDS[k], rng.normal(0, 3), rng.uniform(2, 24), rng.uniform(0.5, 3)) for k in kinds]
    signed, low, high = rng.random() < 0.5, rng.random() < 0.2, rng.random() < 0.2
    limits = np.sort(rng.normal(0, 1.5, 2)) + [-0.5, 0.5]
    x = calm * autoregressive(np.random.default_rng(base), count, length)
    x += 0.02 * rng.standard_normal((count, length))
    for kind, size, width, rate in plans:
        for _ in range(MOST):
            happens = rng.random((count, 1)) < rate / MOST
            # An event may have begun before the window does.
            since = np.arange(length) - rng.uniform(-width, length, (count, 1))
            power = size * np.exp(0.3 * rng.standard_normal((count, 1)))
            power = power * rng.choice([-1, 1], (count, 1)) if signed else power
            x = np.where(happens, kind(x, since, width, power), x)
    return np.clip(x, limits[0] if low else None, limits[1] if high else None)


def _spike(x: Array, since: Array, width: float, power: Array) -> Array:
    return x + 2 * power * (np.abs(since) < 1)


def _step(x: Array, since: Array, width: float, power: Array) -> Array:
    return x + power * (since >= 0)


def _ramp(x: Array, since: Array, width: float, power: Array) -> Array:
    return x + power * np.clip(since / width, 0, 1)


def _decay(x: Array, since: Array, width: float, power: Array) -> Array:
    return x + power * np.exp(-np.maximum(since, 0) / width) * (since >= 0)


def _burst(x: Array, since: Array, width: float, power: Array) -> Array:
    inside = np.exp(-0.5 * (2 * since / width - 1) ** 2)
    return x + power * inside * np.sin(2 * np.pi * since / max(width / 4, 2.5))


def _dropout(x: Array, since: Array, width: float, power: Array) -> Array:
    return np.where((since >= 0) & (since < width), -1.0, x)


KINDS = (_spike, _step, _ramp, _decay, _burst, _dropout)


def pulses(rng: Rng, count: int, length: int) -> Array:
    """(count, length): one shape again and again, as in heart beats, strides or strokes.

    The shape is a sum of bumps over one beat; beats vary in duration and height, the base wanders.
    """
    bumps = int(rng.integers(1, 6))
    place, width = rng.uniform(0.1, 0.9, bumps), 0.015 * 12 ** rng.random(bumps)
    size = rng.normal(0, 0.6, bumps)
    size[0] = rng.choice([-1, 1]) * rng.uniform(1, 2)
    period = float(10 * 12 ** rng.random())
    fixed = rng.random() < 0.3
    pace, beat, heights = rng.uniform(0, 0.15), rng.uniform(0, 0.1), rng.uniform(0, 0.3)
    wander, noise = rng.choice([0.0, 0.3]), rng.uniform(0, 0.1)
    start = np.zeros((count, 1)) if fixed else rng.random((count, 1))
    # Beats of one window: at least as many as fit, were they all at their shortest.
    most = int(length / (0.4 * period)) + 4
    lasts = period * np.exp(pace * rng.standard_normal((count, 1)))
    lasts = lasts * np.exp(beat * rng.standard_normal((count, most)))
    lasts = np.maximum(lasts, 0.45 * period)
    ends = np.cumsum(lasts, axis=1) - start * lasts[:, :1]
    t = np.arange(length)
    which = np.stack([np.searchsorted(row, t, side="right") for row in ends])
    rows = np.arange(count)[:, None]
    phase = 1 - (ends[rows, which] - t) / lasts[rows, which]
    tall = np.exp(heights * rng.standard_normal((count, most)))[rows, which]
    # Bumps reach into the neighbouring beats, so that no beat begins with a jump.
    away = phase[:, :, None] - place
    away -= np.rint(away)
    x = (size * np.exp(-0.5 * (away / width) ** 2)).sum(axis=2) * tall
    slow = np.sin(2 * np.pi * (t / (4 * period) + rng.random((count, 1))))
    return x + wander * slow + noise * rng.standard_normal((count, length))
