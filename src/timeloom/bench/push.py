"""Cost of guidance: the push beside a double backward, guided samples beside unguided ones."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import timeloom
from timeloom.bench.page import write_page
from timeloom.bench.records import done, note
from timeloom.data.resample import resample
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Windows, cut
from timeloom.metrics.record import Record

__all__ = ["PUBLISHED", "run"]

Figure = tuple[str, str, float, str, str]  # arm, metric, value, unit, better

KINDS = ("resnet", "gru")
REPEATS = 3
ROUNDS = 5  # of both ways, in turns, so that what else the machine does falls on both
BATCH = 128

# Not published: what this bench has to show.
PUBLISHED = {
    ("push", 24, "cost of the push / double backward"): "at most .6 wanted",
    ("push", 24, "lowest cosine with the double backward"): "at least .99 wanted",
    ("push", 24, "guided / unguided sample"): "at most 2 wanted, of the default classifier",
}


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """Times the push and its rival in turns, on Wafer at 24 points, with other seeds.

    CPU seconds of the process, not wall seconds: other work does not count.

    Args:
        quick: One seed and few steps: no figure to be quoted.
        folder: Where ``push.jsonl`` is added to, and the page written.
        part: ``"1/1"``: figures of time are not taken side by side.

    Raises:
        ValueError: If ``part`` is another.
    """
    if part != "1/1":
        raise ValueError(f"bench push measures time, so it has one part, 1/1; got {part}.")
    path = folder / ("push-quick.jsonl" if quick else "push.jsonl")
    for seed in range(1 if quick else REPEATS):
        for kind in KINDS:
            if not done(path, "push", 24, kind, seed):
                figures = _figures(kind, seed, quick)
                note(path, [_record(one, seed) for one in figures])
                said = ", ".join(f"{name} {value:.3g}" for _, name, value, *_ in figures)
                yield f"{kind}, seed {seed}: {said}"
    yield f"page: {write_page(path, PUBLISHED, 'timeloom bench push')}"


def _figures(kind: str, seed: int, quick: bool) -> list[Figure]:
    from timeloom.methods.diffmts import DiffMTS
    from timeloom.methods.tardiff import TarDiff

    train, guidance = _wafer(seed)
    steps = 20 if quick else 200
    # A network's speed does not hang on how well it is trained; a push's direction does.
    generator = DiffMTS(train_steps=20, seed=seed, device="cpu", held_out=0.0).fit(train)
    tardiff = TarDiff(generator, kind, 0.1, train_steps=steps, seed=seed)
    tardiff.fit(train, guidance=guidance)
    rounds = 2 if quick else ROUNDS
    x, y = tardiff._tensors(guidance[:BATCH])
    x = x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    push, exact = (_influence(tardiff, how) for how in (False, True))
    cosine = torch.cosine_similarity(
        push.gradient(x, y.float()).flatten(1).double(),
        exact.gradient(x, y.float()).flatten(1).double(),
    )
    quickly, slowly = _in_turns(
        lambda: push.gradient(x, y.float()), lambda: exact.gradient(x, y.float()), rounds
    )
    labels = np.resize(np.asarray(train.y), 256)
    guided, plain = _in_turns(
        lambda: tardiff.sample(256, labels), lambda: generator.sample(256, labels), rounds
    )
    names = tuple(name for *_, name in PUBLISHED)
    values = (quickly / slowly, float(cosine.min()), guided / plain)
    directions = ("lower", "higher", "lower")
    rows = zip(names, values, directions, strict=True)
    found = [(kind, name, value, "", better) for name, value, better in rows]
    return [
        *found,
        (kind, "one push of 128 windows", 1e3 * quickly, "ms", "lower"),
        (kind, "one double backward of 128 windows", 1e3 * slowly, "ms", "lower"),
        (kind, "256 guided windows", 1e3 * guided, "ms", "lower"),
        (kind, "256 unguided windows", 1e3 * plain, "ms", "lower"),
    ]


def _influence(tardiff: Any, exact: bool) -> Any:
    from timeloom.diffusion.guide import Influence

    return Influence(tardiff.model_, tardiff.toward_, scale=0.1, exact=exact)


def _wafer(seed: int) -> tuple[Windows, Windows]:
    found = load_dataset("ucr_wafer")
    windows = resample(cut(found[0], 152), 24)
    order = np.random.default_rng([seed, 50410]).permutation(len(windows))
    return windows[order[:-200]], windows[order[-200:]]


def _in_turns(
    first: Callable[[], Any], second: Callable[[], Any], rounds: int
) -> tuple[float, float]:
    """Mean CPU seconds of two things done in turns, once each beforehand."""
    spent = [0.0, 0.0]
    for k in range(rounds + 1):
        for i, call in enumerate((first, second)):
            began = time.process_time()
            call()
            spent[i] += (time.process_time() - began) / rounds if k else 0.0
    return spent[0], spent[1]


def _record(figure: Figure, seed: int) -> Record:
    arm, metric, value, unit, better = figure
    return Record(
        metric=metric,
        value=value,
        better=better,
        method=arm,
        data="push, 24",
        seeds=(seed,),
        version=timeloom.__version__,
        settings={"threads": torch.get_num_threads(), "rounds": ROUNDS},
        unit=unit,
    )
