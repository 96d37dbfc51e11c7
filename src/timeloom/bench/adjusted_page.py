"""The page of the point-adjusted table: the published figures, and what they are worth."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import timeloom
from timeloom.bench.page import save_page
from timeloom.metrics.record import Record, read_records
from timeloom.report.tables import markdown

__all__ = [
    "DDMT_PUBLISHED",
    "PUBLISHED",
    "RANDOM",
    "REAL",
    "SQUARED",
    "Planned",
    "found",
    "write_adjusted_page",
]

RANDOM = "random"
REAL, SQUARED, OURS = "real training window", "squared z-score", "DDMT()"
SOURCE = "Table 2 of arXiv 2310.08800v2"
# Point-adjusted precision, recall and F1 of DDMT, best of 100 draws.
DDMT_PUBLISHED = {
    "SMD": (0.8807, 0.8150, 0.8466),
    "MSL": (0.9267, 0.9807, 0.9530),
    "SMAP": (0.9408, 0.9908, 0.9651),
    "SWaT": (0.9656, 0.9978, 0.9724),
    "PSM": (0.9792, 0.9840, 0.9816),
}
# F1 in % of the other methods of that table, in the order of the sets above.
PUBLISHED = {
    line.rsplit(maxsplit=5)[0]: tuple(float(one) / 100 for one in line.rsplit(maxsplit=5)[1:])
    for line in """
IsolationForest 53.60 68.12 60.17 45.66 83.44
LOF 45.32 64.69 59.25 73.27 71.28
OC-SVM 59.56 69.06 59.20 47.36 72.97
DAGMM 58.23 74.12 66.74 71.07 77.23
THOC 84.72 85.90 89.41 85.22 85.97
LSTM-VAE 81.70 82.24 78.95 82.59 80.89
OmniAnomaly 84.49 85.75 86.33 83.36 80.77
USAD 93.17 87.99 84.73 84.81 85.52
InterFusion 82.75 88.00 88.53 84.32 83.41
Anomaly Transformer 92.23 94.41 95.44 94.34 98.01
TranAD 93.96 94.94 90.07 83.52 93.03
TimesNet 85.12 84.18 70.85 92.10 95.21
DCFF-MTAD 90.48 91.38 90.59 92.28 93.68
DCT-GAN 77.20 74.95 82.50 81.15 79.34
MEGA 96.43 92.63 85.94 92.19 94.63
""".strip().splitlines()
}
COLUMNS = (
    *("scorer", "PA-F1, one draw", "PA-F1, best of n", "n", "P / R of that best"),
    *("point F1", "VUS-PR", "AUC-PR"),
)

# Set -> scorer -> metric -> seed -> record.
Found = Mapping[str, Mapping[str, Mapping[str, Mapping[int, Record]]]]
Own = Mapping[str, Mapping[int, Record]]  # of one scorer on one set


class Planned(NamedTuple):
    """A scorer as it was planned: on which sets, how often, and what the page says of it."""

    name: str
    note: str
    draws: int
    repeats: int
    sets: tuple[str, ...]


def write_adjusted_page(path: Path, plan: Sequence[Planned]) -> Path:
    """Writes the page beside the records and returns its path.

    Args:
        path: The records.
        plan: What was to be run, to stand beside what was.
    """
    records = read_records(path)
    own = found(records)
    lines = [_opening(path), "## What the protocol rewards\n", " ".join(_paragraph(own)) + "\n"]
    for title in own:
        lines += [*_board(title, own[title])]
    lines += ["## How it was measured\n", _how(plan)]
    lines += ["## The plan beside what was run\n", _progress(plan, own)]
    return save_page(path, "\n".join(lines) + "\n")


def found(records: Sequence[Record]) -> Found:
    """Records by set, scorer, metric and seed; what does not exist is left out."""
    out: dict[str, dict[str, dict[str, dict[int, Record]]]] = {}
    for one in records:
        if one.value is not None:
            metrics = out.setdefault(one.data, {}).setdefault(one.method, {})
            metrics.setdefault(one.metric, {})[one.seeds[0]] = one
    return out


def _opening(path: Path) -> str:
    quick = " --quick" if path.stem.endswith("quick") else ""
    return (
        f"# {path.stem}\n\nMade by `timeloom bench adjusted{quick}` from `{path.name}` (timeloom "
        f"{timeloom.__version__}): the point-adjusted table of DDMT ({SOURCE}), its protocol "
        "played with other scorers. **F1 with point adjustment is inflated**; it stands here to be "
        "seen through, and no setting of this library is chosen by it.\n"
    )


def _paragraph(own: Found) -> Iterator[str]:
    """Sentences, each of records that are there; every number is theirs or the paper's."""
    yield (
        "The protocol rewards flags that are few and scattered: a hit anywhere in a long event "
        "credits all of it, so what knows nothing does well, and the best of many draws does "
        "better still."
    )
    for title, scorers in own.items():
        if RANDOM in scorers:
            yield _reach(title, scorers[RANDOM])
    for title, scorers in own.items():
        if RANDOM in scorers and len(scorers) > 1:
            yield _hidden(title, scorers)
    for title, scorers in own.items():
        if REAL in scorers and SQUARED in scorers:
            real, squared = scorers[REAL], scorers[SQUARED]
            yield (
                f"On {_called(title)} a sampler that draws real training windows, which no trained "
                f"one can better, ranks points with an AUC-PR of {_mean(real, 'auc_pr')}, the "
                f"squared z-score with {_mean(squared, 'auc_pr')}, chance with {_chance(real)}: "
                "what is drawn without a look at the window cannot tell more."
            )


def _reach(title: str, own: Own) -> str:
    """How far random scores come, and on which side of their range the paper's figure is."""
    best, draws = _values(own, "pa_f1_best"), _any(own).settings["draws"]
    said = (
        f"On {_called(title)} uniform random scores reach a point-adjusted F1 of "
        f"{_mean(own, 'pa_f1')} in one draw and {np.median(best):.3f} (median; "
        f"{min(best):.3f} to {max(best):.3f} over {len(best)} repeats) as the best of {draws}"
    )
    if (paper := _paper(title)) is None:
        return said + "; the paper's figure is of another number of machines."
    f1 = round(paper[2], 3)
    inside = round(min(best), 3) <= f1 <= round(max(best), 3)
    where = "within" if inside else "above" if f1 > max(best) else "below"
    return said + f"; the paper prints {f1:.3f} for DDMT, {where} that range."


def _hidden(title: str, scorers: Mapping[str, Own]) -> str:
    """What the same scores are worth without the protocol."""
    by = {
        name: {one: float(np.mean(_values(own, one))) for one in ("pa_f1", "vus_pr")}
        for name, own in scorers.items()
    }
    adjusted, volume = (max(by, key=lambda name: by[name][one]) for one in ("pa_f1", "vus_pr"))
    chance = scorers[RANDOM]
    below = sum(one["pa_f1"] < by[RANDOM]["pa_f1"] for one in by.values())
    top = "no other is higher" if adjusted == RANDOM else f"the highest is {adjusted}"
    said = (
        f"On {_called(title)} random scores have in one draw, on average, a higher point-adjusted "
        f"F1 than {below} of {len(by) - 1} other scorers, and {top} ({by[adjusted]['pa_f1']:.3f}); "
        f"yet without the adjustment the same random flags have an F1 of "
        f"{_mean(chance, 'point_f1')}, and by VUS-PR random scores have "
        f"{by[RANDOM]['vus_pr']:.3f} where the highest, {volume}, has {by[volume]['vus_pr']:.3f}."
    )
    if OURS in by:
        said += (
            f" This library's default has a point-adjusted F1 of {by[OURS]['pa_f1']:.3f} there and "
            f"a VUS-PR of {by[OURS]['vus_pr']:.3f}."
        )
    return said


def _board(title: str, scorers: Mapping[str, Own]) -> Iterator[str]:
    one = _any(next(iter(scorers.values())))
    sizes = one.sizes
    yield f"## {title}\n"
    yield (
        f"{sizes['scored']:,} of {sizes['test']:,} test rows ({sizes['test'] - sizes['scored']} "
        f"dropped, which fill no window), {sizes['events']} events, {one.settings['percent']:g} % "
        f"of the test scores flagged. Chance by AUC-PR: {_chance(next(iter(scorers.values())))}.\n"
    )
    paper = _paper(title)
    rows: list[dict[str, Any]] = []
    if paper is not None:
        others = [f1[list(DDMT_PUBLISHED).index(title.split(",")[0])] for f1 in PUBLISHED.values()]
        both = f"{paper[0]:.3f} / {paper[1]:.3f}"
        published = ("DDMT, published", None, f"{paper[2]:.3f}", 100, both)
        rows = [
            dict(zip(COLUMNS, published, strict=False)),
            {
                "scorer": f"{len(others)} other methods, published, lowest to highest",
                COLUMNS[2]: f"{min(others):.3f} to {max(others):.3f}",
            },
        ]  # fmt: skip
    rows += [_row(name, own) for name, own in scorers.items()]
    yield markdown(rows, COLUMNS)
    if not one.sizes["train"]:
        yield (
            "Only the labels of this set are at hand, so it has a random row only: every other row "
            "needs the values, which only the full data would give.\n"
        )
    if paper is None:
        yield "No published figure stands beside it: those are of all 28 machines.\n"


def _row(name: str, own: Own) -> dict[str, Any]:
    # A single draw: mean and deviation over all draws of all seeds.
    draws = [
        float(one)
        for record in own["pa_f1"].values()
        for one in record.per_seed.get("value") or [record.value]
        if one is not None
    ]
    row: dict[str, Any] = {
        "scorer": name,
        COLUMNS[1]: _spread(draws),
    }
    if "pa_f1_best" in own:
        best = _values(own, "pa_f1_best")
        span = f" ({min(best):.3f} to {max(best):.3f})" if len(best) > 1 else ""
        row[COLUMNS[2]] = f"{np.median(best):.3f}{span}"
        row["n"] = _any(own).settings["draws"]
        both = (np.median(_values(own, f"pa_{one}_best")) for one in ("precision", "recall"))
        row[COLUMNS[4]] = " / ".join(f"{one:.3f}" for one in both)
    names = {"point_f1": "point F1", "vus_pr": "VUS-PR", "auc_pr": "AUC-PR"}
    return row | {said: _spread(_values(own, metric)) for metric, said in names.items()}


def _how(plan: Sequence[Planned]) -> str:
    notes = "\n".join(f"* {one.name}: {one.note}." for one in plan)
    return (
        "The protocol is the released code's: recordings joined in the order of their names, "
        "windows of 100 rows without overlap, the last rows dropped; the threshold is a percentile "
        "of the *test* scores of a first draw and is applied to n others; one hit credits its "
        "whole event; the best F1 of the n draws is what is printed. What does not draw is flagged "
        "by its own percentile.\n\n"
        "One draw: mean ± standard deviation over all draws of all repeats (of what does not "
        "draw: over seeds). Best of n: median (lowest to highest) over the repeats, as are P and "
        "R. Point F1 is of the same flags without adjustment; VUS-PR (window 100) and AUC-PR "
        "need no threshold and are of one draw per repeat: mean ± standard deviation over the "
        "repeats. Published figures are copied from "
        f"{SOURCE}; which other methods there print a best of several draws is not said.\n\n"
        f"{notes}\n\n"
        "A detector learns from the training parts of all recordings at once; no label is read by "
        "any. Random training windows, the squared z-score and PCA see rows standardised by the "
        "training part and clipped at 10 spreads; the first two amount to what the released "
        "DDMT computes, since its draws do not depend on the window.\n"
    )


def _progress(plan: Sequence[Planned], own: Found) -> str:
    rows = [
        {
            "scorer": one.name,
            "set": title,
            "n": one.draws or None,
            "planned": one.repeats,
            "run": len(own.get(title, {}).get(one.name, {}).get("pa_f1", {})),
        }
        for one in plan
        for title in one.sets
    ]
    return markdown(rows)


def _paper(title: str) -> tuple[float, float, float] | None:
    """DDMT's figures; none where a part of the set is at hand."""
    name, _, part = title.partition(", ")
    return None if "machines" in part else DDMT_PUBLISHED[name]


def _called(title: str) -> str:
    """A set's title within a sentence."""
    name, _, part = title.partition(", ")
    return f"{name} ({part})" if part else name


def _any(own: Own) -> Record:
    return next(iter(own["pa_f1"].values()))


def _values(own: Own, metric: str) -> list[float]:
    """One per seed, in their order."""
    return [one.value for _, one in sorted(own[metric].items()) if one.value is not None]


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def _mean(own: Own, metric: str) -> str:
    return f"{np.mean(_values(own, metric)):.3f}"


def _chance(own: Own) -> str:
    sizes = _any(own).sizes
    return f"{sizes['abnormal'] / sizes['scored']:.3f}"
