"""From what the user calls DATA and RUN to windows and folders: names, files, how they are cut."""

import difflib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from timeloom.cli.messages import say
from timeloom.cli.options import Columns
from timeloom.data.windows import Series, Windows, cut
from timeloom.methods.settings import DETECTORS

__all__ = [
    "check_data",
    "check_generates",
    "check_of_sets",
    "check_output",
    "check_tables",
    "load_set",
    "plain_name",
    "read_data",
    "read_parts",
    "read_windows_of",
    "run_folder",
    "set_name",
]

TABLES = (".parquet", ".csv", ".npz")
LONGEST_WHOLE = 1024  # a longer series is hardly meant to be one window, so it must be said
PRETRAINED = "pretrained"  # the RUN that comes with the package


def set_name(spec: str) -> tuple[str, str | None] | None:
    """The data set and the part that ``spec`` names (``wafer``, ``wafer:test``), or None.

    Raises:
        ValueError: If the part is neither train nor test.
    """
    from timeloom.data.sets import find, resolve

    name, colon, part = spec.partition(":")
    known = resolve(name)
    if known is None:
        if Path(spec).exists():
            return None
        try:
            find(name)  # a set of the archives that is not listed, yet lies in the data folder
        except ValueError:
            return None
        known = name
    if colon and part not in ("train", "test"):
        raise ValueError(f"{name} has the parts {name}:train and {name}:test; got {spec!r}.")
    return known, part or None


def check_data(spec: str) -> None:
    """Finds at once what can be wrong with DATA before anything slow is imported.

    Raises:
        ValueError: If it is neither a data set's name nor a file.
    """
    if set_name(spec) is not None:
        return
    path = Path(spec)
    if path.is_dir():
        raise ValueError(f"{spec} is a folder; expected a file or the name of a data set.")
    if path.exists():
        return
    from timeloom.data.sets import about, names

    known = [*names(), *(alias for name in names() for alias in about(name).aliases)]
    beside = [str(path.with_name(file.name)) for file in path.absolute().parent.glob("*")]
    near = difflib.get_close_matches(spec, [*known, *beside], n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}?" if near else "timeloom data lists the data sets."
    raise ValueError(f"{spec} is neither a file nor the name of a data set; {hint}")


@lru_cache(maxsize=1)
def load_set(name: str) -> list[Series] | tuple[list[Series], list[Series]]:
    """A data set, kept for the next caller: one command may need it twice."""
    from timeloom.data.sets import load_dataset

    return load_dataset(name)


def check_output(path: Path, suffixes: Sequence[str] = ()) -> None:
    """Finds at once that nothing could be written to ``path``, before hours of work.

    Raises:
        ValueError: If the suffix is not one of ``suffixes``, or the place is not writable.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"-o must end in {' or '.join(suffixes)}; got {path}.")
    if suffixes and path.is_dir():
        raise ValueError(f"-o must name a file; {path} is a folder.")
    above = path.absolute().parent
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise ValueError(f"{path} cannot be written: {above} is a file where a folder is needed.")
    if not os.access(above, os.W_OK):
        raise ValueError(f"{path} cannot be written: there is no permission for {above}.")


def check_tables(path: Path) -> None:
    """:func:`check_output` for a table of windows."""
    check_output(path, TABLES)


def read_data(spec: str, columns: Columns, part: str | None = None) -> list[Series]:
    """The recordings that DATA holds.

    Args:
        spec: A data set's name or a file.
        columns: How a file's columns are named.
        part: ``"train"`` or ``"test"``: the part to use of a set that comes in two, where ``spec``
            names none.

    Raises:
        ValueError: If the set or the file does not hold what is expected.
    """
    named = set_name(spec)
    if named is not None:
        return _read_set(named[0], named[1], part)
    from timeloom.data.files import read

    said: list[str] = []
    found = read(spec, **columns.told(), said=said)
    for sentence in said:
        say(f"{spec}: {sentence}")
    return found


def read_windows_of(
    spec: str,
    columns: Columns,
    *,
    length: int | None = None,
    stride: int = 1,
    part: str | None = None,
    drop_short: bool = False,
) -> Windows:
    """What DATA holds, as windows of ``length`` time points.

    Args:
        spec: A data set's name or a file.
        columns: How a file's columns are named.
        length: Time points per window; whole series where None and they are equally long.
        stride: Time points between the starts of two windows.
        part: As in :func:`read_data`.
        drop_short: Leave out, and say so, series that are shorter than ``length``.

    Raises:
        ValueError: If ``length`` is needed, or does not fit.
    """
    return _windows(spec, columns, read_data(spec, columns, part), length, stride, drop_short)


def read_parts(
    spec: str,
    columns: Columns,
    *,
    lengths: Sequence[int | None],
    stride: int = 1,
    part: str | None = None,
) -> list[Windows]:
    """As :func:`read_windows_of`, cut once for each of ``lengths``.

    Where there are several, what is too short for one of them is left out there, and that is said.

    Raises:
        ValueError: If a length is needed, or none fits.
    """
    found = read_data(spec, columns, part)
    if len(lengths) == 1:
        return [_windows(spec, columns, found, lengths[0], stride, False)]
    longest = max((len(one) for one in found), default=0)
    fitting = [length for length in lengths if length is None or length <= longest]
    for length in lengths:
        if fitting and length not in fitting:
            say(f"{spec}: no series has {length} time points; there are no windows of this length")
    return [_windows(spec, columns, found, n, stride, True) for n in fitting or lengths]


def plain_name(spec: str) -> str:
    """What DATA is called where it needs a name: that of the set, or the file's without ending."""
    named = set_name(spec)
    name = Path(spec).name if named is None else named[0]
    return name.removesuffix(".gz").rsplit(".", 1)[0] if named is None else name


def run_folder(run: Path) -> Path:
    """The folder that RUN names; ``pretrained`` is that of the weights in the package.

    Raises:
        ValueError: If this installation has none.
    """
    if str(run) != PRETRAINED:
        if not run.exists() and difflib.get_close_matches(str(run), [PRETRAINED]):
            raise ValueError(
                f"the run folder {run} does not exist; {PRETRAINED} names the weights in the "
                "package."
            )
        return run
    if run.exists():
        say(f"{PRETRAINED}: using the folder of this name here, not the weights in the package")
        return run
    from timeloom.methods import pretrained

    if not (pretrained.FEWSHOT / "weights.safetensors").is_file():
        raise ValueError(
            f"this installation of timeloom lacks the weights that {PRETRAINED} names; install it "
            "again, or train a generator with timeloom fit imagenfew."
        )
    return pretrained.FEWSHOT


def check_generates(method: str, run: Path) -> None:
    """Refuses a run that draws nothing.

    Raises:
        ValueError: If it is that of a detector.
    """
    if method in DETECTORS:
        raise ValueError(
            f"{run} is a run of {method}, which finds anomalies and draws nothing; use timeloom "
            "score, or give the run of a generator."
        )


def check_of_sets(method: str, run: Path, **given: object) -> None:
    """Refuses options that only runs of imagenfew have, which know several sets.

    Raises:
        ValueError: If one is given and ``method`` is another.
    """
    for name, value in given.items():
        if value is not None and method != "imagenfew":
            raise ValueError(
                f"--{name} is for runs of imagenfew, which know several sets; {run} is one of "
                f"{method}, leave it out."
            )


def _windows(
    spec: str,
    columns: Columns,
    found: list[Series],
    length: int | None,
    stride: int,
    drop_short: bool,
) -> Windows:
    if length is None:
        length = _whole_length(spec, found)
    if Path(spec).suffix.lower() == ".npz" and {len(one) for one in found} == {length}:
        from timeloom.data.files import read_windows

        # Such a file may say where its windows were cut, which series no longer tell.
        return read_windows(spec, **columns.told())
    long_enough = [one for one in found if len(one) >= length]
    if drop_short and long_enough and len(long_enough) < len(found):
        say(f"{spec}: {len(found) - len(long_enough)} series shorter than {length} are left out")
        found = long_enough
    return cut(found, length, stride)


def _read_set(name: str, asked: str | None, part: str | None) -> list[Series]:
    found = load_set(name)
    if isinstance(found, tuple):
        chosen = asked or part or "train"
        if asked is None:
            say(f"{name}: using its {chosen} part ({name}:train and {name}:test name the two)")
        return found[chosen == "test"]
    if asked is not None:
        raise ValueError(f"{name} has no parts of its own; give {name} alone instead of {asked!r}.")
    return found


def _whole_length(spec: str, found: list[Series]) -> int:
    lengths = sorted({len(one) for one in found})
    if len(found) > 1 and len(lengths) == 1 and lengths[0] <= LONGEST_WHOLE:
        return lengths[0]
    span = f"{lengths[0]} to {lengths[-1]}" if len(lengths) > 1 else f"{lengths[0]}"
    count = "one series" if len(found) == 1 else f"{len(found)} series"
    raise ValueError(
        f"{spec} holds {count} of {span} time points; say how long a window is, for example "
        f"--window {min(48, lengths[0])}."
    )
