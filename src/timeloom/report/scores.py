"""Anomaly scores as one offline page: where are the alarms, and which channels are to blame?"""

import base64
import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.data.atomic import atomic
from timeloom.data.windows import Series
from timeloom.metrics.detection.labels import runs

__all__ = ["Alarm", "alarms", "blamed", "events", "stamp", "write_scores_page"]

Array = NDArray[Any]

BYTES = 3_000_000  # of curves in all, before they become text, which takes a third more
DETAIL = 0.25  # share of them for single time points round the worst alarms
COARSEST = 512  # bins of the level that shows a whole recording at once
FACTOR = 4  # from one level to the next
AROUND = 120  # time points before and after an alarm that are kept one by one
LONGEST = 3000  # time points of one such excerpt
RECORDINGS = 100  # on a page
LISTED = 300  # alarms in the table
KNOTS = 1025  # time stamps kept for the axis; between them they are interpolated
SPANS = 2000  # labelled events that are drawn


class Alarm(NamedTuple):
    """An unbroken stretch of time points whose score lies above the threshold.

    Attributes:
        recording: Its position among the series.
        begin: The first time point.
        end: The time point after the last.
        peak: The time point with the highest score.
        score: That score.
        channels: The three channels most to blame, with their shares of the channel scores.
    """

    recording: int
    begin: int
    end: int
    peak: int
    score: float
    channels: tuple[tuple[str, float], ...]


def alarms(
    series: Sequence[Series],
    scores: Sequence[Array],
    channel_scores: Sequence[Array],
    threshold: float,
) -> list[Alarm]:
    """Every alarm, the one with the highest score first.

    Args:
        series: The recordings.
        scores: (time,) for each; higher = more abnormal; NaN is no alarm.
        channel_scores: (time, channel) for each.
        threshold: Scores above it are alarms.
    """
    found = []
    for i, (one, score, blame) in enumerate(zip(series, scores, channel_scores, strict=True)):
        for begin, end in zip(*runs(np.asarray(score) > threshold), strict=True):
            peak = int(begin + np.nanargmax(score[begin:end]))
            guilty = blamed(blame[begin:end], one.channels)
            found.append(Alarm(i, int(begin), int(end), peak, float(score[peak]), guilty))
    return sorted(found, key=lambda alarm: -alarm.score)


def blamed(
    channel_scores: Array, channels: Sequence[str], count: int = 3
) -> tuple[tuple[str, float], ...]:
    """The channels with the highest mean score over a stretch, and their shares of it.

    Args:
        channel_scores: (time, channel); NaN and what is below 0 blame nobody.
        channels: Their names.
        count: How many at most; channels without any score are left out.
    """
    mean = np.nan_to_num(channel_scores, nan=0.0, posinf=1e30).clip(min=0).mean(axis=0)
    total = mean.sum()
    order = np.argsort(-mean, kind="stable")[:count]
    return tuple((str(channels[c]), float(mean[c] / total)) for c in order if mean[c] > 0)


def events(series: Series) -> tuple[Array, Array] | None:
    """Where labelled events begin and end; None where no label says 0 or 1 for each time point."""
    label = series.label
    if label is None or label.ndim != 1 or label.dtype.kind not in "iufb":
        return None
    return runs(label == 1) if np.isin(label, (0, 1)).all() else None


def write_scores_page(
    path: str | PathLike[str],
    series: Sequence[Series],
    scores: Sequence[Array],
    channel_scores: Sequence[Array],
    threshold: float,
    *,
    made: Mapping[str, Any] | None = None,
) -> Path:
    """Writes one self-contained page, whole or not at all.

    However long the recordings are, the page stays at a few megabytes: curves are kept as the
    lowest and the highest value of equal bins, in levels of ever smaller bins, and time point by
    time point round the worst alarms. Without JavaScript the table of alarms is what remains.

    Args:
        path: The page.
        series: The recordings; labels of 0 and 1 are drawn as a strip and used for nothing else.
        scores: (time,) for each; higher = more abnormal.
        channel_scores: (time, channel) for each.
        threshold: Scores above it are alarms.
        made: How it was made: names and plain values.

    Returns:
        The page.

    Raises:
        OSError: If the file cannot be written; nothing half-written is left.
    """
    from jinja2 import Environment, PackageLoader

    found = alarms(series, scores, channel_scores, threshold)
    order = sorted(range(len(series)), key=lambda i: -_highest(scores[i]))[:RECORDINGS]
    places = {i: place for place, i in enumerate(sorted(order))}
    budget = BYTES // max(1, len(places))
    drawn = [
        _recording(
            series[i], scores[i], channel_scores[i], [a for a in found if a.recording == i], budget
        )
        for i in places
    ]
    listed = [a for a in found if a.recording in places][:LISTED]
    pages = Environment(
        loader=PackageLoader("timeloom", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = pages.get_template("scores.html.j2").render(
        facts=_facts(series, scores, found, threshold),
        rows=[_row(a, series[a.recording], places) for a in listed],
        names=[one["name"] for one in drawn],
        more=len(found) - len(listed),
        left_out=len(series) - len(places),
        data=_script({"recordings": drawn, "threshold": _finite(threshold)}),
        labelled=any(one["labels"] for one in drawn),
        made=list((made or {}).items()),
    )
    with atomic(path) as there:
        there.write_text(text, encoding="utf-8")
    return Path(path)


def _recording(
    series: Series, score: Array, blame: Array, found: Sequence[Alarm], budget: int
) -> dict[str, Any]:
    """What the page draws of one recording: curves as text, names and time stamps."""
    values = np.asarray(series.values, dtype=np.float64)
    with np.errstate(all="ignore"):
        low = np.fmin.reduce(values, axis=0, initial=np.inf)
        high = np.fmax.reduce(values, axis=0, initial=-np.inf)
    known = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(known, low, 0.0), np.where(known, high, 0.0)
    curves = _Curves(values, low, high, np.asarray(score), np.asarray(blame))
    time, channels = values.shape
    sizes = _sizes(time, channels, int(budget * (1 - DETAIL)))
    parts = [curves.binned(size) for size in sizes]
    if parts and parts[-1]["size"] > 1:
        parts += curves.excerpts(found, int(budget * DETAIL))
    labels = events(series)
    spans = [] if labels is None else np.stack(labels, axis=1)[:SPANS].tolist()
    return {
        "name": series.name or "recording",
        "length": len(values),
        "channels": list(series.channels),
        "low": low.tolist(),
        "high": high.tolist(),
        "time": _time(series),
        "labels": spans,
        "parts": parts,
    }


class _Curves(NamedTuple):
    values: Array
    low: Array
    high: Array
    score: Array
    blame: Array

    def binned(self, size: int, begin: int = 0, end: int | None = None) -> dict[str, Any]:
        """One level: lowest and highest of every ``size`` time points; single ones where 1."""
        end = len(self.values) if end is None else end
        starts = np.arange(0, end - begin, size)
        values, score = self.values[begin:end], self.score[begin:end].astype(np.float32)
        blame = np.fmax.reduceat(self.blame[begin:end], starts, axis=0)
        edges = [
            [reduce.reduceat(curve, starts, axis=0) for reduce in (np.fmin, np.fmax)]
            for curve in (values, score)
        ]
        kept = slice(0, 1 if size == 1 else 2)
        return {
            "size": size,
            "begin": begin,
            "count": len(starts),
            "values": _text(np.stack([self._levels(edge).T for edge in edges[0][kept]])),
            "blame": _text(_half(blame).T),
            "score": _text(np.stack(edges[1][kept]).astype("<f4")),
        }

    def excerpts(self, found: Sequence[Alarm], budget: int) -> list[dict[str, Any]]:
        """Single time points round the worst alarms, as many as the budget allows."""
        left = budget // (4 * self.values.shape[1] + 4)
        spans: list[tuple[int, int]] = []
        for alarm in found:
            begin, end = alarm.begin - AROUND, alarm.end + AROUND
            if end - begin > LONGEST:
                begin, end = alarm.peak - LONGEST // 2, alarm.peak + LONGEST // 2
            begin, end = max(begin, 0), min(end, len(self.values))
            if any(one <= alarm.peak < other for one, other in spans):
                continue
            left -= end - begin
            if left < 0:
                break
            spans.append((begin, end))
        return [self.binned(1, *span) for span in spans]

    def _levels(self, values: Array) -> Array:
        """Values as whole numbers from 0 to 65,534 over the channel's range; 65,535 is a gap."""
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        level = np.round((values - self.low) / span * 65534)
        return np.where(np.isfinite(level), level, 65535).astype("<u2")


def _sizes(length: int, channels: int, budget: int) -> list[int]:
    """Time points in a bin, level by level, the coarsest first."""
    if not length:
        return []
    size = 1
    while size < length and -(-length // size) * (6 * channels + 8) * 4 / 3 > budget:
        size *= 2
    sizes = [size]
    while -(-length // sizes[-1]) > COARSEST:
        sizes.append(sizes[-1] * FACTOR)
    return sizes[::-1]


def _half(values: Array) -> Array:
    """The upper half of each 32-bit number: two or three digits, of any size."""
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    return (bits >> 16).astype("<u2")


def _text(values: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _script(value: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _time(series: Series) -> dict[str, Any] | None:
    """Time stamps at equal steps, dates as milliseconds; None where there are none."""
    if series.time is None or not len(series):
        return None
    at = np.unique(np.linspace(0, len(series) - 1, min(len(series), KNOTS)).round().astype(int))
    stamps = np.asarray(series.time)[at]
    dates = stamps.dtype.kind == "M"
    if not dates and stamps.dtype.kind not in "iuf":
        return None
    numbers = stamps.astype("datetime64[ms]").astype(np.int64) if dates else stamps
    return {"dates": dates, "at": at.tolist(), "stamps": numbers.tolist()}


def stamp(series: Series, place: int) -> str:
    """A time point as a reader finds it in the data: its time stamp, or its number."""
    if series.time is None:
        return f"{place:,}"
    value = np.asarray(series.time)[place]
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[ms]")).replace("T", " ").removesuffix(".000")
    return f"{value:.12g}" if isinstance(value, np.floating) else str(value)


def _row(alarm: Alarm, series: Series, places: Mapping[int, int]) -> dict[str, Any]:
    return {
        "recording": places[alarm.recording],
        "begin": alarm.begin,
        "end": alarm.end,
        "name": series.name or "recording",
        "from": stamp(series, alarm.begin),
        "to": stamp(series, alarm.end - 1),
        "points": f"{alarm.end - alarm.begin:,}",
        "score": f"{alarm.score:.4g}",
        "channels": ", ".join(f"{name} {share:.0%}" for name, share in alarm.channels) or "–",
    }


def _facts(
    series: Sequence[Series], scores: Sequence[Array], found: Sequence[Alarm], threshold: float
) -> dict[str, Any]:
    """The figures over the page."""
    points = sum(len(one) for one in series)
    highest = max((_highest(one) for one in scores), default=-np.inf)
    above = sum(alarm.end - alarm.begin for alarm in found)
    return {
        "alarms": len(found),
        "points": points,
        "above": above,
        "share": f"{above / max(points, 1):.2%}",
        "recordings": len(series),
        "channels": len(series[0].channels) if series else 0,
        "threshold": f"{threshold:.4g}",
        "highest": f"{highest:.4g}" if np.isfinite(highest) else "–",
        "unscored": sum(int(np.isnan(one).sum()) for one in scores),
    }


def _highest(score: Array) -> float:
    return float(np.fmax.reduce(score, initial=-np.inf))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
