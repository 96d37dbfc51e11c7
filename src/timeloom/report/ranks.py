"""Records of many methods as a table of ranks: ties said, copying marked, floors beside."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from timeloom.data.atomic import atomic
from timeloom.metrics.metric import ABOUT
from timeloom.metrics.record import Record, write_records
from timeloom.report.tables import markdown, spread

__all__ = [
    "RULE",
    "Entry",
    "Ranks",
    "Row",
    "markdown_page",
    "page",
    "rank",
    "summary",
    "write_ranks",
]

FLOOR, COPY, GAUSSIAN = "real (floor)", "copy machine (reference)", "Gaussian (reference)"
REFERENCES = {FLOOR: "floor", COPY: "copy", GAUSSIAN: "gaussian"}
OVERALL = "overall"
ENOUGH_SETS, ENOUGH_METHODS = 5, 3  # for a test over sets
RULE = (
    "A figure is the mean over the seeds ± their standard deviation. Nobody can be asked to be "
    "better than real data: a figure better than the floor counts as the floor. Two methods tie "
    "where their means differ by no more than one pooled standard deviation over seeds; with one "
    "seed, only where they are equal. A rank is one plus the methods that are better plus half of "
    "those that tie. Mean ranks count only measures that every method has; every group of measures "
    "counts the same in the overall one. Ranks in brackets are those that a reference would have."
)


@dataclass(frozen=True)
class Entry:
    """One method (or reference) in one row: one value per seed, mean, spread and rank.

    Attributes:
        values: One per seed.
        mean: Their mean; None where nothing was measured.
        sd: Their standard deviation; 0 for one seed.
        rank: Among the methods; None where nothing was measured, or alone.
        tied: How many methods it ties with.
        why: Why it was not measured.
    """

    values: tuple[float, ...] = ()
    mean: float | None = None
    sd: float = 0.0
    rank: float | None = None
    tied: int = 0
    why: str = ""


@dataclass(frozen=True)
class Row:
    """One metric on one set: an entry per method, and per reference."""

    data: str
    metric: str
    about: str
    better: str
    entries: dict[str, Entry]
    references: dict[str, Entry]


@dataclass(frozen=True)
class Ranks:
    """The table.

    Attributes:
        rows: One per set and metric.
        methods: In the order of the records.
        means: Mean rank by group of metrics and ``"overall"``, then by method and reference.
        copies: What says that a method copies, by method; only methods that do.
        notes: Sentences: the test over sets, what is missing, what was skipped.
    """

    rows: tuple[Row, ...]
    methods: tuple[str, ...]
    means: dict[str, dict[str, float]]
    copies: dict[str, str]
    notes: tuple[str, ...]


def rank(records: Sequence[Record], missing: Mapping[str, str] | None = None) -> Ranks:
    """Ranks methods by :data:`RULE`.

    Args:
        records: One per set, method, metric and seed.
        missing: Cells without records, and why.
    """
    methods = tuple(dict.fromkeys(record.method for record in records))
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.data, record.metric), []).append(record)
    rows = tuple(_row(some, methods) for some in found.values())
    rows = tuple(sorted(rows, key=lambda row: (_place(rows, row.data), _order(row.about))))
    means = _means(rows, methods)
    notes = [_test(rows, methods), *_versions(records)]
    skipped = [row for row in rows if not all(one.rank for one in row.entries.values())]
    if skipped:
        notes.append(
            f"{len(skipped)} of {len(rows)} rows are not counted in the mean ranks, since a "
            "method has no figure there or nobody stands beside it."
        )
    notes += [f"{name}: {why}" for name, why in (missing or {}).items()]
    return Ranks(rows, methods, means, _copies(records), tuple(notes))


def summary(ranks: Ranks) -> list[dict[str, Any]]:
    """A row per method, best first, then the references: mean ranks by group, as words."""
    overall = ranks.means.get(OVERALL, {})
    ordered = sorted(ranks.methods, key=lambda name: overall.get(name, math.inf))
    groups = [OVERALL, *(group for group in ranks.means if group != OVERALL)]
    rows = []
    for name in (*ordered, *REFERENCES):
        shown = {group: ranks.means.get(group, {}).get(name) for group in groups}
        out = "({})" if name in REFERENCES else "{}"
        cells = {k: None if v is None else out.format(f"{v:.2f}") for k, v in shown.items()}
        novelty = "copies" if name in ranks.copies else ""
        rows.append({"method": name, **cells, "mark": novelty})
    return rows


def markdown_page(ranks: Ranks) -> str:
    """The table as Markdown: mean ranks first, then a table per set."""
    if not ranks.rows:
        return "# Ranks\n\nNothing was measured yet.\n" + "".join(f"- {n}\n" for n in ranks.notes)
    parts = [f"# Ranks\n\n{RULE}\n", "## Mean ranks (1 is best)\n", markdown(summary(ranks))]
    parts += [f"**{method}** {said}.\n" for method, said in ranks.copies.items()]
    for data in dict.fromkeys(row.data for row in ranks.rows):
        rows = [_shown(row, ranks) for row in ranks.rows if row.data == data]
        parts.append(f"## {data}\n\n{markdown(rows)}")
    parts += ["## Notes\n", "".join(f"- {note}\n" for note in ranks.notes)]
    return "\n".join(parts)


def page(ranks: Ranks) -> str:
    """The table as one self-contained page of HTML."""
    from jinja2 import Environment, PackageLoader

    pages = Environment(
        loader=PackageLoader("timeloom", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sets = {
        data: [_shown(row, ranks) for row in ranks.rows if row.data == data]
        for data in dict.fromkeys(row.data for row in ranks.rows)
    }
    return pages.get_template("ranks.html.j2").render(
        summary=summary(ranks), sets=sets, ranks=ranks, rule=RULE, references=tuple(REFERENCES)
    )


def write_ranks(folder: Path, ranks: Ranks, records: Sequence[Record]) -> Path:
    """Writes ``ranks.md``, ``ranks.html``, ``ranks.jsonl`` and ``records.jsonl``, each atomically.

    Returns:
        The page.

    Raises:
        OSError: If a file cannot be written; nothing half-written is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(line, ensure_ascii=False, allow_nan=False) for line in _lines(ranks)]
    texts = {"ranks.md": markdown_page(ranks), "ranks.html": page(ranks)}
    texts["ranks.jsonl"] = "".join(f"{line}\n" for line in lines)
    for name, text in texts.items():
        with atomic(folder / name) as there:
            there.write_text(text, encoding="utf-8")
    write_records(folder / "records.jsonl", records)
    return folder / "ranks.html"


def _row(records: Sequence[Record], methods: Sequence[str]) -> Row:
    first = records[0]
    references = {name: _reference(records, what) for name, what in REFERENCES.items()}
    plain = {name: _entry([r for r in records if r.method == name]) for name in methods}
    sign = 1 if first.better == "lower" else -1
    floor = references[FLOOR].mean
    entries = {name: _ranked(name, plain, sign, floor) for name in methods}
    ranked = {
        name: _ranked(name, {**plain, name: one}, sign, floor) for name, one in references.items()
    }
    return Row(first.data, first.metric, first.about, first.better, entries, ranked)


def _entry(records: Sequence[Record]) -> Entry:
    values = tuple(one.value for one in records if one.value is not None)
    if not values:
        return Entry(why=next((one.why for one in records if one.why), "not measured"))
    return _of(values)


def _reference(records: Sequence[Record], what: str) -> Entry:
    """A reference over the seeds: in each, its mean over the methods that it stood beside."""
    # The rival "real" is compared with half of the held-out windows, so its floor is another.
    whole = [one for one in records if one.settings.get("kind") != "real"] or records
    by_seed: dict[Any, list[float]] = {}
    for one in whole:
        if getattr(one, what) is not None:
            by_seed.setdefault(one.seeds, []).append(getattr(one, what))
    return _of(tuple(float(np.mean(some)) for some in by_seed.values())) if by_seed else Entry()


def _of(values: tuple[float, ...]) -> Entry:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Entry(values, float(np.mean(values)), sd)


def _ranked(name: str, entries: Mapping[str, Entry], sign: int, floor: float | None) -> Entry:
    own = entries[name]
    others = [one for other, one in entries.items() if other != name and one.mean is not None]
    if own.mean is None or not others:
        return own
    better = tied = 0
    for other in others:
        gap = _loss(own, sign, floor) - _loss(other, sign, floor)
        if abs(gap) <= math.sqrt((own.sd**2 + other.sd**2) / 2):
            tied += 1
        elif gap > 0:
            better += 1
    return Entry(own.values, own.mean, own.sd, 1 + better + tied / 2, tied)


def _loss(entry: Entry, sign: int, floor: float | None) -> float:
    loss = sign * float(entry.mean or 0.0)
    return loss if floor is None else max(loss, sign * floor)


def _means(rows: Sequence[Row], methods: Sequence[str]) -> dict[str, dict[str, float]]:
    whole = [row for row in rows if all(one.rank is not None for one in row.entries.values())]
    means: dict[str, dict[str, float]] = {}
    for about in dict.fromkeys(row.about for row in sorted(whole, key=lambda r: _order(r.about))):
        group = [row for row in whole if row.about == about]
        means[about or "other"] = _mean_ranks(group, methods)
    if means:
        names = dict.fromkeys(name for group in means.values() for name in group)
        means[OVERALL] = {
            name: float(np.mean([group[name] for group in means.values() if name in group]))
            for name in names
        }
    return means


def _mean_ranks(rows: Sequence[Row], methods: Sequence[str]) -> dict[str, float]:
    found = {}
    for name in (*methods, *REFERENCES):
        entries = [(row.references | row.entries).get(name, Entry()) for row in rows]
        ranks = [one.rank for one in entries if one.rank is not None]
        if ranks:
            found[name] = float(np.mean(ranks))
    return found


def _copies(records: Sequence[Record]) -> dict[str, str]:
    """Methods whose novelty fails, and where: what they win elsewhere they win by copying."""
    said = {}
    for method in dict.fromkeys(record.method for record in records):
        own = [one for one in records if one.method == method and one.about == "novelty"]
        failed = [one for one in own if one.verdict == "fail"]
        if failed:
            names = ", ".join(dict.fromkeys(one.metric for one in failed))
            cells = len({(one.data, one.seeds) for one in failed})
            every = len({(one.data, one.seeds) for one in own})
            said[method] = f"copies: its novelty fails in {cells} of {every} cells ({names})"
    return said


def _test(rows: Sequence[Row], methods: Sequence[str]) -> str:
    """Friedman's test over sets with Nemenyi's distance, or why there is none.

    Source: Demšar 2006, "Statistical comparisons of classifiers over multiple data sets".
    """
    scores = []
    for data in dict.fromkeys(row.data for row in rows):
        overall = _means([row for row in rows if row.data == data], methods).get(OVERALL, {})
        if all(name in overall for name in methods):
            scores.append([overall[name] for name in methods])
    sets, count = len(scores), len(methods)
    if sets < ENOUGH_SETS or count < ENOUGH_METHODS:
        return (
            f"No test over sets was made: it needs {ENOUGH_SETS} sets and {ENOUGH_METHODS} "
            f"methods, here are {sets} and {count}. A difference between mean ranks describes "
            "these sets and proves nothing about others."
        )
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    table = np.array(scores)
    if np.ptp(table, axis=1).max() == 0:
        return "All methods have the same overall rank on every set."
    p = float(friedmanchisquare(*table.T).pvalue)
    ranks = rankdata(table, axis=1).mean(axis=0)
    critical = studentized_range.ppf(0.95, count, np.inf) / math.sqrt(2)
    apart = float(critical * math.sqrt(count * (count + 1) / (6 * sets)))
    listed = ", ".join(f"{m} {r:.2f}" for m, r in zip(methods, ranks, strict=True))
    return (
        f"Friedman's test over {sets} sets: p = {p:.2g}. By Nemenyi's rule two methods differ at "
        f"the 5 % level where their mean ranks over sets ({listed}) are {apart:.2f} or more apart."
    )


def _versions(records: Sequence[Record]) -> list[str]:
    versions = sorted({record.version for record in records})
    if len(versions) < 2:
        return []
    return [f"Measured by several versions of timeloom: {', '.join(versions)}."]


def _shown(row: Row, ranks: Ranks) -> dict[str, Any]:
    """A row in words: what each cell of a table shows."""
    arrow = "↓" if row.better == "lower" else "↑"
    shown: dict[str, Any] = {"measure": f"{row.metric} {arrow}", "about": row.about}
    for name in ranks.methods:
        shown[name] = _words(row.entries[name])
    for name in REFERENCES:
        shown[name] = _figure(row.references[name])
    return shown


def _words(entry: Entry) -> str:
    if entry.mean is None:
        return "skipped"
    if entry.rank is None:
        return f"{_figure(entry)} [no rank]"
    return f"{_figure(entry)} [{entry.rank:g}{'=' if entry.tied else ''}]"


def _figure(entry: Entry) -> str | None:
    return None if entry.mean is None else spread(entry.values)


def _lines(ranks: Ranks) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for row in ranks.rows:
        about = {"data": row.data, "metric": row.metric, "about": row.about, "better": row.better}
        for name, entry in (row.entries | row.references).items():
            kind = "reference" if name in row.references else "method"
            lines.append({**about, "method": name, "kind": kind, **asdict(entry)})
    for group, means in ranks.means.items():
        for name, value in means.items():
            lines.append(
                {"group": group, "method": name, "mean_rank": value, "copies": name in ranks.copies}
            )
    return lines


def _order(about: str) -> int:
    return ABOUT.index(about) if about in ABOUT else len(ABOUT)


def _place(rows: Sequence[Row], data: str) -> int:
    return list(dict.fromkeys(row.data for row in rows)).index(data)
