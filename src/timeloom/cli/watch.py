"""``timeloom score --follow``: rows in as they come, scores out at once, the state kept."""

import csv
import hashlib
import io
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from timeloom.cli.feed import Answer, Feed
from timeloom.cli.follow import Layout, Row, Rows, Source, first_line, layout_of
from timeloom.cli.messages import one_line, say, writing
from timeloom.cli.options import Columns

__all__ = ["Watch"]

FIGURES = ("step", "score", "threshold", "alarm")
TOP = 3  # channels to blame beside each score
SAID = 20  # sentences of one kind that are said one by one
FORMAT = 1  # of the state that this version writes and reads


@dataclass
class Watch:
    """A detector that follows a stream.

    Attributes:
        detector: What scores.
        run: Its folder.
        source: A file, or ``-``.
        columns: How the columns are named.
        out: Where scores go; standard output where None.
        state: A file that keeps where the stream stands, or None.
        every: Seconds between two saves of the state.
        once: End at the end of the file.
        lag: Rows that a score may wait for more windows.
        rows: How many were read.
        scored: How many have a score.
        alarms: How many scores lie above the threshold.
        stopped: The signal that came, or 0.
    """

    detector: Any
    run: Path
    source: str
    columns: Columns
    out: Path | None = None
    state: Path | None = None
    every: float = 60.0
    once: bool = False
    lag: int = 0
    rows: int = 0
    scored: int = 0
    alarms: int = 0
    stopped: int = 0
    _feeds: dict[str, Feed] = field(default_factory=dict)
    _said: int = 0
    _saved: float = 0.0

    def follow(self) -> int:
        """Scores until the stream ends or a signal comes.

        Returns:
            The exit status: 0, or 128 and the signal's number.

        Raises:
            ValueError: If the stream, or the state, does not fit the run.
        """
        before = self._resumed()
        source = Source(self.source, once=self.once, begin=before["place"])
        reader: Rows | None = None
        try:
            with self._signals(), self._writer(before["written"]) as writer:
                if source.place:
                    reader = self._reader(first_line(self.source), writer, before["line"])
                    say(f"{self.source}: going on behind line {before['line']:,}")
                for lines in source.lines(lambda: bool(self.stopped)):
                    if reader is None:
                        lines = _from_first(lines)
                        if not lines:
                            continue
                        reader = self._reader(lines[0].decode("utf-8-sig", "replace"), writer, 0)
                    if source.shrunk:
                        say(f"{self.source}: it was emptied; reading from its beginning")
                        reader.number, source.shrunk = 0, False
                    self._score(reader.parse(lines), writer)
                    if time.monotonic() - self._saved > self.every:
                        self._save(source, reader, writer)
                self._save(source, reader, writer)
                self._end(writer)
        finally:
            source.close()
        self._sum_up(reader)
        return 128 + self.stopped if self.stopped else 0

    def _reader(self, first: str, writer: "Writer", number: int) -> Rows:
        told = self.columns.told()
        layout = layout_of(
            first.rstrip("\r\n"),
            self.detector.channels_,
            time=told["time"],
            series=told["series"],
            label=told["label"],
            given=told["channels"],
        )
        say(f"{self.source}: {layout.said}")
        writer.begin(layout)
        return Rows(layout, self._tell, number)

    def _score(self, rows: Sequence[Row], writer: "Writer") -> None:
        """Scores a batch, each recording in it by its own stream."""
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.series, []).append(row)
        for name, own in groups.items():
            if name not in self._feeds:
                self._feeds[name] = Feed(self.detector.stream(lag=self.lag))
            self._answer(name, self._feeds[name].push(own), writer)
        self.rows += len(rows)

    def _answer(self, name: str, answer: Any, writer: "Writer") -> None:
        for note in answer.notes:
            self._tell(f"{name}: {note}" if name else note)
        writer.write(name, answer)
        self.scored += len(answer.rows)
        self.alarms += int(answer.alarms.sum())

    def _end(self, writer: "Writer") -> None:
        """What still waits gets its scores, unless a state is kept: then it may go on."""
        waiting = sum(len(feed.waiting) for feed in self._feeds.values())
        if self.state is None:
            for name, feed in self._feeds.items():
                self._answer(name, feed.finish(), writer)
            left = sum(len(feed.waiting) for feed in self._feeds.values())
            if left:
                window = f"{self.detector.window_:,} time points of a window"
                say(f"{self.source}: {left:,} rows have no score: fewer than the {window} came")
        elif waiting:
            say(f"{self.source}: {waiting:,} rows wait for their scores until it goes on")

    def _tell(self, sentence: str) -> None:
        """Says something about the stream, unless too much has been said already."""
        self._said += 1
        if self._said <= SAID:
            say(f"{self.source}: {one_line(sentence)}")
        if self._said == SAID:
            say(f"{self.source}: what follows of this kind is only counted")

    def _sum_up(self, reader: Rows | None) -> None:
        if reader is None:
            say(f"{self.source}: it ended before any line came; nothing was scored")
            return
        words = [f"{self.rows:,} rows", f"{self.scored:,} scores", f"{self.alarms:,} alarms"]
        words += [f"{reader.skipped:,} lines skipped"] if reader.skipped else []
        words += [f"{self._said - SAID:,} remarks not shown"] if self._said > SAID else []
        words += [f"the state is in {self.state}"] if self.state else []
        say(f"{self.source}: " + ", ".join(words))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ends between two batches on Ctrl-C or SIGTERM, so that no state is half changed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: Any) -> None:
            if self.stopped:  # asked twice: at once
                raise KeyboardInterrupt
            self.stopped = number

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _writer(self, written: int) -> Iterator["Writer"]:
        if self.out is None:
            yield Writer(sys.stdout, "", self.detector, self.lag)
            return
        self.out.parent.mkdir(parents=True, exist_ok=True)
        with writing(self.out), self.out.open("r+b" if written else "wb") as raw:
            # What was written after the state was saved will be written again.
            raw.truncate(written)
            raw.seek(written)
            file = io.TextIOWrapper(raw, encoding="utf-8", newline="")
            kind = self.out.suffix.lower()
            yield Writer(file, kind, self.detector, self.lag, begun=written > 0)
            file.flush()

    def _resumed(self) -> dict[str, Any]:
        """Where an earlier watch stood, and its streams; the beginning where there was none."""
        start = {"place": 0, "line": 0, "written": 0}
        self._saved = time.monotonic()
        if self.state is None or not self.state.exists():
            return start
        kept, arrays = _load(self.state)
        if kept["run"] != _digest(self.run):
            raise ValueError(
                f"{self.state} is the state of another run than {self.run}; name another file, or "
                "remove this one to start anew."
            )
        for i, name in enumerate(kept["names"]):
            prefix = f"{i}/"
            own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            stream = self.detector.stream(lag=self.lag, state=own)
            self._feeds[name] = Feed(stream, kept["waiting"][i])
        self.rows = kept["rows"]
        say(f"{self.state}: going on after {self.rows:,} rows")
        start |= {"place": kept["place"], "line": kept["line"]} if self._same_file(kept) else {}
        if kept["out"] == _absolute(self.out) and self.out is not None and self.out.exists():
            start["written"] = min(kept["written"], self.out.stat().st_size)
        return start

    def _same_file(self, kept: dict[str, Any]) -> bool:
        if self.source == "-" or kept["source"] != _absolute(Path(self.source)):
            return False
        return Path(self.source).stat().st_size >= kept["place"]

    def _save(self, source: Source, reader: Rows | None, writer: "Writer") -> None:
        """Keeps the streams and where the input and the output stand, whole or not at all."""
        self._saved = time.monotonic()
        if self.state is None or reader is None:
            return
        import numpy as np

        from timeloom.data.atomic import atomic

        kept = {
            "format": FORMAT,
            "run": _digest(self.run),
            "source": "-" if self.source == "-" else _absolute(Path(self.source)),
            "place": source.place,
            "line": reader.number,
            "out": _absolute(self.out),
            "written": 0 if self.out is None else writer.place(),
            "rows": self.rows,
            "names": list(self._feeds),
            "waiting": [list(feed.waiting) for feed in self._feeds.values()],
        }
        arrays: dict[str, Any] = {"watch": np.array(json.dumps(kept))}
        for i, feed in enumerate(self._feeds.values()):
            arrays |= {f"{i}/{key}": value for key, value in feed.stream.state().items()}
        self.state.parent.mkdir(parents=True, exist_ok=True)
        with writing(self.state), atomic(self.state) as temporary:
            np.savez(temporary, **arrays)


class Writer:
    """Scores as JSON lines, or as CSV where the file's name says so."""

    def __init__(
        self, file: IO[str], kind: str, detector: Any, lag: int, *, begun: bool = False
    ) -> None:
        self.file, self.kind, self.begun = file, kind, begun
        self.threshold = _short(detector.judge(lag).rule.threshold_)
        self.channels = detector.channels_
        self.table = csv.writer(file, lineterminator="\n")
        self.named = self.timed = False

    def begin(self, layout: Layout) -> None:
        """Learns which columns there are, and writes the header of a new CSV."""
        self.named, self.timed = layout.series is not None, layout.time is not None
        if self.kind == ".csv" and not self.begun:
            names = [*["series"] * self.named, *["time"] * self.timed]
            blame = [f"top_{k + 1}" for k in range(min(TOP, len(self.channels)))]
            self.table.writerow([*names, *FIGURES, *blame])
        self.begun = True

    def write(self, name: str, answer: "Answer") -> None:
        """Writes the scores of one recording, and lets them go at once."""
        import numpy as np

        blame = answer.channel_scores
        order = np.argsort(-np.nan_to_num(blame, nan=-np.inf), axis=1, kind="stable")[:, :TOP]
        highest = np.take_along_axis(blame, order, axis=1).tolist()
        keys = [*["series"] * self.named, *["time"] * self.timed, *FIGURES]
        lines = []
        for i, (top, height) in enumerate(zip(order.tolist(), highest, strict=True)):
            # What was not measured (NaN) is to blame for nothing.
            pairs = zip(top, height, strict=True)
            guilty = {self.channels[c]: _short(h) for c, h in pairs if h == h}
            names = [*[name] * self.named, *[answer.stamps[i]] * self.timed]
            score, alarm = _short(answer.scores[i]), int(answer.alarms[i])
            cells = [*names, answer.rows[i], score, self.threshold, alarm]
            if self.kind == ".csv":
                self.table.writerow([*cells, *guilty, *[""] * (len(top) - len(guilty))])
            else:
                said = dict(zip(keys, cells, strict=True)) | {"top": guilty}
                lines.append(json.dumps(said, ensure_ascii=False))
        if lines:
            self.file.write("\n".join(lines) + "\n")
        self.file.flush()

    def place(self) -> int:
        """How many bytes have been written."""
        self.file.flush()
        return self.file.buffer.tell()  # pyright: ignore[reportAttributeAccessIssue]


def _short(value: float) -> float | None:
    """Six digits; None, which is an empty cell, where there is no score."""
    return float(f"{value:.6g}") if value - value == 0 else None


def _from_first(lines: list[bytes]) -> list[bytes]:
    """The lines from the first that is not empty."""
    for i, line in enumerate(lines):
        if line.strip():
            return lines[i:]
    return []


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _digest(run: Path) -> str:
    """What tells one run from another: its settings and what was learned."""
    found = hashlib.sha256((run / "settings.json").read_bytes())
    with (run / "weights.safetensors").open("rb") as file:
        return found.hexdigest()[:16] + hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The state in a file: what it says, and the arrays of its streams.

    Raises:
        ValueError: If it is damaged or of another version.
    """
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        kept = json.loads(str(arrays.pop("watch")))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        kept = {"format": None}
        arrays = {}
    if kept["format"] != FORMAT:
        raise ValueError(
            f"{path} must hold the state of a stream that this version wrote; got something else. "
            "Name another file, or remove this one to start anew."
        )
    return kept, arrays
