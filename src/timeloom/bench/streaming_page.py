"""The page of the streaming bench: what was asked for, and what one recording more costs."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import timeloom
from timeloom.bench.page import save_page
from timeloom.bench.paired_page import difference
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown, spread

__all__ = ["BATCH", "FIGURES", "MOST", "OURS", "WIDE", "Arm", "Figure", "streamed",
           "write_streaming_page"]  # fmt: skip

OURS = "DDMT"
MOST = 500  # steps of the published sampler
WIDE = 38  # channels of a machine of SMD
BATCH = 256  # rows of a push, where they come in batches
FLAT = 1.05  # last over first memory up to which we call it flat


class Figure(NamedTuple):
    """A measure as the page calls it."""

    title: str
    better: str = "lower"
    unit: str = ""


FIGURES = {
    "window_ms": Figure("CPU ms per window", unit="ms"),
    "row_ms": Figure("CPU ms per row", unit="ms"),
    "vus_pr": Figure("VUS-PR", "higher"),
    "batched_rate": Figure(f"rows/s in batches of {BATCH}", "higher", "rows per second"),
    "single_rate": Figure("rows/s one by one", "higher", "rows per second"),
    "p50_ms": Figure("p50 of a push, ms", unit="ms"),
    "p99_ms": Figure("p99 of a push, ms", unit="ms"),
    "max_ms": Figure("longest push, ms", unit="ms"),
    "first_mb": Figure("resident at the first mark, MB", unit="MB"),
    "last_mb": Figure("at the last mark, MB", unit="MB"),
    "largest_mb": Figure("at the largest mark, MB", unit="MB"),
    "flat": Figure("last / first"),
    "peak_mb": Figure("peak of the process, MB", unit="MB"),
    "memory_rate": Figure("rows/s", "higher", "rows per second"),
}
RATES = ("batched_rate", "single_rate", "p50_ms", "p99_ms", "max_ms")
HELD = ("first_mb", "last_mb", "largest_mb", "flat", "peak_mb", "memory_rate")
SHOWN = ("window", "hop", "width", "multipliers", "network", "mask", "parts", "start", "lag")


class Arm(NamedTuple):
    """A detector of the comparison.

    Attributes:
        steps: Of the sampler; None is ours.
        apart: Whether its windows do not overlap; else they lie the default hop apart.
    """

    steps: int | None
    apart: bool = False

    @property
    def name(self) -> str:
        """As records call it."""
        plural = "" if self.steps == 1 else "s"
        own = OURS if self.steps is None else f"from noise, {self.steps} step{plural}"
        return f"{own}, windows side by side" if self.apart else own


def streamed(threads: int) -> str:
    """How records call a stream."""
    return f"stream, {threads} thread{'' if threads == 1 else 's'}"


def write_streaming_page(path: Path, command: str) -> Path:
    """Writes the page beside the records and returns its path; parts without records are left out.

    Args:
        path: The records.
        command: What makes the records and this page again.

    Raises:
        FileNotFoundError: If there are no records.
    """
    records = read_records(path)
    versions = ", ".join(sorted({one.version for one in records if one.version}))
    lines = [
        f"# {path.stem}\n\nMade by `{command}` from `{path.name}` (timeloom "
        f"{versions or timeloom.__version__}): mean ± standard deviation over the repeats, one "
        "record per repeat, each with a seed of its own.\n"
    ]
    sections = {
        "Asked and measured": _asked(records),
        "CPU time of scoring": _costs(records),
        "VUS-PR of the same rows": _accuracy(records),
        "Rows as they arrive": _rates(records),
        "Memory": _memory(records),
    }
    for title, section in sections.items():
        body = list(section)
        lines += [f"## {title}\n", *body] if body else []
    return save_page(path, "\n".join(lines))


def _values(records: Sequence[Record], metric: str, method: str, data: str = "") -> dict[int, Any]:
    """Seed -> value of one arm; of ``data`` alone where it is given."""
    return {
        one.seeds[0]: one.value
        for one in records
        if (one.metric, one.method) == (metric, method)
        and data in ("", one.data)
        and one.value is not None
    }


def _ratios(records: Sequence[Record], metric: str, over: str, under: str) -> list[float]:
    """One number per repeat: what both took in turn, one divided by the other."""
    above, below = _values(records, metric, over), _values(records, metric, under)
    return [above[seed] / below[seed] for seed in sorted(above.keys() & below.keys())]


def _asked(records: Sequence[Record]) -> Iterator[str]:
    """Every figure that was asked for, whether it is reached or not."""
    wide = _ones(records, "batched_rate", f" {WIDE} channels")
    data = wide[0].data if wide else ""
    memory = _ones(records, "flat")
    held = (
        f"memory after {memory[0].sizes['rows']:,} rows / after the first tenth" if memory else ""
    )
    found = [
        (f"CPU per window: the sampler's {MOST} steps / {OURS}, same hop", 100.0, True,
         _ratios(records, "window_ms", Arm(MOST).name, OURS)),
        *((f"{FIGURES[name].title}, {WIDE} channels, {streamed(threads)}", least, True,
           list(_values(records, name, streamed(threads), data).values()))
          for name, least in (("batched_rate", 2_000.0), ("single_rate", 100.0))
          for threads in (1, 2)),
        (held, FLAT, False, [one.value for one in memory]),
    ]  # fmt: skip
    rows = [
        {
            "figure": name,
            "asked for": f"at {'least' if least else 'most'} {bound:,g}",
            "measured": _cell(values),
            "reached": bool((np.mean(values) >= bound) == least),
        }
        for name, bound, least, values in found
        if values
    ]
    if rows:
        yield markdown(rows)
        yield (
            f"Time is asked for on two cores; one thread is the harder test. {FLAT:g} is our own "
            "reading of flat memory.\n"
        )


def _ones(records: Sequence[Record], metric: str, end: str = "") -> list[Record]:
    return [one for one in records if one.metric == metric and one.data.endswith(end)]


def _costs(records: Sequence[Record]) -> Iterator[str]:
    ones = _ones(records, "window_ms")
    if not ones:
        return
    rows = []
    for name in dict.fromkeys(one.method for one in ones):
        row: dict[str, Any] = {"detector": name}
        for metric in ("window_ms", "row_ms"):
            row[FIGURES[metric].title] = _cell(_values(records, metric, name).values())
            row[f"times {OURS}'s, {metric.split('_')[0]}"] = _cell(
                _ratios(records, metric, name, OURS)
            )
        row["VUS-PR"] = _over_recordings(records, name)
        rows.append(row)
    yield markdown(rows)
    own, count = ones[0].settings, ones[0].sizes["windows"]
    yield (
        f"{ones[0].data}; {count} windows of {own['window']} rows, all arms in turn in one "
        f"process with {own['threads']} thread on {own['cores']} cores. Where nothing is said "
        f"windows are {own['hop']} rows apart; side by side they are {own['window']} apart, so "
        "that a row is scored by one window alone: the least that a sampler can be asked for. "
        "Per row is the time of a window over the hop, as in an endless recording. The sampler "
        f"has the same network ({_settings(own, ('network', 'width', 'multipliers'))}) and starts "
        "from noise; VUS-PR is the mean over the recordings below, where it was taken.\n"
    )


def _over_recordings(records: Sequence[Record], name: str) -> list[float] | None:
    """One mean over all recordings per seed that has all of them."""
    ones = [one for one in _ones(records, "vus_pr") if one.method == name]
    data = {one.data for one in ones}
    each = [_values(ones, "vus_pr", name, one) for one in sorted(data)]
    seeds = set.intersection(*map(set, each)) if each else set()
    return [float(np.mean([one[seed] for one in each])) for seed in sorted(seeds)] or None


def _accuracy(records: Sequence[Record]) -> Iterator[str]:
    ones = _ones(records, "vus_pr")
    if not ones:
        return
    names = list(dict.fromkeys(one.method for one in ones))
    first = {one.data: one for one in reversed(ones)}
    rows: list[dict[str, Any]] = []
    for data, one in sorted(first.items()):
        abnormal = one.sizes["abnormal"] / one.sizes["rows"]
        row = {"recording": data, "rows": one.sizes["rows"], "abnormal": abnormal}
        rows.append(row | {n: list(_values(ones, "vus_pr", n, data).values()) for n in names})
    mean = {"recording": "mean", "rows": None, "abnormal": None}
    rows.append(mean | {name: _over_recordings(records, name) for name in names})
    yield markdown(rows)
    yield (
        "The first rows of the test part of each development recording; chance is about the share "
        f"of abnormal rows. All are trained for {ones[0].settings['train_steps']:,} steps on the "
        "last rows of the training part, so that this says how they compare, not how good they "
        "can be. All else is as in the default detector: what is normal for an arm's errors is "
        "learned of its own, drawn in as many steps.\n"
    )
    yield markdown([_against(ones, name) for name in names if name != OURS])
    yield (
        "Difference in VUS-PR, paired by recording and seed, with 95 % intervals by bootstrap: "
        "other seeds, and other recordings of this kind.\n"
    )


def _against(ones: Sequence[Record], rival: str) -> dict[str, Any]:
    """A row: by how much ours is ahead of a rival."""
    data = sorted({one.data for one in ones})
    arm, other = (
        {one: _values(ones, "vus_pr", name, one) for one in data} for name in (OURS, rival)
    )
    found = difference(arm, other)
    row: dict[str, Any] = {f"{OURS} against": rival, "mean": f"{found.mean:+.3f}"}
    row |= {"other seeds": "{:+.3f} to {:+.3f}".format(*found.seeds)}
    row |= {"other recordings": "{:+.3f} to {:+.3f}".format(*found.sets)}
    return row | {"pairs": found.pairs}


def _rates(records: Sequence[Record]) -> Iterator[str]:
    ones = _ones(records, RATES[0])
    if not ones:
        return
    rows = []
    for data, method in dict.fromkeys((one.data, one.method) for one in ones):
        row: dict[str, Any] = {"rows of": data, "": method}
        for name in RATES:
            row[FIGURES[name].title] = _cell(_values(records, name, method, data).values())
        rows.append(row)
    yield markdown(rows)
    own = ones[0].settings
    yield (
        f"Wall time, `DDMT().stream()` with lag 0 on {own['cores']} cores. A window ends at every "
        f"{own['hop']}th row and calls the network; the other pushes only keep the row, so the "
        "median is theirs, and p99 that of the network.\n"
    )


def _memory(records: Sequence[Record]) -> Iterator[str]:
    ones = _ones(records, HELD[0])
    if not ones:
        return
    method, own = ones[-1].method, ones[-1].settings
    row: dict[str, Any] = {"": method}
    row |= {FIGURES[n].title: _cell(_values(records, n, method).values()) for n in HELD}
    yield markdown([row])
    marks = np.array([one.settings["noted"] for one in ones if one.method == method])
    shown = "; ".join(spread(mark.tolist()) for mark in marks.T)
    yield (
        f"{ones[-1].data}, over and over, in a process of its own, in batches of "
        f"{ones[-1].sizes['batch']:,}; resident memory after every {own['every']:,} rows: {shown} "
        f"MB. A narrow network makes it end in minutes: {_settings(own, SHOWN)}.\n"
    )


def _cell(values: Iterable[float]) -> Any:
    """One number as it is, several as one per repeat."""
    known = list(values)
    return known[0] if len(known) == 1 else known


def _settings(own: dict[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {own[name]}" for name in names if name in own)
