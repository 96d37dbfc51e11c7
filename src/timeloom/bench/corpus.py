"""What may the weights that we ship be trained on? Real sets by licence, and made-up domains."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.bench.market import BORDERS
from timeloom.data.prices import to_log_prices
from timeloom.data.sets import about, find, load_dataset
from timeloom.data.synthetic import domain
from timeloom.data.windows import Series, Windows, cut

__all__ = ["CORPUS", "HELD_OUT", "LEFT_OUT", "LICENCES", "corpus", "digest", "training_series"]

Array = NDArray[Any]

# How a licence begins that lets us ship what was learnt from the data.
LICENCES = (
    *("CC BY 4.0", "CC0 1.0", "MIT", "ODC-BY 1.0", "a work of the US government (public domain)"),
    "Caltech/JPL, in the manner of BSD-3",
)
# The real sets, and the terms of their publishers.
CORPUS = {
    name: about(name).licence
    for name in (
        *("energy_appliances", "asd", "smd", "cmapss_fd001", "nasdaq_5yr", "monash", "nab", "emg"),
        *("msl", "psm_sample"),
    )
}
# What the weights are judged on; none of it, and no other copy of it, may be in the corpus.
HELD_OUT = (*("weather", "ili", "saugeen", "ecg200", "air_quality", "sine", "etth1", "stock_goog"),)
LEFT_OUT = {
    "weather": "evaluation set; no licence stated",
    "ili": "evaluation set",
    "monash/saugeenday": "evaluation set (the river Saugeen); the rest of monash is in",
    "ucr_ecg200": "evaluation set; no licence stated",
    "air_quality": "evaluation set",
    "etth1": "evaluation set; CC BY-ND: nothing derived may be passed on",
    "stock_goog": "evaluation set; quotes that may not be passed on",
    "nasdaq_5yr/GOOG, GOOGL": "the same share as the evaluation set stock_goog",
    "exchange_rate": "no licence stated",
    "ucr_* and uea_*": "no licence stated by the archives",
    "ucr_anomaly": "no licence stated",
    "femto_bearing": "no licence stated",
    "skab": "GPL-3.0 for code and data together",
    "cmapss_fd002": "public domain, yet the same simulator as FD001: kept for tests of transfer",
}
COMPANY = ("GOOG", "GOOGL")  # two papers of the company of stock_goog
RIVER = "saugeenday"
# Where a set has no test part, the last fifth of every recording is left alone.
TRAINS = 0.8
COUNT = 300  # windows of a made-up domain


def corpus(
    lengths: Sequence[int] = (24, 48, 96),
    *,
    domains: int = 150,
    cap: int = 2000,
    seed: int = 0,
    real: bool = True,
) -> dict[str, list[Windows]]:
    """Everything that the shipped weights see, by set.

    Of real sets only training parts: the publishers' (or ours of
    :func:`~timeloom.data.sets.about`), else the first 80 % of every recording. Channels that never
    move in a set and windows in which nothing moves are left out. NaN = not measured.

    Args:
        lengths: Time points per window; a set is cut at each that its recordings reach.
        domains: Made-up sets, ``synthetic-0000`` and on.
        cap: At most so many windows per set and length, evenly spread over the recordings.
        seed: Of the made-up sets. Real sets hold no randomness.
        real: Whether real sets are in; without them no data set needs to be here.

    Returns:
        Per set one ``Windows`` per length, in ascending order, in single precision.

    Raises:
        ValueError: If a real set is not here, naming all that are missing; or if ``lengths``,
            ``domains`` or ``cap`` ask for nothing.
    """
    asked = sorted(set(lengths))
    if not asked or asked[0] < 2 or cap < 1 or domains < 0 or seed < 0:
        raise ValueError(
            "lengths must be numbers of at least 2, cap at least 1, domains and seed at least 0; "
            f"got {tuple(lengths)}, {cap}, {domains} and {seed}."
        )
    if not real and not domains:
        raise ValueError("real=False and domains=0 leave nothing; ask for made-up domains.")
    found: dict[str, list[Windows]] = {}
    for name in _present() if real else ():
        for part, series in training_series(name).items():
            cuts = [_cut(series, length, cap) for length in asked]
            kept = [one for one in cuts if one is not None]
            found |= {part: kept} if kept else {}
    for i in range(domains):
        whole = domain(seed * 1_000_000 + i, count=COUNT, length=asked[-1])
        cuts = [_finished(_pieces(whole, length), cap) for length in asked]
        kept = [one for one in cuts if one is not None]
        found |= {f"synthetic-{i:04}": kept} if kept else {}
    return found


def training_series(name: str) -> dict[str, list[Series]]:
    """The recordings of one real set that train, by the sets that they become.

    A machine, a server, a channel-id of a rover and a series of NAB are each a set of their own, as
    channels mean something else in each. The many short series of one Monash collection are one
    set, each scaled to mean 0 and spread 1, as their levels differ a thousandfold. The companies of
    NASDAQ are one set too: :func:`corpus` makes their windows logarithms relative to the first day.

    Args:
        name: One of ``CORPUS``.

    Returns:
        Recordings of the same channels per set, without labels; no channel is constant.

    Raises:
        ValueError: If ``name`` is not in ``CORPUS``, or the set is not here.
    """
    if name not in CORPUS:
        raise ValueError(
            f"name must be one of {', '.join(CORPUS)}; got {name!r}"
            + (f", which is left out: {LEFT_OUT[name]}." if name in LEFT_OUT else ".")
        )
    options = {"test_from": BORDERS[0]} if name == "nasdaq_5yr" else {}
    loaded = load_dataset(name, **options)
    halves = isinstance(loaded, tuple)
    series = loaded[0] if halves else [_first(one) for one in loaded]
    sets: dict[str, list[Series]] = {}
    for one in series:
        part = _set_of(name, one.name)
        if part is not None:
            sets.setdefault(part, []).append(replace(one, label=None))
    if name == "monash":
        sets = {part: [_scaled(one) for one in many] for part, many in sets.items()}
    moving = {part: _moving(many) for part, many in sets.items()}
    return {part: many for part, many in moving.items() if many}


def digest(corpus: Mapping[str, Sequence[Windows]]) -> str:
    """The sha256 of all windows of all sets, names and order included.

    Made-up windows may differ in their last bits between machines with other linear algebra, and
    the digest with them.
    """
    total = hashlib.sha256()
    for name, cuts in corpus.items():
        for windows in cuts:
            total.update(repr((name, windows.x.shape, windows.channels)).encode())
            total.update(np.ascontiguousarray(windows.x, dtype="<f4").tobytes())
    return total.hexdigest()


def _present() -> Iterable[str]:
    missing = []
    for name in CORPUS:
        try:
            find(name)
        except ValueError:
            missing.append(name)
    if missing:
        raise ValueError(
            f"the corpus needs the sets {', '.join(CORPUS)}; {', '.join(missing)} cannot be found. "
            "Let $TIMELOOM_DATA name the folder that holds them, or pass real=False for made-up "
            "domains alone."
        )
    return CORPUS


def _first(one: Series) -> Series:
    end = int(TRAINS * len(one))
    time = None if one.time is None else one.time[:end]
    return replace(one, values=one.values[:end], label=None, time=time)


def _set_of(name: str, recording: str) -> str | None:
    """The set that a recording goes into; None: none, as it is held out."""
    if name in ("asd", "smd", "msl"):
        return f"{name}-{recording}"
    if name == "nab":
        return f"nab-{recording.rpartition('/')[2].removesuffix('.csv')}"
    if name == "monash":
        collection = recording.partition("/")[0]
        return None if collection == RIVER else f"monash-{collection}"
    return None if name == "nasdaq_5yr" and recording in COMPANY else name


def _scaled(one: Series) -> Series:
    spread = float(np.nanstd(one.values))
    values = (one.values - np.nanmean(one.values)) / (spread if spread > 0 else 1.0)
    return replace(one, values=values)


def _moving(series: list[Series]) -> list[Series]:
    """The recordings without the channels that are the same at every time point of all of them."""
    low = np.nanmin([np.nanmin(one.values, axis=0) for one in series], axis=0)
    high = np.nanmax([np.nanmax(one.values, axis=0) for one in series], axis=0)
    at = np.flatnonzero(high > low)
    names = tuple(series[0].channels[i] for i in at)
    return [replace(one, values=one.values[:, at], channels=names) for one in series if len(at)]


def _cut(series: list[Series], length: int, cap: int) -> Windows | None:
    """At most ``cap`` windows, evenly over the recordings that are long enough; None: no window."""
    enough = [one for one in series if len(one) >= length]
    if not enough:
        return None
    starts = sum(len(one) - length + 1 for one in enough)
    windows = cut(enough, length, max(1, -(-starts // cap)))
    if "close" in windows.channels:
        close = windows.channels.index("close")
        windows = to_log_prices(windows[~np.isnan(windows.x[:, 0, close])])[0]
    return _finished(windows, cap)


def _pieces(windows: Windows, length: int) -> Windows:
    """Windows cut into as many shorter ones as fit side by side."""
    count, whole, channels = windows.x.shape
    fit = whole // length
    x = windows.x[:, : fit * length].reshape(count * fit, length, channels)
    start = np.tile(np.arange(fit) * length, count)
    return Windows(x, None, np.repeat(np.arange(count), fit), start, windows.channels)


def _finished(windows: Windows, cap: int) -> Windows | None:
    """In single precision, without windows in which nothing moves, thinned evenly to ``cap``."""
    x = windows.x.astype(np.float32)
    rows = np.flatnonzero((x[:, 1:] != x[:, :-1]).any(axis=(1, 2)) & ~np.isnan(x).all(axis=(1, 2)))
    if not len(rows):
        return None
    if len(rows) > cap:
        rows = rows[np.linspace(0, len(rows) - 1, cap).astype(int)]
    return replace(windows, x=x)[rows]
