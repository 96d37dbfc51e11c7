"""Records of a grid: added cell by cell, so that a killed grid goes on where it stopped."""

from collections.abc import Iterable
from pathlib import Path

from timeloom.metrics.record import Record, read_records

__all__ = ["done", "note", "share_of"]


def note(path: Path, records: Iterable[Record]) -> None:
    """Adds a cell's records in one write, so that two processes can share the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(record.to_json() + "\n" for record in records)
    with open(path, "a", encoding="utf-8") as file:
        file.write(lines)


def done(path: Path, data: str, length: int, arm: str, seed: int) -> bool:
    """Whether the file holds the records of a cell."""
    if not path.exists():
        return False
    wanted = (f"{data}, {length}", arm, (seed,))
    return any((r.data, r.method, r.seeds) == wanted for r in read_records(path))


def share_of(part: str) -> tuple[int, int]:
    """``"2/3"`` as (2, 3): this process takes every third cell from the second.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N.
    """
    first, _, every = part.partition("/")
    if not (first.isdigit() and every.isdigit() and 1 <= int(first) <= int(every)):
        raise ValueError(f"part must be I/N with 1 <= I <= N, as 1/2; got {part!r}.")
    return int(first), int(every)
