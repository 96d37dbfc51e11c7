"""timeloom: labelled time-series windows from too little data, and honest figures about them.

Every public name is found here and imported when it is first asked for, so that neither
``import timeloom`` nor ``timeloom --help`` waits for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # the same names for type checkers and editors
    from timeloom.advice import Advice as Advice
    from timeloom.advice import advise as advise
    from timeloom.data.files import read as read
    from timeloom.data.files import read_windows as read_windows
    from timeloom.data.files import write as write
    from timeloom.data.resample import resample as resample
    from timeloom.data.scale import Scaler as Scaler
    from timeloom.data.sets import load_dataset as load_dataset
    from timeloom.data.windows import Series as Series
    from timeloom.data.windows import Windows as Windows
    from timeloom.data.windows import cut as cut
    from timeloom.data.windows import split as split
    from timeloom.data.windows import stitch as stitch
    from timeloom.evaluation import Record as Record
    from timeloom.evaluation import Report as Report
    from timeloom.evaluation import evaluate as evaluate
    from timeloom.evaluation import evaluate_scores as evaluate_scores
    from timeloom.methods import load as load
    from timeloom.methods.ddmt import DDMT as DDMT
    from timeloom.methods.diffmts import DiffMTS as DiffMTS
    from timeloom.methods.imagenfew import ImagenFew as ImagenFew
    from timeloom.methods.tardiff import TarDiff as TarDiff

_HOMES = {
    "Series": "timeloom.data.windows",
    "Windows": "timeloom.data.windows",
    "cut": "timeloom.data.windows",
    "split": "timeloom.data.windows",
    "stitch": "timeloom.data.windows",
    "resample": "timeloom.data.resample",
    "Scaler": "timeloom.data.scale",
    "read": "timeloom.data.files",
    "read_windows": "timeloom.data.files",
    "write": "timeloom.data.files",
    "load_dataset": "timeloom.data.sets",
    "DiffMTS": "timeloom.methods.diffmts",
    "TarDiff": "timeloom.methods.tardiff",
    "ImagenFew": "timeloom.methods.imagenfew",
    "DDMT": "timeloom.methods.ddmt",
    "load": "timeloom.methods",
    "advise": "timeloom.advice",
    "Advice": "timeloom.advice",
    "evaluate": "timeloom.evaluation",
    "evaluate_scores": "timeloom.evaluation",
    "Record": "timeloom.evaluation",
    "Report": "timeloom.evaluation",
}

__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'timeloom' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
