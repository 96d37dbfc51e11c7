"""Traces and axes of plotly as plain values: a line, steps, bars, dots, a heat map."""

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.report.sides import short

__all__ = ["COLOURS", "axes", "bars", "dots", "heat", "line", "steps"]

Array = NDArray[Any]

# Told apart in light and dark, in print, and by most colour-blind readers.
COLOURS = {"real": "#4c83c3", "synthetic": "#e8743b", "training": "#8f979e"}
LONGEST = 14  # characters of a channel's name beside a heat map
NAMED = 40  # names that fit beside one


def line(x: Array, y: Array, side: str, *, axis: int = 1) -> dict[str, Any]:
    """A curve of ``y`` over ``x`` in the colour of ``side``, on the ``axis``-th vertical axis."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": short(x),
        "y": short(y),
        "name": side,
        "yaxis": "y" if axis == 1 else f"y{axis}",
        "line": {"color": COLOURS[side], "width": 1.8},
    }


def steps(edges: Array, share: Array, side: str) -> dict[str, Any]:
    """A histogram: real windows as an area, so that the outline of the others stays visible."""
    filled = side == "real"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": short(np.repeat(edges, 2)),
        "y": short(np.concatenate([[0], np.repeat(share, 2), [0]])),
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
        "y": short(share),
        "name": side,
        "marker": {"color": COLOURS[side]},
    }


def dots(points: Array, side: str) -> dict[str, Any]:
    """One dot per row of ``points`` (point, 2)."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": short(points[:, 0]),
        "y": short(points[:, 1]),
        "name": side,
        "marker": {"color": COLOURS[side], "size": 6, "opacity": 0.6},
    }


def heat(matrix: Array, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A square heat map of numbers between -1 and 1, and its layout.

    Args:
        matrix: (channel, channel); NaN stays empty.
        names: One per channel; shortened beside the map, whole where the pointer rests.
    """
    places = list(range(len(names)))
    full = [escape(name) for name in names]
    trace = {
        "type": "heatmap",
        "z": [short(row, 10.0) for row in matrix],
        "x": places,
        "y": places,
        "text": [[f"{a} and {b}" for b in full] for a in full] if len(names) <= 20 else None,
        "hovertemplate": "%{text}: %{z}<extra></extra>" if len(names) <= 20 else "%{z}",
        "zmin": -1,
        "zmax": 1,
        # Blue to red through the colour of the card, which the page knows.
        "colorscale": [[0, "#3b7fc4"], [0.5, "card"], [1, "#d9622b"]],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
    }
    every = -(-len(names) // NAMED)
    cut = [escape(n if len(n) <= LONGEST else n[: LONGEST - 1] + "…") for n in names]
    ticks = {
        "tickvals": places[::every],
        "ticktext": cut[::every],
        "showgrid": False,
        "zeroline": False,
        "tickfont": {"size": 9},
    }
    layout = {
        "xaxis": {**ticks, "tickangle": -90},
        "yaxis": {**ticks, "autorange": "reversed"},
    }
    return trace, layout


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
