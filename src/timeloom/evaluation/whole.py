"""What can be counted on whole sets: the same window twice, other units, gaps where none were."""

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.evaluation.case import Case
from timeloom.metrics.metric import Metric
from timeloom.metrics.record import Record

__all__ = ["WHOLE", "whole_rows"]

Array = NDArray[Any]

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
        "scale_ratio",
        _counted_elsewhere,
        "lower",
        "times",
        "How many times wider or narrower the worst channel is than in reality (100: other units).",
        about="values",
        needs=(),
        far=1.0,
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


def whole_rows(case: Case) -> Iterator[Record]:
    """Records that no sample could give: every window counts, nothing is drawn.

    The floor of the first two is counted among real windows: what reality repeats (a constant
    sensor), a generator may repeat.
    """
    identical, repeated, scale, missing = WHOLE
    sizes = {
        "real": len(case.real),
        "synthetic": len(case.synthetic),
        "train": 0 if case.blind else len(case.reference),
    }
    seeds = len(case.seeds)
    for metric, figures, note in (
        (identical, *_identical(case)),
        (repeated, *_repeated(case)),
        (scale, *_scale(case)),
        (missing, *_missing(case)),
    ):
        began = perf_counter()
        if min(len(case.real), len(case.synthetic)) < metric.smallest:
            yield case.skipped(metric, f"fewer than {metric.smallest} windows on a side")
            continue
        per_seed = {side: [figure] * seeds for side, figure in figures.items()}
        yield replace(
            case.measured(metric, per_seed, sizes=sizes, began=began, note=note),
            settings={"task": case.task, "interval": "none: every window is counted"},
        )


def _keys(windows: Windows) -> Array:
    """One number per window: equal windows have equal ones (and others hardly ever)."""
    return np.fromiter(
        (hash(window.tobytes()) for window in windows.x.astype(np.float32)),
        dtype=np.int64,
        count=len(windows),
    )


def _identical(case: Case) -> tuple[dict[str, float], str]:
    made, real, train = (_keys(side) for side in (case.synthetic, case.real, case.reference))
    among_real = float(np.isin(made, real).mean()) if len(made) else 0.0
    share = float(np.isin(made, np.concatenate([real, train])).mean()) if len(made) else 0.0
    note = ""
    if among_real > 0.99:
        note = (
            "nearly every synthetic window is one of the held-out real ones: was the same file "
            "given twice?"
        )
    elif among_real:
        note = f"{among_real:.1%} of them are windows of the held-out real set"
    floor = float(np.isin(real, train).mean()) if len(real) else 0.0
    return {"value": share, "floor": floor, "copy": 1.0}, note


def _repeated(case: Case) -> tuple[dict[str, float], str]:
    shares = {}
    for name, side in (("value", case.synthetic), ("floor", case.real), ("copy", case.reference)):
        shares[name] = 1 - len(np.unique(_keys(side))) / max(len(side), 1)
    return shares, ""


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
    flat = windows.x.reshape(-1, windows.shape[1])
    rows = flat[:: max(1, len(flat) // 200_000)].astype(np.float64)
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
