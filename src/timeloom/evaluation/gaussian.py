"""The Gaussian beside every figure: all means and covariances of windows, and nothing else."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["draws", "gaussian_like"]

Array = NDArray[Any]


def gaussian_like(x: Array, count: int, rng: np.random.Generator) -> Array:
    """Windows from the Gaussian of all time points and channels of ``x``.

    Args:
        x: (window, time, channel). NaN = not measured, which counts as the mean.
        count: How many to draw.
        rng: Draws.

    Returns:
        (count, time, channel) without NaN, of the type of ``x``.
    """
    flat = x.reshape(len(x), int(np.prod(x.shape[1:]))).astype(np.float64)
    known = ~np.isnan(flat)
    center = np.where(known, flat, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    drawn = center + draws(np.where(known, flat - center, 0), count, rng)
    return drawn.reshape(count, *x.shape[1:]).astype(x.dtype)


def draws(centred: Array, count: int, rng: np.random.Generator) -> Array:
    """Draws of mean zero with exactly the covariance of ``centred``, singular or not.

    Args:
        centred: (sample, dimension) of mean zero.
        count: How many to draw.
        rng: Draws.

    Returns:
        (count, dimension).
    """
    scale = np.sqrt(max(len(centred) - 1, 1))
    if len(centred) <= centred.shape[1]:
        # Fewer samples than dimensions: mixing them needs no matrix of dimension squared.
        return rng.standard_normal((count, len(centred))) @ centred / scale
    values, vectors = np.linalg.eigh(centred.T @ centred)
    root = vectors * (np.sqrt(np.maximum(values, 0)) / scale)
    return rng.standard_normal((count, len(values))) @ root.T
