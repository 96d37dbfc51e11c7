"""Tests that nothing passes by looking right on average: strong features, cheap judges."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import Groups, both_sides
from timeloom.metrics.metric import Interval, Metric
from timeloom.metrics.summaries import summary_features

__all__ = ["METRICS", "summary_auc", "two_sample_auc"]

Array = NDArray[Any]

RIDGE = 0.03  # share of a standardised feature's own sum of squares that is added to it
DRAWS = 400  # of the bootstrap
TREES: dict[str, Any] = {
    "learning_rate": 0.15,
    "max_leaf_nodes": 15,
    "max_bins": 63,
    "early_stopping": False,  # else it depends on the number of windows
}
TRIED = 60  # features that a split of a tree may choose from: bounds the time of many channels


def two_sample_auc(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    groups: Groups = None,
    kernels: int = 400,
    folds: int = 5,
) -> Interval:
    """How well random convolutions and a ridge classifier tell synthetic from real windows.

    Formula: area under the ROC curve in each of ``folds`` held-out folds, averaged; folds by
    recording where ``groups`` are given. Range 0 to 1, lower is better down to 0.5 (cannot tell);
    well below 0.5 means that copies of the same windows stand on both sides. Unit: share. Smallest
    sensible sample: 50 windows a side. The 95 % interval is that of 400 bootstrap draws of
    recordings (windows, where ``groups`` is None) on each side, the judges as they were trained.
    Source: Dempster et al. 2020 (ROCKET); Lopez-Paz and Oquab 2017 (classifier two-sample tests).

    Args:
        real: (window, time, channel). NaN = not measured; the channel's mean is seen there.
        synthetic: (window, time, channel), about as many.
        seed: The kernels, the folds and the bootstrap.
        groups: The recording of each real and of each synthetic window; None where unknown.
        kernels: Random kernels; three features each.
        folds: How many parts are held out in turn.
    """
    import torch

    from timeloom.nets.random_convolutions import random_kernels

    x, is_real, fold = both_sides(real, synthetic, groups, seed, folds)
    windows = torch.as_tensor(x).transpose(1, 2).contiguous()
    features = random_kernels(windows, count=kernels, seed=seed)
    features = (features - features.mean(0)) / features.std(0).clamp_min(1e-6)
    score = _ridge_scores(features, torch.as_tensor(is_real), torch.as_tensor(fold)).numpy()
    return _area(score, is_real, fold, groups, seed)


def summary_auc(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    groups: Groups = None,
    folds: int = 5,
    rounds: int = 60,
) -> Interval:
    """How well gradient boosting on summaries of windows tells synthetic from real ones.

    Sees what convolutions hardly do: a level that is off by 2 %, an identity between two channels
    that no longer holds, values beyond a bound. Formula, range, direction, unit, smallest sample
    and interval as :func:`two_sample_auc`; the features are those of
    :func:`timeloom.metrics.summaries.summary_features`.
    Source: Friedman 2001; Ke et al. 2017 (histograms); Lopez-Paz and Oquab 2017.

    Args:
        real: (window, time, channel). NaN = not measured.
        synthetic: (window, time, channel), about as many.
        seed: The folds, the pairs of channels, the columns each split may use, the bootstrap.
        groups: The recording of each real and of each synthetic window; None where unknown.
        folds: How many parts are held out in turn.
        rounds: Trees per fold.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    scaled, is_real, fold = both_sides(real, synthetic, groups, seed, folds)
    gaps = np.isnan(np.concatenate([real, synthetic]))
    features = summary_features(np.where(gaps, np.nan, scaled), seed=seed)
    score = np.empty(len(features))
    for k in range(folds):
        learn = fold != k
        told = features[:, np.isfinite(features[learn]).any(axis=0)]
        judge = HistGradientBoostingClassifier(
            max_iter=rounds,
            min_samples_leaf=int(np.clip(learn.sum() // 50, 3, 20)),
            max_features=min(1.0, TRIED / told.shape[1]),
            random_state=seed,
            **TREES,
        )
        judge.fit(told[learn], is_real[learn])
        score[~learn] = judge.decision_function(told[~learn])
    return _area(score, is_real, fold, groups, seed)


def _area(score: Array, is_real: Array, fold: Array, groups: Groups, seed: int) -> Interval:
    """Area under the ROC curve, averaged over folds, with a bootstrap over recordings."""
    rng = np.random.default_rng([seed, 20409])
    weights = np.ones((1 + DRAWS, len(score)))
    for side, own in zip((is_real, ~is_real), groups or (None, None), strict=True):
        count = int(side.sum())
        _, which = np.unique(np.arange(count) if own is None else own, return_inverse=True)
        many = int(which.max()) + 1
        weights[1:, side] = rng.multinomial(many, np.full(many, 1 / many), size=DRAWS)[:, which]
    areas = np.array(
        [
            _areas(score[fold == k], is_real[fold == k], weights[:, fold == k])
            for k in np.unique(fold)
        ]
    )
    known = ~np.isnan(areas)
    # A draw may leave a fold without one of the two sides; the other folds stand for it.
    mean = np.where(known, areas, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    if not known[:, 0].any():
        return Interval(*3 * (float("nan"),))
    low, high = np.quantile(mean[1:][known[:, 1:].any(axis=0)], (0.025, 0.975))
    value = float(mean[0])
    return Interval(value, min(float(low), value), max(float(high), value))


def _areas(score: Array, is_real: Array, weights: Array) -> Array:
    """Weighted areas of one fold for each row of ``weights``; ties count half. NaN: one side."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    of = weights[:, order]
    above, below = (
        np.add.reduceat(of * side[order], first, axis=1) for side in (is_real, ~is_real)
    )
    won = (above * (below.cumsum(axis=1) - below / 2)).sum(axis=1)
    total = above.sum(axis=1) * below.sum(axis=1)
    return np.divide(won, total, out=np.full(len(won), np.nan), where=total > 0)


def _ridge_scores(features: Any, is_real: Any, fold: Any) -> Any:
    """Out-of-fold scores of a ridge regression on -1 and +1: closed form, hence quick and exact.

    Sums of products are taken once per fold; what all other folds hold is the total less the own.
    """
    import torch

    ones = torch.ones(len(features), 1, dtype=torch.float64)
    target = is_real.double()[:, None] * 2 - 1
    # A column of ones makes the means part of the same products.
    whole = torch.cat([features.double(), target, ones], dim=1)
    members = [torch.nonzero(fold == k)[:, 0] for k in fold.unique()]
    products = [whole[rows].T @ whole[rows] for rows in members]
    total = torch.stack(products).sum(0)
    score = torch.empty(len(features), dtype=torch.float64)
    for rows, own in zip(members, products, strict=True):
        other = total - own
        count, mean = other[-1, -1], other[-1, :-1] / other[-1, -1]
        centred = other[:-1, :-1] - count * torch.outer(mean, mean)
        gram = centred[:-1, :-1] + RIDGE * count * torch.eye(len(mean) - 1, dtype=torch.float64)
        weight = torch.cholesky_solve(centred[:-1, -1:], torch.linalg.cholesky(gram))[:, 0]
        score[rows] = (whole[rows, :-2] - mean[:-1]) @ weight
    return score


METRICS = (
    Metric(
        "two_sample_auc",
        two_sample_auc,
        "lower",
        "share",
        "How well a much stronger test ranks real above synthetic (0.5: cannot tell; 1: always).",
        about="likeness",
        needs=("real", "synthetic", "groups", "seed"),
        far=0.4,
        alarm=0.45,
        smallest=50,
        ideal=0.5,
    ),
    Metric(
        "summary_auc",
        summary_auc,
        "lower",
        "share",
        "The same by a judge that looks at levels, spreads, slopes and ties between channels.",
        about="likeness",
        needs=("real", "synthetic", "groups", "seed"),
        far=0.4,
        alarm=0.45,
        smallest=50,
        ideal=0.5,
    ),
)
