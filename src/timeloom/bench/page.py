"""The page of a bench: mean and spread over seeds, ours beside the published figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from timeloom.data.atomic import atomic
from timeloom.metrics.record import Record, read_records

__all__ = ["summary", "write_page"]

Published = Mapping[tuple[str, int, str], str]


def summary(records: list[Record]) -> dict[tuple[str, str, str], list[float]]:
    """Values by (data, metric, method), one per seed, in the order of the records."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for record in records:
        if record.value is not None:
            found.setdefault((record.data, record.metric, record.method), []).append(record.value)
    return found


def write_page(path: Path, published: Published) -> Path:
    """Writes a Markdown page beside the records and returns its path.

    Args:
        path: The records, ``*.jsonl``.
        published: What papers print, by (data set, length, metric).
    """
    found = summary(read_records(path))
    lines = [
        f"# {path.stem}",
        "",
        f"Made from `{path.name}`: mean ± standard deviation (seeds).",
        "",
    ]
    for data in dict.fromkeys(data for data, *_ in found):
        methods = list(dict.fromkeys(m for d, _, m in found if d == data))
        metrics = list(dict.fromkeys(metric for d, metric, _ in found if d == data))
        name, length = data.rsplit(", ", 1)
        lines += [f"## {name}, windows of {length}", ""]
        lines.append("| metric | " + " | ".join(methods) + " | published |")
        lines.append("|---" * (len(methods) + 2) + "|")
        for metric in metrics:
            cells = [_cell(found.get((data, metric, method), [])) for method in methods]
            other = published.get((name, int(length), metric), "")
            lines.append(f"| {metric} | " + " | ".join(cells) + f" | {other} |")
        lines.append("")
    page = path.with_suffix(".md")
    with atomic(page) as there:
        there.write_text("\n".join(lines), encoding="utf-8")
    return page


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread} ({len(values)})"
