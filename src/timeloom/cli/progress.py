"""Progress: a bar where a person watches, a line every tenth of the way where nobody does."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from timeloom.cli.messages import leads, show

if TYPE_CHECKING:
    from timeloom.train import Progress

__all__ = ["Meter", "clock", "follow", "meter", "table", "track"]

T = TypeVar("T")


class Meter(Protocol):
    """Shows how far something is."""

    def at(self, share: float, text: str) -> None:
        """Sets the share that is done, in [0, 1], and what is said beside it."""
        ...


class _Silent:
    def at(self, share: float, text: str) -> None:
        """Says nothing: another process speaks."""


class _Lines:
    """A line at the first report and at every tenth."""

    def __init__(self, what: str) -> None:
        self.what, self.tenth = what, -1

    def at(self, share: float, text: str) -> None:
        """A line, where a new tenth has been reached."""
        tenth = int(share * 10 + 1e-9)
        if tenth > self.tenth:
            self.tenth = tenth
            show(f"{self.what} {round(100 * share):3d} %  {text}".rstrip())


@contextmanager
def meter(what: str) -> Iterator[Meter]:
    """A meter called ``what``: a bar on a terminal, lines elsewhere."""
    if not leads():
        yield _Silent()
        return
    if not sys.stdout.isatty():
        yield _Lines(what)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(24), TaskProgressColumn())
    with Progress(*columns, TextColumn("{task.fields[text]}")) as bars:
        bar = bars.add_task(what, total=1.0, text="")

        class _Bar:
            def at(self, share: float, text: str) -> None:
                bars.update(bar, completed=share, text=text)

        yield _Bar()


def follow(reports: Iterable["Progress"], what: str = "fit") -> "Progress | None":
    """Runs a training to its end and shows step, losses, speed and time left.

    Returns:
        The last report; None where there was none.
    """
    last = None
    with meter(what) as shown:
        for last in reports:
            words = [f"step {last.step:,}", f"loss {last.loss:.4f}"]
            if last.validation is not None:
                words.append(f"validation {last.validation:.4f}")
            words.append(f"{last.seen / max(last.seconds, 1e-9):,.0f} windows/s")
            # Before a tenth of a second has been measured, the time left is a guess at random.
            words.append(f"{clock(last.left)} left" if last.step > 1 else "")
            shown.at(last.share, "  ".join(words).rstrip())
    return last


def track(
    things: Iterable[T], what: str, total: int, *, unit: str = "windows", by_size: bool = True
) -> Iterator[T]:
    """Passes things on and shows how many of ``total`` have passed.

    Args:
        things: What passes.
        what: Name of the meter.
        total: How many there are.
        unit: What is counted.
        by_size: Count ``len(thing)`` for each thing, instead of one.
    """
    done = 0
    with meter(what) as shown:
        for thing in things:
            yield thing
            done += len(thing) if by_size else 1  # pyright: ignore[reportArgumentType]
            shown.at(done / max(total, 1), f"{done:,} of {total:,} {unit}")


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds: ``75`` is ``1:15``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    text = f"{rest // 60}:{rest % 60:02d}"
    return f"{hours}:{text.zfill(5)}" if hours else text


def table(titles: list[str], rows: list[list[str]]) -> None:
    """A small table on stdout."""
    if not leads():
        return
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        drawn.add_row(*row)
    # Off a terminal, rich would fold the table to 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)
    console.print(drawn)
