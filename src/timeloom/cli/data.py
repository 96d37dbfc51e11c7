"""``timeloom data``: list the data sets, describe one or a file, or download one."""

from typing import Annotated

import typer

from timeloom.cli import options
from timeloom.cli.inputs import check_data, load_set, read_data, set_name
from timeloom.cli.messages import show
from timeloom.cli.options import Columns
from timeloom.cli.progress import table

__all__ = ["data"]


def data(
    what: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE|get", help="What to describe.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="After get: the data set to download.")
    ] = None,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> None:
    """List the data sets, describe one or a file, or download one (data get NAME)."""
    if what is None:
        _list()
    elif what == "get":
        _get(name)
    elif name is not None:
        raise ValueError(f"data takes one NAME or FILE; got {what} and {name}.")
    else:
        check_data(what)
        _describe(what, Columns(series, time, label, channels, allow_pickle))


def _list() -> None:
    from timeloom.data.sets import about, find, names

    rows = []
    for name in names():
        info = about(name)
        try:
            find(name)
            here = "yes"
        except (ValueError, OSError):
            here = "no"
        rows.append([name, info.title, here, info.licence])
    table(["name", "what", "here", "licence"], rows)
    show("\ntimeloom data NAME describes one; timeloom data get NAME downloads one.")


def _get(name: str | None) -> None:
    from timeloom.data.sets import about, get

    if name is None:
        raise ValueError("data get needs the name of a data set, for example data get etth1.")
    about(name)
    show(f"{name} is in {get(name)}")


def _describe(spec: str, columns: Columns) -> None:
    from timeloom.data.describe import describe

    named = set_name(spec)
    if named is None:
        show(str(describe(read_data(spec, columns))))
        return
    _about(named[0])
    found = load_set(named[0])
    if named[1] is not None or not isinstance(found, tuple):
        show(str(describe(read_data(spec, columns))))
        return
    for part, recordings in zip(("train", "test"), found, strict=True):
        show(f"{named[0]}:{part}: {describe(recordings)}")


def _about(name: str) -> None:
    """What is known of a set before it is read."""
    from timeloom.data.sets import about, resolve

    if resolve(name) is None:  # its files are here, but nothing is known of it
        return
    info = about(name)
    facts = {
        "what": info.title,
        "label": info.label or "none",
        "split": info.split,
        "licence": info.licence,
        "source": info.source,
        "cite": info.citation,
    }
    show("\n".join(f"{key}: {value}" for key, value in facts.items()) + "\n")
