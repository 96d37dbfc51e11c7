"""How does a window look with more or fewer time points? Linear in between, both ends kept."""

from dataclasses import replace

import numpy as np

from timeloom.data.windows import Windows

__all__ = ["resample"]


def resample(windows: Windows, length: int) -> Windows:
    """Draws every window anew with ``length`` time points, linearly between its own.

    New point k lies at ``k * (time - 1) / (length - 1)``: the first and the last stay what they
    are, the rest is the mean of the two neighbours, weighted by nearness. Nothing is averaged over
    more than two points, so that what is faster than the new spacing may be missed. Source: linear
    interpolation; the TarDiff report on Wafer takes 24 of 152 time points this way.

    Args:
        windows: (window, time, channel). NaN = not measured; a new point is NaN where a neighbour
            that it leans on is.
        length: Time points of the new windows, at least 2.

    Returns:
        Windows of shape (window, length, channel) in the same units and floating type, with the
        labels, recordings, starts and names they had. ``start`` still counts the source's time
        points, ``length`` does not, so that they can no longer be stitched.

    Raises:
        ValueError: If ``length`` or the windows have fewer than 2 time points.
    """
    if length < 2:
        raise ValueError(
            f"length must be at least 2, for both ends of a window are kept; got {length}."
        )
    time = windows.shape[0]
    if time < 2:
        raise ValueError(
            f"windows must have at least 2 time points to be resampled; got {time}. Cut longer "
            "ones."
        )
    # In whole numbers: a point that falls on an old one is that one, to the last bit.
    low, rest = np.divmod(np.arange(length) * (time - 1), length - 1)
    x = windows.x[:, low]
    between = rest > 0
    near = (rest[between] / (length - 1)).astype(x.dtype)[:, None]
    x[:, between] = x[:, between] * (1 - near) + windows.x[:, low[between] + 1] * near
    return replace(windows, x=x)
