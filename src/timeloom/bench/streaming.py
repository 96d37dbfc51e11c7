"""What does scoring a stream cost: CPU time beside 500 steps, rows per second, latency, memory?"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import timeloom
from timeloom.bench.anomaly_sets import DEVELOPMENT, Case, cases
from timeloom.bench.child import measured
from timeloom.bench.records import note
from timeloom.bench.streaming_page import (
    BATCH,
    FIGURES,
    MOST,
    OURS,
    WIDE,
    Arm,
    streamed,
    write_streaming_page,
)
from timeloom.data.sets import load_dataset
from timeloom.methods.ddmt import DDMT
from timeloom.metrics.detection import vus
from timeloom.metrics.record import Record, read_records

__all__ = ["FULL", "QUICK", "Size", "accuracy", "costs", "follow", "memory", "pushes", "recording",
           "resident", "run"]  # fmt: skip

Array = NDArray[Any]

MACHINE = "machine-1-7"  # of SMD, a development recording
SETS = ("asd", "skab")
TRAINED = 2_048  # last training rows, of all arms: all are scored again to see what is normal
STRETCH = 1_024  # first rows of a test part, that every arm is judged on
# The sampler knows nothing of its window, so it is not trained to be told any of it.
SAMPLER: dict[str, Any] = dict(start="noise", mask="none", known=0.0)
# Cost does not depend on how well a network is trained.
CHEAP: dict[str, Any] = dict(train_steps=2, validations=1)
NARROW = 8  # width: a million rows end in minutes, and what is held of them is the same
MEMORY_BATCH, MARKS = 1_024, 10
CHILD = "import sys; from timeloom.bench.streaming import follow; follow(*sys.argv[1:])"


class Size(NamedTuple):
    """How much is measured.

    Attributes:
        repeats: Of everything, each with a seed of its own.
        windows: That are scored where CPU time per window is taken.
        least: CPU seconds to be filled by as many calls as it takes.
        batched: Rows pushed in batches; ``single``: one by one.
        channels: Numbers of channels that are streamed.
        rows: Over which memory is watched.
        train_steps: Of the detectors whose accuracy is judged.
        each: Development recordings per set, the first ones.
        steps: Of the sampler, ascending.
    """

    repeats: int = 3
    windows: int = 64
    least: float = 1.0
    batched: int = 8_192
    single: int = 2_048
    channels: tuple[int, ...] = (1, 8, WIDE, 55)
    rows: int = 1_000_000
    train_steps: int = 80
    each: int = 3
    steps: tuple[int, ...] = (1, 5, 50, MOST)


FULL = Size()
QUICK = Size(
    repeats=1, windows=8, least=0.1, batched=2_048, single=512, rows=20_000, train_steps=10, each=1
)


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """Measures DDMT with its default settings as a stream meets it, three times each.

    CPU time and accuracy stand beside those of the published sampler, 500 steps, with the same
    network. A cell that has records is not measured again.

    Args:
        quick: Once, and smaller.
        folder: Where ``streaming.jsonl`` is added to, and the page written.
        part: ``"1/1"``: figures of time are not taken side by side.

    Raises:
        ValueError: If ``part`` is another.
    """
    if part != "1/1":
        raise ValueError(f"bench streaming measures time, so it has one part, 1/1; got {part}.")
    path = folder / ("streaming-quick.jsonl" if quick else "streaming.jsonl")
    size = QUICK if quick else FULL
    for section in (costs, pushes, memory, accuracy):
        yield from section(path, size)
    yield f"page: {write_streaming_page(path, 'timeloom bench streaming')}"


def costs(path: Path, size: Size) -> Iterator[str]:
    """CPU time per window and per row, ours and the sampler's, in turn, in one process.

    Args:
        path: The records.
        size: How much.
    """
    source, train, test = recording(WIDE)
    data = f"{source}, {WIDE} channels"
    for repeat in range(size.repeats):
        if (data, OURS, repeat) in _known(path):
            continue
        arms = [Arm(steps, apart) for steps in (None, *size.steps) for apart in (False, True)]
        spent: dict[str, tuple[float, float]] = {}
        records = []
        with _threads(1), tempfile.TemporaryDirectory() as scratch:
            made = _pair(Path(scratch), train[-TRAINED:], repeat)
            for arm in arms:
                detector = made(arm)
                values, settings = _per_window(detector, test, size)
                spent[arm.name] = values
                records += _records(("window_ms", "row_ms"), values, arm.name, data, repeat,
                                    {"windows": size.windows}, settings)  # fmt: skip
        note(path, records)
        ours, most = spent[OURS][0], spent[Arm(size.steps[-1]).name][0]
        yield f"cost, repeat {repeat}: {ours:.2f} ms per window; the sampler {most:.0f} ms"


def pushes(path: Path, size: Size) -> Iterator[str]:
    """Rows per second and the latency of one push, by number of channels, then with two threads.

    Args:
        path: The records.
        size: How much.
    """
    two = [(WIDE, 2)] if (os.cpu_count() or 1) > 1 else []
    for channels, threads in [*((one, 1) for one in size.channels), *two]:
        source, train, test = recording(channels)
        data, method = f"{source}, {channels} channels", streamed(threads)
        for repeat in range(size.repeats):
            if (data, method, repeat) in _known(path):
                continue
            with _threads(threads):
                detector = DDMT(**CHEAP, device="cpu", seed=repeat).fit(train[-TRAINED:])
                values = _rates(detector, test, size)
            sizes = {"batched": size.batched, "single": size.single, "channels": channels}
            names = ("batched_rate", "single_rate", "p50_ms", "p99_ms", "max_ms")
            settings = _told(detector) | {"threads": threads}
            note(path, _records(names, values, method, data, repeat, sizes, settings))
            yield (
                f"{data}, {method}, repeat {repeat}: {values[0]:,.0f} rows per second in batches, "
                f"{values[1]:,.0f} one by one"
            )


def memory(path: Path, size: Size) -> Iterator[str]:
    """Resident memory of a process of its own that streams row after row.

    Args:
        path: The records.
        size: How much.
    """
    source, train, test = recording(WIDE)
    data, method = f"{source}, {WIDE} channels", f"stream of {size.rows:,} rows"
    for repeat in range(size.repeats):
        if (data, method, repeat) in _known(path):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            detector = DDMT(width=NARROW, **CHEAP, device="cpu", seed=repeat)
            detector.fit(train[-TRAINED:], folder=Path(scratch) / "run")
            np.save(Path(scratch) / "rows.npy", test)
            _, peak = measured(["-c", CHILD, scratch, str(size.rows)])
            found = json.loads((Path(scratch) / "noted.json").read_text())
        noted = found["noted"]
        values = (noted[0], noted[-1], max(noted), noted[-1] / noted[0], peak,
                  size.rows / found["seconds"])  # fmt: skip
        names = ("first_mb", "last_mb", "largest_mb", "flat", "peak_mb", "memory_rate")
        sizes = {"rows": size.rows, "answered": found["answered"], "batch": MEMORY_BATCH}
        settings = _told(detector) | {"noted": noted, "every": size.rows // MARKS}
        note(path, _records(names, values, method, data, repeat, sizes, settings))
        yield f"memory, repeat {repeat}: {noted[0]:.0f} MB first, {noted[-1]:.0f} MB last"


def accuracy(path: Path, size: Size) -> Iterator[str]:
    """VUS-PR of all arms on the same first rows of recordings that settings may be chosen on.

    Args:
        path: The records.
        size: How much.
    """
    found: list[Case] = []
    for name in SETS:
        try:
            found += [one for one in cases(name) if one.role == DEVELOPMENT][: size.each]
        except ValueError as error:
            yield f"{name} is left out: {error}"
    for seed in range(size.repeats):
        for case in found:
            labels = case.labels[:STRETCH]
            if (case.data, OURS, seed) in _known(path):
                continue
            if labels.all() or not labels.any():
                yield f"{case.data} is left out: its first {STRETCH:,} rows have one class only."
                continue
            records = _judged(case, labels, size, seed)
            note(path, records)
            values = ", ".join(f"{one.method} {one.value:.3f}" for one in records)
            yield f"{case.data}, seed {seed}: {values}"


def follow(folder: str, rows: str) -> None:
    """Streams a recording again and again, and writes ``noted.json``: the child of ``memory``.

    Args:
        folder: Holds the run in ``run`` and the recording (time, channel) in ``rows.npy``.
        rows: How many are streamed; memory is noted after every tenth of them.
    """
    torch.set_num_threads(1)
    here, count = Path(folder), int(rows)
    stream, values = DDMT.load(here / "run").stream(), np.load(here / "rows.npy")
    noted, answered, began = [], 0, time.perf_counter()
    for first in range(0, count, MEMORY_BATCH):
        last = min(first + MEMORY_BATCH, count)
        answered += len(stream.push(values[np.arange(first, last) % len(values)]).scores)
        if last * MARKS // count > len(noted):
            noted.append(resident())
    answered += len(stream.finish().scores)
    seconds = time.perf_counter() - began
    found = {"noted": noted, "answered": answered, "seconds": seconds}
    (here / "noted.json").write_text(json.dumps(found))


def resident() -> float:
    """Memory in MB that this process holds now, not its peak."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**2
    asked = ["ps", "-o", "rss=", "-p", str(os.getpid())]
    return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout) / 1024


def recording(channels: int) -> tuple[str, Array, Array]:
    """(what it is, training rows, test rows) of one machine of SMD; made up where it is not here.

    Args:
        channels: How many columns; beyond 38 they are repeated.
    """
    try:
        parts: Any = load_dataset("smd", machines=[MACHINE])
        train, test = (part[0].values for part in parts)
        name = f"smd {MACHINE}"
    except ValueError:
        train, test = (_waves(np.random.default_rng(seed)) for seed in (0, 1))
        name = "synthetic waves"
    at = np.arange(channels) % train.shape[1]
    repeated = " with columns repeated" if channels > train.shape[1] else ""
    return name + repeated, train[:, at], test[:, at]


def _waves(rng: np.random.Generator) -> Array:
    """(time, channel) of as many rows and channels as the machine has, about."""
    pace = np.linspace(0.01, 0.3, WIDE)
    return np.sin(pace * np.arange(24_000)[:, None]) + 0.1 * rng.standard_normal((24_000, WIDE))


def _settings(arm: Arm) -> dict[str, Any]:
    """Of the constructor, beside those of the training."""
    own = DDMT(device="cpu")
    hop = {"hop": own.window if arm.apart else own.hop, "device": own.device}
    return hop if arm.steps is None else {**SAMPLER, **hop, "steps": arm.steps}


def _pair(scratch: Path, train: Array, seed: int) -> Callable[[Arm], DDMT]:
    """Trains ours and the sampler once, and gives any arm of the two: right for costs alone.

    What is normal for an arm's errors was learned of another number of steps, and other hops.
    """
    for name, steps in (("ours", None), ("sampler", 1)):
        detector = DDMT(**_settings(Arm(steps, apart=True)), **CHEAP, seed=seed)
        detector.fit(train, folder=scratch / name)
    return lambda arm: DDMT.load(
        scratch / ("ours" if arm.steps is None else "sampler"), **_settings(arm)
    )


def _per_window(
    detector: DDMT, rows: Array, size: Size
) -> tuple[tuple[float, float], dict[str, Any]]:
    """CPU milliseconds (per window, per row of an endless recording), and with which settings."""
    own = detector.settings
    values = rows[: own["window"] + (size.windows - 1) * own["hop"]]
    detector.anomaly_scores(values[: own["window"]])  # the first call also sets things up
    calls, began = 0, time.process_time()
    while calls == 0 or time.process_time() - began < size.least:
        detector.anomaly_scores(values)
        calls += 1
    each = 1_000 * (time.process_time() - began) / calls / size.windows
    return (each, each / own["hop"]), _told(detector) | {"threads": 1, "calls": calls}


def _rates(detector: DDMT, rows: Array, size: Size) -> list[float]:
    """Rows per second in batches and one by one; p50, p99, max of a single push in ms."""
    full = 2 * detector.settings["window"]  # from here on every push is as all later ones
    stream = detector.stream()
    stream.push(rows[:full])
    began = time.perf_counter()
    for first in range(full, full + size.batched, BATCH):
        stream.push(rows[first : first + BATCH])
    batched = size.batched / (time.perf_counter() - began)
    stream = detector.stream()
    stream.push(rows[:full])
    took = np.empty(size.single)
    for place, row in enumerate(rows[full : full + size.single]):
        began = time.perf_counter()
        stream.push(row)
        took[place] = time.perf_counter() - began
    late = np.quantile(1_000 * took, (0.5, 0.99, 1.0)).tolist()
    return [batched, size.single / float(took.sum()), *late]


def _judged(case: Case, labels: Array, size: Size, seed: int) -> list[Record]:
    """One record per arm, each fitted with its own settings and judged on the same rows."""
    train, rows = case.train.values[-TRAINED:], case.test.values[:STRETCH]
    records: list[Record] = []
    arms = [Arm(None), *(Arm(steps, apart=True) for steps in (None, *size.steps))]
    sizes = {"train": len(train), "rows": len(rows), "abnormal": int(labels.sum())}
    with _threads(1):
        for arm in arms:
            detector = DDMT(**_settings(arm), train_steps=size.train_steps, seed=seed).fit(train)
            value = vus(labels, detector.anomaly_scores(rows), window=case.period).pr
            settings = _told(detector) | {"set": case.set, "vus_window": case.period}
            records += _records(("vus_pr",), (value,), arm.name, case.data, seed, sizes, settings)
    return records


def _told(detector: DDMT) -> dict[str, Any]:
    return {"cores": os.cpu_count()} | detector.settings


def _records(
    names: Sequence[str],
    values: Sequence[float],
    method: str,
    data: str,
    seed: int,
    sizes: dict[str, int],
    settings: dict[str, Any],
) -> list[Record]:
    return [
        Record(
            metric=name,
            value=value,
            better=FIGURES[name].better,
            why="one repeat of bench streaming",
            method=method,
            data=data,
            seeds=(seed,),
            sizes=sizes,
            version=timeloom.__version__,
            settings=settings,
            unit=FIGURES[name].unit,
            meaning=FIGURES[name].title,
        )
        for name, value in zip(names, values, strict=True)
    ]


def _known(path: Path) -> set[tuple[str, str, int]]:
    """(data, method, seed) of all cells that have records."""
    return {(r.data, r.method, r.seeds[0]) for r in read_records(path)} if path.exists() else set()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads for the network within, as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
