"""Gaussian processes with random kernels: smooth, rough, periodic and trending series."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["gaussian_process", "random_covariance"]

Array = NDArray[Any]
Rng = np.random.Generator

# Relative to the mean variance: sums and products of kernels are singular more often than not.
JITTER = 1e-6
MOST = 4  # kernels in one composition


def gaussian_process(rng: Rng, count: int, length: int) -> Array:
    """(count, length) draws of one Gaussian process, one in three round a common shape.

    The kernel is a random sum or product of simple ones. Source of the idea: Ansari et al. 2024,
    "Chronos", KernelSynth.
    """
    covariance = random_covariance(rng, length)
    common = rng.uniform(0.5, 2.0) if rng.random() < 1 / 3 else 0.0
    root = np.linalg.cholesky(covariance)
    shape = common * (root @ rng.standard_normal(length))
    return shape + rng.standard_normal((count, length)) @ root.T


def random_covariance(rng: Rng, length: int) -> Array:
    """(length, length) positive definite, mean variance about 1, from one to four kernels.

    Every parameter is drawn before ``length`` matters and counts in time points, so that the same
    ``rng`` gives the same process at another length.
    """
    parts = [
        (KERNELS[rng.integers(len(KERNELS))], rng.random(3), rng.random() < 0.5)
        for _ in range(rng.integers(1, MOST + 1))
    ]
    if all(kernel is _white for kernel, _, _ in parts):
        parts.append((_rbf, rng.random(3), False))
    t = np.arange(length, dtype=np.float64)
    lag = np.abs(t[:, None] - t[None, :])
    total = np.zeros((length, length))
    for kernel, draws, times in parts:
        one = kernel(t, lag, draws)
        # A product with white noise is white noise: it is added always.
        product = times and kernel is not _white and total.any()
        total = total * one if product else total + one
    total /= max(float(np.trace(total)) / length, 1e-12)
    return total + JITTER * np.eye(length)


def _between(draw: float, low: float, high: float) -> float:
    """A number that is uniform on a logarithmic scale."""
    return float(low * (high / low) ** draw)


def _rbf(t: Array, lag: Array, draws: Array) -> Array:
    return np.exp(-0.5 * (lag / _between(draws[0], 1.5, 60)) ** 2)


def _matern_half(t: Array, lag: Array, draws: Array) -> Array:
    return np.exp(-lag / _between(draws[0], 1, 100))


def _matern_three_halves(t: Array, lag: Array, draws: Array) -> Array:
    far = np.sqrt(3) * lag / _between(draws[0], 1.5, 60)
    return (1 + far) * np.exp(-far)


def _periodic(t: Array, lag: Array, draws: Array) -> Array:
    width = _between(draws[1], 0.4, 2.0)
    return np.exp(-2 * (np.sin(np.pi * lag / _between(draws[0], 4, 128)) / width) ** 2)


def _linear(t: Array, lag: Array, draws: Array) -> Array:
    away = (t - 100 * draws[0]) / _between(draws[1], 20, 100)
    return 0.1 + away[:, None] * away[None, :]


def _rational_quadratic(t: Array, lag: Array, draws: Array) -> Array:
    power = _between(draws[1], 0.2, 4)
    return (1 + (lag / _between(draws[0], 2, 60)) ** 2 / (2 * power)) ** -power


def _white(t: Array, lag: Array, draws: Array) -> Array:
    return _between(draws[0], 0.003, 0.5) * (lag == 0)


KERNELS: tuple[Callable[[Array, Array, Array], Array], ...] = (
    *(_rbf, _matern_half, _matern_three_halves, _periodic, _linear, _rational_quadratic, _white),
)
