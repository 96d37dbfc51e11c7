import math
from functools import cache

import numpy as np

from timeloom.metrics.alignment import dtw, frechet


def naive(a, b, join):
    """The recursion as it is written down, one pair of windows."""
    gap = [[sum((p - q) ** 2 for p, q in zip(s, t, strict=True)) for t in b] for s in a]

    @cache
    def reach(i, j):
        if i == 0 and j == 0:
            return gap[0][0]
        before = [reach(i - 1, j)] if i else []
        before += [reach(i, j - 1)] if j else []
        before += [reach(i - 1, j - 1)] if i and j else []
        return join(gap[i][j], min(before))

    return math.sqrt(reach(len(a) - 1, len(b) - 1))


def test_both_equal_the_recursion(rng):
    a, b = rng.normal(size=(2, 5, 9, 3))
    for fast, join in ((dtw, lambda c, d: c + d), (frechet, max)):
        want = [naive(s.tolist(), t.tolist(), join) for s, t in zip(a, b, strict=True)]
        np.testing.assert_allclose(fast(a, b), want, rtol=1e-9)


def test_a_copy_is_at_distance_zero_and_so_is_one_that_dwells(rng):
    a = rng.normal(size=(4, 10, 2))
    slow = np.concatenate([a[:, :1], a[:, :-1]], axis=1)  # the last point is missing
    np.testing.assert_allclose(dtw(a, a), 0, atol=1e-6)
    np.testing.assert_allclose(frechet(a, a), 0, atol=1e-6)
    last = np.linalg.norm(a[:, -1] - a[:, -2], axis=1)
    assert (dtw(a, slow) <= last + 1e-9).all()
