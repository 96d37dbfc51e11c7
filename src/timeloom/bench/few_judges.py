"""How good is a generator of few windows, and how much of it is memory of these few?

Every figure compares with held-out real windows, as many on one side as on the other.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.metrics.discriminator import standardise
from timeloom.metrics.fidelity.channels import cross_correlation_error
from timeloom.metrics.fidelity.context import context_distance
from timeloom.metrics.fidelity.dynamics import difference_spread_error
from timeloom.metrics.fidelity.judged import discriminative_repeats
from timeloom.metrics.fidelity.two_sample import summary_auc, two_sample_auc
from timeloom.metrics.privacy.distances import mutual, prepare
from timeloom.metrics.privacy.novelty import authenticity

__all__ = ["FIGURES", "JUDGED", "Figure", "Judges", "judge", "likeness", "memory"]

Array = NDArray[Any]

JUDGED = 500  # windows a side at most: a cell's judges then cost a few CPU-seconds


class Figure(NamedTuple):
    """What a page must know of a figure.

    Attributes:
        title: As tables call it.
        better: ``"lower"`` or ``"higher"``, as records have it.
        ideal: What real data that a generator never saw should score; None: only the floor knows.
    """

    title: str
    better: str
    ideal: float | None = None


FIGURES = {
    "discriminative": Figure("discriminative score", "lower", 0.0),
    "two_sample_auc": Figure("two-sample AUC", "lower", 0.5),
    "summary_auc": Figure("summary AUC", "lower", 0.5),
    "context_fid": Figure("Context-FID", "lower"),
    "context_fid_infinity": Figure("Context-FID, endless samples", "lower", 0.0),
    "correlation_error": Figure("error of correlations", "lower", 0.0),
    "step_spread_error": Figure("error of the spread of steps", "lower", 0.0),
    "memory_ratio": Figure("memorisation ratio", "higher", 1.0),
    "authenticity": Figure("authenticity", "higher"),
}


@dataclass(frozen=True)
class Judges:
    """What the judges may spend.

    Attributes:
        repeats: Judges of the discriminative score, trained in one batched network.
        steps: Optimisation steps of each; the paper's.
        kernels: Random kernels of the two-sample test.
        trees: Of the other two-sample test, in each of its folds.
        most: Windows a side at most.
    """

    repeats: int = 5
    steps: int = 2_000
    kernels: int = 400
    trees: int = 60
    most: int = JUDGED


def judge(
    made: Array,
    held_out: Windows,
    *,
    few: Array,
    train: Array,
    seed: int,
    judges: Judges | None = None,
) -> dict[str, float]:
    """All figures of one arm: :func:`likeness` and :func:`memory`, whose arguments these are."""
    found = likeness(made, held_out, train=train, seed=seed, judges=judges)
    return found | memory(made, held_out.x, few=few, train=train)


def likeness(
    made: Array, held_out: Windows, *, train: Array, seed: int, judges: Judges | None = None
) -> dict[str, float]:
    """How like held-out real windows are these?

    ``discriminative``: abs(accuracy - 0.5) of the paper's judge, a mean over judges. The two-sample
    tests are tried on other blocks of time than they learnt the real side from; windows that were
    made count as one each, in the floor as in every arm. The floor may fall below 0.5: blocks that
    lie between those of the other side look like it. The encoder of ``context_fid`` is one per
    set, fitted on ``train`` by a fixed seed.

    Args:
        made: (window, time, channel).
        held_out: Real windows of other blocks of time; in both, no more are used than the smaller
            side and ``judges.most`` have, drawn by ``seed``.
        train: (window, time, channel) the whole training part, for scales and the encoder.
        seed: Of the draws and of every judge.
        judges: What they may spend.

    Returns:
        The first seven of ``FIGURES``; NaN where one cannot be measured, as a correlation of one
        channel.

    Raises:
        ValueError: If a side holds fewer than five windows, or shapes differ.
    """
    spend = judges or Judges()
    if made.shape[1:] != held_out.shape or min(len(made), len(held_out)) < 5:
        raise ValueError(
            "made and held_out must agree in (time, channel) and hold five windows or more; got "
            f"{made.shape} and {held_out.x.shape}."
        )
    size = min(len(held_out), len(made), spend.most)
    rows = _some(len(held_out), size, seed)
    new = made[_some(len(made), size, seed + 1)]
    one, other, known = standardise(held_out.x[rows], new, train, by=train)
    blocks = held_out.series[rows]
    groups = (blocks, None) if len(np.unique(held_out.series)) < len(held_out) else None
    accuracy = discriminative_repeats(
        one, other, seed=seed, repeats=range(spend.repeats), steps=spend.steps
    )
    context = context_distance(one, other, known, seed=seed)
    kernels = two_sample_auc(one, other, seed=seed, groups=groups, kernels=spend.kernels)
    trees = summary_auc(one, other, seed=seed, groups=groups, rounds=spend.trees)
    return {
        "discriminative": float(np.mean(np.abs(accuracy - 0.5))),
        "two_sample_auc": kernels.value,
        "summary_auc": trees.value,
        "context_fid": context.raw,
        "context_fid_infinity": context.infinite.value,
        "correlation_error": cross_correlation_error(one, other),
        "step_spread_error": difference_spread_error(one, other),
    }


def memory(made: Array, held_out: Array, *, few: Array, train: Array) -> dict[str, float]:
    """Are these windows new, or the few handed back?

    ``memory_ratio``: median over ``made`` of the distance to the nearest of the ``few``, over the
    same median of held-out real windows, in spreads of ``train`` per channel: 1 is as far as unseen
    real windows, 0 is copies. Much above 1 is no better: noise is far from everything.
    ``authenticity``: see :func:`timeloom.metrics.privacy.novelty.authenticity`.

    Args:
        made: (window, time, channel).
        held_out: (window, time, channel) real windows of other blocks of time.
        few: (window, time, channel) what the arm learnt from.
        train: (window, time, channel) the whole training part. By its spreads, not by those of the
            few: several windows of rain are often none, which would leave no spread.
    """
    own, new, real = prepare(few, made, held_out, by=train)
    near, unseen = (np.median(mutual(side, own)[0].plain) for side in (new, real))
    scaled = standardise(made, few, by=train)
    return {
        "memory_ratio": float(near / unseen) if unseen > 0 else float("nan"),
        "authenticity": authenticity(*scaled),
    }


def _some(count: int, size: int, seed: int) -> Array:
    return np.sort(np.random.default_rng([seed, 20453]).permutation(count)[:size])
