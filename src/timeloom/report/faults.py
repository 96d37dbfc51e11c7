"""What is wrong with synthetic windows, in plain words, and which measure found it?"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Fault", "copied", "faults", "group_of", "same_file", "title_of", "unsure"]

# Records are taken as they are (attributes metric, value, floor, copy, verdict, ...), so that this
# floor needs nothing of the one that measures.
Records = Sequence[Any]

SHORT = ("auc", "auroc", "auprc", "tstr", "tsrtr", "rmse", "mae", "mmd", "fid", "mdd", "acd", "dtw")
USE = ("tstr", "tsrtr", "mixed", "steering", "label", "nasa", "baseline")
ALARM = 0.45  # a failed two-sample AUC below it may be a sign of copies of the compared windows
SURE = 0.4  # and below this one it is one, where no other judge agrees
MANY = 0.1  # share of near copies, beyond the floor, that stands for itself
UNITS = 100.0  # ratio of spreads beyond which other units are more likely than a bad generator
STILL = 1e6  # and this one is that of rounding: a channel that does not vary at all

# Faults with the measures that name them, the most telling first: what is wrong with units or one
# channel explains most other failures, so it is said before them.
NAMED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("repeated_share",), "the same windows are handed out again and again"),
    (("missing_label_share",), "some labels of real windows are missing"),
    (("worst_channel_distance",), "one channel has wrong values"),
    (("cross_correlation_error",), "channels do not hang together as real ones do"),
    (("time_asymmetry_error",), "time does not run as it does in reality"),
    (("recall", "coverage"), "part of what real windows show is missing"),
    (("difference_spread_error",), "curves are too smooth or too rough"),
    (("identities_broken",), "sums and equalities that every real window keeps are broken"),
    (("orderings_broken",), "channels that never cross in reality do"),
    (("bounds_broken",), "values pass bounds that no real one passes"),
    (("steps_broken",), "values lie between the steps that every real one keeps"),
    (("precision", "density"), "many windows look like no real one"),
    (("missing_share_error",), "gaps are not where real data have them"),
    # Windows with another fault do not show the value asked for either.
    (("label_agreement", "steering_spearman", "steering_mae"), "labels do not fit their windows"),
)
BY_GROUP = {
    "rules": "rules that every real window keeps are broken",
    "channels": "channels do not hang together as real ones do",
    "time": "it does not move in time as real data do",
    "variety": "part of what real windows show is missing",
    "values": "values do not occur as often as in reality",
    "novelty": "it gives away what it was trained on",
    "use": "models do not learn from it what they learn from real data",
    "likeness": "a test can tell it from real windows",
}
NEAR = (
    *("nearest_neighbour_ratio", "shifted_neighbour_ratio", "near_copy_share"),
    *("shifted_copy_share", "memorised_share", "authenticity"),
)
SHARES = ("near_copy_share", "shifted_copy_share", "memorised_share")
# Windows that vary too little lie near the middle of all others: these measures of nearness do not
# tell them from copies, the rest do.
UNSURE = ("near_copy_share", "shifted_copy_share", "authenticity")
SHRUNK = ("spread_error", "scale_ratio", "difference_spread_error", "precision")
RATIOS = ("nearest_neighbour_ratio", "shifted_neighbour_ratio")


class Fault(NamedTuple):
    """One fault: what is wrong (no capital, no full stop), and the failed record that says so."""

    text: str
    record: Any


def title_of(metric: str) -> str:
    """The name of a metric as a reader would write it: ``tstr_rmse`` is "TSTR RMSE"."""
    words = " ".join(word.upper() if word in SHORT else word for word in metric.split("_"))
    return words[:1].upper() + words[1:]


def group_of(record: Any) -> str:
    """What a record looks at: its ``about``; for those on labels, "use"; "" where not known."""
    if record.metric.startswith(USE):
        return "use"
    return getattr(record, "about", "")


def faults(records: Records) -> list[Fault]:
    """Every fault that a failed measure names, each once, the most telling first."""
    failed = {record.metric: record for record in records if record.verdict == "fail"}
    found: list[Fault] = []
    missing = next((failed[name] for name in ("recall", "coverage") if name in failed), None)
    if missing is not None and not {"precision", "density"} & set(failed):
        # What there is looks real: the gap is the fault, and it moves means and spreads as well.
        found.append(Fault("part of what real windows show is missing", missing))
    spread = _spread(failed)
    found += [] if spread is None else [spread]
    for names, text in NAMED:
        record = next((failed[name] for name in names if name in failed), None)
        if record is not None:
            found.append(Fault(text, record))
    for group, text in BY_GROUP.items():
        record = next((one for one in failed.values() if group_of(one) == group), None)
        if record is not None and all(group_of(one.record) != group for one in found):
            found.append(Fault(text, record))
    told: set[str] = set()
    return [one for one in found if not (one.text in told or told.add(one.text))]


def _spread(failed: dict[str, Any]) -> Fault | None:
    """The fault that a channel's spread is wrong, in words that fit how wrong it is."""
    scale, spread = failed.get("scale_ratio"), failed.get("spread_error")
    if scale is not None and UNITS < scale.value < STILL:
        return Fault("a channel has other units", scale)
    record = spread if spread is not None else scale
    if record is None:
        return None
    still = scale is not None and scale.value >= STILL
    if still or (spread is not None and spread.value >= 0.99 * math.log(UNITS)):
        return Fault("a channel stands still, or moves where the real one does not", record)
    return Fault("a channel varies too much or too little", record)


def same_file(records: Records) -> Any | None:
    """The record that says that real windows were given as synthetic ones, or None."""
    found = next((one for one in records if one.metric == "identical_share"), None)
    return found if found is not None and "given twice" in found.why else None


def copied(records: Records) -> tuple[str, Any] | None:
    """What windows are copied from, and the record that found it; None where none says so surely.

    One failed measure of nearness may be chance, and real windows must never be called copies:
    the same window number for number, a large effect, or two measures that agree. Nor must windows
    that only vary too little, which lie near everything.
    """
    failed = {record.metric: record for record in records if record.verdict == "fail"}
    if "identical_share" in failed:
        return "real windows", failed["identical_share"]
    sure = [name for name in NEAR if name not in UNSURE] if unsure(records) else NEAR
    near = [failed[name] for name in sure if name in failed]
    large = [one for one in near if _large(one)]
    if large or len(near) > 1:
        return "training windows", (large or near)[0]
    test = failed.get("two_sample_auc")
    if test is not None and test.value < ALARM:
        others = [one for one in records if one.metric == "summary_auc" and one.value is not None]
        agreed = any(one.value < ALARM for one in others)
        beyond = test.floor is None or test.value < test.floor - 0.05
        if beyond and (agreed or test.value < SURE):
            return "the real windows compared with", test
    return None


def unsure(records: Records) -> bool:
    """Whether windows may be near the training windows only because they vary too little."""
    return any(one.metric in SHRUNK and one.verdict == "fail" for one in records)


def _large(record: Any) -> bool:
    """Whether a failed measure of nearness needs no second one."""
    if record.metric in SHARES:
        return record.value - (record.floor or 0) >= MANY
    if record.metric in RATIOS:
        return record.value < (1.0 if record.floor is None else record.floor) / 2
    return False
