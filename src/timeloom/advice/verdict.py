"""From figures to a verdict and its reasons, in words for who knows no statistics."""

from dataclasses import dataclass
from typing import Any

from timeloom.advice.feasible import Feasible
from timeloom.advice.gradients import Pull
from timeloom.advice.headroom import Headroom

__all__ = ["Found", "advised", "decide", "plan"]

# Of the AUROC. Source: the cross-domain report on TarDiff, whose ideal range is .70 to .95 and
# which calls a task above .99 saturated; the others lie between.
LEAST, IDEAL, HIGH, SATURATED = 0.60, 0.70, 0.95, 0.99
CHANCE = 0.05  # of shuffled labels doing as well, above which nothing is believed
FEW = 30  # windows of a class
SCARCE = 10  # windows of a class below which no yes is given: too few to tell chance from signal
REPEATED = 0.05  # share of windows that another recording holds too
SCALES = 1e3
MISSING = 0.2
RATIO = 5.0  # of gradient norms, which the same report takes for a sign that guidance will help


@dataclass(frozen=True)
class Found:
    """All that was measured; see :class:`Feasible`, :class:`Pull` and :class:`Headroom`.

    Attributes:
        classes: By name, in the order of ``counts``.
        counts: Windows per class.
        area: AUROC with the ends of its interval.
        chance: 95th percentile of the AUROC with shuffled labels.
        p: Share of shuffled labellings that do as well.
        kind: How folds were made: a kind of :class:`timeloom.advice.layout.Layout`.
        same_time: AUROC where windows of the same time may be learnt from; None but for "times".
        looked: Windows that the probe saw.
        pull: Gradient norms.
        headroom: Learning curve.
        feasible: Of the windows themselves.
        test: Windows per class of the test set; None where there is none.
        shape: (time, channel).
        lonely: Classes that occur in one place only.
    """

    classes: tuple[str, ...]
    counts: tuple[int, ...]
    area: tuple[float, float, float]
    chance: float
    p: float
    kind: str
    same_time: float | None
    looked: int
    pull: Pull
    headroom: Headroom
    feasible: Feasible
    test: tuple[int, ...] | None
    shape: tuple[int, int]
    lonely: tuple[str, ...]

    @property
    def level(self) -> str:
        """``no``, ``weak``, ``ideal``, ``high`` or ``saturated``."""
        value, low, _ = self.area
        if not low >= LEAST or self.p > CHANCE:  # NaN is no lower end to build on
            return "no"
        bands = ((IDEAL, "weak"), (HIGH, "ideal"), (SATURATED, "high"))
        return next((word for end, word in bands if value <= end), "saturated")

    @property
    def uneven(self) -> bool:
        """Whether the rarest class has less than half of what an even split would give it."""
        return min(self.counts) * 2 * len(self.counts) < sum(self.counts)


def decide(found: Found) -> tuple[str, tuple[str, ...]]:
    """The verdict and all reasons."""
    learnable = found.level != "no"
    flawed = bool(found.feasible.shared) or found.feasible.repeated > REPEATED
    scarce = min(found.counts) < SCARCE
    good = found.level == "ideal" and found.headroom.measurable and not flawed and not scarce
    verdict = "no" if not learnable else "yes" if good else "limited"
    reasons = [*_learnable(found), *_imbalance(found)]
    reasons += _headroom(found) if learnable else []
    reasons += [*_feasible(found), advised(found, verdict)]
    if found.looked < sum(found.counts):
        reasons.append(
            f"The classifier saw {found.looked:,} of {sum(found.counts):,} windows, to save time."
        )
    return verdict, tuple(reasons)


def _learnable(found: Found) -> list[str]:
    value, low, high = found.area
    figure = f"AUROC {value:.3f} ({low:.3f} to {high:.3f}; 0.5 is guessing)"
    shuffled = f"with shuffled labels it reaches {found.chance:.3f} by luck"
    words = {
        "weak": f"The labels are only weakly learnable: {figure}; {shuffled}. Synthetic windows "
        "will carry as little of the label as the real ones do.",
        "ideal": f"The labels can be learnt, and not yet fully: {figure}; {shuffled}.",
        "high": f"The task is nearly saturated: {figure}. Little is left for synthetic windows to "
        "add.",
        "saturated": f"The task is saturated: {figure}. A quick classifier of the real windows "
        "hardly ever errs, so synthetic ones cannot add anything that would show.",
    }
    if found.level != "no":
        said = words[found.level]
    elif found.p > CHANCE:
        said = (
            f"Nothing can be learnt from these labels: {figure}, and {shuffled}. A generator "
            "cannot put into windows what the real ones do not show."
        )
    else:
        said = (
            f"What can be learnt is too little to build on: {figure}; the lower end should reach "
            f"{LEAST:.2f}. A generator cannot put into windows what the real ones do not show."
        )
    return [said, *_folds(found)]


def _folds(found: Found) -> list[str]:
    said = []
    if found.kind == "blocks":
        said.append(
            "There are too few recordings to try the classifier on other ones, so it was tried on "
            "other stretches of time; on a new recording it may do worse."
        )
    if found.kind == "times" and found.same_time is not None:
        said.append(
            "Windows of the same time in different recordings tend to have the same label, so the "
            "classifier was tried on other recordings and other times; where it may learn from the "
            f"same times its AUROC is {found.same_time:.3f}."
        )
    if found.lonely:
        said.append(
            f"Class {_listed(found.lonely)} occurs in one place only: nothing can show that it "
            "would be recognised elsewhere. Bring more recordings of it."
        )
    return said


def _imbalance(found: Found) -> list[str]:
    total, rare = sum(found.counts), min(found.counts)
    name, often = found.classes[found.counts.index(rare)], max(found.counts)
    pull = found.pull
    counted = f"Class {name} has {rare:,} of {total:,} windows ({rare / total:.1%})"
    if not found.uneven:
        return [f"{counted}: the classes are balanced enough, no class needs more weight."]
    share = (
        f"{counted}; the most frequent class has {often:,}. A rare window sends a gradient "
        f"{pull.ratio:.1f} times as long to the classifier; imbalance alone gives {pull.null:.1f}, "
        f"so {pull.excess:.2f} times what rarity explains ({pull.low:.2f} to {pull.high:.2f})."
    )
    if pull.excess <= 1:
        share += " Rare windows are no harder than their rarity makes them."
    if pull.ratio > RATIO:
        share += f" A ratio above {RATIO:g} is no sign by itself: it restates the imbalance."
    return [share]


def _headroom(found: Found) -> list[str]:
    room = found.headroom
    whose = "this test set" if found.test is not None else "a test set as large as this one"
    shows = (
        f"with {whose} a difference has a standard error of {room.error_of_gain:.3f}, and "
        f"{room.detectable:.3f} is found four times out of five."
    )
    gain = f"twice as many real windows would add about {room.gain:+.3f} ({room.low:+.3f} to "
    gain += f"{room.high:+.3f}) to the AUROC, and synthetic ones hardly more"
    half, full = room.curve[-2:]
    if room.measurable:
        return [
            f"There is headroom: half of the windows give {half:.3f}, all {full:.3f}; {gain}. "
            f"{shows[0].upper()}{shows[1:]}"
        ]
    return [
        f"No gain is measurable with {whose}: half of the windows give {half:.3f}, all "
        f"{full:.3f}; {gain}; {shows}"
    ]


def _feasible(found: Found) -> list[str]:
    seen, said = found.feasible, []
    few = [
        f"{name} ({count})"
        for name, count in zip(found.classes, found.counts, strict=True)
        if count < FEW
    ]
    if few:
        said.append(
            f"Fewer than {FEW} windows of class {_listed(few)}: a generator can hardly tell what "
            "is typical of them; look at its windows, and at how many are copies."
        )
    if seen.shared:
        of = sum(found.test or ())
        said.append(
            f"{seen.shared:,} of {of:,} test windows hold at least half of a training window: no "
            "score on this test set can be believed. Split by recording, or by time with a gap."
        )
    if seen.both_sides:
        said.append(
            f"Recordings with windows on both sides: {_listed(seen.both_sides)}. Scores then tell "
            "nothing about new recordings."
        )
    if seen.repeated > REPEATED:
        said.append(
            f"{seen.repeated:.0%} of the windows hold half of a window of another recording: the "
            "figures above flatter. Name the recordings (series), or leave repeats out."
        )
    if found.test is not None and 0 in found.test:
        gone = [n for n, k in zip(found.classes, found.test, strict=True) if not k]
        said.append(f"The test set holds no window of class {_listed(gone)}.")
    return said + _values(found)


def _values(found: Found) -> list[str]:
    seen, said = found.feasible, []
    if seen.duplicates:
        more = f", {seen.contradictions:,} of them with another label" * bool(seen.contradictions)
        said.append(f"{seen.duplicates:,} windows equal an earlier one{more}.")
    if seen.constant:
        said.append(f"Channels that never move: {_listed(seen.constant)}. Leave them out.")
    if seen.heavy:
        far = [f"{name} ({reach:.0f} times)" for name, reach in seen.heavy.items()]
        said.append(
            f"Heavy tails: {_listed(far)} its usual spread away from the middle. Take logarithms, "
            "or find out whether these are errors."
        )
    if seen.scales > SCALES:
        said.append(
            f"The widest channel spreads {seen.scales:,.0f} times as far as the narrowest; each "
            "needs a scale of its own, as our methods give it."
        )
    if seen.missing > MISSING:
        said.append(f"{seen.missing:.0%} of the values are missing.")
    values = found.shape[0] * found.shape[1]
    if sum(found.counts) < values:
        said.append(
            f"{sum(found.counts):,} windows for {values:,} values each: keep the generator small."
        )
    return said


def plan(found: Found, verdict: str) -> dict[str, Any]:
    """What to try first, as JSON values: empty where nothing should be."""
    if verdict == "no":
        return {}
    # With a rare class the loss of all windows is the frequent one's, and harms (docs/journal.md).
    source = "minority" if found.uneven else "balanced"
    often = max(found.counts)
    # As many as even the classes out; where they are even, as many again.
    more = {
        name: often - count if found.uneven else count
        for name, count in zip(found.classes, found.counts, strict=True)
    }
    sure = found.headroom.gain >= found.headroom.detectable
    return {
        "source": source,
        "scale": 0.3,
        "scales": [0.0, 0.1, 0.3, 0.6],
        "protocol": "tsrtr",
        "beside": ["baseline", "label-balanced generation", "oversampling"],
        "seeds": 5 if sure else 10,
        "windows": more,
    }


def advised(found: Found, verdict: str) -> str:
    """The last sentence: what to do."""
    if verdict == "no":
        return (
            "Advice: train no generator for this. Look for labels or channels that tell more, or "
            "for more recordings, and ask again."
        )
    made = plan(found, verdict)
    each = _listed([f"{count:,} of {name}" for name, count in made["windows"].items() if count])
    begin = "Advice: " if verdict == "yes" else "If you try it all the same: "
    return (
        f"{begin}generate {each}, train on real and synthetic windows together (tsrtr) with as "
        f"many steps as on real ones alone; guide with source '{made['source']}', scale "
        f"{made['scale']:g}, and choose the scale on validation windows among "
        f"{_listed(made['scales'])}; compare with label-balanced generation and plain oversampling "
        f"over {made['seeds']} seeds."
    )


def _listed(names: Any) -> str:
    names = [str(one) for one in names]
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
