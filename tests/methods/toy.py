"""Small data whose shape depends plainly on the label."""

import numpy as np

from timeloom.data.windows import Windows

QUICK = dict(width=8, train_steps=12, batch=16, validations=2)


def waves(count=80, length=16, classes=None, seed=0):
    """Two sinusoids whose height follows a value in [0, 100], or a class."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 100, count) if classes is None else rng.integers(0, len(classes), count)
    height = 1 + (y / 50 if classes is None else 2.0 * y)
    t = np.arange(length) + rng.uniform(0, 6, (count, 1))
    x = np.stack([height[:, None] + np.sin(t), 10 * height[:, None] * np.cos(t)], axis=2)
    labels = y if classes is None else np.array(classes)[y]
    series = np.arange(count) // 4
    return Windows(x, labels, series, np.arange(count) % 4 * length, ("low", "high"), "load")
