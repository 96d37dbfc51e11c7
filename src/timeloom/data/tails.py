"""How far do the highest scores reach? Pareto tails, and an alarm that learns on from a stream.

What lies beyond a high level has nearly a generalised Pareto distribution, whatever the scores, so
that thresholds for rates rarer than the data show can be had. The rules with one face, and the
stream for scores that drift, are in :mod:`timeloom.data.alarms`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Spot", "Tail", "autocorrelation_time", "fit_excesses", "fit_tail", "gathered"]

Array = NDArray[Any]
Scores = ArrayLike | Sequence[ArrayLike]  # (time,), or a list of them

# Places at which the slope of the likelihood is looked at: logarithms of 1 + s times the highest.
GRID = np.concatenate([np.linspace(-20, -3, 5), np.linspace(-2, 3, 11), np.linspace(4, 40, 15)])
HEAVIEST = 5.0  # shape; lighter than -1 the likelihood has no maximum
FLAT = 1e-7  # |shape| below which the tail is taken to be exponential
FEWEST = 20  # points beyond the level that a tail is fitted to
WANTED = 50  # points beyond the level; it is lowered until there are as many
CLOSE = 1e-9  # shares that are equal but for rounding
# 5 % points of A² where both parameters were fitted, by shape: 2,000 draws of 500 points each.
SHAPES = (-0.9, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0)
CRITICAL = (1.363, 1.219, 1.053, 0.965, 0.902, 0.851, 0.781)
REFITS = 50  # a stream's tail is fitted again when one in so many of its excesses is new
ROOM = 10  # alarms asked for are at most one in so many of the rows in a stream's tail, if possible


@dataclass(frozen=True)
class Tail:
    """A generalised Pareto distribution of what lies beyond ``start``.

    Attributes:
        start: Score from which on it holds.
        shape: Above 0 heavy, 0 exponential, below 0 with an end.
        scale: In the unit of the scores.
        share: Of all scores, how many lie beyond ``start``.
    """

    start: float
    shape: float
    scale: float
    share: float

    def threshold(self, rate: float) -> float:
        """The score that a share ``rate`` of all scores exceeds.

        Raises:
            ValueError: If ``rate`` is not above 0 or more than ``share``.
        """
        if not 0 < rate <= self.share * (1 + CLOSE):
            raise ValueError(
                f"a tail of a share {self.share:g} of the scores knows thresholds for rates above "
                f"0 and up to that; got {rate:g}."
            )
        passed = np.log(self.share / rate)  # in units of an exponential tail
        if abs(self.shape) > FLAT:
            passed = np.expm1(self.shape * passed) / self.shape
        return float(self.start + self.scale * passed)

    def survival(self, scores: ArrayLike) -> Array:
        """How many of all scores are as high or higher, as a share; ``share`` below ``start``."""
        reduced = np.maximum(np.asarray(scores, np.float64) - self.start, 0) / self.scale
        if abs(self.shape) <= FLAT:
            return self.share * np.exp(-reduced)
        # A tail with an end leaves nothing beyond it.
        with np.errstate(divide="ignore"):
            inside = np.log1p(np.maximum(self.shape * reduced, -1))
        return self.share * np.exp(-inside / self.shape)

    def misfit(self, excesses: ArrayLike) -> tuple[float, float]:
        """How far excesses are from this tail: A² of Anderson and Darling, and its 5 % point.

        Above the second number, one sample in twenty of a true Pareto tail would lie. Source:
        Anderson and Darling 1952; Choulakian and Stephens 2001 for generalised Pareto tails.

        Args:
            excesses: (time,) scores less ``start``, all above 0; those the tail was fitted to.
        """
        line = np.sort(np.asarray(excesses, np.float64)) + self.start
        left = np.clip(self.survival(line) / self.share, 1e-300, 1 - 1e-16)
        odd = 2 * np.arange(1, len(line) + 1) - 1
        distance = -len(line) - np.mean(odd * (np.log1p(-left) + np.log(left[::-1])))
        return float(distance), float(np.interp(self.shape, SHAPES, CRITICAL))


def fit_excesses(excesses: ArrayLike) -> tuple[float, float]:
    """Shape and scale of the generalised Pareto distribution that makes excesses likeliest.

    With s = shape / scale the likeliest shape is the mean of log(1 + s·y), so that one unknown is
    left. The slope of the likelihood along s has the sign of u·v - 1, where u is the mean of
    1 / (1 + s·y) and v = 1 + shape: each of its zeros is a candidate, and so are the exponential
    tail (s = 0) and the lightest one allowed (shape -1, at which the highest point is the end).
    The search starts from a grid and from the moments. Source: Grimshaw 1993; Siffer et al. 2017,
    whose lower bound for roots above 0 is left out: it grows as the smallest excess shrinks, and
    passes the root.

    Args:
        excesses: (time,), all above 0.

    Raises:
        ValueError: If there are fewer than two, or one is not above 0.
    """
    from scipy.optimize import brentq

    line = np.asarray(excesses, np.float64)
    if line.ndim != 1 or len(line) < 2 or not (np.isfinite(line) & (line > 0)).all():
        raise ValueError(
            f"a tail is fitted to two or more finite excesses above 0, (time,); got shape "
            f"{line.shape}. Give scores less the level that they exceed."
        )
    unit = float(line.mean())
    line = line / unit
    places = _places(line)
    slopes = [_slope(s, line) for s in places]
    candidates = [0.0, places[0]]
    for at in range(len(places) - 1):
        if slopes[at] > 0 >= slopes[at + 1]:
            root = brentq(_slope, places[at], places[at + 1], args=(line,), xtol=1e-10)
            candidates.append(cast(float, root))
    best = max(candidates, key=lambda s: _likelihood(s, line))
    shape = _shape(best, line)
    scale = 1.0 if abs(shape) <= FLAT else shape / best
    return shape, scale * unit


def _places(line: Array) -> list[float]:
    """Values of s from the lightest tail to the heaviest, ascending; ``line`` has mean 1."""
    top, spread = float(line.max()), float(line.var())
    places = list(np.expm1(GRID) / top)
    if spread > 0:  # from the moments: shape = (1 - 1 / spread) / 2, scale = (1 + 1 / spread) / 2
        places.append((spread - 1) / (spread + 1))
    places = sorted(s for s in places if s * top > -1)
    shapes = [_shape(s, line) for s in places]
    kept = [s for s, shape in zip(places, shapes, strict=True) if -1 <= shape <= HEAVIEST]
    if not kept or kept[0] == places[0]:
        return kept or [0.0]
    low, high = places[places.index(kept[0]) - 1], kept[0]  # the shape of -1 lies between them
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if _shape(middle, line) < -1 else (low, middle)
    return [high, *kept]


def _shape(s: float, line: Array) -> float:
    return float(np.log1p(s * line).sum()) / len(line)


def _slope(s: float, line: Array) -> float:
    """Slope of the likelihood per point along s; ``line`` has mean 1."""
    if abs(s) < 1e-5:
        return float(np.mean(line**2)) / 2 - 1
    shape = _shape(s, line)
    left = float((1 / (1 + s * line)).sum()) / len(line)
    return (left * (1 + shape) - 1) / (s * shape)


def _likelihood(s: float, line: Array) -> float:
    """Logarithm per point, at the likeliest scale; ``line`` has mean 1."""
    shape = _shape(s, line)
    return -shape - 1 - (np.log(shape / s) if abs(shape) > FLAT else 0.0)


def fit_tail(scores: ArrayLike, *, level: float = 0.98) -> tuple[Tail, Array] | None:
    """The tail beyond a high quantile of scores, and the excesses that it was fitted to.

    Args:
        scores: (time,), finite, of a stretch held to be normal.
        level: Share of the scores that lies below the tail. It is lowered until 50 scores lie
            beyond, as far as a quarter of all scores; never so that fewer than 20 do.

    Returns:
        None where fewer than 20 scores lie above the smallest one: there is no tail.
    """
    values, counts = np.unique(np.asarray(scores, np.float64), return_counts=True)
    total = int(counts.sum())
    beyond = total - np.cumsum(counts)
    wanted = max(round((1 - level) * total), min(WANTED, total // 4), FEWEST)
    enough = np.flatnonzero(beyond >= wanted)
    if not len(enough):
        enough = np.flatnonzero(beyond >= FEWEST)
    if not len(enough):
        return None
    at = enough[-1]  # among ties, the nearest level at which enough lie beyond
    excesses = np.repeat(values[at + 1 :] - values[at], counts[at + 1 :])
    shape, scale = fit_excesses(excesses)
    return Tail(float(values[at]), shape, scale, float(beyond[at]) / total), excesses


def gathered(scores: Scores, *, gap: int = 0) -> tuple[list[Array], list[str]]:
    """Scores of one or several recordings as finite lines, and what was left out, in words.

    Args:
        scores: (time,), or a list of them.
        gap: Rows left out at the beginning of every recording.

    Raises:
        ValueError: If a recording is no line of numbers, a score is infinite, or none is left.
    """
    several = isinstance(scores, (list, tuple)) and any(np.ndim(one) for one in scores)
    lines = [np.asarray(one, np.float64) for one in (scores if several else [scores])]  # pyright: ignore
    for at, line in enumerate(lines):
        if line.ndim != 1 or np.isinf(line).any():
            raise ValueError(
                "a rule is fitted on scores (time,), or a list of them, none of them infinite; "
                f"recording {at} has shape {line.shape} and {int(np.isinf(line).sum())} infinite "
                "scores. Give one score per time point, NaN where there is none."
            )
    lines = [line[gap:] for line in lines]
    missing = sum(int(np.isnan(line).sum()) for line in lines)
    lines = [line[~np.isnan(line)] for line in lines]
    lines = [line for line in lines if len(line)]
    if not lines:
        raise ValueError(
            f"no score is left: {missing} are NaN, and the first {gap} rows of every recording "
            "are left out. Give more normal data."
        )
    return lines, [f"{missing} scores were NaN and were left out."] if missing else []


def autocorrelation_time(scores: ArrayLike) -> float:
    """After how many rows scores say something new: as many count as one independent score.

    One plus twice the sum of the autocorrelations, in pairs, up to the first pair that is not
    positive. Source: Geyer 1992, the initial positive sequence.

    Args:
        scores: (time,), finite, two or more.

    Returns:
        1 or more; 1 where all scores are equal.
    """
    line = np.asarray(scores, np.float64)
    line = line - line.mean()
    size = 1 << (2 * len(line) - 1).bit_length()
    power = np.abs(np.fft.rfft(line, size)) ** 2
    along = np.fft.irfft(power, size)[: len(line) // 2 * 2]
    if len(along) < 2 or along[0] <= 0:
        return 1.0
    pairs = (along / along[0]).reshape(-1, 2).sum(axis=1)
    stop = np.flatnonzero(pairs <= 0)
    return max(1.0, 2 * float(pairs[: stop[0] if len(stop) else None].sum()) - 1)


class Spot:
    """Streaming peaks over a threshold: learns on from rows that are no alarms.

    An alarm teaches nothing, or a lasting fault would become normal. But then the upper end of the
    tail is never seen again, and the threshold would sink; so for every (1 - rate) / rate rows
    learned, one excess is put in from beyond the threshold, evenly over the tail as it stands: the
    one that a normal stream would have held. Source: Siffer et al. 2017, which leaves this out.

    Args:
        alarm_rate: Share of normal rows that may be alarms, at most 0.1.
        level: Share of rows below the tail, lowered until ten times ``alarm_rate`` lie in it.
        most: Excesses kept, the newest ones; memory does not grow beyond them.

    Attributes:
        threshold_: In the unit of the scores, for the next row.
        notes: What the user should know, in sentences.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(self, alarm_rate: float = 1e-3, *, level: float = 0.98, most: int = 1000) -> None:
        if not 0 < alarm_rate <= 0.1 or not 0.5 <= level < 1 or most < WANTED:
            raise ValueError(
                f"a stream takes an alarm_rate above 0 and up to 0.1, a level from 0.5 to below 1 "
                f"and {WANTED} or more excesses; got {alarm_rate}, {level} and {most}."
            )
        self.alarm_rate, self.level, self.most = float(alarm_rate), float(level), int(most)

    def fit(self, scores: Scores) -> Self:
        """Starts from normal scores, (time,) or a list of them; NaN is left out.

        Raises:
            ValueError: If scores are infinite, or there are fewer than 40.
        """
        lines, notes = gathered(scores)
        line = np.concatenate(lines)
        if len(line) < 2 * FEWEST:
            raise ValueError(
                f"a stream starts from {2 * FEWEST} normal scores or more; got {len(line)}."
            )
        found = fit_tail(line, level=min(self.level, max(0.5, 1 - ROOM * self.alarm_rate)))
        if found is None or found[0].share <= self.alarm_rate:
            notes.append(
                f"too few of {len(line)} scores differ from the others: the threshold is the "
                "highest, and stays."
            )
        self.notes = tuple(notes)
        self._tail, excesses = found if found else (None, np.empty(0))
        if self._tail and self._tail.share <= self.alarm_rate:
            self._tail = None
        self._kept = np.random.default_rng(0).permutation(excesses)[: self.most]
        self._at, self._seen, self._beyond = 0, len(line), len(excesses)
        self._drawn, self._new, self._owed = 0, 0, 0.0
        self.threshold_ = self._tail.threshold(self.alarm_rate) if self._tail else float(line.max())
        return self

    def update(self, scores: ArrayLike) -> tuple[Array, Array]:
        """Judges the next rows, and learns from those that are no alarms.

        Rows one at a time or in batches give the same. NaN is no alarm and teaches nothing.

        Args:
            scores: (time,), or one number.

        Returns:
            Alarms (time,) of booleans, and the threshold (time,) each row was judged by.
        """
        line = np.atleast_1d(np.asarray(scores, np.float64))
        alarms, limits = np.zeros(len(line), bool), np.empty(len(line))
        for row, score in enumerate(line.tolist()):
            limits[row] = self.threshold_
            alarms[row] = self._step(score)
        return alarms, limits

    def _step(self, score: float) -> bool:
        if not score <= self.threshold_:
            return score == score  # NaN is not
        tail = self._tail
        if tail is not None:
            self._seen += 1
            self._owed += self.alarm_rate / (1 - self.alarm_rate)
            if score > tail.start:
                self._learn(score - tail.start)
            if self._owed >= 1:
                self._owed -= 1
                self._seen += 1
                self._drawn += 1
                rate = self.alarm_rate * (1 - _evenly(self._drawn))
                self._learn(self._tail.threshold(rate) - tail.start)  # pyright: ignore
        return False

    def _learn(self, excess: float) -> None:
        self._beyond += 1
        self._new += 1
        if len(self._kept) < self.most:
            self._kept = np.append(self._kept, excess)
        else:
            self._kept[self._at] = excess
            self._at = (self._at + 1) % self.most
        old = cast(Tail, self._tail)
        shape, scale = old.shape, old.scale
        if self._new * REFITS >= len(self._kept):
            shape, scale = fit_excesses(self._kept)
            self._new = 0
        # A level that drifts away would leave a tail rarer than the alarms asked for.
        share = max(self._beyond / self._seen, 2 * self.alarm_rate)
        self._tail = Tail(old.start, shape, scale, share)
        self.threshold_ = self._tail.threshold(self.alarm_rate)

    def state(self) -> dict[str, Array]:
        """All that is needed to go on, as arrays by name."""
        tail = self._tail or Tail(np.nan, np.nan, np.nan, np.nan)
        figures = [self.threshold_, self._owed, tail.start, tail.shape, tail.scale, tail.share]
        counts = [self._at, self._seen, self._beyond, self._drawn, self._new, self.most]
        return {
            "kept": self._kept.copy(),
            "figures": np.array([*figures, self.alarm_rate, self.level]),
            "counts": np.array(counts, np.int64),
        }

    def restore(self, state: dict[str, Array]) -> Self:
        """Takes back what :meth:`state` gave, its settings too."""
        self.threshold_, self._owed, *tail, self.alarm_rate, self.level = np.asarray(
            state["figures"], np.float64
        ).tolist()
        self._at, self._seen, self._beyond, self._drawn, self._new, self.most = np.asarray(
            state["counts"]
        ).tolist()
        self._kept = np.array(state["kept"], np.float64)
        self._tail = None if np.isnan(tail[0]) else Tail(*tail)
        self.notes = ()
        return self


def _evenly(number: int) -> float:
    """Van der Corput's sequence: 1/2, 1/4, 3/4, 1/8, ... evenly over 0 to 1 at every length."""
    value, part = 0.0, 0.5
    while number:
        value += part * (number & 1)
        number, part = number >> 1, part / 2
    return value
