"""Runs that were perhaps edited are named where nearly all others came out equal on the same kind of machine."""

from dataclasses import replace

import pytest
from made_submissions import claimed

from chaosbench.boards.suspicion import ENVIRONMENT, FEW, suspects
from chaosbench.boards.verify import compare
from chaosbench.boards.verifying import told

HERE = dict.fromkeys(ENVIRONMENT, "1")


def ran(provenance=HERE):
    """Return fifteen runs of three experiments that ran in an environment."""
    return [replace(one, runs=tuple({**run, "provenance": provenance} for run in one.runs)) for one in claimed()]


def edited(experiments, count: int):
    """Return experiments in which the divergence of the first runs was halved."""
    left = count
    changed = []
    for one in experiments:
        seeds = [run["seed"] for run in one.runs][:left]
        left -= len(seeds)
        records = tuple(
            {**row, "value": row["value"] / 2}
            if row["name"] == "state_space_divergence" and row["seed"] in seeds
            else row
            for row in one.records
        )
        changed.append(replace(one, records=records))
    return changed


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_edited_runs_are_named_though_the_claim_is_not_refuted(count: int):
    found = compare("x", edited(ran(), count), ran(), own_seeds=True)
    assert found.holds, "so few are no proof by the sign test"
    assert len(found.suspected) == count
    assert all("state space divergence" in text and "seed" in text for text in found.suspected)
    assert "perhaps edited" in told(found)
    assert found.content("0.1.0")["suspected"] == list(found.suspected)


def test_equal_runs_raise_no_suspicion():
    found = compare("x", ran(), ran(), own_seeds=True)
    assert found.suspected == ()
    assert "edited" not in told(found)


def test_many_differing_runs_have_another_reason():
    most = int(FEW * 15)
    assert len(suspects(edited(ran(), most), ran())) == most
    assert suspects(edited(ran(), most + 1), ran()) == ()


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_another_kind_of_machine_raises_no_suspicion(name: str):
    assert suspects(edited(ran(), 1), ran({**HERE, name: "2"})) == ()
    unknown = {key: value for key, value in HERE.items() if key != name}
    assert suspects(edited(ran(unknown), 1), ran(unknown)) == ()


def test_other_seeds_raise_no_suspicion():
    assert compare("x", edited(ran(), 1), ran(), own_seeds=False).suspected == ()
