"""One self-contained page from records and windows: no network, light and dark, wide and narrow."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from timeloom.data.atomic import atomic
from timeloom.data.windows import Windows
from timeloom.report.figures import FIGURES, Panel, Sides
from timeloom.report.words import headline, tally, told

__all__ = ["render", "write_page"]

SYMBOLS = {"pass": "✓", "warn": "!", "fail": "✕", "skipped": "–"}
SHORT = ("auc", "auroc", "auprc", "tstr", "rmse", "mae")  # words that are abbreviations
FIRST = ("command", "data", "synthetic", "seed", "version", "seconds")


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
    sides = Sides(first, second, third[0] if third else None, asked=(real, synthetic), seed=seed)
    panels = [figure(sides) for figure in FIGURES]
    # Everything that comes from data or command lines is escaped, here by jinja and in figures.py.
    pages = Environment(
        loader=PackageLoader("timeloom", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("page.html.j2").render(
        headline=headline(records),
        findings=told(records),
        tally=tally(records),
        rows=[_row(record) for record in records],
        seeds=max((len(record.seeds) for record in records), default=0),
        panels=[_panel(i, panel) for i, panel in enumerate(panels) if panel.tabs],
        plots=_script(_plots(panels)),
        plotly=get_plotlyjs(),
        made=_made(made or {}),
        subject=_subject(records),
        sizes=_sizes(real, synthetic, reference),
        symbols=SYMBOLS,
    )


def _row(record: Any) -> dict[str, Any]:
    several = record.low is not None and record.low != record.high
    return {
        "record": record,
        "name": _title(record.metric),
        "value": _number(record.value),
        "interval": f"{_number(record.low)} to {_number(record.high)}" if several else "",
        "floor": _number(record.floor),
        "copy": _number(record.copy),
        "symbol": SYMBOLS[record.verdict],
        "scale": _scale(record),
    }


def _title(metric: str) -> str:
    words = [word.upper() if word in SHORT else word for word in metric.split("_")]
    return " ".join(words)[:1].upper() + " ".join(words)[1:]


def _scale(record: Any) -> dict[str, float] | None:
    """Where value, interval, floor and copy machine lie on a line, in per cent of its length."""
    places = {name: getattr(record, name) for name in ("value", "low", "high", "floor", "copy")}
    known = {name: value for name, value in places.items() if value is not None}
    if "value" not in known or len({*known.values()}) < 2:
        return None
    low, high = min(known.values()), max(known.values())
    return {name: round(6 + 88 * (value - low) / (high - low), 2) for name, value in known.items()}


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    tabs = [
        {
            "name": name,
            "plots": [
                {"id": f"p{number}-{t}-{i}", "title": plot.title, "wide": plot.wide}
                for i, plot in enumerate(plots)
            ],
        }
        for t, (name, plots) in enumerate(panel.tabs)
    ]
    return {"id": f"p{number}", "title": panel.title, "text": panel.text, "tabs": tabs}


def _plots(panels: Sequence[Panel]) -> dict[str, Any]:
    return {
        f"p{n}-{t}-{i}": {"data": plot.data, "layout": plot.layout}
        for n, panel in enumerate(panels)
        for t, (_, plots) in enumerate(panel.tabs)
        for i, plot in enumerate(plots)
    }


def _script(value: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _made(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = [*(name for name in FIRST if name in made), *(n for n in made if n not in FIRST)]
    return [(name, _shown(made[name])) for name in names]


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _subject(records: Sequence[Any]) -> str:
    parts = [
        next((getattr(r, what) for r in records if getattr(r, what)), "")
        for what in ("method", "data")
    ]
    return " · ".join(part for part in parts if part)


def _sizes(real: Windows, synthetic: Windows, reference: Windows | None) -> str:
    length, channels = real.shape
    trained = "" if reference is None else f", trained on {len(reference):,}"
    return (
        f"{len(synthetic):,} synthetic and {len(real):,} held-out real windows{trained}; "
        f"{length} time steps, {channels} channel{'s' if channels > 1 else ''} each"
    )


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
