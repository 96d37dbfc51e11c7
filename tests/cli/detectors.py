"""A small detector's run, and pumps with a fault, for the tests of scores."""

import numpy as np
import pandas as pd

import timeloom as tl

__all__ = ["CHANNELS", "pumps", "trained"]

CHANNELS = ("heat", "press", "speed")


def pumps(rows=300, seed=0, fault=None):
    """(row, 3) waves of three channels; ``fault`` is where the pressure jumps for 10 rows."""
    rng = np.random.default_rng(seed)
    at = np.arange(rows)[:, None]
    values = np.sin(at / [5.0, 7.0, 9.0]) + 0.05 * rng.standard_normal((rows, 3))
    if fault is not None:
        values[fault : fault + 10, 1] += 6.0
    return values


def table(values, **columns):
    """A data frame of the channels, with other columns before them."""
    return pd.DataFrame(columns | dict(zip(CHANNELS, values.T, strict=True)))


def trained(folder, channels=CHANNELS):
    """A run folder of a detector that learned for a moment."""
    small = {"window": 16, "width": 8, "train_steps": 30, "hop": 4, "device": "cpu"}
    detector = tl.DDMT(**small, alarm_rate=0.02)
    detector.fit(tl.Series(pumps(800, seed=1), channels=channels))
    detector.save(folder)
    return folder
