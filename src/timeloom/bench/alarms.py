"""Can the evaluation be trusted? Real data against real data, and planted faults, many times."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import timeloom
from timeloom.bench.faults import FAULTS, Fault
from timeloom.bench.page import save_page
from timeloom.bench.records import note, share_of
from timeloom.data.prices import to_log_prices
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Series, Windows, cut
from timeloom.evaluation import evaluate_rows
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown

__all__ = ["run", "three_parts"]

SETS = ("cmapss_fd001", "etth1", "ucr_italypowerdemand", "nasdaq_5yr")
HALVES = 10  # random deals of each set
PLANTED = 2  # deals of each set into which every fault is planted
LIMIT = 500  # windows a side
SEEDS = (0, 1, 2)
TESTS = {"mmd_p_value": 0.05}  # p-values, and the level at which their rejections are counted


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """Evaluates unseen real windows as if a generator had made them, then with faults planted.

    Real windows must never fail; every fault must be failed by a row that names it.

    Args:
        quick: The set of the package alone, two deals and each fault once.
        folder: Where ``alarms.jsonl`` is added to and the page is written.
        part: ``"2/3"``: every third cell from the second, so that processes can share the work.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N.
    """
    path = folder / ("alarms-quick.jsonl" if quick else "alarms.jsonl")
    first, every = share_of(part)
    names, halves, planted = (SETS[:1], 2, 1) if quick else (SETS, HALVES, PLANTED)
    cells: list[tuple[str, int, Fault | None]] = [
        (n, i, None) for i in range(halves) for n in names
    ]
    cells += [(n, i, fault) for i in range(planted) for n in names for fault in FAULTS]
    for name, deal, fault in cells[first - 1 :: every]:
        method = "real" if fault is None else fault.name
        if _known(path, name, method, deal):
            continue
        rows = _cell(name, deal, fault)
        if rows:
            note(path, rows)
            failed = [row.metric for row in rows if row.verdict == "fail"]
            yield f"{name}, deal {deal}, {method}: fails {', '.join(failed) or 'nothing'}"
    yield f"page: {_page(path)}"


def three_parts(windows: Windows, seed: int) -> tuple[Windows, Windows, Windows]:
    """Training, held-out and "synthetic" windows: a half, a quarter, a quarter of the recordings.

    Args:
        windows: With their recordings.
        seed: Which recording goes where.
    """
    names = np.random.default_rng([seed, 2027]).permutation(np.unique(windows.series))
    at = np.cumsum([len(names) // 2, len(names) // 4])
    parts = [np.isin(windows.series, some) for some in np.split(names, at)]
    return windows[parts[0]], windows[parts[1]], windows[parts[2]]


@cache
def _windows(name: str) -> Windows:
    """All real windows of a set, as many as make a quick and varied pool."""
    found = load_dataset(name)
    series = [one for some in found for one in some] if isinstance(found, tuple) else found
    length, stride = {"cmapss_fd001": (24, 12), "etth1": (24, 12), "nasdaq_5yr": (24, 120)}.get(
        name, (0, 1)
    )
    if name == "etth1":
        # One recording has no random halves; its weeks have, and they are far enough from each
        # other for a test that treats them as independent.
        whole = series[0]
        series = [
            Series(whole.values[at : at + 168], None, f"week {at // 168}", whole.channels)
            for at in range(0, len(whole) - 167, 168)
        ]
    length = length or min(len(one) for one in series)
    windows = cut([one for one in series if len(one) >= length], length, stride)
    if name != "nasdaq_5yr":
        return windows
    # In dollars a quarter of the stocks differs from another by the one that costs a thousand.
    made, _ = to_log_prices(windows)
    return replace(made, x=made.x.astype(np.float32))


def _cell(name: str, deal: int, fault: Fault | None) -> list[Record]:
    train, real, fresh = three_parts(_windows(name), deal)
    if fault is not None:
        if fault.labelled and fresh.y is None or fault.channels > fresh.shape[1]:
            return []
        fresh = fault.plant(fresh, train, np.random.default_rng([deal, 78]))
    method = "real" if fault is None else fault.name
    rows = evaluate_rows(
        real,
        fresh,
        train,
        seeds=SEEDS,
        method=method,
        data=name,
        limit=LIMIT,
        metrics=None if fault is None else fault.rows,
    )
    return [replace(row, settings={**row.settings, "deal": deal}) for row in rows]


def _known(path: Path, name: str, method: str, deal: int) -> bool:
    if not path.exists():
        return False
    return any(
        (r.data, r.method, r.settings.get("deal")) == (name, method, deal)
        for r in read_records(path)
    )


def _page(path: Path) -> Path:
    records = read_records(path)
    real = [r for r in records if r.method == "real"]
    deals = len({(r.data, r.settings["deal"]) for r in real})
    lines = [
        f"# {path.stem}\n\nMade by `timeloom bench alarms` from `{path.name}` "
        f"(timeloom {timeloom.__version__}).\n",
        f"## Real against real: {deals} random deals of {len({r.data for r in real})} sets\n",
        "Unseen real windows, evaluated as if a generator had made them. A row that fails here is "
        "a false alarm. `outside` counts 95 % intervals of tests that lie wholly on the side of "
        "a difference (nominal: .025), and p-values below .05 (nominal: .05).\n",
        markdown(list(_false_alarms(real))),
        "\n## Planted faults\n",
        "How many of the deals were failed by a row that names the fault (each of these rows was "
        "measured alone), and by which.\n",
        markdown(list(_caught([r for r in records if r.method != "real"]))),
    ]
    return save_page(path, "\n".join(lines) + "\n")


def _false_alarms(records: list[Record]) -> Iterator[dict[str, Any]]:
    for metric in dict.fromkeys(r.metric for r in records):
        rows = [r for r in records if r.metric == metric]
        measured = [r for r in rows if r.verdict != "skipped"]
        counts = {word: sum(r.verdict == word for r in measured) for word in ("fail", "warn")}
        yield {"metric": metric, "measured": len(measured), **counts, "outside": _outside(measured)}


def _outside(rows: list[Record]) -> str | None:
    """How often a test at a stated level rejects real data; None for what is no test."""
    if not rows:
        return None
    metric = rows[0].metric
    if metric in TESTS:
        values = [value for r in rows for value in r.per_seed["value"] if value is not None]
        return f"{sum(v < TESTS[metric] for v in values)} of {len(values)}"
    if metric.endswith("_auc") and rows[0].settings["interval"].startswith("95"):
        return f"{sum(r.low is not None and r.low > 0.5 for r in rows)} of {len(rows)}"
    return None


def _caught(records: list[Record]) -> Iterator[dict[str, Any]]:
    for fault in FAULTS:
        rows = [r for r in records if r.method == fault.name]
        deals = sorted({(r.data, r.settings["deal"]) for r in rows})
        failed: dict[Any, set[str]] = {deal: set() for deal in deals}
        for r in rows:
            if r.verdict == "fail":
                failed[r.data, r.settings["deal"]].add(r.metric)
        counts = {row: sum(row in some for some in failed.values()) for row in fault.rows}
        yield {
            "fault": fault.name,
            "sets and deals": len(deals),
            "failed": sum(bool(some) for some in failed.values()),
            "by": ", ".join(f"{row} {count}" for row, count in counts.items()),
        }
