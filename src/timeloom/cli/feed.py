"""One recording of a stream: its rows in, and each score beside the row that it belongs to."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

from timeloom.cli.follow import Row

__all__ = ["Answer", "Feed"]

IRREGULAR = 1.4  # usual steps between two time stamps from which on rows may be missing
STEPS_KEPT = 64  # time stamps from which the usual step is known


class Answer(NamedTuple):
    """Scores that are settled, for rows that were really there.

    Attributes:
        rows: The number of each, counted from 0; rows that were missing count, too.
        stamps: The time of each as it stood in the stream, or None.
        scores: (row,)
        channel_scores: (row, channel)
        alarms: (row,)
        notes: What the stream has to say.
    """

    rows: list[int]
    stamps: list[Any]
    scores: Any
    channel_scores: Any
    alarms: Any
    notes: tuple[str, ...]


class Feed:
    """Rows into a detector's stream.

    A stream numbers the rows that it took and those that were missing, and answers later than it
    is asked; this keeps which line of the input each number is.

    Args:
        stream: What scores.
        waiting: Numbers and time stamps of rows that an earlier feed left without a score.
    """

    def __init__(self, stream: Any, waiting: Iterable[Sequence[Any]] = ()) -> None:
        self.stream = stream
        self.waiting: deque[tuple[int, Any]] = deque((row, stamp) for row, stamp in waiting)

    def push(self, rows: Sequence[Row]) -> Iterator[Answer]:
        """Takes rows and gives the scores that are settled, in order."""
        import numpy as np

        for piece, taken in self._pieces(rows):
            values = np.array([row.values for row in piece])
            timed = piece[0].time is not None
            at = np.array([row.time for row in piece]) if timed else None
            scored = self.stream.push(values, time=at)
            # Rows can be missing only before a piece, so the last numbers are those of its rows.
            first = self.stream.count - len(taken)
            self.waiting.extend((first + k, row.stamp) for k, row in enumerate(taken))
            yield self._settled(scored)

    def finish(self) -> Answer:
        """The scores of the rows that still wait, at the end of the stream."""
        return self._settled(self.stream.finish())

    def _settled(self, scored: Any) -> Answer:
        places, rows, stamps = [], [], []
        for place, row in enumerate(scored.rows.tolist()):
            if self.waiting and self.waiting[0][0] == row:
                places.append(place)
                rows.append(row)
                stamps.append(self.waiting.popleft()[1])
        return Answer(
            rows,
            stamps,
            scored.scores[places],
            scored.channel_scores[places],
            scored.alarms[places],
            scored.notes,
        )

    def _pieces(self, rows: Sequence[Row]) -> Iterator[tuple[list[Row], list[Row]]]:
        """Rows without a gap among them, and those of them that are neither late nor repeated."""
        if rows[0].time is None:
            yield list(rows), list(rows)
            return
        steps = deque(self.stream.steps.tolist(), maxlen=STEPS_KEPT)
        last = float(self.stream.stamp)
        piece: list[Row] = []
        taken: list[Row] = []
        for row in rows:
            step = float(row.time or 0.0) - last
            if step <= 0:
                piece.append(row)
                continue
            if steps and step > IRREGULAR * median(steps) and piece:
                yield piece, taken
                piece, taken = [], []
            if step == step:  # not the first row of all
                steps.append(step)
            last = float(row.time or 0.0)
            piece.append(row)
            taken.append(row)
        yield piece, taken
