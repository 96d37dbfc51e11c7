"""How right predictions are: scores of classes and of values, for one sample or many resamples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CLASS_SCORES",
    "HIGHER",
    "VALUE_SCORES",
    "Prediction",
    "constant",
    "nasa_score",
    "resampled",
    "scores",
]

Array = NDArray[Any]

CLASS_SCORES = ("auroc", "auprc", "accuracy", "balanced_accuracy", "minority_f1")
VALUE_SCORES = ("rmse", "mae", "nasa")
HIGHER = frozenset(CLASS_SCORES)  # higher is better; errors of values are better lower


@dataclass(frozen=True)
class Prediction:
    """What one arm says of the real test windows, and how it came to it.

    Attributes:
        said: (window,) values, or (window, class) probabilities.
        truth: (window,) values, or classes as columns of ``said``.
        classes: The class of each column; None where labels are values.
        rare: The column of the rarest class among the real training windows.
        groups: (window,) recordings of the test windows; None where each is its own.
        learned: Windows that the judge was trained on.
        steps: Optimisation steps taken; 0 for a closed form.
        chosen: The step, or strength of the ridge, that was chosen on real windows.
    """

    said: Array
    truth: Array
    classes: tuple[Any, ...] | None = None
    rare: int = 0
    groups: Array | None = None
    learned: int = 0
    steps: int = 0
    chosen: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The scores that exist for this kind of label."""
        return VALUE_SCORES if self.classes is None else CLASS_SCORES


def scores(prediction: Prediction) -> dict[str, float]:
    """Every score of a prediction.

    Classes: ``auroc`` (one class against the rest, mean over the classes that are tested; .5 is
    chance), ``auprc`` (average precision, the same mean; chance is 1 / classes), ``accuracy``,
    ``balanced_accuracy`` (mean recall of the classes that are tested), ``minority_f1`` (F1 of the
    class that is rarest among the real training windows), all in [0, 1], higher is better. Values:
    ``rmse`` and ``mae`` in the label's unit, and ``nasa`` (see :func:`nasa_score`; it means
    something for remaining lives in cycles only), at least 0, lower is better. Below about a
    hundred test windows, or ten of a class, they say little. NaN: nothing to average.
    """
    once = np.ones((1, len(prediction.truth)))
    return {name: float(resampled(prediction, name, once)[0]) for name in prediction.names}


def resampled(prediction: Prediction, name: str, weights: Array) -> Array:
    """One score under many resamples of the test windows at once.

    Args:
        prediction: What is scored.
        name: Of the score: one of ``prediction.names``.
        weights: (resample, window) how often each test window is in each resample.

    Returns:
        (resample,) scores; NaN where a resample leaves nothing to average.

    Raises:
        ValueError: If there is no such score for this kind of label.
    """
    if name not in prediction.names:
        raise ValueError(f"the score must be one of {', '.join(prediction.names)}; got {name!r}.")
    weights = np.asarray(weights, dtype=np.float64)
    said, truth = prediction.said, prediction.truth
    if prediction.classes is None:
        return _errors(np.asarray(said - truth), name, weights)
    if name in ("auroc", "auprc"):
        area = _auroc if name == "auroc" else _auprc
        there = np.unique(truth)
        return _mean([area(said[:, c], truth == c, weights) for c in there], weights)
    picked = said.argmax(axis=1)
    right = picked == truth
    if name == "accuracy":
        return _over(weights @ right, weights.sum(axis=1))
    if name == "balanced_accuracy":
        of = [truth == c for c in np.unique(truth)]
        return _mean([_over(weights @ (right & one), weights @ one) for one in of], weights)
    rare = prediction.rare
    hit = weights @ (right & (truth == rare))
    return _over(2 * hit, weights @ (truth == rare) + weights @ (picked == rare))


def constant(prediction: Prediction, train_y: Array) -> dict[str, float]:
    """The same scores for always saying one thing: the mean, median or most frequent class.

    Args:
        prediction: Its ``truth`` is what is scored.
        train_y: Labels of the real training windows: values, or columns.
    """
    truth = prediction.truth
    if prediction.classes is None:
        wrong = {"rmse": train_y.mean(), "mae": np.median(train_y), "nasa": np.median(train_y)}
        once = np.ones((1, len(truth)))
        return {name: float(_errors(one - truth, name, once)[0]) for name, one in wrong.items()}
    present = len(np.unique(truth))
    most = np.bincount(train_y).argmax()
    share = float(np.mean(truth == prediction.rare))
    always = 2 * share / (1 + share)  # F1 of saying the rarest class each time
    accuracy = float(np.mean(truth == most))
    return dict(zip(CLASS_SCORES, (0.5, 1 / present, accuracy, 1 / present, always), strict=True))


def nasa_score(wrong: Array) -> float:
    """Mean penalty of remaining lives predicted too long (``wrong`` > 0) or too short.

    ``exp(d/10) - 1`` for late and ``exp(-d/13) - 1`` for early predictions, in cycles; at least
    0, lower is better. The mean over windows, not the sum, so that sizes can be compared.
    Source: Saxena et al., PHM 2008.
    """
    return float(np.mean(_penalty(wrong)))


def _penalty(wrong: Array) -> Array:
    return np.where(wrong > 0, np.expm1(wrong / 10), np.expm1(-wrong / 13))


def _errors(wrong: Array, name: str, weights: Array) -> Array:
    each = {"rmse": np.square, "mae": np.abs, "nasa": _penalty}[name](wrong)
    mean = _over(weights @ each, weights.sum(axis=1))
    return np.sqrt(mean) if name == "rmse" else mean


def _auroc(score: Array, positive: Array, weights: Array) -> Array:
    """(resample,) how often a positive scores above a negative, ties counting half."""
    below, ends, ups, downs = _ranked(score, positive, weights)
    before = np.concatenate([np.zeros((len(weights), 1)), below[:, ends[:-1]]], axis=1)
    above = (before + below[:, ends]) / 2  # of each set of ties: the middle of its ranks
    gained = np.diff(np.cumsum(ups, axis=1)[:, ends], axis=1, prepend=0)
    return _over((gained * above).sum(axis=1), ups.sum(axis=1) * downs.sum(axis=1))


def _auprc(score: Array, positive: Array, weights: Array) -> Array:
    """(resample,) average precision: the precision at each recall that is reached."""
    fallen, ends, ups, downs = _ranked(-score, positive, weights)
    found = np.cumsum(ups, axis=1)[:, ends]
    precision = _over(found, found + fallen[:, ends], empty=0.0)
    gained = np.diff(found, axis=1, prepend=0)
    alone = (ups.sum(axis=1) == 0) | (downs.sum(axis=1) == 0)
    return np.where(alone, np.nan, _over((gained * precision).sum(axis=1), ups.sum(axis=1)))


def _ranked(score: Array, positive: Array, weights: Array) -> tuple[Array, Array, Array, Array]:
    """By rising score: negatives so far, where ties end, weights of positives and negatives."""
    order = np.argsort(score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) > 0, True))
    sorted_weights = weights[:, order]
    ups = sorted_weights * positive[order]
    downs = sorted_weights - ups
    return np.cumsum(downs, axis=1), ends, ups, downs


def _over(top: Array, bottom: Array, empty: float = np.nan) -> Array:
    """``top / bottom``, and ``empty`` where nothing is counted."""
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1), empty)


def _mean(per_class: list[Array], weights: Array) -> Array:
    """Mean over the classes that a resample still holds."""
    figures = np.array(per_class).reshape(-1, len(weights))
    known = np.isfinite(figures)
    return _over(np.where(known, figures, 0).sum(axis=0), known.sum(axis=0))
