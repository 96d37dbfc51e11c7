"""What one evaluation is about, and how its figures become records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

import timeloom
from timeloom.data.windows import Windows
from timeloom.evaluation.verdict import verdict
from timeloom.metrics.metric import Metric
from timeloom.metrics.record import Record

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """One evaluation: what is compared, how often, and what is to be said of it.

    Attributes:
        real: Held-out real windows.
        synthetic: Synthetic windows.
        reference: Training windows, or real ones that stand for them.
        task: ``"classify"``, ``"regress"`` or None.
        seeds: One value per seed.
        method: What made the synthetic windows.
        data: What they are compared with.
        limit: Windows a side and seed at most.
        notes: Sentences for every record.
        blind: Whether the real training windows are unknown.
    """

    real: Windows
    synthetic: Windows
    reference: Windows
    task: str | None
    seeds: tuple[int, ...]
    method: str
    data: str
    limit: int
    notes: tuple[str, ...]
    blind: bool

    def skipped(self, metric: Metric, why: str) -> Record:
        """The record of a metric that was not measured."""
        return Record(metric.name, verdict="skipped", why=f"{why}.", **self._about(metric))

    def measured(
        self,
        metric: Metric,
        per_seed: Mapping[str, Sequence[float]],
        *,
        sizes: dict[str, int],
        began: float,
        note: str = "",
        small: float | None = None,
    ) -> Record:
        """The record of ``value``, ``floor`` and ``copy``, one number per seed each."""
        mean = {side: float(np.mean(values)) for side, values in per_seed.items()}
        value, floor, copy = (mean.get(side, float("nan")) for side in ("value", "floor", "copy"))
        # The floor's own spread: a synthetic set whose score wavers must not gain by it.
        spread = np.std(per_seed.get("floor", [0.0, 0.0]), ddof=1) if len(self.seeds) > 1 else 0.0
        word, why = verdict(
            value,
            floor,
            copy,
            better=metric.better,
            far=metric.far,
            small=small,
            spread=float(spread),
            copies=metric.copies,
            alarm=metric.alarm,
        )
        said = [why, *(f"{text[0].upper()}{text[1:]}." for text in (note, *self.notes) if text)]
        return Record(
            metric.name,
            value=value,
            low=min(per_seed["value"]),
            high=max(per_seed["value"]),
            floor=floor,
            copy=copy,
            verdict=word,
            why=" ".join(said),
            sizes=sizes,
            seconds=round(perf_counter() - began, 3),
            per_seed={side: list(values) for side, values in per_seed.items()},
            **self._about(metric),
        )

    def _about(self, metric: Metric) -> dict[str, Any]:
        return {
            "better": metric.better,
            "unit": metric.unit,
            "meaning": metric.meaning,
            "method": self.method,
            "data": self.data,
            "seeds": self.seeds,
            "version": timeloom.__version__,
            "settings": {"limit": self.limit, "task": self.task, "interval": "range over seeds"},
        }
