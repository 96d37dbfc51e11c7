"""The answer to "will synthetic windows help?": a verdict, reasons in plain words, figures."""

import json
import textwrap
from dataclasses import dataclass, field
from typing import Any

from timeloom.metrics.record import plain

__all__ = ["VERDICTS", "Advice"]

VERDICTS = ("yes", "limited", "no")
WIDTH = 96
DIGITS = 4  # more than any figure here bears


@dataclass(frozen=True)
class Advice:
    """Whether synthetic windows are likely to help, and why; ``print`` it.

    Attributes:
        verdict: ``"yes"``, ``"limited"`` or ``"no"``.
        reasons: Sentences, what decides first.
        figures: JSON values that the sentences are made of.

    Raises:
        ValueError: If the verdict is none of the three words.
    """

    verdict: str
    reasons: tuple[str, ...]
    figures: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict must be one of {VERDICTS}; got {self.verdict!r}.")
        object.__setattr__(self, "reasons", tuple(self.reasons))
        object.__setattr__(self, "figures", plain(self.figures, DIGITS))

    def to_json(self) -> str:
        """One JSON object: ``verdict``, ``reasons``, ``figures``."""
        about = {"verdict": self.verdict, "reasons": self.reasons, "figures": self.figures}
        return json.dumps(about, ensure_ascii=False, allow_nan=False, indent=2)

    def __str__(self) -> str:
        lines = [f"verdict: {self.verdict}", ""]
        for reason in self.reasons:
            lines += textwrap.wrap(reason, WIDTH, initial_indent="- ", subsequent_indent="  ")
        return "\n".join(lines)
