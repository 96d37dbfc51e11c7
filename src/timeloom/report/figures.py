"""Pictures of whole sets of windows, as plain plotly figures: embeddings, correlations, labels."""

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.fidelity.values import channel_distances
from timeloom.metrics.moments import correlation
from timeloom.report.gallery import gallery
from timeloom.report.sides import Panel, Plot, Sides, scaled
from timeloom.report.traces import axes, bars, dots, heat, steps

__all__ = ["FIGURES"]

Array = NDArray[Any]

POINTS = 600  # in the embeddings, all sides together
MATRIX = 40  # channels in a correlation matrix at most
DRAWN = 2000  # windows a side that correlations are taken from
TOLD = 3  # pairs of channels that are told in words


def correlations(sides: Sides) -> Panel:
    """How channels go together: real, synthetic, and the one less the other."""
    title = "Between channels"
    count = sides.real.shape[1]
    real, synthetic = sides.pair(DRAWN)
    if count < 2 or not len(real) or not len(synthetic):
        return Panel(title, "There is only one channel." if count < 2 else "No windows.", [])
    chosen, text = np.arange(count), ""
    if count > MATRIX:
        far = np.nan_to_num(channel_distances(real.x[:300], synthetic.x[:300]), nan=-1)
        chosen = np.sort(np.argsort(-far, kind="stable")[:MATRIX])
        rest = [real.channels[c] for c in range(count) if c not in set(chosen.tolist())]
        named = ", ".join(rest[:60]) + (f" and {len(rest) - 60} more" if len(rest) > 60 else "")
        text = f" The {MATRIX} channels whose values lie furthest apart are shown; not: {named}."
    names = tuple(real.channels[c] for c in chosen)
    one, other = (correlation(side.x[:, :, chosen]) for side in (real, synthetic))
    plots = []
    for name, matrix in (("Real", one), ("Synthetic", other), ("Synthetic less real", other - one)):
        trace, layout = heat(matrix, names)
        told = f"{name}: heat map of the correlations between {len(names)} channels."
        plots.append(Plot(name, [trace], layout, "square", told))
    said = (
        "Correlations between channels, orange for +1 and blue for −1; empty where a channel does "
        "not vary. The third map should be empty of colour. "
    )
    return Panel(title, said + _largest(one, other, names) + text, plots, ())


def _largest(one: Array, other: Array, names: tuple[str, ...]) -> str:
    """The pairs of channels whose correlations differ most, in words."""
    apart = np.triu(np.nan_to_num(np.abs(other - one)), 1)
    pairs = []
    for place in np.argsort(-apart, axis=None, kind="stable")[:TOLD]:
        a, b = np.unravel_index(place, apart.shape)
        if apart[a, b] > 0.005:
            pairs.append(
                f"{names[a]} and {names[b]} (real {one[a, b]:.2f}, synthetic {other[a, b]:.2f})"
            )
    return f"Furthest apart: {'; '.join(pairs)}." if pairs else "No two differ by more than 0.005."


def embeddings(sides: Sides) -> Panel:
    """Whole windows as points: PCA and t-SNE."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    drawn = sides.sample(POINTS // (3 if sides.train is not None and len(sides.train) else 2))
    flat = [one.reshape(len(one), -1) for one in scaled(list(drawn.values()), sides.real)]
    if len(drawn) < 2 or min(map(len, flat)) < 5 or flat[0].shape[1] < 2:
        return Panel("Whole windows", "Too few windows for an embedding.", [])
    whole = np.concatenate(flat)
    depth = min(30, *whole.shape)
    # Fitted on real windows alone: synthetic ones must not turn the axes they are judged on.
    plane = PCA(2, random_state=sides.seed).fit(flat[list(drawn).index("real")])
    near = PCA(depth, random_state=sides.seed).fit_transform(whole)
    perplexity = min(30.0, (len(whole) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=sides.seed)
    share = np.nan_to_num(plane.explained_variance_ratio_)
    plots = []
    for title, points in (
        (f"PCA ({share.sum():.0%} of the real variance)", plane.transform(whole)),
        ("t-SNE", tsne.fit_transform(near)),
    ):
        parts = np.split(points, np.cumsum([len(one) for one in flat])[:-1])
        traces = [dots(part, name) for name, part in zip(drawn, parts, strict=True) if len(part)]
        plots.append(Plot(title, traces, axes("", "", bare=title == "t-SNE"), "wide"))
    text = (
        f"Every window is one point ({len(whole)} drawn at random). Synthetic points should lie "
        "where real ones lie: everywhere there, and nowhere else."
    )
    return Panel("Whole windows", text, plots, tuple(drawn))


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
    layout = axes(escape(name), "share", words=words or few)
    return Panel("Labels", text, [Plot(name, traces, layout, "wide")])


# A figure takes the sides and gives a panel; adding its name here puts it on the page.
FIGURES: tuple[Callable[[Sides], Panel], ...] = (correlations, embeddings, gallery, labels)
