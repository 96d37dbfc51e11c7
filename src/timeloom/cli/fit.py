"""``timeloom fit``: windows in, a run folder out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from timeloom.cli import options
from timeloom.cli.config import read_config
from timeloom.cli.inputs import (
    check_data,
    check_generates,
    plain_name,
    read_data,
    read_parts,
    read_windows_of,
)
from timeloom.cli.messages import say, show
from timeloom.cli.options import Columns
from timeloom.cli.progress import table
from timeloom.cli.training import check_budget, check_new_run, run_to_end, say_labels_unused
from timeloom.methods import settings as known

__all__ = ["fit"]


def fit(
    context: typer.Context,
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="diffmts, tardiff, imagenfew or ddmt.")
    ],
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="A data set's name (NAME:train and NAME:test are its parts) or a file; for "
            "imagenfew one or many, each a set of its own.",
        ),
    ],
    run: Annotated[Path, typer.Option("-o", "--out", metavar="RUN", help="Folder to write.")],
    window: Annotated[
        list[int] | None,
        typer.Option(
            "--window",
            min=2,
            help="Time points per window; for imagenfew repeatable. Default: whole series, if "
            "equally long; 32 for ddmt, which cuts recordings by itself and needs no --stride.",
        ),
    ] = None,
    stride: options.WindowStride = None,
    changes: options.Changes = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="TOML file of settings; --set wins over it."),
    ] = None,
    steps: options.Steps = None,
    minutes: options.Minutes = None,
    device: options.Device = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Default: 0.")] = None,
    generator: Annotated[
        Path | None,
        typer.Option("--generator", metavar="RUN0", help="tardiff: the fitted run to be steered."),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test", metavar="DATA2", help="tardiff: DATA that guidance windows must not be among."
        ),
    ] = None,
    resume: options.Resume = False,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> int:
    """Train a method on windows of DATA and write a run folder."""
    columns = Columns(series, time, label, channels, allow_pickle)
    chosen = _settings(method, config, changes or [])
    check_budget(steps, minutes)
    lengths = sorted(set(window or []))
    _check_one(method, data, lengths)
    base = _check_generator(method, generator, test, minutes)
    given = {"train_steps": steps, "minutes": minutes, "seed": seed}
    given |= {} if method == "tardiff" else {"device": device}
    chosen |= known.check(method, {k: v for k, v in given.items() if v is not None})
    if steps is not None:
        # The other budgets would win over the steps if a file of settings listed them.
        others = {"minutes", "windows_seen"} & set(known.names(method))
        chosen |= dict.fromkeys(others)
    length, step = chosen.pop("window", None), chosen.pop("stride", None)
    check_new_run(run, resume)
    for spec in [*data, *([] if test is None else [test])]:
        check_data(spec)
    cuts = lengths or [length or base.get("length")]
    if method in known.DETECTORS and Path(data[0]).suffix.lower() != ".npz":
        windows: Any = _read_recordings(data[0], columns)
        chosen |= {} if cuts[0] is None else {"window": cuts[0]}
    else:
        sets = _read_sets(data, columns, cuts, stride or step or 1)
        windows = next(iter(sets.values()))[0]
        if method == "imagenfew":
            say_labels_unused(windows)
            windows = sets
    how: dict[str, Any] = {"folder": run, "resume": resume}
    if generator is not None:
        from timeloom.methods import load

        chosen["generator"] = load(generator, **({} if device is None else {"device": device}))
        how["test"] = None if test is None else _test_windows(test, columns, windows.shape[0])
    return _train(context.obj or [], method, chosen, windows, how)


def _train(
    arguments: list[str], method: str, chosen: dict[str, Any], windows: Any, how: dict[str, Any]
) -> int:
    from timeloom.methods import find

    model = find(method)(**chosen)
    more: dict[str, Any] = {}
    if method == "tardiff":
        more = {"kept": "nothing is kept yet", "done": lambda: _show_strength(model)}
    return run_to_end(
        lambda: model.training(windows, **how),
        how["folder"],
        arguments=arguments,
        resume=how["resume"],
        **more,
    )


def _check_one(method: str, data: list[str], lengths: list[int]) -> None:
    """Refuses several DATA or lengths where a method learns from one."""
    if method == "imagenfew":
        return
    for what, given in (("DATA", data), ("--window", lengths)):
        if len(given) > 1:
            raise ValueError(
                f"{method} learns from windows of one set and one length, so one {what} is "
                f"expected; got {', '.join(map(str, given))}. Give one, or fit imagenfew, which "
                "learns from many."
            )


def _read_sets(
    data: list[str], columns: Columns, lengths: list[int | None], stride: int
) -> dict[str, list[Any]]:
    """Windows of every length by the name of their set; a line is said of each."""
    specs: dict[str, str] = {}
    for spec in data:
        name = plain_name(spec)
        if name in specs:
            raise ValueError(
                f"every DATA is a set of its own name; {specs[name]} and {spec} are both called "
                f"'{name}'. Rename a file, or leave one out."
            )
        specs[name] = spec
    sets = {}
    for name, spec in specs.items():
        parts = read_parts(spec, columns, lengths=lengths, stride=stride, part="train")
        counts = [f"{len(part):,} windows of {part.shape[0]}" for part in parts]
        say(f"{spec}: {' and '.join(counts)} time points x {parts[0].shape[1]} channels")
        sets[name] = parts
    return sets


def _read_recordings(spec: str, columns: Columns) -> list[Any]:
    """Whole recordings: a detector cuts them itself, and no more windows than it trains on."""
    found = read_data(spec, columns, part="train")
    rows = sum(len(one) for one in found)
    word = "recording" if len(found) == 1 else "recordings"
    say(f"{spec}: {len(found)} {word}, {rows:,} time points x {len(found[0].channels)} channels")
    return found


def _show_strength(model: Any) -> None:
    """How good the classifier is, and what was found of the strengths that were tried."""
    show(f"the classifier's AUROC on guidance windows is {model.validation_auroc_:.3f}")
    if not model.scales_:
        return
    rows = [
        [f"{one['scale']:g}", f"{one['auroc']:.4f}", f"{gain:+.4f} +- {one['error']:.4f}"]
        for one in model.scales_
        for gain in [one["auroc"] - model.scales_[0]["auroc"]]
    ]
    table(["scale", "AUROC", "beyond scale 0"], rows)
    none = "; no other is surely better" if model.scale_ == 0 else ""
    show(f"scale {model.scale_:g} is taken{none}")


def _check_generator(
    method: str, generator: Path | None, test: str | None, minutes: float | None
) -> dict[str, Any]:
    """What the generator's run says of its fit; nothing where the method takes none."""
    if method != "tardiff":
        for name, value in (("--generator", generator), ("--test", test)):
            if value is not None:
                raise ValueError(
                    f"{name} belongs to fit tardiff; {method} takes none, leave it out."
                )
        return {}
    if minutes is not None:
        raise ValueError(
            "--minutes is no budget of tardiff, whose classifier takes seconds; give --steps, or "
            "leave both out."
        )
    if generator is None:
        raise ValueError(
            "tardiff steers a fitted generator; name its run folder by --generator RUN0, or make "
            "one first with timeloom fit diffmts."
        )
    about = known.read_run(generator)
    if about["method"] == "tardiff":
        raise ValueError(
            f"--generator must be the run of a generator; {generator} is one of tardiff. Give the "
            f"run that it steers, {generator / 'generator'}."
        )
    check_generates(about["method"], generator)
    return about["fit"]


def _test_windows(spec: str, columns: Columns, length: int) -> Any:
    # Cut so closely that a stretch of half a window is never missed.
    stride = max(1, length // 2)
    return read_windows_of(
        spec, columns, length=length, stride=stride, part="test", drop_short=True
    )


def _settings(method: str, config: Path | None, changes: list[str]) -> dict[str, Any]:
    known.names(method)  # an unknown method is the first thing to be said
    chosen = {} if config is None else read_config(config, method)
    return chosen | known.check(method, changes)
