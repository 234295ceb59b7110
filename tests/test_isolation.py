"""Whatever raises after the training costs its own numbers alone: weights and other scores stay, the row names it."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from small_experiment import small

from chaosbench import assessment
from chaosbench.errors import SpecError
from chaosbench.experiment import Result
from chaosbench.leaderboard import store
from chaosbench.metrics import MetricSpec, StateSpaceDivergence
from chaosbench.models import ModelSpec, ShallowPLRNN
from chaosbench.run import run_experiment
from chaosbench.scoring import score
from chaosbench.theory.run_diagnosis import PREFIX

WRONG = {
    "raises": lambda seeds: 1 / 0,
    "exits": lambda seeds: exit("no licence"),
    "returns another shape": lambda seeds: torch.ones(seeds, 1),
    "returns one number": lambda seeds: torch.tensor(1.0),
    "returns complex numbers": lambda seeds: torch.ones(seeds, dtype=torch.complex64),
    "returns None": lambda seeds: None,
}


class Wrong(MetricSpec):
    """A metric that goes wrong in a chosen way."""

    kind: Literal["wrong"] = "wrong"
    unit: ClassVar[str] = "1"
    better: ClassVar = "lower"
    way: str

    def score(self, evaluation):
        return WRONG[self.way](len(evaluation.free_run))


class Editing(MetricSpec):
    """A metric that sorts the free runs and centres the truth where they are; it is scored by the numbers it leaves."""

    kind: Literal["editing"] = "editing"
    unit: ClassVar[str] = "1"
    better: ClassVar = "lower"

    def score(self, evaluation):
        evaluation.free_run.copy_(evaluation.free_run.sort(dim=2).values)
        evaluation.truth.sub_(1.0)
        return evaluation.free_run[:, 0, 0, 0].double()


class Unable(ModelSpec):
    """A shallow PLRNN that raises in free runs of a chosen length."""

    kind: Literal["unable"] = "unable"
    steps: int

    def build(self, dimension, seeds):
        model = ShallowPLRNN(hidden=6).build(dimension, seeds)
        predict = model.predict

        def fail(state, steps):
            if steps == self.steps:
                raise RuntimeError("no forecasts today")
            return predict(state, steps)

        model.predict = fail
        return model


def scores(result: Result) -> dict[tuple[str, int], float | None]:
    """Return every number of the finished models but costs and the diagnosis."""
    return {
        (record.name, record.seed): record.value
        for record in result.records
        if record.update is None and not record.name.startswith(PREFIX)
    }


@pytest.fixture(scope="module")
def sound() -> Result:
    return run_experiment(small())


def assert_weights_are_those_of(result: Result, sound: Result) -> None:
    assert result.weights.keys() == sound.weights.keys()
    for name, values in sound.weights.items():
        np.testing.assert_array_equal(result.weights[name], values)


@pytest.mark.parametrize("way", WRONG)
def test_a_metric_that_goes_wrong_costs_its_own_score_alone(way: str, sound: Result):
    experiment = small()
    result = run_experiment(experiment.replaced(metrics=(Wrong(way=way), *experiment.metrics)))
    own = {key: value for key, value in scores(result).items() if key[0].startswith("wrong")}
    assert set(own.values()) == {None}
    assert {seed for _, seed in own} == set(experiment.seeds)
    assert scores(result).items() - own.items() == scores(sound).items()
    assert [run.status for run in result.runs] == [run.status for run in sound.runs]
    assert all("wrong" in run.message for run in result.runs)
    assert_weights_are_those_of(result, sound)


def test_a_metric_that_edits_its_arrays_is_named_and_changes_no_other_score(sound: Result):
    """It is computed first, so that the others would read what it leaves."""
    experiment = small()
    result = run_experiment(experiment.replaced(metrics=(Editing(), *experiment.metrics)))
    own = {key: value for key, value in scores(result).items() if key[0].startswith("editing")}
    assert own
    assert scores(result).items() - own.items() == scores(sound).items()
    assert all(word in run.message for run in result.runs for word in ("editing", "free_run", "truth", "in place"))
    assert all(values.tobytes() == sound.arrays[name].tobytes() for name, values in result.arrays.items())
    assert_weights_are_those_of(result, sound)


def test_a_metric_that_edits_its_arrays_is_an_error_where_nobody_reads_remarks(sound: Result):
    truth = torch.randn(2, 300, 2, dtype=torch.float64)
    with pytest.raises(SpecError, match=r"editing.*free_run.*in place"):
        score(truth + 0.1, truth, metrics=[Editing()])


def test_a_diagnosis_that_raises_costs_neither_scores_nor_weights(sound: Result, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise ArithmeticError("theory has failed")

    monkeypatch.setattr(assessment, "examine", fail)
    result = run_experiment(small())
    assert scores(result) == scores(sound)
    assert all(run.message.count("theory has failed") == 2 for run in result.runs)  # before training and after
    assert [run.status for run in result.runs] == [run.status for run in sound.runs]
    assert_weights_are_those_of(result, sound)


def test_a_model_whose_forecasts_raise_keeps_weights_and_the_scores_of_its_free_runs(sound: Result):
    result = run_experiment(small(Unable(steps=small().evaluation.horizon)))
    free = StateSpaceDivergence().label
    assert {key: value for key, value in scores(result).items() if key[0] == free} == {
        key: value for key, value in scores(sound).items() if key[0] == free
    }
    assert all("unable" in run.message and "no forecasts today" in run.message for run in result.runs)
    assert all(value is None for (name, _), value in scores(result).items() if name == "prediction_error(steps=5)")
    assert_weights_are_those_of(result, sound)


def test_a_model_whose_free_runs_raise_has_failed_and_keeps_its_weights(sound: Result, tmp_path: Path):
    spec = small().evaluation
    unable = Unable(steps=spec.free_run_transient + spec.free_run_steps)
    result = run_experiment(small(unable), results=tmp_path)
    assert {run.status for run in result.runs} == {"failed"}
    assert all("unable" in run.message and "no forecasts today" in run.message for run in result.runs)
    assert [record for record in result.records if record.name.startswith(PREFIX)]
    (stored,) = store.read_all(tmp_path)
    assert {run["status"] for run in stored.runs} == {"failed"}
    assert stored.retryable
    assert_weights_are_those_of(result, sound)
