"""Slow, obvious versions of the distances and figures of privacy, in loops."""

import numpy as np


def distance(one, other, shifts):
    """Least root mean square over moves, and the move; windows are (time, channel)."""
    found = []
    for move in range(-shifts, shifts + 1):
        pairs = [(one[t], other[t - move]) for t in range(len(one)) if 0 <= t - move < len(other)]
        squares = [(a - b) ** 2 for x, y in pairs for a, b in zip(x, y, strict=True)]
        known = [s for s in squares if not np.isnan(s)]
        most = max(
            np.sum(~np.isnan([x for x, _ in pairs])), np.sum(~np.isnan([y for _, y in pairs]))
        )
        if known and len(known) >= most / 2:
            found.append((np.sqrt(np.mean(known)), abs(move), move))
    return min(found) if found else (np.inf, 0, 0)


def nearest(windows, train, shifts=0):
    spread = np.nanstd(train, axis=(0, 1))
    return np.array(
        [min(distance(w / spread, t / spread, shifts)[0] for t in train) for w in windows]
    )


def same_place(one, other):
    """Whether the last time points of one window are the first of the other, for half of it."""
    length = len(one)
    return any(
        np.array_equal(one[length - k :], other[:k]) or np.array_equal(other[length - k :], one[:k])
        for k in range(-(-length // 2), length + 1)
    )


def crowding(train):
    """Distance of each training window to its nearest of another place."""
    spread = np.nanstd(train, axis=(0, 1))
    found = []
    for one in train:
        others = [distance(one / spread, t / spread, 0)[0] for t in train if not same_place(one, t)]
        found.append(min(others, default=np.inf))
    return np.array(found)


def closest(windows, train, shifts):
    spread = np.nanstd(train, axis=(0, 1))
    apart = [[distance(w / spread, t / spread, shifts)[0] for t in train] for w in windows]
    return np.argmin(apart, axis=1), np.min(apart, axis=1)


def authenticity(synthetic, train):
    which, apart = closest(synthetic, train, 0)
    return np.mean(apart > crowding(train)[which])


def memorised_share(synthetic, train, shifts):
    which, apart = closest(synthetic, train, shifts)
    return np.mean(apart < crowding(train)[which] / 3)


def auc(inside, outside):
    wins = [(a > b) + 0.5 * (a == b) for a in inside for b in outside]
    return np.mean(wins)
