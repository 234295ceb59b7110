"""The numbers behind a picture as a long Arrow table: one row per number, one column per axis, and units of both."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from chaosbench.errors import StoreError
from chaosbench.figures.base import Arguments, Array, Layout
from chaosbench.files import write_whole

_VALUE = "the number, in `unit`; NaN where an orbit or a training run had diverged"


def to_table(picture: str, layout: Layout, arguments: Arguments) -> pa.Table:
    """Return the arguments of a picture as a table, without those that are None or not part of the layout.

    Args:
        picture: kind of the picture.
        layout: quantities and axes of the picture.
        arguments: by name.
    """
    arrays = {name: np.asarray(arguments[name]) for name in layout.quantities if arguments.get(name) is not None}
    columns = {
        "quantity": _words([name for name, values in arrays.items() for _ in range(values.size)]),
        "unit": _words([layout.quantities[name].unit for name, values in arrays.items() for _ in range(values.size)]),
        **{axis.column: _column(layout, axis.column, arrays, arguments) for axis in layout.axes},
        "value": pa.array(np.concatenate([np.empty(0, np.float32), *map(np.ravel, arrays.values())])),
    }
    fields = {"quantity": ("", "name of the array that holds the number"), "unit": ("", "unit of the value")}
    fields |= {axis.column: (axis.unit, axis.description) for axis in layout.axes}
    fields |= {"value": ("see `unit`", _VALUE)}
    schema = pa.schema(
        [
            pa.field(name, columns[name].type, metadata={"unit": unit, "description": description})
            for name, (unit, description) in fields.items()
        ],
        metadata=_metadata(picture, layout, arrays, arguments),
    )
    return pa.table(list(columns.values()), schema=schema)


def to_arguments(layout: Layout, table: pa.Table) -> dict[str, Any]:
    """Return the arguments from which a table was built."""
    names, values = table["quantity"].to_numpy(), table["value"].to_numpy()
    texts, shapes, coordinates = (
        json.loads(table.schema.metadata[key]) for key in (b"texts", b"shapes", b"coordinates")
    )
    arguments: dict[str, Any] = texts
    for name, shape in shapes.items():
        rows = np.flatnonzero(names == name)
        arguments[name] = values[rows].reshape(shape) if shape else float(values[rows][0])
        for dimension, axis in enumerate(layout.quantities[name].axes):
            if axis.argument in coordinates:
                edge = tuple(slice(None) if other == dimension else 0 for other in range(len(shape)))
                along = rows.reshape(shape)[edge]
                arguments[axis.argument] = np.asarray(table[axis.column].take(along).to_pylist())
    return arguments


def write(path: Path, table: pa.Table) -> Path:
    """Write an Arrow file; a reader sees the whole file or none."""

    def write_beside(beside: Path) -> None:
        # By path: given a Python file object with torch imported, pyarrow may abort the process at exit.
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.OSFile(str(beside), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
            writer.write_table(table)

    return write_whole(path, write_beside)


def read(path: Path) -> pa.Table:
    """Read the table of a picture.

    Raises:
        StoreError: if the file holds no such table.
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
    """Return the kind of the picture that a table belongs to."""
    return str(table.schema.metadata[b"picture"].decode())


def _metadata(picture: str, layout: Layout, arrays: Mapping[str, Array], arguments: Arguments) -> dict[str, str]:
    return {
        "picture": picture,
        "description": layout.description,
        "quantities": json.dumps({name: layout.quantities[name].description for name in arrays}),
        "shapes": json.dumps({name: values.shape for name, values in arrays.items()}),
        "coordinates": json.dumps(sorted(name for name in layout.coordinates if _is_given(arguments, name))),
        "texts": json.dumps({name: arguments[name] for name in layout.texts if arguments.get(name)}),
    }


def _column(layout: Layout, column: str, arrays: Mapping[str, Array], arguments: Arguments) -> pa.Array:
    """Return the coordinate of each number along an axis; null for quantities without this axis."""
    parts = [pa.nulls(0)]
    for name, values in arrays.items():
        parts.append(pa.nulls(values.size))
        for dimension, axis in enumerate(layout.quantities[name].axes):
            if axis.column == column:
                given = _is_given(arguments, axis.argument)
                along = arguments[axis.argument] if given else np.arange(values.shape[dimension])
                shape = [-1 if other == dimension else 1 for other in range(values.ndim)]
                parts[-1] = pa.array(np.broadcast_to(np.reshape(along, shape), values.shape).ravel())
    kind = next((part.type for part in parts if not pa.types.is_null(part.type)), pa.int64())
    return pa.concat_arrays([part.cast(kind) for part in parts])


def _is_given(arguments: Arguments, name: str) -> bool:
    return arguments.get(name) is not None and len(arguments[name]) > 0


def _words(words: list[str]) -> pa.Array:
    return pa.array(words, pa.string()).dictionary_encode()
