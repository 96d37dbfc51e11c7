"""What do the ten steps of the cross-domain report come to, on data of any kind, over many seeds?

Data and split; a generator; a classifier; gradient norms per class; samples with guidance of
several strengths, with the released update beside it; their quality; what a classifier learns from
them. ``wafer.py`` and ``nasdaq.py`` say on which data. Source: the report named in
``crossdomain.py``, whose protocols these are.
"""

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.advice import advise
from timeloom.bench.crossdomain import PROTOCOLS, Published
from timeloom.bench.released import BATCH, Released
from timeloom.data.windows import Windows
from timeloom.methods.diffmts import DiffMTS
from timeloom.methods.estimator import fingerprint
from timeloom.methods.tardiff import TarDiff
from timeloom.metrics.fidelity.mmd import mmd
from timeloom.metrics.judging import Training
from timeloom.metrics.utility import (
    ARMS as SHARES,
)
from timeloom.metrics.utility import (
    Prediction,
    class_reader,
    protocols,
    scores,
)

__all__ = ["ARMS", "Arm", "Figure", "Task", "Wanted", "measure", "null_norms", "spread_ratio"]

Array = NDArray[Any]
Parts = tuple[Windows, Windows, Windows]

SEEDS = (0, 1, 2, 3, 4)
OUTSIDE = 0.6  # of the range from its middle: beyond the real range by a tenth of it


@dataclass(frozen=True)
class Arm:
    """One way to make the synthetic windows; all arms share the generator and its noise.

    Attributes:
        name: As records call it.
        kind: ``"guided"`` by TarDiff; ``"paper"``, guided with the paper's absolute strength;
            ``"selected"``, the most useful of four; ``"balanced"``, as many of every class;
            ``"copies"`` of the training windows; ``"released"``, the released update; ``"ones"``,
            generated as one class, stored with the labels that were meant.
        strength: Of the guidance, or alpha of the released update.
    """

    name: str
    kind: str = "guided"
    strength: float = 0.0

    @property
    def ours(self) -> bool:
        """Whether it is a way that this library offers; the others are there to be compared."""
        return self.kind in ("guided", "paper", "selected", "balanced")


ARMS = (
    Arm("unguided"),
    *(Arm(f"guided {scale:g}", strength=scale) for scale in (0.05, 0.1, 0.25)),
    Arm("guided, w = 100", "paper", 100.0),
    Arm("best of 4", "selected"),
    Arm("balanced labels", "balanced"),
    Arm("copies", "copies"),
    *(Arm(f"released {alpha:g}", "released", alpha) for alpha in (0.1, 0.25, 0.5)),
    Arm("all one label", "ones"),
)


class Wanted(NamedTuple):
    """A figure to be reached: at least ``least``, of a protocol's AUROC in one arm."""

    arm: str
    protocol: str
    least: float


@dataclass(frozen=True)
class Task:
    """Labelled data, and all that the ten steps must know of them.

    Attributes:
        name: As records call the data.
        about: What they are and how they are split, in sentences for the page.
        load: From a seed to training, validation and test windows. The test windows are the same
            for every seed; windows of one recording (``series``) stay together in resamples.
        classes: Label to what it is called.
        one: The label of which all windows are in the arm "all one label".
        published: The report's figures.
        train_steps: Of the generator.
        judge: Of the protocols.
        classifier_steps: Of the guidance classifier.
        width: Of the generator's network.
        seeds: One cell each.
        rules: More figures of samples, by name: windows in, a share out, lower is better.
        wanted: Figures to be reached.
    """

    name: str
    about: str
    load: Callable[[int], Parts]
    classes: Mapping[Any, str]
    one: Any
    published: Published
    train_steps: int
    judge: Training = field(default_factory=Training)
    classifier_steps: int = 400
    width: int = 32
    seeds: tuple[int, ...] = SEEDS
    rules: Mapping[str, Callable[[Windows], float]] = field(default_factory=dict)
    wanted: tuple[Wanted, ...] = ()


class Figure(NamedTuple):
    """One measured number of one arm."""

    arm: str
    metric: str
    value: float
    better: str = "higher"
    settings: Mapping[str, Any] = {}


class Makers(NamedTuple):
    """What makes windows, all of one generator; ``plain`` is for gradient norms alone."""

    generator: DiffMTS
    guided: TarDiff
    plain: TarDiff
    paper: TarDiff
    selected: TarDiff
    released: Released


def measure(task: Task, seed: int, runs: Path) -> tuple[list[Figure], dict[str, Prediction]]:
    """All figures of one cell, and what each arm says of the test windows.

    Args:
        task: What is measured.
        seed: Of the split, the generator, the classifier, the noise and the judges.
        runs: Where the generator is kept, so that a killed cell need not train it again.

    Returns:
        The figures; predictions by ``"arm/protocol"``, the baseline as ``"real/baseline"``.
    """
    parts = train, validation, test = task.load(seed)
    figures = [_advice(train, test)]
    makers = _makers(task, parts, seed, runs)
    figures += _norms(task, makers, train, validation)
    classes = np.asarray(makers.generator.condition_.classes)
    read = class_reader((train.x, np.asarray(train.y)), classes, seed=seed)
    figures += _shown(task, "real", read(test.x), test.y)
    said: dict[str, Prediction] = {}
    for arm in ARMS:
        began = time.monotonic()
        made = _made(arm, makers, train, task, seed)
        figures.append(Figure(arm.name, "seconds to sample", time.monotonic() - began, "lower"))
        figures += _quality(task, arm, made, train, test, seed)
        figures += _shown(task, arm.name, read(made.x), made.y)
        if arm.kind == "released":
            figures += _shrinking(arm, makers, made, seed)
        said |= _learnt(task, arm, made, parts, seed)
    return [*figures, *_scored(task, said)], said


def null_norms(y: Array) -> Array:
    """(class,) gradient norms that shares of classes alone give, by ascending class.

    Formula: the length of ``p - e`` with p the shares and e the indicator of the class, which is
    the gradient of the loss by the outputs where a classifier knows nothing but the shares.
    """
    shares = np.unique(y, return_counts=True)[1] / len(y)
    return np.linalg.norm(shares - np.eye(len(shares)), axis=1)


def spread_ratio(made: Array, real: Array) -> float:
    """Standard deviation of windows over that of real ones, the mean over channels.

    Args:
        made: (window, time, channel).
        real: The same of real windows, in the same unit. 1 is ideal; far below it, samples shrink.
    """
    own, other = (np.std(x, axis=(0, 1), dtype=np.float64) for x in (made, real))
    return float(np.mean(own[other > 0] / other[other > 0]))


def _makers(task: Task, parts: Parts, seed: int, runs: Path) -> Makers:
    train, validation, test = parts
    how: dict[str, Any] = dict(train_steps=task.train_steps, width=task.width, seed=seed)
    generator = DiffMTS(drop=0.2, guidance=0.2, **how)
    folder = runs / f"ten-steps-{task.train_steps}-{task.width}-{seed}-{fingerprint(train)}"
    if (folder / "weights.safetensors").exists():
        generator = DiffMTS.load(folder)
    else:
        for _ in generator.training(train, folder=folder, resume=True):
            pass
    how = dict(train_steps=task.classifier_steps, seed=seed)
    aside: dict[str, Any] = dict(guidance=validation, test=test)
    guided = TarDiff(generator, "resnet", scale=0.1, **how).fit(train, **aside)
    # As the report's: not balanced. Balanced training takes out what the shares alone give.
    plain = TarDiff(generator, "resnet", scale=0.0, balance=False, **how).fit(train, **aside)
    known = guided.classifier_
    paper = TarDiff(generator, known, scale=100.0, strength="absolute", source="all")
    paper.fit(validation)
    selected = TarDiff(generator, known, scale=0.0, pool=4).fit(validation)
    released = Released(generator, copy.deepcopy(plain.classifier_), train)
    return Makers(generator, guided, plain, paper, selected, released)


def _made(arm: Arm, makers: Makers, train: Windows, task: Task, seed: int) -> Windows:
    y, count = np.asarray(train.y), len(train)
    if arm.kind == "copies":
        return train
    if arm.kind == "released":
        return makers.released.sample(y, alpha=arm.strength, seed=seed)
    if arm.kind == "ones":
        made = makers.generator.sample(count, task.one, seed=seed)
        return Windows(made.x, y, channels=made.channels, label_name=made.label_name)
    if arm.kind == "balanced":
        y = np.resize(np.unique(y), count)
        return makers.generator.sample(count, y, seed=seed)
    tardiff = {"guided": makers.guided, "paper": makers.paper}.get(arm.kind, makers.selected)
    scale = 0.0 if arm.kind == "selected" else arm.strength
    with warnings.catch_warnings():
        # Of values outside the data's range: a figure of every arm says how many there are.
        warnings.simplefilter("ignore", UserWarning)
        return tardiff.sample(count, y, seed=seed, scale=scale)


def _learnt(task: Task, arm: Arm, made: Windows, parts: Parts, seed: int) -> dict[str, Prediction]:
    """What judges say of the test windows that learnt with the windows of an arm."""
    train, validation, test = map(_side, parts)
    # Copies are the training windows: their call can give the baseline of all arms too.
    wanted = ("baseline", *PROTOCOLS) if arm.kind == "copies" else PROTOCOLS
    found = protocols(
        train,
        _side(made),
        test,
        task="classify",
        judge=task.judge,
        arms={name: SHARES[name] for name in wanted},
        seed=seed,
        choose=validation,
    )
    return {
        f"{'real' if name == 'baseline' else arm.name}/{name}": one for name, one in found.items()
    }


def _side(windows: Windows) -> tuple[Array, Array, Array]:
    return windows.x, np.asarray(windows.y), windows.series


def _advice(train: Windows, test: Windows) -> Figure:
    """The verdict before any training, beside which the outcome will stand."""
    began = time.monotonic()
    advice = advise(train, test=test)
    told = {"verdict": advice.verdict, "reasons": list(advice.reasons)}
    return Figure("advise", "seconds to advise", time.monotonic() - began, "lower", told)


def _norms(task: Task, makers: Makers, train: Windows, validation: Windows) -> Iterator[Figure]:
    norms = makers.plain.gradient_norms(validation)
    y = np.asarray(validation.y)
    means = {label: float(norms[y == label].mean()) for label in np.unique(y).tolist()}
    for label, mean in means.items():
        yield Figure("classifier", f"gradient norm, {task.classes[label]}", mean)
    null = null_norms(np.asarray(train.y))
    ratio, alone = max(means.values()) / min(means.values()), float(null.max() / null.min())
    yield Figure("classifier", "gradient norm ratio", ratio)
    yield Figure("classifier", "ratio by shares alone", alone)
    yield Figure("classifier", "ratio over shares alone", ratio / alone)
    yield Figure("classifier", "validation auroc", makers.plain.validation_auroc_)
    yield Figure("classifier", "validation auroc, balanced", makers.guided.validation_auroc_)


def _quality(
    task: Task, arm: Arm, made: Windows, train: Windows, test: Windows, seed: int
) -> Iterator[Figure]:
    yield Figure(arm.name, "mmd", mmd(test.x, made.x, seed=seed), "lower")
    for label, name in task.classes.items():
        own, other = made.x[made.y == label], train.x[train.y == label]
        if len(own):
            yield Figure(arm.name, f"spread ratio, {name}", spread_ratio(own, other))
    low, high = (at(train.x, axis=(0, 1)) for at in (np.min, np.max))
    beyond = np.abs(made.x - (low + high) / 2) > OUTSIDE * (high - low)
    yield Figure(arm.name, "values outside the real range", float(beyond.mean()), "lower")
    for name, rule in task.rules.items():
        yield Figure(arm.name, name, rule(made), "lower")


def _shown(task: Task, arm: str, read: Array, y: Array | None) -> Iterator[Figure]:
    """How often a class that was asked for is read from the windows, by class."""
    picked, labels = read.argmax(axis=1), np.asarray(y)
    for place, label in enumerate(sorted(task.classes)):
        if (labels == label).any():
            share = float((picked[labels == label] == place).mean())
            yield Figure(arm, f"recall, {task.classes[label]}", share)


def _shrinking(arm: Arm, makers: Makers, made: Windows, seed: int) -> Iterator[Figure]:
    """How far the released update is from its shrinking alone, in spreads of the real data."""
    first = made[np.arange(min(BATCH, len(made)))]  # the first batch, in which they are coupled
    y = np.asarray(first.y)
    alone = makers.released.sample(y, alpha=arm.strength, seed=seed, pushed=False)
    one, other = (makers.generator.scaler_.transform(w.x) for w in (first, alone))
    yield Figure(arm.name, "difference from shrinking", float(np.abs(one - other).mean()), "lower")


def _scored(task: Task, said: Mapping[str, Prediction]) -> Iterator[Figure]:
    from sklearn.metrics import average_precision_score

    place = sorted(task.classes).index(task.one)
    for key, prediction in said.items():
        arm, protocol = key.split("/")
        for name, value in scores(prediction).items():
            yield Figure(arm, f"{protocol} {name}", value)
        if len(task.classes) == 2:  # the report's AUPRC: of the class that it calls 1
            value = average_precision_score(prediction.truth == place, prediction.said[:, place])
            yield Figure(arm, f"{protocol} auprc of {task.classes[task.one]}", float(value))
