"""The page of a bench: mean and spread over seeds, ours beside the published figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timeloom.data.atomic import atomic
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown

__all__ = ["save_page", "summary", "write_page"]

Published = Mapping[tuple[str, int, str], str]


def summary(records: list[Record]) -> dict[tuple[str, str, str], list[float]]:
    """Values by (data, metric, method), one per seed, in the order of the seeds."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for record in sorted(records, key=lambda record: record.seeds):
        if record.value is not None:
            found.setdefault((record.data, record.metric, record.method), []).append(record.value)
    return found


def write_page(path: Path, published: Published, command: str) -> Path:
    """Writes a Markdown page beside the records and returns its path.

    Args:
        path: The records, ``*.jsonl``.
        published: What papers print, by (data set, length, metric).
        command: What makes the records and this page again.
    """
    records = read_records(path)
    found = summary(records)
    order = list(dict.fromkeys((record.data, record.metric, record.method) for record in records))
    lines = [
        f"# {path.stem}\n\nMade by `{command}` from `{path.name}`: mean ± standard deviation over "
        "the seeds, one record per seed.\n"
    ]
    for data in sorted({data for data, *_ in order}):
        name, length = data.rsplit(", ", 1)
        methods = list(dict.fromkeys(method for d, _, method in order if d == data))
        rows: list[dict[str, Any]] = []
        for metric in dict.fromkeys(metric for d, metric, _ in order if d == data):
            row: dict[str, Any] = {"metric": metric}
            row |= {method: found.get((data, metric, method)) for method in methods}
            row["published"] = published.get((name, int(length), metric))
            rows.append(row)
        lines.append(f"## {name}, windows of {length}\n\n{markdown(rows)}")
    return save_page(path, "\n".join(lines))


def save_page(path: Path, text: str) -> Path:
    """Writes the page of the records ``path`` beside them, and returns where it is."""
    page = path.with_suffix(".md")
    with atomic(page) as there:
        there.write_text(text, encoding="utf-8")
    return page
