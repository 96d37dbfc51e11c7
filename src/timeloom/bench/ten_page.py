"""The page of the ten steps: our tables beside the report's, and what they say."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import timeloom
from timeloom.bench.crossdomain import ALPHAS, PROTOCOLS
from timeloom.bench.page import save_page
from timeloom.bench.ten_steps import ARMS, Task
from timeloom.bench.ten_words import OUTSIDE, SAID, Seen, agreement, artefacts, reached
from timeloom.metrics.record import read_records
from timeloom.metrics.utility import CLASS_SCORES
from timeloom.report.tables import markdown

__all__ = ["write_ten_page"]

NAMES = dict(
    zip(
        CLASS_SCORES,
        ("AUROC", "AUPRC", "accuracy", "balanced accuracy", "minority F1"),
        strict=True,
    )
)
SHOWN = ("auroc", "minority_f1")  # of the tables of intervals


def write_ten_page(path: Path, tasks: Sequence[Task], command: str) -> Path:
    """Writes a Markdown page beside the records and returns its path.

    Args:
        path: The records, ``*.jsonl``.
        tasks: What was measured; one that has no records yet is left out.
        command: What makes the records and this page again.
    """
    records = read_records(path) if path.exists() else []
    lines = [
        f"# {path.stem}\n\nMade by `{command}` from `{path.name}` (timeloom "
        f"{timeloom.__version__}): mean ± standard deviation over the seeds, one record per seed. "
        'The report is "TarDiff Cross-Domain Application" (2026-01, one seed).\n'
    ]
    for task in tasks:
        seen = Seen(records, task)
        if seen.each("real", "baseline auroc"):
            lines += [f"## {task.name}\n", *_section(seen, task)]
    return save_page(path, "\n".join(lines))


def _section(seen: Seen, task: Task) -> Iterator[str]:
    seeds = len(seen.each("real", "baseline auroc") or [])
    yield f"{task.about}\n"
    yield (
        f"{seeds} seed{'s' * (seeds > 1)}. DiffMTS of {task.train_steps} steps; a residual "
        "network as guidance classifier, trained in the generator's scale; the judge of every arm "
        f"takes {task.judge.steps} steps.\n"
    )
    if task.wanted:
        yield "### Wanted\n\n" + markdown(list(reached(seen, task)))
    yield "### Advised before, and what came out\n"
    yield "\n\n".join(agreement(seen)) + "\n"
    yield "### Classifier and gradient norms\n"
    yield (
        "Mean length of each window's own training gradient, on windows that the classifier did "
        "not learn from, by a classifier trained without balancing. One that knows the shares of "
        'the classes and nothing else already shows the ratio "by shares alone".\n'
    )
    yield markdown(list(_norms(seen, task)))
    yield "### What a classifier learns: all arms\n"
    yield from _scores(seen)
    if seen.gains:
        yield from _gains(seen)
    yield "### The report's table, and the same done again\n"
    yield (
        "AUROC/AUPRC/accuracy; alpha = 0 done as the report did it (all one label), the others "
        "with the released update. AUPRC is of the class that the report calls 1"
        f" ({task.classes[task.one]}), over three classes the mean.\n"
    )
    yield markdown(list(_beside(seen, task)))
    yield "### Artefacts, by name\n\n" + "\n\n".join(artefacts(seen, task)) + "\n"
    yield "### Quality of the windows\n"
    yield (
        "MMD against the test windows (the arm copies is what real windows score); spread over "
        "the real one and the share of windows in which a judge of real windows reads the class "
        "asked for, by class (real: of test windows).\n"
    )
    yield markdown(list(_quality(seen, task)))


def _norms(seen: Seen, task: Task) -> Iterator[dict[str, Any]]:
    for name, (printed, count) in task.published.norms.items():
        yield {
            "gradient norm": name,
            "ours": seen.each("classifier", f"gradient norm, {name}"),
            "the report": f"{printed:.4f} ({count:,} windows)",
        }
    ratio = f"{task.published.ratio:.2f}"
    printed = {"gradient norm ratio": ratio, "validation auroc": task.published.classifier}
    metrics = ("gradient norm ratio", "ratio by shares alone", "ratio over shares alone")
    for metric in (*metrics, "validation auroc", "validation auroc, balanced"):
        ours = seen.each("classifier", metric)
        yield {"gradient norm": metric, "ours": ours, "the report": printed.get(metric)}


def _scores(seen: Seen) -> Iterator[str]:
    for name in CLASS_SCORES:
        rows: list[dict[str, Any]] = [
            {"arm": "baseline: real windows", NAMES[name]: seen.each("real", f"baseline {name}")}
        ]
        for arm in ARMS:
            row: dict[str, Any] = {"arm": arm.name}
            for protocol in PROTOCOLS:
                row[SAID[protocol]] = seen.each(arm.name, f"{protocol} {name}")
            rows.append(row)
        columns = ["arm", NAMES[name], *(SAID[one] for one in PROTOCOLS)]
        yield markdown(rows, columns)


def _gains(seen: Seen) -> Iterator[str]:
    yield "### Against the baseline\n"
    yield (
        "Arm minus baseline, and the 95 % interval of paired resamples of test windows and seeds; "
        "intervals of the other scores are in the records. The arm copies learns from the same "
        "windows in another order: its intervals show what luck alone does.\n"
    )
    for name in SHOWN:
        rows = []
        for arm in ARMS:
            row: dict[str, Any] = {f"{NAMES[name]}": arm.name}
            for protocol in PROTOCOLS:
                gain = seen.gains.get((arm.name, f"{protocol} {name}"))
                row[SAID[protocol]] = None if gain is None else str(gain)
            rows.append(row)
        yield markdown(rows)


def _beside(seen: Seen, task: Task) -> Iterator[dict[str, Any]]:
    positive = f"auprc of {task.classes[task.one]}" if len(task.classes) == 2 else "auprc"

    def ours(arm: str, protocol: str) -> str:
        metrics = (f"{protocol} {name}" for name in ("auroc", positive, "accuracy"))
        return "/".join(f"{seen.mean(arm, metric):.4f}" for metric in metrics)

    def theirs(figures: tuple[float, ...] | None) -> str | None:
        return None if figures is None else "/".join(f"{one:.4f}" for one in figures)

    yield {
        "protocol": "baseline",
        "alpha": "–",
        "the report": theirs(task.published.baseline),
        "done again": ours("real", "baseline"),
    }
    arms = {arm.strength: arm.name for arm in ARMS if arm.kind == "released"}
    arms[0.0] = next(arm.name for arm in ARMS if arm.kind == "ones")
    for protocol in PROTOCOLS:
        for alpha in ALPHAS:
            yield {
                "protocol": SAID[protocol],
                "alpha": f"{alpha:g}",
                "the report": theirs(task.published.arms.get((protocol, alpha))),
                "done again": ours(arms[alpha], protocol),
                "arm": arms[alpha],
            }


def _quality(seen: Seen, task: Task) -> Iterator[dict[str, Any]]:
    names = list(task.classes.values())
    for arm in ("real", *(one.name for one in ARMS)):
        row: dict[str, Any] = {"arm": arm, "MMD": seen.each(arm, "mmd")}
        for metric in ("spread ratio", "recall"):
            row |= {f"{metric}, {name}": seen.each(arm, f"{metric}, {name}") for name in names}
        rules = (OUTSIDE, *task.rules)
        row |= {rule: seen.each(arm, rule) for rule in rules}
        yield row | {"seconds to sample": seen.each(arm, "seconds to sample")}
