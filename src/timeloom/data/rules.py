"""Which rules hold in every real window, and how far does a window miss one?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rule", "broken", "few_windows", "learn_rules"]

Array = NDArray[Any]

CAP = 5_000  # windows that rules are learnt on
BLOCKS = 8  # of consecutive windows; a rule must be at work in several, not in one event
IN_BLOCKS = 3
FEWEST = 200  # measured time points
NEAR_ZERO = 0.05  # spreads above 0 within which the least value makes 0 a bound
LEVELS = 100  # a grid of more steps than this is mere rounding of a continuous channel
OFF_GRID = 0.05  # of a step
TRIVIAL = 0.02  # pairs at random times that would break an order; fewer: the ranges say it all
MATTERS = 0.05  # of a channel's spread that each channel in its identity must account for
PARTNERS = 30  # channels most like another among which its identities are sought


@dataclass(frozen=True)
class Rule:
    """Something that holds at every time point of every real window.

    Attributes:
        kind: ``"identity"``, ``"order"``, ``"bound"`` or ``"step"``.
        channels: The channels that it speaks of.
        sentence: It in plain words.
        tolerance: By how much it may be missed, in the unit of the first channel.
        weights: One per channel. An identity says that the weighted sum is ``offset``; an order
            and a bound that it is at most ``offset``; a step without ``grid`` that it never falls.
        offset: See there; of a grid: a value on it.
        grid: The step between the values that a channel takes; 0 for all other rules.
    """

    kind: str
    channels: tuple[int, ...]
    sentence: str
    tolerance: float
    weights: tuple[float, ...]
    offset: float = 0.0
    grid: float = 0.0

    def miss(self, windows: Array) -> Array:
        """By how much each point of windows (window, time, channel) misses the rule.

        Returns:
            (window, time), one time point fewer where steps are looked at; at most ``tolerance``
            where the rule holds, NaN where a channel was not measured.
        """
        # Its channels first: a copy of all of them in double for each rule is dear.
        x = np.asarray(np.asarray(windows)[:, :, list(self.channels)], dtype=np.float64)
        value = x @ np.array(self.weights)
        if self.grid:
            places = (value - self.offset) / self.grid
            return np.abs(places - np.round(places)) * self.grid
        if self.kind == "step":
            return -np.diff(value, axis=1)
        return np.abs(value - self.offset) if self.kind == "identity" else value - self.offset


def learn_rules(windows: Array, channels: Sequence[str] | None = None) -> list[Rule]:
    """Finds rules that hold in every one of ``windows`` and are likely to hold in others.

    * identities: a channel is constant, or a linear function of one or of two others, within what
      rounding explains or a thousandth of its spread;
    * orders a <= b: only where the values overlap (at random times at least 2 % of pairs break it;
      else it is no more than two bounds), spreads differ by less than ten times, the difference
      comes near 0, and no third channel between the two implies it;
    * bounds: the least or greatest value is taken often and more often than the one beside it; or 0
      is nearly reached and never passed; or 1 or 100 is by a channel that is never negative;
    * steps: all values lie on a grid of at most 100 steps (counts, switches), or a channel never
      falls, or never rises, within a window.

    The sample's extremes alone are no rule. What happens in fewer than three of eight blocks of
    consecutive windows is an event and makes none. 5,000 windows of a fixed draw are looked at.

    Args:
        windows: (window, time, channel) real windows, in the order in which they were cut. NaN =
            not measured.
        channels: Names for the sentences; ``c0, c1, ...`` where None.
    """
    x = few_windows(windows)
    names = list(channels) if channels is not None else [f"c{i}" for i in range(x.shape[2])]
    seen = _Seen(x)
    alike = list(_identities(seen, names))
    rules = [*_constants(seen, names), *alike]
    # What is said of a channel need not be said of those that only repeat it.
    repeats = {rule.channels[0] for rule in alike if len(rule.channels) == 2}
    return [
        *rules,
        *_orders(seen, names, repeats),
        *_bounds(seen, names, repeats),
        *_grids(seen, names),
        *_monotone(seen, names),
    ]


def broken(rules: Sequence[Rule], windows: Array) -> Array:
    """Share of the measured time points of ``windows`` (window, time, channel) that break each.

    Returns:
        (rule,) shares from 0 to 1; NaN where none of a rule's points was measured.
    """
    shares = np.full(len(rules), np.nan)
    for i, rule in enumerate(rules):
        miss = rule.miss(windows)
        known = ~np.isnan(miss)
        if known.any():
            shares[i] = np.mean(miss[known] > rule.tolerance)
    return shares


def few_windows(windows: Array) -> Array:
    """The windows (window, time, channel) that rules are learnt on: 5,000 drawn at most."""
    if len(windows) <= CAP:
        return np.asarray(windows, dtype=np.float64)
    rows = np.sort(np.random.default_rng(0).choice(len(windows), CAP, replace=False))
    return np.asarray(windows[rows], dtype=np.float64)


class _Seen:
    """What every kind of rule asks of the real windows, worked out once."""

    def __init__(self, x: Array) -> None:
        self.x = x
        self.flat = x.reshape(-1, x.shape[2])
        self.block = np.repeat(np.arange(len(x)) * BLOCKS // max(len(x), 1), x.shape[1])
        self.count = (~np.isnan(self.flat)).sum(axis=0)
        self.values: list[Array] = []
        self.counts: list[Array] = []
        for c in range(x.shape[2]):
            known = self.flat[~np.isnan(self.flat[:, c]), c]
            values, counts = np.unique(known, return_counts=True)
            self.values.append(values)
            self.counts.append(counts)
        self.spread = np.array([self._spread(c) for c in range(x.shape[2])])
        # The finest step that is not a mere float: what rounding of the source can explain.
        self.step = np.array([self._step(v) for v in self.values])
        self.lively = np.array([self._lively(c) for c in range(x.shape[2])])

    def _spread(self, c: int) -> float:
        values, counts = self.values[c], self.counts[c]
        if len(values) < 2:
            return 0.0
        mean = np.average(values, weights=counts)
        return float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))

    @staticmethod
    def _step(values: Array) -> float:
        if len(values) < 2:
            return 0.0
        gaps = np.diff(values)
        gaps = gaps[gaps > 4e-7 * np.abs(values).max()]  # nearer values differ by float32 alone
        return float(gaps.min()) if len(gaps) else 0.0

    def _lively(self, c: int) -> bool:
        """Whether a channel varies as a rule and not in a few events."""
        if len(self.values[c]) < 10 or self.count[c] < FEWEST:
            return False
        usual = self.values[c][np.argmax(self.counts[c])]
        return self.in_blocks((self.flat[:, c] != usual) & ~np.isnan(self.flat[:, c]), 0.01)

    def in_blocks(self, hit: Array, share: float = 0.0) -> bool:
        """Whether points (point,) are hit in several blocks, each with at least this share."""
        hits = np.bincount(self.block, weights=hit, minlength=BLOCKS)
        sizes = np.bincount(self.block, minlength=BLOCKS)
        return int(np.sum(hits > share * sizes)) >= IN_BLOCKS


def _constants(seen: _Seen, names: Sequence[str]) -> Iterator[Rule]:
    for c, values in enumerate(seen.values):
        if len(values) == 1 and seen.count[c] >= FEWEST:
            value = float(values[0])
            tolerance = max(1e-3 * abs(value), 1e-6)
            sentence = f"{names[c]} is always {value:.6g}"
            yield Rule("identity", (c,), sentence, tolerance, (1.0,), value)


def _identities(seen: _Seen, names: Sequence[str]) -> Iterator[Rule]:
    """Each channel as a linear function of one other, or of two that do not follow each other."""
    alive = np.flatnonzero(seen.lively)
    rows = ~np.isnan(seen.flat[:, alive]).any(axis=1)
    if len(alive) < 2 or rows.sum() < FEWEST:
        return
    flat = seen.flat[rows][:, alive]
    cov = np.cov((flat - flat.mean(axis=0)) / seen.spread[alive], rowvar=False)
    free: list[int] = []  # channels that do not follow from those before them
    for c in range(len(alive)):
        known = sorted(free, key=lambda a: -abs(cov[c, a]))[:PARTNERS]
        for partners in _explaining(cov, c, known):
            rule = _identity(seen, [int(alive[c]), *(int(alive[p]) for p in partners)], names)
            if rule is not None:
                yield rule
                break
        else:
            free.append(c)


def _explaining(cov: Array, c: int, known: list[int]) -> Iterator[tuple[int, ...]]:
    """One or two channels that leave less than a ten-thousandth of the variance of ``c``."""
    for a in known:
        if cov[c, c] - cov[c, a] ** 2 / cov[a, a] < 1e-4:
            yield (a,)
    found = []
    for a in known:
        left = cov - np.outer(cov[:, a], cov[a]) / cov[a, a]
        others = [b for b in known if b > a and left[b, b] > 1e-6]
        rest = [left[c, c] - left[c, b] ** 2 / left[b, b] for b in others]
        found += [(value, a, b) for value, b in zip(rest, others, strict=True) if value < 1e-4]
    for _, a, b in sorted(found)[:PARTNERS]:
        yield a, b


def _identity(seen: _Seen, channels: list[int], names: Sequence[str]) -> Rule | None:
    chosen = seen.flat[:, channels]
    chosen = chosen[~np.isnan(chosen).any(axis=1)]
    center = chosen.mean(axis=0)
    fitted = np.linalg.lstsq(chosen[:, 1:] - center[1:], chosen[:, 0] - center[0], rcond=None)[0]
    rounding = 0.55 * float(seen.step[channels[0]] + np.abs(fitted) @ seen.step[channels[1:]])
    spread = float(seen.spread[channels[0]])
    if (np.abs(fitted) * seen.spread[channels[1:]] < MATTERS * spread).any():
        return None
    nice = np.round(fitted)  # a + b rather than 0.9998 a + 1.0001 b
    for weights in (nice, fitted):
        offset = float(center[0] - weights @ center[1:])
        if abs(offset) <= max(rounding, 1e-3 * spread):
            offset = 0.0
        rest = np.abs(chosen[:, 0] - chosen[:, 1:] @ weights - offset).max()
        if weights.any() and rest <= min(max(rounding, 1e-3 * spread), 0.02 * spread):
            terms = zip(weights, channels[1:], strict=True)
            right = _sum([(float(w), names[c]) for w, c in terms if w], offset)
            tolerance = max(1.5 * float(rest), 0.01 * spread)
            signed = (1.0, *(float(-w) for w in weights))
            sentence = f"{names[channels[0]]} = {right}"
            return Rule("identity", tuple(channels), sentence, tolerance, signed, offset)
    return None


def _sum(terms: list[tuple[float, str]], offset: float) -> str:
    words = [("-" if w < 0 else "+", name if abs(w) == 1 else f"{abs(w):.4g} {name}")
             for w, name in terms]  # fmt: skip
    words += [("-" if offset < 0 else "+", f"{abs(offset):.4g}")] if offset else []
    first = ("-" if words[0][0] == "-" else "") + words[0][1]
    return " ".join([first, *(f"{sign} {word}" for sign, word in words[1:])])


def _orders(seen: _Seen, names: Sequence[str], repeats: set[int]) -> Iterator[Rule]:
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(len(seen.flat), min(len(seen.flat), 2000), replace=False))
    other = rng.permutation(rows)
    held: dict[tuple[int, int], float] = {}
    for a, b in permutations([c for c in np.flatnonzero(seen.lively) if c not in repeats], 2):
        low, high = seen.flat[:, a], seen.flat[:, b]
        if (low[rows] > high[rows]).any() or np.mean(low[rows] > high[other]) < TRIVIAL:
            continue
        if not 0.1 < seen.spread[a] / seen.spread[b] < 10:
            continue
        apart = high - low
        apart = apart[~np.isnan(apart)]
        spread = float(apart.std()) if len(apart) >= FEWEST else 0.0
        if spread and 0 <= apart.min() <= 0.1 * np.median(apart):
            held[int(a), int(b)] = max(0.01 * spread, 1e-6 * float(np.abs(high).max()))
    for (a, b), tolerance in held.items():
        if not any((a, c) in held and (c, b) in held for c in range(len(names))):
            sentence = f"{names[a]} is never above {names[b]}"
            yield Rule("order", (a, b), sentence, tolerance, (1.0, -1.0))


def _bounds(seen: _Seen, names: Sequence[str], repeats: set[int]) -> Iterator[Rule]:
    for c, values in enumerate(seen.values):
        if c in repeats or len(values) < 2 or seen.count[c] < FEWEST or not seen.spread[c]:
            continue
        for sign, word in ((-1.0, "below"), (1.0, "above")):
            limit = _limit(seen, c, sign)
            if limit is not None:
                sentence = f"{names[c]} is never {word} {limit:.6g}"
                tolerance = max(1e-3 * seen.spread[c], 1e-6 * abs(limit))
                yield Rule("bound", (c,), sentence, tolerance, (sign,), sign * limit)


def _limit(seen: _Seen, c: int, sign: float) -> float | None:
    values, counts = seen.values[c], seen.counts[c]
    end, beside = (0, 1) if sign < 0 else (-1, -2)
    extreme, spread = float(values[end]), float(seen.spread[c])
    piled = counts[end] >= max(0.005 * seen.count[c], 2 * counts[beside])
    if piled and seen.in_blocks(seen.flat[:, c] == extreme):
        return extreme
    if values[0] < 0:
        return None
    if sign < 0:
        return 0.0 if extreme <= NEAR_ZERO * spread else None
    return next((full for full in (1.0, 100.0) if 0.99 * full <= extreme <= full), None)


def _grids(seen: _Seen, names: Sequence[str]) -> Iterator[Rule]:
    for c, values in enumerate(seen.values):
        step = float(seen.step[c])
        if len(values) < 2 or not step or seen.count[c] < max(FEWEST, 20 * len(values)):
            continue
        span = float(values[-1] - values[0])
        origin = float(values[0])
        origin = 0.0 if abs(origin / step - round(origin / step)) < OFF_GRID / 5 else origin
        rule = Rule(
            "step",
            (c,),
            f"{names[c]} takes only multiples of {step:.6g}"
            + (f" from {origin:.6g}" if origin else ""),
            OFF_GRID * step,
            (1.0,),
            origin,
            step,
        )
        places = (values - origin) / step
        held = np.abs(places - np.round(places)).max() <= OFF_GRID / 5
        moves = seen.in_blocks(seen.flat[:, c] != values[np.argmax(seen.counts[c])])
        if held and moves and span <= LEVELS * step:
            yield rule


def _monotone(seen: _Seen, names: Sequence[str]) -> Iterator[Rule]:
    if seen.x.shape[1] < 2:
        return
    block = np.arange(len(seen.x)) * BLOCKS // max(len(seen.x), 1)
    for c in range(seen.x.shape[2]):
        steps = np.diff(seen.x[:, :, c], axis=1)
        for sign, word in ((1.0, "falls"), (-1.0, "rises")):
            goes = (sign * steps > 0).any(axis=1)
            often = goes.mean() >= 0.05 and len(np.unique(block[goes])) >= IN_BLOCKS
            if often and not (sign * steps < 0).any() and goes.sum() >= 20:
                sentence = f"{names[c]} never {word} within a window"
                tolerance = 1e-3 * float(seen.spread[c])
                yield Rule("step", (c,), sentence, tolerance, (sign,))
