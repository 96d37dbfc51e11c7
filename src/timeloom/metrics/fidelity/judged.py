"""Networks trained to tell synthetic from real windows: the field's discriminative scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import Groups, both_sides, train_discriminator
from timeloom.metrics.fidelity.repeats import (
    CHUNK,
    Scaling,
    descend,
    draw,
    generators,
    mean_of_repeats,
    scaled,
)
from timeloom.metrics.metric import Interval, Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "FLAVOURS",
    "METRICS",
    "Flavour",
    "diffmts_accuracy",
    "discriminative",
    "discriminative_accuracy",
    "discriminative_repeats",
    "discriminative_score",
]

Array = NDArray[Any]


STEPS = 2_000  # of every published flavour


@dataclass(frozen=True)
class Flavour:
    """What differs between the papers whose discriminative score is a one-layer GRU's.

    Attributes:
        batch: Real windows, and synthetic windows, per step.
        reset: Where the GRU's reset gate acts, and how its first weights are drawn; see
            :class:`timeloom.nets.many_gru.ManyGRU`.
        scaling: The scale that the windows are judged on.
    """

    batch: int
    reset: Literal["after", "before"]
    scaling: Scaling


FLAVOURS = {
    "imagenfew": Flavour(32, "after", "zscore"),
    "timegan": Flavour(128, "before", "minmax"),
    "diffusion_ts": Flavour(128, "before", "minmax"),
}


def discriminative_score(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    flavour: str = "imagenfew",
    repeats: int = 10,
    scaling: Scaling | None = None,
    steps: int | None = None,
) -> Interval:
    """The discriminative score as papers print it: mean of ``repeats`` trained judges.

    Formula: abs(accuracy - 0.5) on a random fifth of real and of synthetic windows, of a one-layer
    GRU of max(1, channels // 2) units whose last state is read; sum of the two sides' mean binary
    cross-entropies, Adam at 1e-3, 2,000 steps, each on a batch drawn anew from either side.
    ``"imagenfew"``: 32 + 32 windows, PyTorch's GRU. ``"timegan"`` and ``"diffusion_ts"`` (the
    same): 128 + 128 windows, TensorFlow's GRU and first weights. Diff-MTS prints another figure:
    :func:`diffmts_accuracy`. Range 0 to 0.5, lower is better. Unit: share. Smallest sensible
    sample: 100 windows a side, of which real against real scores .08. It is here to be compared
    with published tables: a judge of three units cannot rank good generators, copies of 5 % of the
    training windows pass, and overlapping windows stand on both sides of the split.
    Source: Yoon et al. 2019 (TimeGAN); ImagenFew (arXiv 2505.20446).

    Args:
        real: (window, time, channel). NaN = not measured; the judge sees the channel's mean there.
        synthetic: (window, time, channel).
        seed: Repeat r depends on (``seed``, r) alone: split, first weights and batches.
        flavour: A key of ``FLAVOURS``.
        repeats: How many judges; all are trained in one batched network.
        scaling: Where the paper's own scale is not meant: ``"zscore"``, ``"minmax"`` (both by
            the real windows) or ``"none"``. ImagenFew's is z-score here; it has min-max for stock,
            energy and air quality. The published codes scale by the whole file before windows
            are cut; to do exactly so, scale and say ``"none"``.
        steps: Optimisation steps; the papers' 2,000 where None.

    Returns:
        Mean and its interval over the repeats: ± 1.96 standard errors, cut at 0 and 0.5. Papers
        print mean and standard deviation: those of :func:`discriminative_repeats`.

    Raises:
        ValueError: If ``flavour`` or ``scaling`` is not known, a side holds fewer than 5 windows,
            or ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1; got {repeats}.")
    accuracy = discriminative_repeats(
        real,
        synthetic,
        seed=seed,
        flavour=flavour,
        repeats=range(repeats),
        scaling=scaling,
        steps=steps,
    )
    value, low, high = mean_of_repeats(np.abs(accuracy - 0.5))
    return Interval(value, max(low, 0.0), min(high, 0.5))


def discriminative_repeats(
    real: Array,
    synthetic: Array,
    *,
    seed: int,
    flavour: str = "imagenfew",
    repeats: Sequence[int] = range(10),
    scaling: Scaling | None = None,
    steps: int | None = None,
) -> Array:
    """The accuracies behind :func:`discriminative_score`, whose arguments these are.

    Args:
        real: (window, time, channel).
        synthetic: (window, time, channel).
        seed: Of all repeats.
        flavour: A key of ``FLAVOURS``.
        repeats: Which repeats; number 3 alone is what it is among ten.
        scaling: Where the paper's own scale is not meant.
        steps: Optimisation steps; the papers' 2,000 where None.

    Returns:
        (repeat,) shares of test windows told rightly, 0.5 = guessing.

    Raises:
        ValueError: If ``flavour`` or ``scaling`` is not known, or a side holds fewer than 5
            windows.
    """
    import torch

    from timeloom.nets.many_gru import ManyGRU

    if flavour not in FLAVOURS:
        raise ValueError(f"flavour must be one of {', '.join(FLAVOURS)}; got {flavour!r}.")
    if min(len(real), len(synthetic)) < 5:
        raise ValueError(
            f"a fifth of each side is tested on, so it needs 5 windows or more; got {len(real)} "
            f"real and {len(synthetic)} synthetic."
        )
    made_as = FLAVOURS[flavour]
    sides = scaled(real, synthetic, scaling or made_as.scaling)
    windows = torch.as_tensor(np.concatenate(sides))
    rngs = generators(seed, repeats)
    parts = [_split(rng, len(real), len(synthetic)) for rng in rngs]
    channels = windows.shape[2]
    weights = [int(rng.integers(2**62)) for rng in rngs]
    judges = ManyGRU(weights, channels, max(1, channels // 2), reset=made_as.reset)
    descend(
        judges,
        _losses(judges, windows, rngs, parts, (STEPS if steps is None else steps, made_as.batch)),
    )
    right = [
        _share_real(judges, windows, np.stack([part[2 + side] for part in parts]))
        for side in (0, 1)
    ]
    counts = [len(parts[0][2]), len(parts[0][3])]
    return (right[0] * counts[0] + (1 - right[1]) * counts[1]) / sum(counts)


def _split(rng: np.random.Generator, real: int, synthetic: int) -> tuple[Array, ...]:
    """Rows to learn from (real, synthetic) and to test on, of both sides in one array."""
    one, other = rng.permutation(real), real + rng.permutation(synthetic)
    a, b = int(real * 0.8), int(synthetic * 0.8)
    return one[:a], other[:b], one[a:], other[b:]


def _losses(
    judges: "nn.Module",
    windows: "Tensor",
    rngs: list[np.random.Generator],
    parts: list[tuple[Array, ...]],
    plan: tuple[int, int],
) -> Iterator["Tensor"]:
    """One loss per step: of both sides the mean cross-entropy, summed over the judges."""
    import torch
    from torch.nn.functional import softplus

    steps, batch = plan
    real, made = [part[0] for part in parts], [part[1] for part in parts]
    for _ in range(steps):
        one, other = draw(rngs, real, batch), draw(rngs, made, batch)
        rows = torch.as_tensor(np.concatenate([one, other], axis=1))
        logits = judges(windows[rows])
        told, made_up = logits.split([one.shape[1], other.shape[1]], dim=2)
        yield (softplus(-told).mean(2) + softplus(made_up).mean(2)).sum()


def _share_real(judges: "nn.Module", windows: "Tensor", rows: Array) -> Array:
    """(judge,) the share of its own ``rows`` that each judge calls real."""
    import torch

    with torch.no_grad():
        parts = torch.as_tensor(rows).split(CHUNK, dim=1)
        said = torch.cat([judges(windows[part])[:, 0] > 0 for part in parts], dim=1)
    return said.double().mean(1).numpy()


def diffmts_accuracy(real: Array, synthetic: Array, *, seed: int, groups: Groups = None) -> float:
    """How often the LSTM of Diff-MTS, trained to tell real from synthetic, is right.

    Formula: mean of the two classes' accuracies on held-out windows: a fifth of the real
    recordings and of the synthetic windows (or recordings, where there are some). One layer of 64
    units, every state read; Adam at 2e-3, batches of 256, six epochs, of which one is chosen on a
    fifth of the training windows, so that an LSTM that remembers recordings can fall below 0.5 on
    new ones. The released code takes the best of 30 epochs on its validation windows. Range 0 to
    1, lower is better down to 0.5 (cannot tell). Unit: share. Smallest sensible sample: 500
    windows a side.
    Source: Diff-MTS (arXiv 2407.11501), which prints accuracy, not its distance from 0.5.

    Args:
        real: (window, time, channel). NaN = not measured; the judge sees the mean there.
        synthetic: (window, time, channel).
        seed: Recordings held out, first weights, order.
        groups: The recording of each real and of each synthetic window; None where each is its own.
    """
    from timeloom.metrics.judging import train_judge

    one, other = groups or (None, None)
    one = np.arange(len(real)) if one is None else one
    other = np.arange(len(synthetic)) if other is None else other
    rng = np.random.default_rng(seed)
    recordings = np.unique(one)
    tested_real = np.isin(one, rng.permutation(recordings)[: max(1, len(recordings) // 5)])
    recordings = np.unique(other)
    if len(recordings) < len(synthetic):  # real ones on this side too
        tested = np.isin(other, rng.permutation(recordings)[: max(1, len(recordings) // 5)])
    else:
        tested = rng.random(len(synthetic)) < 0.2
    x = np.concatenate([real[~tested_real], synthetic[~tested]])
    y = np.repeat([1, 0], [(~tested_real).sum(), (~tested).sum()])
    judge = train_judge(x, y, outputs=2, seed=seed)
    said_real = judge(real[tested_real]).argmax(1)
    said_made = judge(synthetic[tested]).argmax(1)
    return float((np.mean(said_real == 1) + np.mean(said_made == 0)) / 2)


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
        smallest=50,
        worst=0.5,
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
        smallest=50,
        ideal=0.5,
    ),
    Metric(
        "discriminative_score",
        discriminative_score,
        "lower",
        "share",
        "The discriminative score of published tables: ten GRUs of few units (0: cannot tell).",
        about="likeness",
        needs=("real", "synthetic", "seed"),
        far=0.15,
        smallest=100,
        once=True,
        default=False,
        worst=0.5,
    ),
    Metric(
        "diffmts_accuracy",
        diffmts_accuracy,
        "lower",
        "share",
        "How often the LSTM of Diff-MTS is right, as its tables print it (0.5: guessing).",
        about="likeness",
        needs=("real", "synthetic", "groups", "seed"),
        far=0.15,
        smallest=500,
        default=False,
        ideal=0.5,
    ),
)
