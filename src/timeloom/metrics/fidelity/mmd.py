"""Maximum mean discrepancy: a distance between whole distributions of windows, and its test."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import Groups, standardise
from timeloom.metrics.metric import Metric

__all__ = ["METRICS", "Discrepancy", "mmd", "mmd_p_value", "mmd_test"]

Array = NDArray[Any]

WIDTHS = 5  # kernels; their widths are 1/4, 1/2, 1, 2 and 4 times the median squared distance
FEWEST = 20  # recordings a side, below which nothing is said
TAKEN = 10  # windows a side that must be left of them


class Discrepancy(NamedTuple):
    """The distance ``value``, and ``p``: how often equal laws would be found as far apart."""

    value: float
    p: float


def mmd_test(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    groups: Groups = None,
    permutations: int = 999,
    limit: int = 1000,
) -> Discrepancy:
    """Unbiased squared maximum mean discrepancy, and its permutation test.

    Formula: mean of k over pairs of two real windows, plus that over pairs of two synthetic ones,
    less twice that over pairs of one each, no window paired with itself; k is the mean of five
    Gaussian kernels exp(-d / (w m)), w = 1/4, 1/2, 1, 2, 4, with d the squared distance of windows
    (channels standardised over both sets) and m the median of d. About 0 (also below) for equal
    laws, at most 2; lower is better. Unit: none. Smallest sensible sample: 50 windows a side.

    The p-value is the share of random exchanges between the sides that lie as far apart. Windows
    that overlap are no independent draws, so the test takes one window per recording, and a
    recording with a chance that grows with its number of windows: what is taken is then distributed
    as all windows are. Range 0 to 1, higher is better; NaN where there are fewer than 20 recordings
    a side, or fewer than 10 of them are taken because a few hold nearly all windows.
    Source: Gretton et al. 2012 (JMLR 13, 723-773), Lemma 6.

    Args:
        real: (window, time, channel). NaN = not measured; the channel's mean is seen there.
        synthetic: (window, time, channel), any number.
        seed: Which windows, and the exchanges.
        groups: The recording of each real and of each synthetic window; None: each its own.
        permutations: Exchanges; 0: no test, p is NaN.
        limit: Windows a side at most.
    """
    rng = np.random.default_rng([seed, 20410])
    given = groups or (None, None)
    some = [_some(len(side), limit, rng) for side in (real, synthetic)]
    value = _discrepancy(*_kernel(real[some[0]], synthetic[some[1]]))
    alone = [
        _one_each(np.arange(len(side)) if own is None else np.asarray(own), limit, rng)
        for side, own in zip((real, synthetic), given, strict=True)
    ]
    if permutations < 1 or min(map(len, alone)) < TAKEN:
        return Discrepancy(value, float("nan"))
    kernel, count = _kernel(real[alone[0]], synthetic[alone[1]])
    return Discrepancy(value, _p_value(kernel, count, permutations, rng))


def mmd(real: Array, synthetic: Array, *, seed: int = 0, limit: int = 1000) -> float:
    """The distance of :func:`mmd_test`, whose arguments these are, without the test."""
    return mmd_test(real, synthetic, seed=seed, limit=limit, permutations=0).value


def mmd_p_value(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    groups: Groups = None,
    permutations: int = 999,
    limit: int = 1000,
) -> float:
    """The p-value of :func:`mmd_test`, whose arguments these are."""
    found = mmd_test(
        real, synthetic, seed=seed, groups=groups, permutations=permutations, limit=limit
    )
    return found.p


def _some(count: int, limit: int, rng: np.random.Generator) -> Array:
    return np.arange(count) if count <= limit else rng.permutation(count)[:limit]


def _one_each(groups: Array, limit: int, rng: np.random.Generator) -> Array:
    """One row of each group that is kept; the largest always is, half as large ones half so often.

    Else short recordings would weigh as much as long ones, and a generator that reproduces the
    windows faithfully would be found out by that alone. None of fewer than 20 groups.
    """
    order = rng.permutation(len(groups))
    _, first, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    if len(sizes) < FEWEST:
        return order[:0]
    kept = rng.random(len(sizes)) < sizes / sizes.max()
    return order[rng.permutation(first[kept])[:limit]]


def _kernel(real: Array, synthetic: Array) -> tuple[Array, int]:
    """Kernel between all windows, the real ones first, with a diagonal of 0; how many are real.

    Scaled by both sets together: nothing that is computed may depend on which is which.
    """
    both = np.concatenate([real, synthetic])
    known = ~np.isnan(both).all(axis=(0, 1))
    flat = standardise(both[..., known], by=both[..., known])[0].reshape(len(both), -1)
    flat = flat.astype(np.float64)
    power = (flat**2).sum(axis=1)
    apart = np.maximum(power[:, None] + power - 2 * flat @ flat.T, 0)
    pairs = apart[np.triu_indices(len(apart), k=1)]
    middle = float(np.median(pairs)) or float(pairs.mean()) or 1.0
    # Each kernel is the square of the next wider one: a single exponential serves all five.
    one = np.exp(-apart / (2 ** (WIDTHS // 2) * middle))
    kernel = one.copy()
    for _ in range(WIDTHS - 1):
        one *= one
        kernel += one
    kernel /= WIDTHS
    np.fill_diagonal(kernel, 0)
    return kernel, len(real)


def _discrepancy(kernel: Array, count: int) -> float:
    """Unbiased squared discrepancy of the first ``count`` windows from the others."""
    side = np.zeros((len(kernel), 1))
    side[:count] = 1
    return float(_statistics(kernel, side)[0])


def _statistics(kernel: Array, sides: Array) -> Array:
    """The discrepancy for each column of ``sides``, which is 1 for one set and 0 for the other."""
    n = sides[:, 0].sum()
    m = len(kernel) - n
    if min(n, m) < 2:
        return np.full(sides.shape[1], np.nan)
    own = ((kernel @ sides) * sides).sum(axis=0)
    row = kernel.sum(axis=1)
    across = row @ sides - own
    other = row.sum() - 2 * across - own
    return own / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m)


def _p_value(kernel: Array, count: int, permutations: int, rng: np.random.Generator) -> float:
    first = (np.arange(len(kernel)) < count).astype(np.float64)
    order = rng.random((len(kernel), permutations)).argsort(axis=0)
    found = _statistics(kernel, np.concatenate([first[:, None], first[order]], axis=1))
    # Rounding must not part what is equal: the first column counts as one of the exchanges.
    return float((found >= found[0] - 1e-12).mean())


def _value(found: Discrepancy) -> float:
    return found.value


def _p(found: Discrepancy) -> float:
    return found.p


METRICS = (
    Metric(
        "mmd",
        mmd_test,
        "lower",
        "",
        "How far the whole distribution of windows is from the real one (0: the same).",
        about="likeness",
        needs=("real", "synthetic", "groups", "seed"),
        far=0.02,
        then=_value,
        smallest=50,
    ),
    Metric(
        "mmd_p_value",
        mmd_test,
        "higher",
        "probability",
        "How often a difference this large would be seen if both sets came from one law.",
        about="likeness",
        needs=("real", "synthetic", "groups", "seed"),
        level=0.01,
        then=_p,
        smallest=50,
        absent="fewer than 20 recordings a side: windows that overlap are no sample",
    ),
)
