"""What labelled synthetic windows are good for: training on them, and asking for a label."""

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.evaluation.arms import FEWEST, Arms, recordings
from timeloom.evaluation.case import Case
from timeloom.metrics.discriminator import standardise
from timeloom.metrics.metric import Interval, Metric
from timeloom.metrics.record import Record

if TYPE_CHECKING:
    from timeloom.metrics.utility import Paired, Prediction

__all__ = ["labelled_names", "labelled_rows"]

Array = NDArray[Any]

SEEN = 24_000  # windows a recurrent judge sees in all, so that few windows mean more passes
JUDGE = "kernels"  # of the arms; every arm of three seeds takes a second or so, a network minutes
JUDGE_SAID = "judge of every arm: random convolutions and a ridge chosen on real windows"
RESAMPLES = (500, 200)  # of the bootstrap; fewer where there are more than MANY classes
MANY = 4
LEAST = 0.05  # a departure this small has not failed: of a share; of the constant's error

TRIED = {
    "tstr": "on real windows, of a model trained on synthetic ones",
    "tsrtr": "on real windows, of a model trained on real and synthetic ones",
    "mixed": "on real windows, of a model trained on half real, half synthetic ones",
}
SCORES = {
    "regress": (
        ("rmse", "lower", "Error (root mean square)"),
        ("mae", "lower", "Error (mean absolute)"),
    ),
    "classify": (
        ("accuracy", "higher", "Share right"),
        ("balanced_accuracy", "higher", "Share right, every class counting alike,"),
        ("auroc", "higher", "Area under the ROC curve, mean over classes,"),
        ("auprc", "higher", "Area under precision and recall, mean over classes,"),
        ("minority_f1", "higher", "F1 of the rarest class,"),
    ),
}


def _no_function() -> float:
    raise ValueError("this row is measured with its neighbours; call timeloom.evaluate.")


def _metric(name: str, better: str, meaning: str, *, copies: str = "good") -> Metric:
    return Metric(
        name, _no_function, better, "", meaning, about="use", needs=(), ideal=None, copies=copies
    )


def _arm_metric(arm: str, name: str, better: str, said: str) -> Metric:
    # Real windows given twice are real to a judge that sees synthetic ones alone, and nothing new
    # to one that has the real ones already.
    copies = "good" if arm == "tstr" else "bad"
    return _metric(f"{arm}_{name}", better, f"{said} {TRIED[arm]}.", copies=copies)


STEERING = (
    _metric(
        "steering_spearman",
        "higher",
        "Do windows show the value that was asked for? Rank correlation of asked and read.",
    ),
    _metric(
        "steering_mae", "lower", "How far what is read is from what was asked for.", copies="bad"
    ),
)
AGREEMENT = _metric(
    "label_agreement",
    "higher",
    "Do windows show the class that was asked for? Share in which a judge trained on real windows "
    "reads it, every class counting alike.",
    copies="bad",
)
ASKED = {"regress": STEERING, "classify": (AGREEMENT,)}


def _arm_metrics(task: str) -> dict[str, list[Metric]]:
    return {arm: [_arm_metric(arm, *score) for score in SCORES[task]] for arm in TRIED}


def _every_metric(task: str) -> list[Metric]:
    return [*(metric for some in _arm_metrics(task).values() for metric in some), *ASKED[task]]


def labelled_names(task: str | None) -> tuple[str, ...]:
    """The metrics of :func:`labelled_rows`, in order."""
    return () if task is None else tuple(metric.name for metric in _every_metric(task))


def labelled_rows(case: Case, arms: list[Arms]) -> Iterator[Record]:
    """Records of what is learnt with synthetic windows, and of whether they show their labels."""
    if case.task is None:
        return
    why = _why_not(case)
    if why:
        yield from (case.skipped(metric, why) for metric in _every_metric(case.task))
        return
    yield from _arm_rows(case)
    size = min(len(one.real.x) for one in arms)
    if size < FEWEST:
        why = f"{size} windows a side have labels in common, fewer than {FEWEST}"
        yield from (case.skipped(metric, why) for metric in ASKED[case.task])
    elif case.task == "regress":
        yield from _steering_rows(case, arms, size)
    else:
        yield _agreement_row(case, arms, size)


def _why_not(case: Case) -> str:
    """Why nothing about labels can be measured; empty if it can."""
    sides = {"real": case.real, "synthetic": case.synthetic, "training": case.reference}
    for name, side in sides.items():
        if len(side) < FEWEST:
            return f"{len(side)} {name} windows are fewer than the {FEWEST} that are needed"
        if len(np.unique(np.asarray(side.y))) < 2:
            return f"the {name} windows have one label only"
    if case.task == "classify":
        every = np.unique(np.concatenate([np.asarray(side.y) for side in sides.values()]))
        for name, side in sides.items():
            absent = every[~np.isin(every, np.asarray(side.y))].tolist()
            if absent:
                return f"no {name} window is of class {', '.join(map(str, absent[:5]))}"
    return ""


def _arm_rows(case: Case) -> Iterator[Record]:
    """Every arm by every score, beside the baseline and the copy machine."""
    from timeloom.metrics.utility import constant, paired_intervals

    task = str(case.task)
    began = perf_counter()
    found, copied = _predictions(case)
    first = found["baseline"][0]
    idle = constant(first, _columns(case.reference, first))
    resamples = RESAMPLES[first.classes is not None and len(first.classes) > MANY]
    for arm in TRIED:
        base = found["equal" if arm == "tstr" else "baseline"]
        names = [score[0] for score in SCORES[task]]
        pairs = paired_intervals(found[arm], base, names, resamples=resamples)
        sides = {"value": found[arm], "floor": base, "copy": copied[arm]}
        settings = {"judge": JUDGE, "steps": base[0].steps, "resamples": resamples}
        for name, metric in zip(names, _arm_metrics(task)[arm], strict=True):
            record = _arm_record(case, metric, sides, pairs[name], (name, idle[name], began))
            yield replace(record, settings={**record.settings, **settings})
            began = perf_counter()


def _arm_record(
    case: Case,
    metric: Metric,
    sides: dict[str, list["Prediction"]],
    pair: "Paired",
    of: tuple[str, float, float],
) -> Record:
    """One arm's record of the score ``of[0]``; a constant scores ``of[1]``; begun at ``of[2]``."""
    from timeloom.metrics.utility import scores

    name, idle, began = of
    figures = {side: [scores(one)[name] for one in some] for side, some in sides.items()}
    values = case.task == "regress"
    # Half of what training on real data gains over saying one constant is far.
    far = max(abs(pair.against.value - idle) / 2, LEAST * (idle if values else 1))
    tested = len(sides["value"][0].truth)
    learned = {side: some[0].learned for side, some in sides.items() if side != "copy"}
    return case.measured(
        replace(metric, far=far, unit=case.real.label_name if values else "share"),
        {**figures, "floor": [_wavering(one, pair) for one in figures["floor"]]},
        sizes={"learned": learned["value"], "baseline": learned["floor"], "real": tested},
        began=began,
        note=_said(metric.name, pair, idle, tested),
        interval=(pair.score.low, pair.score.high),
    )


def _wavering(floor: float, pair: "Paired") -> Interval:
    """The floor, and how far value minus floor wavers: what is hard for both arms cancels."""
    half = (pair.difference.high - pair.difference.low) / 2
    return Interval(floor, floor - half, floor + half)


def _predictions(
    case: Case,
) -> tuple[dict[str, list["Prediction"]], dict[str, list["Prediction"]]]:
    """Of every arm, one per seed: with the synthetic windows, and with copies in their place."""
    from timeloom.metrics.utility import arms_at, chosen_on, protocols

    # One set of test windows for all seeds, so that they can be resampled together.
    test = _some(case, case.real, np.random.default_rng([case.seeds[0], 93]))
    task, tried = str(case.task), _given(case, test)
    found: dict[str, list[Prediction]] = {}
    copied: dict[str, list[Prediction]] = {}
    for seed in case.seeds:
        rng = np.random.default_rng([seed, 91])
        train, made = (_some(case, side, rng) for side in (case.reference, case.synthetic))
        told = _given(case, train)
        arms = arms_at(min(1.0, len(made) / len(train)))
        # The copy machine does not hand back what the judge is chosen on, or the choice is void.
        again = train[~chosen_on(told, task=task, seed=seed)]
        for side, into, names in ((made, found, tuple(arms)), (again, copied, tuple(TRIED))):
            each = protocols(
                told,
                _given(case, side),
                tried,
                task=task,
                judge=JUDGE,
                arms={name: arms[name] for name in names},
                seed=seed,
            )
            for arm, prediction in each.items():
                into.setdefault(arm, []).append(prediction)
    return found, copied


def _given(case: Case, side: Windows) -> tuple[Array, Array, Array]:
    """Windows, labels and recordings, as the protocols take them."""
    y = np.asarray(side.y)
    return side.x, y.astype(np.float64) if case.task == "regress" else y, recordings(side)


def _some(case: Case, side: Windows, rng: np.random.Generator) -> Windows:
    """At most ``case.limit`` windows at random, and two of every class however rare it is."""
    order = rng.permutation(len(side))
    rows = order[: case.limit]
    if case.task == "classify" and len(side) > case.limit:
        labels = np.asarray(side.y)[order]
        first = [order[labels == one][:2] for one in np.unique(labels)]
        rows = np.unique(np.concatenate([rows, *first]))
    return side[rows]


def _columns(train: Windows, prediction: "Prediction") -> Array:
    """The training labels as ``Prediction.truth`` has them."""
    y = np.asarray(train.y)
    if prediction.classes is None:
        return y.astype(np.float64)
    return np.searchsorted(np.array(prediction.classes), y)


def _said(name: str, pair: "Paired", idle: float, tested: int) -> str:
    """What the arm does to the baseline, in words."""
    gain = pair.difference
    figures = f"{gain.value:+.3g} [{gain.low:.3g}, {gain.high:.3g}]"
    word = pair.word
    if name.startswith("tstr"):
        word = {"helps": "better than real", "harms": "worse than real"}.get(word, word)
        text = f"against a baseline of as many real windows {figures}: {word}"
    elif pair.better == "higher":
        text = f"adds {figures} to the baseline: {word}"
    else:
        text = f"changes the baseline's error by {figures}: {word}"
    return (
        f"{text} ({tested} test windows, 95 % interval in pairs); the baseline scores "
        f"{pair.against.value:.3g}, always saying one constant {idle:.3g}; {JUDGE_SAID}"
    )


def _agreement_row(case: Case, arms: list[Arms], size: int) -> Record:
    """Whether windows show the class asked for, in the eyes of a judge trained on real ones."""
    from timeloom.metrics.utility import class_reader, shown_class

    began = perf_counter()
    every = np.unique(np.asarray(case.reference.y))
    per_seed: dict[str, list[float]] = {"value": [], "floor": [], "copy": []}
    for one, seed in zip(arms, case.seeds, strict=True):
        train = _some(case, case.reference, np.random.default_rng([seed, 92]))
        judge = class_reader(_given(case, train), every, judge=JUDGE, seed=seed)
        for name, part in (("value", one.synthetic), ("floor", one.real), ("copy", one.copy)):
            asked = np.searchsorted(every, np.asarray(part.y))
            per_seed[name].append(shown_class(judge, part.x, asked))
    chance = 1 / len(every)
    note = (
        "a judge trained on training windows reads (random convolutions and a ridge); the floor "
        f"is its own on unseen real ones; labels that say nothing score {chance:.3g}"
    )
    # Half of the way from the floor to labels that say nothing is far.
    far = max((float(np.mean(per_seed["floor"])) - chance) / 2, LEAST)
    sizes = {"real": size, "synthetic": size, "train": min(case.limit, len(case.reference))}
    metric = replace(AGREEMENT, far=far, unit="share")
    record = case.measured(metric, per_seed, sizes=sizes, began=began, note=note)
    return replace(record, settings={**record.settings, "judge": JUDGE})


def _steering_rows(case: Case, arms: list[Arms], size: int) -> Iterator[Record]:
    began = perf_counter()
    read = [_read(case, one, seed) for one, seed in zip(arms, case.seeds, strict=True)]
    spearman, apart = (
        {side: [one[side][name] for one in read] for side in ("value", "floor", "copy")}
        for name in ("spearman", "mae")
    )
    error = float(np.mean(apart["floor"]))
    sizes = {"real": size, "synthetic": size, "train": min(case.limit, len(case.reference))}
    note = "a regressor trained on training windows reads; the floor is its own on unseen real ones"
    rank, distance = STEERING
    yield case.measured(replace(rank, far=0.25), spearman, sizes=sizes, began=began, note=note)
    yield case.measured(
        replace(distance, far=1.5 * error, unit=case.real.label_name),
        apart,
        sizes=sizes,
        began=perf_counter(),
        note=note,
        small=0.5 * error,
    )


def _read(case: Case, arms: Arms, seed: int) -> dict[str, dict[str, float]]:
    """Rank correlation and distance of labels and what a real-trained regressor reads, by side."""
    from timeloom.metrics.judging import train_judge
    from timeloom.metrics.utility import shown_value

    rng = np.random.default_rng([seed, 92])
    size = min(case.limit, len(case.reference))
    learn = case.reference[rng.choice(len(case.reference), size, replace=False)]
    sides = {"value": arms.synthetic, "floor": arms.real, "copy": arms.copy}
    # One scale for all, that of all training windows; what was not measured becomes its mean.
    x = standardise(learn.x, *(part.x for part in sides.values()), by=case.reference.x)
    epochs = int(np.clip(-(-SEEN // size), 6, 60))
    told = np.asarray(learn.y, dtype=np.float64)
    judge = train_judge(x[0], told, outputs=1, seed=seed, groups=learn.series, epochs=epochs)
    return {
        name: shown_value(judge, windows, np.asarray(part.y, dtype=np.float64))
        for (name, part), windows in zip(sides.items(), x[1:], strict=True)
    }
