"""Small files of recorded data in every format, and the message with which a file is rejected."""

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from chaosbench.errors import DataError
from chaosbench.series import TimeSeries

NAMES = ("pressure", "temperature", "wind")


def waves(rows=200, columns=3):
    time = 0.1 * np.arange(rows)
    return np.stack([np.sin((index + 1) * time) for index in range(columns)], axis=1)


def logistic(rows, *, r=3.9, start=0.3):
    """Return an orbit of the logistic map, `(rows,)`."""
    values = [start]
    for _ in range(rows - 1):
        values.append(r * values[-1] * (1 - values[-1]))
    return np.array(values)


def write_npy(path, values):
    np.save(path.with_suffix(".npy"), values)
    return path.with_suffix(".npy")


def write_csv(path, values, *, names=NAMES, delimiter=","):
    lines = [delimiter.join(map(str, row)) for row in np.asarray(values, dtype=object).tolist()]
    header = [delimiter.join(names[: np.shape(values)[1]])] if names else []
    path.with_suffix(".csv").write_text("\n".join([*header, *lines]) + "\n")
    return path.with_suffix(".csv")


def write_parquet(path, values, *, names=NAMES):
    columns = {
        name: pyarrow.array(list(column)) for name, column in zip(names, zip(*values, strict=True), strict=False)
    }
    parquet.write_table(pyarrow.table(columns), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def rejection(path, **fields):
    """Return the one-line message with which a file is rejected."""
    with pytest.raises(DataError) as raised:
        TimeSeries(path=str(path), **fields).splits()
    assert "\n" not in str(raised.value)
    assert Path(path).name in str(raised.value)
    return str(raised.value)
