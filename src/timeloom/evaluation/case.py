"""What one evaluation is about, and how its figures become records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

import timeloom
from timeloom.data.windows import Windows
from timeloom.evaluation.verdict import level_verdict, verdict
from timeloom.metrics.metric import Interval, Metric
from timeloom.metrics.record import Record

__all__ = ["Case"]

INTERVAL, RANGE = "95 % interval", "range over seeds"


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
        whole: All held-out real windows, half of which ``reference`` took where ``blind``.
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
    whole: Windows | None = None

    def skipped(self, metric: Metric, why: str) -> Record:
        """The record of a metric that was not measured."""
        return Record(metric.name, verdict="skipped", why=f"{why}.", **self._about(metric))

    def measured(
        self,
        metric: Metric,
        per_seed: Mapping[str, Sequence[float | Interval]],
        *,
        sizes: dict[str, int],
        began: float,
        note: str = "",
        small: float | None = None,
        interval: tuple[float, float] | None = None,
    ) -> Record:
        """The record of ``value``, ``floor``, ``copy`` and ``gaussian``, one per seed each.

        Args:
            metric: What was measured.
            per_seed: Figures by side, one per seed; a side that could not be measured is absent.
            sizes: Windows on each side.
            began: When the measurement began, on the clock of ``time.perf_counter``.
            note: A sentence for the reader, without a full stop.
            small: A departure from the floor too small to matter, where the metric's is not meant.
            interval: The 95 % interval of the value, where the figures do not carry one.
        """
        numbers = {side: [_number(one) for one in some] for side, some in per_seed.items()}
        value = _joined(metric, numbers["value"])
        if not math.isfinite(value):
            return self.skipped(metric, "it cannot be measured on these windows: no figure exists")
        floor, copy, gaussian = (
            _joined(metric, numbers.get(side, [])) for side in ("floor", "copy", "gaussian")
        )
        low, high, kind = _interval(per_seed["value"], interval)
        if metric.level is None:
            real = [*numbers.get("floor", []), *numbers.get("copy", [])]
            word, why = verdict(
                value,
                floor,
                copy,
                better=metric.better,
                far=metric.far,
                ideal=metric.ideal,
                worst=metric.bound,
                small=small,
                spread=_spread(per_seed.get("floor", [])),
                copies=metric.copies,
                # An interval that reaches to guessing is no sign of anything.
                alarm=None if metric.ideal is not None and high >= metric.ideal else metric.alarm,
                lowest=min(real, default=None),
            )
        else:
            word, why = level_verdict(value, metric.level)
            low, high, kind = value, value, "none: a p-value"
        said = [why, *(f"{text[0].upper()}{text[1:]}." for text in (note, *self.notes) if text)]
        about = self._about(metric, kind)
        about["seeds"] = self.seeds[: len(numbers["value"])]
        return Record(
            metric.name,
            value=value,
            low=low,
            high=high,
            floor=floor,
            copy=copy,
            gaussian=gaussian,
            verdict=word,
            why=" ".join(said),
            sizes=sizes,
            seconds=round(perf_counter() - began, 3),
            per_seed={side: list(values) for side, values in numbers.items()},
            **about,
        )

    def _about(self, metric: Metric, interval: str = RANGE) -> dict[str, Any]:
        return {
            "better": metric.better,
            "unit": metric.unit,
            "meaning": metric.meaning,
            "about": metric.about,
            "method": self.method,
            "data": self.data,
            "seeds": self.seeds,
            "version": timeloom.__version__,
            "settings": {"limit": self.limit, "task": self.task, "interval": interval},
        }


def _number(figure: float | Interval) -> float:
    return figure.value if isinstance(figure, Interval) else float(figure)


def _joined(metric: Metric, figures: Sequence[float]) -> float:
    """One figure of several seeds: their mean; of p-values twice that, which is a p-value again."""
    if not len(figures):
        return float("nan")
    mean = float(np.mean(figures))
    return min(1.0, 2 * mean) if metric.level is not None and len(figures) > 1 else mean


def _spread(floors: Sequence[float | Interval]) -> float:
    """How far the floor itself wavers: a synthetic set whose score wavers must not gain by it."""
    over_seeds = float(np.std([_number(one) for one in floors], ddof=1)) if len(floors) > 1 else 0.0
    own = [(one.high - one.low) / (2 * 1.96) for one in floors if isinstance(one, Interval)]
    spread = max([over_seeds, *([float(np.mean(own))] if own else [])])
    return spread if math.isfinite(spread) else 0.0


def _interval(
    figures: Sequence[float | Interval], given: tuple[float, float] | None
) -> tuple[float, float, str]:
    if given is not None:
        return *given, INTERVAL
    own = [one for one in figures if isinstance(one, Interval)]
    if own:
        low, high = (float(np.mean([one[k] for one in own])) for k in (1, 2))
        return low, high, INTERVAL
    numbers = [_number(one) for one in figures]
    return min(numbers), max(numbers), RANGE
