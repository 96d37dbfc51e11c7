"""What can be counted on whole sets: the same window twice, other units, gaps where none were."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.evaluation.arms import label_bins
from timeloom.evaluation.case import Case
from timeloom.metrics.metric import Metric
from timeloom.metrics.record import Record

__all__ = ["WHOLE", "whole_metrics", "whole_rows"]

Array = NDArray[Any]

NEARLY_ALL = 0.99
UNITS = 100.0  # ratio of spreads beyond which other units are more likely than a bad generator


def _counted_elsewhere() -> float:
    raise ValueError("this row is counted on whole sets; call timeloom.evaluate.")


WHOLE = (
    Metric(
        "identical_share",
        _counted_elsewhere,
        "lower",
        "share",
        "How many synthetic windows are, number for number, a real or a training window.",
        about="novelty",
        needs=(),
        far=0.01,
        copies="bad",
        smallest=1,
    ),
    Metric(
        "repeated_share",
        _counted_elsewhere,
        "lower",
        "share",
        "How many synthetic windows are, number for number, an earlier synthetic one.",
        about="variety",
        needs=(),
        far=0.01,
        copies="bad",
        smallest=1,
    ),
    Metric(
        "missing_label_share",
        _counted_elsewhere,
        "lower",
        "share",
        "How many real windows have a label (a class, or a range of values) that no synthetic has.",
        about="variety",
        needs=(),
        far=0.05,
        copies="bad",
    ),
    Metric(
        "scale_ratio",
        _counted_elsewhere,
        "lower",
        "times",
        "How many times wider or narrower the worst channel is than in reality (100: other units).",
        about="values",
        needs=(),
        far=9.0,  # ten times wider: spread_error judges smaller departures
        copies="bad",
        ideal=1.0,
    ),
    Metric(
        "missing_share_error",
        _counted_elsewhere,
        "lower",
        "share",
        "How far the share of missing values of the worst channel is from the real one.",
        about="values",
        needs=(),
        far=0.2,
        copies="bad",
    ),
)


def whole_metrics(task: str | None) -> tuple[Metric, ...]:
    """The metrics of :func:`whole_rows`, in order."""
    return tuple(m for m in WHOLE if task is not None or m.name != "missing_label_share")


def whole_rows(case: Case) -> Iterator[Record]:
    """Records that no sample could give: every window counts, nothing is drawn.

    The floor of the first two is counted among real windows: what reality repeats (a constant
    sensor), a generator may repeat.
    """
    count = {
        "identical_share": _identical,
        "repeated_share": _repeated,
        "missing_label_share": _labels,
        "scale_ratio": _scale,
        "missing_share_error": _missing,
    }
    sizes = {
        "real": len(case.real),
        "synthetic": len(case.synthetic),
        "train": 0 if case.blind else len(case.reference),
    }
    seeds = len(case.seeds)
    for metric in whole_metrics(case.task):
        began = perf_counter()
        if min(len(case.real), len(case.synthetic)) < metric.smallest:
            yield case.skipped(metric, f"fewer than {metric.smallest} windows on a side")
            continue
        figures, note = count[metric.name](case)
        per_seed = {side: [figure] * seeds for side, figure in figures.items()}
        yield replace(
            case.measured(metric, per_seed, sizes=sizes, began=began, note=note),
            settings={"task": case.task, "interval": "none: every window is counted"},
        )


def _keys(*sides: Windows) -> list[Array]:
    """For each side one number per window: equal windows have equal ones, others hardly ever."""
    kind = np.result_type(*(side.x for side in sides))
    if any(side.x.dtype != kind for side in sides):
        kind = np.dtype(np.float32)  # what was stored in single precision is compared in it
    return [
        np.fromiter(
            (hash(window.astype(kind).tobytes()) for window in side.x), np.int64, count=len(side)
        )
        for side in sides
    ]


def _identical(case: Case) -> tuple[dict[str, float], str]:
    whole = case.real if case.whole is None else case.whole
    made, real, train = _keys(case.synthetic, whole, case.reference)
    among_real = float(np.isin(made, real).mean())
    share = float(np.isin(made, np.concatenate([real, train])).mean())
    floor = 0.0 if case.blind else float(np.isin(real, train).mean())
    notes = []
    if floor > NEARLY_ALL:
        said = (
            "nearly every held-out real window is a training window: the same file stands for both"
        )
        notes.append(said)
        # Everything measured beside real data is worthless then, so it is said at once as well.
        warnings.warn(f"{said}, and no figure beside real data holds.", stacklevel=1)
        floor = 0.0
    if among_real > NEARLY_ALL:
        notes.append(
            "nearly every synthetic window is one of the held-out real ones: was the same file "
            "given twice?"
        )
    elif among_real:
        notes.append(f"{among_real:.1%} of them are windows of the held-out real set")
    return {"value": share, "floor": floor, "copy": 1.0}, "; ".join(notes)


def _repeated(case: Case) -> tuple[dict[str, float], str]:
    sides = (case.synthetic, case.real, case.reference)
    # The more windows of coarse values, the more of them are alike: equal numbers on all sides.
    size = min(map(len, sides))
    rng = np.random.default_rng(20411)
    drawn = [side[np.sort(rng.permutation(len(side))[:size])] for side in sides]
    shares = [1 - len(np.unique(keys)) / max(size, 1) for keys in _keys(*drawn)]
    return dict(zip(("value", "floor", "copy"), shares, strict=True)), ""


def _labels(case: Case) -> tuple[dict[str, float], str]:
    sides = [np.asarray(s.y) for s in (case.real, case.synthetic, case.reference)]
    real, made, train = label_bins(sides, case.task)
    missing = [float((~np.isin(real, other)).mean()) for other in (made, train)]
    note = ""
    if missing[0]:
        gone = np.unique(sides[0][~np.isin(real, made)])
        shown = ", ".join(map(str, gone[:5])) + (", ..." if len(gone) > 5 else "")
        note = f"no synthetic window has the label {shown}, so nothing else is measured of these"
    return {"value": missing[0], "floor": missing[1], "copy": missing[1]}, note


def _scale(case: Case) -> tuple[dict[str, float], str]:
    spreads = [_spread(side) for side in (case.real, case.synthetic, case.reference)]
    real, made, train = spreads
    varies = (real > 0) & (made > 0)
    if not varies.any():
        return {"value": float("nan"), "floor": 1.0}, ""
    ratio = np.where(varies, made / np.where(real > 0, real, 1), 1.0)
    worst = int(np.argmax(np.abs(np.log(np.where(varies, ratio, 1.0)))))
    apart = float(max(ratio[worst], 1 / ratio[worst]))
    other = np.where((real > 0) & (train > 0), train / np.where(real > 0, real, 1), 1.0)
    floor = float(np.exp(np.abs(np.log(np.where(other > 0, other, 1.0))).max()))
    note = ""
    if apart > UNITS:
        name = case.real.channels[worst]
        note = (
            f"the spread of {name} is {made[worst]:.3g} in the synthetic and {real[worst]:.3g} in "
            "the real windows: check that both have the same units"
        )
    return {"value": apart, "floor": floor, "copy": floor}, note


def _spread(windows: Windows) -> Array:
    """(channel,) standard deviation over windows and time; 0 where nothing was measured."""
    # Whole windows are left out, never time points: these may well differ from each other.
    step = max(1, windows.x.shape[0] * windows.shape[0] // 500_000)
    rows = windows.x[::step].reshape(-1, windows.shape[1]).astype(np.float64)
    known = ~np.isnan(rows).all(axis=0)
    spread = np.zeros(rows.shape[1])
    if known.any() and len(rows):
        spread[known] = np.nanstd(rows[:, known], axis=0)
    return spread


def _missing(case: Case) -> tuple[dict[str, float], str]:
    real, made, train = (
        np.isnan(side.x).mean(axis=(0, 1)) if len(side) else np.zeros(side.shape[1])
        for side in (case.real, case.synthetic, case.reference)
    )
    note = ""
    if real.any() and not made.any():
        # Generators that fill every point are the rule; a comparison then gives them the same gaps.
        note = "synthetic windows have no gaps: that is no fault"
        made = real
    apart = float(np.abs(made - real).max())
    floor = float(np.abs(train - real).max())
    return {"value": apart, "floor": floor, "copy": floor}, note
