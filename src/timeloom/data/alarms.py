"""From which score on is it an alarm, at a stated rate of false ones, and how unlikely is a score?

Rules are fitted on scores of normal data alone: no label is read. ``quantile`` counts,
``conformal`` counts and promises, ``pot`` (peaks over a threshold) extrapolates by extreme value
theory. :class:`Dspot` and :class:`~timeloom.data.tails.Spot` learn on from a stream.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.data.tails import FEWEST, Scores, Spot, Tail, autocorrelation_time, fit_tail, gathered

__all__ = [
    "ConformalRule",
    "Dspot",
    "PotRule",
    "QuantileRule",
    "Rule",
    "rule_from_state",
    "rule_of",
]

Array = NDArray[Any]

KEPT = 10_000  # highest scores kept one by one for p-values, and as many of the others
CLOSE = 1e-9  # shares that are equal but for rounding


class Rule(ABC):
    """Where alarms begin, learned from normal scores: a row is an alarm above ``threshold_``.

    Attributes:
        alarm_rate: Share of normal rows that may be alarms.
        threshold_: In the unit of the scores.
        notes: What the user should know of it, in sentences.
        facts_: Figures that were learned: ``scores`` it was fitted on, ``effective``, how many
            independent scores they are worth, and those of the single rule.

    Raises:
        ValueError: If a setting is out of its range.
    """

    name: ClassVar[str]

    def __init__(self, alarm_rate: float = 0.01) -> None:
        if not 0 < alarm_rate < 1:
            raise ValueError(
                f"alarm_rate is a share of normal rows between 0 and 1; got {alarm_rate}. For one "
                "false alarm in a thousand rows give 0.001."
            )
        self.alarm_rate = float(alarm_rate)
        self.notes: tuple[str, ...] = ()
        self.facts_: dict[str, float] = {}

    def fit(self, scores: Scores) -> Self:
        """Learns from scores of normal data that the detector was not fitted on.

        Args:
            scores: (time,), or a list of them, one per recording; higher = more abnormal. NaN is
                left out, and said.

        Raises:
            ValueError: If scores are infinite, none is left, or there are too few for the rule.
        """
        lines, notes = gathered(scores, gap=int(self._settings().get("gap", 0)))
        line = np.sort(np.concatenate(lines))
        effective = sum(len(one) / autocorrelation_time(_ranks(one)) for one in lines)
        self.facts_ = {"scores": float(len(line)), "effective": effective}
        self._values, self._beyond = _counted(line)
        self.threshold_, more = self._learned(line)
        if line[0] == line[-1]:
            more = [f"all {len(line)} scores are equal: any higher score is an alarm."]
        elif (above := float(np.mean(line > self.threshold_))) < self.alarm_rate / 2 and np.sum(
            line == self.threshold_
        ) > 1:
            more.append(
                f"many scores are equal to the threshold: {above:.3g} of the normal rows lie above "
                f"it, fewer than the {self.alarm_rate:g} asked for."
            )
        self.notes = (*notes, *more)
        return self

    @abstractmethod
    def _learned(self, line: Array) -> tuple[float, list[str]]:
        """Threshold and notes from finite scores (time,), ascending."""

    @abstractmethod
    def p_value(self, scores: ArrayLike) -> Array:
        """How probable a score as high or higher is on normal rows; NaN where there is none.

        Args:
            scores: Of any shape.
        """

    def _settings(self) -> dict[str, Any]:
        return {"alarm_rate": self.alarm_rate}

    def _at_least(self, scores: ArrayLike) -> Array:
        """How many scores it was fitted on are as high or higher."""
        places = np.searchsorted(self._values, np.asarray(scores, np.float64))
        counts = np.concatenate([[self.facts_["scores"]], self._beyond])
        return counts[places]

    def to_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Facts for JSON, and arrays, from which :func:`rule_from_state` makes the rule again."""
        facts = {"rule": self.name, "settings": self._settings(), "notes": list(self.notes)}
        facts |= {"threshold": self.threshold_, "facts": self.facts_}
        return facts, {"values": self._values, "beyond": self._beyond}


class QuantileRule(Rule):
    """At most a share ``alarm_rate`` of the scores it was fitted on lies above the threshold."""

    name = "quantile"

    def _learned(self, line: Array) -> tuple[float, list[str]]:
        value = float(np.quantile(line, 1 - self.alarm_rate, method="higher"))
        few = f"{len(line)} scores are too few for a rate of {self.alarm_rate:g}: the threshold is "
        return value, [few + "the highest of them."] if value == line[-1] else []

    def p_value(self, scores: ArrayLike) -> Array:
        """Share of the fitted scores that are as high or higher."""
        line = np.asarray(scores, np.float64)
        return np.where(np.isnan(line), np.nan, self._at_least(line) / self.facts_["scores"])


class ConformalRule(Rule):
    """Split conformal: normal rows exchangeable with the calibration rows alarm at most this often.

    Of n calibration scores the ceil((n + 1)(1 - rate))-th lowest is the threshold, so that a new
    normal score passes it with probability ``alarm_rate`` at most, for any distribution. That is
    the mean over calibration sets: with this one, the rate lies in ``facts_["low"]`` to
    ``facts_["high"]`` with 95 %, counted in independent scores. Source: Vovk et al. 2005; Lei et
    al. 2018, split conformal; Angelopoulos and Bates 2023, section 3.2, for the interval.

    Args:
        alarm_rate: Share of normal rows that may be alarms.
        gap: Rows left out at the beginning of every recording, where it follows in time upon what
            the detector was fitted on.
        few: With fewer than 1 / rate - 1 scores: ``"largest"`` takes the largest one and says
            which rate that promises, ``"refuse"`` raises.

    Raises:
        ValueError: As :meth:`Rule.fit`, and if a setting is out of its range.
    """

    name = "conformal"

    def __init__(self, alarm_rate: float = 0.01, *, gap: int = 0, few: str = "largest") -> None:
        super().__init__(alarm_rate)
        if few not in ("largest", "refuse") or gap < 0:
            raise ValueError(
                f"few is 'largest' or 'refuse' and gap is 0 or more rows; got {few!r} and {gap}. "
                "See :class:`ConformalRule`."
            )
        self.gap, self.few = int(gap), few

    def _settings(self) -> dict[str, Any]:
        return {"alarm_rate": self.alarm_rate, "gap": self.gap, "few": self.few}

    def _learned(self, line: Array) -> tuple[float, list[str]]:
        from scipy.stats import beta

        count, rate, effective = len(line), self.alarm_rate, self.facts_["effective"]
        above = int((count + 1) * rate + CLOSE)  # how many of them may lie at the threshold or over
        notes = []
        if above < 1:
            said = (
                f"{count} calibration scores are too few for a rate of {rate:g}, which takes "
                f"{int(np.ceil(1 / rate - CLOSE)) - 1}: with the largest as threshold, a normal "
                f"row is an alarm with probability {1 / (count + 1):.3g} at most."
            )
            if self.few == "refuse":
                raise ValueError(f"{said} Give more normal data, a higher rate, or few='largest'.")
            above, rate, notes = 1, 1 / (count + 1), [said]
        likely = beta(rate * (effective + 1), (1 - rate) * (effective + 1))
        low, high = (float(end) for end in likely.ppf([0.025, 0.975]))
        self.facts_ |= {"low": low, "high": high}
        if high > 2 * rate:
            notes.append(
                f"the {count} calibration scores are worth about {effective:.0f} independent ones: "
                f"{rate:.3g} false alarms per row are promised on average, but with so few it may "
                f"be {high:.2g}. More normal data make it surer."
            )
        return float(line[count - above]), notes

    def p_value(self, scores: ArrayLike) -> Array:
        """(1 + fitted scores as high or higher) / (1 + all): at most the rate exactly in alarms."""
        line = np.asarray(scores, np.float64)
        share = (1 + self._at_least(line)) / (1 + self.facts_["scores"])
        return np.where(np.isnan(line), np.nan, share)


class PotRule(Rule):
    """Peaks over a threshold: a generalised Pareto tail, for rates rarer than the data show.

    Args:
        alarm_rate: Share of normal rows that may be alarms. Where it is more than the share in
            the tail, scores are counted instead.
        level: As :func:`fit_tail`.
    """

    name = "pot"

    def __init__(self, alarm_rate: float = 0.001, *, level: float = 0.98) -> None:
        super().__init__(alarm_rate)
        if not 0.5 <= level < 1:
            raise ValueError(f"level is a share from 0.5 to below 1; got {level}. Give 0.98.")
        self.level = float(level)

    @property
    def tail_(self) -> Tail | None:
        """What was fitted; None where the scores have no tail, being nearly all equal."""
        if "scale" not in self.facts_:
            return None
        return Tail(*(self.facts_[name] for name in ("start", "shape", "scale", "share")))

    def _settings(self) -> dict[str, Any]:
        return {"alarm_rate": self.alarm_rate, "level": self.level}

    def _learned(self, line: Array) -> tuple[float, list[str]]:
        if len(line) < 2 * FEWEST:
            raise ValueError(
                f"a tail takes {2 * FEWEST} scores or more; got {len(line)}. Give more normal "
                "data, or take the rule 'conformal'."
            )
        found = fit_tail(line, level=self.level)
        if found is None:
            return float(line[-1]), [
                f"fewer than {FEWEST} of {len(line)} scores differ from the smallest: there is no "
                "tail to fit, and the threshold is the highest of them."
            ]
        tail, excesses = found
        far, critical = tail.misfit(excesses)
        self.facts_ |= {"start": tail.start, "shape": tail.shape, "scale": tail.scale}
        self.facts_ |= {"share": tail.share, "misfit": far, "critical": critical}
        notes = []
        if far > critical:
            notes.append(
                f"the highest {len(excesses)} scores are no Pareto tail (A² of Anderson and Darling"
                f" {far:.3g}, above {critical:.3g} in one sample of twenty): rates rarer than "
                f"{1 / len(line):.2g} are a guess."
            )
        if self.alarm_rate > tail.share:
            return float(np.quantile(line, 1 - self.alarm_rate, method="higher")), notes
        return tail.threshold(self.alarm_rate), notes

    def p_value(self, scores: ArrayLike) -> Array:
        """By the tail beyond its start, by counting below; 0 beyond the end of a tail with one."""
        line, tail = np.asarray(scores, np.float64), self.tail_
        share = self._at_least(line) / self.facts_["scores"]
        if tail is not None:
            share = np.where(line > tail.start, tail.survival(line), share)
        return np.where(np.isnan(line), np.nan, share)


RULES: dict[str, type[Rule]] = {r.name: r for r in (ConformalRule, PotRule, QuantileRule)}


def rule_of(name: str, rate: float, **how: Any) -> Rule:
    """The rule ``"conformal"``, ``"pot"`` or ``"quantile"``, not yet fitted.

    Args:
        name: Which.
        rate: Share of normal rows that may be alarms.
        how: Settings of that rule.

    Raises:
        ValueError: If there is no such rule, or a setting is not one of its own.
    """
    if name not in RULES:
        raise ValueError(f"a rule is one of {', '.join(RULES)}; got {name!r}.")
    known = RULES[name]()._settings().keys() - {"alarm_rate"}
    if how.keys() - known:
        raise ValueError(
            f"the rule {name} takes {', '.join(sorted(known)) or 'no settings'}; got "
            f"{', '.join(sorted(how.keys() - known))}."
        )
    return RULES[name](rate, **how)


def rule_from_state(facts: dict[str, Any], arrays: dict[str, Array]) -> Rule:
    """The fitted rule whose :meth:`Rule.to_state` gave these."""
    settings = dict(facts["settings"])
    rule = rule_of(facts["rule"], settings.pop("alarm_rate"), **settings)
    rule.threshold_, rule.notes = float(facts["threshold"]), tuple(facts["notes"])
    rule.facts_ = dict(facts["facts"])
    rule._values = np.asarray(arrays["values"], np.float64)
    rule._beyond = np.asarray(arrays["beyond"], np.float64)
    return rule


class Dspot:
    """SPOT on scores less the mean of the last ``depth`` rows that were no alarms: for drift.

    A jump that lasts stays an alarm, as nothing is learned from it, until :meth:`restart`. Source:
    Siffer et al. 2017.

    Args:
        alarm_rate: Share of normal rows that may be alarms, at most 0.1.
        depth: Rows in the moving mean.
        level: As for :class:`Spot`; ``most`` too.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(
        self, alarm_rate: float = 1e-3, *, depth: int = 100, level: float = 0.98, most: int = 1000
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth is a number of rows, 1 or more; got {depth}.")
        self.depth, self._spot = int(depth), Spot(alarm_rate, level=level, most=most)

    @property
    def threshold_(self) -> float:
        """For the next row, in the unit of the scores; infinite until ``depth`` rows are known."""
        if len(self._last) < self.depth:
            return float("inf")
        return self._spot.threshold_ + self._sum / self.depth

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, in sentences."""
        return self._spot.notes

    def fit(self, scores: Scores) -> Self:
        """Starts from normal scores, (time,) or a list of them; the last one is gone on from.

        Raises:
            ValueError: If scores are infinite, or fewer than 40 come after the first ``depth``.
        """
        lines = [line for line in gathered(scores)[0] if len(line) > self.depth]
        if not lines:
            few = f"no recording has more than depth {self.depth} scores;"
            raise ValueError(f"{few} give more normal data or a smaller depth.")
        sums = [np.concatenate([[0.0], np.cumsum(line)]) for line in lines]
        means = [(one[self.depth :] - one[: -self.depth])[:-1] / self.depth for one in sums]
        self._spot.fit([line[self.depth :] - m for line, m in zip(lines, means, strict=True)])
        self._last, self._at = lines[-1][-self.depth :].copy(), 0
        self._sum = float(self._last.sum())
        return self

    def restart(self) -> Self:
        """Forgets the last rows, not the tail: the next ``depth`` rows give the mean, unjudged."""
        self._last, self._at, self._sum = np.empty(0), 0, 0.0
        return self

    def update(self, scores: ArrayLike) -> tuple[Array, Array]:
        """As :meth:`Spot.update`; thresholds are in the unit of the scores."""
        line = np.atleast_1d(np.asarray(scores, np.float64))
        alarms, limits = np.zeros(len(line), bool), np.empty(len(line))
        for row, score in enumerate(line.tolist()):
            limits[row] = self.threshold_
            if len(self._last) == self.depth:
                alarms[row] = self._spot._step(score - self._sum / self.depth)
            if np.isfinite(score) and not alarms[row]:
                self._remember(score)
        return alarms, limits

    def _remember(self, score: float) -> None:
        if len(self._last) < self.depth:
            self._last = np.append(self._last, score)
        else:
            self._sum += score - float(self._last[self._at])
            self._last[self._at] = score
            self._at = (self._at + 1) % self.depth
        if self._at == 0:  # rounding errors do not add up
            self._sum = float(self._last.sum())

    def state(self) -> dict[str, Array]:
        """All that is needed to go on, as arrays by name."""
        mean = {"last": self._last.copy(), "mean": np.array([self.depth, self._at, self._sum])}
        return self._spot.state() | mean

    def restore(self, state: dict[str, Array]) -> Self:
        """Takes back what :meth:`state` gave, its settings too."""
        self._spot.restore(state)
        self._last = np.array(state["last"], np.float64)
        depth, at, self._sum = np.asarray(state["mean"], np.float64).tolist()
        self.depth, self._at = int(depth), int(at)
        return self


def _counted(line: Array) -> tuple[Array, Array]:
    """Distinct scores, ascending, and how many lie above each; few of the low ones are kept."""
    values, counts = np.unique(line, return_counts=True)
    beyond = (len(line) - np.cumsum(counts)).astype(np.float64)
    low = max(len(values) - KEPT, 0)
    kept = np.r_[np.unique(np.linspace(0, low, min(low, KEPT), dtype=int)), low : len(values)]
    kept = np.unique(kept[kept < len(values)])
    return values[kept], beyond[kept]


def _ranks(line: Array) -> Array:
    return np.searchsorted(np.sort(line), line).astype(np.float64)
