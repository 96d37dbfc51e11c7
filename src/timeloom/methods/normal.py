"""What a detector learns from: recordings of any form, parted into training and calibration."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.data.scale import Scaler
from timeloom.data.sets.folder import rows
from timeloom.data.windows import Series, Windows, cut, stitch

__all__ = [
    "Recordings",
    "as_recordings",
    "check_channels",
    "check_length",
    "latest",
    "parted",
    "say_unmeasured",
    "scaler_of",
    "training_windows",
    "without_anomalies",
]

Array = NDArray[Any]
FAINT = 1e-6  # of a channel's level: a spread below this is rounding, and the channel is dead
Recordings = Series | Sequence[Series] | Windows | ArrayLike


def as_recordings(data: Recordings) -> tuple[list[Series], bool]:
    """(recordings, whether a single one was given).

    Args:
        data: A ``Series``, several of them, an array (time, channel) or (time,), or ``Windows``,
            which are put back where they were cut.

    Raises:
        ValueError: If it is none of these, or holds no recording, time point or channel.
    """
    if isinstance(data, Series):
        found, single = [data], True
    elif isinstance(data, Windows):
        found, single = _put_back(data), False
    elif isinstance(data, Sequence) and data and isinstance(data[0], Series):
        found, single = [one for one in data if isinstance(one, Series)], False
    else:
        found, single = [_of_array(np.asarray(data, dtype=np.float64))], True
    for one in found:
        if not all(one.values.shape):
            raise ValueError(
                "a recording must have time points and channels; got shape (time, channel) = "
                f"{one.values.shape}."
            )
    return found, single


def _of_array(values: Array) -> Series:
    if values.ndim not in (1, 2):
        raise ValueError(
            "a recording must be a Series or an array (time, channel); got an array of shape "
            f"{values.shape}. Give windows as timeloom.Windows."
        )
    return Series(values[:, None] if values.ndim == 1 else values)


def _put_back(windows: Windows) -> list[Series]:
    """The recordings that windows were cut from; NaN where no window was."""
    windows = _normal_windows(windows)
    values = stitch(windows.x, windows)
    return [Series(np.asarray(one), channels=windows.channels) for one in values]


def _normal_windows(windows: Windows) -> Windows:
    """Only the windows that are not labelled abnormal."""
    if windows.y is None:
        return windows
    bad = _abnormal(windows.y)
    if bad is None or not bad.any():
        return windows
    if bad.all():
        raise ValueError("every window is labelled abnormal; a detector learns from normal ones.")
    _warn(int(bad.sum()), "windows")
    return windows[np.flatnonzero(~bad)]


def without_anomalies(series: Sequence[Series]) -> list[Series]:
    """Time points that are labelled abnormal become NaN, so that nobody learns them; it is said.

    Raises:
        ValueError: If nothing is left.
    """
    kept, found = [], 0
    for one in series:
        bad = None if one.label is None else _abnormal(np.broadcast_to(one.label, len(one)))
        if bad is None and len(names := np.unique([] if one.label is None else one.label)) == 2:
            warnings.warn(
                "labels must be 0 (normal) and 1 (abnormal) for faults to be left out; got "
                f"{names[0]} and {names[1]}, so every row was trained on.",
                stacklevel=5,
            )
        if bad is not None and bad.any():
            found += int(bad.sum())
            one = replace(one, values=np.where(bad[:, None], np.nan, one.values), label=None)
        kept.append(one)
    if found:
        if all(np.isnan(one.values).all() for one in kept):
            raise ValueError(
                "every time point is labelled abnormal; a detector learns from normal ones."
            )
        _warn(found, "time points")
    return kept


def _warn(count: int, what: str) -> None:
    warnings.warn(
        f"the training data hold {count:,} {what} that are labelled as anomalies; they were left "
        "out, since a detector learns what is normal.",
        stacklevel=6,
    )


def _abnormal(label: Array) -> NDArray[np.bool_] | None:
    """Where a label says so; None where labels are not 0 and 1."""
    label = np.asarray(label)
    if label.dtype == np.bool_:
        return label
    if not np.issubdtype(label.dtype, np.number):
        return None
    return label == 1 if np.isin(label[~np.isnan(label.astype(float))], (0, 1)).all() else None


def check_channels(series: Sequence[Series], channels: tuple[str, ...]) -> None:
    """Refuses recordings that have other channels than the training data had.

    Raises:
        ValueError: If their number or, where both are named, their names or order differ.
    """
    for one in series:
        if len(one.channels) != len(channels):
            raise ValueError(
                f"this detector was trained on {len(channels)} channels ({_some(channels)}); got "
                f"{len(one.channels)} ({_some(one.channels)}). Give the same channels."
            )
        if one.channels != channels and not (_numbered(one.channels) or _numbered(channels)):
            wrong = [
                f"{a!r} instead of {b!r}"
                for a, b in zip(one.channels, channels, strict=True)
                if a != b
            ]
            raise ValueError(
                "channels must have the names and the order of the training data; got "
                f"{wrong[0]}{' and more' if len(wrong) > 1 else ''}. Reorder or rename them."
            )


def say_unmeasured(one: Series) -> None:
    """Warns of channels that a recording does not hold at all, of which nobody learned it."""
    empty = np.all(np.isnan(one.values), axis=0).reshape(-1)
    if empty.any() and not empty.all():
        names = [name for name, own in zip(one.channels, empty, strict=True) if own]
        warnings.warn(
            f"nothing was measured of {', '.join(names[:4])}; the others are judged as if it had "
            "been, and score higher than usual. Fit a detector without it.",
            stacklevel=6,
        )


def check_length(one: Series, window: int) -> None:
    """Refuses a recording that holds no window.

    Raises:
        ValueError: If it is too short.
    """
    if len(one) < window:
        name = f" '{one.name}'" if one.name else ""
        raise ValueError(
            f"a recording must be at least one window long, {window} time points; "
            f"recording{name} has {len(one)}. Give a longer one, or train with shorter windows."
        )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _numbered(names: tuple[str, ...]) -> bool:
    return names == tuple(f"c{i}" for i in range(len(names)))


def parted(
    series: Sequence[Series], share: float, length: int, seed: int
) -> tuple[list[Series], list[Series]]:
    """(those that train, those that calibrate): no time point is in both.

    Of five recordings or more whole ones calibrate, else the end of each, one window apart. What
    is too short for that trains only; the second list may be empty.

    Raises:
        ValueError: If the share is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"held_out must be a share from 0 to below 1; got {share}.")
    if share == 0:
        return list(series), []
    if len(series) >= 5:
        order = np.random.default_rng(seed).permutation(len(series))
        chosen = set(order[: max(1, round(share * len(series)))].tolist())
        sides = [[s for i, s in enumerate(series) if (i in chosen) == own] for own in (False, True)]
        return sides[0], sides[1]
    train, calibrate = [], []
    for one in series:
        at = round(len(one) * (1 - share))
        if at - length < length or len(one) - at < length:
            train.append(one)
            continue
        train.append(rows(one, slice(0, at - length)))
        calibrate.append(rows(one, slice(at, None)))
    return train, calibrate


def latest(series: Sequence[Series], most: int, window: int) -> list[Series]:
    """The newest rows of each recording: of all together about ``most``, of each a window."""
    room = max(most // max(len(series), 1), window)
    return [rows(one, slice(-room, None)) for one in series]


def scaler_of(x: Array) -> Scaler:
    """Standardises windows (window, time, channel); what never moved keeps its own unit."""
    scaler = Scaler().fit(x)
    level = np.maximum(np.abs(scaler.center_), FAINT)
    # It has no other, and still counts once it moves.
    scaler.spread_ = np.where(scaler.spread_ <= FAINT * level, 1.0, scaler.spread_)
    return scaler


def training_windows(series: Sequence[Series], length: int, most: int) -> Windows:
    """At most about ``most`` windows (window, time, channel), evenly spread; empty ones left out.

    Raises:
        ValueError: If no recording has so many time points, or nothing was measured.
    """
    long = [replace(one, label=None) for one in series if len(one) >= length]
    if not long:
        longest = max(len(one) for one in series)
        raise ValueError(
            f"a detector with windows of {length} time points needs a recording at least that "
            f"long; got {longest} at most. Give a longer one, or set window={max(8, longest // 2)}."
        )
    places = sum(len(one) - length + 1 for one in long)
    windows = cut(long, length, max(1, places // most))
    seen = ~np.isnan(windows.x).all(axis=(1, 2))
    if not seen.any():
        raise ValueError("every value of the training data is NaN; nothing was measured.")
    return windows[np.flatnonzero(seen)]
