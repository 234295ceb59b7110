"""Tables of text: commas, semicolons, tabs or blanks, comments, names, decimal commas, empty cells and dates."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from chaosbench.series.table import Array, Table

_SAMPLE = 50  # lines from which the delimiter is taken
_EMPTY = ("", "nan", "na", "n/a", "null", "none", "-", "--", "?")  # cells without a value, in lower case
_DATES = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y")  # beside ISO 8601
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")


def read_text(path: Path) -> list[Table]:
    """Read a table of text; `#` begins a comment, and the first line may hold names.

    In a file of a single column, an empty line between two values is an empty cell.

    Raises:
        ValueError: if the file is empty or a line has another number of cells than the first.
    """
    with path.open(encoding="utf-8-sig", newline=None) as file:
        lines = [line.partition("#")[0].rstrip() if "#" in line else line.rstrip() for line in file]
    filled = [index for index, line in enumerate(lines) if line.strip()]
    if not filled:
        raise ValueError("it is empty")
    lines = lines[filled[0] : filled[-1] + 1]
    sample = [line for line in lines if line.strip()][:_SAMPLE]
    delimiter = _delimiter(sample)
    rows = [_split(line, delimiter) for line in sample[:2]]
    named = _has_names(rows)
    columns = _columns(lines, delimiter, len(rows[0]))
    names = [cell.strip() for cell in rows[0]]
    if named and len(set(names)) < len(names):
        raise ValueError(f"two columns have the same name: {', '.join(map(repr, names))}")
    return [
        Table(
            tuple(names) if named else tuple(range(len(columns))),
            tuple(_converted(column.slice(int(named)), comma=delimiter != ",") for column in columns),
        )
    ]


def _delimiter(sample: list[str]) -> str:
    """Return the mark that divides all lines into equally many cells, a blank for any white space, "" for none."""
    fits = {mark: {len(_split(line, mark)) for line in sample} for mark in ";\t, "}
    numbers = [_DECIMAL_COMMA.fullmatch(cell) for line in sample[1:] for cell in line.split()]
    if len(fits[" "]) == 1 and max(fits[" "]) > 1 and ";" not in sample[0] and numbers and all(numbers):
        return " "  # each word is a number with a decimal comma
    for mark, counts in fits.items():
        if len(counts) == 1 and max(counts) > 1:
            return mark
    if len(sample[0].split()) == 1 and not any(mark in sample[0] for mark in ";\t,"):
        return ""
    return next((mark for mark in ";\t, " if len(_split(sample[0], mark)) > 1), "")


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == "":
        return [line]
    return line.split() if delimiter == " " else next(csv.reader([line], delimiter=delimiter))


def _has_names(rows: list[list[str]]) -> bool:
    """Return True if the first row names columns: it holds text where the second holds a number, or no value at all."""
    first, second = rows[0], rows[1] if len(rows) > 1 else rows[0]
    text = [not _is_value(cell) for cell in first]
    return all(text) or any(
        name and _is_value(below) and below.strip() for name, below in zip(text, second, strict=False)
    )


def _is_value(cell: str) -> bool:
    cell = cell.strip()
    if cell.lower() in _EMPTY or _DECIMAL_COMMA.fullmatch(cell):
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _columns(lines: list[str], delimiter: str, count: int) -> list[Any]:
    """Return the cells of each column as pyarrow text, the names included.

    Cells are read as text, because pyarrow would infer the type of a column from its first megabyte.
    """
    import pyarrow
    from pyarrow import csv as arrow_csv

    if delimiter == "":
        return [pyarrow.array(lines, pyarrow.string())]
    names = [str(index) for index in range(count)]
    text = "\n".join("\t".join(line.split()) for line in lines) if delimiter == " " else "\n".join(lines)
    table = arrow_csv.read_csv(
        io.BytesIO(text.encode()),
        read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names),
        parse_options=arrow_csv.ParseOptions(delimiter="\t" if delimiter == " " else delimiter),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string())),
    )
    return [column.combine_chunks() for column in table.columns]


def _converted(text: Any, *, comma: bool) -> Array:
    """Return cells of text as numbers or dates where all of them are, and otherwise as they are."""
    import pyarrow
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(text)
    empty = compute.is_in(compute.utf8_lower(trimmed), pyarrow.array(_EMPTY))
    cells = compute.if_else(empty, pyarrow.scalar(None, pyarrow.string()), trimmed)
    forms = [cells]
    if comma and not compute.any(compute.match_substring(cells, ".")).as_py():
        forms.append(compute.replace_substring(cells, ",", "."))
    for form in forms:
        try:
            values: Array = form.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
            return values.astype(np.float64)
        except pyarrow.ArrowInvalid:
            continue
    dates = _dates(cells)
    return np.array(trimmed.to_pylist(), dtype=object) if dates is None else dates


def _dates(cells: Any) -> Array | None:
    """Return dates of the form 2020-01-30 06:00:00 or 30.01.2020 06:00, the time optional; None if there are others."""
    import pyarrow
    from pyarrow import compute

    try:
        return np.array(cells.cast(pyarrow.timestamp("us")).to_numpy(zero_copy_only=False), "datetime64[us]")
    except pyarrow.ArrowInvalid:
        pass
    for form in _DATES:
        dates = compute.strptime(cells, format=form, unit="us", error_is_null=True)
        if dates.null_count == cells.null_count < len(cells):
            return np.array(dates.to_numpy(zero_copy_only=False), "datetime64[us]")
    return None
