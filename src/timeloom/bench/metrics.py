"""Cost of an evaluation: the discriminative score, VUS, and all of it, beside what others take."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import timeloom
from timeloom.bench.child import measured
from timeloom.bench.page import write_page
from timeloom.bench.records import done, note
from timeloom.data.sets import load_dataset
from timeloom.data.windows import Windows, cut
from timeloom.metrics.record import Record

__all__ = ["PUBLISHED", "made_windows", "reference_loop", "run"]

Array = NDArray[Any]
Figure = tuple[str, str, float | None, str, str]  # arm, metric, value, unit, why

LENGTH, CHANNELS = 24, 7
LOOPED = 2  # networks of the reference loop that are trained; ten are alike
REPEATS = 10

# Not published: what this bench has to show.
PUBLISHED = {
    ("discriminative score", 2000, "ratio"): "at least 10 wanted",
    ("VUS", 10_000, "ratio"): "at least 50 wanted",
    ("evaluation", 5000, "wall time"): "at most 180 s wanted, on 2 cores",
    ("evaluation", 200_000, "peak memory"): "at most 4096 MB wanted",
}


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """Times each measurement and its rival side by side, three times with other seeds.

    Args:
        quick: Small sizes, once: seconds, and no figure to be quoted.
        folder: Where ``metrics.jsonl`` is added to, and the page written.
        part: ``"1/1"``: figures of time are not taken side by side.

    Raises:
        ValueError: If ``part`` is another.
    """
    if part != "1/1":
        raise ValueError(f"bench metrics measures time, so it has one part, 1/1; got {part}.")
    path = folder / ("metrics-quick.jsonl" if quick else "metrics.jsonl")
    cells = [
        ("discriminative score", 200 if quick else 2000, _judges, 3),
        ("VUS", 2000 if quick else 10_000, _volumes, 3),
        ("evaluation", 60 if quick else 5000, _evaluation, 3),
        # Peak memory is the same every time.
        ("evaluation", 120 if quick else 200_000, _memory, 1),
    ]
    for name, size, measure, repeats in cells:
        for seed in range(1 if quick else repeats):
            if done(path, name, size, "timeloom", seed):
                continue
            yield _cell(path, name, size, seed, measure)
    yield f"page: {write_page(path, PUBLISHED, 'timeloom bench metrics')}"


def _cell(
    path: Path, name: str, size: int, seed: int, measure: Callable[[int, int], list[Figure]]
) -> str:
    began = time.monotonic()
    figures = measure(size, seed)
    seconds = time.monotonic() - began
    note(
        path,
        [
            Record(
                metric=metric,
                value=value,
                better="higher" if metric == "ratio" else "lower",
                why=why,
                method=arm,
                data=f"{name}, {size}",
                seeds=(seed,),
                seconds=seconds,
                version=timeloom.__version__,
                settings={
                    "cores": os.cpu_count(),
                    "threads": os.environ.get("OMP_NUM_THREADS", ""),
                },
                unit=unit,
            )
            for arm, metric, value, unit, why in figures
        ],
    )
    said = ", ".join(
        f"{arm} {metric} {'skipped' if value is None else f'{value:.4g}'} {unit}".strip()
        for arm, metric, value, unit, _ in figures
    )
    return f"{name}, {size:,}, seed {seed} ({seconds:.0f} s): {said}"


def _judges(size: int, seed: int, steps: int = 2000) -> list[Figure]:
    """Ten repeats of ImagenFew's flavour: in one batched network, and in the published loop."""
    from timeloom.metrics.fidelity.judged import discriminative_score

    real, synthetic, source = _two_sides(size, seed)
    steps = min(steps, size)  # a quick run is short too
    began = time.perf_counter()
    ours = discriminative_score(real, synthetic, seed=seed, repeats=REPEATS, steps=steps)
    batched = time.perf_counter() - began
    began = time.perf_counter()
    theirs = reference_loop(real, synthetic, seed=seed, networks=LOOPED, steps=steps)
    looped = (time.perf_counter() - began) * REPEATS / LOOPED
    why = f"{REPEATS} repeats of {steps} steps, {size} windows a side: {source}"
    other = f"{why}; {LOOPED} of the {REPEATS} networks were trained, their time multiplied"
    return [
        ("timeloom", "wall time", batched, "s", why),
        ("reference loop", "wall time", looped, "s", other),
        ("timeloom", "ratio", looped / batched, "times", "reference loop / timeloom"),
        ("timeloom", "score", ours.value, "share", why),
        ("reference loop", "score", theirs, "share", other),
    ]


def _two_sides(size: int, seed: int) -> tuple[Array, Array, str]:
    """Real windows, and a Gaussian with the means and covariances of other real ones."""
    try:
        name, loaded = "etth1", load_dataset("etth1")
    except ValueError:  # the data are not on this machine; a sample of these comes with timeloom
        name, loaded = "cmapss_fd001", load_dataset("cmapss_fd001")
    x = cut(loaded[0], LENGTH).x[:, :, :CHANNELS]
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(x))
    real, other = x[rows[:size]], x[rows[-size:]].reshape(size, -1)
    made = rng.multivariate_normal(other.mean(0), np.cov(other.T), size, method="eigh")
    return real, made.reshape(real.shape), f"{name}, and a Gaussian fitted to other windows of it"


def reference_loop(real: Array, synthetic: Array, *, seed: int, networks: int, steps: int) -> float:
    """The discriminative score as the field's code trains it: one torch.nn.GRU after another.

    Each step permutes all training windows of either side, takes the first 32, and runs the network
    once on the real and once on the synthetic ones. Kinder than the published code in one respect:
    rows are taken by one index, not stacked from a list.

    Args:
        real: (window, time, channel).
        synthetic: (window, time, channel).
        seed: Of splits, first weights and batches.
        networks: How many are trained.
        steps: Optimisation steps of each.

    Returns:
        Mean over the networks of abs(accuracy - 0.5).
    """
    import torch

    from timeloom.metrics.discriminator import standardise

    sides = [torch.as_tensor(side) for side in standardise(real, synthetic, by=real)]
    rng = np.random.default_rng(seed)
    scores = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(networks):
            orders = [rng.permutation(len(side)) for side in sides]
            pairs = list(zip(sides, orders, strict=True))
            learn = [side[order[: int(len(order) * 0.8)]] for side, order in pairs]
            test = [side[order[int(len(order) * 0.8) :]] for side, order in pairs]
            read = _trained_alone(learn, rng, steps)
            with torch.no_grad():
                right = torch.cat([read(test[0]) > 0, read(test[1]) <= 0])
            scores.append(abs(float(right.double().mean()) - 0.5))
    return float(np.mean(scores))


def _trained_alone(learn: list[Any], rng: np.random.Generator, steps: int) -> Callable[[Any], Any]:
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits

    channels = learn[0].shape[2]
    network = nn.GRU(channels, max(1, channels // 2), batch_first=True)
    head = nn.Linear(max(1, channels // 2), 1)
    optimiser = torch.optim.Adam([*network.parameters(), *head.parameters()])

    def read(x: Any) -> Any:
        return head(network(x)[1])[0, :, 0]

    for _ in range(steps):
        real, made = (side[rng.permutation(len(side))[:32]] for side in learn)
        told, made_up = read(real), read(made)
        loss = binary_cross_entropy_with_logits(told, torch.ones_like(told))
        loss = loss + binary_cross_entropy_with_logits(made_up, torch.zeros_like(made_up))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return read


def _volumes(size: int, seed: int) -> list[Figure]:
    """Both volumes under the surface, aeon's flavour, beside aeon where it is installed."""
    from timeloom.metrics.detection import vus

    labels, scores = _anomalies(size, seed)
    began = time.perf_counter()
    ours = vus(labels, scores, window=100, flavour="aeon")
    quick = time.perf_counter() - began
    why = f"ROC and PR, buffers 0 to 100, 250 thresholds, {int(labels.sum())} abnormal points"
    figures: list[Figure] = [
        ("timeloom", "wall time", quick, "s", why),
        ("timeloom", "VUS-ROC", ours.roc, "", why),
        ("timeloom", "VUS-PR", ours.pr, "", why),
    ]
    try:
        from aeon.benchmarking.metrics.anomaly_detection import (  # pyright: ignore
            range_pr_vus_score,
            range_roc_vus_score,
        )
    except ImportError:
        skipped = "skipped: aeon is not installed; pip install aeon==1.6"
        return [*figures, ("aeon", "wall time", None, "s", skipped)]
    began = time.perf_counter()
    roc = range_roc_vus_score(labels, scores, max_buffer_size=100)
    slow = time.perf_counter() - began
    pr = range_pr_vus_score(labels, scores, max_buffer_size=100)
    return [
        *figures,
        (
            "aeon",
            "wall time",
            slow,
            "s",
            f"{why}; one call, for VUS-ROC alone; timeloom's gives both",
        ),
        ("aeon", "VUS-ROC", float(roc), "", why),
        ("aeon", "VUS-PR", float(pr), "", why),
        ("timeloom", "ratio", slow / quick, "times", "aeon / timeloom"),
    ]


def _anomalies(size: int, seed: int) -> tuple[Array, Array]:
    """Ten events, each up to a hundredth of the time, and a score that finds most of them."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(size, dtype=np.int64)
    for start in rng.integers(0, size - size // 100, 10):
        labels[start : start + rng.integers(size // 1000 + 1, size // 100 + 2)] = 1
    return labels, rng.random(size) + 0.5 * labels * (rng.random(size) < 0.7)


def _evaluation(size: int, seed: int) -> list[Figure]:
    """Every default row, real, synthetic and training windows given, in a process of its own."""
    figures: list[Figure] = []
    arms = (("timeloom", 0), ("timeloom, two classes", 2))
    for arm, classes in arms if seed == 0 else arms[:1]:
        seconds, memory = _child(size, seed, classes)
        why = f"timeloom.evaluate, {size:,} windows of 24 x 7 a side, imports included"
        figures += [
            (arm, "wall time", seconds, "s", why),
            (arm, "peak memory", memory, "MB", why),
        ]
    return figures


def _memory(size: int, seed: int) -> list[Figure]:
    seconds, memory = _child(size, seed, 0)
    why = f"timeloom.evaluate, {size:,} windows of 24 x 7 real, synthetic and for training each"
    return [
        ("timeloom", "peak memory", memory, "MB", why),
        ("timeloom", "wall time", seconds, "s", why),
    ]


def _child(size: int, seed: int, classes: int) -> tuple[float, float]:
    code = (
        "import timeloom; from timeloom.bench.metrics import made_windows as made; "
        f"real, synthetic, train = (made({size}, 3 * {seed} + k, {classes}) for k in range(3)); "
        "timeloom.evaluate(real, synthetic, train)"
    )
    return measured(["-c", code])


def made_windows(size: int, seed: int, classes: int = 0) -> Windows:
    """Windows of 24 x 7 of waves and noise, from 50 recordings, the same on every machine.

    Args:
        size: How many.
        seed: Which.
        classes: How many labels they have; 0 for none. A class has a pace of its own.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, size) if classes else None
    pace = rng.uniform(0.1, 0.4, (size, 1, CHANNELS)).astype(np.float32)
    if y is not None:
        pace += 0.1 * y[:, None, None].astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, (size, 1, 1)).astype(np.float32)
    x = np.sin(phase + pace * np.arange(LENGTH, dtype=np.float32)[:, None])
    x += 0.1 * rng.standard_normal(x.shape, dtype=np.float32)
    return Windows(x, y, series=np.arange(size) * 50 // size, start=np.arange(size) * LENGTH)
