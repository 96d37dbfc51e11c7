"""Traces and axes of plotly as plain values: a line, steps, bars, dots."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["axes", "bars", "dots", "line", "steps"]

Array = NDArray[Any]

# Told apart in light and dark, in print, and by most colour-blind readers.
COLOURS = {"real": "#4c83c3", "synthetic": "#e8743b", "training": "#8f979e"}


def line(x: Array, y: Array, side: str, *, bold: bool = False) -> dict[str, Any]:
    """A curve of ``y`` over ``x`` in the colour of ``side``; several thin ones overlap."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _numbers(x),
        "y": _numbers(y),
        "name": side,
        "opacity": 1 if bold else 0.75,
        "line": {"color": COLOURS[side], "width": 2 if bold else 1.4},
    }


def steps(edges: Array, share: Array, side: str) -> dict[str, Any]:
    """A histogram: real windows as an area, so that the outline of the others stays visible."""
    filled = side == "real"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _numbers(np.repeat(edges, 2)),
        "y": _numbers(np.concatenate([[0], np.repeat(share, 2), [0]])),
        "name": side,
        "fill": "tozeroy" if filled else "none",
        "fillcolor": COLOURS[side] + "55",
        "line": {"color": COLOURS[side], "width": 1 if filled else 2, "shape": "linear"},
    }


def bars(kinds: list[str], share: list[float], side: str) -> dict[str, Any]:
    """One bar per kind."""
    return {
        "type": "bar",
        "x": kinds,
        "y": _numbers(np.array(share)),
        "name": side,
        "marker": {"color": COLOURS[side]},
    }


def dots(points: Array, side: str) -> dict[str, Any]:
    """One dot per row of ``points`` (point, 2)."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": _numbers(points[:, 0]),
        "y": _numbers(points[:, 1]),
        "name": side,
        "marker": {"color": COLOURS[side], "size": 6, "opacity": 0.6},
    }


def axes(x: str, y: str = "", *, bare: bool = False, words: bool = False) -> dict[str, Any]:
    """A layout with two named axes; ``bare``: without numbers; ``words``: x holds categories."""
    axis: dict[str, Any] = {"zeroline": False, "showticklabels": not bare}
    return {
        "xaxis": {
            **axis,
            "type": "category" if words else "-",
            "title": {"text": x, "standoff": 4},
        },
        "yaxis": {**axis, "title": {"text": y, "standoff": 4}, "nticks": 5},
    }


def _numbers(values: Array) -> list[float | None]:
    """Seven digits are enough for a picture and keep the page small; gaps become null."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in np.asarray(values, dtype=float)]
