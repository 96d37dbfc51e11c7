"""What labelled synthetic windows are good for: training on them, and asking for a value."""

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.evaluation.arms import FEWEST, Arms
from timeloom.evaluation.case import Case
from timeloom.metrics.discriminator import standardise
from timeloom.metrics.metric import Metric
from timeloom.metrics.record import Record

__all__ = ["labelled_names", "labelled_rows"]

Array = NDArray[Any]

SEEN = (
    24_000  # windows a judge sees in all, so that few windows mean more passes, not less training
)


def _no_function() -> float:
    raise ValueError("this row is measured with its neighbours; call timeloom.evaluate.")


def _metric(name: str, better: str, meaning: str, unit: str = "") -> Metric:
    return Metric(name, _no_function, better, unit, meaning, needs=())


TSTR = {
    "regress": (
        _metric("tstr_rmse", "lower", "Error, on real windows, of a model trained on synthetic."),
        _metric("tstr_mae", "lower", "The same as a mean absolute error."),
    ),
    "classify": (
        _metric(
            "tstr_accuracy",
            "higher",
            "Share right, on real windows, by a model trained on synthetic.",
        ),
        _metric("tstr_balanced_accuracy", "higher", "The same, every class counting alike."),
        _metric("tstr_auroc", "higher", "Its area under the ROC curve, mean over classes."),
        _metric("tstr_auprc", "higher", "Its area under precision and recall, mean over classes."),
    ),
}
STEERING = (
    _metric(
        "steering_spearman",
        "higher",
        "Do windows show the value that was asked for? Rank correlation of asked and read.",
    ),
    _metric("steering_mae", "lower", "How far what is read is from what was asked for."),
)


def labelled_names(task: str | None) -> tuple[str, ...]:
    """The metrics of :func:`labelled_rows`, in order."""
    metrics = () if task is None else TSTR[task]
    return tuple(m.name for m in (*metrics, *(STEERING if task == "regress" else ())))


def labelled_rows(case: Case, arms: list[Arms]) -> Iterator[Record]:
    """Records of train-on-synthetic-test-on-real, and of steering where labels are values."""
    if case.task is None:
        return
    metrics = TSTR[case.task]
    counts = (len(case.real), len(case.synthetic), len(case.reference))
    kinds = [len(np.unique(np.asarray(s.y))) for s in (case.synthetic, case.reference)]
    if min(counts) < FEWEST or min(kinds) < 2:
        every = (*metrics, *(STEERING if case.task == "regress" else ()))
        why = f"{min(counts)} windows and {min(kinds)} label(s) on the smallest side are too few"
        yield from (case.skipped(metric, why) for metric in every)
        return
    yield from _tstr_rows(case, metrics)
    if case.task == "regress":
        yield from _steering_rows(case, arms)


def _tstr_rows(case: Case, metrics: tuple[Metric, ...]) -> Iterator[Record]:
    began = perf_counter()
    figures = [_tstr(case, seed) for seed in case.seeds]
    sizes = figures[0]["sizes"]
    unit = case.real.label_name if case.task == "regress" else "share"
    for metric in metrics:
        key = metric.name.removeprefix("tstr_")
        value, floor, constant = (
            [one[side][key] for one in figures] for side in ("synthetic", "real", "constant")
        )
        # Half of what training on real data gains over saying one constant is far.
        far = max(abs(float(np.mean(constant)) - float(np.mean(floor))) / 2, 1e-9)
        note = (
            f"trained on as many real windows: {np.mean(floor):.3g}; always saying one constant: "
            f"{np.mean(constant):.3g}; the copy machine is training on real"
        )
        yield case.measured(
            replace(metric, far=far, unit=unit),
            {"value": value, "floor": floor, "copy": floor},
            sizes=sizes,
            began=began,
            note=note,
        )
        began = perf_counter()


def _tstr(case: Case, seed: int) -> dict[str, Any]:
    """One seed: as many synthetic and real windows, as many steps, the same real test windows."""
    from timeloom.metrics.utility import tstr_classification, tstr_regression

    train = tstr_regression if case.task == "regress" else tstr_classification
    size = min(case.limit, len(case.synthetic), len(case.reference))
    sides = (
        (case.synthetic, size),
        (case.reference, size),
        (case.real, min(case.limit, len(case.real))),
    )
    rng = np.random.default_rng([seed, 91])
    drawn = [side[rng.choice(len(side), count, replace=False)] for side, count in sides]
    # One scale for all, the real training one's; what was not measured becomes its mean.
    x = standardise(*(one.x for one in drawn), by=case.reference.x)
    y = _numbers(case, [np.asarray(one.y) for one in drawn])
    how = {"seed": seed, "epochs": int(np.clip(-(-SEEN // size), 6, 60))}
    return {
        "synthetic": train(x[0], y[0], x[2], y[2], groups=drawn[0].series, **how),
        "real": train(x[1], y[1], x[2], y[2], groups=drawn[1].series, **how),
        "constant": _constant(case.task, y[1], y[2]),
        "sizes": {"synthetic": size, "train": size, "real": len(x[2])},
    }


def _numbers(case: Case, labels: list[Array]) -> list[Array]:
    """Values as they are; classes as their place among all classes."""
    if case.task == "regress":
        return [y.astype(np.float64) for y in labels]
    classes = np.unique(
        np.concatenate([np.asarray(s.y) for s in (case.real, case.synthetic, case.reference)])
    )
    return [np.searchsorted(classes, y) for y in labels]


def _constant(task: str | None, train_y: Array, test_y: Array) -> dict[str, float]:
    """What is scored without looking at the window at all."""
    if task == "regress":
        return {
            "rmse": float(np.sqrt(np.mean((test_y - train_y.mean()) ** 2))),
            "mae": float(np.mean(np.abs(test_y - np.median(train_y)))),
        }
    most = np.bincount(train_y).argmax()
    present = len(np.unique(test_y))
    return {
        "accuracy": float(np.mean(test_y == most)),
        "balanced_accuracy": 1 / present,
        "auroc": 0.5,
        "auprc": 1 / present,
    }


def _steering_rows(case: Case, arms: list[Arms]) -> Iterator[Record]:
    size = min(len(one.real.x) for one in arms)
    if size < FEWEST:
        why = f"{size} windows a side have labels in common, fewer than {FEWEST}"
        yield from (case.skipped(metric, why) for metric in STEERING)
        return
    began = perf_counter()
    read = [_read(case, one, seed) for one, seed in zip(arms, case.seeds, strict=True)]
    per_seed = [
        {side: [one[side][k] for one in read] for side in ("value", "floor", "copy")}
        for k in range(2)
    ]
    error = float(np.mean(per_seed[1]["floor"]))
    sizes = {"real": size, "synthetic": size, "train": min(case.limit, len(case.reference))}
    note = "a regressor trained on training windows reads; the floor is its own on unseen real ones"
    rank, distance = STEERING
    yield case.measured(replace(rank, far=0.25), per_seed[0], sizes=sizes, began=began, note=note)
    yield case.measured(
        replace(distance, far=1.5 * error, unit=case.real.label_name, copies="bad"),
        per_seed[1],
        sizes=sizes,
        began=perf_counter(),
        note=note,
        small=0.5 * error,
    )


def _read(case: Case, arms: Arms, seed: int) -> dict[str, tuple[float, float]]:
    """Spearman and mean absolute error between labels and what a real-trained regressor reads."""
    from scipy.stats import spearmanr

    from timeloom.metrics.judging import train_judge

    rng = np.random.default_rng([seed, 92])
    size = min(case.limit, len(case.reference))
    learn = case.reference[rng.choice(len(case.reference), size, replace=False)]
    sides = {"value": arms.synthetic, "floor": arms.real, "copy": arms.copy}
    x = standardise(learn.x, *(part.x for part in sides.values()), by=case.reference.x)
    epochs = int(np.clip(-(-SEEN // size), 6, 60))
    told = np.asarray(learn.y, dtype=np.float64)
    judge = train_judge(x[0], told, outputs=1, seed=seed, groups=learn.series, epochs=epochs)
    figures = {}
    for (name, part), windows in zip(sides.items(), x[1:], strict=True):
        seen, asked = judge(windows), np.asarray(part.y, dtype=np.float64)
        ranked = np.ptp(seen) > 0 and np.ptp(asked) > 0
        rank = float(np.asarray(spearmanr(seen, asked))[0]) if ranked else 0.0
        figures[name] = (rank, float(np.mean(np.abs(seen - asked))))
    return figures
