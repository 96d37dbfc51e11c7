"""What a set of records says, in plain words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from timeloom.report.faults import (
    ALARM,
    Fault,
    copied,
    faults,
    group_of,
    same_file,
    title_of,
    unsure,
)

__all__ = ["Finding", "findings", "headline", "tally", "told"]

Records = Sequence[Any]

USE = (
    *("tstr_rmse", "tstr_balanced_accuracy", "tstr_accuracy", "tstr_auroc"),
    *("tstr_auprc", "tstr_minority_f1", "tstr_mae", "tstr_nasa"),
)
LIKENESS = (
    *("two_sample_auc", "summary_auc", "discriminative", "discriminative_accuracy"),
    "discriminative_score",
)
STEERING = ("steering", "label")
UNITLESS = ("", "share")
SAME = 0.02  # share by which a figure may lie behind another and still be called as good
WORDS = ("fail", "warn", "pass")  # the worst first
TELLING = ("recall", "coverage", "rules_broken")  # what a card about a group speaks of first
LOOKS = {
    "values": "Values",
    "channels": "Between channels",
    "time": "Movement in time",
    "variety": "Variety",
    "rules": "Rules of the data",
}


class Finding(NamedTuple):
    """One thing that matters: a verdict, what it is about, and a sentence."""

    verdict: str
    title: str
    text: str


def headline(records: Records) -> str:
    """What was found, in one sentence or two; the worst news first, with the measure that says so.

    Windows are called copies only where measures agree on it
    (:func:`timeloom.report.faults.copied`).
    """
    measured = [record for record in records if record.verdict != "skipped"]
    if not measured:
        return "Nothing could be measured: there are too few windows to compare."
    twice = same_file(measured)
    if twice is not None:
        return (
            "The synthetic windows are copies of the held-out real ones, number for number: was "
            f"the same file given twice? (found by: {title_of(twice.metric)})"
        )
    copies = copied(measured)
    if copies is not None:
        source, record = copies
        return (
            f"Too close to {source}: these are copies, or nearly so, all of them or in part "
            f"(found by: {title_of(record.metric)})."
        )
    return _of_use(measured) or _of_looks(measured)


def _of_use(measured: Records) -> str | None:
    """The headline where it was measured what models learn; None where it was not."""
    found = {record.metric: record for record in measured}
    use = next((found[name] for name in USE if name in found), None)
    if use is None:
        return None
    wrong = _wrong(measured)
    if use.verdict == "fail":
        return "Not of use yet: a model trained on these windows fails on real ones" + (
            f": {wrong}." if wrong else f" (found by: {title_of(use.metric)})."
        )
    named = _named(measured)
    if named and all(_is_steering(one.record) for one in named):
        return (
            "Models learn from these windows, but they do not show the value that was asked for "
            f"(found by: {title_of(named[0].record.metric)})."
        )
    if wrong:
        return f"Of use, yet not alike: models learn from these windows, but {wrong}."
    if use.verdict == "warn":
        return "Of some use: a model trained on these windows lags behind one trained on real ones."
    behind = _behind(use)
    if behind is not None and behind > SAME:
        return (
            "Of use: a model trained on these windows does nearly as well on real ones as one "
            f"trained on real data ({behind:.0%} behind)."
        )
    return "Of use: a model trained on these windows does as well on real ones as real data allow."


def _of_looks(measured: Records) -> str:
    """The headline where only likeness, or parts of it, was measured."""
    named = _named(measured)
    if named and all(_is_steering(one.record) for one in named):
        return f"The windows look real, but {_wrong(measured)}."
    if named:
        return f"The synthetic windows can be told from real ones: {_wrong(measured)}."
    likeness = {one.verdict for one in measured if one.metric in LIKENESS}
    every = {one.metric for one in measured}
    if likeness == {"pass"} and "two_sample_auc" in every:
        return "The synthetic windows are hard to tell from real ones."
    if "warn" in likeness:
        return "Nothing fails, yet the synthetic windows may be told from real ones."
    return "Nothing fails, yet it is not known whether the windows can be told from real ones."


def _named(measured: Records) -> list[Fault]:
    """The faults that a headline may name: not that a model fails, which it says by itself."""
    every = [
        one for one in faults(measured) if group_of(one.record) != "use" or _is_steering(one.record)
    ]
    # That a test can tell is the news only where nothing says by what.
    return [one for one in every if group_of(one.record) != "likeness"] or every


def _wrong(measured: Records) -> str:
    """Up to two faults in words with the measures that found them; "" where there is none."""
    named = _named(measured)[:2]
    if not named:
        return ""
    found = ", ".join(title_of(one.record.metric) for one in named)
    return f"{' and '.join(one.text for one in named)} (found by: {found})"


def told(records: Records) -> list[Finding]:
    """What matters, each with its verdict: use, labels, likeness, novelty, variety, rules, faults.

    Values, channels and time are told only where something fails there.
    """
    measured = [record for record in records if record.verdict != "skipped"]
    found = {record.metric: record for record in measured}
    said = []
    use = next((found[name] for name in USE if name in found), None)
    if use is not None:
        said.append(Finding(use.verdict, "Training on it", _use(use)))
    if "steering_spearman" in found:
        said.append(_steering(found["steering_spearman"], found.get("steering_mae")))
    elif any(_is_steering(one) for one in measured):
        labels = [one for one in measured if _is_steering(one)]
        said.append(_group("Labels", labels))
    tests = [found[name] for name in ("two_sample_auc", "summary_auc") if name in found]
    if tests:
        # The stronger of the two on these windows speaks; copies of them fail whichever it is.
        strong = max(tests, key=lambda one: (one.verdict == "fail", one.value))
        copies = copied(measured)
        of_these = copies is not None and any(copies[1] is one for one in tests)
        said.append(_likeness(strong, found.get("discriminative_accuracy"), of_these))
    if "nearest_neighbour_ratio" in found:
        said.append(_novelty(measured, found))
    for group, title in LOOKS.items():
        some = [one for one in measured if group_of(one) == group]
        whole = group in ("variety", "rules")
        if some and (whole or any(one.verdict == "fail" for one in some)):
            said.append(_group(title, some))
    return said


def tally(records: Records) -> str:
    """How many measures pass, warn, fail or were skipped."""
    counts = {
        word: sum(record.verdict == word for record in records)
        for word in ("pass", "warn", "fail", "skipped")
    }
    others = [f"{counts[word]} {word}" for word in ("warn", "fail") if counts[word]]
    if counts["skipped"]:
        others.append(f"{counts['skipped']} skipped")
    return ", ".join([f"{counts['pass']} of {len(records)} measures pass", *others]) + "."


def findings(records: Records) -> list[str]:
    """The sentences of :func:`told`, then :func:`tally`."""
    return [*(one.text for one in told(records)), tally(records)]


def _is_steering(record: Any) -> bool:
    return record.metric.startswith(STEERING)


def _worst(records: Records) -> str:
    words = {record.verdict for record in records}
    return next(word for word in WORDS if word in words)


def _group(title: str, records: Records) -> Finding:
    """A card about a group: the fault that fails it, or the first figure that is worst."""
    worst = _worst(records)
    named = faults(records)
    alike = [one for one in records if one.verdict == worst]
    telling = [one for one in alike if one.metric in TELLING]
    first = named[0].record if named else (telling or alike)[0]
    counts = f"{sum(one.verdict == 'pass' for one in records)} of {len(records)} measures pass"
    figure = f"{title_of(first.metric)} {_figure(first)}"
    if first.floor is not None:
        figure += f" (real data: {_figure(first, first.floor)})"
    start = "In doubt: " if worst == "warn" else ""
    if named:
        start = f"{named[0].text[0].upper()}{named[0].text[1:]}: "
    return Finding(worst, title, f"{start}{figure}. {counts}.")


def _figure(record: Any, other: float | None = None) -> str:
    """The record's value, or another in its unit, in words."""
    value = float(record.value if other is None else other)
    if record.unit == "share":
        return f"{value:.0%}" if value == 0 or value >= 0.01 else f"{value:.1%}"
    unit = f" {record.unit}" if record.unit not in UNITLESS else ""
    return f"{value:.3g}{unit}"


def _behind(record: Any) -> float | None:
    """By what share of the floor a figure is worse than it; None where there is no floor."""
    if record.floor is None or record.value is None or record.floor <= 0:
        return None
    gap = record.value - record.floor
    return (gap if record.better == "lower" else -gap) / record.floor


def _use(record: Any) -> str:
    if record.metric in ("tstr_rmse", "tstr_mae"):
        unit = f" ({record.unit})" if record.unit not in UNITLESS else ""
        return (
            f"A model trained on synthetic windows alone errs by {record.value:.3g} on real ones"
            f"{unit}; trained on as many real windows, by {_number(record.floor)}."
        )
    if record.metric in ("tstr_balanced_accuracy", "tstr_accuracy"):
        return (
            f"A model trained on synthetic windows alone is right on {record.value:.0%} of real "
            f"ones; trained on as many real windows, on {_share(record.floor)}."
        )
    return (
        f"A model trained on synthetic windows alone scores {record.value:.3g} on real ones "
        f"({title_of(record.metric)}); trained on as many real windows, {_number(record.floor)}."
    )


def _steering(rank: Any, distance: Any | None) -> Finding:
    text = f"What was asked for and what the windows show agree in rank to {rank.value:.2f}"
    if distance is not None:
        text += (
            f" and to within {distance.value:.3g} on average; on unseen real windows the same "
            f"reader errs by {_number(distance.floor)}"
        )
    some = [one for one in (rank, distance) if one is not None]
    return Finding(_worst(some), "Asking for a value", f"{text}.")


def _likeness(strong: Any, weak: Any | None, copies: bool) -> Finding:
    if copies:
        return Finding(
            "fail", "Likeness", "Copies of the compared windows are among the synthetic."
        )
    text = (
        f"A strong test ranks a real window above a synthetic one {strong.value:.0%} of the time "
        f"(guessing: 50%; real against real: {_share(strong.floor)})"
    )
    if strong.value < ALARM and strong.verdict == "fail":
        text += ", less often than guessing: windows may come twice, or recordings be too few"
    if weak is not None:
        text += f"; an LSTM tells them apart {weak.value:.0%} of the time"
    some = [one for one in (strong, weak) if one is not None]
    return Finding(_worst(some), "Likeness", f"{text}.")


def _novelty(measured: Records, found: dict[str, Any]) -> Finding:
    ratio, near = found["nearest_neighbour_ratio"], found.get("near_copy_share")
    text = (
        f"Synthetic windows lie {ratio.value:.2f} times as far from the training windows as "
        "unseen real ones do (0: copies)"
    )
    if near is not None:
        text += f"; {near.value:.0%} of them are nearer than 99% of unseen real ones"
        if near.verdict == "fail" and copied(measured) is None and unsure(measured):
            text += ", as windows that vary too little are without being copies"
    same = found.get("identical_share")
    if same is not None and same.value > 0:
        text += f"; {same.value:.1%} are real windows, number for number"
    some = [one for one in measured if group_of(one) == "novelty"] or [ratio]
    known = [one for one in (ratio, near) if one is not None]
    worst = _worst([*some, *known])
    failed = [one for one in some if one.verdict == worst and one not in known]
    if worst != "pass" and failed and all(one.verdict != worst for one in known):
        text += f"; {title_of(failed[0].metric)} is {_figure(failed[0])}"
    return Finding(worst, "Not copied", f"{text}.")


def _number(value: float | None) -> str:
    return "(not known)" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{value:.0%}"
