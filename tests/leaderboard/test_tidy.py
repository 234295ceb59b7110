import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chaosbench import files
from chaosbench.errors import StoreError
from chaosbench.leaderboard import tidy
from chaosbench.leaderboard.tidy import Axis, Layout, Quantity

SEED = Axis("seed", "seeds", "", "seed of the run")
SHORT, LONG = (Axis("horizon", name, "steps", "how far") for name in ("short", "long"))
LAYOUT = Layout(
    "toy",
    "a toy",
    {
        "near": Quantity("nats", "near numbers", (SEED, SHORT)),
        "far": Quantity("1", "far numbers", (SEED, LONG)),
        "series": Quantity("std", "a series", (Axis("step", "", "steps", "time"), Axis("name", "names", "", "a name"))),
        "limit": Quantity("1 / step", "a limit"),
    },
)


def same(found, given):
    assert found.keys() == given.keys()
    for name, value in given.items():
        np.testing.assert_array_equal(found[name], value)


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
def test_a_table_gives_back_the_arguments_it_was_made_of(arguments, tmp_path):
    path = tidy.write(tmp_path / "toy.arrow", LAYOUT.table(arguments))
    same(LAYOUT.arguments(tidy.read(path)), arguments)


@given(st.data())
def test_arrays_of_any_shape_and_content_come_back(data):
    seeds, horizons = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    near = data.draw(arrays(np.float64, (seeds, horizons)))
    given = {"near": near, "seeds": np.arange(seeds) * 3, "short": np.arange(horizons) ** 2}
    same(LAYOUT.arguments(LAYOUT.table(given)), given)


def test_numbers_keep_their_precision():
    table = LAYOUT.table({"series": np.ones((2, 2), dtype=np.float32)})
    assert table["value"].type == pa.float32()
    assert LAYOUT.table({"series": np.ones((2, 2), dtype=np.float32), "limit": 0.1})["value"].type == pa.float64()


def test_a_row_tells_its_quantity_unit_and_place_to_a_reader_who_has_only_arrow(tmp_path):
    arguments = {"near": np.array([[1.0, 2.0]]), "far": np.array([[3.0]]), "seeds": [7], "short": [1, 2], "long": [8]}
    path = tidy.write(tmp_path / "toy.arrow", LAYOUT.table(arguments))
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    rows = [{key: row[key] for key in ("quantity", "unit", "seed", "horizon", "value")} for row in table.to_pylist()]
    assert rows == [
        {"quantity": "near", "unit": "nats", "seed": 7, "horizon": 1, "value": 1.0},
        {"quantity": "near", "unit": "nats", "seed": 7, "horizon": 2, "value": 2.0},
        {"quantity": "far", "unit": "1", "seed": 7, "horizon": 8, "value": 3.0},
    ]
    assert table["step"].null_count == len(rows), "no axis of these"
    assert table.schema.field("horizon").metadata == {b"unit": b"steps", b"description": b"how far"}
    assert all(table.schema.field(name).metadata[b"description"] for name in table.column_names)
    assert json.loads(table.schema.metadata[b"quantities"]) == {"near": "near numbers", "far": "far numbers"}


def test_a_file_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tidy.write(tmp_path / "toy.arrow", LAYOUT.table({"limit": 0.1}))
    before = path.read_bytes()

    def broken(path):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "flush", broken)
    with pytest.raises(OSError, match="no space"):
        tidy.write(path, LAYOUT.table({"limit": 0.2}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"


def test_what_is_no_data_of_a_picture_is_told_in_one_line(tmp_path):
    torn, other = tmp_path / "torn.arrow", tmp_path / "other.arrow"
    torn.write_bytes(tidy.write(tmp_path / "toy.arrow", LAYOUT.table({"limit": 0.1})).read_bytes()[:100])
    tidy.write(other, pa.table({"a": [1]}))
    for path in (torn, other, tmp_path / "missing.arrow"):
        with pytest.raises(StoreError, match="no data of a picture") as error:
            tidy.read(path)
        assert "\n" not in str(error.value)
