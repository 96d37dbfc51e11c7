"""Text files of numbers: their separator, their header, and whether a row is a series."""

import csv
import gzip
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

__all__ = [
    "Layout",
    "counts_within",
    "exact_digits",
    "load_text",
    "looks_wide",
    "open_text",
    "sniff",
]

MISSING = ("", "?", "NA", "N/A", "null", "None")  # a cell without a value; NaN is a number
WIDE = 8  # a row with fewer values than this is not taken for a whole series


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text file is laid out.

    Attributes:
        separator: What stands between two cells; a regular expression for white space.
        decimal: The decimal mark.
        header: The column names, or None where the first line already holds values.
    """

    separator: str
    decimal: str
    header: tuple[str, ...] | None


def open_text(path: Path) -> IO[str]:
    """Opens a text file for reading, unpacked where its name ends in ``.gz``."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def sniff(path: Path) -> Layout:
    """Looks at the first lines of a text file.

    Raises:
        ValueError: If the file is empty, is not text, or names a column twice.
    """
    try:
        with open_text(path) as file:
            lines = [line for line in (file.readline() for _ in range(50)) if line.strip()]
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"{path} must be UTF-8 text; got {error}. Convert it first.") from None
    if not lines:
        raise ValueError(
            f"{path} is empty; expected a table with one row per time point or series."
        )
    # A CSV of one column shows no separator, and its name may hold a blank.
    other = "," if ".csv" in path.suffixes else r"\s+"
    separator = next((mark for mark in ("\t", ";", ",") if mark in lines[0]), other)
    comma = separator in (";", "\t") and any(re.search(r"\d,\d", line) for line in lines)
    decimal = "," if comma else "."
    rows = [_cells(line, separator) for line in lines]
    header = tuple(rows[0]) if _is_header(rows, decimal) else None
    for name in header or ():
        if (header or ()).count(name) > 1:
            raise ValueError(f"{path} has two columns named '{name}'; give each its own name.")
    return Layout(separator, decimal, header)


def load_text(path: Path, layout: Layout) -> Any:
    """The whole text file as a data frame; unnamed columns are ``c0, c1, ...``.

    Raises:
        ValueError: If a line has more cells than the header, or if there is no row.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                sep=layout.separator,
                decimal=layout.decimal,
                header=None if layout.header is None else 0,
                index_col=False,
                na_values=["?"],
                skipinitialspace=True,
                low_memory=False,
                encoding="utf-8-sig",
                **exact_digits(layout.decimal),
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        reason = str(error).split("C error: ")[-1].strip()
        raise ValueError(
            f"{path} must have the same number of cells in every line; got: {reason}."
        ) from None
    if not len(table):
        raise ValueError(f"{path} has a header and no rows; expected one row per time point.")
    if layout.header is None:
        table.columns = [f"c{i}" for i in range(table.shape[1])]
    else:
        table.columns = [name.strip() for name in layout.header]
    return table


def exact_digits(decimal: str = ".") -> dict[str, Any]:
    """What ``pandas.read_csv`` must be told to read back every digit.

    Before 3.1 its own parser missed the last digit of one number in some hundreds, and its exact
    one knew the decimal point only.

    Args:
        decimal: What stands before the decimals.
    """
    import pandas as pd

    old = tuple(int(part) for part in pd.__version__.split(".")[:2]) < (3, 1)
    return {"float_precision": "round_trip"} if old and decimal == "." else {}


def looks_wide(table: Any, *, sure: bool = False) -> bool:
    """Whether a table without header has one row per series: few whole-number or text labels first.

    The first column of a long table is no such thing: it is a channel (not whole), a time (no
    value recurs) or a series number (beside it, a counter).

    Args:
        table: A data frame.
        sure: Wide unless it counts, as a ``.tsv`` without header is by the UCR archive's custom.
    """
    if table.shape[1] < (3 if sure else 1 + WIDE) or counts_within(table):
        return False
    first = table.iloc[:, 0]
    if sure:
        return True
    if first.isna().any() or (first.dtype.kind == "f" and (first % 1 != 0).any()):
        return False
    return 2 <= first.nunique() <= len(first) / 2


def counts_within(table: Any) -> bool:
    """Whether column 1 counts up by one within every value of column 0, in unbroken blocks."""
    if table.shape[1] < 3 or any(table.iloc[:, i].dtype.kind not in "iu" for i in (0, 1)):
        return False
    unit, step = table.iloc[:, 0].to_numpy(), table.iloc[:, 1].to_numpy()
    same = unit[1:] == unit[:-1]
    blocks = 1 + np.count_nonzero(~same)
    return bool(
        same.any()
        and blocks == len(np.unique(unit))
        and (np.diff(step)[same] == 1).all()
        and np.isin(step[np.append(True, ~same)], (0, 1)).all()
    )


def _cells(line: str, separator: str) -> list[str]:
    if separator == r"\s+":
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line.strip("\r\n")], delimiter=separator))]


def _is_header(rows: list[list[str]], decimal: str) -> bool:
    numeric = [_is_number(cell, decimal) for cell in rows[0]]
    if not any(numeric):
        return True
    if all(numeric) or len(rows) < 2:
        return False
    below = [_is_number(cell, decimal) for cell in rows[1]]
    # A name stands over a number in at least one column.
    return any(under and not over for over, under in zip(numeric, below, strict=False))


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return cell in MISSING
    return True
