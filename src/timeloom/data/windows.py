"""Recordings and equal cuts of them: the two nouns that everything else passes along."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Series", "Windows", "concatenate", "cut", "split", "stitch"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One recorded run: an engine, a machine, a patient.

    Attributes:
        values: (time, channel), floating point, in the source's units. NaN = not measured.
        label: None, one value per time point (time,), or one value for the run (0-d).
        name: What the source calls this run.
        channels: One name per channel; ``c0, c1, ...`` where none are given.
        time: (time,) the source's time stamps, or None where it has none.
        label_name: What the source calls the label.

    Raises:
        ValueError: If the shapes do not fit together.
    """

    values: Array
    label: Array | None = None
    name: str = ""
    channels: tuple[str, ...] = ()
    time: Array | None = None
    label_name: str = "label"

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2:
            raise ValueError(
                f"Series.values must have shape (time, channel); got {values.shape}. "
                "For one channel pass values[:, None]."
            )
        if not np.issubdtype(values.dtype, np.floating):
            values = values.astype(np.float64)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "channels", _names(self.channels, values.shape[1]))
        for what in ("label", "time"):
            given = getattr(self, what)
            if given is None:
                continue
            given = np.asarray(given)
            if given.ndim > 1 or (given.ndim == 1 and len(given) != len(values)):
                raise ValueError(
                    f"Series.{what} must be one value or have shape ({len(values)},), one per time "
                    f"point; got {given.shape}."
                )
            object.__setattr__(self, what, given)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Equal cuts, and where each was cut. ``np.asarray(windows)`` is ``x``.

    Attributes:
        x: (window, time, channel), in the units of the source. NaN = not measured.
        y: (window,) labels or values, or None.
        series: (window,) which recording each window was cut from.
        start: (window,) ``x[i]`` begins at time point ``start[i]`` of recording ``series[i]``.
        channels: One name per channel; ``c0, c1, ...`` where none are given.
        label_name: What the source calls ``y``.

    Raises:
        ValueError: If the shapes do not fit together.
    """

    x: Array
    y: Array | None = None
    series: Array = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    start: Array = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    channels: tuple[str, ...] = ()
    label_name: str = "label"

    def __post_init__(self) -> None:
        x = np.asarray(self.x)
        if x.ndim != 3:
            raise ValueError(
                f"x must have shape (window, time, channel); got {x.shape}. "
                "For one channel pass x[:, :, None]."
            )
        if not np.issubdtype(x.dtype, np.floating):
            x = x.astype(np.float64)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "channels", _names(self.channels, x.shape[2]))
        if self.y is not None:
            object.__setattr__(self, "y", _per_window(self.y, len(x), "y"))
        # Windows that were not cut from anything known each count as a recording of their own.
        series = self.series if np.size(self.series) or not len(x) else np.arange(len(x))
        start = (
            self.start if np.size(self.start) or not len(x) else np.zeros(len(x), dtype=np.int64)
        )
        object.__setattr__(self, "series", _per_window(series, len(x), "series"))
        object.__setattr__(self, "start", _per_window(start, len(x), "start"))

    def __len__(self) -> int:
        return len(self.x)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.x, dtype=dtype, copy=copy)

    def __getitem__(self, index: Any) -> Self:
        """The windows at ``index`` (a slice, a mask or an array of positions)."""
        if isinstance(index, (int, np.integer)):
            index = [index]
        return replace(
            self,
            x=self.x[index],
            y=None if self.y is None else self.y[index],
            series=self.series[index],
            start=self.start[index],
        )

    def __iter__(self) -> Iterator[Array]:
        return iter(self.x)

    @property
    def shape(self) -> tuple[int, int]:
        """(time, channel) of every window."""
        return self.x.shape[1], self.x.shape[2]


def cut(series: Sequence[Series] | Series, length: int, stride: int = 1) -> Windows:
    """Cuts every series into windows of ``length`` time points, ``stride`` apart.

    A last window is added so that every time point is covered. Windows never span two series.
    A window's label is the one at its last time point.

    Args:
        series: One or many recordings; the same channels, any length.
        length: Time points per window.
        stride: Time points between the starts of two windows.

    Returns:
        Windows with ``x`` of shape (window, time, channel), in the units of ``series``.

    Raises:
        ValueError: If there is no series, if a series is shorter than ``length``, or if channels
            or labels differ between series.
    """
    series = [series] if isinstance(series, Series) else list(series)
    _same_kind(series)
    if length < 1 or stride < 1:
        raise ValueError(f"length and stride must be at least 1; got {length} and {stride}.")
    starts = []
    for i, one in enumerate(series):
        if len(one) < length:
            raise ValueError(
                f"series {i} ('{one.name}') has {len(one)} time points, fewer than length "
                f"{length}; ask for shorter windows or leave it out."
            )
        last = len(one) - length
        at = np.arange(0, last + 1, stride)
        starts.append(at if at[-1] == last else np.append(at, last))
    counts = [len(at) for at in starts]
    first = series[0]
    x = np.empty((sum(counts), length, first.values.shape[1]), _common_dtype(series))
    for one, at, end in zip(series, starts, np.cumsum(counts), strict=True):
        views = np.lib.stride_tricks.sliding_window_view(one.values, length, axis=0)
        x[end - len(at) : end] = views[at].transpose(0, 2, 1)
    y = None
    if first.label is not None:
        y = np.concatenate(
            [
                np.broadcast_to(one.label, len(one))[at + length - 1]  # pyright: ignore
                for one, at in zip(series, starts, strict=True)
            ]
        )
    return Windows(
        x,
        y,
        np.repeat(np.arange(len(series)), counts),
        np.concatenate(starts),
        first.channels,
        first.label_name,
    )


def split(
    windows: Windows, *shares: float, by: str = "series", gap: int | None = None, seed: int = 0
) -> tuple[Windows, ...]:
    """Splits windows into parts that share no time point.

    Args:
        windows: What to split.
        shares: Relative sizes of the parts, two or more, for example ``0.8, 0.2``.
        by: ``"series"``: whole series go to one part or another, at random. ``"time"``: every
            series is cut at the same shares of its own duration.
        gap: Time points left unused between two parts of a series (``by="time"``), so that
            neighbours in time do not stand on both sides; one window where None.
        seed: Which series go where; unused by ``"time"``.

    Returns:
        One ``Windows`` per share, in the order of ``shares``.

    Raises:
        ValueError: If there are fewer series than parts, or if a part would be empty.
    """
    part = np.asarray(shares, dtype=float)
    if len(part) < 2 or not (part > 0).all():
        raise ValueError(f"shares must be two or more positive numbers; got {shares}.")
    edges = np.cumsum(part) / part.sum()
    if by == "series":
        chosen = _by_series(windows, edges, seed)
    elif by == "time":
        chosen = _by_time(windows, edges, windows.shape[0] if gap is None else gap)
    else:
        raise ValueError(f"by must be 'series' or 'time'; got {by!r}.")
    for share, rows in zip(shares, chosen, strict=True):
        if not len(rows):
            raise ValueError(
                f"the part with share {share} would hold no window of {len(windows)}; "
                "give more data, shorter windows or a larger share."
            )
    return tuple(windows[rows] for rows in chosen)


def stitch(scores: ArrayLike, windows: Windows) -> list[Array]:
    """Puts windows back in their places; where windows overlap, the mean is taken.

    Args:
        scores: (window, time) or (window, time, channel): something for every point of
            ``windows``. NaN is left out of the mean.
        windows: Says where each window was cut.

    Returns:
        One array per series, in ascending order of ``windows.series``: (time,) or
        (time, channel). Points that no window covers are NaN.

    Raises:
        ValueError: If ``scores`` does not begin with the shape (window, time) of ``windows``.
    """
    scores = np.asarray(scores, dtype=np.result_type(np.asarray(scores).dtype, np.float32))
    if scores.shape[:2] != windows.x.shape[:2]:
        raise ValueError(
            f"scores must begin with shape (window, time) = {windows.x.shape[:2]}; "
            f"got {scores.shape}."
        )
    stitched = []
    for name in np.unique(windows.series):
        rows = np.flatnonzero(windows.series == name)
        at = windows.start[rows, None] + np.arange(windows.shape[0])
        points, place = np.unique(at, return_inverse=True)
        place = place.reshape(-1)
        flat = scores[rows].reshape(len(place), -1)
        measured = ~np.isnan(flat)
        total = np.zeros((len(points), flat.shape[1]))
        count = np.zeros_like(total)
        np.add.at(total, place, np.where(measured, flat, 0))
        np.add.at(count, place, measured)
        whole = np.full((points[-1] + 1, flat.shape[1]), np.nan, scores.dtype)
        seen = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        whole[points] = seen
        stitched.append(whole.reshape(len(whole), *scores.shape[2:]))
    return stitched


def concatenate(parts: Iterable[Windows]) -> Windows:
    """All windows of all parts, in order; channels and names are those of the first.

    Raises:
        ValueError: If there is no part, or if parts differ in shape or in having labels.
    """
    parts = list(parts)
    if not parts:
        raise ValueError("there is nothing to concatenate; got no windows.")
    if len({part.shape for part in parts}) > 1 or len({part.y is None for part in parts}) > 1:
        raise ValueError(
            "parts must agree in (time, channel) and in having labels; got "
            f"{[(part.shape, part.y is not None) for part in parts]}."
        )
    y = None if parts[0].y is None else np.concatenate([np.asarray(part.y) for part in parts])
    return replace(
        parts[0],
        x=np.concatenate([part.x for part in parts]),
        y=y,
        series=np.concatenate([part.series for part in parts]),
        start=np.concatenate([part.start for part in parts]),
    )


def _by_series(windows: Windows, edges: Array, seed: int) -> list[Array]:
    names = np.unique(windows.series)
    if len(names) < len(edges):
        raise ValueError(
            f"{len(edges)} parts by whole series need at least {len(edges)} series; got "
            f"{len(names)}. Split by='time' instead."
        )
    order = np.random.default_rng(seed).permutation(names)
    # Every part gets at least one series, however small its share.
    cuts = np.round(edges[:-1] * len(names)).astype(int)
    for i in range(len(cuts)):
        low, high = i + 1, len(names) - (len(cuts) - i)
        cuts[i] = np.clip(max(cuts[i], cuts[i - 1] + 1 if i else 1), low, high)
    return [np.flatnonzero(np.isin(windows.series, part)) for part in np.split(order, cuts)]


def _by_time(windows: Windows, edges: Array, gap: int) -> list[Array]:
    end = windows.start + windows.shape[0]
    _, which = np.unique(windows.series, return_inverse=True)
    first = np.full(which.max() + 1, np.iinfo(np.int64).max)
    last = np.zeros_like(first)
    np.minimum.at(first, which, windows.start)
    np.maximum.at(last, which, end)
    chosen, low = [], first[which].astype(float)
    for edge in edges:
        high = first[which] + edge * (last - first)[which]
        chosen.append(np.flatnonzero((windows.start >= low) & (end <= np.ceil(high))))
        low = np.ceil(high) + gap
    return chosen


def _names(names: Sequence[str], count: int) -> tuple[str, ...]:
    names = tuple(names) or tuple(f"c{i}" for i in range(count))
    if len(names) != count:
        raise ValueError(f"{count} channels need {count} names; got {len(names)}: {names}.")
    return names


def _per_window(values: ArrayLike, count: int, what: str) -> Array:
    values = np.asarray(values)
    if values.shape != (count,):
        raise ValueError(f"{what} must have shape ({count},), one per window; got {values.shape}.")
    return values


def _common_dtype(series: Sequence[Series]) -> Any:
    return np.result_type(*[one.values.dtype for one in series])


def _same_kind(series: Sequence[Series]) -> None:
    if not series:
        raise ValueError("there is no series to cut; got an empty list.")
    first = series[0]
    for i, one in enumerate(series):
        if one.channels != first.channels:
            raise ValueError(
                f"all series must have the channels {first.channels}; series {i} ('{one.name}') "
                f"has {one.channels}."
            )
        if (one.label is None) != (first.label is None):
            raise ValueError(
                f"either every series has a label or none; series 0 and series {i} ('{one.name}') "
                "differ."
            )
