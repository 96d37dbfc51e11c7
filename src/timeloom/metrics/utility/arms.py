"""Real windows, synthetic ones, or both: what a judge learns from each, on equal terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from timeloom.metrics.discriminator import folds_by_group, standardise
from timeloom.metrics.judging import FOLDS, Fitted, Training, fit_judge, represent
from timeloom.metrics.utility.scores import Prediction

__all__ = ["ARMS", "arms_at", "chosen_on", "class_reader", "protocols"]

Array = NDArray[Any]
Sides = tuple[Array, Array] | tuple[Array, Array, Array | None]

TASKS = ("classify", "regress")
FEWEST = 5  # real training windows: one of them is for choosing


def arms_at(ratio: float) -> dict[str, tuple[float, float]]:
    """The four protocols for ``ratio`` synthetic windows per real training window.

    Each arm is (real windows, synthetic windows) per real window that is learnt from:

    * ``baseline``: (1, 0), real ones only;
    * ``equal``: as many real ones as ``tstr`` has synthetic ones, the baseline of ``tstr``;
    * ``tstr``: synthetic ones only, as many as there are real ones or ``ratio`` of that;
    * ``tsrtr``: all real ones and ``ratio`` times as many synthetic ones;
    * ``mixed``: half and half, in all as many as the baseline has (fewer if ``ratio`` < .5).

    Source: the protocols of TarDiff (arXiv 2504.17613).

    Raises:
        ValueError: If ``ratio`` is not above 0.
    """
    if not ratio > 0:
        raise ValueError(f"ratio must be above 0, e.g. 1 for as many as real ones; got {ratio}.")
    own, half = min(1.0, ratio), min(0.5, ratio)
    return {
        "baseline": (1.0, 0.0),
        "equal": (own, 0.0),
        "tstr": (0.0, own),
        "tsrtr": (1.0, float(ratio)),
        "mixed": (half, half),
    }


ARMS: Mapping[str, tuple[float, float]] = MappingProxyType(arms_at(1.0))


@dataclass(frozen=True)
class _Side:
    """Windows as the judge reads them, their labels as it learns them."""

    x: Tensor
    y: Array

    def take(self, rows: Array) -> "_Side":
        return _Side(self.x[torch.as_tensor(rows)], self.y[rows])


@dataclass(frozen=True)
class _Bench:
    """What every arm has in common: the scale, the split of the real windows, the judge."""

    how: Training
    seed: int
    classes: tuple[Any, ...] | None
    level: float
    unit: float
    see: Callable[[Array], Tensor]
    number: Callable[[Array], Array]
    learn: _Side
    choose: _Side
    rare: int

    def fit(self, side: _Side) -> Fitted:
        count = None if self.classes is None else len(self.classes)
        learn, choose = ((one.x, one.y) for one in (side, self.choose))
        return fit_judge(self.how, learn, choose, classes=count, seed=self.seed)

    def side(self, x: Array, y: Array) -> _Side:
        return _Side(self.see(x), self.number(y))


def protocols(
    train: Sides,
    synthetic: Sides,
    test: Sides,
    *,
    task: str,
    judge: str | Training = "resnet",
    arms: Mapping[str, tuple[float, float]] = ARMS,
    seed: int = 0,
    choose: Sides | None = None,
) -> dict[str, Prediction]:
    """Trains one judge per arm, on equal terms, and returns what each says of the test windows.

    In every arm alike: the number of optimisation steps (not of epochs) and their batch size; the
    first weights; the scale, per channel, of all real training windows; and the windows that the
    checkpoint or the ridge's strength is chosen on: ``choose``, or a fifth of the real training
    windows, whole recordings where these are known, which no arm learns from.

    Args:
        train: Real training windows (window, time, channel), their labels (window,), and perhaps
            their recordings (window,). NaN = not measured.
        synthetic: Synthetic windows, their labels.
        test: Real test windows, their labels, and perhaps their recordings.
        task: ``"classify"`` or ``"regress"``.
        judge: ``"resnet"``, ``"gru"``, ``"kernels"``, or a :class:`Training` with its budget.
        arms: Name to (real, synthetic) windows per real window that is learnt from;
            ``arms_at(ratio)`` for other ratios.
        seed: Decides the split, which windows an arm takes, first weights, order, kernels.
        choose: Real windows that no arm learns from and their labels, where there is a validation
            split; all training windows are then learnt from. Never the test windows.

    Returns:
        One prediction per arm. Arms that learn from the same windows share theirs.

    Raises:
        ValueError: If the task, the judge or an arm does not exist, shapes differ, there are too
            few windows, labels hold one class, or an arm asks for more than there is.
    """
    how = Training(judge) if isinstance(judge, str) else judge
    _check(train, synthetic, test, task, choose)
    others = [side[1] for side in (synthetic, test, choose) if side]
    bench = _bench(train, others, task, how, seed, choose)
    tried = bench.side(test[0], test[1])
    truth = tried.y if task == "classify" else np.asarray(test[1], dtype=np.float64)
    blank = Prediction(np.empty(0), truth, bench.classes, bench.rare, _groups(test))
    made, known, found = bench.side(synthetic[0], synthetic[1]), {}, {}
    for name, shares in arms.items():
        counts = _counts(name, shares, len(bench.learn.y), len(made.y))
        if counts not in known:
            fitted = bench.fit(_drawn(bench.learn, made, counts, seed))
            said = fitted.read(tried.x) * bench.unit + bench.level
            about = {"learned": sum(counts), "steps": fitted.steps, "chosen": fitted.chosen}
            known[counts] = replace(blank, said=said, **about)
        found[name] = known[counts]
    return found


def class_reader(
    train: Sides, classes: Array, *, judge: str | Training = "kernels", seed: int = 0
) -> Callable[[Array], Array]:
    """A judge trained on real windows, to read the class of others.

    Args:
        train: Real training windows, their classes, and perhaps their recordings; a fifth of them
            is for choosing, as in :func:`protocols`.
        classes: (class,) every class there may be, ascending; the columns of what is read.
        judge: As in :func:`protocols`.
        seed: Of the judge.

    Returns:
        From windows (window, time, channel) to probabilities (window, class).

    Raises:
        ValueError: If there are too few windows, or one class only.
    """
    how = Training(judge) if isinstance(judge, str) else judge
    _check(train, train, train, "classify")
    bench = _bench(train, [np.asarray(classes)], "classify", how, seed)
    fitted = bench.fit(bench.learn)
    return lambda x: fitted.read(bench.see(x))


def chosen_on(train: Sides, *, task: str, seed: int = 0) -> Array:
    """Which real training windows no arm of :func:`protocols` learns from: the judge's choice.

    A fifth: whole recordings, where at least five are known; otherwise a fifth of every class.

    Args:
        train: As :func:`protocols` takes it.
        task: ``"classify"`` or ``"regress"``.
        seed: Of the protocols.

    Returns:
        (window,) true or false.
    """
    count, groups = len(train[0]), _groups(train)
    classes = np.asarray(train[1]) if task == "classify" else None
    if groups is not None and FOLDS <= len(np.unique(groups)) < count:
        fold = folds_by_group(groups, count, FOLDS, seed)
        if classes is None:
            return fold == 0
        # The fifth after which most classes are left to learn from: recordings may hold one each.
        left = [len(np.unique(classes[fold != k])) for k in range(FOLDS)]
        return fold == int(np.argmax(left))
    order = np.random.default_rng([seed, 20411]).permutation(count)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    held = np.zeros(count, dtype=bool)
    held[order[FOLDS // 2 :: FOLDS]] = True
    return held


def _bench(
    train: Sides,
    others: list[Array],
    task: str,
    how: Training,
    seed: int,
    choose: Sides | None = None,
) -> _Bench:
    x, y = np.asarray(train[0]), np.asarray(train[1])
    held = np.zeros(len(x), bool) if choose else chosen_on(train, task=task, seed=seed)
    if task == "classify":
        every = np.unique(np.concatenate([y, *others]))
        classes, level, unit = tuple(every.tolist()), 0.0, 1.0
        counts = np.bincount(np.searchsorted(every, y), minlength=len(every))
        rare = int(np.where(counts > 0, counts, counts.max() + 1).argmin())

        def number(labels: Array) -> Array:
            return np.searchsorted(every, labels)
    else:
        # The unit of the real training labels, in every arm, as with the windows.
        classes, rare = None, 0
        level, unit = float(np.mean(y)), float(np.std(y)) or 1.0

        def number(labels: Array) -> Array:
            return (np.asarray(labels, dtype=np.float64) - level) / unit

    seen = represent(how, standardise(x, by=x)[0][~held], seed)

    def see(windows: Array) -> Tensor:
        return seen(standardise(windows, by=x)[0])

    whole = _Side(see(x), number(y))
    learn, check = (whole.take(np.flatnonzero(rows)) for rows in (~held, held))
    if choose:
        check = _Side(see(choose[0]), number(choose[1]))
    return _Bench(how, seed, classes, level, unit, see, number, learn, check, rare)


def _counts(name: str, shares: tuple[float, float], real: int, made: int) -> tuple[int, int]:
    counts = round(shares[0] * real), round(shares[1] * real)
    if min(counts) < 0 or sum(counts) < 1:
        raise ValueError(f"arm {name!r} would learn from no window: {shares} of {real} real ones.")
    for count, there, kind in zip(counts, (real, made), ("real", "synthetic"), strict=True):
        if count > there:
            raise ValueError(
                f"arm {name!r} needs {count} {kind} windows; there are {there}. Sample more, or "
                f"take arms_at({made / real:.2g})."
            )
    return counts


def _drawn(real: _Side, made: _Side, counts: tuple[int, int], seed: int) -> _Side:
    """The windows of one arm; a larger arm holds those of a smaller one."""
    rngs = (np.random.default_rng([seed, 20412, k]) for k in range(2))
    parts = [
        side.take(rng.permutation(len(side.y))[:count])
        for side, count, rng in zip((real, made), counts, rngs, strict=True)
    ]
    return _Side(torch.cat([one.x for one in parts]), np.concatenate([one.y for one in parts]))


def _groups(side: Sides) -> Array | None:
    return None if len(side) < 3 or side[2] is None else np.asarray(side[2])


def _check(
    train: Sides, synthetic: Sides, test: Sides, task: str, choose: Sides | None = None
) -> None:
    if task not in TASKS:
        raise ValueError(f"task must be 'classify' or 'regress'; got {task!r}.")
    sides = {"train": train, "synthetic": synthetic, "test": test}
    if choose is not None:
        sides["choose"] = choose
    for name, (x, y, *_) in sides.items():
        if np.ndim(x) != 3 or np.shape(x)[1:] != np.shape(train[0])[1:]:
            raise ValueError(
                f"{name} windows must have shape (window, time, channel), alike on all sides; got "
                f"{np.shape(x)} beside {np.shape(train[0])} for training."
            )
        if len(x) != len(y):
            raise ValueError(f"{name} has {len(x)} windows and {len(y)} labels; give one each.")
        least = FEWEST if name == "train" else 1
        if len(x) < least:
            raise ValueError(f"{name} has {len(x)} windows; at least {least} are needed.")
    if len(np.unique(np.asarray(train[1]))) < 2:
        raise ValueError("the real training windows have one label only: nothing can be learnt.")
