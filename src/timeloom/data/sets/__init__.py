"""Public data sets by name: one file per source, each with ``INFO`` and ``load(folder)``.

A set is looked up in the folder ``$TIMELOOM_DATA``, then in the user's cache, then in the sample
that comes with the package. The files are the registry: a new source is a new file here and its
name in ``SOURCES``.
"""

import inspect
import os
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from timeloom.data.sets.folder import Loaded, nearest
from timeloom.data.sets.info import Info

__all__ = ["Info", "about", "find", "get", "load_dataset", "names", "resolve"]

SOURCES = (
    *("cmapss", "femto", "ucr", "smd", "asd", "psm", "telemanom", "nab", "skab", "ucr_anomaly"),
    *("ett", "exchange_rate", "weather", "ili", "energy", "air_quality", "stocks", "nasdaq"),
    *("monash", "emg"),
)
SAMPLE = Path(__file__).parent.parent / "sample"


def names() -> list[str]:
    """The names of all data sets, those of one source together."""
    return list(_listed())


def resolve(name: str) -> str | None:
    """The listed name that ``name`` means, or None.

    Case, blanks and punctuation do not matter; a publisher's spelling does as well (``FD001``,
    ``ETTh1``), and so does the bare name of a UCR or UEA set (``wafer``).
    """
    return _spellings().get(_plain(name))


def about(name: str) -> Info:
    """What is known of a data set: licence, citation, source, split, label.

    Raises:
        ValueError: If there is no such set; the nearest name is offered.
    """
    return _listed()[_known(name)][1]


def find(name: str) -> Path:
    """The folder of a data set: in ``$TIMELOOM_DATA``, the user's cache, or the package.

    Raises:
        ValueError: If it is in none of them, or if there is no such set.
    """
    known, found = _name_and_folder(name)
    if found is None:
        raise _not_here(_listed()[known][1])
    return found


def load_dataset(name: str, folder: str | os.PathLike[str] | None = None, **options: Any) -> Loaded:
    """Reads a public data set.

    Args:
        name: One of :func:`names`, or another spelling of it; or any set of the UCR and UEA
            archives of which a folder of that name (or ``folder``) holds the ``.ts`` files.
        folder: Where it lies; looked up where None.
        options: What the set's own ``load`` takes, such as ``clip`` and ``channels`` of C-MAPSS.

    Returns:
        All series, or the set's own pair (train, test).

    Raises:
        ValueError: If the set is unknown, absent, incomplete, or does not take an option.
    """
    if folder is not None:
        found = Path(folder)
        if not found.is_dir():
            raise ValueError(f"folder must be an existing folder; {found} is none.")
        known = resolve(name) or _of_the_archives(name, found) or _known(name)
    else:
        known, found = _name_and_folder(name)
        if found is None:
            raise _not_here(_listed()[known][1])
    # What is not listed can only be a set of the two archives, whose files have one form.
    load = (_listed()[known][0] if known in _listed() else _module("ucr")).load
    parameters = inspect.signature(load).parameters
    own = [key for key, one in parameters.items() if one.kind == one.KEYWORD_ONLY]
    for key in options:
        if key not in own:
            close = nearest(key, own) if own else "it takes none"
            raise ValueError(f"{known} has no option {key!r}; {close}.")
    return load(found, known, **options) if "name" in parameters else load(found, **options)


def get(
    name: str, folder: str | os.PathLike[str] | None = None, base_url: str | None = None
) -> Path:
    """Downloads a data set from its publisher, unless it is already here.

    Every file is checked against its known sha256. The folder appears under its name when it is
    complete; a call that was interrupted goes on where it stopped.

    Args:
        name: One of :func:`names`.
        folder: Where to; the user's cache where None.
        base_url: A mirror that holds the publisher's files under the same paths.

    Returns:
        The folder.

    Raises:
        ValueError: If a person must fetch it (the message says where, and which files go where),
            or if a file has another checksum than expected.
        ConnectionError: If the server does not answer, or does not have a file.
    """
    from timeloom.data.sets.download import download, listed

    info = about(name)
    if folder is None:
        try:
            return find(name)
        except ValueError:
            pass
    source = listed(info.name)
    base = base_url or (source.base if source else None)
    if source is None or base is None:
        raise ValueError(_by_hand(info))
    return download(source.files, base, Path(folder) if folder else _cache() / info.name)


@cache
def _listed() -> dict[str, tuple[ModuleType, Info]]:
    modules = [_module(source) for source in SOURCES]
    return {info.name: (module, info) for module in modules for info in module.INFO}


@cache
def _spellings() -> dict[str, str]:
    spelled = {_plain(one): name for name in _listed() for one in _listed()[name][1].aliases}
    return spelled | {_plain(name): name for name in _listed()}


def _module(source: str) -> ModuleType:
    return import_module(f"timeloom.data.sets.{source}")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _of_the_archives(name: str, folder: Path) -> str | None:
    """The name of a set that is not listed, where its files show it to be of UCR or UEA."""
    if not any(folder.rglob("*_TRAIN.t*")):
        return None
    return name if name.lower().startswith(("ucr_", "uea_")) else f"ucr_{name}"


def _known(name: str) -> str:
    known = resolve(name)
    if known is None:
        offered = [*names(), *(one for _, info in _listed().values() for one in info.aliases)]
        more = ""
        if name.lower().startswith(("ucr_", "uea_")):
            more = f"; for another set of the archives put its _TRAIN.ts and _TEST.ts into {name}"
        raise ValueError(f"there is no data set {name!r}; {nearest(name, offered)}{more}.")
    return known


def _name_and_folder(name: str) -> tuple[str, Path | None]:
    known = resolve(name)
    if known is not None:
        spelled = (known, name, *_listed()[known][1].aliases)
        return known, _first_folder(spelled)
    # Not listed, yet the archives hold some 150 further sets: their files decide.
    found = _first_folder((name, f"ucr_{name}", f"uea_{name}"))
    archive = None if found is None else _of_the_archives(name, found)
    return (archive, found) if archive else (_known(name), None)


def _first_folder(spelled: tuple[str, ...]) -> Path | None:
    for root in _roots():
        for name in spelled:
            if _plain(name) and os.sep not in name and (root / name).is_dir():
                return root / name
    return None


def _roots() -> list[Path]:
    given = os.environ.get("TIMELOOM_DATA")
    return [*([Path(given)] if given else []), _cache(), SAMPLE]


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("timeloom", appauthor=False) / "data"


def _not_here(info: Info) -> ValueError:
    given = os.environ.get("TIMELOOM_DATA")
    looked = f"$TIMELOOM_DATA ({given}) and {_cache()}" if given else f"{_cache()}"
    return ValueError(
        f"the data set {info.name!r} is not here (looked in {looked}); it comes from "
        f"{info.source}. Get it with: timeloom data get {info.name}"
    )


def _by_hand(info: Info) -> str:
    return (
        f"{info.name} must be fetched by hand: take {', '.join(info.files)} from {info.source} "
        f"(licence: {info.licence}) and put them into {_cache() / info.name}, or into a folder "
        f"{info.name} in $TIMELOOM_DATA."
    )
