"""The typed record of a diagnosis and the rows that store it."""

import math
import re
from dataclasses import fields
from pathlib import Path

import pytest

from chaosbench.theory.run_diagnosis import PREFIX, Exponent, RunDiagnosis

DIAGNOSIS = RunDiagnosis(
    gradient_growth=0.5,
    lyapunov_exponents=(Exponent(0.4, 0.1), Exponent(-math.inf, math.nan)),
    period=3,
    bounded_share=1.0,
    path_length=200,
    chain_forced=True,
    chain_cut=False,
    chain_growth=-math.inf,
    forced_exponents=(Exponent(0.2),),
    loss_spikes=2,
)


def rows(diagnosis, *, seed=0, update=None):
    return [
        {"name": f"{PREFIX}{number.name}", "seed": seed, "update": update, "value": number.value, "floor": None}
        for number in diagnosis.records()
    ]


def test_numbers_are_stored_as_floats_under_the_names_of_the_fields():
    stored = [(number.name, number.value) for number in DIAGNOSIS.records()]
    assert stored == [
        ("gradient_growth", 0.5),
        ("lyapunov_exponent_1", 0.4),
        ("lyapunov_exponent_1_interval", 0.1),
        ("lyapunov_exponent_2", None),
        ("lyapunov_exponent_2_interval", None),
        ("period", 3.0),
        ("bounded_share", 1.0),
        ("path_length", 200.0),
        ("chain_forced", 1.0),
        ("chain_cut", 0.0),
        ("chain_growth", None),
        ("forced_exponent_1", 0.2),
        ("loss_spikes", 2.0),
    ]
    assert all(type(value) in (float, type(None)) for _, value in stored)


def test_a_stored_diagnosis_is_read_with_its_types():
    restored = RunDiagnosis.from_records(rows(DIAGNOSIS), seed=0)
    for column in fields(RunDiagnosis):
        value, expected = getattr(restored, column.name), getattr(DIAGNOSIS, column.name)
        if column.name == "chain_growth":
            assert math.isnan(value), "null, as it is not finite"
        elif column.name == "lyapunov_exponents":
            assert value[0] == expected[0]
            assert math.isnan(value[1].value)
        else:
            assert value == expected, column.name
            assert type(value) is type(expected), column.name
    again = [number for number in restored.records() if number.value is not None]
    assert again == [number for number in DIAGNOSIS.records() if number.value is not None]


def test_other_seeds_updates_and_names_are_ignored():
    others = [
        *rows(DIAGNOSIS, seed=1),
        *rows(DIAGNOSIS, update=0),
        {"name": "loss", "seed": 0, "update": None, "value": 1.0, "floor": None},
        {"name": f"{PREFIX}from_another_version", "seed": 0, "update": None, "value": 1.0, "floor": None},
    ]
    assert RunDiagnosis.from_records(others, seed=0).empty
    assert RunDiagnosis.from_records(rows(DIAGNOSIS), seed=0, column="floor").empty, "floors are null"


def test_a_diagnosis_with_few_fields_has_a_verdict():
    """An older version may have stored only four rows; without errors, the agreement with theory is undecided."""
    few = RunDiagnosis(lyapunov_exponents=(Exponent(0.4),), bounded_share=1.0, period=0, gradient_growth=0.4)
    verdict = RunDiagnosis.from_records(rows(few), seed=0).verdict(data_exponent=0.8)
    assert (verdict.regime, verdict.consistent) == ("chaotic", None)
    assert (verdict.growth_ratio, verdict.exponent_ratio) == (1.0, 0.5)


def test_a_number_stored_under_its_former_name_is_read():
    """Until version 0.1 the growth at the network's own exponent was stored as a bound, which it is not."""
    former = [{**row, "name": f"{PREFIX}chain_growth_bound"} for row in rows(RunDiagnosis(chain_growth_expected=1.7))]
    assert RunDiagnosis.from_records(former, seed=0).chain_growth_expected == 1.7


@pytest.mark.parametrize("column", fields(RunDiagnosis), ids=lambda column: column.name)
def test_every_field_has_a_unit_and_a_meaning(column):
    assert column.metadata["unit"]
    assert re.search(r"\w{2}", column.metadata["meaning"])


def test_the_documentation_has_the_units_and_meanings_of_the_fields():
    page = (Path(__file__).parents[2] / "docs/diagnosis.md").read_text(encoding="utf-8")
    for column in fields(RunDiagnosis):
        name = f"{column.metadata['name']}_N" if "name" in column.metadata else column.name
        assert f"| `{name}` | {column.metadata['unit']} | {column.metadata['meaning']} |" in page
