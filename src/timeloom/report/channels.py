"""How far apart are real and synthetic windows in each channel, and in what?"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.metrics.fidelity.values import channel_distances
from timeloom.metrics.moments import autocorrelation, spectrum, spread_ratio
from timeloom.report.sides import Sides, short

__all__ = ["COLUMNS", "Column", "channel_pages"]

Array = NDArray[Any]

DRAWN = 2000  # windows a side
LINES = 4  # windows drawn per side and label
POINTS = 240  # of a drawn window at most
NUMBERS = 400_000  # in all drawn windows: about 2.5 MB of page
VALUES = 20_000_000  # in the windows looked at, so that memory does not grow with channels
BINS = 40
LAGS = 48
FREQUENCIES = 64
POWER = 1e-9  # share of a channel's largest power below which there is nothing to see


class Column(NamedTuple):
    """One way in which two channels differ.

    Attributes:
        name: Over the column.
        unit: Of its numbers.
        far: A difference that the measures of the same kind call failed.
        told: What it is, in a sentence.
    """

    name: str
    unit: str
    far: float
    told: str


COLUMNS = (
    Column("Values", "sd", 0.3, "How far values must be moved to be distributed as real ones."),
    Column("Spread", "log", 0.3, "Logarithm of the ratio of the two standard deviations."),
    Column("Steps", "log", 0.3, "The same of first differences: too smooth or too rough."),
    Column("Memory", "", 0.1, "Mean difference of the two autocorrelations."),
    Column("Spectrum", "dB", 3.0, "Mean difference of the power at each frequency."),
)


class _Pair(NamedTuple):
    real: Array
    synthetic: Array


def channel_pages(sides: Sides) -> dict[str, Any] | None:
    """What the page needs to draw any one channel: JSON values, channels by distance.

    Returns:
        ``channels``: per channel its name, distances, figures and curves, the channel that is
        furthest off first; and what they share: ``groups`` of labels, ``columns``, ``stride``,
        ``frequencies``. None where a side is empty.
    """
    count = max(10, min(DRAWN, VALUES // max(1, 2 * int(np.prod(sides.real.shape)))))
    real, synthetic = sides.pair(count)
    if not len(real) or not len(synthetic):
        return None
    pair = _Pair(real.x, synthetic.x)
    memory = _Pair(*(_memory(x) for x in pair))
    power = _Pair(*(_power(x) for x in pair))
    distances = _distances(pair, memory, power)
    far = np.array([column.far for column in COLUMNS])
    worst = np.nan_to_num(distances / far).max(axis=1)
    empty = [np.isnan(x).all(axis=(0, 1)) for x in pair]
    worst = np.where(empty[0] != empty[1], np.inf, worst)  # nothing to compare is furthest off
    groups, stride, lines = _lines(sides)
    every = power.real.shape[0]
    kept = np.unique(np.linspace(0, every - 1, min(every, FREQUENCIES)).round().astype(int))
    channels = []
    for c in np.argsort(-worst, kind="stable"):
        channels.append(
            {
                "name": real.channels[c],
                "far": [_rounded(one) for one in distances[c]],
                "worst": _rounded(float(worst[c])),
                "lines": [lines(group, int(c)) for group in range(len(groups))],
                "values": _histogram(_Pair(*(x[:, :, c] for x in pair))),
                "steps": _histogram(_Pair(*(np.diff(x[:, :, c], axis=1) for x in pair))),
                "memory": [short(one[:, c], 1.0) for one in memory],
                "power": [short(_decibels(one)[kept, c], 10.0) for one in power],
                "figures": _figures(_Pair(*(x[:, :, c] for x in pair))),
            }
        )
    return {
        "channels": channels,
        "groups": groups,
        "columns": [column._asdict() for column in COLUMNS],
        "stride": stride,
        "frequencies": (kept + 1).tolist(),
        "windows": [len(real), len(synthetic)],
    }


def _distances(pair: _Pair, memory: _Pair, power: _Pair) -> Array:
    """(channel, column) differences; NaN where one cannot be measured."""
    count = pair.real.shape[2]
    nothing = np.full(count, np.nan)
    longer = pair.real.shape[1] > 1
    with np.errstate(invalid="ignore", divide="ignore"):
        decibels = np.abs(_decibels(power.real) - _decibels(power.synthetic))
    return np.stack(
        [
            channel_distances(*pair),
            spread_ratio(*pair),
            spread_ratio(*(np.diff(x, axis=1) for x in pair)) if longer else nothing,
            _mean(np.abs(memory.real - memory.synthetic)),
            _mean(decibels),
        ],
        axis=1,
    )


def _mean(values: Array) -> Array:
    """Mean over the first axis of what is finite: (channel,)."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _memory(x: Array) -> Array:
    if x.shape[1] < 2:
        return np.full((0, x.shape[2]), np.nan)
    return autocorrelation(x, lags=LAGS)


def _power(x: Array) -> Array:
    if x.shape[1] < 2:
        return np.full((0, x.shape[2]), np.nan)
    return spectrum(x)


def _decibels(power: Array) -> Array:
    """Power in decibels; NaN where a channel does not move."""
    if not len(power):
        return power
    known = np.where(np.isfinite(power), power, 0)
    largest = known.max(axis=0)
    floor = np.where(largest > 0, largest, np.nan) * POWER
    return 10 * np.log10(np.maximum(np.where(largest > 0, known, np.nan), floor))


def _histogram(pair: _Pair) -> list[Any]:
    """First and last edge, then the share of each bin for each side; empty without values."""
    known = [side[np.isfinite(side)].astype(np.float64) for side in pair]
    pooled = np.concatenate(known)
    if not len(pooled):
        return []
    low, high = np.quantile(pooled, [0.001, 0.999])
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        margin = 0.5 * max(1.0, 1e-3 * abs(low))
        low, high = low - margin, high + margin
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(side, edges)[0] / max(len(side), 1) for side in known]
    return [*(float(f"{edge:.7g}") for edge in (low, high)), *(short(s, 0.1) for s in shares)]


def _figures(pair: _Pair) -> list[list[float | None]]:
    """Mean, standard deviation, least, greatest and share missing: one pair of numbers each."""
    rows = []
    for side in pair:
        known = side[np.isfinite(side)].astype(np.float64)
        missing = 1 - len(known) / max(side.size, 1)
        if len(known):
            rows.append([known.mean(), known.std(), known.min(), known.max(), missing])
        else:
            rows.append([None] * 4 + [missing])
    return [
        [None if v is None else float(f"{v:.6g}") for v in pair] for pair in zip(*rows, strict=True)
    ]


def _rounded(value: float) -> float | None:
    return float(f"{value:.3g}") if np.isfinite(value) else None


def _lines(sides: Sides) -> tuple[list[str], int, Any]:
    """Names of the groups of labels, every how many points are drawn, and the drawn windows."""
    alike = _alike(sides.real, sides.synthetic, sides.seed)
    length, channels = sides.real.shape
    stride = -(-length // POINTS)
    each = NUMBERS // max(1, channels * -(-length // stride))
    while len(alike) > 1 and each < 2 * len(alike):
        alike = alike[:-1]
    lines = int(np.clip(each // (2 * max(len(alike), 1)), 1, LINES))

    def drawn(group: int, channel: int) -> list[list[list[float | None]]]:
        _, ours, theirs = alike[group]
        chosen = [
            side.x[rows[:lines], ::stride, channel]
            for side, rows in ((sides.real, ours), (sides.synthetic, theirs))
        ]
        known = np.concatenate([one.ravel() for one in chosen])
        known = known[np.isfinite(known)]
        span = float(np.ptp(known)) if len(known) else 0.0
        return [[short(window, span) for window in side] for side in chosen]

    return [name for name, _, _ in alike], stride, drawn


def _alike(real: Windows, synthetic: Windows, seed: int) -> list[tuple[str, Array, Array]]:
    """For a few labels its name, and rows of each side that have it (or lie nearest)."""
    rng = np.random.default_rng([seed, 4])
    one, other = (_some(rng, np.arange(len(side))) for side in (real, synthetic))
    every = [("", one, other)]
    if real.y is None or synthetic.y is None:
        return every
    ours, theirs, name = np.asarray(real.y), np.asarray(synthetic.y), real.label_name
    shared = np.intersect1d(ours, theirs)
    if ours.dtype.kind not in "iuf" or theirs.dtype.kind not in "iuf" or len(shared) <= 8:
        chosen = []
        for kind in shared[:6]:
            rows = [_some(rng, np.flatnonzero(y == kind)) for y in (ours, theirs)]
            chosen.append((f"{name} {kind}", rows[0], rows[1]))
        return chosen or every
    low, high = max(ours.min(), theirs.min()), min(ours.max(), theirs.max())
    chosen = []
    for target in np.linspace(low, high, 7)[[3, 1, 5]]:
        near = [
            np.argsort(np.abs(y.astype(float) - target), kind="stable")[: max(LINES, len(y) // 50)]
            for y in (ours, theirs)
        ]
        chosen.append((f"{name} near {target:.3g}", _some(rng, near[0]), _some(rng, near[1])))
    return chosen


def _some(rng: np.random.Generator, rows: Array) -> Array:
    return rng.permutation(rows)[:LINES]
