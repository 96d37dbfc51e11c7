"""What an evaluation must know of a metric besides the function: its direction, unit and scale."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["ABOUT", "Interval", "Metric"]

ABOUT = ("likeness", "values", "channels", "time", "variety", "rules", "novelty", "use")


class Interval(NamedTuple):
    """A figure that knows how sure it is: ``value``, and its 95 % interval ``low`` to ``high``."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Metric:
    """One line in the tuple at the foot of a file of metrics; that line is all a metric needs.

    Attributes:
        name: As records and command lines call it.
        function: Arrays in; one number out, an :class:`Interval`, or anything ``then`` takes. NaN
            says that it cannot be measured on these windows.
        better: ``"lower"`` or ``"higher"``.
        unit: What one unit of the number is; empty for a pure number.
        meaning: One plain sentence for the reader of a report.
        about: What the metric looks at, one of ``ABOUT``; a report is ordered by it.
        needs: What ``function`` is given, by the names of its arguments: ``real`` and
            ``synthetic`` (window, time, channel), their recordings as ``groups``, ``train`` (every
            window that the generator was trained on), ``held_out``, ``seed``.
        far: A departure from the floor this large has failed; a fifth of it is too small to matter.
        ideal: The best that can be had, from which real data themselves depart: fail means further
            from real data than these are from it. None where there is no such figure.
        worst: The worst that a figure can be; it fails, whatever real data score. Where None, 1 or
            0 for a share and nothing else.
        copies: What the copy machine is to this metric: ``"good"`` (it hands back real windows) or
            ``"bad"`` (it hands back no new ones).
        alarm: Values below it, and clearly below the floor, are a sign of copying.
        level: For a p-value (better "higher"): fail below this level, warn below five times it.
            p-values of several seeds are joined as twice their mean, whatever their dependence.
        then: Takes this metric's number (or interval) out of what ``function`` returns, so that
            several metrics share one costly function.
        smallest: Fewest windows a side for which the number means something; of detection, fewest
            events (or normal time points) over all recordings.
        absent: Why there may be no number, as a clause: said where ``function`` gives NaN.
        once: Measured for the first seed only, because ``function`` repeats itself.
        default: Whether an evaluation measures it without being asked.
    """

    name: str
    function: Callable[..., Any]
    better: str
    unit: str
    meaning: str
    about: str = "likeness"
    needs: tuple[str, ...] = ("real", "synthetic")
    far: float = 0.1
    ideal: float | None = 0.0
    worst: float | None = None
    copies: str = "good"
    alarm: float | None = None
    level: float | None = None
    then: Callable[[Any], float | Interval] | None = None
    smallest: int = 10
    absent: str = ""
    once: bool = False
    default: bool = True

    @property
    def bound(self) -> float | None:
        """The worst that a figure can be; None where there is no such figure."""
        if self.worst is None and self.unit == "share":
            return 1.0 if self.better == "lower" else 0.0
        return self.worst

    def __call__(self, **given: Any) -> float | Interval:
        """This metric's number; ``given`` may hold more than it needs."""
        return self.read(self.function(**{name: given[name] for name in self.needs}))

    def read(self, found: Any) -> float | Interval:
        """This metric's number, out of what its function returned."""
        if self.then is not None:
            found = self.then(found)
        return found if isinstance(found, Interval) else float(found)
