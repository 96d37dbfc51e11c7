"""The page on the tokens of the few-shot generator, and their map as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

import timeloom
from timeloom.bench.page import save_page
from timeloom.bench.paired_page import difference
from timeloom.bench.token_parts import (
    ADAPTED,
    FLOOR,
    GAUSSIAN,
    KINDS,
    PERMUTED,
    SWAPS,
    source_of,
)
from timeloom.data.atomic import atomic
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown

__all__ = ["token_map", "write_token_page"]

WIDTH, HEIGHT, MARGIN, LEGEND = 760, 520, 24, 150
COLOURS = (
    *("#4c83c3", "#e8743b", "#14804a", "#7a4fb0", "#b3261e", "#8f5a00", "#0f8b8d", "#d1458f"),
    *("#566271", "#9aa516"),
)
SHAPES = 3  # circle, square, diamond in turn, so that colour is not all that tells
FIGURES = {
    "two_sample_auc": "two-sample AUC (lower is better, 0.5 is best)",
    "correlation_error": "error of correlations (lower is better)",
    "spread_error": "error of spreads, logarithm (lower is better)",
    "cpu_seconds": "CPU seconds, adapting and 200 windows",
}
ARMS = (FLOOR, GAUSSIAN, ADAPTED, PERMUTED, "dynamic", "padded")

Values = dict[str, dict[int, float]]  # data -> seed -> value


def write_token_page(path: Path, planned: Sequence[tuple[str, str, int]] = ()) -> Path:
    """Writes the page and, where tokens were mapped, the picture beside the records.

    Args:
        path: The records; the page ends in ``.md``, the picture in ``.svg``.
        planned: (data, method, seed) of every cell, to stand beside what was run.

    Returns:
        Where the page is.
    """
    records = read_records(path)
    quick = " --quick" if path.stem.endswith("quick") else ""
    lines = [
        f"# {path.stem}\n\nMade by `timeloom bench tokens{quick}` from `{path.name}` (timeloom "
        f"{timeloom.__version__}), with the weights that ship; variants with `--runs FOLDER`. Mean "
        "± standard deviation over seeds; windows of 24 time points.\n"
    ]
    for section in (_map, _swaps, _paths, _wide):
        lines += section(records)
    lines += _progress(records, planned)
    if _of(records, f"map: {KINDS[0]}", "plane"):
        picture = path.with_suffix(".svg")
        with atomic(picture) as there:
            there.write_text(_picture(records), encoding="utf-8")
        lines.insert(
            1, f"![The tokens of all real sets on their principal plane]({picture.name})\n"
        )
    return save_page(path, "\n".join(lines) + "\n")


def _progress(records: Sequence[Record], planned: Sequence[tuple[str, str, int]]) -> Iterator[str]:
    there = {(one.data, one.method, *one.seeds) for one in records}
    kinds = list(dict.fromkeys(data.partition(":")[0] for data, *_ in planned))
    cells = {kind: [one for one in planned if one[0].startswith(f"{kind}:")] for kind in kinds}
    if kinds:
        yield "## The plan beside what was run\n"
        yield markdown(
            [
                {"part": kind, "cells": len(own), "measured": sum(one in there for one in own)}
                for kind, own in cells.items()
            ]
        )


def _of(records: Sequence[Record], data: str, metric: str) -> list[Record]:
    return [r for r in records if r.data == data and r.metric == metric and r.value is not None]


def _values(records: Sequence[Record], kind: str, metric: str, method: str) -> Values:
    found: Values = {}
    for one in records:
        if one.data.startswith(kind) and (one.metric, one.method) == (metric, method):
            if one.value is not None:
                found.setdefault(one.data.removeprefix(kind), {})[one.seeds[0]] = one.value
    return found


def _map(records: Sequence[Record]) -> Iterator[str]:
    rows, above = [], []
    for kind in KINDS:
        plain = _of(records, f"map: {kind}", "same_source")
        within = _of(records, f"map: {kind}", "same_source_and_width")
        if plain and within:
            one, other = plain[0], within[0]
            rows.append(
                {
                    "tokens as points": kind,
                    "nearest is of the same source": f"{one.value:.0%}",
                    "by chance": _chance(one),
                    "p": one.settings["p"],
                    "by chance, one channel and several apart": _chance(other),
                    "p ": other.settings["p"],
                }
            )
            if other.settings["p"] < 0.05:
                above.append(kind)
    if not rows:
        return
    yield "## Do sets of one source have near tokens?\n"
    yield (
        "Share of the sets whose nearest other token is of the same source; chance shuffles the "
        "sources (95 % of the shuffles in brackets), in the last columns only among sets of one "
        "channel and among those of several, since a description says how many components there "
        "are. Sets that are alone in their source are neighbours only. A token is the sum of a "
        "learned part, which begins at 0, and a linear function of the set's spectra. "
        f"{_told(above)}\n"
    )
    yield markdown(rows)


def _told(above: Sequence[str]) -> str:
    if "learned part" in above:
        return (
            "Yes, also for what is learned per set, and beyond one channel or several; finer "
            "differences of their numbers of channels, which go with the source, may have a part."
        )
    if above:
        return (
            f"Beyond one channel or several this holds for {' and '.join(above)} alone: what is "
            "learned per set is the memory of this set."
        )
    return "No: beyond one channel or several nothing can be told from chance."


def _chance(one: Record) -> str:
    return f"{one.settings['chance']:.0%} [{one.low:.0%}, {one.high:.0%}]"


def _swaps(records: Sequence[Record]) -> Iterator[str]:
    arms = {arm: _values(records, "swap: ", "loss", arm) for arm in SWAPS}
    sources = list(dict.fromkeys(map(source_of, arms[SWAPS[0]])))
    if not sources:
        return
    levels, words = [], []
    for source in sources:
        names = [name for name in arms[SWAPS[0]] if source_of(name) == source]
        row: dict[str, Any] = {"source": source, "sets": len(names)}
        levels.append(row | {arm: _mean(arms[arm], names) for arm in SWAPS})
    rows = [_swap(arms, arm, source) for source in ("all", *sources) for arm in SWAPS[1:]]
    for arm in SWAPS[1:]:
        low, high = difference(_logs(arms[arm]), _logs(arms[SWAPS[0]])).sets
        sure = "helps" if low > 0 else "harms" if high < 0 else "cannot be told"
        words.append(f"against {arm} {sure}")
    yield "## Whose token helps?\n"
    yield (
        "Denoising loss of windows of the test parts, which were not trained on (the first that "
        "lie side by side, without labelled incidents), in the coordinates of their own set, told "
        "its own token, that of a sibling of the same source, that of a set of another source "
        "(another one in every seed), or the description without the learned part; the same noise "
        "for all. Geometric means over sets: where test values leave the range of training a loss "
        "is a hundred times that of other sets, and alone would decide the plain mean difference, "
        "which stands last and was looked at first. The own token, over all sets, by the interval "
        "over other sets: "
        f"{'; '.join(words)}.\n"
    )
    yield markdown(levels)
    yield markdown(rows)


def _swap(arms: Mapping[str, Values], arm: str, source: str) -> dict[str, Any]:
    """How much worse another token is than the own one, on the sets of a source."""
    own = {n: v for n, v in arms[SWAPS[0]].items() if source in ("all", source_of(n))}
    rival = {name: arms[arm][name] for name in own}
    found = difference(_logs(rival), _logs(own))
    apart = [np.mean(list(rival[n].values())) - np.mean(list(own[n].values())) for n in own]
    return {
        "sources": source,
        "token": arm,
        "loss beyond own": _percent(found.mean),
        "95 %, other noise": f"{_percent(found.seeds[0])} to {_percent(found.seeds[1])}",
        "95 %, other sets too": f"{_percent(found.sets[0])} to {_percent(found.sets[1])}",
        "own is better in": f"{sum(bool(one > 0) for one in apart)} of {len(apart)} sets",
        "plain difference": f"{np.mean(apart):+.4f}",
    }


def _logs(values: Values) -> Values:
    return {name: {k: float(np.log(v)) for k, v in one.items()} for name, one in values.items()}


def _percent(log: float) -> str:
    return f"{np.expm1(log):+.1%}"


def _mean(values: Values, names: Sequence[str]) -> list[float]:
    """One number per seed: the geometric mean over sets, of the seeds that all have."""
    logs = _logs({name: values[name] for name in names})
    seeds = set.intersection(*map(set, logs.values()))
    return [float(np.exp(np.mean([one[k] for one in logs.values()]))) for k in sorted(seeds)]


def _paths(records: Sequence[Record]) -> Iterator[str]:
    moved = _values(records, "path: ", "moved", "full")
    if not moved:
        return
    rows = []
    for name in moved:
        columns = {
            metric: _values(records, "path: ", metric, "full")[name]
            for metric in ("typical", "drift", "nearest_before", "nearest_after")
        }
        share = {
            metric: [one[k] / columns["typical"][k] for k in sorted(one)]
            for metric, one in (("moved", moved[name]), *columns.items())
        }
        own = _of(records, f"path: {name}", "moved")
        rows.append(
            {
                "new set": name,
                "moved": share["moved"],
                "tokens of known sets moved": share["drift"],
                "nearest before": share["nearest_before"],
                "nearest after": share["nearest_after"],
                "which before": ", ".join(dict.fromkeys(r.settings["before"][0] for r in own)),
                "which after": ", ".join(dict.fromkeys(r.settings["after"][0] for r in own)),
            }
        )
    yield "## Where does the token of a new set go?\n"
    yield (
        "25 random windows, all weights adapted. Distances in units of the median distance of two "
        "known tokens, and to the known tokens as they were; before, the token is the description "
        "alone. The tokens of known sets move too, as the layer that describes is shared. Names: "
        f"the nearest known set in each seed. {_settled(records, rows)}\n"
    )
    yield markdown(rows)


def _settled(records: Sequence[Record], rows: Sequence[Mapping[str, Any]]) -> str:
    """Where the new tokens ended, in words made from the table."""
    columns = ("moved", "tokens of known sets moved", "nearest before", "nearest after")
    moved, drift, before, after = (
        float(np.mean([np.mean(row[c]) for row in rows])) for c in columns
    )
    told = (
        f"On average the new token moves {moved:.2f}, known ones {drift:.2f}"
        + (": it goes no further than all tokens do" if moved <= 1.25 * drift else "")
        + f". The nearest known one is {before:.2f} away before and {after:.2f} after"
    )
    near = _of(records, f"map: {KINDS[0]}", "neighbour")
    return told + (f"; a known token has its nearest at {near[0].value:.2f}." if near else ".")


def _wide(records: Sequence[Record]) -> Iterator[str]:
    names = list(_values(records, "wide: ", "two_sample_auc", FLOOR))
    if not names:
        return
    yield "## Many channels\n"
    yield (
        "The test parts of the SMD machines side by side, the first so many channels that move; 36 "
        "is the most that any set of the corpus has. 50 windows, 100 steps at low rank, 200 "
        "windows made and as many held out, from other blocks of time; incidents are in on all "
        "sides. Floor: other real windows of the blocks of the few. Gaussian: the law of "
        "the same coordinates without a network, also what these weights leave the components "
        "from the 33rd on to. Permuted: adapted with the channels in a random order. Padded, by "
        "its code: components beyond its 32 raise no error; the network puts out 0 for them and "
        "their spreads must be wrong. "
        f"{_wide_told(records, names)}\n"
    )
    for metric, title in FIGURES.items():
        arms = {arm: _values(records, "wide: ", metric, arm) for arm in ARMS}
        rows = [
            {"": name} | {arm: _cell(own.get(name)) for arm, own in arms.items() if own}
            for name in names
            if any(name in own for own in arms.values())
        ]
        if rows:
            yield f"### {title[0].upper()}{title[1:]}\n"
            yield markdown(rows)


def _wide_told(records: Sequence[Record], names: Sequence[str]) -> str:
    arms = {arm: _values(records, "wide: ", "two_sample_auc", arm) for arm in ARMS}
    told = []
    for name in names:
        one, other = arms[ADAPTED].get(name), arms[GAUSSIAN].get(name)
        if one and other:
            gain = np.mean(list(one.values())) - np.mean(list(other.values()))
            told.append(f"{gain:+.3f} at {name}")
    both = [name for name in arms[PERMUTED] if name in arms[ADAPTED]]
    apart = [
        abs(arms[PERMUTED][name][seed] - arms[ADAPTED][name][seed])
        for name in both
        for seed in arms[PERMUTED][name].keys() & arms[ADAPTED][name].keys()
    ]
    order = (
        f" Another order of channels moves the AUC by {max(apart):.3f} at most." if apart else ""
    )
    return (f"AUC of adapted minus Gaussian: {', '.join(told)}." if told else "") + order


def _cell(values: Mapping[int, float] | None) -> list[float] | None:
    return None if values is None else [values[seed] for seed in sorted(values)]


def _picture(records: Sequence[Record]) -> str:
    one = _of(records, f"map: {KINDS[0]}", "plane")[0]
    ways = {
        record.data.removeprefix("path: "): record.settings["places"]
        for record in records
        if record.data.startswith("path: ") and record.metric == "moved" and record.seeds[0] == 0
    }
    return token_map(one.settings["places"], ways, one.value or 0.0)


def token_map(
    places: Mapping[str, Sequence[float]],
    ways: Mapping[str, Sequence[Sequence[float]]],
    explained: float,
) -> str:
    """A picture of tokens on their principal plane, as an SVG that needs nothing else.

    Args:
        places: Name of a set -> (x, y).
        ways: Name of a new set -> where its token was before and after adapting.
        explained: Share of the variance on the plane.
    """
    ends = [tuple(end) for way in ways.values() for end in way]
    spots = np.array([*places.values(), *ends], dtype=np.float64)
    low, high = spots.min(axis=0), spots.max(axis=0)
    room = np.array([WIDTH - LEGEND - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scale = float((room / np.maximum(high - low, 1e-9)).min())

    def at(spot: Sequence[float]) -> tuple[float, float]:
        x, y = (np.asarray(spot) - low) * scale + MARGIN
        return round(float(x), 1), round(float(HEIGHT - y), 1)

    sources = list(dict.fromkeys(map(source_of, places)))
    looks = {name: (COLOURS[i % len(COLOURS)], i % SHAPES) for i, name in enumerate(sources)}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="sans-serif" font-size="12">',
        f"<title>Tokens of {len(places)} sets; {explained:.0%} of their variance</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    lines += [_mark(at(spot), *looks[source_of(name)], name) for name, spot in places.items()]
    for name, (before, after) in ways.items():
        (a, b), (c, d) = at(before), at(after)
        lines.append(f'<path d="M{a} {b}L{c} {d}" stroke="#17202b" stroke-width="1.5"/>')
        lines.append(f'<circle cx="{c}" cy="{d}" r="3" fill="#17202b"/>')
        lines.append(f'<text x="{c + 6}" y="{d + 4}" fill="#17202b">{escape(name)}</text>')
    return "\n".join([*lines, *_legend(looks), "</svg>", ""])


def _legend(looks: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    for i, (source, look) in enumerate(looks.items()):
        y = MARGIN + 18 * i
        yield _mark((WIDTH - LEGEND + 10, y), *look, source)
        yield f'<text x="{WIDTH - LEGEND + 22}" y="{y + 4}">{escape(source)}</text>'


def _mark(spot: tuple[float, float], colour: str, shape: int, name: str) -> str:
    x, y = spot
    how = f'fill="{colour}" fill-opacity="0.75"'
    title = f"<title>{escape(name)}</title>"
    if shape == 0:
        return f'<circle cx="{x}" cy="{y}" r="4.5" {how}>{title}</circle>'
    turn = f' transform="rotate(45 {x} {y})"' if shape == 2 else ""
    return f'<rect x="{x - 4}" y="{y - 4}" width="8" height="8"{turn} {how}>{title}</rect>'
