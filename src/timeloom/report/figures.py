"""Pictures of real beside synthetic windows, as plain plotly figures: ``{"data", "layout"}``."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.metrics.discriminator import standardise
from timeloom.metrics.moments import autocorrelation
from timeloom.report.traces import axes, bars, dots, line, steps

__all__ = ["FIGURES", "Panel", "Plot", "Sides"]

Array = NDArray[Any]

CHANNELS = 16  # small multiples at most
POINTS = 600  # in the embeddings, all sides together
LINES = 4  # windows drawn per side and label


@dataclass(frozen=True)
class Sides:
    """The windows that pictures are made of.

    Attributes:
        real: Held-out real windows.
        synthetic: Synthetic windows, with the same labels as the real ones.
        train: Training windows, or None.
        asked: All real and all synthetic windows, with the labels they came with.
        seed: Draws samples.
    """

    real: Windows
    synthetic: Windows
    train: Windows | None
    asked: tuple[Windows, Windows]
    seed: int = 0

    def sample(self, count: int) -> dict[str, Windows]:
        """At most ``count`` windows of each side that there is, by the name in the legend."""
        rng = np.random.default_rng([self.seed, 3])
        sides = {"real": self.real, "synthetic": self.synthetic, "training": self.train}
        return {
            name: side[np.sort(rng.permutation(len(side))[:count])]
            for name, side in sides.items()
            if side is not None and len(side)
        }


@dataclass(frozen=True)
class Plot:
    """One picture: a title (plain text), traces and layout of plotly."""

    title: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    wide: bool = False


@dataclass(frozen=True)
class Panel:
    """Pictures that answer one question; ``tabs`` are alternatives, each a name and its plots."""

    title: str
    text: str
    tabs: list[tuple[str, list[Plot]]]


def lines(sides: Sides) -> Panel:
    """Some real and synthetic windows of the same label, channel by channel."""
    real, synthetic = sides.real, sides.synthetic
    chosen = _channels(sides)
    tabs = []
    for name, ours, theirs in _alike(real, synthetic, sides.seed):
        plots = []
        for c in chosen:
            traces = [
                line(np.arange(real.shape[0]), windows.x[row, :, c], side)
                for side, windows, rows in (("real", real, ours), ("synthetic", synthetic, theirs))
                for row in rows
            ]
            plots.append(Plot(real.channels[c], traces, axes("time step")))
        tabs.append((name, plots))
    text = (
        "A few windows drawn at random, none picked by hand. Look for the same level, the same "
        "slope and the same roughness."
    )
    return Panel("Windows", text + _left_out(sides, chosen), tabs)


def marginals(sides: Sides) -> Panel:
    """How often each value occurs, channel by channel."""
    chosen = _channels(sides)
    drawn = sides.sample(2000)
    plots = []
    for c in chosen:
        values = {
            name: side.x[:, :, c][~np.isnan(side.x[:, :, c])].astype(float)
            for name, side in drawn.items()
            if name != "training"
        }
        pooled = np.concatenate(list(values.values()))
        low, high = np.quantile(pooled, [0.001, 0.999])
        if low == high:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, 41)
        traces = []
        for name, known in values.items():
            share = np.histogram(known, edges)[0] / max(len(known), 1)
            traces.append(steps(edges, share, name))
        plots.append(Plot(sides.real.channels[c], traces, axes("value", "share")))
    text = "How often each value occurs. The two outlines should lie on each other, tails included."
    return Panel("Distributions", text + _left_out(sides, chosen), [("", plots)])


def embeddings(sides: Sides) -> Panel:
    """Whole windows as points: PCA and t-SNE."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    drawn = sides.sample(POINTS // (3 if sides.train is not None and len(sides.train) else 2))
    flat = [one.reshape(len(one), -1) for one in _scaled(drawn, sides.real)]
    if min(map(len, flat)) < 5 or flat[0].shape[1] < 2:
        return Panel("Embeddings", "Too few windows for an embedding.", [])
    whole = np.concatenate(flat)
    depth = min(30, *whole.shape)
    # Fitted on real windows alone: synthetic ones must not turn the axes they are judged on.
    plane = PCA(2, random_state=sides.seed).fit(flat[list(drawn).index("real")])
    near = PCA(depth, random_state=sides.seed).fit_transform(whole)
    perplexity = min(30.0, (len(whole) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=sides.seed)
    share = plane.explained_variance_ratio_
    plots = []
    for title, points in (
        (f"PCA ({share.sum():.0%} of the real variance)", plane.transform(whole)),
        ("t-SNE", tsne.fit_transform(near)),
    ):
        parts = np.split(points, np.cumsum([len(one) for one in flat])[:-1])
        traces = [dots(part, name) for name, part in zip(drawn, parts, strict=True) if len(part)]
        plots.append(Plot(title, traces, axes("", "", bare=title == "t-SNE"), wide=True))
    text = (
        f"Every window is one point ({len(whole)} drawn at random). Synthetic points should lie "
        "where real ones lie: everywhere there, and nowhere else."
    )
    return Panel("Whole windows", text, [("", plots)])


def memory(sides: Sides) -> Panel:
    """Autocorrelation curves, channel by channel."""
    if sides.real.shape[0] < 2:
        return Panel("Memory", "Windows of one time point have no memory.", [])
    chosen = _channels(sides)
    curves = {
        name: autocorrelation(side.x, lags=48)
        for name, side in sides.sample(2000).items()
        if name != "training"
    }
    plots = []
    for c in chosen:
        traces = [
            line(np.arange(1, len(curve) + 1), curve[:, c], name, bold=True)
            for name, curve in curves.items()
        ]
        plots.append(Plot(sides.real.channels[c], traces, axes("lag in time steps", "")))
    text = (
        "How strongly a value depends on those before it. A synthetic curve above the real one is "
        "too smooth, one below it too rough."
    )
    return Panel("Memory", text + _left_out(sides, chosen), [("", plots)])


def labels(sides: Sides) -> Panel:
    """What was asked for, beside what reality holds."""
    known = {
        name: np.asarray(side.y)
        for name, side in zip(("real", "synthetic"), sides.asked, strict=True)
        if side.y is not None and len(side)
    }
    name = sides.real.label_name
    if len(known) < 2:
        return Panel("Labels", "The windows have no labels.", [])
    pooled = np.concatenate([y.astype(object) for y in known.values()])
    words = any(y.dtype.kind not in "biuf" for y in known.values())
    traces = []
    few = len(set(pooled.tolist())) <= 20
    if words or few:
        kinds = sorted(set(pooled.tolist()), key=str if words else float)
        for side, y in known.items():
            share = [float(np.mean(y == kind)) for kind in kinds]
            traces.append(bars([escape(str(kind)) for kind in kinds], share, side))
    else:
        edges = np.linspace(float(min(pooled)), float(max(pooled)), 26)
        for side, y in known.items():
            traces.append(steps(edges, np.histogram(y.astype(float), edges)[0] / len(y), side))
    text = (
        "The labels of the synthetic windows were asked for, so the two may well differ; for the "
        "measures and pictures above both sides were given the same labels."
    )
    plot = Plot(name, traces, axes(escape(name), "share", words=words or few), wide=True)
    return Panel("Labels", text, [("", [plot])])


FIGURES: tuple[Callable[[Sides], Panel], ...] = (lines, marginals, embeddings, memory, labels)


def _alike(real: Windows, synthetic: Windows, seed: int) -> list[tuple[str, Array, Array]]:
    """For up to three labels its name, and rows of each side that have it (or lie nearest)."""
    rng = np.random.default_rng([seed, 4])
    if not len(real) or not len(synthetic):
        return []
    if real.y is None or synthetic.y is None:
        return [("", _some(rng, np.arange(len(real))), _some(rng, np.arange(len(synthetic))))]
    ours, theirs, name = np.asarray(real.y), np.asarray(synthetic.y), real.label_name
    shared = np.intersect1d(ours, theirs)
    if ours.dtype.kind not in "iuf" or theirs.dtype.kind not in "iuf" or len(shared) <= 8:
        chosen = []
        for one in shared[:6]:
            rows = [_some(rng, np.flatnonzero(y == one)) for y in (ours, theirs)]
            chosen.append((f"{name} {one}", rows[0], rows[1]))
        every = [_some(rng, np.arange(len(y))) for y in (ours, theirs)]
        return chosen or [("", every[0], every[1])]
    low, high = max(ours.min(), theirs.min()), min(ours.max(), theirs.max())
    chosen = []
    for target in np.linspace(low, high, 7)[[1, 3, 5]]:
        near = [
            np.argsort(np.abs(y.astype(float) - target), kind="stable")[: max(LINES, len(y) // 50)]
            for y in (ours, theirs)
        ]
        chosen.append((f"{name} near {target:.3g}", _some(rng, near[0]), _some(rng, near[1])))
    return chosen


def _some(rng: np.random.Generator, rows: Array) -> Array:
    return rng.permutation(rows)[:LINES]


def _channels(sides: Sides) -> list[int]:
    """All channels, or those whose distributions lie furthest apart."""
    if sides.real.shape[1] <= CHANNELS:
        return list(range(sides.real.shape[1]))
    drawn = sides.sample(500)
    one, other = (
        np.nanquantile(x, np.linspace(0.01, 0.99, 33), axis=(0, 1))
        for x in _scaled({k: drawn[k] for k in ("real", "synthetic")}, sides.real)
    )
    return sorted(np.argsort(-np.abs(one - other).mean(axis=0))[:CHANNELS].tolist())


def _left_out(sides: Sides, chosen: list[int]) -> str:
    count = sides.real.shape[1]
    if len(chosen) == count:
        return ""
    return f" The {len(chosen)} of {count} channels whose values lie furthest apart are shown."


def _scaled(drawn: dict[str, Windows], real: Windows) -> tuple[Array, ...]:
    return standardise(*(side.x for side in drawn.values()), by=real.x)
