"""Which points of a window to hide, so that a network cannot copy them: the neighbour mask.

Badly rebuilt points are picked, each grows over the neighbours that are like it, and what is grown
over is hidden. Source: DDMT (arXiv 2310.08800), section 3.3, the adaptive dynamic neighbour mask.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

__all__ = [
    "CRITERIA",
    "attention_mask",
    "caps",
    "hidden_points",
    "mean_width",
    "pick",
    "reopened",
    "widths",
]

CRITERIA = ("pearson", "gradient", "fixed")
FEWEST = 4  # channels from which the channels of one time point are vector enough to correlate
REACH = 2  # with fewer, a time point is known by this many time points to either side, too
MEASURED = 3  # numbers that two vectors have in common at least: of two, any line fits
FLAT = 1e-6  # spread of a vector, relative to its length, below which it is rounding


def pick(
    errors: Float[Tensor, "window *channel time"],
    *,
    share: float | None = None,
    quantile: float | None = None,
    threshold: float | Tensor | None = None,
) -> Bool[Tensor, "window *channel time"]:
    """The points that are rebuilt badly. A point without error, or not measured, is never picked.

    Args:
        errors: Not negative; NaN = not measured. ``errors.mean(dim=1)`` picks time points.
        share: Share of the points of each row that is picked, its worst ones: as many in a good
            window as in a bad one. It is the paper's "actual anomaly ratio".
        quantile: Picks what lies above this quantile of all ``errors`` together: more in bad
            windows than in good ones, and another choice in other company.
        threshold: Picks what lies above it; a number, or a tensor that fits ``errors``. A window's
            picks depend on itself alone, and a perfect one has none.

    Raises:
        ValueError: If not exactly one of the three is given, or it is out of its range.
    """
    if sum(rule is not None for rule in (share, quantile, threshold)) != 1:
        raise ValueError("give exactly one of share, quantile and threshold to pick points by.")
    for name, value in (("share", share), ("quantile", quantile)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1]; got {value}.")
    measured = errors[~errors.isnan()]
    errors = torch.where(errors.isnan(), 0.0, errors)
    if share is not None:
        count = math.floor(share * errors.shape[-1] + 0.5)
        worst = errors.argsort(dim=-1, descending=True, stable=True)[..., :count]
        return torch.zeros_like(errors, dtype=torch.bool).scatter(-1, worst, True) & (errors > 0)
    if quantile is not None:
        rank = max(1, math.ceil(quantile * measured.numel()))
        threshold = measured.kthvalue(rank).values if measured.numel() else 0.0
    limit = torch.as_tensor(threshold, dtype=errors.dtype, device=errors.device)
    return (errors > limit) & (errors > 0)


def caps(
    errors: Float[Tensor, "window time"], threshold: float | Tensor, most: int = 5
) -> Int[Tensor, "window time"]:
    """How far each point may grow at most: the worse it is rebuilt, the farther.

    ``min(most, floor(error / threshold))``: 1 just above the threshold that points are picked by,
    ``most`` from ``most`` times that on. It never falls as an error rises.
    """
    times = torch.nan_to_num(errors / threshold, nan=0.0, posinf=float(most))
    return times.floor().clamp(0, most).long()


def widths(
    x: Float[Tensor, "window channel time"],
    picked: Bool[Tensor, "window time"],
    *,
    criterion: str = "pearson",
    corr_threshold: float = 0.7,
    most: int | Tensor = 5,
) -> Int[Tensor, "window time 2"]:
    """How many neighbours to the left and to the right are hidden with each picked point.

    A point grows in either direction while the next neighbour is like it, and stops at the first
    that is not, at the ends of the window and at ``most``. 0 hides the point alone. A higher
    ``corr_threshold`` gives narrower masks, none at 1.

    Args:
        x: Windows with channels of one scale; NaN = not measured. A time point is the vector of its
            channels; with fewer than four, of those of two time points to either side, too.
        picked: Where masks grow from.
        criterion: ``"pearson"`` likens the vectors of two time points by their correlation,
            ``"gradient"`` the directions they move in by the cosine, ``"fixed"`` likens all.
            Vectors without spread, or with fewer than three numbers in common, are not alike.
        corr_threshold: Likeness above which a neighbour is hidden, too.
        most: Neighbours to either side at most; a number, or one per point (see :func:`caps`).

    Returns:
        (left, right) of each time point, 0 where none is picked.

    Raises:
        ValueError: If ``criterion`` is none of the three, ``corr_threshold`` is no correlation, or
            ``most`` is negative.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {CRITERIA}; got {criterion!r}.")
    if not -1 <= corr_threshold <= 1:
        raise ValueError(f"corr_threshold must lie in [-1, 1]; got {corr_threshold}.")
    limit = torch.as_tensor(most, device=x.device).expand(picked.shape)
    if (limit < 0).any():
        raise ValueError(f"most must be at least 0; got {int(limit.min())}.")
    farthest = min(int(limit.max()) if limit.numel() else 0, x.shape[2] - 1)
    alike = _alike(x, farthest, criterion, corr_threshold)
    # Seen from the right one of two: what is said of (i - k, i) stands at i - k.
    behind = [pad(pair[:, :-k], (k, 0)) for k, pair in enumerate(alike, start=1)]
    left, right = (_run(side, picked) for side in (behind, alike))
    return torch.stack([left, right], dim=2).minimum(limit[..., None]) * picked[..., None]


def _run(alike: list[Tensor], picked: Tensor) -> Tensor:
    """Neighbours before the first that is not alike."""
    if not alike:
        return torch.zeros_like(picked, dtype=torch.long)
    return torch.stack(alike).long().cumprod(dim=0).sum(dim=0)


def _alike(x: Tensor, farthest: int, criterion: str, corr_threshold: float) -> list[Tensor]:
    """Entry k - 1, of shape (window, time): whether points i and i + k are alike; False outside."""
    length = x.shape[2]
    if criterion == "fixed":
        inside = torch.arange(length, device=x.device).expand(len(x), -1)
        return [inside < length - k for k in range(1, farthest + 1)]
    vectors = _vectors(x, criterion)
    found = []
    for k in range(1, farthest + 1):
        value = _likeness(vectors[:, :, :-k], vectors[:, :, k:], centred=criterion == "pearson")
        found.append(pad(value > corr_threshold, (0, k)))
    return found


def _vectors(x: Tensor, criterion: str) -> Tensor:
    """What a time point is known by, (window, number, time)."""
    if criterion == "gradient":
        wide = pad(x, (1, 1), mode="replicate")
        x = (wide[:, :, 2:] - wide[:, :, :-2]) / 2
    if x.shape[1] >= FEWEST:
        return x
    patches = pad(x, (REACH, REACH), mode="replicate").unfold(2, 2 * REACH + 1, 1)
    return patches.transpose(2, 3).flatten(1, 2)  # (window, channel·lag, time)


def _likeness(one: Tensor, other: Tensor, *, centred: bool) -> Tensor:
    """Pearson's correlation, or the cosine, over dimension 1; NaN where there is none."""
    known = ~(one.isnan() | other.isnan())
    count = known.sum(dim=1, keepdim=True)
    spreads, parts = [], []
    for part in (one, other):
        part = torch.where(known, part, 0.0)
        size = part.norm(dim=1)
        if centred:
            mean = part.sum(dim=1, keepdim=True) / count.clamp(min=1)
            part = torch.where(known, part - mean, 0.0)
        spread = part.norm(dim=1)
        spreads.append(torch.where(spread > FLAT * size, spread, torch.nan))
        parts.append(part / spread[:, None])
    value = (parts[0] * parts[1]).sum(dim=1).clamp(-1, 1)
    there = (count[:, 0] >= MEASURED) & spreads[0].isfinite() & spreads[1].isfinite()
    return torch.where(there, value, torch.nan)


def hidden_points(
    picked: Bool[Tensor, "window time"], widths: Int[Tensor, "window time 2"]
) -> Bool[Tensor, "window time"]:
    """Time points that lie in the mask of any picked point, itself included."""
    length = picked.shape[1]
    here = torch.arange(length, device=picked.device)
    first = (here - widths[..., 0]).clamp(min=0)
    after = (here + widths[..., 1] + 1).clamp(max=length)
    # +1 where a mask begins, -1 behind its end: the running sum counts the masks over a point.
    change = torch.zeros(len(picked), length + 1, dtype=torch.long, device=picked.device)
    change = change.scatter_add(1, first, picked.long()).scatter_add(1, after, -picked.long())
    return change.cumsum(dim=1)[:, :length] > 0


def attention_mask(
    picked: Bool[Tensor, "window time"],
    widths: Int[Tensor, "window time 2"],
    *,
    scope: str = "query",
) -> Bool[Tensor, "window time time"]:
    """Where query i may not look at key j; every row keeps at least one key.

    A mask on attention alone does not blind a network: the residual stream and convolutions go
    round it. Hiding :func:`hidden_points` from the input does.

    Args:
        picked: Where masks grow from.
        widths: Of :func:`widths`.
        scope: ``"query"`` keeps each picked point from looking at its own mask; ``"key"`` keeps
            everybody from looking at any.

    Raises:
        ValueError: If ``scope`` is neither.
    """
    if scope == "key":
        hidden = hidden_points(picked, widths)
        return reopened(hidden[:, None, :].expand(-1, hidden.shape[1], -1))
    if scope != "query":
        raise ValueError(f"scope of a mask on attention is 'query' or 'key'; got {scope!r}.")
    here = torch.arange(picked.shape[1], device=picked.device)
    ahead = here[None, :] - here[:, None]  # (query, key)
    near = (ahead >= -widths[..., :1]) & (ahead <= widths[..., 1:])
    return reopened(near & picked[..., None])


def reopened(mask: Bool[Tensor, "window time time"]) -> Bool[Tensor, "window time time"]:
    """The mask; where a query has lost every key, it may look at itself."""
    itself = torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    return mask & ~(mask.all(dim=2, keepdim=True) & itself)


def mean_width(
    picked: Bool[Tensor, "window time"], widths: Int[Tensor, "window time 2"]
) -> Float[Tensor, ""]:
    """Neighbours hidden with a picked point, both sides together, on average; 0 if none is picked.

    To be shown beside every result: the same ``corr_threshold`` means another width on other data.
    """
    return widths.sum().float() / picked.sum().clamp(min=1)
