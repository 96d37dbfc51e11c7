"""Errors as means over several spans of time, each measured by what is normal for it."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from timeloom.data.alarms import Rule, rule_from_state
from timeloom.methods.estimator import part_of

__all__ = ["Judge", "Reach", "Spans", "smoothed"]

Array = NDArray[np.float64]

FAINT = 0.02  # spreads of the data: errors that vary less than that are as good as steady
LEAST = 0.1  # of the pooled errors, below which nothing is divided by them
TOP = 0.99  # of what is normal, that one is the unit of every score
CHUNK = 16_384  # rows that are judged at a time


def smoothed(errors: Array, width: int, ahead: int, first: int, last: int) -> tuple[Array, Array]:
    """((row, ...), (row, ...)) means over ``width`` rows round each row, and how full these are.

    A span ends ``ahead`` rows after its own; [first, last) are the rows asked for. What is NaN was
    not measured, nor what lies beyond the ends of ``errors``: neither counts, and a span's second
    figure is the share of its rows that were measured. A mean of nothing is NaN.
    """
    if width == 1:
        own = errors[first:last]
        return own, (~np.isnan(own)).astype(np.float64)
    low = max(0, first - (width - 1 - ahead))
    own = errors[low : last + ahead]
    there = ~np.isnan(own)
    total, count = (
        np.concatenate([np.zeros((1, *own.shape[1:])), np.cumsum(part, axis=0)])
        for part in (np.where(there, own, 0.0), there)
    )
    at = np.arange(first, last) - low
    begin, end = np.maximum(at - (width - 1 - ahead), 0), np.minimum(at + ahead + 1, len(own))
    number = count[end] - count[begin]
    out = np.full((last - first, *own.shape[1:]), np.nan)
    # The sums of an endless recording differ in rounding: an error is never below zero.
    np.divide(np.maximum(total[end] - total[begin], 0), number, out=out, where=number > 0)
    return out, number / width


class Spans:
    """What is normal for the errors of every channel and span, and scores by that.

    In every span an error counts by how many of its normal spreads it lies above its normal mean;
    below it counts nothing. Where only a share of a span was measured it counts less, by the root
    of that share, since the mean of fewer spreads more. A view's score is the largest of its
    spans', each the pool over channels in units of its own upper hundredth on normal data; a
    point's is the mean of its views'. A channel's score is the same without the pool. So about 1
    is the most that is usual.

    Args:
        widths: Rows of the spans.
        lag: Rows after its own that a span may hold; None: half of it.
        views: Kinds of error, which stand beside each other along the channels.
        pool: How channels become one: ``"mean"``, ``"square"`` (root of the mean square) or
            ``"max"``.
        calibrate: False: errors are taken as they are, over the shortest span.
    """

    def __init__(
        self, widths: Sequence[int], lag: int | None, views: int, pool: str, calibrate: bool
    ) -> None:
        self.widths, self.views = tuple(sorted(widths)), views
        self.lag, self.pool, self.calibrate = lag, pool, calibrate
        half = [(width - 1) // 2 for width in self.widths]
        self.aheads = tuple(one if lag is None else min(one, lag) for one in half)
        self.used: tuple[int, ...] = self.widths

    @property
    def ahead(self) -> int:
        """Rows after its own that a score needs."""
        return max(ahead for _, ahead in self._terms())

    @property
    def behind(self) -> int:
        """Rows before its own that a score needs."""
        return max(width - 1 - ahead for width, ahead in self._terms())

    def fit(self, errors: Sequence[Array]) -> Self:
        """Learns what is normal from errors (time, view x channel) of normal recordings.

        Spans that no recording is long enough for are left out; ``used`` are the others.
        """
        longest = max(map(len, errors))
        self.used = tuple(w for w in self.widths if w < longest) or self.widths[:1]
        alone = np.nan_to_num(_of_columns(np.nanstd, np.concatenate(errors)))
        middle, wide, top, most = [], [], [], []
        for width, ahead in self._terms():
            spans = [smoothed(one, width, ahead, 0, len(one)) for one in errors]
            normal, full = (np.concatenate(part) for part in zip(*spans, strict=True))
            middle.append(np.nan_to_num(_of_columns(np.nanmean, normal)))
            # Of a channel that was never measured nothing is known, so it counts nothing.
            spread = np.nan_to_num(_of_columns(np.nanstd, normal), nan=np.inf)
            # A mean is never taken to be steadier than that of independent errors would be.
            wide.append(np.maximum(spread, np.maximum(alone / np.sqrt(width), FAINT)))
            seen = np.isfinite(normal).any(axis=1)
            above = self._above((normal[seen], full[seen]), middle[-1], wide[-1])
            top.append(np.maximum(np.quantile(above, TOP, axis=0), LEAST))
            most.append(np.maximum(np.quantile(self._pooled(above), TOP, axis=0), LEAST))
        self.middle, self.wide, self.top = (np.array(part) for part in (middle, wide, top))
        self.most = np.array(most)
        return self

    def judge(self, errors: Array, first: int, last: int) -> tuple[Array, Array]:
        """((row,), (row, channel)) scores of the rows [first, last) of ``errors``.

        Args:
            errors: (time, view x channel), with ``behind`` and ``ahead`` rows round those asked
                for, or as many as there are.
            first: The first row.
            last: The one behind the last.
        """
        means = [smoothed(errors, *term, first, last) for term in self._terms()]
        if not self.calibrate:
            own = np.nan_to_num(means[0][0])
            return self._pooled(own).mean(axis=1), self._each(own).mean(axis=1)
        points, channels = [], []
        learnt = zip(means, self.middle, self.wide, self.top, self.most, strict=True)
        for mean, middle, wide, top, most in learnt:
            above = self._above(mean, middle, wide)
            points.append(self._pooled(above) / most)
            channels.append(self._each(above / top))
        return np.max(points, axis=0).mean(axis=1), np.max(channels, axis=0).mean(axis=1)

    def scores(self, errors: Array) -> tuple[Array, Array]:
        """((time,), (time, channel)) scores of a whole recording."""
        return Reach(self, errors.shape[1]).push(errors, end=True)

    def normal_scores(self, errors: Array) -> Array:
        """(time,) scores of a normal recording; NaN where nothing was measured."""
        return np.where(np.isnan(errors).all(axis=1), np.nan, self.scores(errors)[0])

    def state(self) -> dict[str, Array]:
        """What :meth:`restore` takes."""
        used = np.array(self.used, dtype=np.float64)
        return dict(middle=self.middle, wide=self.wide, top=self.top, most=self.most, used=used)

    def restore(self, state: dict[str, Array]) -> Self:
        """Takes back what :meth:`state` gave."""
        self.middle, self.wide, self.top = state["middle"], state["wide"], state["top"]
        self.most, self.used = state["most"], tuple(int(one) for one in state["used"])
        return self

    def _terms(self) -> list[tuple[int, int]]:
        """(width, ahead) of the spans that are used."""
        both = zip(self.widths, self.aheads, strict=True)
        return [(width, ahead) for width, ahead in both if width in self.used]

    @staticmethod
    def _above(span: tuple[Array, Array], middle: Array, wide: Array) -> Array:
        mean, full = span
        return np.nan_to_num(np.maximum((mean - middle) / wide, 0.0) * np.sqrt(full))

    def _each(self, errors: Array) -> Array:
        """(time, view x channel) as (time, view, channel)."""
        return errors.reshape(len(errors), self.views, -1)

    def _pooled(self, errors: Array) -> Array:
        """(time, view) of (time, view x channel)."""
        each = self._each(errors)
        if self.pool == "max":
            return each.max(axis=2)
        if self.pool == "square":
            return np.sqrt(np.square(each).mean(axis=2))
        return each.mean(axis=2)


class Judge(NamedTuple):
    """What was learned of normal errors, and from which score on it is an alarm.

    Attributes:
        spans: From errors to scores.
        rule: From scores to alarms.
        notes: What the user should know of how the rule was fitted.
    """

    spans: Spans
    rule: Rule
    notes: tuple[str, ...]

    @property
    def said(self) -> tuple[str, ...]:
        """The notes, and what the rule has to say of itself."""
        return (*self.notes, *self.rule.notes)

    @property
    def wait(self) -> float:
        """Rows that the scores may wait for by which this was learned."""
        return np.inf if self.spans.lag is None else self.spans.lag

    def facts(self) -> dict[str, Any]:
        """What :meth:`restored` takes, beside :meth:`arrays`; and the spans' lag."""
        rule = self.rule.to_state()[0]
        return dict(lag=self.spans.lag, rule=rule, notes=list(self.notes))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`restored` takes, beside :meth:`facts`."""
        parts = (("rule", self.rule.to_state()[1]), ("spans", self.spans.state()))
        return {f"{name}/{key}": value for name, part in parts for key, value in part.items()}

    @classmethod
    def restored(cls, spans: Spans, facts: dict[str, Any], arrays: dict[str, Any]) -> Self:
        """Takes back what the other two gave."""
        rule = rule_from_state(facts["rule"], part_of(arrays, "rule/"))
        return cls(spans.restore(part_of(arrays, "spans/")), rule, tuple(facts["notes"]))


class Reach:
    """Judges errors as they become known; a row waits for those that its spans still need.

    Args:
        spans: Fitted.
        columns: Views times channels.
    """

    def __init__(self, spans: Spans, columns: int) -> None:
        self.spans = spans
        self.held = np.zeros((0, columns))
        self.begin = 0  # number of the first row that is held
        self.next = 0  # number of the first row that is not judged

    def push(self, errors: Array, *, end: bool = False) -> tuple[Array, Array]:
        """Takes errors; answers with the scores that are settled.

        Args:
            errors: (row, view x channel) in the order of the rows; NaN = not measured.
            end: Whether no more will come, so that every row is answered.
        """
        self.held = np.concatenate([self.held, errors])
        last = self.begin + len(self.held) - (0 if end else self.spans.ahead)
        found = [
            self.spans.judge(self.held, low - self.begin, high - self.begin)
            for low, high in _chunks(self.next, last)
        ]
        self.next = max(self.next, last)
        spare = self.next - self.spans.behind - self.begin
        if spare > 0:
            self.held, self.begin = self.held[spare:].copy(), self.begin + spare
        if not found:
            return np.zeros(0), np.zeros((0, self.held.shape[1] // self.spans.views))
        points, channels = zip(*found, strict=True)
        return np.concatenate(points), np.concatenate(channels)

    def state(self) -> dict[str, Array]:
        """What a later process needs to go on."""
        return {"held": self.held, "place": np.array([self.begin, self.next], dtype=np.float64)}

    def restore(self, state: dict[str, Array]) -> None:
        """Takes back what :meth:`state` gave."""
        self.held = np.array(state["held"])
        self.begin, self.next = (int(one) for one in state["place"])


def _of_columns(figure: Callable[..., Any], values: Array) -> Array:
    """(column,) a figure of what was measured; NaN where nothing was, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return figure(values, axis=0)


def _chunks(first: int, last: int) -> Iterator[tuple[int, int]]:
    for low in range(first, last, CHUNK):
        yield low, min(low + CHUNK, last)
