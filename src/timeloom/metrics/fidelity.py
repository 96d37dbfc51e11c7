"""Do synthetic windows look like real ones? Judges that try to tell, distances that say how far."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import folds_by_group, standardise, train_discriminator
from timeloom.metrics.metric import Metric
from timeloom.metrics.moments import autocorrelation, correlation

__all__ = [
    "METRICS",
    "autocorrelation_error",
    "cross_correlation_error",
    "difference_correlation_error",
    "discriminative",
    "discriminative_accuracy",
    "marginal_distance",
    "two_sample_auc",
]

Array = NDArray[Any]
Groups = tuple[Array | None, Array | None] | None


def discriminative_accuracy(
    real: Array, synthetic: Array, *, seed: int, groups: Groups = None, steps: int = 150
) -> float:
    """How often an LSTM, trained to tell real from synthetic, is right on windows it did not see.

    Formula: mean of the two classes' accuracies on a held-out fifth. Whole recordings are held out
    where ``groups`` are given, so that neighbours in time do not stand on both sides. Range 0 to 1,
    lower is better down to 0.5 (cannot tell). Unit: share. Smallest sensible sample: 50 windows a
    side; with 500 the number itself is uncertain by about .035.
    Source: the "discriminative" figure of Diff-MTS (arXiv 2407.11501), which prints accuracy.

    Args:
        real: (window, time, channel). NaN = not measured; the judge sees the channel's mean there.
        synthetic: (window, time, channel), about as many.
        seed: The split, first weights and order.
        groups: The recording of each real and of each synthetic window; None where unknown.
        steps: Optimisation steps of the judge (the last weights count, none are picked).
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    x, is_real, fold = _labelled(real, synthetic, groups, seed, folds=5)
    learn, test = fold != 0, fold == 0
    judge = train_discriminator(
        x[learn],
        is_real[learn].astype(np.float32)[:, None],
        binary_cross_entropy_with_logits,
        steps=steps,
        seed=seed,
    )
    right = (judge(x[test])[:, 0] > 0) == is_real[test]
    return float((right[is_real[test]].mean() + right[~is_real[test]].mean()) / 2)


def discriminative(
    real: Array, synthetic: Array, *, seed: int, groups: Groups = None, steps: int = 150
) -> float:
    """The discriminative score: how far a judge's accuracy is from guessing.

    Formula: abs(accuracy - 0.5) of :func:`discriminative_accuracy`, whose arguments these are.
    Range 0 to 0.5, lower is better. Unit: share. Smallest sensible sample: 50 windows a side.
    It cannot rank good generators (core figures of the field lie inside its noise): read it beside
    :func:`two_sample_auc`. Source: Yoon et al. 2019 (TimeGAN).
    """
    accuracy = discriminative_accuracy(real, synthetic, seed=seed, groups=groups, steps=steps)
    return _from_guessing(accuracy)


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

    x, is_real, fold = _labelled(real, synthetic, groups, seed, folds)
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


def cross_correlation_error(real: Array, synthetic: Array) -> float:
    """How far the correlations between channels are from the real ones.

    Formula: mean over pairs of channels of abs(r_real - r_synthetic), Pearson's r over all windows
    and time points at which both channels were measured. Range 0 to 2, lower is better. Unit: none.
    Smallest sensible sample: 10 windows. NaN where no pair of channels varies in both sets.
    Source: the correlational score of Liao et al. 2020 (arXiv 2006.05421), as a mean per pair.
    """
    return _pair_error(correlation(real), correlation(synthetic))


def difference_correlation_error(real: Array, synthetic: Array) -> float:
    """As :func:`cross_correlation_error`, of the steps from one time point to the next.

    Steps show what levels hide: a generator that smooths, or adds noise to each channel on its own,
    keeps the correlations of levels and loses these. NaN for windows of one time point.
    """
    return cross_correlation_error(np.diff(real, axis=1), np.diff(synthetic, axis=1))


def autocorrelation_error(real: Array, synthetic: Array) -> float:
    """How far the memory of each channel is from the real one.

    Formula: mean over channels and lags 1 to min(length - 1, 24) of abs(rho_real - rho_synthetic),
    see :func:`timeloom.metrics.moments.autocorrelation`. Range 0 to about 2, lower is better. Unit:
    none. Smallest sensible sample: 10 windows. Channels that are constant in either set are left
    out; NaN if all are.
    Source: the ACD of Ang et al. 2023 (TSGBench, arXiv 2309.03755), as a mean.
    """
    apart = np.abs(autocorrelation(real) - autocorrelation(synthetic))
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan")


def marginal_distance(real: Array, synthetic: Array) -> float:
    """How far the values of each channel must be moved to be distributed as the real ones.

    Formula: 1-Wasserstein distance per channel over the real standard deviation, averaged over
    channels; windows and time points pooled, NaN left out. A channel that is constant in reality
    has no such unit: it counts 0 where the synthetic one is that constant, else 1. Range 0 upwards,
    lower is better. Unit: real standard deviations. Smallest sensible sample: 10 windows.
    Source: Vaserstein 1969; the first Wasserstein distance as scipy computes it.
    """
    from scipy.stats import wasserstein_distance

    distances = []
    for c in range(real.shape[2]):
        one, other = (x[:, :, c].ravel().astype(np.float64) for x in (real, synthetic))
        one, other = one[~np.isnan(one)], other[~np.isnan(other)]
        if not len(one) or not len(other):
            continue
        if one.max() == one.min():
            distances.append(0.0 if np.allclose(other, one[0], rtol=1e-6, atol=1e-9) else 1.0)
        else:
            distances.append(wasserstein_distance(one, other) / one.std())
    return float(np.mean(distances)) if distances else float("nan")


def _pair_error(one: Array, other: Array) -> float:
    pairs = np.triu_indices(len(one), k=1)
    apart = np.abs(one - other)[pairs]
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan")


def _from_guessing(accuracy: float) -> float:
    return abs(accuracy - 0.5)


def _labelled(
    real: Array, synthetic: Array, groups: Groups, seed: int, folds: int
) -> tuple[Array, Array, Array]:
    """Both sets in one, standardised by the real one; which are real; the fold of each."""
    one, other = groups or (None, None)
    fold = [
        folds_by_group(one, len(real), folds, seed),
        folds_by_group(other, len(synthetic), folds, seed + 1),
    ]
    x = np.concatenate(standardise(real, synthetic, by=real))
    is_real = np.arange(len(x)) < len(real)
    return x, is_real, np.concatenate(fold)


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


RIDGE = 0.03  # share of a standardised feature's own sum of squares that is added to it

METRICS = (
    Metric(
        "discriminative",
        discriminative_accuracy,
        "lower",
        "share",
        "How far from guessing an LSTM is that was trained to tell synthetic from real (0: none).",
        needs=("real", "synthetic", "groups", "seed"),
        far=0.15,
        then=_from_guessing,
        smallest=20,
    ),
    Metric(
        "discriminative_accuracy",
        discriminative_accuracy,
        "lower",
        "share",
        "How often the same LSTM is right (0.5: guessing).",
        needs=("real", "synthetic", "groups", "seed"),
        far=0.15,
        smallest=20,
    ),
    Metric(
        "two_sample_auc",
        two_sample_auc,
        "lower",
        "share",
        "How well a much stronger test ranks real above synthetic (0.5: cannot tell; 1: always).",
        needs=("real", "synthetic", "groups", "seed"),
        far=0.4,
        alarm=0.45,
        smallest=20,
    ),
    Metric(
        "marginal_distance",
        marginal_distance,
        "lower",
        "standard deviations",
        "How far each channel's values lie from the real distribution.",
        far=0.15,
    ),
    Metric(
        "cross_correlation_error",
        cross_correlation_error,
        "lower",
        "",
        "How far the correlations between channels are from the real ones.",
    ),
    Metric(
        "difference_correlation_error",
        difference_correlation_error,
        "lower",
        "",
        "The same for the steps from one time point to the next.",
    ),
    Metric(
        "autocorrelation_error",
        autocorrelation_error,
        "lower",
        "",
        "How far each channel's memory of its own past is from the real one.",
    ),
)
