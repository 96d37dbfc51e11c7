"""The page of the questions to a detector: one section for each, its figures from the records."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import timeloom
from timeloom.bench.anomaly_page import Figure, Grid, Sets, grid_of, over_sets, versus
from timeloom.bench.page import save_page
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown

__all__ = ["FIGURES", "LEVELS", "WITHIN", "kept_ways", "write_questions_page"]

LEVELS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 99)  # quantiles, in percent, of normal scores
WITHIN = 1.5  # times the rate asked for, either way, that count as kept
FEWEST = 5  # recordings, below which no word is given
BAR = 40  # signs for the whole of the abnormal points
FIGURES = {
    "auc": Figure("AUC"),
    "auc_pr": Figure("AUC-PR"),
    "vus_pr": Figure("VUS-PR"),
    "hit_rate": Figure("HitRate@100"),
    "error_abnormal": Figure("median score, abnormal"),
    "error_normal": Figure("median score, normal", "lower"),
    "error_ratio": Figure("abnormal / normal"),
    **{f"beyond_{one}": Figure(f"above the {one} %-quantile of normal ones") for one in LEVELS},
    "point_f1": Figure("point F1"),
    "event_f1": Figure("event F1"),
    "events_found": Figure("events found"),
    "false_time_share": Figure("normal time flagged", "lower"),
    "false_alarms_per_day": Figure("false alarms per day", "lower", "alarms per day"),
    "delay": Figure("median delay", "lower", "time points"),
    "rate_kept": Figure("share flagged / rate asked for", "lower"),
    "effective": Figure("independent scores"),
    "seconds": Figure("CPU seconds", "lower", "CPU seconds"),
}
RULED = ("point_f1", "event_f1", "events_found", "false_time_share", "false_alarms_per_day",
         "delay")  # fmt: skip
ORACLE = "oracle"


def write_questions_page(
    path: Path, planned: Sequence[tuple[str, str, int]], settings: Mapping[str, Any]
) -> Path:
    """Writes the page beside the records and returns its path.

    Args:
        path: The records.
        planned: (data, detector, seed) of every cell of the plan.
        settings: Of every detector, to be named.
    """
    records = read_records(path)
    asked = {q: [one for one in records if one.settings["question"] == q] for q in "12345"}
    sections: tuple[tuple[str, Callable[[list[Record]], Iterator[str]]], ...] = (
        ("1", _masks), ("2", _rules), ("3", _rates), ("4", _lags), ("5", _correlations)
    )  # fmt: skip
    lines = [_opening(path, settings)]
    for question, section in sections:
        if asked[question]:
            lines += section(asked[question])
    lines += ["## What it took\n", _progress(records, planned)]
    return save_page(path, "\n".join(lines) + "\n")


def kept_ways(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One row per way of question 3: its ratio on every set, and on how many it keeps the rate.

    The ratio of a set is the mean over its recordings, then over seeds; the best way first among
    those of one rate: most sets within ``WITHIN`` times, then the smallest mean distance from 1
    in powers of two (a ratio below 1/16 counts as 1/16).
    """
    grid = grid_of(records).get("rate_kept", {})
    ways = {name: sets for arms in grid.values() for name, sets in arms.items()}
    every = list(dict.fromkeys(name for sets in ways.values() for name in sets))
    rows = []
    for way, sets in ways.items():
        means = {name: _all(own) for name, own in sets.items()}
        single = [v for own in sets.values() for case in own.values() for v in case.values()]
        far = [abs(float(np.log2(max(v, 1 / 16)))) for v in means.values()]
        rows.append(
            {
                "way": way,
                "sets kept": sum(1 / WITHIN <= one <= WITHIN for one in means.values()),
                "of": len(means),
                "distance": float(np.mean(far)),
                **{name: means.get(name) for name in every},
                "median recording": float(np.median(single)),
                "never an alarm in": f"{sum(one == 0 for one in single)} of {len(single)}",
            }
        )
    rate = {row["way"]: row["way"].rpartition(", ")[2] for row in rows}
    order = list(dict.fromkeys(rate.values()))
    return sorted(
        rows, key=lambda row: (order.index(rate[row["way"]]), -row["sets kept"], row["distance"])
    )


def _all(own: Mapping[str, Mapping[int, float]]) -> float:
    return float(np.mean([np.mean(list(seeds.values())) for seeds in own.values()]))


def _opening(path: Path, settings: Mapping[str, Any]) -> str:
    quick = " --quick" if path.stem.endswith("quick") else ""
    said = ", ".join(f"{name} {value}" for name, value in settings.items())
    return (
        f"# {path.stem}\n\nMade by `timeloom bench anomalyquestions{quick}` from `{path.name}` "
        f"(timeloom {timeloom.__version__}): mean ± standard deviation over the seeds, of means "
        "over sets of means over recordings. **Development recordings** of `timeloom bench "
        "anomaly` and made ones: nothing here is a headline. Every detector is small "
        f"({said}; 2,048 time points per step), so that differences between arms count, not "
        "levels. Of a recording the first 60 % of the training part train, the rest gives "
        "thresholds; labels are read by the measures only.\n"
    )


def _masks(records: list[Record]) -> Iterator[str]:
    grid = grid_of(records)
    yield "## 1. Are abnormal points rebuilt worse, and what does the mask do?\n"
    yield (
        "AUC: the chance that an abnormal point has a higher score than a normal one of the same "
        "recording. Below .5 the assumption that abnormal points are rebuilt worse fails there; "
        "counted over recordings, after the mean over seeds.\n"
    )
    role = next(iter(grid["auc"]))
    arms = grid["auc"][role]
    rows = []
    for arm, sets in arms.items():
        means = [_mean(seeds) for own in sets.values() for seeds in own.values()]
        lost = sum(one < 0.5 for one in means)
        ratio = grid.get("error_ratio", {}).get(role, {}).get(arm, {})
        ratios = [_mean(seeds) for own in ratio.values() for seeds in own.values()]
        rows.append(
            {
                "mask": arm,
                "AUC": over_sets(sets) or None,
                "fails in": f"{lost} of {len(means)}",
                "lowest": min(means),
                "median score, abnormal / normal (median recording)": float(np.median(ratios))
                if ratios
                else None,
            }
        )
    yield markdown(rows)
    yield "### The effect of the mask, paired by recording\n"
    yield (
        "Mean over sets of means over recordings, with 95 % bootstrap intervals (Efron & "
        "Tibshirani 1993, chapter 13): recordings of these sets drawn again, and sets too. On AUC, "
        "then on the median score of abnormal points as a multiple of the normal one's, in powers "
        "of two.\n"
    )
    yield _effects("AUC", arms)
    ratios = grid.get("error_ratio", {}).get(role, {})
    yield _effects("abnormal / normal, powers of two", _powers(ratios))
    yield "### AUC of every recording\n"
    yield markdown(
        [
            {"recording": f"{name}, {case}"}
            | {arm: list(arms[arm].get(name, {}).get(case, {}).values()) or None for arm in arms}
            for name, own in next(iter(arms.values())).items()
            for case in own
        ]
    )
    yield "### Where the abnormal points lie among the normal ones\n"
    yield from _histogram(grid, role, list(arms))


def _mean(seeds: Mapping[int, float]) -> float:
    return float(np.mean(list(seeds.values())))


def _powers(arms: Mapping[str, Sets]) -> dict[str, Sets]:
    """Ratios as powers of two: twice and half are as far from each other as from one."""
    return {
        arm: {
            name: {
                case: {seed: float(np.log2(max(value, 1e-6))) for seed, value in seeds.items()}
                for case, seeds in own.items()
            }
            for name, own in sets.items()
        }
        for arm, sets in arms.items()
    }


def _effects(what: str, arms: Mapping[str, Sets]) -> str:
    rows = [
        {"of": what, "mask": arm, "minus": rival, **found}
        for arm, rival in (("comb", "none"), ("neighbour", "none"), ("comb", "neighbour"))
        if arm in arms and rival in arms
        for found in [versus(arms[arm], arms[rival])]
        if found
    ]
    # From a handful of recordings an interval is far too narrow to say a word.
    rows = [row | ({} if row["recordings"] >= FEWEST else {"in words": None}) for row in rows]
    return markdown(rows) if rows else "One mask only was run.\n"


def _histogram(grid: Grid, role: str, arms: Sequence[str]) -> Iterator[str]:
    """Shares of the abnormal points between quantiles of the normal ones."""
    yield (
        "Share of a recording's abnormal points whose score lies between two quantiles of its "
        "normal points; mean over sets. Without any separation a line of ten percent holds 10 % "
        "and the last 1 %.\n"
    )
    edges = (0, *LEVELS, 100)
    for arm in arms:
        beyond = [float(np.mean(over_sets(grid[f"beyond_{level}"][role][arm]))) for level in LEVELS]
        shares = np.abs(np.diff([1.0, *beyond, 0.0]))  # beyond falls: no -0
        lines = [
            f"{low:3d}-{high:3d} %  {100 * share:5.1f} %  {'#' * round(BAR * share)}"
            for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
        ]
        yield "\n".join([f"{arm}:\n", "```", *lines, "```\n"])


def _rules(records: list[Record]) -> Iterator[str]:
    grid = grid_of(records)
    yield "## 2. Which threshold without labels?\n"
    yield (
        "Rules learn from the scores of the last 40 % of the training part (mask: comb). DSPOT and "
        "the rolling quantile (of as many rows, 2,000 at most, alarms included) go on learning "
        "from the stream; the oracle is the threshold of the best point F1 and has seen the "
        "labels. False alarms per day only where the time between points is known; delay in time "
        "points, of recordings in which more than half of the events are found. `lost`: point F1 "
        "of the oracle less that of the rule, paired by recording, with a 95 % bootstrap interval "
        "over recordings.\n"
    )
    role = next(iter(grid["point_f1"]))
    points = grid["point_f1"][role]
    rows = []
    for name in points:
        row: dict[str, Any] = {"rule": name}
        for metric in RULED:
            row[FIGURES[metric].title] = over_sets(grid.get(metric, {}).get(role, {}).get(name, {}))
        lost = versus(points[ORACLE], points[name]) if name != ORACLE and ORACLE in points else {}
        row["lost"] = f"{lost['difference']} {lost['95 %, other recordings']}" if lost else None
        rows.append(row)
    free = [row for row in rows if row["rule"] != ORACLE]
    rows = [row for row in rows if row["rule"] == ORACLE] + sorted(
        free, key=lambda row: -float(np.mean(row["point F1"] or 0))
    )
    yield markdown([{k: v or None for k, v in row.items()} for row in rows])
    yield "Point F1 on every set:\n"
    names = list(dict.fromkeys(name for sets in points.values() for name in sets))
    yield markdown(
        [
            {"rule": row["rule"]}
            | {n: over_sets({n: points[row["rule"]].get(n, {})}) or None for n in names}
            for row in rows
        ]
    )
    yield from _refused(records)


def _refused(records: Sequence[Record]) -> Iterator[str]:
    lost: dict[str, list[str]] = {}
    for one in records:
        if one.value is None and one.metric in ("point_f1", "rate_kept"):
            lost.setdefault(one.method, []).append(one.data)
    if lost:
        said = ", ".join(f"{n} in {len(set(d))} recordings" for n, d in lost.items())
        yield f"Too few normal scores for a rule, which has no figure there: {said}.\n"


def _rates(records: list[Record]) -> Iterator[str]:
    yield "## 3. Does a threshold keep its rate on later normal data?\n"
    yield (
        "The share of the last 20 % of the training part, all held to be normal, that is flagged, "
        "as a multiple of the rate asked for: 1 is kept, below 1 is cautious. `next block`: the "
        "first 60 % train, the next 20 % calibrate. `spread blocks`: as many rows calibrate, in up "
        "to eight blocks over the first 80 %, with gaps of a window at both ends where there is "
        "room; what is left trains. `the detector's own`: what it finds within its 60 %. "
        f"`sets kept`: within {WITHIN} times. Mean over the recordings of a set and over seeds. "
        "`distance`: mean over sets of the ratio's distance from 1, in powers of two.\n"
    )
    rows = kept_ways(records)
    yield markdown(rows)
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        best.setdefault(row["way"].rpartition(", ")[2], row)
    for rate, row in best.items():
        yield (
            f"* At {rate} the rate is kept on {row['sets kept']} of {row['of']} sets at best, by "
            f"`{row['way']}`, which was not named beforehand."
        )
    yield ""
    yield "### What the ratio rests on\n"
    yield (
        "Scores follow each other closely: the rows that are counted are worth far fewer "
        "independent ones, so that a single recording may be off by chance (mean over seeds).\n"
    )
    yield markdown(_rests(records))
    yield from _refused(records)


def _rests(records: Sequence[Record]) -> list[dict[str, Any]]:
    rows = []
    for where in ("next block", "spread blocks"):
        own = [one for one in records if one.method == f"conformal, {where}, 1 %"]
        for name in dict.fromkeys(one.settings["set"] for one in own):
            mine = [one for one in own if one.settings["set"] == name and one.value is not None]
            some = [one.value for one in mine if one.metric == "effective"]
            sizes = [one.sizes for one in mine]
            if not some:
                continue
            rows.append({"set": name, "calibration": where})
            for part in ("train", "calibrate", "measure"):
                rows[-1][f"rows, {part}"] = round(float(np.mean([one[part] for one in sizes])))
            rows[-1]["independent of those measured"] = float(np.mean([v for v in some if v]))
    return rows


def _lags(records: list[Record]) -> Iterator[str]:
    yield "## 4. Long-range dependence: who sees that an echo is missing?\n"
    yield (
        "Made: bumps in one channel at random times, answered in another a fixed lag later, with "
        "the height of the bump. Of the answers in the test part 30 % are wrong: half missing, "
        "half 20 steps late; nothing near them tells. AUC-PR over time points; `random` is the "
        "share of wrong points. No window of 64 holds an event together with its echo from lag 64 "
        "on: those cells are the control.\n"
    )
    yield _table(records, "auc_pr", "arm", lambda one: f"lag {one.settings['lag']}")
    yield "CPU seconds to train and score:\n"
    yield _table(records, "seconds", "arm", lambda one: f"lag {one.settings['lag']}")


def _correlations(records: list[Record]) -> Iterator[str]:
    yield "## 5. Correlated channels: one that leaves the others, and all at once\n"
    yield (
        "Made: 8 channels of unit variance that share one factor; in the test part 20 shifts by "
        "1.5 standard deviations for 20 to 40 time points, in one channel, drawn, or in all by as "
        "much. HitRate@100: is the channel with the highest score the one that was shifted? Chance "
        "is .125.\n"
    )
    for where, what in (("channel", "shifts in one channel"), ("factor", "shifts in all channels")):
        own = [one for one in records if one.settings["where"] == where]
        for metric in ("vus_pr", "hit_rate"):
            if any(one.metric == metric for one in own):
                yield f"{FIGURES[metric].title}, {what}:\n"
                yield _table(own, metric, "arm", _alike)


def _alike(record: Record) -> str:
    return f"correlation {record.settings['correlation']:g}"


def _table(
    records: Sequence[Record], metric: str, head: str, column: Callable[[Record], str]
) -> str:
    """Arms by what changes, each cell one value per seed."""
    rows: dict[str, dict[str, Any]] = {}
    for one in records:
        if one.metric == metric and one.value is not None:
            row = rows.setdefault(one.method, {head: one.method})
            row.setdefault(column(one), []).append(one.value)
    return markdown(list(rows.values()))


def _progress(records: Sequence[Record], planned: Sequence[tuple[str, str, int]]) -> str:
    done = {(one.data, one.settings["fit"], one.seeds[0]) for one in records}
    seconds: dict[str, list[float]] = {}
    for one in records:
        if one.metric == "seconds" and one.value is not None:
            seconds.setdefault(one.settings["fit"], []).append(one.value)
    rows = []
    for fit in dict.fromkeys(one[1] for one in planned):
        own = [one for one in planned if one[1] == fit]
        row: dict[str, Any] = {"detector": fit, "planned": len(own)}
        row["run"] = sum(one in done for one in own)
        row["CPU seconds, mean"] = float(np.mean(seconds[fit])) if fit in seconds else None
        rows.append(row)
    return markdown(rows)
