"""What a person at a terminal must see of many measures, in at most 80 columns."""

from collections.abc import Sequence
from typing import Any

from timeloom.report.measures import ORDER, measures
from timeloom.report.words import tally

__all__ = ["summary"]

SIDES = ("synthetic", "floor", "copy", "gaussian")
NAME, FIGURE = 33, 9  # characters of a name and of a figure


def summary(records: Sequence[Any]) -> str:
    """Questions, the worst answered first; of each the measures that fail or warn, and a count.

    Measures that pass are only counted: the page and the records hold them all.
    """
    groups = sorted(measures(records), key=lambda group: ORDER.index(group["verdict"]))
    lines = [_line("", "", SIDES)] if any(group["open"] for group in groups) else []
    passed = []
    for group in groups:
        if not group["open"]:
            passed.append(f"{len(group['rows']):>4} pass  {group['question']}")
            continue
        good = sum(row["record"].verdict == "pass" for row in group["rows"])
        lines.append(group["question"] + (f"  ({good} pass)" if good else ""))
        for row in group["rows"]:
            if row["record"].verdict != "pass":
                figures = (row["value"], row["floor"], row["copy"], row["gaussian"])
                lines.append(_line(row["record"].verdict, row["record"].metric, figures))
    if passed and lines:
        lines.append("")
    return "\n".join([*lines, *passed, "", tally(records)])


def _line(verdict: str, name: str, figures: Sequence[str]) -> str:
    if len(name) > NAME:
        name = name[: NAME - 1] + "…"
    shown = "".join(f" {figure.replace('–', '-'):>{FIGURE}}" for figure in figures)
    return f"  {verdict:<4} {name:<{NAME}}{shown}".rstrip()
