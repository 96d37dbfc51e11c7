"""The table of measures: records grouped by the question that they answer, ready to be shown."""

import math
from collections.abc import Sequence
from typing import Any

from timeloom.report.faults import group_of, title_of

__all__ = ["QUESTIONS", "SYMBOLS", "measures", "number", "skipped"]

Records = Sequence[Any]

SYMBOLS = {"pass": "✓", "warn": "!", "fail": "✕", "skipped": "–"}
ORDER = ("fail", "warn", "pass", "skipped")
# By what a record is about, in the order of the page.
QUESTIONS = {
    "use": "Does a model learn from it?",
    "likeness": "Can it be told from real windows?",
    "values": "Do values occur as often as in reality?",
    "channels": "Do channels hang together?",
    "time": "Does it move in time as real data do?",
    "variety": "Is everything there that reality holds?",
    "rules": "Are the rules of the data kept?",
    "novelty": "Is it new, or copied?",
    "": "Other measures",
}
MARKS = ("floor", "copy", "gaussian")
BEYOND = 2.0  # spans of the other marks after which one is drawn at the edge
SAME = 0.05  # share of the floor by which a Gaussian may be worse and still count as good as it
LEVEL = 0.05  # a p-value above it sees no difference
NO_MORE = "Sees no more than means and covariances here."


def measures(records: Records) -> list[dict[str, Any]]:
    """The groups that hold a measured record: question, worst verdict, counts and rows.

    The worst rows come first; a group is ``open`` where something fails or warns. ``skipped``
    counts those of its records that were not measured.
    """
    groups = []
    for about, question in QUESTIONS.items():
        every = [one for one in records if (group_of(one) if about else _lost(one)) == about]
        some = [one for one in every if one.verdict != "skipped"]
        if not some:
            continue
        some.sort(key=lambda one: ORDER.index(one.verdict))
        words = [one.verdict for one in some]
        counts = [f"{words.count(word)} {word}" for word in ORDER if word in words]
        groups.append(
            {
                "about": about or "other",
                "question": question,
                "verdict": words[0],
                "symbol": SYMBOLS[words[0]],
                "counts": ", ".join(counts),
                "open": words[0] != "pass",
                "skipped": len(every) - len(some),
                "rows": [_row(one) for one in some],
            }
        )
    return groups


def skipped(records: Records) -> list[dict[str, Any]]:
    """What was not measured, by reason: ``why`` and the ``names`` of the measures."""
    reasons: dict[str, list[str]] = {}
    for one in records:
        if one.verdict == "skipped":
            reasons.setdefault(one.why or "No reason was given.", []).append(title_of(one.metric))
    return [{"why": why[:1].upper() + why[1:], "names": names} for why, names in reasons.items()]


def number(value: float | None) -> str:
    """Three digits; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _lost(record: Any) -> str:
    """Empty for a record that belongs to no other question."""
    return "" if group_of(record) not in QUESTIONS or not group_of(record) else "known"


def _row(record: Any) -> dict[str, Any]:
    several = record.low is not None and record.low != record.high
    kind = record.settings.get("interval", "") or "range over seeds"
    unit = f", in units of {record.unit}" if record.unit not in ("", "share") else ""
    return {
        "record": record,
        "name": title_of(record.metric),
        "about": f"{record.meaning} {record.better.capitalize()} is better{unit}.".strip(),
        "value": number(record.value),
        "interval": f"{number(record.low)} to {number(record.high)}" if several else "",
        "kind": kind,
        "floor": number(record.floor),
        "copy": number(record.copy),
        "gaussian": number(_gaussian(record)),
        "blind": NO_MORE if _as_good_as_real(record) else "",
        "symbol": SYMBOLS[record.verdict],
        "scale": _scale(record),
    }


def _gaussian(record: Any) -> float | None:
    return getattr(record, "gaussian", None)


def _as_good_as_real(record: Any) -> bool:
    """Whether the Gaussian is no worse than real windows, as far as these can tell."""
    gaussian, floor = _gaussian(record), record.floor
    if gaussian is None:
        return False
    if str(record.settings.get("interval", "")).endswith("p-value"):
        return gaussian > LEVEL
    # Of copies and of use a Gaussian says nothing about what the measure sees.
    if floor is None or group_of(record) in ("novelty", "use"):
        return False
    worse = gaussian - floor if record.better == "lower" else floor - gaussian
    return worse <= SAME * abs(floor)


def _scale(record: Any) -> dict[str, Any] | None:
    """Where value, interval and marks lie on a line, in per cent of its length.

    A mark far beyond all else is drawn at the edge and named in ``off``: it would push the others
    into one point.
    """
    names = ("value", "low", "high", *MARKS)
    known = {name: getattr(record, name, None) for name in names}
    known = {name: value for name, value in known.items() if value is not None}
    if "value" not in known or len({*known.values()}) < 2:
        return None
    core = [known[name] for name in ("value", "low", "high", "floor") if name in known]
    low, high = min(core), max(core)
    span = high - low
    if span > 0:
        near = [
            known[m] for m in MARKS if m in known and _apart(known[m], low, high) <= BEYOND * span
        ]
        low, high = min([low, *near]), max([high, *near])
    else:
        low, high = min(known.values()), max(known.values())
    places: dict[str, Any] = {}
    for name, value in known.items():
        place = 6 + 88 * (value - low) / (high - low)
        places[name] = round(min(max(place, 1.0), 99.0), 2)
    places["off"] = [m for m in MARKS if m in known and not low <= known[m] <= high]
    return places if all(math.isfinite(v) for v in known.values()) else None


def _apart(value: float, low: float, high: float) -> float:
    return max(low - value, value - high, 0.0)
