"""A table of recorded columns, as it comes from a file, before observables are chosen."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Column = int | str


@dataclass(frozen=True)
class Table:
    """Columns of equal length with names.

    Attributes:
        names: a name or a position for each column.
        cells: for each column `(T,)`: float64 with NaN for empty cells, datetime64, or text as objects.
        trial: what the table is, such as the name of its file; empty if it is the only one.
    """

    names: tuple[Column, ...]
    cells: tuple[Array, ...]
    trial: str = ""

    @property
    def rows(self) -> int:
        """Number of rows T."""
        return len(self.cells[0]) if self.cells else 0

    @classmethod
    def of_array(cls, array: Array, trial: str = "") -> "Table":
        """Return the table of an array `(T, D)`, whose columns are named by their positions."""
        return cls(tuple(range(array.shape[1])), tuple(array.astype(np.float64).T), trial)


def is_number(cells: Array) -> bool:
    """Return True for a column of numbers."""
    return cells.dtype.kind == "f"


def is_date(cells: Array) -> bool:
    """Return True for a column of dates."""
    return cells.dtype.kind == "M"
