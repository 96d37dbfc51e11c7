"""What every method is: settings in the constructor, a fit, and a run folder to keep it in."""

import hashlib
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

import timeloom
from timeloom.data.atomic import atomic
from timeloom.data.windows import Windows
from timeloom.methods.settings import FORMAT, read_run, read_settings
from timeloom.train.checkpoint import NAME as CHECKPOINT
from timeloom.train.checkpoint import forget
from timeloom.train.loop import Progress
from timeloom.train.ranks import is_main_process

__all__ = ["OWN", "Estimator", "as_windows", "fingerprint", "mixed", "part_of"]

SETTINGS, WEIGHTS = "settings.json", "weights.safetensors"
OWN = "given in Python: "  # a setting that JSON cannot hold


class Estimator(ABC):
    """Settings in ``__init__``, which stores them and does nothing else.

    A method says with ``_facts`` and ``_arrays`` what a fit has learned, and takes it back with
    ``_restore``; saving and loading follow.
    """

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments by name, JSON values only."""
        values = {name: getattr(self, name) for name in _arguments(type(self))}
        return {k: v if _plain(v) else OWN + type(v).__name__ for k, v in values.items()}

    @abstractmethod
    def _facts(self) -> dict[str, Any]:
        """What was learned, as JSON values."""
        ...

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """What was learned, as arrays by name."""
        ...

    @abstractmethod
    def _restore(self, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Takes back what the two above gave."""
        ...

    def save(self, folder: str | Path) -> Path:
        """Writes a run folder: ``settings.json`` and ``weights.safetensors``, each atomically.

        Raises:
            ValueError: If nothing was fitted yet.
            OSError: If the folder cannot be written; nothing half-written is left.
        """
        folder = Path(folder)
        self._need_fit()
        folder.mkdir(parents=True, exist_ok=True)
        # A folder with weights in it is a finished run, so they come last.
        self._write_settings(folder)
        with atomic(folder / WEIGHTS) as path:
            save_file({k: np.ascontiguousarray(v) for k, v in self._arrays().items()}, path)
        forget(folder)
        return folder

    def fit(self, windows: Any, y: ArrayLike | None = None, **how: Any) -> Self:
        """Trains to the end; the arguments and errors are those of ``training``."""
        for _ in self.training(windows, y, **how):
            pass
        return self

    @abstractmethod
    def training(
        self,
        windows: Any,
        y: ArrayLike | None = None,
        *,
        folder: str | Path | None = None,
        resume: bool = False,
    ) -> Iterator[Progress]:
        """Trains, and yields how far it has come."""
        ...

    def _begin_run(self, folder: str | Path | None, resume: bool, data: str) -> Path | None:
        """Writes the settings; on resuming, refuses to go on with other data."""
        if folder is None:
            return None
        folder = Path(folder)
        if resume and (folder / SETTINGS).exists():
            self._check_same_run(folder, data)
        if is_main_process():
            folder.mkdir(parents=True, exist_ok=True)
            self._write_settings(folder)
            if not resume:
                # Weights that belong to other settings must not stand beside these.
                (folder / WEIGHTS).unlink(missing_ok=True)
                (folder / "train.jsonl").unlink(missing_ok=True)
                forget(folder)
        return folder

    def _check_same_run(self, folder: Path, data: str) -> None:
        """Refuses to go on with a run that has ended, or with another one than was begun."""
        if (folder / WEIGHTS).exists():
            raise ValueError(
                f"{folder} holds a run that has ended, so there is nothing to resume; use it as it "
                "is, or train into another folder."
            )
        if not (folder / CHECKPOINT).exists():
            return  # killed before anything was kept: it begins at the beginning
        begun = read_settings(folder)
        before = begun["fit"].get("data")
        if before != data:
            raise ValueError(
                f"{folder} was begun on other data (fingerprint {before}, now {data}); give "
                "the same data, or start anew in another folder."
            )
        for name, value in self.settings.items():
            old = begun["settings"].get(name)
            if old != value and name != "device":
                raise ValueError(
                    f"{folder} was begun with {name}={old!r}, now it is {value!r}; give the same "
                    "settings, or start anew in another folder."
                )

    def _end_run(self, folder: Path | None) -> None:
        if folder is not None and is_main_process():
            self.save(folder)

    def _write_settings(self, folder: Path) -> None:
        whole = {
            "format": FORMAT,
            "version": timeloom.__version__,
            "method": type(self).__name__.lower(),
            "settings": self.settings,
            "fit": self._facts(),
        }
        with atomic(folder / SETTINGS) as path:
            path.write_text(json.dumps(whole, indent=1) + "\n")

    @classmethod
    def load(cls, folder: str | Path, **how: Any) -> Self:
        """A trained estimator from its run folder.

        Args:
            folder: What :meth:`save`, or a fit with a folder, wrote.
            how: Settings to replace, for example ``device="cpu"``; a network of one's own is
                given again as ``net=``.

        Raises:
            ValueError: If the folder is no run folder, is half written, damaged or of a newer
                version.
        """
        whole = read_run(folder)
        own = [name for name, value in whole["settings"].items() if str(value).startswith(OWN)]
        missing = [name for name in own if name not in how]
        if missing:
            raise ValueError(
                f"{folder} was trained with a {missing[0]} of your own; load it with "
                f"{missing[0]}=… again."
            )
        unknown = [name for name in whole["settings"] if name not in _arguments(cls)]
        if unknown:
            raise ValueError(
                f"{folder} was written by timeloom {whole['version']} and has a setting that this "
                f"version ({timeloom.__version__}) does not know, {unknown[0]!r}; load it with "
                "that version, or train the run again."
            )
        estimator = cls(**{**whole["settings"], **how})
        return estimator._restore(whole["fit"], read_weights(Path(folder)))

    def _need_fit(self) -> None:
        if not hasattr(self, "model_"):
            raise ValueError(f"this {type(self).__name__} is not fitted yet; call fit first.")


def _arguments(method: type) -> list[str]:
    """Names of the constructor's arguments."""
    return list(inspect.signature(method).parameters)


def read_weights(folder: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a run folder.

    Raises:
        ValueError: If they are damaged.
    """
    try:
        return load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{folder / WEIGHTS} should hold the run's weights but is damaged ({error}); "
            "train the run again."
        ) from error


def part_of(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def as_windows(windows: Any, y: Any = None) -> Windows:
    """Windows as they are, or made from a plain array (window, time, channel) and labels.

    Raises:
        ValueError: If the array's shape does not fit.
    """
    if isinstance(windows, Windows):
        if y is not None:
            raise ValueError("these Windows carry their own labels; give y only with plain arrays.")
        return windows
    if isinstance(windows, (str, Path)):
        raise ValueError(
            f"windows must be Windows or an array (window, time, channel); got the text "
            f"'{windows}'. Read a file by timeloom.read and cut it by timeloom.cut."
        )
    return Windows(np.asarray(windows), None if y is None else np.asarray(y))


def fingerprint(windows: Windows) -> str:
    """Sixteen hexadecimal digits that change whenever a value or label of ``windows`` does."""
    digest = hashlib.sha256(repr((windows.x.shape, windows.channels)).encode())
    digest.update(np.ascontiguousarray(windows.x).tobytes())
    if windows.y is not None:
        digest.update(np.asarray(windows.y).astype(str).tobytes())
    return digest.hexdigest()[:16]


def mixed(words: Iterable[str]) -> str:
    """Sixteen hexadecimal digits that change whenever one of the words, or their order, does."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
