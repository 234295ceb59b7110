"""Suites whose systems have tables of their own."""

from pathlib import Path

import pytest

from chaosbench import registry, suite
from chaosbench.errors import ChaosbenchError
from chaosbench.suite import Selection

KINDS = registry.load()
SYSTEMS_WITH_DATA = """
suite = "views"
[data]
train_length = 4_000
noise = 0.01
[[systems]]
kind = "lorenz63"
data = { observed = [0], noise = 0.05 }
[[systems]]
kind = "rossler"
[[systems]]
kind = "lorenz63"
[systems.evaluation]
exponents = 2
[[models]]
kind = "rnn"
[[trainers]]
kind = "bptt"
"""


def load(tmp_path: Path, text: str, **selection):
    path = tmp_path / "suite.toml"
    path.write_text(text)
    return suite.load(str(path), KINDS, Selection(**selection))


def test_a_systems_own_data_and_evaluation_add_to_the_shared_ones(tmp_path: Path):
    rossler, partial, whole = load(tmp_path, SYSTEMS_WITH_DATA)
    assert [each.system.kind for each in (rossler, partial, whole)] == ["rossler", "lorenz63", "lorenz63"]
    assert [each.data.train_length for each in (rossler, partial, whole)] == [4_000] * 3
    assert [each.data.noise for each in (rossler, partial, whole)] == [0.01, 0.05, 0.01]
    assert [each.data.observed for each in (rossler, partial, whole)] == [None, (0,), None]
    assert [each.evaluation.exponents for each in (rossler, partial, whole)] == [None, None, 2]
    changed = load(tmp_path, SYSTEMS_WITH_DATA, changes={"data.noise": 0.1})
    assert [each.data.noise for each in changed] == [0.1] * 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("noise = 0.05", "noice = 0.05", r"systems\.0\.data\.noice"),
        ("exponents = 2", "exponents = 0", r"systems\.2\.evaluation\.exponents"),
        ('"rossler"', '"rosler"', r"systems\.1\.kind"),
        ("{ observed = [0], noise = 0.05 }", "3", r"systems\.0\.data must be a table"),
    ],
)
def test_an_error_in_a_systems_own_table_names_its_place(tmp_path: Path, old: str, new: str, message: str):
    assert old in SYSTEMS_WITH_DATA
    with pytest.raises(ChaosbenchError, match=message):
        load(tmp_path, SYSTEMS_WITH_DATA.replace(old, new))


def test_the_schema_admits_the_own_tables_of_a_system():
    schema = suite.schema(KINDS)
    assert schema["$defs"]["Lorenz63"]["properties"]["data"] == {"$ref": "#/$defs/DataSpec"}
    assert schema["$defs"]["Lorenz63"]["properties"]["evaluation"] == {"$ref": "#/$defs/EvaluationSpec"}
