"""What does DDMT's point-adjusted table reward? Its protocol redone, beside scores of no skill.

The protocol is that of the released code: a percentile of the *test* scores as threshold, taken
from one draw and applied to others; one hit credits its whole event; the best of all draws is
printed. It is repeated here to be looked at. Nothing else in the library judges that way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import timeloom
from timeloom.bench.adjusted_page import OURS, RANDOM, REAL, SQUARED, Planned, write_adjusted_page
from timeloom.bench.anomaly_rivals import RIVALS, scaling
from timeloom.bench.records import note, share_of
from timeloom.data.sets import find, load_dataset
from timeloom.data.sets.folder import find_file, table
from timeloom.data.windows import Series
from timeloom.methods.ddmt import DDMT
from timeloom.metrics.detection import auc_pr, point_adjusted, point_scores, runs, vus
from timeloom.metrics.record import Record, read_records

__all__ = ["FULL_SIZE", "LENGTH", "PLAN", "QUICK_PLAN", "SETS", "Joined", "Played", "Scorer",
           "joined", "play", "real_windows", "run"]  # fmt: skip

Array = NDArray[Any]

LENGTH = 100  # rows of a window; windows do not overlap, so the last n mod 100 rows have no score
PERCENT = {"msl": 1.0, "smap": 1.0, "smd": 0.5, "psm": 1.0}  # of the test scores, to be flagged
SETS = tuple(PERCENT)
MACHINES, PSM_ROWS = 28, 87_841  # of the whole SMD, and of the test part of the whole PSM
LEFT_OUT = {"smap": ("P-2",)}  # by the benchmark that the released code reads
FULL_SIZE = "full size"  # what ``only`` must hold for hours on an accelerator


@dataclass(frozen=True, eq=False)
class Joined:
    """A set as the released code sees it: all recordings joined, in the order of their names.

    Attributes:
        name: One of ``SETS``.
        title: What of it is at hand.
        labels: (time,) of booleans; n mod 100 rows shorter than the test part.
        whole: Rows of the test part.
        train: Recordings without anomalies; none where only labels are at hand.
        test: Recordings, without their labels.
    """

    name: str
    title: str
    labels: Array
    whole: int
    train: tuple[Series, ...] = ()
    test: tuple[Series, ...] = ()

    @property
    def train_rows(self) -> Array:
        """(time, channel), joined."""
        return np.concatenate([one.values for one in self.train])

    @property
    def test_rows(self) -> Array:
        """(time, channel), joined; as many as there are labels."""
        return np.concatenate([one.values for one in self.test])[: len(self.labels)]


class Scorer(NamedTuple):
    """A row of the table.

    Attributes:
        name: As records call it.
        draw: From settings, a set, a seed and a number to that many draws of scores (time,) after
            a first one, from which the threshold comes; to one alone where it does not draw.
        repeats: Seeds, each of which trains and draws anew.
        draws: Of which the protocol prints the best; 0 where it does not draw.
        note: What the page says of it.
        sets: Where it is run.
        blind: Whether it needs labels only.
        settings: What its figures depend on, for ``draw``.
    """

    name: str
    draw: Callable[[Mapping[str, Any], Joined, int, int], Iterator[Array]]
    repeats: int
    draws: int
    note: str
    sets: tuple[str, ...] = SETS
    blind: bool = False
    settings: Mapping[str, Any] = {}


class Played(NamedTuple):
    """What the protocol gives.

    Attributes:
        adjusted: (draw, 3) precision, recall and F1 after point adjustment.
        plain: (draw, 3) the same of the same flags without it.
        scores: (time,) of the first judged draw.
    """

    adjusted: Array
    plain: Array
    scores: Array


def run(
    quick: bool = False, folder: Path = Path("results"), part: str = "1/1", only: str = ""
) -> Iterator[str]:
    """Plays the protocol with every scorer that has no record yet and writes the page.

    Args:
        quick: Few draws and hardly trained detectors: a minute, and no figure to be quoted.
        folder: Where ``adjusted.jsonl`` is added to and ``adjusted.md`` is written.
        part: ``"1/2"`` takes every second cell, for two processes side by side.
        only: Only cells that hold this, such as ``"msl,"``, ``"seed 0,"`` or ``"random"``. What
            holds ``"full size"`` trains the published size, which is left out otherwise.

    Raises:
        ValueError: If ``part`` is not I/N with 1 <= I <= N, or there is nothing to write a page of.
    """
    path = folder / ("adjusted-quick.jsonl" if quick else "adjusted.jsonl")
    plan = QUICK_PLAN if quick else PLAN
    first, every = share_of(part)
    here, absent = _at_hand()
    yield from absent
    cells = [
        (case, scorer, seed)
        for scorer in plan
        for case in here
        for seed in range(scorer.repeats)
        if _fits(case, scorer) and (FULL_SIZE not in scorer.name or FULL_SIZE in only)
        if only in f"{case.name}, seed {seed}, {scorer.name}"
    ]
    for case, scorer, seed in cells[first - 1 :: every]:
        yield from _measured(path, case, scorer, seed)
    if not path.exists():
        raise ValueError(
            f"no cell was measured, so there is no page; expected cells that hold {only!r} of sets "
            f"that are at hand, of {', '.join(SETS)}. Give the folder of sets as TIMELOOM_DATA."
        )
    yield f"page: {write_adjusted_page(path, _planned(plan, here))}"


@cache
def joined(name: str) -> Joined:
    """A set of the table; of PSM only the labels where its values are not at hand.

    Raises:
        ValueError: If it is none of ``SETS``, or not at hand.
    """
    if name not in SETS:
        raise ValueError(f"a set of the table is one of {', '.join(SETS)}; got {name!r}.")
    try:
        train, test = (_recordings(part, name) for part in load_dataset(name))
    except ValueError:
        if name != "psm":
            raise
        return _labels_alone()
    labels = np.concatenate([np.asarray(one.label) for one in test]) > 0
    parted = name == "smd" and len(test) < MACHINES
    return Joined(
        name,
        f"{name.upper()}, {len(test)} machines" if parted else name.upper(),
        _cut(labels),
        len(labels),
        tuple(map(_filled, train)),
        tuple(map(_filled, test)),
    )


def play(labels: Array, draws: Iterable[Array], percent: float) -> Played:
    """The protocol of the released code.

    The threshold is the percentile 100 - ``percent`` of the first draw; all later draws are
    flagged by it. Where there is one draw only, it is flagged itself.

    Args:
        labels: (time,) of booleans.
        draws: Scores (time,) each, higher = more abnormal.
        percent: Of the scores that shall be above the threshold.

    Raises:
        ValueError: If there is no draw, or scores and labels do not fit (see ``checked``).
    """
    draw = iter(draws)
    first = next(draw, None)
    if first is None:
        raise ValueError("the protocol needs at least one draw of scores; got none.")
    level = np.percentile(first, 100 - percent)
    second = next(draw, first)
    adjusted, plain = [], []
    for scores in chain([second], draw):
        flags = scores > level
        plain.append(point_scores(labels, flags))
        adjusted.append(point_scores(labels, point_adjusted(labels, flags)))
    return Played(np.array(adjusted), np.array(plain), second)


def real_windows(train: Array, test: Array, rng: np.random.Generator) -> Array:
    """(time,) scores of a sampler that cannot be bettered: what it draws are training windows.

    Each window of ``test`` is compared with a window of ``train`` chosen at random, as the
    released code compares it with one that is drawn from noise: mean square over the channels.

    Args:
        train: (time, channel), standardised.
        test: (time, channel), standardised, a multiple of 100 rows.
        rng: What chooses.
    """
    starts = rng.integers(len(train) - LENGTH + 1, size=len(test) // LENGTH)
    drawn = train[(starts[:, None] + np.arange(LENGTH)).ravel()]
    return np.square(test - drawn).mean(axis=1)


def _random(own: Mapping[str, Any], case: Joined, seed: int, draws: int) -> Iterator[Array]:
    rng = np.random.default_rng([seed, 31])
    for _ in range(draws + 1):
        yield rng.random(len(case.labels))


def _real(own: Mapping[str, Any], case: Joined, seed: int, draws: int) -> Iterator[Array]:
    rng, scaled = np.random.default_rng([seed, 32]), scaling(case.train_rows)
    normal, test = (scaled(x).astype(np.float32) for x in (case.train_rows, case.test_rows))
    for _ in range(draws + 1):
        yield real_windows(normal, test, rng)


def _rival(own: Mapping[str, Any], case: Joined, seed: int, draws: int) -> Iterator[Array]:
    rival = next(one for one in RIVALS if one.name == own["rival"])
    yield rival(case.train_rows, case.test_rows, seed).points


def _published(own: Mapping[str, Any], case: Joined, seed: int, draws: int) -> Iterator[Array]:
    """The paper's model on the joined set; every draw is the same network with another noise."""
    # Nothing here asks for the detector's own threshold, so hardly anything is held out for it.
    one = DDMT.paper(**{"held_out": 0.01, **own}, seed=seed).fit(Series(case.train_rows))
    yield one.anomaly_scores(case.test_rows)
    with TemporaryDirectory() as folder:
        one.save(folder)
        for draw in range(1, draws + 1):
            # The seed of a fitted detector is that of what it draws.
            again = DDMT.load(folder, seed=1_000 * (seed + 1) + draw)
            yield again.anomaly_scores(case.test_rows)


def _ours(own: Mapping[str, Any], case: Joined, seed: int, draws: int) -> Iterator[Array]:
    """One detector for the whole set, of which no window spans two recordings."""
    one = DDMT(**own, seed=seed).fit(list(case.train))
    yield np.concatenate(one.anomaly_scores(list(case.test)))[: len(case.labels)]


REDUCED = {"width": 64, "batch": 32, "train_steps": 800, "steps": 20, "most": 5_000}
PAPER = "DDMT.paper(), reduced"
NOTES = {one.name: one.note for one in RIVALS}
PLAN = (
    Scorer(RANDOM, _random, 20, 100, "uniform random numbers", blind=True),
    Scorer(REAL, _real, 3, 100, "a random training window where DDMT draws: a perfect sampler"),
    *(Scorer(n, _rival, 1, 0, NOTES[n], settings={"rival": n}) for n in (SQUARED, "PCA")),
    Scorer(
        *(PAPER, _published, 3, 10),
        "the published model at a size for a CPU: 64 features instead of 512, 800 Adam steps of "
        "32 windows, 20 steps of its sampler instead of 500, 10 draws instead of 100",
        sets=("msl",),
        settings=REDUCED,
    ),
    Scorer(OURS, _ours, 3, 0, "this library's default, scored recording by recording"),
    Scorer(
        *(f"DDMT.paper(), {FULL_SIZE}", _published, 3, 100),
        "512 features, 2,300 steps of 256 windows, 500 steps of its sampler; on request only",
    ),
)
TINY: dict[str, Any] = {"train_steps": 5, "most": 500, "validations": 1}
QUICK = {
    RANDOM: (2, 10, {}),
    REAL: (1, 3, {}),
    PAPER: (1, 2, {**TINY, "width": 8, "batch": 8, "steps": 2}),
    OURS: (1, 0, TINY),
}
QUICK_PLAN = tuple(
    one._replace(
        repeats=repeats,
        draws=draws,
        note="hardly trained" if own else one.note,
        settings={**one.settings, **own},
    )
    for one in PLAN[:-1]
    for repeats, draws, own in [QUICK.get(one.name, (one.repeats, one.draws, {}))]
)


def _measured(path: Path, case: Joined, scorer: Scorer, seed: int) -> Iterator[str]:
    """Notes a cell unless it has its records, and says what came of it."""
    own = (case.title, scorer.name, (seed,))
    if path.exists() and any((r.data, r.method, r.seeds) == own for r in read_records(path)):
        return
    began = process_time()
    draws = scorer.draw(scorer.settings, case, seed, scorer.draws)
    played = play(case.labels, draws, PERCENT[case.name])
    note(path, _records(case, scorer, seed, played, seconds := process_time() - began))
    f1 = played.adjusted[:, 2]
    best = f", best of {len(f1)} {f1.max():.3f}" if scorer.draws else ""
    yield f"{case.title}, seed {seed}, {scorer.name}: PA-F1 {f1.mean():.3f}{best}, {seconds:.0f} s"


def _records(
    case: Joined, scorer: Scorer, seed: int, played: Played, seconds: float
) -> list[Record]:
    """One record per measure; what does not draw has no best draw."""
    precision, recall, f1 = played.adjusted.T
    best = int(f1.argmax())
    values: dict[str, Any] = {
        "pa_f1": f1,
        "point_f1": played.plain[:, 2],
        "pa_f1_best": f1[best],
        "pa_precision_best": precision[best],
        "pa_recall_best": recall[best],
        "vus_pr": vus(case.labels, played.scores, window=LENGTH).pr,
        "auc_pr": auc_pr(case.labels, played.scores),
    }
    sizes = {"train": sum(map(len, case.train)), "test": case.whole, "scored": len(case.labels)}
    sizes |= {"events": len(runs(case.labels)[0]), "abnormal": int(case.labels.sum())}
    settings = {"set": case.name, "percent": PERCENT[case.name], "draws": scorer.draws}
    settings |= {"window": LENGTH, **scorer.settings}
    return [
        Record(
            metric=name,
            value=float(np.mean(value)),
            low=float(np.min(value)),
            high=float(np.max(value)),
            better="higher",
            method=scorer.name,
            data=case.title,
            seeds=(seed,),
            sizes=sizes,
            seconds=seconds,
            version=timeloom.__version__,
            settings=settings,
            unit="share",
            # One number per draw, of which the value is the mean.
            per_seed={"value": np.round(value, 6).tolist()} if np.size(value) > 1 else {},
        )
        for name, value in values.items()
        if scorer.draws or not name.endswith("_best")
    ]


def _at_hand() -> tuple[list[Joined], list[str]]:
    """The sets that are here, and a sentence for each that is not."""
    here, absent = [], []
    for name in SETS:
        try:
            here.append(joined(name))
        except ValueError as error:
            absent.append(f"{name}: left out; {error}")
    return here, absent


def _fits(case: Joined, scorer: Scorer) -> bool:
    return case.name in scorer.sets and (scorer.blind or bool(case.test))


def _planned(plan: Sequence[Scorer], here: Sequence[Joined]) -> list[Planned]:
    return [
        Planned(one.name, one.note, one.draws, one.repeats,
                tuple(case.title for case in here if _fits(case, one)))
        for one in plan
    ]  # fmt: skip


def _recordings(part: Any, name: str) -> list[Series]:
    return [one for one in part if one.name not in LEFT_OUT.get(name, ())]


def _labels_alone() -> Joined:
    """PSM's whole label file, which lies beside the sample of its values."""
    names = ("full_test_label.parquet", "test_label.csv")
    path = find_file(find("psm_sample"), *names)
    labels = np.zeros(0, bool) if path is None else table(path)["label"].to_numpy() > 0
    if len(labels) != PSM_ROWS:
        said = f"{PSM_ROWS:,} labels of PSM as {' or '.join(names)}; got {len(labels):,}."
        raise ValueError(f"psm_sample must hold the {said}")
    return Joined("psm", "PSM, labels only", _cut(labels), len(labels))


def _filled(one: Series) -> Series:
    """Without labels; gaps are 0, as in the released code."""
    return Series(np.nan_to_num(one.values), None, one.name, one.channels)


def _cut(labels: Array) -> Array:
    return labels[: len(labels) // LENGTH * LENGTH]
