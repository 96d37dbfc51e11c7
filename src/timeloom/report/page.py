"""One self-contained page from records and windows: no network, light and dark, wide and narrow."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.atomic import atomic
from timeloom.data.windows import Windows
from timeloom.report.channels import channel_pages
from timeloom.report.figures import FIGURES
from timeloom.report.measures import SYMBOLS, measures, number, skipped
from timeloom.report.rules import rules
from timeloom.report.sides import Panel, Sides
from timeloom.report.words import headline, tally, told

__all__ = ["render", "write_page"]

FIRST = ("command", "data", "synthetic", "seed", "version", "seconds")
FIGURES_OF = ("Mean", "Standard deviation", "Least", "Greatest", "Share missing")


def write_page(
    path: str | PathLike[str],
    records: Sequence[Any],
    real: Windows,
    synthetic: Windows,
    reference: Windows | None = None,
    *,
    compared: Sequence[Windows] | None = None,
    made: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the page of :func:`render`, whose arguments these are, atomically.

    Raises:
        OSError: If the file cannot be written; nothing half-written is left.
    """
    text = render(records, real, synthetic, reference, compared=compared, made=made)
    with atomic(path) as there:
        there.write_text(text, encoding="utf-8")
    return Path(path)


def render(
    records: Sequence[Any],
    real: Windows,
    synthetic: Windows,
    reference: Windows | None = None,
    *,
    compared: Sequence[Windows] | None = None,
    made: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> str:
    """The page as one string of HTML.

    Args:
        records: What was measured, a row each.
        real: Held-out real windows, for the pictures.
        synthetic: Synthetic windows.
        reference: Training windows, or None.
        compared: Real and synthetic windows, and training ones where known, with the same labels
            on every side, for the pictures; all of them where None.
        made: How the windows were made: names and JSON values.
        seed: Which windows are drawn.
    """
    from jinja2 import Environment, PackageLoader
    from plotly.offline import get_plotlyjs

    first, second, *third = compared or (real, synthetic, reference)
    train = third[0] if third else None
    sides = Sides(first, second, train, (real, synthetic), seed=seed, trained=reference)
    # Everything that comes from data or command lines is escaped: by jinja here, by the page's
    # script (which sets text, never markup), and in the figures.
    pages = Environment(
        loader=PackageLoader("timeloom", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("page.html.j2").render(
        **_said(records),
        **_pictures(sides),
        facts=_facts(records, real, synthetic, reference),
        rules=rules(sides),
        made=_made(made or {}),
        plotly=get_plotlyjs(),
    )


def _said(records: Sequence[Any]) -> dict[str, Any]:
    """What the page says of the records."""
    return {
        "headline": headline(records),
        "findings": told(records),
        "tally": tally(records),
        "subject": _subject(records),
        "groups": measures(records),
        "skipped": skipped(records),
        "seeds": max((len(record.seeds) for record in records), default=0),
        "symbols": SYMBOLS,
    }


def _pictures(sides: Sides) -> dict[str, Any]:
    """Pictures and the pages of channels."""
    panels = [figure(sides) for figure in FIGURES]
    channels = channel_pages(sides)
    return {
        "panels": [_panel(i, panel) for i, panel in enumerate(panels)],
        "plots": _script(_plots(panels)),
        "channels": channels,
        "channel_data": _script(channels),
        "overview": [] if channels is None else _overview(channels),
        "figures_of": FIGURES_OF,
    }


def _panel(place: int, panel: Panel) -> dict[str, Any]:
    plots = [
        {"id": f"p{place}-{i}", "title": plot.title, "size": plot.size, "told": plot.told}
        for i, plot in enumerate(panel.plots)
    ]
    sizes = {plot.size for plot in panel.plots}
    return {
        "id": f"s{place}",
        "title": panel.title,
        "text": panel.text,
        "plots": plots,
        "size": next(iter(sizes), "small"),
        "key": panel.key,
    }


def _plots(panels: Sequence[Panel]) -> dict[str, Any]:
    return {
        f"p{n}-{i}": {"data": plot.data, "layout": plot.layout}
        for n, panel in enumerate(panels)
        for i, plot in enumerate(panel.plots)
    }


def _overview(channels: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per channel: its name and, per column, the number and how warm its cell is."""
    rows = []
    for one in channels["channels"]:
        cells = [
            {
                "text": number(distance),
                "heat": 0 if distance is None else round(min(distance / column["far"], 1.0), 2),
            }
            for distance, column in zip(one["far"], channels["columns"], strict=True)
        ]
        rows.append({"name": one["name"], "cells": cells})
    return rows


def _script(value: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _made(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How it was made, the command line first; anything but a word or a number as JSON."""
    names = [name for name in FIRST if name in made] + [n for n in made if n not in FIRST]
    return [(name, _plain(made[name])) for name in names if made[name] is not None]


def _plain(value: Any) -> str:
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _subject(records: Sequence[Any]) -> str:
    parts = [
        next((getattr(r, what) for r in records if getattr(r, what)), "")
        for what in ("method", "data")
    ]
    return " · ".join(part for part in parts if part)


def _facts(
    records: Sequence[Any], real: Windows, synthetic: Windows, reference: Windows | None
) -> list[tuple[str, str]]:
    """What was compared, as names and values."""
    length, channels = real.shape
    facts = [
        ("Synthetic windows", f"{len(synthetic):,}"),
        ("Held-out real windows", f"{len(real):,}"),
        ("Training windows", "not given" if reference is None else f"{len(reference):,}"),
        ("Time steps", f"{length:,}"),
        ("Channels", f"{channels:,}"),
        ("Label", _label(real, synthetic)),
    ]
    gaps = [float(np.isnan(side.x).mean()) if len(side) else 0.0 for side in (real, synthetic)]
    if any(gaps):
        facts.append(("Values missing", f"{gaps[0]:.1%} real, {gaps[1]:.1%} synthetic"))
    limits = {r.settings["limit"] for r in records if r.settings.get("limit") is not None}
    if limits:
        facts.append(("Windows a side and seed", f"at most {max(limits):,}"))
    return facts


def _label(real: Windows, synthetic: Windows) -> str:
    if real.y is None or synthetic.y is None:
        return "none"
    y = np.asarray(real.y)
    kinds = len(np.unique(y)) if len(y) else 0
    if y.dtype.kind in "iuf" and kinds > 20:
        return f"{real.label_name}, {y.min():.4g} to {y.max():.4g}"
    return f"{real.label_name}, {kinds} kind{'' if kinds == 1 else 's'}"
