"""One measured figure and everything needed to believe it: one JSON line."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any, Self

from timeloom.data.atomic import atomic

__all__ = ["Record", "read_records", "write_records"]

VERDICTS = ("pass", "warn", "fail", "skipped")
DIRECTIONS = ("lower", "higher")


@dataclass(frozen=True)
class Record:
    """One measured figure.

    Attributes:
        metric: Its name.
        value: Mean over the seeds; None where nothing was measured.
        low: Lower end of the interval: the metric's own 95 % interval where it has one (mean over
            the seeds), else the smallest over the seeds.
        high: Upper end, as ``low``.
        floor: What real data score against real data of other recordings, same sizes: as good as
            it gets.
        copy: What the copy machine scores, which hands back training windows.
        gaussian: What a Gaussian with the means and all covariances of the training windows
            scores: a metric to which it is as good as real sees no more than these.
        better: ``"lower"`` or ``"higher"``.
        verdict: ``"pass"``, ``"warn"``, ``"fail"`` or ``"skipped"``.
        why: The rule behind the verdict, with its figures, and what was done to the data.
        method: What made the synthetic windows.
        data: What they were compared with.
        seeds: One value was measured per seed: subsample, split and judge.
        sizes: Windows on each side.
        seconds: Time taken.
        version: Of timeloom.
        settings: JSON values that the figure depends on.
        unit: Of value, low, high, floor and copy; empty for a pure number.
        meaning: The metric in one plain sentence.
        about: What it looks at: one of :data:`timeloom.metrics.metric.ABOUT`.
        per_seed: ``value``, ``floor``, ``copy`` and ``gaussian``, one number per seed.

    Raises:
        ValueError: If ``better`` or ``verdict`` is none of the words above.
    """

    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    copy: float | None = None
    gaussian: float | None = None
    better: str = "lower"
    verdict: str = "skipped"
    why: str = ""
    method: str = ""
    data: str = ""
    seeds: tuple[int, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    version: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    unit: str = ""
    meaning: str = ""
    about: str = ""
    per_seed: dict[str, list[float | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.better not in DIRECTIONS:
            raise ValueError(f"better must be one of {DIRECTIONS}; got {self.better!r}.")
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict must be one of {VERDICTS}; got {self.verdict!r}.")
        for one in fields(self):
            # JSON knows no NaN, and a record must come back from its line as it went.
            object.__setattr__(self, one.name, plain(getattr(self, one.name)))
        object.__setattr__(self, "seeds", tuple(self.seeds))

    def to_json(self) -> str:
        """One line of JSON without a line end."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Self:
        """The record that :meth:`to_json` wrote; names that a newer version added are left out.

        Raises:
            ValueError: If the line is no JSON object with a ``metric``.
        """
        given = json.loads(line)
        if not isinstance(given, dict) or "metric" not in given:
            raise ValueError(f"a record is a JSON object with a 'metric'; got {line[:60]!r}.")
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in given.items() if name in known})


def write_records(path: str | PathLike[str], records: Iterable[Record]) -> Path:
    """Writes one JSON line per record, atomically.

    Raises:
        OSError: If the file cannot be written; nothing half-written is left.
    """
    with atomic(path) as there:
        lines = (record.to_json() + "\n" for record in records)
        there.write_text("".join(lines), encoding="utf-8")
    return Path(path)


def read_records(path: str | PathLike[str]) -> list[Record]:
    """The records of a file that :func:`write_records` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is not a record.
    """
    records = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            records.append(Record.from_json(line))
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: expected one record; {error} Make the file anew."
            ) from None
    return records


def plain(value: Any, digits: int | None = None) -> Any:
    """JSON values only: None for what is not finite, Python numbers for numpy's.

    Args:
        value: Numbers, words, and lists, tuples and dictionaries of them.
        digits: Significant digits of floats; None keeps all.
    """
    if isinstance(value, dict):
        return {str(name): plain(one, digits) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, digits) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return value if digits is None else float(f"{value:.{digits}g}")
