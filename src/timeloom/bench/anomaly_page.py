"""The page of the anomaly grid: who beats whom on how many recordings, beside what nothing gets."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import timeloom
from timeloom.bench.anomaly_rivals import RIVALS
from timeloom.bench.anomaly_sets import DEVELOPMENT, EVALUATION, LONGEST, TSBAD
from timeloom.bench.page import save_page
from timeloom.bench.paired_page import difference
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown

__all__ = [
    "FIGURES",
    "Figure",
    "Planned",
    "grid_of",
    "over_sets",
    "versus",
    "whole",
    "write_anomaly_page",
]


class Figure(NamedTuple):
    """A measure as the page calls it."""

    title: str
    better: str = "higher"
    unit: str = ""


FIGURES = {
    "vus_pr": Figure("VUS-PR"),
    "vus_roc": Figure("VUS-ROC"),
    "auc_pr": Figure("AUC-PR"),
    "affiliation_normalised": Figure("affiliation, 0 = random"),
    "event_f1": Figure("event F1"),
    "point_f1": Figure("point F1"),
    "events_found": Figure("events found"),
    "false_time_share": Figure("normal time flagged", "lower"),
    "false_alarms_per_day": Figure("false alarms per day", "lower", "alarms per day"),
    "pa_f1": Figure("PA-F1 (inflated)"),
    "hit_rate_100": Figure("HitRate@100"),
    "hit_rate_150": Figure("HitRate@150"),
    "fit_seconds": Figure("s to fit", "lower", "CPU seconds"),
    "score_seconds": Figure("s to score", "lower", "CPU seconds"),
    "points_per_second": Figure("points per second", "higher", "points per CPU second"),
}
COSTS = ("fit_seconds", "score_seconds", "points_per_second")
BLAME = ("hit_rate_100", "hit_rate_150")
HEAD = "vus_pr"
OURS = "DDMT"
FORMAT_ONLY = ("psm_sample",)  # 300 rows of 87,841 say nothing about detectors
# VUS-PR of TSB-AD-M's board, October 2025, by file number.
BOARD = ("KMeansAD", "CNN", "Donut", "LSTMAD", "AutoEncoder", "PCA", "AnomalyTransformer")
PUBLISHED = {
    int(line.split()[0]): tuple(float(one) for one in line.split()[1:])
    for line in """
2 .996 .206 .131 .156 .169 .128 .149
3 .301 .077 .205 .134 .081 .162 .150
5 .113 .078 .083 .084 .105 .068 .065
6 .289 .118 .419 .121 .147 .113 .078
7 .061 .753 .449 .655 .091 .158 .319
8 .507 .932 .414 .164 .924 .338 .132
9 .017 .100 .062 .035 .030 .032 .026
10 .029 .086 .031 .053 .079 .048 .044
12 .646 .645 .571 .106 .509 .225 .150
13 .997 .283 .242 .064 .216 .089 .122
14 .682 .229 .230 .212 .065 .131 .038
15 .568 .112 .172 .149 .116 .146 .133
16 .835 .336 .220 .115 .340 .222 .107
17 .052 .976 .975 .983 .193 .220 .104
145 .177 .179 .202 .180 .197 .145 .078
146 .257 .240 .342 .117 .216 .128 .044
148 .104 .203 .099 .666 .026 .025 .014
150 .541 .085 .104 .060 .179 .059 .038
151 .330 .030 .039 .030 .062 .036 .017
152 .127 .062 .066 .046 .052 .048 .052
153 .073 .016 .010 .017 .050 .016 .015
154 .024 .016 .024 .018 .032 .013 .035
155 .432 .046 .009 .037 .071 .035 .008
156 .998 .764 .171 .434 .036 .016 .387
157 .247 .238 .310 .108 .200 .101 .047
158 .621 .109 .042 .099 .175 .124 .013
160 .040 .123 .651 .113 .062 .114 .082
161 .173 .084 .143 .092 .046 .085 .047
162 .833 .479 .675 .043 .073 .009 .058
163 .066 .050 .049 .028 .042 .047 .036
165 .199 .125 .221 .122 .181 .100 .068
166 .943 .777 .023 .833 .614 .624 .010
167 .906 .103 .110 .084 .021 .055 .028
168 .180 .059 .129 .041 .042 .033 .047
169 .070 .097 .082 .058 .031 .031 .025
170 .031 .018 .017 .016 .032 .019 .015
""".strip().splitlines()
}

# Metric -> role -> arm -> set -> case -> seed -> value.
Cases = Mapping[str, Mapping[int, float]]
Sets = Mapping[str, Cases]
Grid = dict[str, dict[str, dict[str, dict[str, dict[str, dict[int, float]]]]]]


class Planned(NamedTuple):
    """A part of the grid as it was planned: its arms with their number of seeds, its cases."""

    title: str
    arms: Mapping[str, int]
    cases: tuple[str, ...]


def write_anomaly_page(path: Path, plan: Sequence[Planned]) -> Path:
    """Writes the page beside the records and returns its path.

    Args:
        path: The records.
        plan: What the whole grid is, to stand beside what was run.
    """
    records = read_records(path)
    grid = grid_of(records)
    lines = [_opening(path), "## What is there\n", markdown(_census(records)), _notes()]
    for role in (EVALUATION, DEVELOPMENT):
        arms = grid.get(HEAD, {}).get(role, {})
        if not arms:
            continue
        said = "" if role == EVALUATION else " (what settings may be chosen on; no test of them)"
        lines += [f"## VUS-PR, {role} recordings{said}\n", _headline(arms)]
        lines += _paired(arms, role)
        lines += [f"## Other measures, {role} recordings\n", *_others(grid, role)]
    lines += _board(grid)
    lines += ["## What it took\n", _costs(grid)]
    lines += ["## The plan beside what was run\n", _progress(plan, records)]
    return save_page(path, "\n".join(lines) + "\n")


def grid_of(records: Sequence[Record]) -> Grid:
    """Records as a nested table; what could not be computed is left out."""
    grid: Grid = {}
    for one in records:
        if one.value is not None:
            known = one.settings
            arms = grid.setdefault(one.metric, {}).setdefault(known["role"], {})
            own = arms.setdefault(one.method, {}).setdefault(known["set"], {})
            own.setdefault(known["case"], {})[one.seeds[0]] = one.value
    return grid


def over_cases(own: Cases) -> list[float]:
    """One value per seed: the mean over the cases; seeds that some case lacks are left out."""
    seeds = set.intersection(*[set(one) for one in own.values()]) if own else set()
    return [float(np.mean([one[seed] for one in own.values()])) for seed in sorted(seeds)]


def over_sets(sets: Sets) -> list[float]:
    """One value per seed: the mean over the sets of the mean over their cases."""
    found = [over_cases(own) for name, own in sets.items() if name not in FORMAT_ONLY]
    count = min(map(len, found), default=0)
    return [float(np.mean([one[seed] for one in found])) for seed in range(count)]


def versus(arm: Sets, rival: Sets) -> dict[str, Any]:
    """Columns that say by how much an arm differs from a rival; empty without common cases.

    Paired by case, after the mean over seeds; a mean over sets of means over cases.
    """
    ours, theirs = _seedless(arm), _seedless(rival)
    shared = [n for n in ours if n in theirs and ours[n].keys() & theirs[n].keys()]
    if not shared:
        return {}
    found = difference({n: ours[n] for n in shared}, theirs)
    pairs = [ours[n][k] - theirs[n][k] for n in shared for k in ours[n].keys() & theirs[n].keys()]
    low, high = found.seeds
    return {
        "difference": f"{found.mean:+.3f}",
        "95 %, other recordings": _interval(found.seeds),
        "95 %, other sets too": _interval(found.sets),
        "recordings": found.pairs,
        "better in": f"{sum(one > 0 for one in pairs)} of {len(pairs)}",
        "in words": "above" if low > 0 else "below" if high < 0 else "cannot be told",
    }


def _seedless(sets: Sets) -> dict[str, dict[int, float]]:
    """Set -> case -> mean over seeds, the cases by numbers that are the same for every arm."""
    return {
        name: {_number(case): float(np.mean(list(seeds.values()))) for case, seeds in own.items()}
        for name, own in sets.items()
        if name not in FORMAT_ONLY
    }


def _number(case: str) -> int:
    return int.from_bytes(case.encode(), "big")


def _interval(ends: tuple[float, float]) -> str:
    return f"[{ends[0]:+.3f}, {ends[1]:+.3f}]"


def _opening(path: Path) -> str:
    quick = " --quick" if path.stem.endswith("quick") else ""
    return (
        f"# {path.stem}\n\nMade by `timeloom bench anomaly{quick}` from `{path.name}` (timeloom "
        f"{timeloom.__version__}); with two processes `--part 1/2` and `--part 2/2`. Mean over the "
        "recordings of a set ± standard deviation over seeds; arms without chance have one seed. "
        "Every recording has a detector of its own, fitted on its training part alone: the "
        "publisher's where there is one, else a prefix without anomalies. Labels are read by the "
        "measures only. VUS-PR is TSB-AD's, its window the period of the first channel. Settings "
        "are chosen on the development recordings; the headline is of the others. A first look at "
        "a third of them, before DDMT had its references, is told of in docs/journal.md.\n"
    )


def _notes() -> str:
    arms = "\n".join(f"* {one.name}: {one.note}." for one in RIVALS)
    return (
        "`msl_tsbad` (`smap_tsbad`): the channel-ids that are files of TSB-AD-M, by its protocol: "
        "the whole test array is scored, its first rows train; at a threshold only later rows are "
        "judged. `msl`: the other channel-ids, with their own training part. `nab`: the first 15 % "
        "train, or what comes before the first anomaly. `psm_sample` is a sample to try the format "
        "with and enters no mean. Of parts longer than "
        f"{LONGEST:,} rows the training part keeps its end, the test part its begin. Recordings "
        "without an event count for false alarms only.\n\n"
        f"{arms}\n\n"
        "Thresholds see no label and no scored row: of the rivals the 99 %-quantile of the scores "
        "of the last fifth of the training part, fitted on the rest; of DDMT its own.\n\nk-means "
        "as published learns from the rows that it scores, anomalies included. Rivals with spans "
        "are plain errors in the place of the network's, pooled over time and channels as DDMT's "
        "are: what DDMT gains over them is the network's, what they gain over plain ones is not.\n"
    )


def _census(records: Sequence[Record]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
    for one in records:
        known = groups.setdefault((one.settings["set"], one.settings["role"]), {})
        known[one.data] = one.sizes
    return [
        {
            "set": name,
            "role": role,
            "recordings": len(own),
            "channels": next(iter(own.values()))["channels"],
            "training rows": sum(one["train"] for one in own.values()),
            "scored rows": sum(one["test"] for one in own.values()),
            "events": sum(one["events"] for one in own.values()),
            "abnormal": sum(one["abnormal"] for one in own.values())
            / sum(one["test"] for one in own.values()),
        }
        for (name, role), own in groups.items()
    ]


def whole(arms: Mapping[str, Sets]) -> set[str]:
    """The arms that were run on every recording; means of the others are none to compare."""
    cases = {
        arm: {(n, case) for n, own in sets.items() if n not in FORMAT_ONLY for case in own}
        for arm, sets in arms.items()
    }
    every = set().union(*cases.values())
    return {arm for arm, own in cases.items() if own == every}


def _headline(arms: Mapping[str, Sets]) -> str:
    names = list(dict.fromkeys(name for sets in arms.values() for name in sets))
    rows = []
    for arm, sets in arms.items():
        row: dict[str, Any] = {"arm": arm}
        row["mean over sets"] = over_sets(sets) if arm in whole(arms) else None
        row |= {name: over_cases(sets[name]) if name in sets else None for name in names}
        rows.append(row | {"recordings": sum(map(len, sets.values()))})
    return markdown(rows)


def _paired(arms: Mapping[str, Sets], role: str) -> Iterator[str]:
    rows = [
        {"rival": rival, **found}
        for rival, sets in arms.items()
        if rival != OURS and OURS in arms
        for found in [versus(arms[OURS], sets)]
        if found
    ]
    if not rows:
        return
    yield f"## {OURS} minus each rival, VUS-PR, {role} recordings\n"
    yield (
        "Paired by recording, after the mean over seeds; the mean over sets of means over "
        "recordings. Above 0: DDMT is better. 95 % bootstrap intervals (Efron & Tibshirani 1993, "
        "chapter 13): recordings of these sets drawn again, and sets too.\n"
    )
    yield markdown(rows)
    rows = []
    for rival, sets in arms.items():
        row: dict[str, Any] = {"rival": rival}
        for name in arms[OURS] if rival != OURS else ():
            found = versus({name: arms[OURS][name]}, {name: sets.get(name, {})})
            both = ("difference", "95 %, other recordings")
            row[name] = " ".join(str(found[one]) for one in both) if found else None
        rows += [row] if len(row) > 1 else []
    yield markdown(rows)


def _others(grid: Grid, role: str) -> Iterator[str]:
    names = [name for name in FIGURES if name not in (*COSTS, *BLAME)]
    yield (
        "Means over sets of means over recordings, of those in which a figure exists, of the arms "
        "that were run on all of them. Event F1, "
        "point F1 and what follows are at a threshold that no label chose. **PA-F1 is inflated**: "
        "one hit credits a whole event; read it beside the random row.\n"
    )
    yield _means(grid, role, names)
    for name in dict.fromkeys(
        name for sets in grid.get(BLAME[0], {}).get(role, {}).values() for name in sets
    ):
        yield f"### Which channels are to blame, {name}, {role} recordings\n"
        yield _means(grid, role, BLAME, only=name)


def _means(grid: Grid, role: str, names: Sequence[str], only: str = "") -> str:
    arms = dict.fromkeys(arm for name in names for arm in grid.get(name, {}).get(role, {}))
    everywhere = whole(grid.get(HEAD, {}).get(role, {}))
    rows = []
    for arm in arms:
        row: dict[str, Any] = {"arm": arm}
        for name in names:
            sets = grid.get(name, {}).get(role, {}).get(arm, {})
            if only:
                sets = {only: sets[only]} if only in sets else {}
            found = over_sets(sets) if only or arm in everywhere else []
            row[FIGURES[name].title] = found or None
        rows.append(row)
    return markdown(rows)


def _board(grid: Grid) -> Iterator[str]:
    """Published figures of the files of TSB-AD-M beside ours."""
    files = {
        (f"{s}_tsbad", case): own.file for s, all in TSBAD.items() for case, own in all.items()
    }
    arms = grid.get(HEAD, {}).get(EVALUATION, {})
    shown = {
        arm: {
            files[name, case]: float(np.mean(list(seeds.values())))
            for name, own in sets.items()
            for case, seeds in own.items()
            if (name, case) in files
        }
        for arm, sets in arms.items()
    }
    there = sorted({file for own in shown.values() for file in own})
    if not there:
        return
    yield "## Beside the board of TSB-AD-M\n"
    yield (
        f"VUS-PR of {len(there)} of its files that are test arrays of NASA; published: the board's "
        "snapshot of October 2025. There k-means and PCA learn from the whole file, anomalies "
        "included; CNN, Donut, LSTMAD, the auto-encoder and AnomalyTransformer from the prefix.\n"
    )
    by_file = {number: case for (_, case), number in files.items()}
    rows: list[dict[str, Any]] = [
        {"file": "mean"},
        *({"file": f"{n:03} {by_file[n]}"} for n in there),
    ]
    for place, method in enumerate(BOARD):
        values = [PUBLISHED[file][place] for file in there]
        for row, value in zip(rows, [float(np.mean(values)), *values], strict=True):
            row[f"{method}, published"] = value
    for arm, own in shown.items():
        whole = [own[file] for file in there if file in own]
        mean = float(np.mean(whole)) if len(whole) == len(there) else None
        for row, value in zip(rows, [mean, *(own.get(file) for file in there)], strict=True):
            row[arm] = value
    yield markdown(rows)


def _costs(grid: Grid) -> str:
    said = "CPU seconds of one process with one thread; means over sets of means over recordings.\n"
    roles = [role for role in (EVALUATION, DEVELOPMENT) if role in grid.get(COSTS[0], {})]
    return said + "\n" + "\n".join(_means(grid, role, COSTS) for role in roles)


def _progress(plan: Sequence[Planned], records: Sequence[Record]) -> str:
    done = {(one.data, one.seeds[0], one.method) for one in records}
    rows = []
    for part in plan:
        for arm, seeds in part.arms.items():
            wanted = [(data, seed, arm) for data in part.cases for seed in range(seeds)]
            run = sum(one in done for one in wanted)
            rows.append({"part": part.title, "arm": arm, "planned": len(wanted), "run": run})
    return markdown(rows)
