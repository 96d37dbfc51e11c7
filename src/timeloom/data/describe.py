"""What recordings hold: how many, how long, which channels and labels, and what is wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.description import Channel, Description, Labels, Times
from timeloom.data.windows import Series

__all__ = ["describe", "label_kind"]

MOST_CLASSES = 20  # whole numbers that take more values than this are a quantity
RARE = 10  # a class with fewer examples can hardly be learned, split and tested
SHORT = 10  # time points
GAP = 1.5  # times the usual step


def describe(series: Sequence[Series]) -> Description:
    """Says what recordings hold and what is wrong with them; changes nothing.

    Args:
        series: Recordings with the same channels, as :func:`timeloom.data.read` gives them.

    Returns:
        Counts, ranges and a sentence for each problem.

    Raises:
        ValueError: If there is no series, or if the channels differ between series.
    """
    series = list(series)
    if not series:
        raise ValueError("there is no series to describe; got an empty list.")
    for i, one in enumerate(series):
        if one.channels != series[0].channels:
            raise ValueError(
                f"all series must have the channels {series[0].channels}; series {i} "
                f"('{one.name}') has {one.channels}."
            )
    lengths = np.array([len(one) for one in series])
    channels = _channels(series)
    labels, times = _labels(series), _times(series)
    shape = (int(lengths.min()), float(np.median(lengths)), int(lengths.max()))
    problems = [*_channel_problems(channels), *_length_problems(series, shape)]
    problems += [*_label_problems(labels), *_time_problems(times)]
    total = int(lengths.sum())
    return Description(len(series), total, shape, channels, labels, times, tuple(problems))


def label_kind(labels: Any) -> str | None:
    """Whether labels are classes or values of a quantity.

    Args:
        labels: An array of labels, or None. NaN and '' count as missing.

    Returns:
        None without labels; ``"class"`` for text, booleans and at most 20 different whole
        numbers; ``"value"`` for all other numbers.
    """
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iuf":
        return "class"
    present = labels[~np.isnan(labels)] if labels.dtype.kind == "f" else labels
    whole = bool((present == np.round(present)).all())
    return "class" if whole and len(np.unique(present)) <= MOST_CLASSES else "value"


def _channels(series: list[Series]) -> tuple[Channel, ...]:
    found = []
    for c, name in enumerate(series[0].channels):
        values = np.concatenate([one.values[:, c] for one in series]).astype(np.float64)
        finite = values[np.isfinite(values)]
        low, mean, high = (
            (float(finite.min()), float(finite.mean()), float(finite.max()))
            if len(finite)
            else (np.nan, np.nan, np.nan)
        )
        infinite = int(np.isinf(values).sum())
        missing = float(np.isnan(values).mean()) if len(values) else 1.0
        constant = len(finite) > 0 and not infinite and low == high
        found.append(Channel(name, low, mean, high, missing, infinite, constant))
    return tuple(found)


def _labels(series: list[Series]) -> Labels | None:
    given = [np.broadcast_to(one.label, len(one)) for one in series if one.label is not None]
    if not given:
        return None
    every = np.concatenate(given)
    blank = _blank(every)
    missing = int(blank.sum()) + sum(len(one) for one in series if one.label is None)
    name, kind = series[0].label_name, label_kind(every)
    present = every[~blank]
    if kind == "value":
        return Labels(name, "value", (), "time points", *_ends(present), missing)
    counted, single = "time points", all((one == one[0]).all() for one in given if len(one))
    if single:
        counted = "series"
        present = np.array([one[0] for one in given if len(one) and not _blank(one[:1])[0]])
    names, counts = np.unique(present, return_counts=True)
    classes = tuple((_short(n), int(count)) for n, count in zip(names, counts, strict=True))
    return Labels(name, "class", classes, counted, None, None, missing)


def _ends(values: NDArray[Any]) -> tuple[float | None, float | None]:
    return (float(values.min()), float(values.max())) if len(values) else (None, None)


def _blank(labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.dtype.kind == "f":
        return np.isnan(labels)
    if labels.dtype.kind in "iub":
        return np.zeros(labels.shape, dtype=bool)
    return np.array([str(label) in ("", "nan", "None") for label in labels], dtype=bool)


def _times(series: list[Series]) -> Times | None:
    steps = [np.diff(one.time) for one in series if one.time is not None and one.time.ndim]
    if not steps or not sum(len(step) for step in steps):
        return None
    every = np.concatenate(steps)
    zero = np.zeros(1, every.dtype)[0]
    ahead = every[every > zero]
    usual, longest = (np.median(ahead), ahead.max()) if len(ahead) else (zero, zero)
    return Times(
        step=_span(usual),
        gaps=int((every > GAP * usual).sum()),
        longest=_span(longest),
        duplicates=int((every == zero).sum()),
        backwards=int((every < zero).sum()),
    )


def _span(step: Any) -> str:
    """A length of time in words: 3600 s is '1 hour'."""
    if not isinstance(step, np.timedelta64):
        return f"{float(step):g}"
    seconds = float(step / np.timedelta64(1, "s"))
    units = (("day", 86400), ("hour", 3600), ("minute", 60))
    unit, size = next((one for one in units if seconds >= one[1]), ("second", 1))
    return f"{seconds / size:g} {unit}" + "s" * (seconds != size)


def _short(label: Any) -> str:
    return f"{label:g}" if isinstance(label, (float, np.floating)) else str(label)


def _channel_problems(channels: Sequence[Channel]) -> list[str]:
    problems = []
    for one in channels:
        if np.isnan(one.low) and not one.infinite:
            problems.append(f"channel '{one.name}' holds no measured value; leave it out.")
        if one.infinite:
            problems.append(
                f"channel '{one.name}' holds {one.infinite} infinite values; leave those cells "
                "empty."
            )
        if one.constant:
            problems.append(
                f"channel '{one.name}' is always {one.low:g}: there is nothing to learn in it, so "
                "it may be left out."
            )
        if one.missing > 0.5 and not np.isnan(one.low):
            problems.append(
                f"channel '{one.name}' was not measured at {one.missing:.0%} of the time points; "
                "check it or leave it out."
            )
    return problems


def _length_problems(series: list[Series], lengths: tuple[int, float, int]) -> list[str]:
    problems = []
    if len(series) == 1:
        problems.append(
            "there is only one series: training and test windows can then be told apart by time "
            "alone. Name the column that tells the series apart, if there is one."
        )
    bound = max(SHORT, lengths[1] / 2)
    short = [one for one in series if len(one) < bound]
    if short:
        least = min(short, key=len)
        many = f"{len(short)} series are" if len(short) > 1 else "1 series is"
        problems.append(
            f"{many} shorter than {bound:g} time points (the shortest, '{least.name}', has "
            f"{len(least)}); ask for windows that fit, or leave out the short series."
        )
    return problems


def _label_problems(labels: Labels | None) -> list[str]:
    if labels is None:
        return []
    problems = []
    if labels.missing:
        problems.append(
            f"the label '{labels.name}' is missing at {labels.missing} time points; fill it or "
            "leave those series out before fitting on it."
        )
    rare = [f"'{name}' ({count})" for name, count in labels.classes if count < RARE]
    if rare:
        problems.append(
            f"fewer than {RARE} {labels.counted} for the class {', '.join(rare)}; record more, or "
            "expect no honest test of it."
        )
    if labels.kind == "class" and len(labels.classes) == 1:
        problems.append(f"the label '{labels.name}' has one class only; it tells nothing apart.")
    return problems


def _time_problems(times: Times | None) -> list[str]:
    if times is None:
        return []
    problems = []
    if times.duplicates:
        problems.append(f"{times.duplicates} time stamps are double; keep one row for each.")
    if times.backwards:
        problems.append(f"{times.backwards} time stamps go back; sort the rows by time.")
    if times.gaps:
        problems.append(
            f"{times.gaps} steps in time are longer than the usual {times.step} (the longest is "
            f"{times.longest}); windows run across them unless the series is split there."
        )
    return problems
