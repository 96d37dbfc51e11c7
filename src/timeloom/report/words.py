"""What a set of records says, in plain words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Finding", "findings", "headline", "tally", "told"]

# Records are taken as they are (attributes metric, value, floor, copy, verdict, ...), so that this
# floor needs nothing of the one that measures.
Records = Sequence[Any]

USE = ("tstr_rmse", "tstr_balanced_accuracy", "tstr_accuracy")
LIKENESS = ("two_sample_auc", "discriminative", "discriminative_accuracy")
ALARM = 0.45  # a failed two_sample_auc below it is a sign of copies of the compared windows
UNITLESS = ("", "share")
SAME = 0.02  # share by which a figure may lie behind another and still be called as good


class Finding(NamedTuple):
    """One thing that matters: a verdict, what it is about, and a sentence."""

    verdict: str
    title: str
    text: str


def headline(records: Records) -> str:
    """What was found, in one sentence; the worst news first."""
    found = {record.metric: record for record in records}
    measured = [record for record in records if record.verdict != "skipped"]
    if not measured:
        return "Nothing could be measured: there are too few windows to compare."
    copies = _copies(found)
    if copies is not None:
        return copies
    use = next((found[name] for name in USE if name in found), None)
    failed = [record for record in measured if record.verdict == "fail"]
    look = [record for record in failed if not record.metric.startswith(("tstr", "steering"))]
    steering = [record for record in failed if record.metric.startswith("steering")]
    if use is None or use.verdict == "skipped":
        if look:
            return "The synthetic windows can be told from real ones."
        return _alike([found[name] for name in LIKENESS if name in found])
    if use.verdict == "fail":
        return "Not of use yet: a model trained on these windows fails on real ones."
    if steering:
        return "Models learn from these windows, but they do not show the value that was asked for."
    if look:
        return "Of use, yet not alike: models learn from these windows, and a test can tell them."
    if use.verdict == "warn":
        return "Of some use: a model trained on these windows lags behind one trained on real ones."
    behind = _behind(use)
    if behind is not None and behind > SAME:
        return (
            "Of use: a model trained on these windows does nearly as well on real ones as one "
            f"trained on real data ({behind:.0%} behind)."
        )
    return "Of use: a model trained on these windows does as well on real ones as real data allow."


def told(records: Records) -> list[Finding]:
    """What matters, each with its verdict: use, steering, likeness, novelty."""
    found = {record.metric: record for record in records if record.verdict != "skipped"}
    said = []
    use = next((found[name] for name in USE if name in found), None)
    if use is not None:
        said.append(Finding(use.verdict, "Training on it", _use(use)))
    if "steering_spearman" in found:
        said.append(_steering(found["steering_spearman"], found.get("steering_mae")))
    if "two_sample_auc" in found:
        said.append(_likeness(found["two_sample_auc"], found.get("discriminative_accuracy")))
    if "nearest_neighbour_ratio" in found:
        said.append(_novelty(found["nearest_neighbour_ratio"], found.get("near_copy_share")))
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


def _copies(found: dict[str, Any]) -> str | None:
    """The headline where windows are copies; None where no row says so."""
    failed = {name: record for name, record in found.items() if record.verdict == "fail"}
    if "nearest_neighbour_ratio" in failed:
        return "Too close to the training windows: these are copies, or nearly so."
    if "near_copy_share" in failed:
        return "Too close to the training windows: many of these are copies, or nearly so."
    if "two_sample_auc" in failed and failed["two_sample_auc"].value < ALARM:
        return "Too close to the real windows compared with: these are copies, or nearly so."
    return None


def _alike(likeness: Records) -> str:
    """The headline where nothing failed and use was not measured."""
    words = {record.verdict for record in likeness}
    if words == {"pass"}:
        return "The synthetic windows are hard to tell from real ones."
    if "warn" in words:
        return "Nothing fails, yet the synthetic windows may be told from real ones."
    return "Nothing fails, yet it is not known whether the windows can be told from real ones."


def _behind(record: Any) -> float | None:
    """By what share of the floor a figure is worse than it; None where there is no floor."""
    if record.floor is None or record.value is None or record.floor <= 0:
        return None
    gap = record.value - record.floor
    return (gap if record.better == "lower" else -gap) / record.floor


def _use(record: Any) -> str:
    if record.metric == "tstr_rmse":
        unit = f" ({record.unit})" if record.unit not in UNITLESS else ""
        return (
            f"A model trained on synthetic windows alone errs by {record.value:.3g} on real ones"
            f"{unit}; trained on as many real windows, by {_number(record.floor)}."
        )
    return (
        f"A model trained on synthetic windows alone is right on {record.value:.0%} of real ones; "
        f"trained on as many real windows, on {_share(record.floor)}."
    )


def _steering(rank: Any, distance: Any | None) -> Finding:
    text = f"What was asked for and what the windows show agree in rank to {rank.value:.2f}"
    words = [rank.verdict]
    if distance is not None:
        text += (
            f" and to within {distance.value:.3g} on average; on unseen real windows the same "
            f"reader errs by {_number(distance.floor)}"
        )
        words.append(distance.verdict)
    worst = next(word for word in ("fail", "warn", "pass") if word in words)
    return Finding(worst, "Asking for a value", f"{text}.")


def _likeness(strong: Any, weak: Any | None) -> Finding:
    if strong.value < ALARM and strong.verdict == "fail":
        return Finding(
            "fail", "Likeness", "Copies of the compared windows are among the synthetic."
        )
    text = (
        f"A strong test ranks a real window above a synthetic one {strong.value:.0%} of the time "
        f"(guessing: 50%; real against real: {_share(strong.floor)})"
    )
    words = [strong.verdict]
    if weak is not None:
        text += f"; an LSTM tells them apart {weak.value:.0%} of the time"
        words.append(weak.verdict)
    worst = next(word for word in ("fail", "warn", "pass") if word in words)
    return Finding(worst, "Likeness", f"{text}.")


def _novelty(record: Any, near: Any | None) -> Finding:
    text = (
        f"Synthetic windows lie {record.value:.2f} times as far from the training windows as "
        "unseen real ones do (0: copies)"
    )
    words = [record.verdict]
    if near is not None:
        text += f"; {near.value:.0%} of them are nearer than 99% of unseen real ones"
        words.append(near.verdict)
    worst = next(word for word in ("fail", "warn", "pass") if word in words)
    return Finding(worst, "Not copied", f"{text}.")


def _number(value: float | None) -> str:
    return "(not known)" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{value:.0%}"
