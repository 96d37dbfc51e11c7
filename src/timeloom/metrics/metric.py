"""What an evaluation must know of a metric besides the function: its direction, unit and scale."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Metric"]


@dataclass(frozen=True)
class Metric:
    """One line in the tuple at the foot of a file of metrics; that line is all a metric needs.

    Attributes:
        name: As records and command lines call it.
        function: Arrays in, one number out.
        better: ``"lower"`` or ``"higher"``.
        unit: What one unit of the number is; empty for a pure number.
        meaning: One plain sentence for the reader of a report.
        needs: What ``function`` is given, by the names of its arguments: ``real`` and
            ``synthetic`` (window, time, channel), their recordings as ``groups``, ``train`` (every
            window that the generator was trained on), ``held_out``, ``seed``.
        far: A departure from the floor this large has failed; a fifth of it is too small to matter.
        copies: What the copy machine is to this metric: ``"good"`` (it hands back real windows) or
            ``"bad"`` (it hands back no new ones).
        alarm: Values below it, and clearly below the floor, are a sign of copying.
        then: Turns the number of ``function`` into this metric's, so that two metrics share one
            costly function.
        smallest: Fewest windows a side for which the number means something.
    """

    name: str
    function: Callable[..., float]
    better: str
    unit: str
    meaning: str
    needs: tuple[str, ...] = ("real", "synthetic")
    far: float = 0.1
    copies: str = "good"
    alarm: float | None = None
    then: Callable[[float], float] | None = None
    smallest: int = 10

    def __call__(self, **given: Any) -> float:
        """This metric's number; ``given`` may hold more than it needs."""
        value = self.function(**{name: given[name] for name in self.needs})
        return float(value if self.then is None else self.then(value))
