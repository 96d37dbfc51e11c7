"""``timeloom influence``: which windows help a classifier or hurt it, which look mislabelled."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from timeloom.cli import options
from timeloom.cli.inputs import check_data, check_tables, read_data
from timeloom.cli.messages import say, show, writing
from timeloom.cli.options import Columns
from timeloom.cli.progress import table, track
from timeloom.data.windows import Windows, cut
from timeloom.methods.settings import read_run

__all__ = ["doubted", "influence"]

PART = 128  # windows between two reports of progress
TAKEN = ("series", "start", "influence", "gradient_norm", "loss", "suspicious", "said")
SHOWN = 10  # suspicious windows on the terminal; the file holds all


def influence(
    run: options.Run,
    data: options.Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help=".parquet, .csv or .npz to write.")
    ],
    stride: options.Stride = 1,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> None:
    """Say of every window of DATA, real or synthetic, what a classifier would learn from it.

    RUN is one of tardiff. A window helps where its influence is above 0; it is suspicious where
    the classifier says another class as surely as it says that class of windows that bear it.
    """
    check_tables(out)
    method = read_run(run)["method"]
    if method != "tardiff":
        raise ValueError(
            f"influence needs a run of tardiff, which holds a classifier; {run} is one of {method}."
            f" Make one with timeloom fit tardiff {data} --generator {run} -o FOLDER."
        )
    check_data(data)
    columns = Columns(series, time, label, channels, allow_pickle)
    from timeloom.methods import load

    model = load(run)
    names, windows = _windows(data, columns, model.shape_[0], stride)
    if windows.y is None:
        raise ValueError(f"{data} has no labels to judge; name their column with --label.")
    parts = list(track(_judged(model, windows), "influence", len(windows)))
    if windows.label_name in TAKEN:
        windows = replace(windows, label_name="label")
    judged = [np.concatenate(one) for one in zip(*parts, strict=True)]
    found = _columns(names, windows, model, judged)
    out.parent.mkdir(parents=True, exist_ok=True)
    with writing(out):
        _write(out, found)
    _summary(found, windows.label_name)
    show(f"{len(windows):,} windows are in {out}")


def doubted(said: Any, told: Any) -> Any:
    """Which labels a classifier contradicts as surely as it can.

    Of every class it is first asked how sure the classifier is, on average, of the windows that
    bear it; a window is doubted where the classifier says another class at least that surely.
    Source: Northcutt et al. 2021, "Confident Learning", arXiv 1911.00068.

    Args:
        said: (window, class) probabilities.
        told: (window,) the labels' places, from 0.

    Returns:
        (window,) true where the label is doubted.
    """
    rows = np.arange(len(told))
    usual = np.array(
        [
            said[told == place, place].mean() if (told == place).any() else np.inf
            for place in range(said.shape[1])
        ]
    )
    instead = said.argmax(axis=1)
    return (instead != told) & (said[rows, instead] >= usual[instead])


def _windows(spec: str, columns: Columns, length: int, stride: int) -> tuple[list[str], Windows]:
    """The names of the series that the windows were cut from, one per window, and the windows."""
    found = read_data(spec, columns, part="train")
    if Path(spec).suffix.lower() == ".npz" and {len(one) for one in found} == {length}:
        from timeloom.data.files import read_windows

        windows = read_windows(spec, **columns.told())
        return [str(name) for name in windows.series], windows
    whole = [one for one in found if len(one) >= length] or found
    if len(whole) < len(found):
        say(f"{spec}: {len(found) - len(whole)} series shorter than {length} are left out")
    windows = cut(whole, length, stride)
    return [whole[i].name or str(i) for i in windows.series], windows


def _judged(model: Any, windows: Windows) -> Iterator[Any]:
    """(influence, gradient norm, probabilities) of some windows at a time."""
    for start in range(0, len(windows), PART):
        part = windows[start : start + PART]
        norms = model.gradient_norms(part).astype(np.float64)
        yield _Part((model.influence(part), norms, model.predict_proba(part)))


class _Part(tuple[Any, ...]):
    """Columns of some windows, as long as they."""

    def __len__(self) -> int:
        return len(self[0])


def _columns(names: list[str], windows: Windows, model: Any, judged: list[Any]) -> dict[str, Any]:
    pulls, norms, said = judged
    labels = model.condition_.asked(windows.y, len(windows))
    told = model.condition_.told(labels, len(windows)).astype(int)
    own = said[np.arange(len(told)), told]
    return {
        "series": np.array(names),
        "start": windows.start,
        windows.label_name: labels,
        "influence": pulls,
        "gradient_norm": norms,
        "loss": -np.log(np.maximum(own, np.finfo(np.float64).tiny)),
        "suspicious": doubted(said, told),
        "said": np.array(model.classes_)[said.argmax(axis=1)],
    }


def _write(path: Path, found: dict[str, Any]) -> None:
    from timeloom.data.atomic import atomic

    with atomic(path) as temporary:
        if path.suffix.lower() == ".npz":
            np.savez(temporary, **found)
            return
        import pandas as pd

        rows = pd.DataFrame(found)
        if path.suffix.lower() == ".csv":
            rows.to_csv(temporary, index=False)
        else:
            rows.to_parquet(temporary, index=False)


def _summary(found: dict[str, Any], label: str) -> None:
    """How many windows help and hurt, per class, and the most suspicious ones."""
    labels, pulls, doubts = found[label], found["influence"], found["suspicious"]
    rows = []
    for one in np.unique(labels):
        own = labels == one
        helps, hurts = int((pulls[own] > 0).sum()), int((pulls[own] < 0).sum())
        mean = f"{pulls[own].mean():+.3f}"
        rows.append([str(one), *map(str, (own.sum(), helps, hurts, mean, doubts[own].sum()))])
    table([label, "windows", "help", "hurt", "mean influence", "suspicious"], rows)
    worst = np.flatnonzero(doubts)
    worst = worst[np.argsort(-found["loss"][worst], kind="stable")][:SHOWN]
    if not len(worst):
        show("no window's label is contradicted by the classifier")
        return
    show(f"the {len(worst)} most suspicious of {int(doubts.sum())}, worst first:")
    titles = ["series", "start", label, "said", "loss", "influence"]
    table(titles, [[_text(found[name][row]) for name in titles] for row in worst])


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, np.floating) else str(value)
