"""Networks trained to tell synthetic from real windows: the field's discriminative scores."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import Groups, both_sides, train_discriminator
from timeloom.metrics.metric import Metric

__all__ = ["METRICS", "discriminative", "discriminative_accuracy"]

Array = NDArray[Any]


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

    x, is_real, fold = both_sides(real, synthetic, groups, seed, folds=5)
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


def _from_guessing(accuracy: float) -> float:
    return abs(accuracy - 0.5)


METRICS = (
    Metric(
        "discriminative",
        discriminative_accuracy,
        "lower",
        "share",
        "How far from guessing an LSTM is that was trained to tell synthetic from real (0: none).",
        about="likeness",
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
        about="likeness",
        needs=("real", "synthetic", "groups", "seed"),
        far=0.15,
        smallest=20,
    ),
)
