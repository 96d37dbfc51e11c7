"""Which windows are the nearest ones that keep the rules of the real ones?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from timeloom.data.quadratic import Polyhedron
from timeloom.data.rules import Rule, few_windows, learn_rules

__all__ = ["Projection"]

Array = NDArray[Any]

FEWEST = 150  # distinct time points, see :meth:`Projection.learn`
PLENTY = 5_000  # distinct time points from which on the learner's word is enough
TENTH = 0.1  # of the median distance to a limit: who is nearer than that touches it
TOUCHED = 0.02  # share of points that touch a limit which is one by nature
TOUCHED_IN = 4  # of eight blocks of consecutive windows
APART = 0.2  # share of points at which an order is more than an equality
EXACT = 1e-4  # of a spread: what a formula may miss where its weights are no whole numbers
NATURAL = {-1.0: (0.0,), 1.0: (1.0, 100.0)}  # limits from below and from above
ROUNDING = 4 * 2.0**-23  # of single precision, of the size of what is added up


@dataclass(frozen=True, eq=False)
class Projection:
    """Moves windows to the nearest ones that keep identities, orders and bounds.

    Every rule speaks of the channels of one time point, so each point is moved by itself: to the
    point at the least distance, channels measured in ``spread``, at which all rules hold. In
    windows scaled by those spreads that is the orthogonal projection on a convex set, in which
    every real window lies, and so does every mean of real windows: a clean estimate in a sampler
    loses nothing by it. Points that keep the rules come back bit for bit.

    Attributes:
        weights: (rule, channel); a rule says that the weighted sum is ``offset``, or at most that.
        offset: (rule,) see there.
        equal: (rule,) whether it is an identity.
        slack: (rule,) what a point may miss before it is moved: what real windows missed, and
            rounding; far below the tolerance that the rule is judged by.
        center: (channel,) a point at which all rules hold, away from the limits.
        spread: (channel,) the unit of distance.
        sentences: The rules in plain words.
    """

    weights: Array
    offset: Array
    equal: Array
    slack: Array
    center: Array
    spread: Array
    sentences: tuple[str, ...] = ()

    @classmethod
    def learn(
        cls, windows: Array, channels: Sequence[str] | None = None, *, fewest: int = FEWEST
    ) -> Self:
        """Finds rules that :func:`~timeloom.data.rules.learn_rules` finds and few windows allow.

        Identities, orders and natural bounds (not below 0, not above 1 or 100) are kept. Below
        5,000 distinct time points two more things are asked, since chance makes rules then: a
        limit must be touched (2 % of points, in four of eight blocks of windows, nearer to it
        than a tenth of the median distance), as those of prices are; and a formula must have
        whole weights or miss nothing. What never changes stays as it is.

        Args:
            windows: (window, time, channel) real windows, in the order in which they were cut.
                NaN = not measured.
            channels: Names for the sentences; ``c0, c1, ...`` where None.
            fewest: Distinct time points below which nothing is learned; overlapping windows count
                each point once.
        """
        x = few_windows(windows)
        flat = x.reshape(-1, x.shape[2])
        distinct = len(np.unique(np.nan_to_num(flat, nan=np.inf), axis=0))
        found = learn_rules(x, channels) if distinct >= max(fewest, 1) else []
        rules = [r for r in found if _natural(r) and (distinct >= PLENTY or _sure(r, x))]
        return cls._of(rules, flat)

    @classmethod
    def _of(cls, rules: Sequence[Rule], flat: Array) -> Self:
        weights = np.zeros((len(rules), flat.shape[1]))
        for row, rule in zip(weights, rules, strict=True):
            row[list(rule.channels)] = rule.weights
        known = flat[~np.isnan(flat[:, weights.any(axis=0)]).any(axis=1)]
        empty = np.isnan(flat).all(axis=0)
        filled = np.where(empty, 0.0, flat)
        usual = np.nanmean(filled, axis=0)
        center = np.where(weights.any(axis=0), known.mean(axis=0), usual) if len(known) else usual
        changes = np.nanmax(filled, axis=0) > np.nanmin(filled, axis=0)
        spread = np.where(changes, np.nanstd(filled, axis=0), 0.0)
        size = np.nanmax(np.abs(filled), axis=0)
        seen = [max(float(np.nanmax(rule.miss(flat[None]))), 0.0) for rule in rules]
        slack = np.abs(weights) @ (1e-6 * spread + ROUNDING * size) + seen
        judged = [rule.tolerance for rule in rules]
        return cls(
            weights=weights,
            offset=np.array([rule.offset for rule in rules], dtype=float),
            equal=np.array([rule.kind == "identity" for rule in rules], dtype=bool),
            slack=np.minimum(slack, np.mean([judged, seen], axis=0)),
            center=center,
            spread=np.where(spread > 0, spread, 1.0),
            sentences=tuple(rule.sentence for rule in rules),
        )

    def __len__(self) -> int:
        return len(self.offset)

    def __call__(self, x: Any, *, axis: int = -1) -> Any:
        """The nearest windows that keep the rules.

        Args:
            x: Windows, an array or a tensor on any device; it is not changed. NaN stays NaN, and
                rules that speak of it are not asked there.
            axis: Which one the channels are on.

        Returns:
            What ``x`` is: same shape, type and device.

        Raises:
            ValueError: If there are more or fewer channels than were learned.
        """
        if x.shape[axis] != len(self.spread):
            raise ValueError(
                f"x must have {len(self.spread)} channels on axis {axis}; got {x.shape[axis]}. "
                "Give the channels that the rules were learned on, or name their axis."
            )
        if not len(self):
            return x
        if hasattr(x, "detach"):  # a tensor: the programme is tiny and wants double precision
            back = self(x.detach().double().cpu().numpy(), axis=axis)
            return x.new_tensor(back)
        given = np.asarray(x)
        last = np.moveaxis(given, axis, -1)
        flat = last.reshape(-1, len(self.spread)).astype(np.float64)  # a copy
        todo = self._misses(flat)
        if not todo.any():
            return x
        flat[todo] = self._nearest(flat[todo])
        kind = given.dtype if np.issubdtype(given.dtype, np.floating) else np.float64
        return np.moveaxis(flat.reshape(last.shape), -1, axis).astype(kind)

    def scaled(self, center: Array, spread: Array) -> "Projection":
        """The same rules for windows scaled as ``(x - center) / spread``.

        Args:
            center: (channel,) as of a :class:`~timeloom.data.scale.Scaler` that is linear.
            spread: (channel,) see there; where it is 0 the channel is a constant that scaling
                restores, and rules about it alone are left out.
        """
        center, spread = np.asarray(center, dtype=float), np.asarray(spread, dtype=float)
        unit = np.where(spread > 0, spread, 1.0)
        weights = self.weights * spread
        kept = np.asarray(weights.any(axis=1))
        return Projection(
            weights=weights[kept],
            offset=(self.offset - self.weights @ center)[kept],
            equal=self.equal[kept],
            slack=self.slack[kept],
            center=(self.center - center) / unit,
            spread=self.spread / unit,
            sentences=tuple(s for s, k in zip(self.sentences, kept, strict=True) if k),
        )

    def state(self) -> dict[str, Array]:
        """Everything but the sentences, as arrays of numbers by name."""
        names = ("weights", "offset", "equal", "slack", "center", "spread")
        return {name: np.asarray(getattr(self, name), dtype=np.float64) for name in names}

    @classmethod
    def restore(cls, state: dict[str, Array], sentences: Sequence[str] = ()) -> Self:
        """Takes back what :meth:`state` gave, and the sentences if they were kept."""
        arrays = {name: np.asarray(value, dtype=np.float64) for name, value in state.items()}
        return cls(**{**arrays, "equal": arrays["equal"] > 0}, sentences=tuple(sentences))

    def _misses(self, flat: Array) -> Array:
        """(point,) whether a rule is missed there by more than its slack; NaN misses nothing."""
        missed = np.zeros(len(flat), dtype=bool)
        for weights, offset, equal, slack in zip(
            self.weights, self.offset, self.equal, self.slack, strict=True
        ):
            at = np.flatnonzero(weights)
            value = flat[:, at] @ weights[at] - offset
            missed |= (np.abs(value) if equal else value) > slack
        return missed

    def _nearest(self, flat: Array) -> Array:
        unknown = np.isnan(flat) & self._ruled
        if not unknown.any():
            return self._moved(flat, self._whole, self._ruled)
        out = flat.copy()
        for pattern in np.unique(unknown, axis=0):
            rows = (unknown == pattern).all(axis=1)
            free = ~(self.weights[:, pattern] != 0).any(axis=1)
            if free.any():
                at = self._ruled & ~pattern
                out[rows] = self._moved(flat[rows], self._polyhedron(free), at)
        return out

    def _moved(self, flat: Array, polyhedron: Polyhedron, at: Array) -> Array:
        # Channels without a rule, and those that are not measured, keep every bit.
        z = np.where(at, (flat - self.center) / self.spread, 0.0)
        return np.where(at, self.center + self.spread * polyhedron.nearest(z), flat)

    def _polyhedron(self, rows: Array) -> Polyhedron:
        weights, offset = self.weights[rows], self.offset[rows]
        return Polyhedron(weights * self.spread, offset - weights @ self.center, self.equal[rows])

    @cached_property
    def _ruled(self) -> Array:
        return (self.weights != 0).any(axis=0)

    @cached_property
    def _whole(self) -> Polyhedron:
        return self._polyhedron(np.ones(len(self), dtype=bool))


def _natural(rule: Rule) -> bool:
    """Whether a rule is of a kind that is kept: no grid, and no bound that a sample happens on."""
    if rule.kind == "bound":
        sign = rule.weights[0]
        return sign * rule.offset in NATURAL[sign]
    return rule.kind in ("identity", "order")


def _sure(rule: Rule, x: Array) -> bool:
    """Whether a rule is more than what few windows happen to keep."""
    miss = rule.miss(x).ravel()
    known = ~np.isnan(miss)
    if rule.kind == "identity":
        whole = all(weight == round(weight) for weight in rule.weights)
        spread = float(np.nanstd(x[:, :, rule.channels[0]]))
        return whole or float(miss[known].max()) <= EXACT * spread
    gap = -miss
    touched = known & (gap <= TENTH * np.median(gap[known]))
    blocks = np.arange(len(gap)) * 8 // len(gap)
    if rule.kind == "order" and np.mean(gap[known] > 0) < APART:
        return False
    often = touched.sum() >= TOUCHED * known.sum()
    return bool(often and len(np.unique(blocks[touched])) >= TOUCHED_IN)
