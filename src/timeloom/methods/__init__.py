"""The methods by name, and trained ones from their run folders; each is imported when asked for."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timeloom.methods.settings import METHODS, read_run

if TYPE_CHECKING:
    from timeloom.methods.ddmt import DDMT as DDMT
    from timeloom.methods.diffmts import DiffMTS as DiffMTS
    from timeloom.methods.imagenfew import ImagenFew as ImagenFew
    from timeloom.methods.tardiff import TarDiff as TarDiff

__all__ = ["DDMT", "METHODS", "DiffMTS", "ImagenFew", "TarDiff", "find", "load"]


def find(method: str) -> Any:
    """The class of a method by the name that the command line uses.

    Raises:
        ValueError: If there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    module, name = METHODS[method].split(":")
    return getattr(import_module(module), name)


def load(folder: str | Path, **how: Any) -> Any:
    """A trained estimator from its run folder.

    Args:
        folder: What ``fit(..., folder=...)`` or ``save`` wrote.
        how: Passed on to the ``load`` of the method's class, for example ``device="cpu"``.

    Raises:
        ValueError: If the folder is no run folder, is half written, or was written by a newer
            timeloom.
    """
    return find(read_run(folder)["method"]).load(folder, **how)


def __getattr__(name: str) -> Any:
    for method, place in METHODS.items():
        if place.endswith(f":{name}"):
            return find(method)
    raise AttributeError(f"module 'timeloom.methods' has no attribute {name!r}")
