"""``timeloom advise``: labelled windows in, a verdict on synthetic ones out."""

from typing import Annotated

import typer

from timeloom.cli import options
from timeloom.cli.inputs import check_data, load_set, read_windows_of, set_name
from timeloom.cli.messages import say, show
from timeloom.cli.options import Columns

__all__ = ["advise"]

TASKS = ("classify",)


def advise(
    data: options.Data,
    task: Annotated[str, typer.Option("--task", help="classify; there is no other yet.")] = (
        "classify"
    ),
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            metavar="DATA",
            help="Held-out DATA: counted, and looked for among the training windows; never scored. "
            "Default: the test part of a set that has one.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of folds and resamples.")] = 0,
    window: options.Window = None,
    stride: options.Stride = 1,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> None:
    """Say whether synthetic windows will help a classifier, before a generator is trained.

    Takes seconds on a CPU. The verdict is yes, limited or no; exit status 0 whatever it is.
    """
    if task not in TASKS:
        raise ValueError(
            f"--task must be classify; got {task!r}. For labels that are values make classes of "
            "them first, for example a column that says whether it fails within 30 cycles."
        )
    check_data(data)
    if test is not None:
        check_data(test)
    columns = Columns(series, time, label, channels, allow_pickle)
    cut = {"stride": stride, "drop_short": window is not None}
    given = read_windows_of(data, columns, length=window, part="train", **cut)
    test = test or _own_test_part(data)
    beside = None
    if test is not None:
        beside = read_windows_of(test, columns, length=given.shape[0], part="test", **cut)
    points, width = given.shape
    say(f"{data}: {len(given):,} windows of {points} time points x {width} channels")
    from timeloom.advice import advise as answer

    advice = answer(given, test=beside, task=task, seed=seed)
    show(advice.to_json() if as_json else str(advice))


def _own_test_part(data: str) -> str | None:
    """The test part of the set that DATA names without a part, where it has one."""
    named = set_name(data)
    if named is None or named[1] is not None or not isinstance(load_set(named[0]), tuple):
        return None
    say(
        f"{named[0]}: its test part is counted and looked for among the training windows, never "
        "scored (--test names another)"
    )
    return f"{named[0]}:test"
