"""Experiments that are written as JSON, tables or objects, run in a notebook's process with classes of its own."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import torch
from pydantic import ValidationError
from small_experiment import small
from torch import nn

import chaosbench
from chaosbench.data import simulate
from chaosbench.errors import ChaosbenchError
from chaosbench.files import cache_key
from chaosbench.leaderboard import store

CELL = """
import torch
from typing import ClassVar, Literal
import chaosbench

def shrink(x):
    return {factor} * x

class Shrinking(chaosbench.Map):
    kind: Literal["shrinking"] = "shrinking"
    dimension: ClassVar[int] = 1

    def step(self, state):
        return shrink(state)
"""


class Rotation(chaosbench.Map):
    """A rotation by one radian, whose orbits stay on circles."""

    kind: Literal["rotation_of_a_test"] = "rotation_of_a_test"

    @property
    def dimension(self) -> int:
        return 2

    def step(self, state):
        x, y = state
        c, s = torch.cos(torch.ones(()).to(state)), torch.sin(torch.ones(()).to(state))
        return torch.stack([c * x - s * y, s * x + c * y])


class Linear(nn.Module):
    """A linear map, whose state is the observation."""

    resets = True

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.state_size, self.matrix = dimension, nn.Linear(dimension, dimension, bias=False)

    def step(self, state):
        return self.matrix(state)

    def observe(self, state):
        return state

    def force(self, state, observation):
        return observation


class LinearModel(chaosbench.ModelSpec):
    """Builds the linear map of one seed."""

    kind: Literal["linear_of_a_test"] = "linear_of_a_test"

    def module(self, dimension):
        return Linear(dimension)


class AbsoluteError(chaosbench.GradientTrainer):
    """The absolute error of the steps after the history."""

    kind: Literal["absolute_of_a_test"] = "absolute_of_a_test"

    def loss(self, model, windows, training):
        history, future = self.split(windows)
        predicted, _ = model.predict(model.initial_state(history), future.shape[2])
        return (predicted - future).abs().mean((1, 2, 3))


def mine(**changes: Any) -> chaosbench.Experiment:
    base = small()
    content = {
        "suite": "mine",
        "system": Rotation(),
        "data": base.data,
        "model": LinearModel(),
        "trainer": AbsoluteError(updates=200, batch=16, sequence_length=2, learning_rate=0.05),
        "metrics": ["prediction_error", {"kind": "valid_prediction_time"}],
        "evaluation": base.evaluation,
        "seeds": [0, 1],
    }
    return chaosbench.Experiment(**{**content, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored") / "results"


@pytest.fixture(scope="module")
def result(folder: Path) -> chaosbench.Result:
    return chaosbench.run_experiment(mine(), results=folder)


def test_a_stored_specification_is_read_back_without_the_registry():
    experiment = small()
    again = chaosbench.Experiment.model_validate(json.loads(experiment.model_dump_json()))
    assert again == experiment
    assert (again.digest(), type(again.model)) == (experiment.digest(), type(experiment.model))


def test_a_kind_without_fields_may_be_a_word():
    assert mine(system="henon").system == chaosbench.Experiment(**{**dict(mine()), "system": {"kind": "henon"}}).system


@pytest.mark.parametrize(("changes", "words"), [({"system": "henn"}, "henon"), ({"model": {"kind": "gruu"}}, "gru")])
def test_an_unknown_kind_is_named_with_its_neighbour(changes: dict[str, Any], words: str):
    with pytest.raises((ChaosbenchError, ValidationError), match=words):
        mine(**changes)


def test_a_module_a_system_and_a_loss_of_a_notebook_are_trained(result: chaosbench.Result):
    """The map that the network can represent exactly is a rotation by one radian; data are scaled isotropically.

    The weight on the diagonal is cos 1 for any scaling of the coordinates.
    """
    assert [run.status for run in result.runs] == ["ok", "ok"]
    (weights,) = result.weights.values()
    assert weights.shape == (2, 2, 2)
    cosine = float(torch.cos(torch.ones(())))
    assert weights[:, [0, 1], [0, 1]].ravel().tolist() == pytest.approx([cosine] * 4, abs=0.05)


def test_rows_hold_one_row_per_seed_with_every_score(result: chaosbench.Result):
    rows = result.rows()
    assert [row["seed"] for row in rows] == [0, 1]
    for row in rows:
        for metric in result.experiment.metrics:
            (value,) = {
                record.value
                for record in result.records
                if (record.seed, record.name, record.update) == (row["seed"], metric.label, None)
            }
            assert row[metric.label] == value


def test_results_in_memory_are_ranked_and_drawn(result: chaosbench.Result, capsys: pytest.CaptureFixture[str]):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    other = chaosbench.run_experiment(mine(model="persistence", trainer="memorise"))
    chaosbench.show_ranking([result, other])
    printed = capsys.readouterr().out
    assert printed.index("linear_of_a_test") < printed.index("persistence")
    figure = chaosbench.picture(result)
    assert figure.axes
    pyplot.close("all")
    with pytest.raises(ChaosbenchError, match="no_such_picture"):
        chaosbench.picture(result, "no_such_picture")


def test_a_folder_of_results_gets_what_memory_holds(result: chaosbench.Result, folder: Path):
    (stored,) = store.read_all(folder)
    assert [row["seed"] for row in stored.runs] == [run.seed for run in result.runs]
    assert {(row["seed"], row["name"], row["update"]): row["value"] for row in stored.records} == {
        (record.seed, record.name, record.update): record.value for record in result.records
    }


def _typed(factor: float, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = ModuleType("cell_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(CELL.format(factor=factor), module.__dict__)
    return module.__dict__["Shrinking"]()


def test_an_edited_class_of_a_notebook_gets_another_cache_key_and_other_data(monkeypatch: pytest.MonkeyPatch):
    """The function beside the class was edited; its name, fields and class did not change."""
    half, again, third = (_typed(factor, monkeypatch) for factor in (0.5, 0.5, 0.25))
    assert half.digest() == third.digest()
    assert cache_key(half) == cache_key(again) != cache_key(third)
    data = chaosbench.DataSpec(
        train_orbits=1, train_length=5, validation_orbits=0, test_orbits=2, test_length=5, standardise="none",
        dtype="float64",
    )  # fmt: skip
    for system, factor in ((half, 0.5), (third, 0.25)):
        orbit = simulate(system, data).train[0, :, 0]
        assert (orbit[1:] / orbit[:-1]).tolist() == pytest.approx([factor] * (len(orbit) - 1), rel=1e-12)
