"""Cost of sampling as a user meets it: whole commands, their seconds and their peak memory."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import timeloom
from timeloom.bench.child import measured
from timeloom.bench.page import write_page
from timeloom.bench.records import done, note
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Windows, cut
from timeloom.methods.diffmts import DiffMTS
from timeloom.methods.imagenfew import ImagenFew
from timeloom.metrics.record import Record

__all__ = ["run"]

LENGTH = 48
COUNTS = (2_000, 10_000, 20_000)
FEW, CHANNELS, BESIDE = 24, 7, 256  # time points, channels and windows of the few-shot generators
TIMED = 10_000  # the largest count that is timed; beyond it only memory is measured


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """Samples windows of 48 x 14 into Parquet with the default settings, three times each.

    Beside that, the CPU time per window of 24 x 7 of the shipped few-shot generator and of the one
    that its paper describes, in turn, in one process.

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
    yield from _beside(path, 1 if quick else 3)
    yield f"page: {write_page(path, {}, 'timeloom bench sampling')}"


def _beside(path: Path, repeats: int) -> Iterator[str]:
    """The shipped few-shot generator and the published setting, one after the other."""
    few = cut(load_dataset("cmapss_fd001")[0], FEW, FEW)
    few = Windows(few.x[:25, :, -CHANNELS:], channels=few.channels[-CHANNELS:])
    models = {
        "ImagenFew": ImagenFew.pretrained(device="cpu").adapt(few, steps=1),
        "ImagenFew.paper()": ImagenFew.paper(train_steps=1, device="cpu").fit(few),
    }
    for repeat in range(repeats):
        if all(done(path, "cmapss_fd001", FEW, name, repeat) for name in models):
            continue
        spent = {}
        for name, model in models.items():
            began = time.process_time()
            model.sample(BESIDE, seed=repeat)
            spent[name] = 1_000 * (time.process_time() - began) / BESIDE
        ours, paper = spent.values()
        for name, value in spent.items():
            note(path, [_per_window(name, repeat, value, paper / ours)])
        times = f"{paper / ours:.0f} times"
        yield f"few-shot, repeat {repeat}: {ours:.2f} ms and {paper:.1f} ms, {times}"


def _per_window(method: str, repeat: int, milliseconds: float, ratio: float) -> Record:
    return Record(
        metric="CPU time per window",
        value=milliseconds,
        better="lower",
        why="both in turn in one process; 12 calls, and 71 of the published network",
        method=method,
        data=f"cmapss_fd001, {FEW}",
        seeds=(repeat,),
        sizes={"made": BESIDE},
        version=timeloom.__version__,
        settings={"cores": os.cpu_count(), "ratio": ratio},
        unit="ms",
    )


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
