"""Does an evaluation hold what a project demands of it: ``tstr_auroc>=0.9``?"""

import math
import operator
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

__all__ = ["NO_FAIL", "Gate", "check_gates", "failed_gates", "parse_gate"]

Records = Sequence[Any]

NO_FAIL = "no-fail"
COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
PATTERN = re.compile(r"\s*([A-Za-z]\w*)\s*(>=|<=|>|<)\s*(\S+)\s*")
NEAR = 3  # names offered for an unknown one


class Gate(NamedTuple):
    """One demand: the figure of ``metric`` must compare to ``wanted`` as ``sign`` says.

    ``metric`` is :data:`NO_FAIL` where no measure may fail; ``sign`` and ``wanted`` then mean
    nothing.
    """

    metric: str
    sign: str
    wanted: float

    def __str__(self) -> str:
        return NO_FAIL if self.metric == NO_FAIL else f"{self.metric}{self.sign}{self.wanted:g}"

    def broken(self, records: Records) -> str | None:
        """Why the gate does not hold, in a sentence without a full stop; None where it holds.

        What was not measured holds no gate: silence must not pass for success.
        """
        if self.metric == NO_FAIL:
            if all(one.verdict == "skipped" for one in records):
                return "nothing was measured: every row was skipped"
            failed = [one.metric for one in records if one.verdict == "fail"]
            return f"{len(failed)} failed: {', '.join(failed)}" if failed else None
        found = next((one for one in records if one.metric == self.metric), None)
        if found is None:
            return f"{self.metric} was not measured"
        if found.value is None:
            return f"{self.metric} was not measured: {found.why.removesuffix('.')}"
        if COMPARE[self.sign](found.value, self.wanted):
            return None
        return f"{self.metric} is {found.value:.6g}, wanted {self.sign} {self.wanted:g}"


def parse_gate(text: str) -> Gate:
    """A gate from ``name>=number``, with one of >=, <=, >, <; or from ``no-fail``.

    Raises:
        ValueError: If the text is neither.
    """
    if text.strip() == NO_FAIL:
        return Gate(NO_FAIL, "", math.nan)
    found = PATTERN.fullmatch(text)
    try:
        wanted = float(found[3]) if found else math.nan
    except ValueError:
        wanted = math.nan
    if found is None or math.isnan(wanted):
        raise ValueError(
            f"a gate is a measure, one of >=, <=, >, < and a number, as tstr_auroc>=0.9, or "
            f"{NO_FAIL}; got {text!r}."
        )
    return Gate(found[1], found[2], wanted)


def check_gates(gates: Sequence[Gate], names: Sequence[str], known: Sequence[str] = ()) -> None:
    """Refuses gates on measures that an evaluation will not make, before it begins.

    Args:
        gates: From :func:`parse_gate`.
        names: What will be measured.
        known: Everything that could be, on other data.

    Raises:
        ValueError: If a gate names another measure; the nearest names are offered.
    """
    for gate in gates:
        if gate.metric == NO_FAIL or gate.metric in names:
            continue
        if gate.metric in known:
            raise ValueError(
                f"the gate {gate} cannot hold: {gate.metric} is not measured on these labels; "
                "leave it out, or say --task."
            )
        near = get_close_matches(gate.metric, [*names], n=NEAR, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}."
        raise ValueError(f"the gate {gate} names no measure; {hint}")


def failed_gates(records: Records, gates: Sequence[Gate]) -> list[str]:
    """A line for each gate that does not hold."""
    lines = [(gate, gate.broken(records)) for gate in gates]
    return [f"gate {gate} does not hold: {why}" for gate, why in lines if why is not None]
