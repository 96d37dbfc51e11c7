"""The one call that compares, and what it returns: records, a page, a line of JSON each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from timeloom.data.windows import Windows
from timeloom.evaluation.arms import FEWEST, equalise
from timeloom.evaluation.rows import evaluate_rows
from timeloom.metrics.record import Record, write_records

__all__ = ["Report", "evaluate"]


@dataclass(frozen=True)
class Report:
    """What was found, and the windows it was found on (for the pictures).

    Attributes:
        records: One per metric.
        real: Held-out real windows.
        synthetic: Synthetic windows.
        reference: The windows that the generator was trained on, or None.
    """

    records: tuple[Record, ...]
    real: Windows
    synthetic: Windows
    reference: Windows | None = None

    @property
    def headline(self) -> str:
        """What was found, in one sentence."""
        from timeloom.report.words import headline

        return headline(self.records)

    @property
    def findings(self) -> list[str]:
        """What was found, a sentence for each thing that matters."""
        from timeloom.report.words import findings

        return findings(self.records)

    def failed_gates(self, demands: Sequence[str]) -> list[str]:
        """A line for each demand that does not hold, as ``["tstr_auroc>=0.9", "no-fail"]``.

        Raises:
            ValueError: If a demand is none, as :func:`timeloom.report.gates.parse_gate` says.
        """
        from timeloom.report.gates import failed_gates, parse_gate

        return failed_gates(self.records, [parse_gate(text) for text in demands])

    def to_records(self) -> list[Record]:
        """The records, one per metric."""
        return list(self.records)

    def save_records(self, path: str | PathLike[str]) -> Path:
        """Writes one JSON line per record, atomically."""
        return write_records(path, self.records)

    def to_html(self, path: str | PathLike[str], made: Mapping[str, Any] | None = None) -> Path:
        """Writes one self-contained page that needs no network.

        Args:
            path: Where to.
            made: How the windows were made, as names and JSON values: ``command``, ``seed``,
                ``version``, ``data`` (fingerprint), ``settings``, ``seconds``, ...

        Raises:
            OSError: If the file cannot be written; nothing half-written is left.
        """
        from timeloom.report.page import write_page

        return write_page(
            path,
            self.records,
            self.real,
            self.synthetic,
            self.reference,
            compared=self._compared(),
            made=dict(made or {}),
        )

    def _compared(self) -> list[Windows] | None:
        """The sides with the same labels; None where that leaves too little to draw."""
        sides = [self.real, self.synthetic]
        sides += [] if self.reference is None else [self.reference]
        task = next((r.settings["task"] for r in self.records if "task" in r.settings), None)
        if any(side.y is None for side in sides):
            task = None
        sides = equalise(sides, task, limit=2000, seed=0)
        return sides if len(sides[0]) >= FEWEST else None


def evaluate(
    real: Windows,
    synthetic: Windows,
    reference: Windows | None = None,
    *,
    task: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    method: str = "",
    data: str = "",
    limit: int = 2000,
    metrics: Sequence[str] | None = None,
) -> Report:
    """Compares synthetic windows with real ones that their generator has not seen.

    Every metric is measured once per seed (subsample, split and judge), beside three rows that
    cost nothing: the floor (real windows of half of the recordings against those of the other
    half), the copy machine (training windows handed back) and a Gaussian with the means and all
    covariances of the training windows. All use the same number of windows and, where there are
    labels, the same distribution of labels. Metrics that repeat themselves (ten judges of a
    published score) are measured for the first seed. The rule of the verdicts:
    :func:`timeloom.evaluation.verdict.verdict`.

    Args:
        real: Held-out real windows, of other recordings than ``reference``.
        synthetic: Synthetic windows, same length and channels.
        reference: The windows that the generator was trained on. Without them half of the real
            recordings stand for them, and rows about novelty are skipped.
        task: ``"classify"`` or ``"regress"``; guessed from the labels where None.
        seeds: At least one; three or more give a spread.
        method: What made the synthetic windows, for the records.
        data: What they are compared with, for the records.
        limit: Windows a side and seed at most; time grows with it.
        metrics: Names of :func:`timeloom.evaluation.known_metrics`; those of a usual evaluation
            where None.

    Returns:
        The records and the way to a page.

    Raises:
        ValueError: If lengths, channels or kinds of labels differ, a value is infinite, a channel
            is empty, a label is NaN, or a metric is not known.
    """
    rows = evaluate_rows(
        real,
        synthetic,
        reference,
        task=task,
        seeds=seeds,
        method=method,
        data=data,
        limit=limit,
        metrics=metrics,
    )
    return Report(tuple(rows), real, synthetic, reference)
