"""Which synthetic windows come nearest to a training window, and how alike do the two look?"""

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.metrics.privacy import Pair, closest_pairs
from timeloom.report.sides import Panel, Plot, Sides, scaled
from timeloom.report.traces import line

__all__ = ["gallery"]

Array = NDArray[Any]

PAIRS = 6
SHIFTS = 3
SYNTHETIC, TRAIN, UNSEEN = 2000, 10_000, 400  # windows looked at, at most
SHOWN = 3  # channels of each pair
GAP = 0.06  # between two of them, as a share of the picture


def gallery(sides: Sides) -> Panel:
    """The closest pairs of a synthetic and a training window, one over the other."""
    title = "Closest to the training windows"
    train = sides.trained if sides.trained is not None else sides.train
    if train is None or not len(train) or not len(sides.asked[1]):
        return Panel(title, "The training windows were not given, so none can be compared.", [])
    rng = np.random.default_rng([sides.seed, 5])
    made = _some(sides.asked[1], SYNTHETIC, rng)
    known = _some(train, TRAIN, rng)
    unseen = _some(sides.real, UNSEEN, rng)
    held_out = unseen.x if len(unseen) else None
    pairs = closest_pairs(made.x, known.x, PAIRS, SHIFTS, held_out=held_out)
    if not pairs:
        return Panel(title, "No two windows have enough measured points in common.", [])
    looked = " and ".join(
        f"{'all' if len(few) == len(every) else f'{len(few):,} of'} {len(every):,} {name}"
        for few, every, name in ((made, sides.asked[1], "synthetic"), (known, train, "training"))
    )
    text = (
        f"The {len(pairs)} synthetic windows that come nearest to one they may have been copied "
        f"from, shifted by up to {SHIFTS} time points ({looked} windows were looked at). A copy "
        "lies on its original in every channel; a distance near 1 × unseen real is no copy. The "
        f"{min(SHOWN, made.shape[1])} channels that move most are drawn, in training spreads."
    )
    sets = scaled([made, known], known)
    plots = [_plot(pair, sets, made) for pair in pairs]
    return Panel(title, text, plots, ("synthetic", "training"))


def _plot(pair: Pair, sets: tuple[Array, ...], made: Windows) -> Plot:
    """One pair: a strip for each of the channels that vary most in the training window."""
    ours, theirs = sets[0][pair.synthetic], sets[1][pair.train]
    chosen = np.sort(np.argsort(-theirs.std(axis=0), kind="stable")[:SHOWN])
    times = np.arange(len(ours))
    traces, layout = [], {"xaxis": {"title": {"text": "time step"}, "anchor": "y"}}
    height = (1 - GAP * (len(chosen) - 1)) / len(chosen)
    for place, c in enumerate(chosen, start=1):
        # Training below, synthetic above it: where the two agree, the grey disappears.
        traces.append(line(times + pair.shift, theirs[:, c], "training", axis=place))
        traces.append(line(times, ours[:, c], "synthetic", axis=place))
        low = (place - 1) * (height + GAP)
        layout["yaxis" if place == 1 else f"yaxis{place}"] = {
            "domain": [round(low, 3), round(low + height, 3)],
            "title": {"text": escape(_cut(made.channels[c])), "standoff": 2},
            "nticks": 3,
            "zeroline": False,
        }
    moved = f", shift {pair.shift:+d}" if pair.shift else ""
    times_unseen = f", {pair.ratio:.2f} × unseen real" if np.isfinite(pair.ratio) else ""
    title = f"Distance {pair.distance:.3g}{times_unseen}{moved}"
    told = f"{title}: synthetic and training window over each other, {len(chosen)} channels."
    return Plot(title, traces, layout, "tall", told)


def _cut(name: str) -> str:
    return name if len(name) <= 12 else name[:11] + "…"


def _some(windows: Windows, count: int, rng: np.random.Generator) -> Windows:
    if len(windows) <= count:
        return windows
    return windows[np.sort(rng.choice(len(windows), count, replace=False))]
