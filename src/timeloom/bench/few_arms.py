"""Who makes windows from few: the plain rivals, ImagenFew in all its forms, and public code."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.bench.few_judges import Judges
from timeloom.bench.few_sets import FewSet, few, load
from timeloom.bench.public_code import train_and_sample
from timeloom.data.windows import Windows

__all__ = [
    "ADAPTED",
    "BETWEEN",
    "COPY",
    "EVERY",
    "FLOOR",
    "FULL",
    "FULL_WAY",
    "LOW_RANK_WAY",
    "MAIN",
    "MIXUP",
    "QUICK",
    "RIVALS",
    "SCRATCH",
    "TOKEN_WAY",
    "VARIANTS",
    "Arm",
    "Budget",
    "Cell",
    "Made",
    "NotHere",
    "Place",
    "floor_windows",
]

Array = NDArray[Any]

FLOOR, COPY, MIXUP, SCRATCH, ADAPTED = "floor", "copy", "mixup", "scratch", "adapted"


class NotHere(Exception):
    """An arm cannot be run here; the message says what it lacks."""


@dataclass(frozen=True)
class Budget:
    """What an arm may spend.

    Attributes:
        steps: Optimisation steps of ``adapt``, from shipped and from random weights alike; None:
            its own number.
        paper_steps: The same of the paper's model, from random weights; the paper's number.
        judges: What judges may spend.
    """

    steps: int | None = None
    paper_steps: int = 1_000
    judges: Judges = field(default_factory=Judges)


FULL = Budget()
QUICK = Budget(20, 5, Judges(2, 100, 100, 20, 100))


@dataclass(frozen=True)
class Cell:
    """One row of the grid: what every arm in it learns from and is judged by.

    Attributes:
        protocol: ``"random"`` or ``"first"``.
        name: Of the set.
        count: How many windows; below 1 a share of them.
        seed: Of the draw, the arms and the judges.
    """

    protocol: str
    name: str
    count: float
    seed: int

    @property
    def data(self) -> str:
        """As records call it, for example ``etth1, random 25``."""
        many = f"{self.count:.0%}" if self.count < 1 else f"{self.count:.0f}"
        return f"{self.name}, {self.protocol} {many}"

    @cached_property
    def real(self) -> FewSet:
        """The set."""
        return load(self.name)

    @cached_property
    def few(self) -> Windows:
        """What arms learn from."""
        return few(self.real.train, self.count, self.seed, self.protocol)


@dataclass(frozen=True)
class Place:
    """What arms find around them.

    Attributes:
        budget: What they may spend.
        runs: Folder of pre-trained run folders, one per variant and named as it is.
        rivals: Folder of the clones of public code.
        spent: CPU seconds that ``adapt`` took in this cell, which a public rival gets to train;
            None where it is not measured.
    """

    budget: Budget = FULL
    runs: Path | None = None
    rivals: Path | None = None
    spent: float | None = None

    def size(self, cell: Cell) -> int:
        """How many windows an arm is asked for: as many as the judges take."""
        return min(len(cell.real.held_out), self.budget.judges.most)


class Made(NamedTuple):
    """What an arm made, and what it cost.

    Attributes:
        x: (window, time, channel).
        learn_seconds: CPU seconds of learning from the few windows.
        sample_seconds: CPU seconds of drawing ``x``.
        about: JSON values that records keep beside the figures.
    """

    x: Array
    learn_seconds: float = 0.0
    sample_seconds: float = 0.0
    about: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Arm:
    """One way to come by windows.

    Attributes:
        name: As records call it.
        make: From a cell and what is around it to windows; raises :class:`NotHere` where it lacks
            something.
    """

    name: str
    make: Callable[[Cell, Place], Made]


def _cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def floor_windows(real: FewSet, size: int, seed: int) -> Array:
    """So many real training windows, the same for every count and protocol."""
    rng = np.random.default_rng([seed, 20454])
    return real.train.x[np.sort(rng.permutation(len(real.train))[:size])]


def _floor(cell: Cell, place: Place) -> Made:
    return Made(floor_windows(cell.real, place.size(cell), cell.seed))


def _copy(cell: Cell, place: Place) -> Made:
    """The few handed back, each about equally often."""
    rng = np.random.default_rng([cell.seed, 20455])
    return Made(cell.few.x[rng.integers(len(cell.few), size=place.size(cell))])


def _mixup(cell: Cell, place: Place) -> Made:
    """Between two of the few, mostly near one of them: Beta(0.2, 0.2), Zhang et al. 2018."""
    rng = np.random.default_rng([cell.seed, 20456])
    size = place.size(cell)
    one, other = cell.few.x[rng.integers(len(cell.few), size=(2, size))]
    share = rng.beta(0.2, 0.2, (size, 1, 1)).astype(one.dtype)
    return Made(share * one + (1 - share) * other)


def _drawn(cell: Cell, place: Place, learnt: Callable[[], Any], **about: Any) -> Made:
    """Learns and draws, both by the CPU clock."""
    began = _cpu()
    model = learnt()
    middle = _cpu()
    x = np.asarray(model.sample(place.size(cell), seed=cell.seed))
    return Made(x, middle - began, _cpu() - middle, {"steps": model.train_steps, **about})


@cache
def _shipped() -> Any:
    from timeloom.methods.imagenfew import ImagenFew

    return ImagenFew.pretrained()


@cache
def _loaded(folder: Path) -> Any:
    from timeloom.methods.imagenfew import ImagenFew

    return ImagenFew.load(folder)


def _adapted(cell: Cell, place: Place, model: Any, **how: Any) -> Made:
    told = {"name": cell.name, "seed": cell.seed, "device": "cpu", **how}

    def learnt() -> Any:
        return model.adapt(cell.few, steps=place.budget.steps, **told)

    # Which weights it began from: records of others must not stand beside these.
    before = {name: model.settings[name] for name in ("width", "train_steps", "seed")}
    return _drawn(cell, place, learnt, before=before, **how)


def _scratch(cell: Cell, place: Place) -> Made:
    """The shipped network with its first weights, then exactly what ``_adapted`` does."""
    shipped = _shipped()
    # One step of fit is what it takes to have weights. It is on noise, so that nothing of the set
    # is known before; they are still all but those of the seed.
    noise = np.random.default_rng([cell.seed, 20457]).standard_normal((16, *cell.few.shape))
    settings = {**shipped.settings, "train_steps": 1, "seed": cell.seed, "device": "cpu"}
    blank = type(shipped)(**settings).fit({"noise": noise.astype(np.float32)})
    return _adapted(cell, place, blank, how="full")


def _paper(cell: Cell, place: Place) -> Made:
    from timeloom.methods.imagenfew import ImagenFew

    steps = place.budget.paper_steps
    model = ImagenFew.paper(seed=cell.seed, train_steps=steps, device="cpu")
    return _drawn(cell, place, lambda: model.fit({cell.name: cell.few}))


def _variant(name: str) -> Arm:
    """An arm that adapts the run folder ``name`` instead of the shipped weights."""

    def make(cell: Cell, place: Place) -> Made:
        home = None if place.runs is None else place.runs / name
        if home is None or not (home / "weights.safetensors").exists():
            raise NotHere(f"there is no finished run {name!r} in --runs ({place.runs})")
        return _adapted(cell, place, _loaded(home))

    return Arm(name, make)


def _other_way(how: str) -> Arm:
    """An arm that adapts the shipped weights in one way whatever the number of windows."""
    return Arm(how, lambda cell, place: _adapted(cell, place, _shipped(), how=how))


def _public(name: str) -> Arm:
    """An arm of public code, with as many CPU seconds to train as ``adapt`` took in this cell."""

    def make(cell: Cell, place: Place) -> Made:
        if place.rivals is None:
            raise NotHere("its clone must be given by --rivals")
        if place.spent is None:
            raise NotHere(f"{ADAPTED!r}, whose CPU seconds it gets, is not measured in this cell")
        found = train_and_sample(
            name,
            place.rivals,
            cell.few.x,
            place.size(cell),
            cpu_seconds=place.spent,
            seed=cell.seed,
        )
        about = {"steps": found.train_steps, "parameters": found.parameters, "calls": found.calls}
        return Made(found.samples, found.train_seconds, found.sample_seconds, about)

    return Arm(name, make)


MAIN = (
    Arm(FLOOR, _floor),
    Arm(COPY, _copy),
    Arm(SCRATCH, _scratch),
    Arm(ADAPTED, lambda cell, place: _adapted(cell, place, _shipped())),
)
BETWEEN = Arm(MIXUP, _mixup)
FULL_WAY, LOW_RANK_WAY, TOKEN_WAY = (_other_way(how) for how in ("full", "low_rank", "token"))
VARIANTS = tuple(
    _variant(name) for name in ("default", "no_token", "dynamic", "padded", "narrow", "wide")
)
RIVALS = (Arm("paper", _paper), _public("diffusion-ts"), _public("imagentime"))
EVERY = (*MAIN, BETWEEN, FULL_WAY, LOW_RANK_WAY, TOKEN_WAY, *VARIANTS, *RIVALS)
