"""From windows to what a network can take: checked, parted, and without a gap."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from timeloom.data.windows import Windows, split
from timeloom.diffusion.draws import Draws
from timeloom.diffusion.noise import BetaSchedule, CosineSchedule, KarrasSchedule, Schedule

__all__ = [
    "bridge",
    "check_fit",
    "check_ranges",
    "given_points",
    "hold_out",
    "leading_spread",
    "one_of",
    "schedule_of",
    "whole_numbers",
]

Array = NDArray[Any]


def check_fit(windows: Windows, *, keep_constant: bool = False) -> None:
    """Refuses windows that nothing can be learned from.

    Raises:
        ValueError: If there is one window only, windows have no channel, a value is infinite, or a
            channel is all NaN or constant.
    """
    if len(windows) < 2:
        raise ValueError(
            f"fitting needs at least 2 windows; got {len(windows)}. Give longer series, shorter "
            "windows or a smaller stride."
        )
    if not all(windows.shape):
        raise ValueError(
            "windows must have at least 1 time point and 1 channel; got shape (time, channel) = "
            f"{windows.shape}."
        )
    flat = windows.x.reshape(-1, windows.shape[1])
    for c, name in enumerate(windows.channels):
        column = flat[:, c]
        if np.isinf(column).any():
            raise ValueError(
                f"every value must be finite or NaN; channel '{name}' holds inf. Replace it by NaN."
            )
        measured = column[~np.isnan(column)]
        if not len(measured):
            raise ValueError(
                f"every channel needs measured values; channel '{name}' is NaN in all "
                f"{len(windows)} windows. Leave it out of the channels."
            )
        if measured.min() == measured.max() and not keep_constant:
            raise ValueError(
                f"every channel must vary; channel '{name}' is always {measured[0]:g}. Leave it "
                "out of the channels, or set keep_constant=true to get it back as it is."
            )


def given_points(shape: torch.Size, share: float, rng: Draws) -> Tensor:
    """Which points are given in training, (window, channel, time), 1 where they are.

    None in 1 - ``share`` of the windows. Of the others half know a stretch at the start or at the
    end in all channels (to forecast and to go on), a quarter scattered points, a quarter all but a
    block in some of the channels.
    """
    count, channels, time = shape
    u = rng.uniform((count, 5))
    at = torch.arange(time)
    edge = (u[:, 1] * time).floor()[:, None]
    stretch = torch.where(u[:, 2, None] < 0.7, at < edge, at >= edge)[:, None].expand(shape)
    scattered = rng.uniform(shape) < u[:, 1, None, None]
    length = 1 + (u[:, 3] * (time - 1)).floor()[:, None]
    block = (at >= edge) & (at < edge + length)
    some = rng.uniform((count, channels)) < 0.5
    around = ~(block[:, None] & some[:, :, None])
    kind = u[:, 0, None, None] / max(share, 1e-9)
    known = torch.where(kind < 0.5, stretch, torch.where(kind < 0.75, scattered, around))
    return (known & (kind < 1)).to(torch.float32)


def hold_out(windows: Windows, share: float, seed: int) -> tuple[Windows, Windows | None]:
    """Sets aside a share of the training windows to choose weights by: (kept, held out).

    Whole series are set aside where there are at least five, else the end of each series;
    nothing where neither leaves both parts a window.

    Raises:
        ValueError: If the share is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"held_out must be a share from 0 to below 1; got {share}.")
    if share == 0:
        return windows, None
    by = "series" if len(np.unique(windows.series)) >= 5 else "time"
    try:
        kept, held_out = split(windows, 1 - share, share, by=by, seed=seed)
    except ValueError:  # too little of it: every window is then trained on
        return windows, None
    return kept, held_out


def bridge(x: Array) -> Array:
    """Fills NaN in (window, time, channel) by straight lines in time, ends by their neighbour.

    A channel with no value in a window becomes 0, the mean of scaled data. What is filled is for
    the network's eyes only: the loss leaves it out.
    """
    hole = np.isnan(x)
    if not hole.any():
        return x
    time = np.broadcast_to(np.arange(x.shape[1])[None, :, None], x.shape)
    before = np.maximum.accumulate(np.where(hole, -1, time), axis=1)
    after = np.minimum.accumulate(np.where(hole, x.shape[1], time)[:, ::-1], axis=1)[:, ::-1]
    left = np.where(before >= 0, before, after).clip(max=x.shape[1] - 1)
    right = np.where(after < x.shape[1], after, before).clip(min=0)
    low, high = (np.take_along_axis(x, at, axis=1) for at in (left, right))
    share = (time - left) / np.maximum(right - left, 1)
    return np.where(hole, np.nan_to_num(low + (high - low) * share), x).astype(x.dtype)


def leading_spread(x: Array) -> float:
    """The largest standard deviation of windows along any direction; 1 for white noise.

    Noise has to drown this direction before sampling may start from noise alone. Found by power
    iteration on at most 2,000 windows.
    """
    x = x[:: max(1, len(x) // 2000)]
    flat = np.nan_to_num(x).reshape(len(x), -1).astype(np.float64)
    flat = flat - flat.mean(axis=0)
    direction = flat[np.argmax(np.square(flat).sum(axis=1))]
    for _ in range(30):
        norm = np.linalg.norm(direction)
        if norm == 0:
            return 0.0
        direction = flat.T @ (flat @ (direction / norm)) / len(flat)
    return float(np.sqrt(np.linalg.norm(direction)))


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuses a setting that is not one of the choices.

    Raises:
        ValueError: If it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")


def schedule_of(settings: dict[str, Any], high: float) -> Schedule:
    """The noise schedule that a method's settings name; ``high`` is the largest level sampled at.

    Raises:
        ValueError: If there is no such schedule.
    """
    kind = settings["schedule"]
    one_of("schedule", kind, ("karras", "cosine", "linear"))
    if kind == "cosine":
        return CosineSchedule(settings["diffusion_steps"])
    if kind == "linear":
        return BetaSchedule(*(settings[k] for k in ("diffusion_steps", "beta_first", "beta_last")))
    mean, spread = settings["level_mean"], settings["level_spread"]
    return KarrasSchedule(high=high, rho=settings["level_rho"], mean=mean, spread=spread)


# Lowest and highest value of settings that are numbers; an "open" end is itself not allowed.
RANGES: dict[str, tuple[float, float, str]] = {
    "drop": (0, 1, "high open"),
    "mmd_weight": (0, 1, "both open"),
    "mmd_gate": (0, 1, "low open"),
    "mmd_bandwidth": (0, np.inf, "both open"),
    "level_spread": (0, np.inf, "both open"),
    "level_high": (0, np.inf, "both open"),
    "diffusion_steps": (2, np.inf, "high open"),
    "beta_first": (0, 1, "both open"),
    "beta_last": (0, 1, "both open"),
    "width": (1, np.inf, "high open"),
    "sample_steps": (1, np.inf, "high open"),
    "whitening": (0, 1, ""),
    "token_width": (1, np.inf, "high open"),
    "token_drop": (0, 1, ""),
    "most": (1, np.inf, "high open"),
    "known": (0, 1, ""),
    "level_low": (0, np.inf, "both open"),
    "data_spread": (0, np.inf, "both open"),
    "balance": (0, np.inf, "high open"),
    "rank": (0, np.inf, "high open"),
    "hop": (1, np.inf, "high open"),
    "block": (1, np.inf, "high open"),
    "anchor": (0, np.inf, "both open"),
    "share": (0, 1, ""),
    "steps": (1, np.inf, "high open"),
    "layers": (1, np.inf, "high open"),
}


def check_ranges(settings: dict[str, Any]) -> None:
    """Refuses a number outside what it may be.

    Raises:
        ValueError: If one is.
    """
    for name, (low, high, ends) in RANGES.items():
        value = settings.get(name)
        if value is None:
            continue
        low_open, high_open = ends in ("low open", "both open"), ends in ("high open", "both open")
        below = value <= low if low_open else value < low
        above = value >= high if high_open else value > high
        if below or above or np.isnan(value):
            least = f"{'above' if low_open else 'at least'} {low:g}"
            most = "" if np.isinf(high) else f" and {'below' if high_open else 'at most'} {high:g}"
            raise ValueError(f"{name} must be {least}{most}; got {value}.")


def whole_numbers(name: str, text: str) -> list[int]:
    """``"1,2,2"`` as [1, 2, 2].

    Raises:
        ValueError: If a part is no whole number above 0.
    """
    parts = [part.strip() for part in str(text).split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(
            f"{name} must be whole numbers above 0 with commas, such as 1,2,2; got {text!r}."
        )
    return [int(part) for part in parts]
