"""Windows for the tests of metrics: waves with memory, ties, direction and gaps."""

import numpy as np


def waves(count, seed, length=16, noise=0.3):
    """Three channels, two of them tied to each other, with memory."""
    rng = np.random.default_rng(seed)
    phase, pace = rng.uniform(0, 6.3, (count, 1)), rng.uniform(0.2, 0.5, (count, 1))
    wave = np.sin(phase + pace * np.arange(length))
    x = np.stack([wave, -wave, np.cos(phase + pace * np.arange(length))], axis=2)
    return x + noise * rng.standard_normal(x.shape)


def saws(count, seed, length=16):
    """Slow rises and sudden falls: no trend, yet time has a direction."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 1, (count, 1, 2))
    return (phase + 0.15 * np.arange(length)[:, None]) % 1


def with_gaps(x, seed=0):
    return np.where(np.random.default_rng(seed).random(x.shape) < 0.2, np.nan, x)


def smoothed(x):
    """Mean of three neighbours; the ends count twice."""
    p = np.concatenate([x[:, :1], x, x[:, -1:]], axis=1)
    return (p[:, 2:] + p[:, 1:-1] + p[:, :-2]) / 3


def shuffled(x, seed=0):
    """Every channel from another window."""
    rng = np.random.default_rng(seed)
    return np.stack([x[rng.permutation(len(x)), :, c] for c in range(x.shape[2])], axis=2)
