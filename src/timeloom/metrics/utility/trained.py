"""A judge trained on some windows, tried on others; and whether windows show what was asked for.

TSTR = trained on synthetic, tested on real (Esteban et al. 2017). With real windows as the first
argument the same functions give "trained on real", the figure to stand beside it. The judge's
epoch is chosen on a part of what it is trained on, as in the papers; for arms that can be compared
see :func:`timeloom.metrics.utility.arms.protocols`.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import spearmanr

from timeloom.metrics.judging import train_judge
from timeloom.metrics.utility.scores import nasa_score

__all__ = ["shown_class", "shown_value", "steering", "tstr_classification", "tstr_regression"]

Array = NDArray[Any]


def tstr_regression(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    test_y: Array,
    *,
    seed: int,
    groups: Array | None = None,
    epochs: int = 6,
) -> dict[str, float]:
    """Errors, on real windows, of an LSTM regressor trained on synthetic ones.

    Args:
        train_x: (window, time, channel) to train on; the epoch is chosen on a fifth of them.
        train_y: (window,) their values.
        test_x: Real windows.
        test_y: Their values.
        seed: Of the regressor.
        groups: (window,) the recording of each training window, where they have one.
        epochs: Passes over the training windows.

    Returns:
        ``rmse`` and ``mae`` in the label's unit, lower is better; ``constant_rmse``, the error
        of always saying the training mean; ``nasa``, see :func:`nasa_score`. Below about a
        hundred test windows the figures say little.
    """
    judge = train_judge(train_x, train_y, outputs=1, seed=seed, groups=groups, epochs=epochs)
    wrong = judge(test_x) - test_y
    constant = np.mean(train_y) - test_y
    return {
        "rmse": float(np.sqrt(np.mean(wrong**2))),
        "mae": float(np.mean(np.abs(wrong))),
        "nasa": nasa_score(wrong),
        "constant_rmse": float(np.sqrt(np.mean(constant**2))),
    }


def tstr_classification(
    train_x: Array,
    train_y: Array,
    test_x: Array,
    test_y: Array,
    *,
    seed: int,
    groups: Array | None = None,
    epochs: int = 6,
) -> dict[str, float]:
    """Scores, on real windows, of an LSTM classifier trained on synthetic ones.

    Args:
        train_x: (window, time, channel) to train on; the epoch is chosen on a fifth of them.
        train_y: (window,) their classes.
        test_x: Real windows.
        test_y: Their classes.
        seed: Of the classifier.
        groups: (window,) the recording of each training window, where they have one.
        epochs: Passes over the training windows; at least 60 steps are taken.

    Returns:
        ``accuracy``, ``balanced_accuracy``, ``auroc`` and ``auprc`` (macro averages over the
        classes that are tested), all in [0, 1], higher is better; ``constant_accuracy``, of
        always saying the most frequent training class.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    classes = np.unique(np.concatenate([train_y, test_y]))
    truth = np.searchsorted(classes, test_y)
    told = np.searchsorted(classes, train_y)
    # Few windows make few steps an epoch; a judge that has hardly moved judges nothing.
    epochs = max(epochs, -(-60 * 256 // max(len(train_x), 1)))
    judge = train_judge(
        train_x, told, outputs=len(classes), seed=seed, groups=groups, epochs=min(epochs, 60)
    )
    share = softmax(judge(test_x), axis=1)
    said = share.argmax(axis=1)
    there = [c for c in range(len(classes)) if 0 < (truth == c).sum() < len(truth)]
    most = np.bincount(told).argmax()
    return {
        "accuracy": float(np.mean(said == truth)),
        "balanced_accuracy": _mean([float(np.mean(said[truth == c] == c)) for c in set(truth)]),
        "auroc": _mean([roc_auc_score(truth == c, share[:, c]) for c in there]),
        "auprc": _mean([average_precision_score(truth == c, share[:, c]) for c in there]),
        "constant_accuracy": float(np.mean(truth == most)),
    }


def steering(
    real_x: Array,
    real_y: Array,
    synthetic_x: Array,
    asked: Array,
    held_x: Array,
    held_y: Array,
    *,
    seed: int,
    groups: Array | None = None,
) -> dict[str, float]:
    """Does a window show the value that was asked for? Read by a regressor trained on real ones.

    Args:
        real_x: (window, time, channel) real windows to train the regressor on.
        real_y: (window,) their values.
        synthetic_x: Generated windows.
        asked: (window,) the value asked for.
        held_x: Real windows that the regressor has not seen.
        held_y: Their values.
        seed: Of the regressor.
        groups: (window,) the recording of each real window.

    Returns:
        ``spearman`` between asked and read, in [-1, 1], higher is better; ``mae`` between them
        in the label's unit; ``held_spearman`` and ``held_mae``, the regressor's own on ``held_x``:
        comparable where the labels asked for are spread as those of ``held_x`` are.
    """
    judge = train_judge(real_x, real_y, outputs=1, seed=seed, groups=groups)
    made, held = shown_value(judge, synthetic_x, asked), shown_value(judge, held_x, held_y)
    return {**made, **{f"held_{name}": figure for name, figure in held.items()}}


def shown_value(judge: Callable[[Array], Array], x: Array, asked: Array) -> dict[str, float]:
    """How far what a judge reads from windows is what was asked for.

    Args:
        judge: From windows to values (window,).
        x: (window, time, channel).
        asked: (window,) values asked for.

    Returns:
        ``spearman``, in [-1, 1], higher is better; ``mae`` in the label's unit, lower is better.
    """
    read = judge(x)
    return {"spearman": _rank(read, asked), "mae": float(np.mean(np.abs(read - asked)))}


def shown_class(judge: Callable[[Array], Array], x: Array, asked: Array) -> float:
    """The share of windows in which a judge reads the class that was asked for.

    The mean over the classes asked for, so that a rare one counts as much as a common one:
    balanced accuracy, in [0, 1], higher is better; 1 / classes where labels say nothing. Below
    about ten windows of a class it says little.

    Args:
        judge: From windows to scores or probabilities (window, class).
        x: (window, time, channel).
        asked: (window,) classes asked for, as columns of what ``judge`` returns.
    """
    right = judge(x).argmax(axis=1) == asked
    return float(np.mean([right[asked == one].mean() for one in np.unique(asked)]))


def _rank(read: Array, asked: Array) -> float:
    if np.ptp(read) == 0 or np.ptp(asked) == 0:
        return 0.0
    return float(cast(Any, spearmanr(read, asked)).statistic)


def _mean(values: list[Any]) -> float:
    return float(np.mean(values)) if values else float("nan")
