"""Do synthetic windows help where a class is rare? Guidance and selection against plain rivals.

Seven real sets x ten seeds. Every arm has the same real windows, as many synthetic ones, and the
same judge for the same number of optimisation steps.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

import timeloom
from timeloom.bench.augmenters import interpolated, jittered, oversampled, warped
from timeloom.bench.paired_page import write_paired_page
from timeloom.bench.rare_sets import (
    CANDIDATES,
    PROBED,
    SETS,
    SIMULATED,
    RareSet,
    drawn,
    fit_and_guidance,
    pools,
    probe,
)
from timeloom.bench.records import done, note, share_of
from timeloom.data.windows import Windows, concatenate
from timeloom.methods.diffmts import DiffMTS
from timeloom.methods.estimator import fingerprint
from timeloom.metrics.discriminator import standardise
from timeloom.metrics.record import Record, read_records
from timeloom.metrics.utility.scores import Prediction, scores
from timeloom.nets.resnet import ResNet
from timeloom.train.reader import outputs_of, train_reader

__all__ = ["ARMS", "Arm", "Budget", "Cell", "judged", "measure", "run"]

SEEDS = 10
SIMULATED_SEEDS = 5
# Settings of the arms were tried on these sets' test windows, with seed 200 (docs/journal.md).
SEEN = ("ecg5000 3 4 5", "racketsports Badminton_Clear", "fd002 failure")


@dataclass(frozen=True)
class Budget:
    """What a cell may spend.

    Attributes:
        generator: Settings of Diff-MTS.
        steps: Optimisation steps of a judge, in every arm.
        batch: Windows per step.
        judges: Judges per arm, each with other first weights; their scores are averaged.
        classifier: Optimisation steps of the classifier that guides and selects.
    """

    generator: Mapping[str, Any]
    steps: int = 200
    batch: int = 32
    judges: int = 2
    classifier: int = 200


FULL = Budget(dict(train_steps=500, width=16, batch=64, held_out=0.0, validations=1))
QUICK = Budget(dict(train_steps=30, width=8, batch=16, held_out=0.0, validations=1), 30, 32, 1, 30)


class Cell:
    """One set and seed, and what its arms share.

    Args:
        entry: The set.
        seed: Of the draw, the split, the generator, the samples and the judges.
        budget: What may be spent.
        folder: Where the fitted generator is kept, for arms that are added later; None: nowhere.

    Attributes:
        fit: Real windows that the generator and the guiding classifier learn from: 75 %.
        guidance: The other 25 %: they steer, and they choose among arms.
        real: Both; every judge of an arm learns from them.
        test: Real windows of the canonical test part.
        wanted: Synthetic windows per class: the rare class becomes as frequent as the other.
    """

    def __init__(
        self, entry: RareSet, seed: int, budget: Budget = FULL, folder: Path | None = None
    ) -> None:
        self.entry, self.seed, self.budget, self.folder = entry, seed, budget, folder
        train, self.test = drawn(entry, seed)
        self.fit, self.guidance = fit_and_guidance(entry, train, seed)
        self.real = concatenate([self.fit, self.guidance])
        self.wanted = {1: entry.majority - entry.minority}
        self.seconds: dict[str, float] = {}  # of what arms share
        self.used: set[str] = set()  # of that, what was asked for since the set was last emptied

    @cached_property
    def labels(self) -> NDArray[np.integer]:
        """(window,) the class of every synthetic window that is wanted."""
        return np.repeat(list(self.wanted), list(self.wanted.values()))

    def seen(self, windows: Windows) -> Tensor:
        """(window, channel, time) as judges read them: in the scale of the real windows."""
        return torch.from_numpy(standardise(windows.x, by=self.real.x)[0]).mT.contiguous()

    @property
    def generator(self) -> DiffMTS:
        """Fitted on ``fit``, once; taken from its run folder where that is complete."""
        self.used.add("generator")
        return self._generator

    @property
    def classifier(self) -> torch.nn.Module:
        """It guides and selects: learns from ``fit``, its weights are chosen on ``guidance``."""
        self.used.add("classifier")
        return self._classifier

    @cached_property
    def _generator(self) -> DiffMTS:
        name = f"augment-{self.entry.name.replace(' ', '_')}-{self.seed}"
        home = None if self.folder is None else self.folder / "runs" / name
        settings: dict[str, Any] = dict(
            seed=self.seed, device="cpu", keep_constant=True, **self.budget.generator
        )
        made = DiffMTS(**settings)
        if home is not None and (home / "weights.safetensors").exists():
            kept = DiffMTS.load(home)
            if kept.settings == made.settings and kept.data_ == fingerprint(self.fit):
                last = (home / "train.jsonl").read_text().splitlines()[-1]
                self.seconds["generator"] = float(json.loads(last)["seconds"])
                return kept
        began = time.monotonic()
        made.fit(self.fit, folder=home)
        self.seconds["generator"] = time.monotonic() - began
        return made

    @cached_property
    def _classifier(self) -> torch.nn.Module:
        from timeloom.methods.tardiff import TarDiff

        generator, began = self.generator, time.monotonic()
        steps = self.budget.classifier
        tardiff = TarDiff(generator, "resnet", 0.0, train_steps=steps, seed=self.seed)
        tardiff.fit(self.fit, guidance=self.guidance, test=self.test)
        self.seconds["classifier"] = time.monotonic() - began
        return tardiff.classifier_

    def tardiff(self, **settings: Any) -> Any:
        """A TarDiff with this cell's generator, classifier and guidance windows."""
        from timeloom.methods.tardiff import TarDiff

        made = TarDiff(self.generator, self.classifier, seed=self.seed, **settings)
        return made.fit(self.fit, guidance=self.guidance)


@dataclass(frozen=True)
class Arm:
    """One way to come by synthetic windows.

    Attributes:
        name: How tables call it.
        make: From the cell to synthetic windows; None: none.
        candidate: Whether it is one of those of which the best on the guidance part is "chosen".
    """

    name: str
    make: Callable[[Cell], Windows] | None
    candidate: bool = False


def _plain(augmenter: Callable[..., Windows]) -> Callable[[Cell], Windows]:
    # These need no held-out windows, so they may take all real ones.
    return lambda cell: augmenter(cell.real, cell.wanted, cell.seed)


def _generated(cell: Cell) -> Windows:
    return cell.generator.sample(len(cell.labels), cell.labels, seed=cell.seed)


def _steered(**settings: Any) -> Callable[[Cell], Windows]:
    return lambda cell: cell.tardiff(**settings).sample(
        len(cell.labels), cell.labels, seed=cell.seed
    )


REAL = "real only"
ARMS = (
    Arm(REAL, None),
    Arm("oversampling", _plain(oversampled)),
    Arm("SMOTE-like", _plain(interpolated)),
    Arm("jitter", _plain(jittered)),
    Arm("time-warping", _plain(warped)),
    Arm("generation", _generated),
    Arm("guidance, all, .3", _steered(scale=0.3, source="all")),
    Arm("guidance, minority, .3", _steered(scale=0.3, source="minority"), True),
    Arm("guidance, minority, .6", _steered(scale=0.6, source="minority"), True),
    Arm("selection, minority, pool 4", _steered(scale=0.0, source="minority", pool=4), True),
    Arm("both, minority, .6, pool 4", _steered(scale=0.6, source="minority", pool=4), True),
)
FIXED = ("guidance, minority, .3", "guidance, minority, .6")  # shown by themselves as well
RIVALS = (REAL, "oversampling", "SMOTE-like", "jitter", "time-warping", "generation")


def run(quick: bool = False, folder: Path = Path("results"), part: str = "1/1") -> Iterator[str]:
    """First probes the candidates for the suite, then runs the cells that have no record yet.

    Arms that are missing in a cell are added to it; the generator is kept in ``folder/runs``.

    Args:
        quick: One set, one seed, a tiny budget, no probing.
        folder: Where ``augment.jsonl`` and ``augment-candidates.jsonl`` are added to, and
            ``augment.md`` is written; ``augment-simulated.*`` the same of a simulated set of which
            ``advise`` says yes.
        part: ``"1/2"`` takes every second cell, for two processes side by side.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N.
    """
    path = folder / ("augment-quick.jsonl" if quick else "augment.jsonl")
    tried = folder / "augment-candidates.jsonl"
    first, every = share_of(part)
    if not quick:
        for entry in CANDIDATES[first - 1 :: every]:
            yield from probed(tried, entry)
    budget, home = (QUICK, None) if quick else (FULL, folder)
    grids = [(path, SETS[:1] if quick else SETS, 1 if quick else SEEDS, tried)]
    if not quick:  # the simulated set was no candidate, so nothing is said of its choice
        grids += [(folder / "augment-simulated.jsonl", (SIMULATED,), SIMULATED_SEEDS, None)]
    candidates = tuple(arm.name for arm in ARMS if arm.candidate)
    for where, entries, seeds, choice in grids:
        cells = [(entry, seed) for seed in range(seeds) for entry in entries]
        for entry, seed in cells[first - 1 :: every]:
            yield from _measured(where, entry, seed, budget, home)
        yield f"page: {write_paired_page(where, choice, candidates, RIVALS, SEEN, FIXED)}"


def _measured(
    path: Path, entry: RareSet, seed: int, budget: Budget, folder: Path | None
) -> Iterator[str]:
    """Notes the arms of a cell that have no record yet."""
    known = {(r.data, r.method, r.seeds) for r in (read_records(path) if path.exists() else ())}
    data = f"{entry.name}, {entry.length}"
    missing = [arm for arm in ARMS if (data, arm.name, (seed,)) not in known]
    if not missing:
        return
    cell = Cell(entry, seed, budget, folder)
    began = time.monotonic()
    for arm in missing:
        note(path, measure(cell, arm))
    yield f"{entry.name}, seed {seed}: {len(missing)} arms, {time.monotonic() - began:.0f} s"


def probed(path: Path, entry: RareSet) -> Iterator[str]:
    """Notes what ``advise`` says of the training draws of a candidate, unless it is noted."""
    if done(path, entry.name, entry.length, "advise", PROBED[0]):
        return
    began = time.monotonic()
    said = {seed: probe(entry, seed) for seed in PROBED}
    blank = Record("cv_auroc", better="higher", method="advise", version=timeloom.__version__)
    blank = replace(blank, data=f"{entry.name}, {entry.length}")
    sizes = {"rare": entry.minority, "others": entry.majority}
    sizes["test rare"] = int(np.sum(np.asarray(pools(entry)[1].y)))
    blank = replace(blank, sizes=sizes)
    blank = replace(blank, seconds=(time.monotonic() - began) / len(said))
    note(
        path,
        [
            replace(
                blank,
                value=one.figures["auroc"],
                low=one.figures["auroc_low"],
                high=one.figures["auroc_high"],
                seeds=(seed,),
                settings={"advice": one.verdict, "folds": one.figures["folds"]},
            )
            for seed, one in said.items()
        ],
    )
    mean = np.mean([one.figures["auroc"] for one in said.values()])
    yield f"candidate {entry.name}: cross-validated AUROC {mean:.3f}"


def measure(cell: Cell, arm: Arm) -> list[Record]:
    """The records of one arm: every score on the test windows; a candidate's on the guidance part.

    ``seconds`` is what the arm's windows took, and its judges; the generator and the guiding
    classifier, which arms share, stand in the settings.
    """
    began, before = time.monotonic(), dict(cell.seconds)
    cell.used.clear()
    made = None if arm.make is None else arm.make(cell)
    fresh = sum(s for name, s in cell.seconds.items() if name not in before)
    drawing = max(0.0, time.monotonic() - began - fresh)
    shared = sum(cell.seconds[name] for name in cell.used)
    began = time.monotonic()
    found = judged(cell, cell.real, made, cell.test)
    if arm.candidate:
        chosen = judged(cell, cell.fit, made, cell.guidance)
        found |= {f"guidance_{name}": chosen[name] for name in ("auroc", "log_likelihood")}
    judging = time.monotonic() - began
    sizes = {"real": len(cell.real), "rare": cell.entry.minority, "test": len(cell.test)}
    sizes |= {
        "test rare": int(np.sum(np.asarray(cell.test.y))),
        "synthetic": 0 if made is None else len(made),
    }
    settings: dict[str, Any] = dict(steps=cell.budget.steps, batch=cell.budget.batch)
    settings |= dict(judges=cell.budget.judges, generator=dict(cell.budget.generator))
    settings |= dict(drawing_seconds=drawing, shared_seconds=shared)
    return [
        Record(
            metric=metric,
            value=value,
            better="higher",
            method=arm.name,
            data=f"{cell.entry.name}, {cell.entry.length}",
            seeds=(cell.seed,),
            sizes=sizes,
            seconds=drawing + judging,
            version=timeloom.__version__,
            settings=settings,
        )
        for metric, value in found.items()
    ]


def judged(cell: Cell, real: Windows, made: Windows | None, test: Windows) -> dict[str, float]:
    """Mean scores of a few judges trained on real and synthetic windows together.

    A small ResNet for a fixed number of steps, its last weights; windows as they come, all in the
    scale of all real training windows. First weights and the seed of the order are the same in
    every arm.

    Args:
        cell: Seed, budget and scale.
        real: Real windows to learn from.
        made: Synthetic ones, or None.
        test: Windows to be scored on.

    Returns:
        The scores of :func:`timeloom.metrics.utility.scores.scores`, and ``log_likelihood``.
    """
    learn = real if made is None else concatenate([real, made])
    x, new = (cell.seen(one) for one in (learn, test))
    y, truth = (np.asarray(one.y).astype(np.int64) for one in (learn, test))
    each: list[dict[str, float]] = []
    for k in range(cell.budget.judges):
        seed = 100 * cell.seed + k
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = ResNet(x.shape[1], 2, width=24)
        how: dict[str, Any] = dict(steps=cell.budget.steps, batch=cell.budget.batch, rate=2e-3)
        train_reader(net, x, torch.from_numpy(y), loss=cross_entropy, seed=seed, **how)
        said = log_softmax(outputs_of(net, new).double(), dim=1).numpy()
        found = scores(Prediction(np.exp(said), truth, (0, 1), rare=1))
        each.append({**found, "log_likelihood": float(said[np.arange(len(truth)), truth].mean())})
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}
