"""How the tokens of a few-shot generator are looked at, and how it is put to very many channels."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from timeloom.bench.few_sets import LENGTH, blocks
from timeloom.data.windows import Series, Windows, concatenate, cut
from timeloom.diffusion.draws import StepDraws
from timeloom.methods.domain import Domain
from timeloom.methods.fewshot import masked_loss
from timeloom.methods.imagenfew import ImagenFew

__all__ = [
    "ADAPTED",
    "FLOOR",
    "GAUSSIAN",
    "KINDS",
    "PERMUTED",
    "SHUFFLES",
    "SWAPS",
    "WIDE_HOW",
    "Wide",
    "nearest_share",
    "parts_of",
    "path_of",
    "plane",
    "source_of",
    "spread_error",
    "swapped_losses",
    "unseen_windows",
    "wide_arm",
    "wide_set",
]

Array = NDArray[Any]

KINDS = ("token", "learned part", "description part")
SWAPS = ("own", "sibling", "unrelated", "none")
FLOOR, GAUSSIAN, ADAPTED, PERMUTED = "floor", "gaussian", "adapted", "permuted"
SHUFFLES = 2_000
WIDE_HOW = "low_rank"  # how a generator is adapted to a wide set
JUDGED = 200  # windows of a wide set on either side of its judge
FEWEST = 10  # windows that a loss is worth measuring on


def source_of(name: str) -> str:
    """Where a set of the corpus comes from: ``smd-machine-1-6`` from ``smd``."""
    return name.split("-")[0].split("_")[0]


def parts_of(model: ImagenFew) -> dict[str, Array]:
    """(set, number) the tokens, and the two vectors that they are the sums of, by ``KINDS``."""
    token = np.stack(list(model.tokens_.values())).astype(np.float64)
    table = model.model_.table
    learned = np.zeros_like(token) if table is None else table.detach().cpu().double().numpy()
    return dict(zip(KINDS, (token, learned, token - learned), strict=True))


def nearest_share(
    points: Array, sources: Sequence[str], among: Sequence[Any] | None = None, seed: int = 0
) -> tuple[float, Array]:
    """How often the nearest other point is of the same source, and how often by chance.

    Args:
        points: (set, number).
        sources: Of each set. Sets that are alone in theirs are neighbours only.
        among: A word per set; chance shuffles sources only among sets of the same word.
        seed: Of the shuffling.

    Returns:
        The share of sets, and the same (shuffle,) with sources shuffled, points where they are.

    Raises:
        ValueError: If no two sets are of one source.
    """
    names = np.asarray(sources)
    groups = np.zeros(len(names)) if among is None else np.asarray(among)
    if len(np.unique(names)) == len(names):
        raise ValueError("two sets or more must be of one source; every one is alone in its own.")
    square = np.square(points).sum(axis=1)
    apart = square[:, None] + square - 2 * points @ points.T
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)

    def share(own: Array) -> float:
        _, which, counts = np.unique(own, return_inverse=True, return_counts=True)
        several = counts[which] > 1
        return float((own == own[nearest])[several].mean())

    rng = np.random.default_rng([seed, 20461])
    chance = np.empty(SHUFFLES)
    for i in range(SHUFFLES):
        order = np.arange(len(names))
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            order[rows] = rng.permutation(rows)
        chance[i] = share(names[order])
    return share(names), chance


def plane(points: Array) -> tuple[Array, Array, Array]:
    """(centre, (2, number) axes, share of variance of each) of the principal plane."""
    centre = points.mean(axis=0)
    _, values, axes = np.linalg.svd(points - centre, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2, np.abs(axes[:2]).argmax(axis=1)].diagonal())[:, None]
    return centre, axes, np.square(values)[:2] / np.square(values).sum()


def swapped_losses(
    model: ImagenFew, windows: Windows, name: str, others: Mapping[str, str], seed: int
) -> dict[str, float]:
    """Denoising loss of windows of one set under other tokens, with one and the same noise.

    Args:
        model: Fitted, with tokens that have a learned part and a described one.
        windows: Of the set ``name``, in its own units, with its channels.
        name: The set whose scales and coordinates are used throughout.
        others: Word -> name of the set whose token takes the place of its own.
        seed: Of the noise and its levels.

    Returns:
        The loss by word, with ``own`` and, for the description alone, ``none`` added.
    """
    inner = copy.deepcopy(model.model_).cpu().eval()
    z, measured = model.domains_[name].tensors(windows.x)
    turn, sets = model.domains_[name].map(windows.shape[0]), list(model.sets_)

    def loss(whose: str) -> float:
        which = torch.full((len(z),), sets.index(whose))
        with torch.no_grad():
            batch = (z, measured, which)
            return float(masked_loss(inner, turn, batch, 0.0, 0.0, StepDraws(seed, 0)))

    found = {"own": loss(name)} | {word: loss(whose) for word, whose in others.items()}
    if inner.table is not None:
        inner.table.data.zero_()
    return found | {"none": loss(name)}


def _side_by_side(series: Series) -> Windows:
    """Windows that share no time point; what is left at the end is left out."""
    whole = len(series) // LENGTH * LENGTH
    return cut(Series(series.values[:whole], channels=series.channels), LENGTH, LENGTH)


def unseen_windows(series: Series, channels: Sequence[str], most: int) -> Windows:
    """The first windows side by side in which something moves and no incident is labelled.

    Raises:
        ValueError: If there are fewer than ten.
    """
    at = [series.channels.index(channel) for channel in channels]
    x = _side_by_side(Series(series.values[:, at], channels=tuple(channels)))
    label = np.zeros(len(series)) if series.label is None else np.asarray(series.label)
    bad = np.array([label[begin : begin + LENGTH].any() for begin in x.start])
    moves = (x.x[:, 1:] != x.x[:, :-1]).any(axis=(1, 2))
    kept = x[np.flatnonzero(moves & ~bad)[:most]]
    if len(kept) < FEWEST:
        raise ValueError(f"{len(kept)} windows are left; expected {FEWEST} or more.")
    return kept


def path_of(model: ImagenFew, windows: Windows, **how: Any) -> dict[str, Any]:
    """Where a new set's token begins and ends while all weights are adapted.

    Returns:
        ``moved``, ``nearest_before`` and ``nearest_after`` (distance to the nearest token of the
        model as it was), ``typical`` (median distance of two of those), all Euclidean;
        ``drift``, the median way that the known sets' own tokens went meanwhile; ``before`` and
        ``after``, the names of the three nearest; ``ends``, both tokens.
    """
    known = np.stack(list(model.tokens_.values())).astype(np.float64)
    names = np.array(model.sets_)
    new, progress = model.adapting(windows, **how)
    ends = [new.tokens_[new.sets_[-1]].astype(np.float64)]
    for _ in progress:
        pass
    ends.append(new.tokens_[new.sets_[-1]].astype(np.float64))
    near = [np.linalg.norm(known - end, axis=1) for end in ends]
    pairs = np.linalg.norm(known[:, None] - known, axis=2)[np.triu_indices(len(known), 1)]
    gone = np.stack(list(new.tokens_.values()))[:-1] - known
    return {
        "moved": float(np.linalg.norm(ends[1] - ends[0])),
        "nearest_before": float(near[0].min()),
        "nearest_after": float(near[1].min()),
        "typical": float(np.median(pairs)),
        "drift": float(np.median(np.linalg.norm(gone, axis=1))),
        "before": names[near[0].argsort()[:3]].tolist(),
        "after": names[near[1].argsort()[:3]].tolist(),
        "ends": np.array(ends),
    }


class Wide(NamedTuple):
    """A set of many channels: ``few`` to learn from, ``held_out``, and others of the same blocks
    as the few, ``floor``.
    """

    few: Windows
    held_out: Windows
    floor: Windows


def wide_set(recordings: Sequence[Series], count: int, size: int, seed: int) -> Wide:
    """Recordings side by side as one set: the first ``count`` of their channels that move.

    Cut into blocks that are, in turn, learned from and held out, into windows without overlap.

    Raises:
        ValueError: If there are not so many channels or windows.
    """
    length = min(map(len, recordings))
    values = np.concatenate([one.values[:length] for one in recordings], axis=1)
    moving = np.flatnonzero(values.max(axis=0) > values.min(axis=0))
    if len(moving) < count:
        raise ValueError(f"{count} channels must move; {len(moving)} do. Give more recordings.")
    found = blocks(Series(values[:, moving[:count]], name="wide"), LENGTH)
    learn, judge = (
        concatenate(
            [
                Windows(w.x.astype(np.float32), None, np.full(len(w), at), w.start + at)
                for at, block in found[odd::2]
                for w in [_side_by_side(block)]
            ]
        )
        for odd in (0, 1)
    )
    many = min(JUDGED, len(learn) - size, len(judge))
    if many < size:
        raise ValueError(f"{2 * size} windows a side are needed; got {len(learn)}, {len(judge)}.")
    order = np.random.default_rng([seed, 20463]).permutation(len(learn))
    spread = np.linspace(0, len(judge) - 1, many).astype(int)
    return Wide(learn[order[:size]], judge[spread], learn[order[size : size + many]])


def wide_arm(real: Wide, arm: str, model: ImagenFew | None, seed: int, steps: int) -> Array:
    """Windows (window, time, channel) that an arm makes, as many as are held out.

    Args:
        real: The set.
        arm: ``"floor"``, real windows; ``"gaussian"``, the law of the few windows' coordinates
            without a network; ``"permuted"``, adapted with the channels in another order, which is
            undone; anything else, adapted.
        model: To adapt; None where the arm needs none.
        seed: Of all draws and of training.
        steps: Of adapting.
    """
    few, count, channels = real.few, len(real.held_out), real.few.shape[1]
    if arm == FLOOR:
        return real.floor.x
    if arm == GAUSSIAN or model is None:
        frame = {"kind": "principal", "whitening": 1.0}
        law = Domain("standard", frame, True).learn([few])
        rng = torch.Generator().manual_seed(seed)
        size = law.map(LENGTH).mix.shape[1]
        return law.finish(torch.randn(count, size, LENGTH, generator=rng), LENGTH)
    order = np.arange(channels)
    if arm == PERMUTED:
        order = np.random.default_rng([seed, 20464]).permutation(channels)
    turned = Windows(few.x[:, :, order])
    new = model.adapt(turned, name="wide", how=WIDE_HOW, seed=seed, steps=steps)
    return np.asarray(new.sample(count, seed=seed).x)[:, :, np.argsort(order)]


def spread_error(real: Array, made: Array) -> float:
    """Median over channels of the absolute logarithm of made over real standard deviation.

    Both (window, time, channel), in real spreads; a hundredth of one is added to either side, so
    that a channel that hardly moves counts little.
    """
    one, other = (side.std(axis=(0, 1)) + 0.01 for side in (real, made))
    return float(np.median(np.abs(np.log(other / one))))
