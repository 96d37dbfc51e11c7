"""How often do synthetic windows break the rules that hold in every real one?"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.data.rules import Rule, broken, few_windows, learn_rules
from timeloom.metrics.metric import Metric

__all__ = ["METRICS", "Broken", "Rule", "broken", "learn_rules", "rule_table", "rules_broken"]

Array = NDArray[Any]

CHANCE = 1e-3  # of held-out time points; a rule that they break more often is none
KEPT = 4  # training sets whose rules are kept


class Broken(NamedTuple):
    """Shares of time points that break the worst rule, of all but grids and of each kind.

    NaN where there is no such rule.
    """

    worst: float
    identities: float
    orderings: float
    bounds: float
    steps: float


def rules_broken(synthetic: Array, train: Array, held_out: Array | None = None) -> Broken:
    """How many time points break a rule that every real window keeps.

    Formula: :func:`learn_rules` on the training windows, less what held-out windows break at more
    than a thousandth of their time points; for each rule the share of synthetic time
    points that miss it by more than its tolerance (identities and orders: a hundredth of the spread
    of the channel, or of the difference; bounds: a thousandth; grids: a twentieth of a step; never
    less than what real windows need); the worst of all rules but the grids, a sensor's resolution,
    which has a row of its own. Range 0 to 1, lower is better: 0 is
    what real windows score. Unit: share. Smallest sensible sample: 10 synthetic windows, 200 time
    points of training windows. Source: ours; bounds, orders and identities as in data validation.

    Args:
        synthetic: (window, time, channel). NaN = not measured.
        train: (window, time, channel) training windows.
        held_out: (window, time, channel) other real windows, or None.

    Returns:
        The worst of all but the grids, and of each kind; NaN where no rule was found.
    """
    rules = _kept(_learnt(train), held_out)
    shares = broken(rules, synthetic)
    kinds = np.array([rule.kind for rule in rules], dtype=str)
    found = [_worst(shares[kinds == kind]) for kind in ("identity", "order", "bound", "step")]
    # A value between two steps of a sensor's resolution breaks no law, and rounding mends it.
    laws = np.array([not rule.grid for rule in rules], dtype=bool)
    return Broken(_worst(shares[laws]), *found)


def rule_table(
    train: Array,
    synthetic: Array,
    names: Sequence[str] | None = None,
    *,
    held_out: Array | None = None,
) -> list[dict[str, Any]]:
    """Every rule with how often it is broken, the most broken first.

    Args:
        train: (window, time, channel) training windows.
        synthetic: (window, time, channel).
        names: Of the channels.
        held_out: (window, time, channel) other real windows that rules must keep as well.

    Returns:
        Per rule ``kind``, ``sentence``, ``broken`` (share of time points) and ``example``: the
        worst point in words, or "" where nothing breaks it.
    """
    rules = _kept(learn_rules(train, names), held_out)
    rows = [
        {
            "kind": rule.kind,
            "sentence": rule.sentence,
            "broken": float(share),
            "example": _example(rule, synthetic, names),
        }
        for rule, share in zip(rules, broken(rules, synthetic), strict=True)
    ]
    return sorted(rows, key=lambda row: -np.nan_to_num(row["broken"]))


_known: "OrderedDict[bytes, list[Rule]]" = OrderedDict()


def _learnt(train: Array) -> list[Rule]:
    """The rules of training windows, kept: every side and seed of an evaluation asks for them."""
    x = few_windows(train)
    key = hashlib.blake2b(np.ascontiguousarray(x).data, digest_size=16)
    key.update(repr(x.shape).encode())
    if key.digest() not in _known:
        _known[key.digest()] = learn_rules(x)
        while len(_known) > KEPT:
            _known.popitem(last=False)
    return _known[key.digest()]


def _kept(rules: list[Rule], held_out: Array | None) -> list[Rule]:
    if held_out is None:
        return rules
    shares = np.nan_to_num(broken(rules, held_out))
    return [rule for rule, share in zip(rules, shares, strict=True) if share <= CHANCE]


def _worst(shares: Array) -> float:
    return float(np.nanmax(shares)) if np.isfinite(shares).any() else float("nan")


def _example(rule: Rule, windows: Array, names: Sequence[str] | None) -> str:
    miss = np.nan_to_num(rule.miss(windows), nan=-np.inf)
    if not miss.size or miss.max() <= rule.tolerance:
        return ""
    window, time = np.unravel_index(np.argmax(miss), miss.shape)
    called = [names[c] if names is not None else f"c{c}" for c in rule.channels]
    at = [time] if rule.kind != "step" or rule.grid else [time, time + 1]
    values = [
        f"{name} = {' then '.join(f'{windows[window, t, c]:.6g}' for t in at)}"
        for name, c in zip(called, rule.channels, strict=True)
    ]
    return f"window {window}, time point {time}: {', '.join(values)}"


def _row(name: str, field: str, meaning: str, far: float = 0.02) -> Metric:
    return Metric(
        name,
        rules_broken,
        "lower",
        "share",
        meaning,
        about="rules",
        needs=("synthetic", "train", "held_out"),
        far=far,
        worst=10.0 if far == 1.0 else None,  # a row that only warns has no worst figure
        absent="training windows keep no rule of this kind",
        then=lambda found: getattr(found, field),
    )


METRICS = (
    _row("rules_broken", "worst", "How many time points break the rule that is broken most."),
    _row(
        "identities_broken", "identities", "How many break what two or three channels always are."
    ),
    _row(
        "orderings_broken", "orderings", "How many have one channel above another it never exceeds."
    ),
    _row("bounds_broken", "bounds", "How many lie beyond what a channel can be."),
    _row(
        "steps_broken",
        "steps",
        "How many lie between the values a channel can take (rounding mends that), or turn back.",
        far=1.0,
    ),
)
