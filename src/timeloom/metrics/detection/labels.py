"""What may be scored: labels, scores and flags of one recording, checked; and their runs."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["checked", "runs"]

Array = NDArray[Any]


def checked(
    labels: ArrayLike, other: ArrayLike, *, what: str = "scores", both: bool = True
) -> tuple[Array, Array]:
    """Labels as booleans, and scores as float64 or flags as booleans, or a sentence why not.

    Args:
        labels: (time,), 0 = normal, 1 = abnormal.
        other: (time,), anomaly scores (higher = more abnormal) or flags (0 or 1).
        what: ``"scores"`` or ``"flags"``.
        both: Whether normal and abnormal points must both be there.

    Returns:
        Two arrays (time,).

    Raises:
        ValueError: If the two differ in length or are not (time,), labels or flags are not 0 and
            1, scores are NaN or infinite, or there is one class only.
    """
    truth, found = np.asarray(labels), np.asarray(other)
    if truth.ndim != 1 or found.ndim != 1 or len(truth) != len(found) or not len(truth):
        raise ValueError(
            f"labels and {what} must both be (time,) and equally long; got shapes {truth.shape} "
            f"and {found.shape}. Give one value per time point."
        )
    truth = _booleans(truth, "labels")
    found = _booleans(found, what) if what == "flags" else np.asarray(found, dtype=np.float64)
    if what != "flags" and not np.isfinite(found).all():
        raise ValueError(
            f"scores must be finite; {int((~np.isfinite(found)).sum())} of {len(found)} are not. "
            "Score these points or leave them out of labels and scores."
        )
    if both and truth.all() == truth.any():
        only = "abnormal" if truth.any() else "normal"
        raise ValueError(
            f"labels must hold normal and abnormal points; all {len(truth)} are {only}. Score a "
            "recording with both."
        )
    return truth, found


def runs(mask: ArrayLike) -> tuple[Array, Array]:
    """Where each unbroken run of true points begins, and the point after its end.

    Args:
        mask: (time,), 0 or 1.

    Returns:
        Begins and ends, (run,) each; ``mask[begin:end]`` is the run.
    """
    padded = np.zeros(np.size(mask) + 2, dtype=np.int8)
    padded[1:-1] = mask
    edges = np.flatnonzero(np.diff(padded))
    return edges[::2], edges[1::2]


def _booleans(values: Array, what: str) -> Array:
    if values.dtype == bool:
        return values
    wrong = ~np.isin(values, (0, 1))
    if wrong.any():
        raise ValueError(
            f"{what} must be 0 or 1 at every time point; got {values[wrong][0]!s}. "
            "Say which points are abnormal with 1, all others with 0."
        )
    return values.astype(bool)
