"""Tests that nothing passes by looking right on average: strong features, cheap judges."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import Groups, both_sides
from timeloom.metrics.metric import Metric

__all__ = ["METRICS", "two_sample_auc"]

Array = NDArray[Any]

RIDGE = 0.03  # share of a standardised feature's own sum of squares that is added to it


def two_sample_auc(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    groups: Groups = None,
    kernels: int = 400,
    folds: int = 5,
) -> float:
    """How well random convolutions and a ridge classifier tell synthetic from real windows.

    Formula: area under the ROC curve in each of ``folds`` held-out folds, averaged; folds by
    recording where ``groups`` are given. Range 0 to 1, lower is better down to 0.5 (cannot tell);
    well below 0.5 means that copies of the same windows stand on both sides. Unit: share. Smallest
    sensible sample: 50 windows a side.
    Source: Dempster et al. 2020 (ROCKET); Lopez-Paz and Oquab 2017 (classifier two-sample tests).

    Args:
        real: (window, time, channel). NaN = not measured; the channel's mean is seen there.
        synthetic: (window, time, channel), about as many.
        seed: The kernels and the folds.
        groups: The recording of each real and of each synthetic window; None where unknown.
        kernels: Random kernels; three features each.
        folds: How many parts are held out in turn.
    """
    import torch
    from scipy.stats import rankdata

    from timeloom.nets.random_kernels import random_kernels

    x, is_real, fold = both_sides(real, synthetic, groups, seed, folds)
    windows = torch.as_tensor(x).transpose(1, 2).contiguous()
    features = random_kernels(windows, count=kernels, seed=seed)
    features = (features - features.mean(0)) / features.std(0).clamp_min(1e-6)
    score = _ridge_scores(features, torch.as_tensor(is_real), torch.as_tensor(fold)).numpy()
    areas = []
    for k in range(folds):
        held, truth = score[fold == k], is_real[fold == k]
        positive, negative = truth.sum(), (~truth).sum()
        if positive and negative:
            above = rankdata(held)[truth].sum() - positive * (positive + 1) / 2
            areas.append(above / (positive * negative))
    return float(np.mean(areas))


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
        smallest=20,
    ),
)
