"""Will synthetic windows help? Asked of labelled windows before any generator is trained."""

from dataclasses import asdict, replace
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.advice.answer import Advice
from timeloom.advice.cross import RESAMPLES, Crossed, crossed, drawn, shuffled
from timeloom.advice.feasible import feasible
from timeloom.advice.gradients import pull
from timeloom.advice.headroom import headroom
from timeloom.advice.layout import Layout, lay_out, taken
from timeloom.advice.verdict import CHANCE, Found, decide, plan
from timeloom.data.describe import label_kind
from timeloom.data.windows import Windows
from timeloom.methods.estimator import as_windows

__all__ = ["FEWEST", "LIMIT", "TASKS", "advise", "check_task"]

Array = NDArray[Any]

TASKS = ("classify",)
FEWEST = 5  # windows of a class: one for each fold
LIMIT = 2000  # windows that the probe is shown
VALUES = 8_000_000  # values that it is shown, so that long windows take no longer
KEPT = 30  # windows of a class that a subsample keeps, where there are so many


def advise(
    windows: Windows | ArrayLike,
    y: ArrayLike | None = None,
    *,
    test: Windows | tuple[ArrayLike, ArrayLike] | None = None,
    task: str = "classify",
    seed: int = 0,
    limit: int = LIMIT,
) -> Advice:
    """Says whether synthetic windows are likely to help a classifier, in CPU seconds.

    A cheap probe (random convolutions and a ridge) is cross-validated: is there anything to learn,
    are the classes uneven and rare windows harder than rarity explains, would more data help, and
    could the test set show it? See ``docs/advise.md`` for what each figure means.

    Args:
        windows: Training windows (window, time, channel) with their classes. Folds hold whole
            recordings where ``series`` names fewer recordings than windows.
        y: (window,) classes, where ``windows`` is an array or has none.
        test: Test windows with their classes. They are counted, and looked for among the training
            windows; no score is ever taken on them.
        task: ``"classify"``; there is no other yet.
        seed: Of folds, kernels, shuffled labels and resamples.
        limit: Windows that the probe is shown at most: beyond, a part of each class is drawn.

    Returns:
        A verdict (``"yes"``, ``"limited"``, ``"no"``), reasons, figures.

    Raises:
        ValueError: If the task is unknown, labels are missing, are values or of one class, a class
            has fewer than 5 windows, a value is infinite, or the test windows have other channels,
            another length or other classes.
    """
    check_task(task)
    began = process_time()
    given = _checked(_windows(windows, y), "training")
    beside = None if test is None else _checked(_test(test), "test")
    classes, told = np.unique(np.asarray(given.y), return_inverse=True)
    _check_classes(given, classes, np.bincount(told))
    tested = None if beside is None else _test_counts(given, beside, classes)
    measured, found = _measured(given, told, (beside, tested), limit, seed)
    verdict, reasons = decide(measured)
    figures = _figures(measured, found, verdict)
    return Advice(verdict, reasons, figures | {"seed": seed, "cpu_seconds": process_time() - began})


def _measured(
    given: Windows, told: Array, test: tuple[Windows | None, Array | None], limit: int, seed: int
) -> tuple[Found, Crossed]:
    """Everything that is measured; ``told`` are classes from 0, ``test`` comes with its counts."""
    beside, tested = test
    counts = np.bincount(told)
    rows = _subsample(given, told, limit, seed)
    part, few = given[rows], told[rows]
    whole = lay_out(given, told)
    layout = taken(whole, rows)
    # Where rare classes were favoured, labels shuffled among all windows hold too few of them.
    fair = np.bincount(few).min() <= counts.min() * len(rows) / len(given) + 1
    null = shuffled(whole, seed, rows) if fair else shuffled(layout, seed)
    found = crossed(part.x, layout, null, seed=seed)
    weights = _resampled(layout, seed)
    # A resample without a window of some class says nothing of it.
    whole_ones = np.all([weights[:, few == c].sum(axis=1) > 0 for c in np.unique(few)], axis=0)
    weights = weights[whole_ones] if whole_ones.any() else weights
    areas = drawn(found.said, few, np.vstack([np.ones((1, len(few))), weights]))
    low, high = np.quantile(areas[1:], [0.025, 0.975])
    names = tuple(map(str, np.unique(np.asarray(given.y)).tolist()))
    places = [len(np.unique(whole.unit[told == c])) for c in range(len(names))]
    share = len(rows) / len(given)
    sizes = counts if tested is None else tested
    measured = Found(
        names,
        tuple(counts.tolist()),
        (float(areas[0]), float(low), float(high)),
        float(np.quantile(found.chance, 1 - CHANCE)),
        float((1 + (found.chance >= areas[0]).sum()) / (1 + len(found.chance))),
        layout.kind,
        _same_time(part, layout, seed),
        len(rows),
        pull(found.norms, few, weights),
        headroom(found, layout, weights, sizes, share, seed=seed),
        feasible(given, told, beside),
        None if tested is None else tuple(tested.tolist()),
        given.shape,
        tuple(name for name, held in zip(names, places, strict=True) if held < 2),
    )
    return measured, found


def _windows(windows: Windows | ArrayLike, y: ArrayLike | None) -> Windows:
    if isinstance(windows, Windows) and windows.y is None and y is not None:
        return replace(windows, y=np.asarray(y))
    return as_windows(windows, y)


def check_task(task: str) -> None:
    """Refuses what cannot be advised on.

    Raises:
        ValueError: If the task is unknown.
    """
    if task not in TASKS:
        raise ValueError(
            f"task must be 'classify'; got {task!r}. For labels that are values make classes of "
            "them first, for example: does it fail within 30 cycles?"
        )


def _checked(windows: Windows, side: str) -> Windows:
    if windows.y is None:
        raise ValueError(
            f"every one of the {side} windows needs a class; there are no labels. Name their "
            "column (--label), or pass y."
        )
    y = np.asarray(windows.y)
    gone = np.array([one is None or one == "" or one != one for one in y.tolist()], dtype=bool)
    if gone.any():
        raise ValueError(
            f"every one of the {side} windows needs a class; {int(gone.sum())} of {len(y)} labels "
            "are missing. Leave these windows out."
        )
    if label_kind(y) == "value":
        raise ValueError(
            f"the {side} labels '{windows.label_name}' are values, from {y.min():g} to "
            f"{y.max():g}; advise knows --task classify only. Make classes of them first, for "
            "example: is it below 30?"
        )
    flat = windows.x.reshape(-1, windows.shape[1])
    for name, column in zip(windows.channels, flat.T, strict=True):
        if np.isinf(column).any():
            raise ValueError(
                f"every value must be finite or NaN; channel '{name}' of the {side} windows holds "
                "inf. Replace it by NaN."
            )
        if side == "training" and np.isnan(column).all():
            raise ValueError(f"channel '{name}' holds no measured value. Leave it out.")
    return windows


def _check_classes(windows: Windows, classes: Array, counts: Array) -> None:
    if len(classes) < 2:
        raise ValueError(
            f"at least two classes are needed; all {len(windows)} training labels are the same"
            + (f" ({classes[0]})." if len(classes) else ".")
            + " Bring windows of another class."
        )
    few = [f"{name} has {count}" for name, count in zip(classes, counts, strict=True)]
    few = [one for one, count in zip(few, counts, strict=True) if count < FEWEST]
    if few:
        raise ValueError(
            f"every class needs at least {FEWEST} training windows; class {', '.join(few[:5])}. "
            "Bring more, merge it with another class, or leave it out."
        )


def _test(test: Windows | tuple[ArrayLike, ArrayLike]) -> Windows:
    return as_windows(*test) if isinstance(test, tuple) else as_windows(test)


def _test_counts(windows: Windows, test: Windows, classes: Array) -> Array:
    if test.channels != windows.channels:
        raise ValueError(
            f"test windows must have the channels {', '.join(windows.channels)}; got "
            f"{', '.join(test.channels)}."
        )
    if test.shape != windows.shape:
        raise ValueError(
            f"test windows must have {windows.shape[0]} time points, like the training windows; "
            f"got {test.shape[0]}. Cut both alike."
        )
    y = np.asarray(test.y)
    strange = np.unique(y[~np.isin(y, classes)]).tolist()
    if strange:
        raise ValueError(
            f"test windows must be of the classes {', '.join(map(str, classes.tolist()[:9]))}; got "
            f"{', '.join(map(str, strange[:5]))}, which no training window has."
        )
    return np.bincount(np.searchsorted(classes, y), minlength=len(classes))


def _subsample(windows: Windows, y: Array, limit: int, seed: int) -> Array:
    """Rows to show the probe: all, or a part of each class in proportion, no class below 30."""
    limit = min(limit, max(LIMIT // 4, VALUES // (windows.shape[0] * windows.shape[1])))
    if len(y) <= limit:
        return np.arange(len(y))
    rng = np.random.default_rng([seed, 20424])
    chosen = []
    for c, count in enumerate(np.bincount(y)):
        size = max(min(count, KEPT), round(limit * count / len(y)))
        chosen.append(rng.permutation(np.flatnonzero(y == c))[:size])
    return np.sort(np.concatenate(chosen))


def _resampled(layout: Layout, seed: int) -> Array:
    """(resample, window) how often each window is drawn; what hangs together is drawn together."""
    rng = np.random.default_rng([seed, 20425])
    count = int(layout.unit.max()) + 1
    return rng.multinomial(count, np.full(count, 1 / count), RESAMPLES)[:, layout.unit]


def _same_time(windows: Windows, layout: Layout, seed: int) -> float | None:
    """AUROC where windows of other recordings at the same time may be learnt from."""
    if layout.kind != "times":
        return None
    plain = Layout(
        "recordings", layout.y, layout.series, layout.start, layout.length, layout.series
    )
    found = crossed(windows.x, plain, seed=seed)
    return float(drawn(found.said, layout.y, np.ones((1, len(layout.y))))[0])


def _figures(measured: Found, found: Crossed, verdict: str) -> dict[str, Any]:
    value, low, high = measured.area
    room = measured.headroom
    total = sum(measured.counts)
    classes = measured.classes
    return {
        "task": "classify",
        "windows": total,
        "windows_seen": measured.looked,
        "time": measured.shape[0],
        "channels": measured.shape[1],
        "folds": measured.kind,
        "level": measured.level,
        "auroc": value,
        "auroc_low": low,
        "auroc_high": high,
        "auroc_shuffled": float(found.chance.mean()),
        "auroc_shuffled_95": measured.chance,
        "p_shuffled": measured.p,
        "auroc_same_time": measured.same_time,
        "counts": dict(zip(classes, measured.counts, strict=True)),
        "shares": {n: k / total for n, k in zip(classes, measured.counts, strict=True)},
        "gradient_norms": dict(zip(classes, measured.pull.norms, strict=True)),
        "gradient_ratio": measured.pull.ratio,
        "gradient_ratio_null": measured.pull.null,
        "gradient_excess": measured.pull.excess,
        "gradient_excess_low": measured.pull.low,
        "gradient_excess_high": measured.pull.high,
        "curve_sizes": room.sizes,
        "curve": room.curve,
        "gain_of_doubling": room.gain,
        "gain_of_doubling_low": room.low,
        "gain_of_doubling_high": room.high,
        "test_counts": measured.test and dict(zip(classes, measured.test, strict=True)),
        "error_of_auroc": room.error,
        "error_of_gain": room.error_of_gain,
        "detectable_gain": room.detectable,
        "gain_measurable": room.measurable,
        "windows_per_value": total / (measured.shape[0] * measured.shape[1]),
        "feasible": asdict(measured.feasible),
        "advice": plan(measured, verdict),
    }
