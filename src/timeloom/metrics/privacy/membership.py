"""Can an attacker who has the synthetic windows tell which real ones were trained on?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.metrics.discriminator import Groups, folds_by_group
from timeloom.metrics.metric import Interval, Metric
from timeloom.metrics.privacy.distances import SHIFTS, Prepared, mutual, prepare
from timeloom.metrics.privacy.novelty import MEMBERS

__all__ = ["METRICS", "local_membership_auc", "membership_auc"]

Array = NDArray[Any]

DRAWS = 500  # of the bootstrap
BLOCKS = 50  # of consecutive windows, where recordings are not known


def membership_auc(
    synthetic: Array, train: Array, held_out: Array, groups: Groups = None, seed: int = 0
) -> Interval:
    """How well the distance to the nearest synthetic window tells training from unseen windows.

    Formula: the attacker calls a real window trained on if a synthetic one lies near it (least root
    mean square distance over moves of up to three time points); AUC of training against held-out
    windows. Range 0 to 1, lower is better down to .5, where nothing leaks; below .5 is as harmless,
    since nobody can know beforehand to turn the guess round. Drift between the training and the
    held-out recordings raises it too, without any leak: windows made like the training ones then
    lie nearer to these. Unit: none. Smallest sensible sample:
    50 windows each. The interval is 95 % of a bootstrap of held-out recordings, and of training
    windows in 50 blocks of consecutive ones, which mostly share a recording. An AUC is an average
    over all training windows: copies of a few of them hardly move it, and
    :func:`timeloom.metrics.privacy.near_copy_share` is there to see these. Source: the distance
    attack of Chen et al. 2020 (arXiv 1909.03935) on a black box.

    Args:
        synthetic: (window, time, channel). NaN = not measured; such points are left out.
        train: (window, time, channel): every window trained on; 5,000 drawn by ``seed`` at most.
        held_out: (window, time, channel) real windows of other recordings.
        groups: Recordings of held-out and of synthetic windows, or None; the second is not used.
        seed: Of the draw and the bootstrap.

    Returns:
        NaN where nothing can be compared.
    """
    made, members, unseen = _sides(synthetic, train, held_out, seed)
    reverse = mutual(made, members, SHIFTS, both=True)[1]
    inside = np.full(len(members.x), np.inf) if reverse is None else reverse.distance
    outside = mutual(unseen, made, SHIFTS)[0].distance
    return _auc(-inside, -outside, _recordings(groups, len(outside)), seed)


def local_membership_auc(
    synthetic: Array, train: Array, held_out: Array, groups: Groups = None, seed: int = 0
) -> Interval:
    """As :func:`membership_auc`, by an attacker who also knows where real windows are dense.

    Formula: the guess is the distance to the nearest window of a real reference set over that to
    the nearest synthetic window: a synthetic window nearby says little where every real window is
    near another. The reference is one half of the held-out recordings for the other half, and for
    training windows the mean over both halves of the logarithm. Without moves in time. Range 0
    to 1, lower is better down to .5. Unit: none. Smallest sensible sample: 50 windows each. Source:
    the density ratio of DOMIAS, van Breugel et al. 2023 (arXiv 2302.12580), with nearest neighbours
    as densities.
    """
    made, members, unseen = _sides(synthetic, train, held_out, seed)
    recordings = _recordings(groups, len(unseen.x))
    half = folds_by_group(recordings, len(unseen.x), 2, seed)
    parts = [unseen.some(half == side) for side in (0, 1)]
    near = [_plain(members, part) for part in parts]
    inside = np.mean([np.log(one) for one in near], axis=0) - np.log(_plain(members, made))
    outside = np.empty(len(unseen.x))
    for side, part in enumerate(parts):
        own = np.log(_plain(part, parts[1 - side])) - np.log(_plain(part, made))
        outside[half == side] = own
    return _auc(inside, outside, recordings, seed)


def _plain(one: Prepared, other: Prepared) -> Array:
    # Exact copies would be infinitely near; beyond a ten-thousandth of a spread all are equal.
    return np.maximum(mutual(one, other)[0].plain, 1e-4)


def _sides(
    synthetic: Array, train: Array, held_out: Array, seed: int
) -> tuple[Prepared, Prepared, Prepared]:
    members = train
    if len(train) > MEMBERS:
        rng = np.random.default_rng([seed, 5077])
        members = train[np.sort(rng.choice(len(train), MEMBERS, replace=False))]
    made, inside, unseen = prepare(synthetic, members, held_out, by=train)
    return made, inside, unseen


def _recordings(groups: Groups, count: int) -> Array:
    """The recording of each held-out window, or its block of consecutive ones."""
    known = None if groups is None else groups[0]
    return _blocks(count) if known is None else np.unique(known, return_inverse=True)[1]


def _blocks(count: int) -> Array:
    return np.arange(count) * min(BLOCKS, count) // max(count, 1)


def _auc(inside: Array, outside: Array, recordings: Array, seed: int) -> Interval:
    """AUC of two sets of scores with its interval; what could not be compared is left out."""
    blocks = _blocks(len(inside))[np.isfinite(inside)]
    recordings = recordings[np.isfinite(outside)]
    inside, outside = inside[np.isfinite(inside)], outside[np.isfinite(outside)]
    if not len(inside) or not len(outside):
        return Interval(float("nan"), float("nan"), float("nan"))
    _, place = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    split = place[: len(inside)], place[len(inside) :]
    value = _weighted(*split, np.ones((1, len(inside))), np.ones((1, len(outside))))[0]
    rng = np.random.default_rng([seed, 5078])
    drawn = _weighted(*split, _weights(blocks, rng), _weights(recordings, rng))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def _weights(groups: Array, rng: np.random.Generator) -> Array:
    """(draw, window) how often each window's group was drawn."""
    names, which = np.unique(groups, return_inverse=True)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)
    return counts[:, which].astype(np.float64)


def _weighted(inside: Array, outside: Array, one: Array, other: Array) -> Array:
    """(draw,) AUC from the places of the scores in their common order, equal ones in one place."""
    size = int(max(inside.max(), outside.max())) + 1
    order = np.argsort(outside, kind="stable")
    below = np.concatenate([np.zeros((len(other), 1)), np.cumsum(other[:, order], axis=1)], axis=1)
    first = np.searchsorted(outside[order], np.arange(size), side="left")
    last = np.searchsorted(outside[order], np.arange(size), side="right")
    wins = 0.5 * (below[:, first[inside]] + below[:, last[inside]])
    return (wins * one).sum(axis=1) / (one.sum(axis=1) * other.sum(axis=1))


METRICS = tuple(
    Metric(
        function.__name__,
        function,
        "lower",
        "",
        meaning,
        about="novelty",
        needs=("synthetic", "train", "held_out", "groups", "seed"),
        far=0.1,
        ideal=0.5,
        copies="bad",
        smallest=50,
        default=function is membership_auc,
    )
    for function, meaning in (
        (
            membership_auc,
            "How well nearness to synthetic windows tells what was trained on (.5: nothing leaks).",
        ),
        (
            local_membership_auc,
            "The same by an attacker who knows where real windows are dense (.5: nothing leaks).",
        ),
    )
)
