"""Files that are not tables: numpy arrays, the .ts format, pickled pairs of data and labels."""

import pickle
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Series, Windows

__all__ = ["load_npy", "load_npz", "load_pickle", "load_ts"]

WINDOWS = ("x", "y", "series", "start", "channels", "label_name")
PARTS = ("train", "test")
LABELLED = ("classlabel", "targetlabel")
DANGER = (
    "A pickle runs whatever code its author put into it. If you trust its source, "
    "pass allow_pickle=True (--allow-pickle); otherwise save the arrays as .npz."
)


def load_npz(
    path: Path, *, allow_pickle: bool = False, said: list[str] | None = None
) -> Windows | list[Series]:
    """Reads ``x`` (window, time, channel) with ``y``, or the packed ``X_train``, ``X_test``.

    The packed form holds (series, channel, time), ``y_train`` and ``y_test`` as positions in
    ``classes``, and ``len_train``, ``len_test`` where the series differ in length.

    Returns:
        Windows for the first form; series, the training ones first, for the second.

    Raises:
        ValueError: If the file is damaged, holds neither form, or holds objects.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} must be a whole .npz file; got a damaged one. Save it again.")
    try:
        with np.load(path, allow_pickle=allow_pickle) as file:
            names = list(file.files)
            wanted = WINDOWS if "x" in names else names if "X_train" in names else ()
            found = {name: file[name] for name in wanted if name in names}
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} must be a whole .npz file; got a damaged one ({error})."
        ) from None
    except ValueError as error:
        raise _objects(path, error) from None
    if "x" in found:
        return _windows(found, path)
    if "X_train" in found:
        return _packed(found, said)
    raise ValueError(
        f"{path} must hold an array 'x' of shape (window, time, channel), and 'y' (window,) where "
        f"there are labels; got {', '.join(names) or 'no array'}. Save it with np.savez(path, x=x)."
    )


def load_npy(path: Path, *, allow_pickle: bool = False) -> list[Series]:
    """Reads one array: (time, channel) is one series, (window, time, channel) are many.

    Raises:
        ValueError: If the file is damaged, has another shape, or holds objects.
    """
    with path.open("rb") as file:
        magic = file.read(6)
    if magic != b"\x93NUMPY":
        raise ValueError(f"{path} must be a .npy file; got something else. Save it with np.save.")
    try:
        array = np.load(path, allow_pickle=allow_pickle)
    except ValueError as error:
        raise _objects(path, error) from None
    if array.dtype.kind not in "iufb" or array.ndim not in (2, 3):
        raise ValueError(
            f"{path} must hold numbers of shape (time, channel) or (window, time, channel); got "
            f"{array.dtype} of shape {array.shape}."
        )
    if array.ndim == 2:
        return [Series(array, name=path.stem)]
    return [Series(one, name=str(i)) for i, one in enumerate(array)]


def load_pickle(path: Path, *, allow_pickle: bool = False) -> list[Series]:
    """Reads a pickled ``(data, labels)``: data (series, channel, time), labels (series,) or None.

    Raises:
        ValueError: If ``allow_pickle`` is False, or if the file holds something else.
    """
    if not allow_pickle:
        raise ValueError(f"{path} is a pickle. {DANGER}")
    try:
        with path.open("rb") as file:
            pair = pickle.load(file)
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError) as error:
        raise ValueError(f"{path} must be a whole pickle; got: {error}.") from None
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(
            f"{path} must hold a pair (data, labels); got {type(pair).__name__}"
            + (f" of {len(pair)}." if isinstance(pair, (tuple, list)) else ".")
        )
    data, labels = _rectangle(pair[0], path), pair[1]
    if labels is None:
        return [Series(one.T, name=str(i)) for i, one in enumerate(data)]
    labels = np.asarray(labels).squeeze()
    if labels.shape != (len(data),) or labels.dtype == object:
        raise ValueError(
            f"{path} must hold one label per series, ({len(data)},); got shape {labels.shape}."
        )
    return [
        Series(one.T, np.full(len(one.T), label), str(i))
        for i, (one, label) in enumerate(zip(data, labels, strict=True))
    ]


def load_ts(path: Path) -> list[Series]:
    """Reads the .ts format of sktime and aeon: one line per series, channels apart by ``:``.

    Series may differ in length; ``?`` and NaN are missing. The last field is the class
    (``@classLabel true``) or the value (``@targetlabel true``).

    Raises:
        ValueError: If there is no ``@data``, if the lines carry time stamps, or if a line has
            another number of channels, channels of different length, or text among the values.
    """
    said, lines = _ts_header(path)
    labelled = "true" in (said.get(key, "").lower().split(" ")[0] for key in LABELLED)
    stem = said.get("problemname", path.stem)
    rows, labels = [], []
    for number, line in lines:
        if line.lstrip().startswith("(") or said.get("timestamps", "").lower() == "true":
            raise ValueError(
                f"{path} holds pairs (time, value), which are not read; write the values alone, "
                "with @timestamps false, or save it as a long table with a time column."
            )
        fields = line.split(":")
        if labelled:
            labels.append(fields.pop().strip())
        if not fields:
            raise ValueError(f"line {number} of {path} has a label and no values; add them.")
        rows.append(_ts_values(fields, rows[0].shape[1] if rows else None, path, number))
    if not rows:
        raise ValueError(f"{path} has no series after @data.")
    names = [f"{stem} {i}" for i in range(len(rows))]
    if not labelled:
        return [Series(row, name=name) for row, name in zip(rows, names, strict=True)]
    value = said.get("classlabel", "false").lower().split(" ")[0] != "true"
    return [
        Series(row, np.full(len(row), label), name)
        for row, label, name in zip(rows, _ts_labels(labels, value, path), names, strict=True)
    ]


def _windows(found: dict[str, Any], path: Path) -> Windows:
    if found["x"].dtype == object:
        raise ValueError(
            f"{path} must hold 'x' as one array of numbers (window, time, channel); got objects. "
            "Series of different lengths go into a long table or a .ts file."
        )
    if found["x"].ndim != 3:
        raise ValueError(
            f"{path} must hold 'x' of shape (window, time, channel); got {found['x'].shape}. "
            "For one channel save x[:, :, None]."
        )
    none = np.empty(0, dtype=np.int64)
    return Windows(
        found["x"],
        found.get("y"),
        found.get("series", none),
        found.get("start", none),
        tuple(str(name) for name in found.get("channels", ())),
        str(found.get("label_name", "label")),
    )


def _packed(found: dict[str, Any], said: list[str] | None) -> list[Series]:
    series = []
    for part in PARTS:
        data, label = found.get(f"X_{part}"), found.get(f"y_{part}")
        if data is None:
            continue
        lengths = found.get(f"len_{part}", np.full(len(data), data.shape[2]))
        if label is not None and "classes" in found and label.dtype.kind in "iu":
            label = found["classes"][label]
        for i, (one, n) in enumerate(zip(data, lengths, strict=True)):
            own = None if label is None else np.full(n, label[i])
            series.append(Series(one[:, :n].T, own, f"{part} {i}"))
    if said is not None:
        said.append("the file holds training and test series; both are taken, in this order")
    return series


def _objects(path: Path, error: ValueError) -> ValueError:
    """What numpy says of an array of objects, in our words."""
    if "allow_pickle" not in str(error):
        return ValueError(f"{path} must be a whole file; got a damaged one ({error}).")
    return ValueError(f"{path} holds an array of objects, which is a pickle. {DANGER}")


def _rectangle(data: Any, path: Path) -> NDArray[Any]:
    expected = f"{path} must hold data as numbers of one shape, (series, channel, time)"
    try:
        data = np.asarray(data)
    except ValueError:
        data = np.asarray(None)
    if data.dtype.kind not in "iufb":
        raise ValueError(
            f"{expected}; got series of different shapes or kinds. Save series of different "
            "lengths as a long table or a .ts file."
        )
    if data.ndim != 3:
        raise ValueError(f"{expected}; got shape {data.shape}. For one channel pass data[:, None].")
    return data


def _ts_header(path: Path) -> tuple[dict[str, str], Iterator[tuple[int, str]]]:
    """What the lines with @ say, by lower-case key, and the numbered lines after @data."""
    text = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    numbered = ((i, line) for i, line in enumerate(text, 1) if line.strip() and line[0] != "#")
    said: dict[str, str] = {}
    for number, line in numbered:
        if not line.startswith("@"):
            raise ValueError(f"{path} must begin with lines such as @data; got line {number}.")
        key, _, rest = line[1:].strip().partition(" ")
        if key.lower() == "data":
            return said, numbered
        said[key.lower()] = rest.strip()
    raise ValueError(f"{path} has no line @data, after which a .ts file holds its series.")


def _ts_values(
    fields: Sequence[str], channels: int | None, path: Path, number: int
) -> NDArray[np.float64]:
    try:
        columns = [
            np.array([v if v.strip() not in ("?", "") else "nan" for v in f.split(",")], float)
            for f in fields
        ]
    except ValueError as error:
        raise ValueError(
            f"line {number} of {path} must hold numbers; got: {error}. If its last field is a "
            "label, say @classLabel true or @targetlabel true."
        ) from None
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise ValueError(
            f"line {number} of {path} has channels of different lengths {sorted(lengths)}; pad the "
            "shorter ones with ?."
        )
    if channels is not None and len(columns) != channels:
        raise ValueError(
            f"line {number} of {path} has {len(columns)} channels, the first line {channels}; give "
            "every series the same."
        )
    return np.stack(columns, axis=1)


def _ts_labels(labels: list[str], value: bool, path: Path) -> NDArray[Any]:
    if value:
        try:
            return np.array([label if label != "?" else "nan" for label in labels], dtype=float)
        except ValueError as error:
            raise ValueError(f"@targetlabel of {path} must be numbers; got: {error}.") from None
    try:
        return np.array([int(label) for label in labels])
    except ValueError:
        return np.array(labels)
