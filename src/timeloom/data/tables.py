"""Tables as recordings: long ones (a row per time point) and wide ones (a row per series)."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.columns import Roles
from timeloom.data.windows import Series

__all__ = ["long_series", "wide_series"]


def wide_series(table: Any, path: Path) -> list[Series]:
    """One series per row: the label first, then the values in time.

    Missing values at the end of a row are padding and are cut off, as in the UCR archive.

    Raises:
        ValueError: If a value is text or infinite, or if a row holds no value.
    """
    label = _labels(table.iloc[:, 0], f"the label of {path}")
    if label.dtype.kind == "f" and (label % 1 == 0).all():
        label = label.astype(np.int64)  # old UCR files write the class 1 as 1.0000000e+00
    values = np.column_stack(
        [_numbers(table.iloc[:, i], f"value {i}", path) for i in range(1, table.shape[1])]
    )
    measured = ~np.isnan(values)
    empty = np.flatnonzero(~measured.any(axis=1))
    if len(empty):
        raise ValueError(f"row {empty[0] + 1} of {path} holds no measured value; leave it out.")
    _finite(values, [f"value {i}" for i in range(1, table.shape[1])], path)
    length = values.shape[1] - measured[:, ::-1].argmax(axis=1)
    return [
        Series(row[:n, None], np.full(n, one), str(i))
        for i, (row, n, one) in enumerate(zip(values, length, label, strict=True))
    ]


def long_series(table: Any, roles: Roles, path: Path) -> list[Series]:
    """One series per name in the series column, in order of first appearance.

    Args:
        table: A data frame, one row per time point.
        roles: Which column is what.
        path: Where the table came from, for messages and for the name of a lone series.

    Raises:
        ValueError: If a channel holds text or inf or nothing at all, if a series has no name, or
            if times are missing, out of order or double.
    """
    import pandas as pd

    columns = [_numbers(table[name], name, path) for name in roles.channels]
    values = np.column_stack(columns)
    _finite(values, roles.channels, path)
    _measured(values, roles.channels, path)
    code, names = np.zeros(len(table), dtype=np.int64), [path.name.split(".")[0]]
    if roles.series is not None:
        code, found = pd.factorize(table[roles.series])
        names = [_short(name) for name in found]
        if (code < 0).any():
            row = np.flatnonzero(code < 0)[0] + 1
            raise ValueError(f"the series column '{roles.series}' of {path} is empty in row {row}.")
    order = np.argsort(code, kind="stable")
    time = label = None
    if roles.time is not None:
        time = _times(table[roles.time], path)
        _check_times(time, code, order, names, roles.time)
    if roles.label is not None:
        label = _labels(table[roles.label], f"the label '{roles.label}' of {path}")
    edges = np.cumsum(np.bincount(code, minlength=len(names)))[:-1]
    together = (code[1:] >= code[:-1]).all()

    def pieces(array: NDArray[Any] | None) -> Sequence[Any]:
        if array is None:
            return [None] * len(names)
        return np.split(array if together else array[order], edges)

    return [
        Series(values_, label_, name, roles.channels, time_, roles.label or "label")
        for values_, label_, time_, name in zip(
            pieces(values), pieces(label), pieces(time), names, strict=True
        )
    ]


def _short(name: Any) -> str:
    return (
        str(int(name))
        if isinstance(name, (float, np.floating)) and name.is_integer()
        else str(name)
    )


def _numbers(column: Any, name: str, path: Path) -> NDArray[Any]:
    """A channel as floating point; NaN where nothing was measured."""
    import pandas as pd

    if column.dtype.kind == "f" and isinstance(column.dtype, np.dtype):
        return column.to_numpy()
    if column.dtype.kind in "iubf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    plain = column.astype(object)
    numbers: Any = pd.to_numeric(plain, errors="coerce")
    wrong = np.flatnonzero((numbers.isna() & plain.notna()).to_numpy())
    if column.dtype.kind in "mM" or len(wrong):
        row = wrong[0] if len(wrong) else 0
        raise ValueError(
            f"channel '{name}' of {path} must hold numbers; got {str(plain.iloc[row])!r} in row "
            f"{row + 1}. Leave the column out of the channels or name it as series, time or label."
        )
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def _finite(values: NDArray[Any], channels: Sequence[str], path: Path) -> None:
    row, column = np.nonzero(np.isinf(values))
    if len(row):
        raise ValueError(
            f"channel '{channels[column[0]]}' of {path} must be finite or empty; got inf in row "
            f"{row[0] + 1}. Leave the cell empty where nothing was measured."
        )


def _measured(values: NDArray[Any], channels: Sequence[str], path: Path) -> None:
    empty = np.flatnonzero(np.isnan(values).all(axis=0))
    if len(empty):
        raise ValueError(
            f"channel '{channels[empty[0]]}' of {path} holds no measured value in {len(values)} "
            "rows; leave it out of the channels."
        )


def _times(column: Any, path: Path) -> NDArray[Any]:
    """Time stamps: numbers as they are, dates as datetime64 in UTC."""
    import pandas as pd

    if column.isna().any():
        row = np.flatnonzero(column.isna())[0] + 1
        raise ValueError(
            f"the time column '{column.name}' of {path} is empty in row {row}; fill it."
        )
    if column.dtype.kind in "iufm":
        return column.to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        plain = column if column.dtype.kind == "M" else column.astype(object)
        times = pd.to_datetime(plain, utc=True, errors="coerce")
    wrong = np.flatnonzero(times.isna())
    if len(wrong):
        raise ValueError(
            f"the time column '{column.name}' of {path} must hold numbers or dates such as "
            f"2024-05-01 13:00; got {str(plain.iloc[wrong[0]])!r} in row {wrong[0] + 1}."
        )
    return times.dt.tz_localize(None).to_numpy()


def _check_times(
    time: NDArray[Any], code: NDArray[Any], order: NDArray[Any], names: list[str], column: str
) -> None:
    ordered, owner = time[order], code[order]
    same = owner[1:] == owner[:-1]
    back = np.flatnonzero(same & (ordered[1:] < ordered[:-1]))
    if len(back):
        i = back[0] + 1
        raise ValueError(
            f"times must rise within a series; series '{names[owner[i]]}' has {ordered[i]} after "
            f"{ordered[i - 1]} in row {order[i] + 1}. Sort the table by '{column}'."
        )
    twice = np.flatnonzero(same & (ordered[1:] == ordered[:-1]))
    if len(twice):
        i = twice[0] + 1
        raise ValueError(
            f"every time must occur once in a series; series '{names[owner[i]]}' has {ordered[i]} "
            f"in rows {order[i - 1] + 1} and {order[i] + 1}. Keep one row per time point, or name "
            "the column that tells the series apart."
        )


def _labels(column: Any, what: str) -> NDArray[Any]:
    """Labels as they are: whole numbers, numbers, or text; missing text is ''."""
    if column.dtype.kind in "mM":
        raise ValueError(f"{what} must hold numbers or text; got dates. Name another column.")
    if column.dtype.kind in "iub" and not column.isna().any():
        return column.to_numpy(dtype=np.int64)
    if column.dtype.kind in "iubf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.astype(object).where(column.notna(), "").to_numpy().astype(str)
