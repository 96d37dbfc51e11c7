"""Rows out of a stream of text: CSV or JSON lines, from standard input or a file that grows."""

import csv
import json
import math
import os
import re
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Layout", "Row", "Rows", "Source", "first_line", "layout_of"]

CHUNK = 1 << 18  # bytes taken at once, so that a batch stays small
WAIT = 0.2  # seconds between two looks at a file that grows, and at the clock
MISSING = {"", "nan", "na", "n/a", "null", "none", "?"}
TIMES = ("timestamp", "time", "datetime", "date_time", "date", "cycle", "step", "ds", "t")
UNNAMED = re.compile(r"c\d+")


class Row(NamedTuple):
    """One line of the stream.

    Attributes:
        values: One number per channel of the run; NaN where nothing was measured.
        stamp: The time as it stands in the line, or None.
        time: The same as a number: seconds since 1970 for a date; None where there is none.
        series: The name of the recording; "" where there is only one.
    """

    values: list[float]
    stamp: Any
    time: float | None
    series: str


class Source:
    """Lines of bytes as they come: all that is there, at once.

    Args:
        spec: A file, or ``-`` for standard input.
        once: End at the end of a file, instead of waiting for it to grow.
        begin: Where in the file to begin, in bytes.
    """

    def __init__(self, spec: str, *, once: bool = False, begin: int = 0) -> None:
        self.own = spec != "-"
        self.handle = os.open(spec, os.O_RDONLY) if self.own else sys.stdin.fileno()
        self.regular = stat.S_ISREG(os.fstat(self.handle).st_mode)
        self.grows = self.regular and self.own and not once
        self.place = begin if self.regular and self.own else 0
        self.shrunk = False
        if self.place:
            os.lseek(self.handle, self.place, os.SEEK_SET)

    def lines(self, stopped: Callable[[], bool]) -> Iterator[list[bytes]]:
        """Whole lines, as many as are there; none while nothing comes.

        ``place`` says behind the last line that was given. A last line without an end is given
        when the stream ends, and waited for while the file may grow.
        """
        rest = b""
        while not stopped():
            some = os.read(self.handle, CHUNK) if self._ready() else None
            if some:
                *whole, rest = (rest + some).split(b"\n")
                self.place += sum(len(line) + 1 for line in whole)
                yield whole
            elif some is None:
                yield []
            elif not self.grows:
                break
            else:
                if os.fstat(self.handle).st_size < self.place:
                    # The file was emptied, as logs are when they are rotated.
                    os.lseek(self.handle, 0, os.SEEK_SET)
                    self.place, rest, self.shrunk = 0, b"", True
                time.sleep(WAIT)
                yield []
        if rest and not stopped():
            self.place += len(rest)
            yield [rest]

    def close(self) -> None:
        """Lets go of the file; standard input stays open."""
        if self.own:
            os.close(self.handle)

    def _ready(self) -> bool:
        """Whether reading would not wait; always said where the system cannot tell."""
        if self.regular:
            return True
        try:
            return bool(select.select([self.handle], [], [], WAIT)[0])
        except OSError:
            return True


@dataclass(frozen=True)
class Layout:
    """Where in a line the channels, the time and the name of the recording stand.

    Attributes:
        json: JSON objects, or else CSV.
        separator: Between two cells of CSV.
        keys: For each channel of the run its place in a line of CSV, or its key.
        names: What the stream calls them.
        time: The place or key of the time, or None.
        series: The place or key of the recording's name, or None.
        width: How many cells a line of CSV has.
        header: Whether the first line only names the columns.
        said: A sentence on what was guessed.
    """

    json: bool
    separator: str
    keys: tuple[Any, ...]
    names: tuple[str, ...]
    time: Any
    series: Any
    width: int
    header: bool
    said: str


def layout_of(
    first: str,
    channels: Sequence[str],
    *,
    time: str | None = None,
    series: str | None = None,
    label: str | None = None,
    given: Sequence[str] | None = None,
) -> Layout:
    """How the lines of a stream are laid out, told by its first line.

    Args:
        first: The first line.
        channels: Those of the run, in order.
        time: The column of time stamps; guessed where None.
        series: The column that tells recordings apart; none where None.
        label: A column to leave alone.
        given: The measured columns, where they are told.

    Raises:
        ValueError: If a column is missing, or the channels are not those of the run.
    """
    if first.lstrip().startswith("{"):
        names, separator, header = _keys(first), "", False
    else:
        separator = max(",;\t", key=first.count)
        names = _cells(first, separator)
        header = not all(_is_number(cell) for cell in names)
        if not header:
            names = [f"c{i}" for i in range(len(names))]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the stream has two columns named '{twice}'; give each its own name.")
    for role in (time, series, label, *(given or ())):
        if role is not None and role not in names:
            raise ValueError(
                f"the stream has no column '{role}'; its columns are {_some(names)}. Name one of "
                "them."
            )
    free = [name for name in names if name not in (series, label)]
    if time is None and (header or not separator):
        plain = {name.strip().lower(): name for name in free if name not in channels}
        time = next((plain[name] for name in TIMES if name in plain), None)
    free = [name for name in free if name != time]
    chosen = _match(list(given) if given is not None else free, tuple(channels))
    place = (lambda name: name) if not separator else names.index
    return Layout(
        json=not separator,
        separator=separator,
        keys=tuple(place(name) for name in chosen),
        names=tuple(chosen),
        time=None if time is None else place(time),
        series=None if series is None else place(series),
        width=len(names),
        header=header,
        said=_sentence(separator, header, time, series, chosen, free),
    )


def _match(free: list[str], channels: tuple[str, ...]) -> list[str]:
    """The column of each channel: by name where both sides have names, by number else."""
    if set(channels) <= set(free):
        return list(channels)
    unnamed = all(UNNAMED.fullmatch(name) for name in channels) or all(
        UNNAMED.fullmatch(name) for name in free
    )
    if unnamed and len(free) == len(channels):
        return free
    missing = [name for name in channels if name not in free]
    expected = f"{len(channels)} channels" + ("" if unnamed else f" with {_some(missing)}")
    raise ValueError(
        f"the stream must hold the run's {expected}; got {len(free)} columns: {_some(free)}. "
        "Rename its columns, or name time, series and label so that they are not counted."
    )


def _sentence(
    separator: str, header: bool, time: str | None, series: str | None, chosen: Any, free: Any
) -> str:
    kind = "JSON lines" if not separator else "CSV" + ("" if header else " without a header")
    words = [kind, f"time '{time}'" if time is not None else "no time"]
    words += [f"series '{series}'"] if series is not None else []
    words += [f"{len(chosen)} channels"]
    left = [name for name in free if name not in chosen]
    return ", ".join(words) + (f"; left out: {_some(left)}" if left else "")


@dataclass
class Rows:
    """Turns lines into rows; what is wrong with a line is said, and the line skipped.

    Args:
        layout: How the lines are laid out.
        complain: Receives a sentence for every line that is skipped.
    """

    layout: Layout
    complain: Callable[[str], None]
    number: int = 0
    skipped: int = 0

    def parse(self, lines: Sequence[bytes]) -> list[Row]:
        """The rows in some lines; ``number`` counts lines from 1, as an editor does."""
        found = []
        read = self._object if self.layout.json else self._line
        for raw in lines:
            self.number += 1
            text = raw.decode("utf-8", "replace").strip("\r\ufeff")
            if not text.strip() or (self.layout.header and self.number == 1):
                continue
            try:
                found.append(read(text))
            except ValueError as error:
                self.skipped += 1
                self.complain(f"line {self.number} is skipped: {error}")
        return found

    def _line(self, text: str) -> Row:
        layout = self.layout
        cells = _cells(text, layout.separator)
        if len(cells) != layout.width:
            raise ValueError(f"it has {len(cells)} columns, expected {layout.width}")
        return self._row(cells.__getitem__)

    def _object(self, text: str) -> Row:
        try:
            found = json.loads(text)
        except ValueError:
            raise ValueError("it is no JSON object") from None
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
        if not any(key in found for key in self.layout.keys):
            raise ValueError(f"it has none of the channels {_some(self.layout.names)}")
        return self._row(found.get)

    def _row(self, get: Callable[[Any], Any]) -> Row:
        layout = self.layout
        pairs = zip(layout.keys, layout.names, strict=True)
        values = [_number(get(key), name) for key, name in pairs]
        stamp, at = (None, None) if layout.time is None else _time(get(layout.time))
        return Row(values, stamp, at, "" if layout.series is None else str(get(layout.series)))


def _cells(line: str, separator: str) -> list[str]:
    if '"' in line:
        line_cells = next(csv.reader([line], delimiter=separator))
    else:
        line_cells = line.split(separator)
    return [cell.strip() for cell in line_cells]


def _keys(line: str) -> list[str]:
    try:
        found = json.loads(line)
    except ValueError:
        raise ValueError(
            f"the first line begins as JSON but is no whole object: {line[:60]!r}. Write one "
            "object per line."
        ) from None
    return [str(key) for key in found]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.lower() in MISSING
    return True


def _number(cell: Any, name: str) -> float:
    """A measured value; NaN where there is none."""
    try:
        value = float(cell)
    except (TypeError, ValueError):
        if cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING):
            return math.nan
        raise ValueError(f"{cell!r} in '{name}' is no number") from None
    if math.isinf(value):
        raise ValueError(f"{cell!r} in '{name}' is not finite")
    return value


def _time(cell: Any) -> tuple[Any, float]:
    """A time stamp as it is written back, and as a number."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        value = float(cell)
    else:
        try:
            value = float(cell)
            cell = int(cell) if str(cell).lstrip("+-").isdigit() else value
        except (TypeError, ValueError):
            return cell, _date(cell)
    if not math.isfinite(value):
        raise ValueError(f"its time {cell!r} is not finite")
    return cell, value


def _date(cell: Any) -> float:
    try:
        found = datetime.fromisoformat(cell)
    except (TypeError, ValueError):
        raise ValueError(
            f"its time {cell!r} is neither a number nor a date such as 2024-05-01 13:00"
        ) from None
    # A date without a zone is taken as UTC, as in files.
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(map(str, names[:most])) + (", …" if len(names) > most else "")


def first_line(spec: str) -> str:
    """The first line of a file, where a stream that goes on has its column names.

    Raises:
        OSError: If the file cannot be read.
    """
    with Path(spec).open("rb") as file:
        return file.readline().decode("utf-8-sig", "replace").rstrip("\r\n")
