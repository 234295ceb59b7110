"""The printed fields of stored tables are those that are written, with units and meanings."""

import json

import pyarrow as pa
import pytest

from chaosbench.leaderboard import described
from chaosbench.leaderboard.schema import RUNS


@pytest.mark.parametrize("table", described.TABLES)
def test_every_field_has_a_meaning_and_the_type_that_is_written(table: str):
    fields = json.loads(described.to_json(table))["fields"]
    assert [(one["name"], one["type"]) for one in fields] == [
        (field.name, str(field.type)) for field in described.TABLES[table]
    ]
    assert all(one["meaning"] and not one["meaning"].startswith("[") for one in fields)


def test_times_and_counts_have_their_units():
    units = {one["name"]: one["unit"] for one in described.fields("runs")}
    assert (units["train_seconds"], units["updates"], units["model"]) == ("s", "updates", "")


@pytest.mark.parametrize("table", described.TABLES)
def test_the_arrow_schema_is_read_by_pyarrow(table: str):
    read = pa.ipc.read_schema(pa.py_buffer(described.to_arrow(table)))
    assert read.equals(described.TABLES[table], check_metadata=True)


def test_the_markdown_table_has_a_line_per_field():
    lines = described.to_markdown("runs").decode().splitlines()
    assert len(lines) == 2 + len(RUNS)
    assert {line.count("|") for line in lines} == {6}
