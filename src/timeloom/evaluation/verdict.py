"""From a figure, its floor and the copy machine to a word."""

import math

__all__ = ["level_verdict", "verdict"]

NEARLY = 0.9  # of the way from real data to the worst there is has failed, however noisy
CANNOT_TELL = 3  # spreads of the floor within which a departure is what real data show as well


def verdict(
    value: float,
    floor: float,
    copy: float,
    *,
    better: str,
    far: float,
    ideal: float | None = None,
    worst: float | None = None,
    small: float | None = None,
    spread: float = 0.0,
    copies: str = "good",
    alarm: float | None = None,
    lowest: float | None = None,
) -> tuple[str, str]:
    """Compares a figure with what real data score.

    The mark is the floor; where copies are good in this metric's eyes (they are real windows), it
    is the worse of floor and copy machine, for both are real against real.

    * pass: no worse than the mark by more than two spreads of the floor or ``small``.
    * warn: worse than that, yet by no more than ``far``, three spreads, or what the mark itself is
      worse than the ideal (real data that differ much prove little); or no worse than that
      where two spreads reach ``far``, so that real data themselves cannot tell good from bad,
      unless the better of floor and copy machine, or the ideal, is met as well.
    * fail: worse still; or below ``alarm`` and clearly below all that real data scored, which is a
      sign of copies.
    * skipped: there is no value or no mark.

    Args:
        value: Mean over the seeds.
        floor: Real against real; NaN where there is none.
        copy: The copy machine's; NaN where there is none.
        better: ``"lower"`` or ``"higher"``.
        far: A departure that has failed, in the unit of ``value``.
        ideal: What a perfect set of infinite size would score; None where nobody knows.
        worst: The worst figure there is, which must fail; None where there is none.
        small: A departure too small to matter; a fifth of ``far`` where None.
        spread: Standard deviation of the floor: over seeds, or of its own interval if larger.
        copies: ``"good"`` or ``"bad"``.
        alarm: See above; None for none.
        lowest: The lowest figure of real data over all seeds; the floor where None. A judge that is
            tried on other recordings than it learnt from may well fall below guessing where these
            are few and differ.

    Returns:
        The word, and the rule with its figures in a sentence.
    """
    sign = 1 if better == "lower" else -1
    marks = [floor, copy] if copies == "good" else [floor]
    marks = [sign * mark for mark in marks if math.isfinite(mark)]
    if not marks or not math.isfinite(value):
        return "skipped", "there is no figure of real data to compare with."
    if ideal is not None:
        # Real data that score better than the ideal do so by luck; nobody must match that.
        marks = [max(mark, sign * ideal) for mark in marks]
    mark, best = sign * max(marks), sign * min(marks)
    least = far / 5 if small is None else small
    small = min(max(2 * spread, least), far)
    own = 0.0 if ideal is None else sign * (mark - ideal)
    beyond = max(far, CANNOT_TELL * spread, own)
    if worst is not None:
        beyond = min(beyond, NEARLY * abs(worst - mark))
        small = min(small, beyond)
    worse = sign * (value - mark)
    lowest = floor if lowest is None else lowest
    if alarm is not None and value < min(alarm, lowest - far / 10):
        return "fail", (
            f"{value:.3g} is below {alarm:.3g} and well below all that real data scored "
            f"({lowest:.3g} at least): copies of the very windows it is compared with."
        )
    name = "real data" if copies == "good" else "unseen real data"
    side = f"{abs(worse):.2g} {'worse' if worse > 0 else 'better'} than {name} ({mark:.3g})"
    if abs(worse) < 5e-4 * max(abs(mark), 1e-3):
        side = f"as good as {name} ({mark:.3g})"
    met = len(marks) > 1 and sign * (value - best) <= least
    met = met or (ideal is not None and sign * (value - ideal) <= least)
    if 2 * spread >= far and worse <= beyond and not met:
        return "warn", (
            f"{value:.3g} is {side}; yet real data vary too much between recordings (two spreads "
            f"of the floor: {2 * spread:.2g}; fail beyond {beyond:.2g}) to tell."
        )
    rule = f"pass up to {small:.2g} worse, fail beyond {beyond:.2g}"
    word = "pass" if worse <= small else "warn" if worse <= beyond else "fail"
    return word, f"{value:.3g} is {side}; {rule}."


def level_verdict(p: float, level: float) -> tuple[str, str]:
    """The word for a p-value: fail below ``level``, warn below five times it.

    Args:
        p: Of the hypothesis that synthetic windows come from the real distribution.
        level: How often real data may fail.

    Returns:
        The word, and the rule in a sentence.
    """
    if not math.isfinite(p):
        return "skipped", "there is no p-value."
    word = "fail" if p < level else "warn" if p < 5 * level else "pass"
    return word, (
        f"were synthetic windows drawn as real ones are, a difference this large would be seen "
        f"with probability {p:.2g}; fail below {level:g}, warn below {5 * level:g}."
    )
