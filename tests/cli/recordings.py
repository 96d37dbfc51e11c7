"""Small recordings of engines that wear out, and settings that train in a moment."""

import numpy as np
import pandas as pd

__all__ = ["SMALL", "engines"]

SMALL = ["--set", "width=8", "--set", "multipliers=1,2", "--set", "batch=16", "--device", "cpu"]


def engines(count=6, cycles=30, seed=0):
    """A long table: ``count`` units of ``cycles`` time points, three channels, ``rul``."""
    rng = np.random.default_rng(seed)
    parts = []
    for unit in range(1, count + 1):
        worn = np.linspace(0, 1, cycles)[:, None]
        values = worn * [1.0, -2.0, 0.5] + 0.1 * rng.standard_normal((cycles, 3))
        part = pd.DataFrame(values, columns=["heat", "press", "speed"])
        part.insert(0, "unit", unit)
        part.insert(1, "cycle", np.arange(1, cycles + 1))
        part["rul"] = np.arange(cycles)[::-1].astype(float)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
