"""Which column of a long table means what: as told, or guessed where it is plain."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Roles", "find_roles"]

# Names are compared in lower case, without a unit in brackets, and with everything but letters and
# digits read as "_"; in this order of preference.
SERIES = (
    *("window", "window_id", "series", "series_id", "series_name"),
    *("unit", "unit_id", "unit_nr", "unit_number"),
    *("engine", "engine_id", "machine", "machine_id", "run", "run_id", "ticker", "symbol"),
    *("patient", "patient_id", "subject", "subject_id", "device", "device_id", "sensor_id"),
    *("asset", "asset_id", "recording", "recording_id", "item_id", "unique_id", "case", "case_id"),
    *("experiment", "experiment_id", "episode", "trial", "name", "id"),
)
TIME = (
    *("timestamp", "time_stamp", "datetime", "date_time", "date", "time", "cycle", "cycles"),
    *("time_cycles", "time_in_cycles", "time_cycle", "step", "ds", "time_s", "time_sec", "t"),
)
LABEL = (
    *("label", "labels", "class", "target", "rul", "remaining_useful_life"),
    *("anomaly", "is_anomaly", "y"),
)
# Names that as often mean a channel (temperature, the axes x, y, z), so the values must agree.
WEAK = ("t", "y", "id", "run", "case", "trial", "name")

Parts = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Roles:
    """The part that each column of a long table plays.

    Attributes:
        series: The column that says which series a row belongs to, or None: one series.
        time: The column of time stamps, or None.
        label: The column of labels, or None.
        channels: The columns that were measured.
    """

    series: str | None
    time: str | None
    label: str | None
    channels: tuple[str, ...]


def find_roles(
    table: Any,
    *,
    series: str | None = None,
    time: str | None = None,
    channels: Sequence[str] | None = None,
    label: str | None = None,
    where: str = "the table",
    said: list[str] | None = None,
) -> Roles:
    """Gives every column its part; what is not told is guessed by name or kind.

    Args:
        table: A pandas data frame.
        series: The column that names the series; guessed where None.
        time: The column of time stamps; guessed where None.
        channels: The measured columns; all that have no other part where None.
        label: The column of labels; guessed where None.
        where: What to call the table in a message.
        said: Receives one sentence about what was guessed.

    Returns:
        The parts. A column that plainly numbers the rows has none.

    Raises:
        ValueError: If a name is not a column, plays two parts, or if no channel is left.
    """
    names = [str(name) for name in table.columns]
    parts = {"series": series, "time": time, "label": label}
    told = [name for name in parts.values() if name is not None] + list(channels or ())
    _known(told, names, where)
    for name in told:
        if told.count(name) > 1:
            raise ValueError(
                f"column '{name}' is given two parts among series, time, label and channels; "
                "name another column for one of them."
            )
    free = [name for name in names if name not in told]
    row_numbers = [name for name in free if _counts_rows(table, name)]
    free = [name for name in free if name not in row_numbers]
    guessed = []
    for part, guess in GUESSES.items():
        if parts[part] is None:
            found = parts[part] = guess(table, free, parts)
            free = [name for name in free if name != found]
            noun = "label" if part == "label" else f"{part} column"
            guessed.append(f"{noun} '{found}'" if found else f"no {noun}")
    if channels is None:
        channels = free
        guessed.append(f"{len(free)} channel" + "s" * (len(free) != 1))
    if not channels:
        raise ValueError(
            f"{where} has no column left for a channel; its columns are {', '.join(names)}. "
            "Name the measured ones with channels."
        )
    _say(said, guessed, row_numbers)
    return Roles(**parts, channels=tuple(channels))


def _say(said: list[str] | None, guessed: list[str], left_out: list[str]) -> None:
    if said is None:
        return
    if guessed:
        said.append("guessed: " + ", ".join(guessed))
    if left_out:
        said.append(f"left out: column '{left_out[0] or '(no name)'}', which numbers the rows")


def _known(told: Sequence[str], names: list[str], where: str) -> None:
    for name in told:
        if name in names:
            continue
        lower = {known.lower(): known for known in names}
        near = difflib.get_close_matches(str(name).lower(), lower, n=1, cutoff=0.5)
        hint = f"did you mean '{lower[near[0]]}'?" if near else "name one of them."
        shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
        raise ValueError(f"{where} has no column '{name}'; its columns are {shown}; {hint}")


def _plain(name: str) -> str:
    bare = re.sub(r"[(\[].*?[)\]]", "", name.lower())
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")


def _guess_series(table: Any, free: list[str], parts: Parts) -> str | None:
    return _by_name(table, free, SERIES, _names_series)


def _guess_time(table: Any, free: list[str], parts: Parts) -> str | None:
    def agrees(table: Any, name: str, weak: bool) -> bool:
        return not weak or _rises(table, name, parts["series"])

    return _by_name(table, free, TIME, agrees) or _dates(table, free)


def _guess_label(table: Any, free: list[str], parts: Parts) -> str | None:
    return _last_of_generated(table, free, parts) or _by_name(table, free, LABEL, _is_label)


# In this order: what is taken is no longer free.
GUESSES = {"series": _guess_series, "time": _guess_time, "label": _guess_label}


def _by_name(table: Any, free: list[str], wanted: tuple[str, ...], agrees: Any) -> str | None:
    plain = {}
    for name in free:
        plain.setdefault(_plain(name), name)
    for name in wanted:
        if name in plain and agrees(table, plain[name], name in WEAK):
            return plain[name]
    return None


def _names_series(table: Any, name: str, weak: bool) -> bool:
    """Whether a column holds names: text or whole numbers; under a weak name ones that recur."""
    column = table[name]
    if column.dtype.kind == "f" and (column % 1 > 0).any():
        return False
    return not weak or 1 <= column.nunique() <= len(column) / 2


def _rises(table: Any, name: str, series: str | None) -> bool:
    column = table[name]
    if column.dtype.kind not in "iuf" or column.isna().any():
        return False
    steps = column.diff() if series is None else column.groupby(table[series]).diff()
    return bool((steps.dropna() > 0).all())


def _last_of_generated(table: Any, free: list[str], parts: Parts) -> str | None:
    """The label of a table that we wrote as CSV: its last column, one value in each window."""
    ours = (parts["series"], parts["time"]) == ("window", "step")
    if not ours or len(free) < 2 or free[-1] != table.columns[-1]:
        return None
    # An empty cell is a value here: it must not hide a second one.
    distinct = table.groupby("window")[free[-1]].nunique(dropna=False)
    text = table[free[-1]].dtype.kind not in "iufb"
    # A number that never changes at all is as likely a constant channel.
    varies = text or table[free[-1]].nunique() > 1
    return free[-1] if (distinct == 1).all() and varies else None


def _dates(table: Any, free: list[str]) -> str | None:
    """The only column of dates, or None."""
    found = [
        name for name in free if table[name].dtype.kind == "M" or _looks_like_dates(table[name])
    ]
    return found[0] if len(found) == 1 else None


def _looks_like_dates(column: Any) -> bool:
    if column.dtype.kind in "iufbcmM":
        return False
    head = column.dropna().head(20)
    iso = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T].*)?$")
    return len(head) > 0 and all(isinstance(v, str) and iso.match(v.strip()) for v in head)


def _is_label(table: Any, name: str, weak: bool) -> bool:
    """Whether ``name`` can be a label: beside x or z, and in a table of ours, y is a channel."""
    others = {_plain(column) for column in table.columns}
    return not (weak and ({"x", "z"} & others or {"window", "step"} <= others))


def _counts_rows(table: Any, name: str) -> bool:
    """Whether a column without a name of its own is just the number of the row."""
    if _plain(name) not in ("", "index", "unnamed_0", "id", "level_0"):
        return False
    column = table[name]
    if column.dtype.kind not in "iu" or len(column) < 2:
        return False
    values = column.to_numpy()
    return bool(values[0] in (0, 1) and np.array_equal(values, values[0] + np.arange(len(values))))
