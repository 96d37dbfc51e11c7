"""What do the figures of the ten steps say? Sentences made from figures, not typed beforehand."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from timeloom.bench.crossdomain import PROTOCOLS
from timeloom.bench.ten_grid import MINUS
from timeloom.bench.ten_steps import ARMS, Task
from timeloom.metrics.record import Record
from timeloom.report.tables import spread

__all__ = ["OUTSIDE", "SAID", "Gain", "Seen", "agreement", "artefacts", "help_shown", "reached"]

SAID = {"baseline": "baseline", "tstr": "TSTR", "tsrtr": "TSRTR", "mixed": "Mixed"}
SHRUNK = 0.8  # of the real spread: below it an arm is named
CHANCE = 0.6  # AUROC: below it, what is learnt is called no better than chance
OUTSIDE = "values outside the real range"
TOO_MANY = 0.01
SAME = 0.02  # spreads of the data: samples that differ by less are called the same
SMALL = 0.02  # AUROC: a gain that "limited" leaves room for


class Gain(NamedTuple):
    """Arm minus baseline over all seeds, and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


class Seen:
    """Records of one task, by arm and metric."""

    def __init__(self, records: Sequence[Record], task: Task) -> None:
        self.values: dict[tuple[str, str], list[float]] = {}
        self.gains: dict[tuple[str, str], Gain] = {}
        self.advice: list[tuple[str, list[str]]] = []
        mine = [one for one in records if one.data == task.name]
        for one in sorted(mine, key=lambda one: one.seeds):
            if one.method == "advise":
                self.advice.append((one.settings["verdict"], one.settings["reasons"]))
            if one.metric.endswith(MINUS) and one.low is not None:
                value, low, high = (float(v or 0.0) for v in (one.value, one.low, one.high))
                self.gains[one.method, one.metric.removesuffix(MINUS)] = Gain(value, low, high)
            elif one.value is not None:
                self.values.setdefault((one.method, one.metric), []).append(one.value)

    def each(self, arm: str, metric: str) -> list[float] | None:
        """One value per seed; None where there is none."""
        return self.values.get((arm, metric))

    def mean(self, arm: str, metric: str) -> float:
        """Mean over seeds; NaN where there is none."""
        found = self.each(arm, metric)
        return float(np.mean(found)) if found else float("nan")

    def told(self, arm: str, metric: str) -> str:
        """Mean and spread over seeds, in words."""
        return spread(self.each(arm, metric) or [])

    def shrunk(self, arm: str, task: Task) -> float:
        """The smallest spread ratio over the classes."""
        return min(self.mean(arm, f"spread ratio, {name}") for name in task.classes.values())


def artefacts(seen: Seen, task: Task) -> Iterator[str]:
    """One sentence or two for each artefact of the report that is reproduced here."""
    yield _one_label(seen, task)
    yield _shrinking(seen, task)
    flat = [arm.name for arm in ARMS if seen.shrunk(arm.name, task) < SHRUNK]
    told = ", ".join(f"{name} ({seen.shrunk(name, task):.2f})" for name in flat)
    yield (
        f"**Shrinkage alarm** (a class whose spread is below {SHRUNK:g} of the real one): "
        f"{told or 'no arm'}."
    )
    far = [arm.name for arm in ARMS if seen.mean(arm.name, OUTSIDE) > TOO_MANY]
    told = ", ".join(f"{name} ({seen.mean(name, OUTSIDE):.1%})" for name in far)
    yield f"**Too strong** (more than {TOO_MANY:.0%} of {OUTSIDE}): {told or 'no arm'}."
    yield (
        f"**D3, D9, unequal terms.** Here every arm takes {task.judge.steps} optimisation steps "
        "and sees windows in the scale of the real training windows; the report scales test "
        "windows by the synthetic ones and gives TSRTR twice the steps of the baseline."
    )


def reached(seen: Seen, task: Task) -> Iterator[dict[str, str | float]]:
    """Rows of figures to be reached, with whether they are."""
    for arm, protocol, least in task.wanted:
        value = seen.mean(arm, f"{protocol} auroc")
        word = "yes" if value >= least else "no"
        gain = seen.gains.get((arm, f"{protocol} auroc"))
        if word == "no" and gain is not None and gain.low <= 0:
            word += "; nothing above the baseline can be measured" * (gain.high >= 0)
            word += "; below the baseline" * (gain.high < 0)
        best = task.published.baseline[0]
        yield {
            "arm": arm,
            "protocol": SAID[protocol],
            "wanted AUROC": f"{least:.4f}",
            "the report's best": f"{best if arm == 'real' else task.published.best(protocol):.4f}",
            "ours": seen.told(arm, f"{protocol} auroc"),
            "against our baseline": "–" if gain is None else str(gain),
            "reached": word,
        }


def help_shown(seen: Seen) -> tuple[list[str], int]:
    """Our arms whose AUROC beats the baseline by an interval above 0, and how many were tried."""
    tried = [
        (arm.name, protocol)
        for arm in ARMS
        for protocol in PROTOCOLS
        if arm.ours and (arm.name, f"{protocol} auroc") in seen.gains
    ]
    above = [
        f"{arm} in {SAID[protocol]} by {seen.gains[arm, f'{protocol} auroc']}"
        for arm, protocol in tried
        if seen.gains[arm, f"{protocol} auroc"].low > 0
    ]
    return above, len(tried)


def agreement(seen: Seen) -> Iterator[str]:
    """What was advised before any training, what came out, and whether they agree."""
    if not seen.advice:
        return
    counts = Counter(verdict for verdict, _ in seen.advice)
    verdict = counts.most_common(1)[0][0]
    told = ", ".join(
        f"{word} ({count} of {len(seen.advice)} seeds)" for word, count in counts.items()
    )
    reasons = next(reasons for word, reasons in seen.advice if word == verdict)
    yield f"`advise` on the training windows says: **{told}**."
    yield "\n".join(f"- {reason}" for reason in reasons)
    above, tried = help_shown(seen)
    if not tried:
        return
    yield (
        f"Outcome: {len(above)} of {tried} comparisons of our arms with the baseline lie above 0 "
        f"in AUROC; chance alone gives about {0.025 * tried:.1f}. {'; '.join(above)}".rstrip()
        + ("." if above else "")
    )
    ours = {arm.name for arm in ARMS if arm.ours}
    lows = [g.low for (name, m), g in seen.gains.items() if name in ours and m.endswith("auroc")]
    most = max(lows, default=0.0)
    agree = {"yes": bool(above), "no": not above, "limited": most < SMALL}[verdict]
    rule = {
        "yes": "an interval above 0 was to be found",
        "no": "no interval above 0 was to be found",
        "limited": f"no gain was to be surely above {SMALL:g}",
    }[verdict]
    yield f"Verdict and outcome **{'agree' if agree else 'do not agree'}**: {rule}."


def _one_label(seen: Seen, task: Task) -> str:
    one, auroc = task.classes[task.one], seen.mean("all one label", "tstr auroc")
    chance = "no better than chance" if auroc < CHANCE else "better than chance"
    printed = task.published.arms[("tstr", 0.0)][0]
    recalls = [
        f"{name} {seen.told('all one label', f'recall, {name}')} instead of "
        f"{seen.told('unguided', f'recall, {name}')}"
        for name in task.classes.values()
    ]
    return (
        f'**D1, "every unguided window is class 1".** The report\'s column alpha = 0 asks the '
        f"generator for one class in every window ({one}) and stores the labels that were meant. "
        f"Done so here, TSTR AUROC is {seen.told('all one label', 'tstr auroc')}, {chance} (the "
        f"report prints {printed:.4f}); with the class that was asked for, from the same generator "
        f"and noise, it is {seen.told('unguided', 'tstr auroc')}. Share of windows in which a "
        f"judge of real windows reads the label that is stored: {'; '.join(recalls)}."
    )


def _shrinking(seen: Seen, task: Task) -> str:
    arms = [arm for arm in ARMS if arm.kind == "released"]
    ratios = ", ".join(
        f"{seen.shrunk(arm.name, task):.3f} at alpha {arm.strength:g}" for arm in arms
    )
    apart = max(seen.mean(arm.name, "difference from shrinking") for arm in arms)
    shrinks = seen.shrunk(arms[-1].name, task) < SHRUNK * seen.shrunk("unguided", task)
    word = (
        "alpha shrinks the windows and guides nothing"
        if shrinks and apart < SAME
        else "more than shrinking is seen here"
    )
    return (
        f"**A1, the released alpha.** Smallest spread over real spread of a class: {ratios}; "
        f"unguided {seen.shrunk('unguided', task):.3f}. With the gradient left out the samples "
        f"differ by {apart:.4f} of a real spread at most (mean over values): {word}."
    )
