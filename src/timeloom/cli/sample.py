"""``timeloom sample``: a run folder in, a table of generated windows out."""

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from timeloom.cli import options
from timeloom.cli.inputs import (
    check_data,
    check_generates,
    check_of_sets,
    check_tables,
    read_windows_of,
    run_folder,
)
from timeloom.cli.messages import say, show, writing
from timeloom.cli.options import Columns
from timeloom.cli.progress import track
from timeloom.methods.settings import read_run

__all__ = ["sample"]


def sample(
    run: options.RunOrPretrained,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help=".parquet, .csv or .npz to write.")
    ],
    count: Annotated[
        int | None, typer.Option("-n", "--count", min=1, help="How many windows.")
    ] = None,
    y: Annotated[str | None, typer.Option("--y", help="Label or value of every window.")] = None,
    per_class: Annotated[
        int | None, typer.Option("--per-class", min=1, help="So many windows of every class.")
    ] = None,
    like: Annotated[
        str | None, typer.Option("--like", metavar="DATA", help="Labels as the windows of DATA.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Sampling steps.")] = None,
    step: Annotated[
        str | None,
        typer.Option(
            "--step", help="Sampler: hybrid_2m, trig_2m, dpmpp_2m, heun, ddim, ddpm or ddpm_beta."
        ),
    ] = None,
    guidance: Annotated[
        float | None, typer.Option("--guidance", help="Weight of the label; 0 is none.")
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", help="tardiff: strength of steering; 0 is the generator itself."),
    ] = None,
    name: options.SetName = None,
    length: Annotated[
        int | None,
        typer.Option(
            "--length", min=1, help="imagenfew: time points of a window. Default: the longest."
        ),
    ] = None,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Allow labels outside those of training.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Decides what is drawn.")] = 0,
    device: options.Device = None,
    stride: options.Stride = 1,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> None:
    """Draw windows from a trained run and write them as a long table."""
    _check_ways(count, y, per_class, like)
    check_tables(out)
    folder = run_folder(run)
    about = read_run(folder)
    method = about["method"]
    if scale is not None and method != "tardiff":
        raise ValueError(f"--scale steers runs of tardiff; {run} is one of {method}, leave it out.")
    check_generates(method, run)
    check_of_sets(method, run, name=name, length=length)
    asked = {"--y": y, "--per-class": per_class, "--like": like, "--guidance": guidance}
    how: dict[str, Any] = {"guidance": guidance, "extrapolate": extrapolate}
    if method == "imagenfew":
        _check_no_labels(run, asked | {"--extrapolate": extrapolate or None}, about["fit"]["sets"])
        how = {"name": name, "length": length}
    if scale is not None:
        how["scale"] = scale
    if like is not None:
        check_data(like)
    from timeloom.data.files import write
    from timeloom.methods import load

    model = load(folder, **({} if device is None else {"device": device}))
    if folder != run and name is None:  # the weights in the package
        say(f"windows of '{model.sets_[-1]}', of {len(model.sets_)} sets; --name asks for another")
    if like is not None:
        columns = Columns(series, time, label, channels, allow_pickle)
        labels = _labels_like(like, columns, model, stride, count, seed)
    else:
        labels = _labels(model, y, per_class)
    total = count or len(labels)
    if extrapolate:
        _warn_outside(model.condition_, labels)
    shards = model.shards(total, labels, seed=seed, steps=steps, step=step, **how)
    out.parent.mkdir(parents=True, exist_ok=True)
    with writing(out):
        write(out, track(shards, "sample", total))
    show(f"{total:,} windows are in {out}")


def _check_ways(count: int | None, y: str | None, per_class: int | None, like: str | None) -> None:
    ways = {"--y": y, "--per-class": per_class, "--like": like}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} both say which labels to draw; give one of them.")
    if per_class is not None and count is not None:
        raise ValueError("--per-class says how many windows to draw; leave -n out.")
    if per_class is None and like is None and count is None:
        raise ValueError("how many windows to draw is missing; give -n, for example -n 1000.")


def _check_no_labels(run: Path, asked: dict[str, Any], sets: dict[str, Any]) -> None:
    """Refuses what is about labels where a run knows sets instead; says which there are."""
    last = list(sets)[-12:]
    for option, value in asked.items():
        if value is not None:
            raise ValueError(
                f"{option} is about labels; {run} is a run of imagenfew, which knows sets instead: "
                f"choose one by --name ({', '.join(last)})."
            )


def _labels(model: Any, y: str | None, per_class: int | None) -> Any:
    """What to ask of the model: one label for all, one per window, or None: as in training."""
    import numpy as np

    if per_class is None:
        return y
    condition = model.condition_
    if condition.kind != "class":
        trained = "on a value" if condition.kind == "value" else "without labels"
        raise ValueError(
            f"--per-class needs a run trained on classes; this one was trained {trained}, so give "
            "-n and, where there is one, the value by --y."
        )
    return np.repeat(np.array(condition.classes), per_class)


def _labels_like(
    spec: str, columns: Columns, model: Any, stride: int, count: int | None, seed: int
) -> Any:
    import numpy as np

    if model.condition_.kind == "none":
        raise ValueError("this run was trained without labels; leave --like out and give -n.")
    windows = read_windows_of(
        spec, columns, length=model.shape_[0], stride=stride, part="train", drop_short=True
    )
    if windows.y is None:
        raise ValueError(f"{spec} has no labels to draw like; name their column with --label.")
    if count is None:
        return windows.y
    return np.random.default_rng(seed).choice(windows.y, size=count)


def _warn_outside(condition: Any, labels: Any) -> None:
    """Warns of values that were never trained; what is no number is refused later."""
    import numpy as np

    if condition.kind != "value" or labels is None:
        return
    try:
        values = np.ravel(np.asarray(labels, dtype=np.float64))
    except ValueError:
        return
    outside = values[(values < condition.low) | (values > condition.high)]
    if len(outside):
        warnings.warn(
            f"{outside[0]:g} lies outside the trained range {condition.low:g} to "
            f"{condition.high:g}; nothing is known of such windows, so check them before use.",
            stacklevel=2,
        )
