"""What would be left of a window if nothing were learned: errors that stand beside the network's.

They cost next to nothing, fail on other faults than a network does, and show what it adds.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["REFERENCES", "beside"]

Array = NDArray[np.float32]


def step(x: Array) -> Array:
    """(window, time, channel) distance from the time point before; NaN at the first."""
    out = np.full_like(x, np.nan)
    out[:, 1:] = np.abs(np.diff(x, axis=1))
    return out


REFERENCES: dict[str, Callable[[Array], Array]] = {"step": step, "level": np.abs}


def beside(text: str) -> list[str]:
    """The names in ``text``, which has commas between them; none of an empty one.

    Raises:
        ValueError: If one is unknown.
    """
    names = [one.strip() for one in text.split(",") if one.strip()]
    for one in names:
        if one not in REFERENCES:
            raise ValueError(
                f"beside must be of {', '.join(REFERENCES)}, with commas, or empty; got {one!r}."
            )
    return names
