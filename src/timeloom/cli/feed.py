"""One recording of a stream: its rows in, and each score beside the row that it belongs to."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from timeloom.cli.follow import Row

__all__ = ["Answer", "Feed"]


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

    def push(self, rows: Sequence[Row]) -> Answer:
        """Takes rows and gives the scores that are settled, in order."""
        import numpy as np

        timed = rows[0].time is not None
        at = np.array([row.time for row in rows], dtype=np.float64) if timed else None
        scored = self.stream.push(np.array([row.values for row in rows]), time=at)
        pairs = zip(scored.taken.tolist(), rows, strict=True)
        self.waiting.extend((number, row.stamp) for number, row in pairs if number >= 0)
        return self._settled(scored)

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
