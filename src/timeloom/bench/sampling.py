"""Cost of sampling as a user meets it: whole commands, their seconds and their peak memory."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import timeloom
from timeloom.bench.child import measured
from timeloom.bench.page import write_page
from timeloom.bench.records import done, note
from timeloom.data.sets import load_dataset
from timeloom.data.windows import cut
from timeloom.methods.diffmts import DiffMTS
from timeloom.metrics.record import Record

__all__ = ["run"]

LENGTH = 48
COUNTS = (2_000, 10_000, 20_000)
TIMED = 10_000  # the largest count that is timed; beyond it only memory is measured


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """Samples windows of 48 x 14 into Parquet with the default settings, three times each.

    The cost does not depend on how well a network is trained, so it is trained for two steps.

    Args:
        quick: The smallest count only, once.
        folder: Where ``sampling.jsonl`` is added to, and the page written.
        part: ``"1/1"``: figures of time are not taken side by side.

    Raises:
        ValueError: If ``part`` is another.
    """
    if part != "1/1":
        raise ValueError(f"bench sampling measures time, so it has one part, 1/1; got {part}.")
    path = folder / ("sampling-quick.jsonl" if quick else "sampling.jsonl")
    with tempfile.TemporaryDirectory() as scratch:
        model = DiffMTS(train_steps=2, validations=1)
        model.fit(cut(load_dataset("cmapss_fd001")[0], LENGTH, 8), folder=Path(scratch) / "run")
        for count in COUNTS[:1] if quick else COUNTS:
            for repeat in range(1 if quick else 3):
                method = f"{count:,} windows"
                if done(path, "cmapss_fd001", LENGTH, method, repeat):
                    continue
                seconds = None
                if count <= TIMED:
                    seconds, _ = _measure(Path(scratch), count, repeat)
                # Two steps hold as much at a time as twelve, and end sooner.
                _, memory = _measure(Path(scratch), count, repeat, "--steps", "2")
                note(path, _records(method, repeat, seconds, memory))
                took = "" if seconds is None else f"{seconds:.1f} s, "
                yield f"{method}, repeat {repeat}: {took}peak {memory:.0f} MB"
    yield f"page: {write_page(path, {}, 'timeloom bench sampling')}"


def _measure(scratch: Path, count: int, seed: int, *options: str) -> tuple[float, float]:
    """Wall seconds and peak memory (MB) of one ``timeloom sample``."""
    out = scratch / "out.parquet"
    command = ["-m", "timeloom.cli", "sample", str(scratch / "run")]
    found = measured([*command, "-n", str(count), "-o", str(out), "--seed", str(seed), *options])
    out.unlink()
    return found


def _records(method: str, repeat: int, seconds: float | None, memory: float) -> list[Record]:
    return [
        Record(
            metric=metric,
            value=value,
            better="lower",
            why="one repeat of bench sampling; the whole command, imports and writing included",
            method=method,
            data=f"cmapss_fd001, {LENGTH}",
            seeds=(repeat,),
            seconds=seconds or 0.0,
            version=timeloom.__version__,
            settings={"cores": os.cpu_count()},
            unit=unit,
        )
        for metric, value, unit in (("wall time", seconds, "s"), ("peak memory", memory, "MB"))
        if value is not None
    ]
