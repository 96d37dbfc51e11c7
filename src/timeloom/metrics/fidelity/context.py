"""How far apart are real and synthetic windows for an encoder that learned what windows contain?"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.encoder_cache import read_contexts
from timeloom.metrics.metric import Interval, Metric

__all__ = [
    "METRICS",
    "ContextDistance",
    "context_distance",
    "context_fid",
    "context_fid_infinity",
    "frechet_distance",
    "frechet_distance_infinity",
]

Array = NDArray[Any]

PAIRS = 6  # halvings of both sides; each gives two pairs of halves
SURE = 1.96  # standard deviations to either side of a 95 % interval


class ContextDistance(NamedTuple):
    """What one reading of both sides gives.

    Attributes:
        raw: The Fréchet distance of the vectors, in shares of ``variance``.
        infinite: The same for samples without end.
        variance: Total variance of the training windows' vectors.
    """

    raw: float
    infinite: Interval
    variance: float


def context_distance(
    real: Array, synthetic: Array, train: Array, *, seed: int = 0
) -> ContextDistance:
    """:func:`context_fid` and :func:`context_fid_infinity` from one reading, with their scale.

    Args:
        real: (window, time, channel) held-out windows. NaN = not measured; the encoder sees the
            training mean there.
        synthetic: (window, time, channel), any number.
        train: (window, time, channel): every window that the generator was trained on. The encoder
            is fitted on at most 5,000 of them, so that held-out windows are as new to it as
            synthetic ones; it is trained once per data set and kept, see
            :mod:`timeloom.metrics.encoder_cache`.
        seed: Which halves are drawn. The encoder's own seed is fixed.

    Returns:
        NaN where the training windows are all the same, or values are too large to be read.

    Raises:
        ValueError: If a side holds fewer than four windows, or ``train`` fewer than two.
    """
    variance, (one, other) = read_contexts(train, real, synthetic)
    nothing = float("nan")
    if not variance > 0 or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return ContextDistance(nothing, Interval(nothing, nothing, nothing), variance)
    one, other = one / np.sqrt(variance), other / np.sqrt(variance)
    infinite = frechet_distance_infinity(one, other, seed=seed)
    return ContextDistance(frechet_distance(one, other), infinite, variance)


def context_fid(real: Array, synthetic: Array, train: Array) -> float:
    """The Fréchet distance between what an encoder makes of real and of synthetic windows.

    Formula: :func:`frechet_distance` of the encoder's vectors, over the total variance of the
    training windows' vectors: without that the same fault costs five times more on one set than on
    another. Range 0 upwards, lower is better; a generator of one average window scores about 1.
    Unit: share of the real variance. Smallest sensible sample: 100 windows a side, and only beside
    a floor of the same size: two random samples of the same real windows score .02 to .08 at 300
    and .007 to .024 at 1,000, which is bias alone; halves of other engines or seasons .13 to .52.
    It does not see copies: they score 0. Another encoder seed moves it by a tenth or two. Published
    figures stand on other encoders and compare in size only; ``context_fid_unscaled`` is nearest.
    Source: Jeha et al. 2022 (PSA-GAN); the encoder is that of Yue et al. 2022 (arXiv 2106.10466).

    Args:
        real: (window, time, channel) held-out windows. NaN = not measured.
        synthetic: (window, time, channel).
        train: (window, time, channel): every window that the generator was trained on.

    Raises:
        ValueError: If a side holds fewer than two windows.
    """
    variance, (one, other) = read_contexts(train, real, synthetic)
    if not variance > 0 or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("nan")
    return frechet_distance(one, other) / variance


def context_fid_infinity(real: Array, synthetic: Array, train: Array, *, seed: int = 0) -> Interval:
    """:func:`context_fid` as it would be for samples without end, with an interval.

    Formula: :func:`frechet_distance_infinity`. Range about 0 upwards (slightly below 0 is chance),
    lower is better. Unit: share of the real variance. Smallest sensible sample: 300 windows a side;
    two samples of the same real windows still score .02 to .11 at 100, .01 to .04 at 200, .003 to
    .016 at 300, and .001 at 500. It does not see copies.
    Source: Chong and Forsyth 2020 (arXiv 1911.07023).

    Args:
        real: (window, time, channel) held-out windows. NaN = not measured.
        synthetic: (window, time, channel).
        train: (window, time, channel): every window that the generator was trained on.
        seed: Which halves are drawn.

    Raises:
        ValueError: If a side holds fewer than four windows.
    """
    return context_distance(real, synthetic, train, seed=seed).infinite


def frechet_distance(one: Array, other: Array) -> float:
    """The squared 2-Wasserstein distance between Gaussians with the moments of two samples.

    Formula: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). The trace of the root is the sum of the
    singular values of A1 A2', where Si = Ai' Ai: exact, also for fewer vectors than features, and
    never complex. Range 0 upwards. Source: Dowson and Landau 1982; Heusel et al. 2017.

    Args:
        one: (window, feature).
        other: (window, feature), any number.

    Raises:
        ValueError: If a side holds fewer than two vectors.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError(f"a covariance needs two vectors a side; got {len(one)} and {len(other)}.")
    means = one.mean(axis=0), other.mean(axis=0)
    roots = [_root(x - mean) for x, mean in zip((one, other), means, strict=True)]
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(float((root**2).sum()) for root in roots)
    # Rounding may leave a little less than nothing.
    return max(0.0, float(((means[0] - means[1]) ** 2).sum() + spread - 2 * shared))


def frechet_distance_infinity(one: Array, other: Array, *, seed: int = 0) -> Interval:
    """The Fréchet distance that is left when the bias of finite samples is taken away.

    The bias falls as 1 / n, so the line through the distances at n and at n / 2 meets the axis at
    2 F(n) - F(n / 2); F(n / 2) is the mean over random halves of both sides. More sizes on the line
    add noise and, where n is small, the curve of the bias. The interval is 1.96 standard deviations
    of the halves' distances to either side: halves drawn without replacement scatter as the whole
    does. It knows nothing of windows that overlap or share a recording, and is too narrow for them.
    Source: Chong and Forsyth 2020 (arXiv 1911.07023); Politis and Romano 1994 for the interval.

    Args:
        one: (window, feature).
        other: (window, feature), any number.
        seed: Which halves.

    Raises:
        ValueError: If a side holds fewer than four vectors.
    """
    if min(len(one), len(other)) < 4:
        raise ValueError(f"halves need four vectors a side; got {len(one)} and {len(other)}.")
    rng = np.random.default_rng(seed)
    halves = []
    for _ in range(PAIRS):
        parts = [_halved(x, rng) for x in (one, other)]
        halves += [frechet_distance(a, b) for a, b in zip(*parts, strict=True)]
    value = 2 * frechet_distance(one, other) - float(np.mean(halves))
    margin = SURE * float(np.std(halves, ddof=1))
    return Interval(value, value - margin, value + margin)


def _halved(x: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    order = rng.permutation(len(x))
    middle = len(x) // 2
    return x[order[:middle]], x[order[middle : 2 * middle]]


def _root(centred: Array) -> Array:
    """A with A'A the covariance: the centred vectors, or a triangle where there are many."""
    centred = centred / np.sqrt(len(centred) - 1)
    if len(centred) <= centred.shape[1]:
        return centred
    return np.asarray(np.linalg.qr(centred, mode="r"))


def _raw(found: ContextDistance) -> float:
    return found.raw


def _infinite(found: ContextDistance) -> Interval:
    return found.infinite


def _unscaled(found: ContextDistance) -> float:
    return found.raw * found.variance


NEEDS = ("real", "synthetic", "train", "seed")

METRICS = (
    Metric(
        "context_fid",
        context_distance,
        "lower",
        "share of the real variance",
        "How far what an encoder sees in windows is from what it sees in real ones (blind to "
        "copies).",
        about="likeness",
        needs=NEEDS,
        far=0.25,
        then=_raw,
        smallest=100,
    ),
    Metric(
        "context_fid_infinity",
        context_distance,
        "lower",
        "share of the real variance",
        "The same without the bias of small samples (0: as real).",
        about="likeness",
        needs=NEEDS,
        far=0.25,
        then=_infinite,
        smallest=300,
    ),
    Metric(
        "context_fid_unscaled",
        context_distance,
        "lower",
        "",
        "The same in the units of the encoder, as papers print it; compares in size only.",
        about="likeness",
        needs=NEEDS,
        far=1.5,
        then=_unscaled,
        smallest=100,
        default=False,
    ),
)
