"""Files of recorded data in every format, as tables; none of the readers can execute code."""

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chaosbench.errors import DataError
from chaosbench.series.table import Array, Table
from chaosbench.series.text import read_text

SHIPPED = "chaosbench:"  # before the name of a series that comes with chaosbench
_DEFAULT_AXES = {1: "T", 2: "TD", 3: "NTD"}
_SHIPPED_IN = Path(__file__).parent / "shipped"


def located(path: str) -> Path:
    """Return where a path leads: `chaosbench:NAME` to a shipped series, `~` to the user's home folder.

    Raises:
        DataError: if no series of that name is shipped.
    """
    if not path.startswith(SHIPPED):
        return Path(path).expanduser()
    known = sorted(file.name for file in _SHIPPED_IN.iterdir() if file.suffix in READERS)
    name = path.removeprefix(SHIPPED)
    if name not in known:
        raise DataError(f"chaosbench ships no series {name!r}; it ships {', '.join(known)}")
    return _SHIPPED_IN / name


def files_of(path: str) -> list[Path]:
    """Return the files that a path names: one file, all files of a folder, or those that match a pattern with `*`.

    Files of a folder or pattern are in the order of their names, where numbers count as numbers (trial2, trial10).
    Hidden files and files of unknown formats in a folder are left out; `ignored` names them.

    Raises:
        DataError: if there is no such file.
    """
    whole = located(path)
    if whole.is_dir() and whole.suffix.lower() not in READERS:
        found = [entry for entry in _entries(whole) if entry.suffix.lower() in READERS]
        if not found:
            raise DataError(f"the folder {path!r} holds no file of a known format; expected {', '.join(READERS)}")
        return found
    if not whole.exists() and "*" in path:
        found = sorted((entry.absolute() for entry in whole.parent.glob(whole.name)), key=_by_number)
        if not found:
            raise DataError(f"no file matches {path!r} (the working directory is {str(Path.cwd())!r})")
        return found
    return [whole.absolute()]


def ignored(path: str) -> list[str]:
    """Return the names of the files that `files_of` leaves out of a folder."""
    whole = located(path)
    if not whole.is_dir():
        return []
    return [entry.name for entry in _entries(whole) if entry.suffix.lower() not in READERS]


def read_file(path: Path, name: str, *, array: str | None, axes: str | None) -> list[Table]:
    """Read a file as one table, or as one table per trial if it holds three axes.

    Args:
        path: the file.
        name: how errors call it.
        array: name of the array in a file that holds several.
        axes: what the axes of an array are, in order: N trials, T time, D observables.

    Raises:
        DataError: if the file has an unknown format or cannot be read; the message is one line.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataError(f"{name!r} has an unknown format; expected {', '.join(READERS)}")
    try:
        content = READERS[suffix](path)
        if isinstance(content, list):
            return content
        return _tables(_chosen(content, array), axes)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise _missing(name, error) from error
    except Exception as error:  # readers of damaged files raise many kinds, and each is a mistake of the file
        cause = " ".join(str(error).split())
        raise DataError(f"{name!r} cannot be read as {suffix}: {cause or type(error).__name__}") from error


def stamp(path: Path, name: str) -> tuple[str, int, int]:
    """Return path, time of change and size of a file.

    Raises:
        DataError: if it cannot be opened.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise _missing(name, error) from error
    return str(path), status.st_mtime_ns, status.st_size


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(name: str, error: OSError) -> DataError:
    return DataError(
        f"the file {name!r} cannot be opened: {error.strerror} (the working directory is {str(Path.cwd())!r}); "
        "correct the path"
    )


def _entries(folder: Path) -> list[Path]:
    files = [entry.absolute() for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    return sorted(files, key=_by_number)


def _by_number(path: Path) -> list[tuple[int, int, str]]:
    """Return a key that sorts trial2 before trial10."""
    parts = re.findall(r"(\d+)|(\D+)", path.name)
    return [(0, int(digits), "") if digits else (1, 0, text) for digits, text in parts]


def _read_npy(path: Path) -> Mapping[str, Array]:
    array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("it holds an archive; name it .npz")
    return {"": array}


def _read_npz(path: Path) -> Mapping[str, Array]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_mat(path: Path) -> Mapping[str, Array]:
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    except NotImplementedError:  # version 7.3, which is HDF5 with the axes in reverse order
        return {name: values.T for name, values in _read_h5(path).items()}
    return {
        name: np.asarray(value) for name, value in content.items() if not name.startswith("__") and np.size(value) > 1
    }


def _read_h5(path: Path) -> Mapping[str, Array]:
    try:
        import h5py
    except ImportError:
        raise DataError(
            f"{path.name!r} is HDF5, which needs the package h5py: pip install 'chaosbench[hdf5]'; or save it as .npz"
        ) from None
    found: dict[str, Array] = {}

    def visit(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset) and entry.dtype.kind in "biuf" and entry.size > 1:
            found[name] = entry[()]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def _read_parquet(path: Path) -> list[Table]:
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(path)
    cells: list[Array] = []
    for column in table.columns:
        kind = column.type
        if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_date(kind):
            cells.append(np.array(column.cast(pyarrow.timestamp("us")).to_numpy(), "datetime64[us]"))
        elif pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind):
            cells.append(np.array(column.cast(pyarrow.float64(), safe=False).to_numpy(), np.float64))
        else:
            cells.append(np.array(column.to_pylist(), dtype=object))
    return [Table(tuple(table.column_names), tuple(cells))]


def _chosen(arrays: Mapping[str, Array], array: str | None) -> Array | Mapping[str, Array]:
    """Return the array to read, or several columns by name."""
    shapes = ", ".join(f"{name!r} {value.dtype} of shape {value.shape}" for name, value in arrays.items())
    if array is not None:
        if array not in arrays:
            raise ValueError(f"it has no array {array!r}; it holds {shapes}")
        return arrays[array]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    flat = {name: value.ravel() for name, value in arrays.items() if value.size == max(value.shape, default=0)}
    if flat and len(flat) == len(arrays) and len({value.size for value in flat.values()}) == 1:
        return flat
    raise ValueError(f"it holds several arrays; name one of them, as in array = 'x'. It holds {shapes or 'none'}")


def _tables(content: Array | Mapping[str, Array], axes: str | None) -> list[Table]:
    if isinstance(content, Mapping):
        return [Table(tuple(content), tuple(_numeric(value).astype(np.float64) for value in content.values()))]
    array = _numeric(content)
    if array.ndim == 2 and len(array) == 1 and axes is None:
        array = array.T  # one row, as Matlab writes a vector
    if axes is not None:
        if len(axes) != array.ndim or set(axes) != set(_DEFAULT_AXES.get(array.ndim, "")):
            raise ValueError(f"it has the shape {array.shape}, which axes = {axes!r} does not describe")
        array = np.transpose(array, [axes.index(axis) for axis in _DEFAULT_AXES[array.ndim]])
    if array.ndim == 3:
        return [Table.of_array(trial, f"trial {index}") for index, trial in enumerate(array)]
    return [Table.of_array(array if array.ndim == 2 else array[:, None])]


def _numeric(array: Array) -> Array:
    if array.ndim not in (1, 2, 3) or array.dtype.kind not in "biuf":
        raise ValueError(
            f"it holds {array.dtype} of shape {array.shape}; expected real numbers of shape (T,) or (T, D) or (N, T, D)"
        )
    return array


_TEXT = (".csv", ".tsv", ".txt", ".dat")  # read by the same rules
READERS: dict[str, Callable[[Path], list[Table] | Mapping[str, Array]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    **dict.fromkeys(_TEXT, read_text),
    ".parquet": _read_parquet,
    ".mat": _read_mat,
    ".h5": _read_h5,
    ".hdf5": _read_h5,
}
