"""Rows as they arrive: the same scores as of a whole recording, in bounded memory."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.methods.estimator import part_of
from timeloom.methods.residuals import ends
from timeloom.methods.spans import Reach

if TYPE_CHECKING:
    from timeloom.methods.ddmt import DDMT

__all__ = ["Scored", "Stream"]

Array = NDArray[Any]

STEPS_KEPT = 64  # time stamps from which the usual step is known
GAP = 1.5  # usual steps between two time stamps from which on rows are missing
BRIDGED = 1_000  # rows missing at most that are counted as such; after more, all begins anew


class Scored(NamedTuple):
    """The rows whose scores are settled since the last answer, in the order of their arrival.

    Attributes:
        rows: (row,) numbers of these rows, counted from 0; rows that were missing count, too.
        scores: (row,) anomaly scores.
        channel_scores: (row, channel).
        alarms: (row,) whether the score is above the threshold.
        notes: What the user should know: gaps, repeated or late rows.
        taken: (pushed row,) the number that each row of this push was given; -1: left out.
    """

    rows: NDArray[np.int64]
    scores: Array
    channel_scores: Array
    alarms: NDArray[np.bool_]
    notes: tuple[str, ...]
    taken: NDArray[np.int64]


class Taken(NamedTuple):
    """Rows that were understood: runs of them, each but the first of which begins anew."""

    runs: list[Array]
    notes: tuple[str, ...]
    numbers: NDArray[np.int64]


class Stream:
    """Scores rows one at a time or in batches; either way the scores are the same.

    They are those of ``anomaly_scores`` with the same ``lag``. A row is answered ``latency`` rows
    after itself at the latest, the first ones once a window is full. Memory does not grow.

    Rows that are missing by their time stamps are counted as not measured, and have scores of
    their own; rows that are late, or repeat a time stamp, are left out. Both are said.

    Args:
        detector: A fitted one.
        lag: Rows that a score may wait for further windows.
        state: Of an earlier stream, to go on with.

    Raises:
        ValueError: If ``lag`` is negative or longer than a window, or the state is of another one.
    """

    def __init__(
        self, detector: "DDMT", lag: int = 0, state: dict[str, Array] | None = None
    ) -> None:
        if not 0 <= lag <= detector.window_:
            raise ValueError(
                f"lag must be from 0 to the window's {detector.window_} rows; got {lag}."
            )
        self.detector, self.lag = detector, lag
        self.stamp = np.nan  # of the last row, and the steps between the last ones
        self.steps = np.zeros(0)
        self._begin()
        if state is not None:
            self._restore(state)

    def _begin(self) -> None:
        self.ledger = self.detector.ledger(self.lag)
        self.judge = self.detector.judge(self.lag)
        self.reach = Reach(self.judge.spans, self.detector.columns)
        self.held = np.zeros((0, len(self.detector.channels_)))
        self.first = 0  # number of the first row that is held
        self.base = 0  # rows before this recording began anew

    @property
    def latency(self) -> int:
        """Rows that the score of a row waits for at most, once a window is full."""
        return self.ledger.latency + self.judge.spans.ahead

    @property
    def threshold(self) -> float:
        """Score above which a row is an alarm."""
        return self.judge.rule.threshold_

    @property
    def count(self) -> int:
        """Rows so far, missing ones counted."""
        return self.base + self.first + len(self.held)

    def push(self, rows: ArrayLike, time: Any = None) -> Scored:
        """Takes rows, and answers with all scores that are settled now.

        Args:
            rows: (row, channel) or one row (channel,), in the units of the training data; NaN =
                not measured.
            time: Time stamps (row,) or one: numbers or dates. None: rows follow each other.

        Raises:
            ValueError: If rows have other channels than the training data, hold inf, or stamps
                are not one per row.
        """
        runs, notes, taken = self._taken(rows, time)
        found = [self._advance(runs[0])]
        for run in runs[1:]:
            found.append(self._closed())
            base = self.count
            self._begin()
            self.base = base
            found.append(self._advance(run))
        parts = [np.concatenate(part) for part in zip(*found, strict=True)]
        return Scored(parts[0], parts[1], parts[2], parts[3], notes, taken)

    def finish(self) -> Scored:
        """The scores of the rows that still wait, as at the end of a recording."""
        return Scored(*self._closed(), (), np.zeros(0, np.int64))

    def _closed(self) -> tuple[Array, Array, Array, Array]:
        last = self.first + len(self.held) - 1
        if self.ledger.last < last and last + 1 >= self.detector.window_:
            self._count_in(np.array([last]))
        return self._answer(self.ledger.settled(all_of_them=True), end=True)

    def state(self) -> dict[str, Array]:
        """Arrays from which another stream of the same detector goes on."""
        place = np.array([self.first, self.base, self.lag], dtype=np.int64)
        own = dict(held=self.held, place=place, stamp=np.array(self.stamp), steps=self.steps)
        for name, part in (("ledger", self.ledger.state()), ("reach", self.reach.state())):
            own |= {f"{name}/{key}": value for key, value in part.items()}
        return own

    def _restore(self, state: dict[str, Array]) -> None:
        first, base, lag = (int(value) for value in state["place"])
        if lag != self.lag or state["held"].shape[1] != self.held.shape[1]:
            raise ValueError(
                f"this state is of a stream with lag {lag} and {state['held'].shape[1]} channels; "
                f"got lag {self.lag} and {self.held.shape[1]} channels. Give the same."
            )
        self.first, self.base = first, base
        self.held, self.steps = np.array(state["held"]), np.array(state["steps"])
        self.stamp = float(state["stamp"])
        for name, part in (("ledger", self.ledger), ("reach", self.reach)):
            part.restore(part_of(state, f"{name}/"))

    def _advance(self, rows: Array) -> tuple[Array, Array, Array, Array]:
        before = self.first + len(self.held)
        self.held = np.concatenate([self.held, rows])
        new = ends(before, before + len(rows) - 1, self.detector.window_, self.detector.hop)
        self._count_in(new)
        spare = len(self.held) - self.detector.window_  # the last window may end at the last row
        found = self.ledger.settled()
        if spare > 0:
            self.held, self.first = self.held[spare:].copy(), self.first + spare
        return self._answer(found)

    def _count_in(self, at: NDArray[np.int64]) -> None:
        for rows in np.array_split(at, -(-len(at) // 256)) if len(at) else ():
            low = rows[0] - self.detector.window_ + 1
            held = self.held[low - self.first : rows[-1] + 1 - self.first]
            own = self.detector.wrong(held, rows, int(low))
            for end, residual in zip(rows.tolist(), own, strict=True):
                self.ledger.add(end, residual)

    def _answer(self, errors: Array, *, end: bool = False) -> tuple[Array, Array, Array, Array]:
        scores, channels = self.reach.push(errors, end=end)
        rows = np.arange(len(scores)) + self.base + self.reach.next - len(scores)
        return rows, scores, channels, scores > self.threshold

    def _taken(self, rows: ArrayLike, time: Any) -> Taken:
        values = np.asarray(rows, dtype=np.float64)
        values = values[None] if values.ndim == 1 else values
        size = self.held.shape[1]
        if values.ndim != 2 or values.shape[1] != size:
            raise ValueError(
                f"rows must have the {size} channels of the training data; got shape "
                f"{np.shape(rows)}."
            )
        if np.isinf(values).any():
            raise ValueError("values must be finite or NaN; got inf. Replace it by NaN.")
        if time is None:
            return Taken([values], (), self.count + np.arange(len(values)))
        stamps = _seconds(time)
        if len(stamps) != len(values):
            raise ValueError(
                f"there must be one time stamp per row; got {len(stamps)} of {len(values)}."
            )
        return self._by_time(values, stamps)

    def _by_time(self, values: Array, stamps: Array) -> Taken:
        runs: list[list[Array]] = [[]]
        notes, numbers, number = [], [], self.count
        for row, stamp in zip(values, stamps.tolist(), strict=True):
            step = stamp - self.stamp
            if step <= 0 or np.isnan(stamp):
                numbers.append(-1)
                continue
            usual = float(np.median(self.steps)) if len(self.steps) else step
            missing = 0 if np.isnan(step) or step <= GAP * usual else round(step / usual) - 1
            if missing > BRIDGED:
                notes.append(f"{missing:,} rows are missing; scoring begins anew.")
                runs.append([])
            elif missing > 0:
                notes.append(f"{missing:,} rows are missing; they count as not measured.")
                runs[-1].extend([np.full(len(row), np.nan)] * missing)
                number += missing
            if not np.isnan(step):
                # Gaps are few; where they are many, the pace has changed.
                self.steps = np.append(self.steps, step)[-STEPS_KEPT:]
            self.stamp = stamp
            runs[-1].append(row)
            numbers.append(number)
            number += 1
        late = numbers.count(-1)
        if late:
            notes.append(f"{late:,} rows came late or repeated a time stamp; they were left out.")
        found = [np.array(run).reshape(len(run), values.shape[1]) for run in runs]
        return Taken(found, tuple(notes), np.array(numbers, dtype=np.int64))


def _seconds(time: Any) -> Array:
    """(row,) time stamps as numbers; dates as seconds."""
    stamps = np.atleast_1d(np.asarray(time))
    if np.issubdtype(stamps.dtype, np.datetime64):
        return np.where(
            np.isnat(stamps), np.nan, stamps.astype("datetime64[us]").astype(float) / 1e6
        )
    try:
        return stamps.astype(np.float64)
    except (TypeError, ValueError):
        pass
    try:
        return _seconds(stamps.astype("datetime64[us]"))
    except ValueError as error:
        raise ValueError(
            f"time stamps must be numbers or dates such as 2026-01-31T12:00; got {stamps[0]!r}."
        ) from error
