"""``timeloom fit``: windows in, a run folder out."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from timeloom.cli import options
from timeloom.cli.config import read_config
from timeloom.cli.inputs import check_data, check_output, read_windows_of
from timeloom.cli.messages import leads, say, show, writing
from timeloom.cli.options import Columns
from timeloom.cli.progress import clock, follow, table
from timeloom.methods import settings as known

__all__ = ["fit"]


def fit(
    context: typer.Context,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="diffmts or tardiff.")],
    data: options.Data,
    run: Annotated[Path, typer.Option("-o", "--out", metavar="RUN", help="Folder to write.")],
    window: options.Window = None,
    stride: Annotated[
        int | None,
        typer.Option("--stride", min=1, help="Time points between two windows. Default: 1."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; repeatable."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="TOML file of settings; --set wins over it."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training budget in steps.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Training budget in minutes, instead of steps."),
    ] = None,
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> int:
    """Train a method on windows of DATA and write a run folder."""
    columns = Columns(series, time, label, channels, allow_pickle)
    chosen = _settings(method, config, changes or [])
    if steps is not None and minutes is not None:
        raise ValueError(
            "--steps and --minutes are two budgets for one training; give one of them."
        )
    base = _check_generator(method, generator, test, minutes)
    given = {"train_steps": steps, "minutes": minutes, "seed": seed}
    given |= {} if method == "tardiff" else {"device": device}
    chosen |= known.check(method, {k: v for k, v in given.items() if v is not None})
    if steps is not None:
        # The other budgets would win over the steps if a file of settings listed them.
        others = {"minutes", "windows_seen"} & set(known.names(method))
        chosen |= dict.fromkeys(others)
    length, step = chosen.pop("window", None), chosen.pop("stride", None)
    _check_run(run, resume)
    check_data(data)
    if test is not None:
        check_data(test)
    length = window or length or base.get("length")
    windows = read_windows_of(
        data, columns, length=length, stride=stride or step or 1, part="train"
    )
    time_points, count = windows.shape
    say(f"{data}: {len(windows):,} windows of {time_points} time points x {count} channels")
    how = {"folder": run, "resume": resume}
    if generator is not None:
        from timeloom.methods import load

        _check_channels(data, windows.channels, tuple(base["channels"]))
        chosen["generator"] = load(generator, **({} if device is None else {"device": device}))
        how["test"] = None if test is None else _test_windows(test, columns, time_points)
    return _train(context.obj or [], method, chosen, windows, how)


def _train(
    arguments: list[str], method: str, chosen: dict[str, Any], windows: Any, how: dict[str, Any]
) -> int:
    from timeloom.methods import find

    model, run = find(method)(**chosen), how["folder"]
    try:
        with writing(run):
            last = follow(model.training(windows, **how))
    except KeyboardInterrupt:
        again = arguments if how["resume"] else [*arguments, "--resume"]
        kept = "nothing is kept yet" if method == "tardiff" else "what was learned is saved"
        say(f"stopped; {kept}. Go on with: timeloom {shlex.join(again)}")
        return 130
    if method == "tardiff":
        _show_strength(model)
    if last is not None:
        show(f"trained {last.step:,} steps in {clock(last.seconds)}; the run is in {run}")
    return 0


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
    return about["fit"]


def _check_channels(data: str, got: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Refuses the generator's channels in another order; says where names differ."""
    if got == wanted or len(got) != len(wanted):
        return  # another number is refused with the shapes
    if set(got) == set(wanted):
        raise ValueError(
            f"the channels of {data} must stand in the generator's order; give --channels "
            f"{','.join(wanted)}."
        )
    say(f"{data}: channels {', '.join(got)} are taken for the generator's {', '.join(wanted)}")


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


def _check_run(run: Path, resume: bool) -> None:
    check_output(run)
    # The other processes of one launch may find what the first has just begun to write.
    if resume or not leads() or not run.exists():
        return
    if not run.is_dir():
        raise ValueError(f"-o must name a folder; {run} is a file.")
    if any(run.iterdir()):
        raise ValueError(
            f"{run} exists already; go on with it by --resume, or choose another folder with -o."
        )
