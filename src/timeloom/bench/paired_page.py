"""The page of a paired comparison: mean and spread per arm, and which arm beats which."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import timeloom
from timeloom.bench.page import save_page
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown

__all__ = ["CHOSEN", "Difference", "Grid", "chosen_by_guidance", "difference", "write_paired_page"]

Array = NDArray[Any]
# Score -> set -> arm -> seed -> value.
Grid = dict[str, dict[str, dict[str, dict[int, float]]]]

CHOSEN = "chosen"
HEADLINE = ("auroc", "minority_f1")
NAMES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "minority_f1": "minority F1",
}
RESAMPLES = 10_000
FEWEST = 5  # seeds of a set, below which no word is given


class Difference(NamedTuple):
    """Mean paired difference of two arms, with two 95 % intervals.

    Attributes:
        mean: Over sets, of the mean over seeds.
        seeds: (low, high) when the seeds of every set are drawn again: these sets, other draws.
        sets: (low, high) when the sets are drawn again too: other sets of this kind.
        pairs: How many (set, seed) pairs there are.
        fewest: Seeds of the set that has fewest.
    """

    mean: float
    seeds: tuple[float, float]
    sets: tuple[float, float]
    pairs: int
    fewest: int

    @property
    def word(self) -> str:
        """What the interval over seeds says; with few seeds it is far too narrow to say much."""
        if self.fewest < FEWEST:
            return "cannot be told yet from"
        low, high = self.seeds
        return "beats" if low > 0 else "is beaten by" if high < 0 else "does not beat"


def difference(
    arm: Mapping[str, Mapping[int, float]], rival: Mapping[str, Mapping[int, float]], seed: int = 0
) -> Difference:
    """How much better an arm is than a rival, paired by set and seed.

    Source of the intervals: percentile bootstrap, Efron & Tibshirani 1993, chapter 13. From ten
    seeds they are about 5 % too narrow, and nothing in them knows of other test windows.

    Args:
        arm: Set -> seed -> score.
        rival: The same; pairs are those that both have.
        seed: Of the resamples.

    Raises:
        ValueError: If the two have no set and seed in common.
    """
    pairs = [
        np.array([one[k] - rival[name][k] for k in sorted(one.keys() & rival[name].keys())])
        for name, one in arm.items()
        if name in rival and one.keys() & rival[name].keys()
    ]
    if not pairs:
        raise ValueError("the two arms have no set and seed in common; run both on the same ones.")
    rng = np.random.default_rng([seed, 20417])
    # (resample, set): the mean over the seeds of a set, drawn with replacement.
    drawn = np.stack(
        [one[rng.integers(0, len(one), (RESAMPLES, len(one)))].mean(axis=1) for one in pairs], 1
    )
    picked = rng.integers(0, len(pairs), drawn.shape)
    return Difference(
        float(np.mean([one.mean() for one in pairs])),
        _quantiles(drawn.mean(axis=1)),
        _quantiles(np.take_along_axis(drawn, picked, axis=1).mean(axis=1)),
        sum(map(len, pairs)),
        min(map(len, pairs)),
    )


def _quantiles(figures: Array) -> tuple[float, float]:
    low, high = np.quantile(figures, [0.025, 0.975])
    return float(low), float(high)


def chosen_by_guidance(grid: Grid, candidates: Sequence[str]) -> dict[tuple[str, int], str]:
    """Which candidate is best on the guidance windows, for every set and seed.

    By AUROC; among equals, as a handful of rare windows often gives, by likelihood. Test windows
    have no part in it. Cells in which a candidate is missing are left out.
    """
    picked = {}
    auroc, likelihood = grid["guidance_auroc"], grid["guidance_log_likelihood"]
    for name, arms in auroc.items():
        there = [arm for arm in candidates if arm in arms]
        seeds = set.intersection(*[set(arms[arm]) for arm in there]) if there else set()
        for seed in sorted(seeds):
            picked[name, seed] = max(
                there, key=lambda arm: (arms[arm][seed], likelihood[name][arm][seed])
            )
    return picked


def grid_of(records: Sequence[Record], candidates: Sequence[str]) -> Grid:
    """Records as a nested table, with the arm "chosen" added to every score of the test windows."""
    grid: Grid = {}
    for one in records:
        if one.value is not None:
            arms = grid.setdefault(one.metric, {}).setdefault(one.data, {})
            arms.setdefault(one.method, {})[one.seeds[0]] = one.value
    if "guidance_auroc" in grid:
        for (name, seed), arm in chosen_by_guidance(grid, candidates).items():
            for score in NAMES:
                sets = grid[score][name]
                sets.setdefault(CHOSEN, {})[seed] = sets[arm][seed]
    return grid


def write_paired_page(
    path: Path,
    tried: Path | None,
    candidates: Sequence[str],
    rivals: Sequence[str],
    seen: Sequence[str] = (),
    fixed: Sequence[str] = (),
) -> Path:
    """Writes the page beside the records and returns its path.

    Args:
        path: The records of the arms.
        tried: The records of the probe on the candidates for the suite; may be absent.
        candidates: Arms of which the best on the guidance windows is "chosen".
        rivals: Arms that the others are compared with.
        seen: Sets on whose test windows the arms' settings were tried, with other seeds, before
            the grid was run: the headline is repeated without them.
        fixed: Arms that have tables of their own below "chosen".
    """
    records = read_records(path)
    grid = grid_of(records, candidates)
    lines = [
        f"# {path.stem}\n\nMade by `timeloom bench augment` from `{path.name}` (timeloom "
        f"{timeloom.__version__}): mean ± standard deviation over the seeds. Every arm: the same "
        "real windows, so many synthetic ones that the classes are equally frequent, the same "
        'number of optimisation steps. "chosen" is, per set and seed, the guidance or selection '
        "arm that is best on the guidance windows, a quarter of the real training windows.\n"
    ]
    fresh = _without(grid, seen)
    others = f"without {' and '.join(seen)}, on whose test windows settings were tried before"
    lines += _headline(grid, (CHOSEN,), rivals, "Does the chosen arm beat its rivals?")
    lines += _headline(fresh, (CHOSEN,), rivals, f"The same {others}")
    lines += _headline(fresh, fixed, rivals, f"Single settings, {others}")
    lines += _headline(grid, fixed, rivals, "Single settings on all sets: no test of them")
    lines += ["## Mean over the sets\n", markdown(list(_over_sets(grid)))]
    for score in HEADLINE:
        lines += [f"## {NAMES[score]}, arms against rivals\n"]
        lines += [
            "Mean paired difference [95 % interval over seeds]; bold: the interval is on one "
            "side of 0. With so many pairs, one in twenty is so by chance.\n"
        ]
        lines += [markdown(list(_against(grid[score], rivals)))]
    for score in NAMES:
        lines += [f"## {NAMES[score]} per set\n", markdown(list(_per_set(grid[score])))]
    lines += _choices(grid, candidates)
    lines += ["## What it took\n", markdown(list(_cost(records)))]
    if tried is not None and tried.exists():
        lines += _candidates(read_records(tried), {one.data for one in records})
    return save_page(path, "\n".join(lines) + "\n")


def _arms(sets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = dict.fromkeys(arm for arms in sets.values() for arm in arms)
    return [*(arm for arm in found if arm != CHOSEN), *([CHOSEN] if CHOSEN in found else [])]


def _of(sets: Mapping[str, Mapping[str, Any]], arm: str) -> dict[str, Any]:
    return {name: arms[arm] for name, arms in sets.items() if arm in arms}


def _without(grid: Grid, seen: Sequence[str]) -> Grid:
    """The table without some sets; empty where these, or nothing else, are in it."""
    names = {name for sets in grid.values() for name in sets}
    left = {name for name in names if name.rpartition(", ")[0] not in seen}
    if not seen or not left or left == names:
        return {}
    return {
        score: {name: arms for name, arms in sets.items() if name in left}
        for score, sets in grid.items()
    }


def _headline(grid: Grid, arms: Sequence[str], rivals: Sequence[str], title: str) -> list[str]:
    """What some arms do against each rival, in words made from the figures."""
    rows = []
    for arm in arms:
        for score in HEADLINE:
            own = _of(grid[score], arm) if grid else {}
            for rival in rivals if own else ():
                if not _of(grid[score], rival):
                    continue
                found = difference(own, _of(grid[score], rival))
                rows.append(
                    {
                        "score": NAMES[score],
                        "": f"{arm} {found.word} {rival}",
                        "difference": f"{found.mean:+.4f}",
                        "95 %, other draws": _interval(found.seeds),
                        "95 %, other sets too": _interval(found.sets),
                        "pairs": found.pairs,
                    }
                )
    return [f"## {title}\n", markdown(rows)] if rows else []


def _interval(ends: tuple[float, float]) -> str:
    return f"[{ends[0]:+.4f}, {ends[1]:+.4f}]"


def _over_sets(grid: Grid) -> Iterator[dict[str, Any]]:
    for arm in _arms(grid["auroc"]):
        row: dict[str, Any] = {"arm": arm}
        for score, title in NAMES.items():
            sets = _of(grid[score], arm)
            seeds = set.intersection(*[set(one) for one in sets.values()])
            # One value per seed: the mean over the sets.
            row[title] = [float(np.mean([one[k] for one in sets.values()])) for k in sorted(seeds)]
        yield row | {"sets": len(_of(grid["auroc"], arm))}


def _against(
    sets: Mapping[str, Mapping[str, Any]], rivals: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for arm in _arms(sets):
        row: dict[str, Any] = {"arm": arm}
        for rival in rivals:
            if rival == arm or not _of(sets, rival):
                row[f"against {rival}"] = None
                continue
            found = difference(_of(sets, arm), _of(sets, rival))
            text = f"{found.mean:+.4f} {_interval(found.seeds)}"
            sure = found.word in ("beats", "is beaten by")
            row[f"against {rival}"] = f"**{text}**" if sure else text
        yield row


def _per_set(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for arm in _arms(sets):
        row: dict[str, Any] = {"arm": arm}
        for name in sorted(sets):
            values = sets[name].get(arm)
            row[name] = None if values is None else [values[k] for k in sorted(values)]
        yield row


def _choices(grid: Grid, candidates: Sequence[str]) -> list[str]:
    if "guidance_auroc" not in grid:
        return []
    picked = list(chosen_by_guidance(grid, candidates).values())
    rows = [{"arm": arm, "chosen": picked.count(arm)} for arm in candidates]
    return ["## What was chosen\n", f"In {len(picked)} cells.\n", markdown(rows)]


def _cost(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """Seconds of one process, shared parts apart; means over the cells."""
    once = [one for one in records if one.metric == "auroc"]
    for arm in dict.fromkeys(one.method for one in once):
        rows = [one for one in once if one.method == arm]
        drawing, shared = (
            float(np.mean([one.settings[key] for one in rows]))
            for key in ("drawing_seconds", "shared_seconds")
        )
        yield {
            "arm": arm,
            "s for its windows and judges": float(np.mean([one.seconds for one in rows])),
            "of these, its windows": drawing,
            "generator and classifier": shared or None,
            "synthetic windows": float(np.mean([one.sizes["synthetic"] for one in rows])),
        }


def _candidates(records: Sequence[Record], used: set[str]) -> list[str]:
    rows = []
    for name in dict.fromkeys(one.data for one in records):
        own = [one for one in records if one.data == name]
        rows.append(
            {
                "candidate": name,
                "rare": own[0].sizes["rare"],
                "others": own[0].sizes["others"],
                "rare windows to test": own[0].sizes["test rare"],
                "AUROC": [one.value for one in own],
                "advice": ", ".join(str(one.settings["advice"]) for one in own),
                "in the suite": name in used,
            }
        )
    said = (
        "Cross-validated AUROC, by `timeloom advise`, of the training windows of draws that the "
        "grid does not use. Taken: .70 to .95, at least 25 rare windows to test, one per domain "
        "(most rare test windows, then nearest to .825), and Wafer in any case.\n"
    )
    return ["## Which sets were tried\n", said, markdown(rows)]
