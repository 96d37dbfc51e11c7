"""What a person at a terminal must see of many measures, in at most 80 columns."""

import textwrap
from collections.abc import Sequence
from typing import Any

from timeloom.report.measures import ORDER, measures, skipped
from timeloom.report.words import tally

__all__ = ["summary"]

SIDES = ("synthetic", "floor", "copy", "gaussian")
NAME, FIGURE = 33, 9  # characters of a name and of a figure
WIDTH = 80
MANY = 5  # measures that one reason keeps from being taken, from which on it is said


def summary(records: Sequence[Any]) -> str:
    """Questions, the worst answered first; of each the measures that fail or warn, and a count.

    Measures that pass are only counted: the page and the records hold them all.
    """
    groups = sorted(measures(records), key=lambda group: ORDER.index(group["verdict"]))
    lines = [_line("", "", SIDES)] if any(group["open"] for group in groups) else []
    passed = []
    for group in groups:
        if not group["open"]:
            passed.append(f"{len(group['rows']):>4} pass  {group['question']}{_unmeasured(group)}")
            continue
        good = sum(row["record"].verdict == "pass" for row in group["rows"])
        lines.append(group["question"] + (f"  ({good} pass)" if good else "") + _unmeasured(group))
        for row in group["rows"]:
            if row["record"].verdict != "pass":
                figures = (row["value"], row["floor"], row["copy"], row["gaussian"])
                lines.append(_line(row["record"].verdict, row["record"].metric, figures))
    if passed and lines:
        lines.append("")
    return "\n".join([*lines, *passed, "", tally(records), *_why(records)])


def _unmeasured(group: dict[str, Any]) -> str:
    return f"  ({group['skipped']} skipped)" if group["skipped"] else ""


def _why(records: Sequence[Any]) -> list[str]:
    """Why most of what was skipped was skipped, if that is many."""
    reasons = sorted(skipped(records), key=lambda one: -len(one["names"]))
    if not reasons or len(reasons[0]["names"]) < MANY:
        return []
    return textwrap.wrap(f"{len(reasons[0]['names'])} skipped: {reasons[0]['why']}", WIDTH)


def _line(verdict: str, name: str, figures: Sequence[str]) -> str:
    if len(name) > NAME:
        name = name[: NAME - 1] + "…"
    shown = "".join(f" {figure.replace('–', '-'):>{FIGURE}}" for figure in figures)
    return f"  {verdict:<4} {name:<{NAME}}{shown}".rstrip()
