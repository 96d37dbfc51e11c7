"""Which recordings are anomaly detectors judged by, what trains them, and what may be tuned on?

Every set at hand in one form. Where a publisher gives a training part, that is it; else a prefix
without anomalies. Development cases are fixed here; nothing is ever tuned on the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.data.sets import find, load_dataset
from timeloom.data.sets.folder import rows
from timeloom.data.sets.smd import read_causes
from timeloom.data.windows import Series
from timeloom.metrics.detection import period, runs

__all__ = [
    "DEV",
    "DEVELOPMENT",
    "EVALUATION",
    "LONGEST",
    "SETS",
    "TSBAD",
    "Case",
    "Tsbad",
    "cases",
    "census",
]

Array = NDArray[Any]

LONGEST = 100_000  # rows of a part; longer ones are cut, the training part at its begin
PROBATION = 0.15  # NAB's share of each series that is not scored
DEVELOPMENT, EVALUATION = "development", "evaluation"

SETS = (
    *("msl_tsbad", "msl", "smap_tsbad", "smap", "smd", "asd", "skab", "psm", "psm_sample"),
    *("nab", "ucr_anomaly"),
)
# Chosen by name, before any score was seen. The two UCR series and the sample of PSM are too few
# to give one away; the files of TSB-AD are kept whole, to stand beside their published figures.
DEV = {
    "msl": ("C-1", "D-15", "M-3", "T-12"),
    "smap": ("A-2", "D-1", "E-2", "P-1"),
    "smd": ("machine-1-7", "machine-2-1"),
    "asd": ("omi-1", "omi-4", "omi-7"),
    "skab": ("other/1", "other/7", "valve1/1", "valve1/6", "valve1/11"),
    "nab": (
        "artificialWithAnomaly/art_daily_jumpsup.csv",
        "realAWSCloudwatch/ec2_cpu_utilization_5f5533.csv",
        "realAWSCloudwatch/ec2_network_in_257a54.csv",
        "realAWSCloudwatch/rds_cpu_utilization_e47b3b.csv",
        "realKnownCause/nyc_taxi.csv",
    ),
}
STEP_SECONDS = {"smd": 60.0, "asd": 300.0, "skab": 1.0, "psm": 60.0, "psm_sample": 60.0}


class Tsbad(NamedTuple):
    """A file of TSB-AD-M that is the test array of one channel-id of NASA.

    Attributes:
        file: Its number in the evaluation list.
        prefix: Its first rows that training may use.
    """

    file: int
    prefix: int


# Those whose length, first anomaly and number of abnormal points agree. Source: TSB-AD-M's list of
# files for evaluation (Liu and Paparrizos 2024), compared with telemanom's arrays.
TSBAD = {
    "msl": {
        name: Tsbad(file, prefix)
        for name, file, prefix in (
            *(("S-2", 2, 500), ("P-11", 3, 883), ("F-4", 5, 855), ("F-7", 6, 1150)),
            *(("F-5", 7, 980), ("D-14", 8, 656), ("P-15", 9, 714), ("T-4", 10, 554)),
            *(("M-7", 12, 539), ("T-5", 13, 554), ("P-14", 14, 1525), ("M-5", 15, 575)),
            *(("T-9", 16, 500), ("M-6", 17, 512)),
        )
    },
    "smap": {
        name: Tsbad(file, prefix)
        for name, file, prefix in (
            *(("E-8", 145, 2133), ("E-11", 146, 2128), ("B-1", 148, 2011), ("E-7", 150, 2077)),
            *(("D-6", 151, 1971), ("E-5", 152, 2073), ("G-2", 153, 1840), ("G-1", 154, 2117)),
            *(("D-5", 155, 1907), ("A-5", 156, 1173), ("E-10", 157, 2126), ("E-6", 158, 2075)),
            *(("S-1", 160, 1832), ("E-9", 161, 2075), ("G-4", 162, 1908), ("A-3", 163, 2051)),
            *(("E-1", 165, 2129), ("A-6", 166, 1113), ("F-3", 167, 2094), ("T-3", 168, 1998)),
            *(("R-1", 169, 1811), ("A-1", 170, 2160)),
        )
    },
}


@dataclass(frozen=True, eq=False)
class Case:
    """One recording: what trains a detector, what it scores, and what is known of that.

    Attributes:
        set: Name of the set; ``msl_tsbad`` and ``smap_tsbad`` are TSB-AD's files.
        name: As the set calls it.
        role: ``DEVELOPMENT`` or ``EVALUATION``.
        train: Held to be normal; constant channels are kept.
        test: Without its labels, so that no detector can read them.
        labels: (time,) of booleans, for ``test``.
        period: Of the test's first channel as TSB-AD finds it: the window of VUS.
        step_seconds: Between time points, or None where nobody says.
        channel_labels: (time, channel) of booleans: the channels behind an anomaly; None where
            nobody says.
        known: How many first rows of ``test`` are ``train`` itself, as TSB-AD scores whole files;
            flags are judged after them.
    """

    set: str
    name: str
    role: str
    train: Series
    test: Series
    labels: Array
    period: int
    step_seconds: float | None = None
    channel_labels: Array | None = None
    known: int = 0

    @property
    def data(self) -> str:
        """As records call it, for example ``smd, machine-1-6``."""
        return f"{self.set}, {self.name}"


@cache
def cases(name: str) -> tuple[Case, ...]:
    """All cases of a set, in its own order.

    Raises:
        ValueError: If there is no such set of anomalies, or it is not at hand.
    """
    if name not in SETS:
        raise ValueError(f"a set with anomalies is one of {', '.join(SETS)}; got {name!r}.")
    source, _, tsbad = name.partition("_tsbad")
    if tsbad or source in TSBAD:
        return _nasa(name, source)
    if name == "nab":
        return _nab()
    if name.startswith("psm"):
        return _psm(name)
    train, test = (_series(part) for part in load_dataset(name))
    normal = {one.name: one for one in train}
    return tuple(_case(name, normal[one.name], one, causes=_causes(name, one)) for one in test)


def census(which: Iterable[Case]) -> list[dict[str, Any]]:
    """What is there, one row per set and role: cases, channels, rows, anomalous share."""
    groups: dict[tuple[str, str], list[Case]] = {}
    for one in which:
        groups.setdefault((one.set, one.role), []).append(one)
    return [
        {
            "set": name,
            "role": role,
            "cases": len(own),
            "channels": own[0].test.values.shape[1],
            "training rows": sum(len(one.train) for one in own),
            "scored rows": sum(len(one.test) for one in own),
            "events": sum(len(runs(one.labels)[0]) for one in own),
            "abnormal": sum(one.labels.sum() for one in own) / sum(len(one.test) for one in own),
            "without an event": sum(not one.labels.any() for one in own),
        }
        for (name, role), own in groups.items()
    ]


def _case(name: str, train: Series, test: Series, **more: Any) -> Case:
    if test.label is None:
        raise ValueError(f"{name} must come with labels; '{test.name}' has none.")
    labels, causes = np.asarray(test.label)[:LONGEST] > 0, more.pop("causes", None)
    step = more.pop("step_seconds", STEP_SECONDS.get(name))
    train, test = (
        Series(part.values[at], None, part.name, part.channels, time)
        for part, at in ((train, slice(-LONGEST, None)), (test, slice(0, LONGEST)))
        for time in [None if part.time is None else part.time[at]]
    )
    line = test.values[:, 0]
    line = np.where(np.isfinite(line), line, np.nanmean(line)) if np.isfinite(line).any() else None
    return Case(
        set=name,
        name=test.name,
        role=DEVELOPMENT if test.name in DEV.get(name, ()) else EVALUATION,
        train=train,
        test=test,
        labels=labels,
        period=125 if line is None else period(line),
        step_seconds=step,
        channel_labels=None if causes is None else causes[:LONGEST],
        **more,
    )


def _nasa(name: str, source: str) -> tuple[Case, ...]:
    """A channel-id is in one of the two sets only: those of TSB-AD, and all others."""
    train, test = (_series(part) for part in load_dataset(source))
    normal, known = {one.name: one for one in train}, TSBAD[source]
    if name == source:
        return tuple(_case(name, normal[one.name], one) for one in test if one.name not in known)
    own = sorted((one for one in test if one.name in known), key=lambda o: known[o.name])
    return tuple(
        _case(name, rows(one, slice(0, prefix)), one, known=prefix)
        for one in own
        for prefix in [known[one.name].prefix]
    )


def _nab() -> tuple[Case, ...]:
    found = []
    for one in _series(load_dataset("nab")):
        # One series has an anomaly within its probation: training ends before it.
        abnormal = np.flatnonzero(np.asarray(one.label))
        end = min(int(PROBATION * len(one)), *abnormal[:1].tolist(), len(one))
        step = float(np.median(np.diff(np.asarray(one.time)).astype(np.float64)))
        train, test = rows(one, slice(0, end)), rows(one, slice(end, None))
        found.append(_case("nab", train, test, step_seconds=step))
    return tuple(found)


def _psm(name: str) -> tuple[Case, ...]:
    """All stretches of the test part as one case: alone, some hold one class only."""
    train, test = load_dataset(name)
    return (_case(name, _joined(_series(train), name), _joined(_series(test), name)),)


def _joined(parts: list[Series], name: str) -> Series:
    labels = [one.label for one in parts if one.label is not None]
    return Series(
        np.concatenate([one.values for one in parts]),
        np.concatenate(labels) if labels else None,
        name,
        parts[0].channels,
        np.concatenate([np.asarray(one.time) for one in parts]),
    )


def _causes(name: str, test: Series) -> Array | None:
    """Both sets of servers come with one file per machine, in one form."""
    if name not in ("smd", "asd"):
        return None
    folder = find(name)
    found = [
        *folder.rglob(f"{test.name}_interpretation.txt"),
        *folder.rglob(f"interpretation_label/{test.name}.txt"),
    ]
    if not found:
        return None
    blamed = np.zeros(test.values.shape, dtype=bool)
    for first, last, channels in read_causes(found[0]):
        blamed[first : last + 1, list(channels)] = True
    return blamed


def _series(loaded: Any) -> list[Series]:
    return list(loaded)
