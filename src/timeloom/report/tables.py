"""Records, or plain rows, as a table in Markdown."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["markdown", "spread"]


def markdown(rows: Sequence[Any], columns: Sequence[str] | None = None) -> str:
    """A table in Markdown: mean ± standard deviation where a cell holds one number per seed.

    Args:
        rows: Records, or mappings from column to cell. A cell is a word, a number, None (shown as
            a dash), or a sequence of numbers, one per seed.
        columns: Which columns, in order; all that occur where None.

    Returns:
        Lines of Markdown, the last one ended; numbers to three digits.

    Raises:
        ValueError: If there is no row.
    """
    if not rows:
        raise ValueError("a table needs at least one row; got none.")
    plain = [row if isinstance(row, Mapping) else _of_record(row) for row in rows]
    names = (
        list(columns) if columns is not None else list(dict.fromkeys(k for r in plain for k in r))
    )
    cells = [[_cell(row.get(name)) for name in names] for row in plain]
    right = [
        all(_is_figure(row.get(name)) for row in plain if row.get(name) is not None)
        for name in names
    ]
    rule = ["---:" if figures else "---" for figures in right]
    lines = [list(map(_escape, names)), rule, *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def spread(values: Sequence[float]) -> str:
    """``mean ± standard deviation`` of one number per seed; the number alone where there is one."""
    known = [float(one) for one in values if one is not None and math.isfinite(one)]
    if not known:
        return "–"
    mean = sum(known) / len(known)
    if len(known) == 1:
        return f"{mean:.3g}"
    deviation = math.sqrt(sum((one - mean) ** 2 for one in known) / (len(known) - 1))
    # As many decimals for the mean as its spread can bear, two digits of it.
    decimals = 3 if deviation == 0 else max(0, 1 - math.floor(math.log10(deviation)))
    decimals = min(decimals, 4)
    return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"


def _of_record(record: Any) -> dict[str, Any]:
    per_seed = record.per_seed
    return {
        "metric": record.metric,
        "synthetic": per_seed.get("value") or record.value,
        "real (floor)": per_seed.get("floor") or record.floor,
        "copy machine": per_seed.get("copy") or record.copy,
        "better": record.better,
        "verdict": record.verdict,
    }


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        return spread(list(value))
    return _escape(str(value))


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "–"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _is_figure(value: Any) -> bool:
    return not isinstance(value, (str, bool))


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
