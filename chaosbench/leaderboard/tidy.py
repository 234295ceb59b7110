"""The numbers behind a picture as one long Arrow table: a row per number, a column per axis, units beside all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from chaosbench.errors import StoreError
from chaosbench.files import write_whole

Array = np.ndarray[Any, Any]

_VALUE = "the number, in `unit`; NaN where an orbit or a training had diverged"


@dataclass(frozen=True)
class Axis:
    """An axis of an array: a column of the table.

    Attributes:
        column: its name.
        argument: that says where along it the numbers lie; where empty or not given they are counted from 0.
        unit, description: of the column.
    """

    column: str
    argument: str
    unit: str
    description: str


@dataclass(frozen=True)
class Quantity:
    """An array with its axes, or a number that has none."""

    unit: str
    description: str
    axes: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Layout:
    """What lies in the table of one kind of picture.

    Attributes:
        name: of the picture.
        description: of what it shows.
        quantities: by the name of the argument.
        texts: names of the arguments that are words.
    """

    name: str
    description: str
    quantities: Mapping[str, Quantity]
    texts: tuple[str, ...] = ("label",)

    def table(self, arguments: Mapping[str, Any]) -> pa.Table:
        """The arguments of a picture as a table; None and what the layout does not name are left out."""
        given = {name: np.asarray(arguments[name]) for name in self.quantities if arguments.get(name) is not None}
        columns = {
            "quantity": _words([name for name, values in given.items() for _ in range(values.size)]),
            "unit": _words([self.quantities[name].unit for name, values in given.items() for _ in range(values.size)]),
            **{axis.column: self._column(axis.column, given, arguments) for axis in self._axes()},
            "value": pa.array(np.concatenate([np.empty(0, np.float32), *map(np.ravel, given.values())])),
        }
        fields = {"quantity": ("", "which array the number is of"), "unit": ("", "unit of the value")}
        fields |= {axis.column: (axis.unit, axis.description) for axis in self._axes()}
        fields |= {"value": ("see `unit`", _VALUE)}
        schema = pa.schema(
            [
                pa.field(name, columns[name].type, metadata={"unit": unit, "description": description})
                for name, (unit, description) in fields.items()
            ],
            metadata={
                "picture": self.name,
                "description": self.description,
                "quantities": json.dumps({name: self.quantities[name].description for name in given}),
                "shapes": json.dumps({name: values.shape for name, values in given.items()}),
                "coordinates": json.dumps(sorted(name for name in self._coordinates() if _given(arguments, name))),
                "texts": json.dumps({name: arguments[name] for name in self.texts if arguments.get(name)}),
            },
        )
        return pa.table(list(columns.values()), schema=schema)

    def arguments(self, table: pa.Table) -> dict[str, Any]:
        """The arguments that `table` was made of."""
        names, values = table["quantity"].to_numpy(), table["value"].to_numpy()
        texts, shapes, coordinates = (
            json.loads(table.schema.metadata[key]) for key in (b"texts", b"shapes", b"coordinates")
        )
        found: dict[str, Any] = texts
        for name, shape in shapes.items():
            rows = np.flatnonzero(names == name)
            found[name] = values[rows].reshape(shape) if shape else float(values[rows][0])
            for place, axis in enumerate(self.quantities[name].axes):
                if axis.argument in coordinates:
                    along = rows.reshape(shape)[tuple(slice(None) if at == place else 0 for at in range(len(shape)))]
                    found[axis.argument] = np.asarray(table[axis.column].take(along).to_pylist())
        return found

    def _coordinates(self) -> set[str]:
        return {axis.argument for quantity in self.quantities.values() for axis in quantity.axes}

    def _axes(self) -> tuple[Axis, ...]:
        """One axis for each column; two arguments may lie along one column."""
        axes = [axis for quantity in self.quantities.values() for axis in quantity.axes]
        return tuple({axis.column: axis for axis in reversed(axes)}.values())[::-1]

    def _column(self, column: str, given: Mapping[str, Array], arguments: Mapping[str, Any]) -> pa.Array:
        """Where along the axis each number lies; null for a quantity that has no such axis."""
        parts = [pa.nulls(0)]
        for name, values in given.items():
            parts.append(pa.nulls(values.size))
            for place, axis in enumerate(self.quantities[name].axes):
                if axis.column == column:
                    known = _given(arguments, axis.argument)
                    where = arguments[axis.argument] if known else np.arange(values.shape[place])
                    shape = [-1 if at == place else 1 for at in range(values.ndim)]
                    parts[-1] = pa.array(np.broadcast_to(np.reshape(where, shape), values.shape).ravel())
        kind = next((part.type for part in parts if not pa.types.is_null(part.type)), pa.int64())
        return pa.concat_arrays([part.cast(kind) for part in parts])


def write(path: Path, table: pa.Table) -> Path:
    """Write an Arrow file; a reader sees the whole file or none."""

    def write_beside(beside: Path) -> None:
        # By path: given a Python file object with torch imported, pyarrow may abort the process at exit.
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.OSFile(str(beside), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
            writer.write_table(table)

    return write_whole(path, write_beside)


def read(path: Path) -> pa.Table:
    """The table of a picture.

    Raises:
        StoreError: where the file holds none.
    """
    try:
        with pa.OSFile(str(path), "rb") as file:
            table = pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowException) as error:
        brief = " ".join(str(error).split())[:200]
        raise StoreError(f"{str(path)!r} holds no data of a picture ({brief}); run the suite again") from error
    if b"picture" not in (table.schema.metadata or {}):
        raise StoreError(f"{str(path)!r} holds no data of a picture; expected an Arrow file that chaosbench wrote")
    return table


def picture_of(table: pa.Table) -> str:
    """The name of the picture that a table is of."""
    return str(table.schema.metadata[b"picture"].decode())


def _given(arguments: Mapping[str, Any], name: str) -> bool:
    return arguments.get(name) is not None and len(arguments[name]) > 0


def _words(words: list[str]) -> pa.Array:
    return pa.array(words, pa.string()).dictionary_encode()
