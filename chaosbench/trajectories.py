"""Trajectories in files: read one or several, and write a forecast as `.csv`, `.npy` or `.parquet`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chaosbench.errors import DataError, StoreError
from chaosbench.files import write_whole
from chaosbench.series.formats import files_of
from chaosbench.series.reading import Reading, read

Array = np.ndarray[Any, Any]


def read_trajectories(name: str) -> Array:
    """Read trajectories of equal length, `(R, T, D)` float64, from a file or from all files of a folder.

    A file holds one trajectory, time first; a `.npy` file with three axes holds several. Files of a folder are in the
    order of their names, where numbers count as numbers; hidden ones and unknown formats are left out.

    Raises:
        DataError: if a file cannot be used, or lengths or columns differ; the message names the file.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        parts = [read_trajectories(str(file)) for file in _files_in(path)]
        shapes = {part.shape[1:] for part in parts}
        if len(shapes) > 1:
            raise DataError(f"the files of {name!r} differ in length or columns: {sorted(shapes)}; make them equal")
        return np.concatenate(parts)
    if path.suffix.lower() == ".npy" and path.is_file():
        several = _several(path, name)
        if several is not None:
            return several
    names = _column_names(path)
    reading = Reading(time="time" if "time" in names else None, trial="trajectory" if "trajectory" in names else None)
    recorded = read([name], reading)
    if recorded.gaps:
        raise DataError(f"{name!r} has {recorded.gaps} gaps; expected trajectories without missing values")
    if len({len(trial) for trial in recorded.trials}) > 1:
        lengths = sorted(len(trial) for trial in recorded.trials)
        raise DataError(f"the trajectories in {name!r} have {lengths[0]} to {lengths[-1]} steps; make them equal")
    return np.stack(recorded.trials).astype(np.float64)


def write_trajectories(path: Path, values: Array, *, dt: float, names: Sequence[str] = ()) -> Path:
    """Write a trajectory `(T, D)` or several `(B, T, D)`; the file is complete or absent.

    `.npy` holds the array as it is. `.csv` and `.parquet` hold a row per step with the columns `trajectory` (if there
    are several), `time` [system time] and one for each observable.

    Args:
        path: its suffix chooses the format.
        values: index 0 of the time axis is at time `dt`.
        dt: time per step [system time].
        names: names of the observables; default: x1, x2, ...

    Raises:
        StoreError: where the format is unknown or the file cannot be written.
    """
    writers: Mapping[str, Callable[[Path], object]] = {
        ".npy": lambda target: np.save(target, values),
        ".csv": lambda target: _write_csv(target, _columns(values, dt, names)),
        ".parquet": lambda target: _write_parquet(target, _columns(values, dt, names)),
    }
    if path.suffix.lower() not in writers:
        raise StoreError(f"cannot write {str(path)!r}: unknown format; end its name in {', '.join(writers)}")
    try:
        return write_whole(path, writers[path.suffix.lower()])
    except OSError as error:
        raise StoreError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def _files_in(folder: Path) -> list[Path]:
    """Return the files of a folder that can be read, in the order of the numbers in their names."""
    files = files_of(str(folder))
    if files == [folder.absolute()]:
        raise DataError(f"{str(folder)!r} is a folder, and its name ends as that of a file; rename it")
    return files


def _several(path: Path, name: str) -> Array | None:
    """Return the content of a `.npy` file with three axes; None for any other content, which `read` judges."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.dtype.kind not in "biuf":
        return None
    if not array.size:
        raise DataError(f"{name!r} holds an empty array of shape {array.shape}; expected (R, T, D)")
    return array.astype(np.float64)


def _column_names(path: Path) -> list[str]:
    """Return the names of a table's columns, which files that this module writes have; empty for other formats."""
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig") as file:
                return [cell.strip().strip('"') for cell in file.readline().replace(";", ",").split(",")]
        if path.suffix.lower() == ".parquet":
            from pyarrow import parquet

            return list(parquet.read_schema(path).names)
    except (OSError, ValueError):  # `read` reports it
        pass
    return []


def _columns(values: Array, dt: float, names: Sequence[str]) -> dict[str, Array]:
    several = values.ndim == 3
    batch, steps, dimension = values.shape if several else (1, *values.shape)
    columns = {"trajectory": np.repeat(np.arange(batch), steps)} if several else {}
    columns["time"] = np.tile(dt * np.arange(1, steps + 1), batch)
    labels = list(names) or [f"x{index + 1}" for index in range(dimension)]
    return columns | dict(zip(labels, values.reshape(-1, dimension).T, strict=True))


def _write_csv(path: Path, columns: dict[str, Array]) -> None:
    import pyarrow
    from pyarrow import csv

    csv.write_csv(pyarrow.table(columns), str(path))


def _write_parquet(path: Path, columns: dict[str, Array]) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), str(path), compression="zstd")
