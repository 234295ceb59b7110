"""Sizes given as a number of parameters: `hidden = "1000 parameters"` is the largest size that stays within it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chaosbench.errors import ChaosbenchError, SpecError
from chaosbench.models.base import ModelSpec

_BUDGET = re.compile(r"([0-9][0-9_]*) parameters?")
_LARGEST = 2**20  # sizes are not searched beyond
PATTERN = "^[0-9][0-9_]* parameters?$"  # for the JSON schema


@dataclass(frozen=True)
class Budgeted:
    """A model whose size is chosen when the number of observables is known.

    Attributes:
        build: returns the model of a size.
        field: name of the field that holds the size.
        budget: largest number of parameters of one seed.
        place: position in the file, for errors.
        kind, label: of the model, with the budget in place of the size.
    """

    build: Callable[[int], ModelSpec]
    field: str
    budget: int
    place: str
    kind: str
    label: str

    def resolved(self, dimension: int) -> ModelSpec:
        """Return the model of the largest size whose parameters stay within the budget, for D observables.

        The number of parameters must increase with the size. Sizes that the model refuses count as too small.

        Raises:
            SpecError: where no size fits.
        """
        low, high = 0, 1  # the least size has too few parameters, or none at all; the largest has too many
        while high <= _LARGEST and self._fits(high, dimension):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits(middle, dimension) else (low, middle)
        if low == 0 or self._count(low, dimension) is None:
            raise SpecError(
                f"{self.place}.{self.field}: no size has at most {self.budget} parameters for {dimension} observables; "
                "give more parameters, or a size"
            )
        return self.build(low)

    def _fits(self, size: int, dimension: int) -> bool:
        count = self._count(size, dimension)
        return count is None or count <= self.budget

    def _count(self, size: int, dimension: int) -> int | None:
        """Return the number of parameters of one seed; None where the model refuses the size."""
        try:
            return self.build(size).build(dimension, (0,)).parameters_per_seed()
        except (ChaosbenchError, ValueError):  # pydantic's errors are ValueErrors
            return None


def budget_of(table: Mapping[str, Any], place: str) -> tuple[str, int] | None:
    """Return the field of a model's table that is given as a number of parameters, and that number; None if none is.

    Raises:
        SpecError: where several fields are.
    """
    found = {
        name: int(match[1].replace("_", ""))
        for name, value in table.items()
        if isinstance(value, str) and (match := _BUDGET.fullmatch(value))
    }
    if len(found) > 1:
        raise SpecError(f"{place}: {' and '.join(found)} are both given as numbers of parameters; choose one")
    return next(iter(found.items())) if found else None
