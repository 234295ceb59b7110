import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chaosbench import files
from chaosbench.errors import StoreError
from chaosbench.figures import tables
from chaosbench.figures.base import Axis, Layout, Quantity

SEED = Axis("seed", "seeds", "", "seed of the run")
SHORT, LONG = (Axis("horizon", name, "steps", "horizon") for name in ("short", "long"))
LAYOUT = Layout(
    "a toy",
    {
        "near": Quantity("nats", "near numbers", (SEED, SHORT)),
        "far": Quantity("1", "far numbers", (SEED, LONG)),
        "series": Quantity("std", "a series", (Axis("step", "", "steps", "time"), Axis("name", "names", "", "a name"))),
        "limit": Quantity("1 / step", "a limit"),
    },
)


def table_of(arguments):
    return tables.to_table("toy", LAYOUT, arguments)


def assert_same(arguments, expected):
    assert arguments.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(arguments[name], value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"near": np.ones((2, 3)), "seeds": [7, 5], "short": [1, 2, 4], "label": "it"},
        {"near": np.ones((2, 3)), "far": np.zeros((2, 2)), "seeds": [7, 5], "short": [1, 2, 4], "long": [8, 16]},
        {"near": np.array([[np.nan, -np.inf, np.inf]]), "short": np.array([0.5, 1.0, 2.0])},
        {"series": np.arange(6.0).reshape(3, 2), "names": ["x", "y"], "limit": 0.1},
        {"series": np.arange(6, dtype=np.float32).reshape(3, 2)},
        {"series": np.empty((0, 2))},
        {"limit": 0.1},
        {},
    ],
)
def test_a_table_gives_back_the_arguments_it_was_made_from(arguments, tmp_path):
    path = tables.write(tmp_path / "toy.arrow", table_of(arguments))
    assert_same(tables.to_arguments(LAYOUT, tables.read(path)), arguments)


@given(st.data())
def test_arrays_of_any_shape_and_content_come_back(data):
    seeds, horizons = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    near = data.draw(arrays(np.float64, (seeds, horizons)))
    given = {"near": near, "seeds": np.arange(seeds) * 3, "short": np.arange(horizons) ** 2}
    assert_same(tables.to_arguments(LAYOUT, table_of(given)), given)


def test_numbers_keep_their_precision():
    table = table_of({"series": np.ones((2, 2), dtype=np.float32)})
    assert table["value"].type == pa.float32()
    assert table_of({"series": np.ones((2, 2), dtype=np.float32), "limit": 0.1})["value"].type == pa.float64()


def test_rows_name_their_quantity_unit_and_coordinates_for_readers_without_chaosbench(tmp_path):
    arguments = {"near": np.array([[1.0, 2.0]]), "far": np.array([[3.0]]), "seeds": [7], "short": [1, 2], "long": [8]}
    path = tables.write(tmp_path / "toy.arrow", table_of(arguments))
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    rows = [{key: row[key] for key in ("quantity", "unit", "seed", "horizon", "value")} for row in table.to_pylist()]
    assert rows == [
        {"quantity": "near", "unit": "nats", "seed": 7, "horizon": 1, "value": 1.0},
        {"quantity": "near", "unit": "nats", "seed": 7, "horizon": 2, "value": 2.0},
        {"quantity": "far", "unit": "1", "seed": 7, "horizon": 8, "value": 3.0},
    ]
    assert table["step"].null_count == len(rows), "these quantities have no such axis"
    assert table.schema.field("horizon").metadata == {b"unit": b"steps", b"description": b"horizon"}
    assert all(table.schema.field(name).metadata[b"description"] for name in table.column_names)
    assert json.loads(table.schema.metadata[b"quantities"]) == {"near": "near numbers", "far": "far numbers"}


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tables.write(tmp_path / "toy.arrow", table_of({"limit": 0.1}))
    before = path.read_bytes()

    def broken(path):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "flush", broken)
    with pytest.raises(OSError, match="no space"):
        tables.write(path, table_of({"limit": 0.2}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "no other file is left behind"


def test_a_file_without_data_of_a_picture_is_refused_in_one_line(tmp_path):
    torn, other = tmp_path / "torn.arrow", tmp_path / "other.arrow"
    torn.write_bytes(tables.write(tmp_path / "toy.arrow", table_of({"limit": 0.1})).read_bytes()[:100])
    tables.write(other, pa.table({"a": [1]}))
    for path in (torn, other, tmp_path / "missing.arrow"):
        with pytest.raises(StoreError, match="no data of a picture") as error:
            tables.read(path)
        assert "\n" not in str(error.value)
