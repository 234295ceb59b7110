"""The straight line from end to end: outcomes, records, arrays and progress."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch

from chaosbench.data import DataSpec
from chaosbench.diagnostics import COSTS, GradientNorm, Loss
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.experiment import EvaluationSpec, Experiment, Result
from chaosbench.leaderboard.statistics import median
from chaosbench.metrics import (
    Evaluation,
    PredictionError,
    StateSpaceDivergence,
)
from chaosbench.models import AlmostLinearRNN, Forecaster, ModelSpec, ShallowPLRNN, Trait
from chaosbench.recorded_scores import outcomes, score_records
from chaosbench.run import Progress, run_experiment
from chaosbench.systems import Henon, TwoCycle
from chaosbench.theory.run_diagnosis import PREFIX
from chaosbench.trainers import SparseTeacherForcing, TrainerSpec, TrainingStep


class Untrained(TrainerSpec):
    """A trainer for models without anything to learn."""

    kind: Literal["untrained"] = "untrained"

    def fit(self, model, data, seeds):
        yield TrainingStep(1, 1, torch.zeros(len(seeds)), model, data)


def numbers(result: Result, seed: int) -> dict[str, float | None]:
    """Return the scores of one seed, by the metric's kind."""
    return {r.name.partition("(")[0]: r.value for r in result.records if r.seed == seed and r.update is None}


class Exploding(ShallowPLRNN):
    """A shallow PLRNN whose second seed, or only seed, has another diagonal."""

    kind: Literal["exploding"] = "exploding"
    diagonal: float | None = None  # None: NaN

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        model = super().build(dimension, seeds)
        with torch.no_grad():
            model.diagonal[min(1, len(seeds) - 1)] = torch.nan if self.diagonal is None else self.diagonal
        return model


def small(model: ModelSpec, **changes: Any) -> Experiment:
    """Return an experiment of three seeds and ten updates on the Hénon map."""
    content = {
        "suite": "small",
        "system": Henon(),
        "data": DataSpec(train_orbits=2, train_length=100, validation_orbits=0, test_orbits=4, test_length=500),
        "model": model,
        "trainer": SparseTeacherForcing(interval=2, updates=10, batch=4, sequence_length=20),
        "metrics": (StateSpaceDivergence(), PredictionError()),
        "diagnostics": (Loss(every=4), GradientNorm(every=3)),
        "evaluation": EvaluationSpec(
            free_runs=2,
            free_run_steps=400,
            free_run_transient=200,
            conditions=5,
            horizon=20,
            exponent_conditions=2,
            exponent_steps=20,
            exponent_transient=5,
        ),
        "seeds": (0, 1, 2),
    }
    return Experiment.model_validate({**content, **changes})


@pytest.mark.parametrize("diagonal", [None, 3.0])
def test_a_seed_that_blows_up_diverges_and_leaves_its_neighbours_unchanged(diagonal: float | None):
    """NaN from the first update on, or a finite training and a free run that grows as 3^t."""
    spoiled = run_experiment(small(Exploding(hidden=5, clipped=True, diagonal=diagonal)))
    healthy = run_experiment(small(ShallowPLRNN(hidden=5, clipped=True)))
    assert [run.status for run in spoiled.runs] == ["ok", "diverged", "ok"]
    assert "2 of 2 free runs" in spoiled.runs[1].message
    assert [run.status for run in healthy.runs] == ["ok"] * 3
    for name, weights in healthy.weights.items():
        np.testing.assert_array_equal(spoiled.weights[name][[0, 2]], weights[[0, 2]])
    for one, other in zip(spoiled.records, healthy.records, strict=True):
        assert (one.seed, one.name, one.update) == (other.seed, other.name, other.update)
        if one.name.removeprefix("diagnosis.") in COSTS:
            continue
        if one.seed != 1:
            assert one.value == other.value
        elif one.name.endswith(("_share", ".bins", ".at_rest")):  # the last two describe the system
            continue
        elif one.name.startswith("state_space") or (diagonal is None and not one.name.startswith("diagnosis")):
            assert one.value is None
    assert {r.value for r in spoiled.records if r.name.endswith("escaped_share") and r.seed == 1} == {1.0}


def test_valid_times_are_stored_for_chaotic_systems_alone():
    experiment = small(ShallowPLRNN(hidden=5), system=TwoCycle(), seeds=(0,))
    assert not {"valid_times", "twin_valid_times"} & run_experiment(experiment).arrays.keys()


def test_training_stops_when_every_seed_has_diverged():
    result = run_experiment(small(Exploding(hidden=5), seeds=(7,)))
    assert [(run.status, run.updates) for run in result.runs] == [("diverged", 1)]


def test_every_score_is_stored_with_a_floor():
    records = run_experiment(small(ShallowPLRNN(hidden=5))).records
    for record in records:
        assert not record.better or (record.floor is not None and record.update is None)
    scores = [record for record in records if record.better]
    assert {(record.name, record.seed) for record in scores} == {
        (metric.label, seed) for metric in (StateSpaceDivergence(), PredictionError()) for seed in (0, 1, 2)
    }
    assert len({(record.name, record.floor) for record in scores}) == 2


def test_scores_on_single_orbits_and_the_seeds_of_the_batch_are_stored():
    """The score of a seed is the median over its free runs, each from an orbit of its own."""
    result = run_experiment(small(ShallowPLRNN(hidden=5)))
    assert [run.seeds_together for run in result.runs] == [3, 3, 3]
    for seed in (0, 1, 2):
        own = {record.name: record.value for record in result.records if record.seed == seed}
        orbits = [value for name, value in own.items() if name.startswith("orbit.") and "state_space" in name]
        assert len(orbits) == result.experiment.evaluation.free_runs
        expected = median(orbits, better="lower")
        assert own["state_space_divergence"] == (expected if expected is None else pytest.approx(expected, rel=1e-12))
        assert "orbit.0.prediction_error" in own


class Sine(torch.nn.Module):
    """A plain module of one seed that reports the largest of its states, and their mean."""

    state_size = 2

    def step(self, state):
        return torch.sin(3 * state)

    def observe(self, state):
        return state

    def force(self, state, observation):
        return observation

    def describe_dynamics(self, states):
        return {"largest": Trait(states.max()), "mean": Trait(states.mean(dim=(0, 1)), "units")}


class Strange(ModelSpec):
    kind: Literal["strange"] = "strange"

    def module(self, dimension):
        return Sine()


def test_traits_that_a_plugged_in_model_reports_are_recorded():
    """Numbers become records without floor or direction; arrays are stored for pictures."""
    result = run_experiment(small(Strange(), trainer=Untrained(), diagnostics=()))
    traits = [record for record in result.records if record.name == "portrait.largest"]
    assert [(trait.seed, trait.unit, trait.better, trait.floor, trait.update) for trait in traits] == [
        (seed, "1", "", None, None) for seed in (0, 1, 2)
    ]
    assert not any(record.name == "portrait.mean" for record in result.records)
    free = result.arrays["free_run"]  # of the first of two free runs
    assert traits[0].value is not None
    assert free[0].max() <= traits[0].value <= 1  # a sine's
    assert result.arrays["portrait.mean"].shape == (3, 2)


def test_the_regions_of_an_almost_linear_network_are_recorded():
    result = run_experiment(small(AlmostLinearRNN(hidden=4, rectified=1)))
    names = {record.name: record.unit for record in result.records if record.name.startswith("portrait.")}
    assert names == {
        "portrait.visited_regions": "1",
        "portrait.symbol_entropy": "nats",
        "portrait.transition_entropy": "nats / step",
    }
    assert result.arrays["portrait.region_shares"].sum(axis=1) == pytest.approx(np.ones(3))


def test_diagnostics_are_recorded_at_every_due_update():
    """The first, the last, and the multiples of `every` among ten updates."""
    records = run_experiment(small(ShallowPLRNN(hidden=5))).records
    for diagnostic, due in ((Loss(every=4), [1, 4, 8, 10]), (GradientNorm(every=3), [1, 3, 6, 9, 10])):
        for seed in (0, 1, 2):
            recorded = [r for r in records if r.name == diagnostic.label and r.seed == seed]
            assert [record.update for record in recorded] == due
            assert all(record.value is not None and record.unit == diagnostic.unit for record in recorded)


def test_progress_is_reported_for_every_phase():
    seen: list[Progress] = []
    result = run_experiment(small(ShallowPLRNN(hidden=5)), watch=seen.append, plugins={"mine": "1"})
    trained = [progress for progress in seen if progress.phase == "training"]
    counts = [(progress.update, progress.updates) for progress in trained]
    assert [*counts[:2], counts[-1]] == [(0, 0), (1, 10), (10, 10)]
    losses = sorted(r.value for r in result.records if r.name.startswith("loss") and r.update == 10)
    assert trained[-1].loss == pytest.approx(losses[1])
    phases = list(dict.fromkeys(progress.phase for progress in seen))
    assert phases == ["data", "diagnosis", "training", "forecasts", "scores"]
    assert all(run.updates == 10 and run.provenance["mine"] == "1" for run in result.runs)


def test_a_lost_forecast_leaves_a_reason_and_no_status():
    """The mean error over conditions is undefined, and all free runs are bounded."""
    experiment = small(ShallowPLRNN(hidden=5, clipped=True))
    generator = torch.Generator().manual_seed(0)
    orbits = [torch.randn(*shape, generator=generator) for shape in ((3, 2, 50, 2), (2, 50, 2), (2, 50, 2))]
    forecast, future = torch.zeros(3, 5, 20, 2), torch.ones(5, 20, 2)
    forecast[1, 4, 3:] = torch.nan
    evaluation = Evaluation(*orbits, forecast, future, None, torch.ones(2), 1.0, torch.zeros(3, 2), torch.zeros(2), 0.4)
    scores = score_records(experiment, evaluation)
    found = list(outcomes(experiment, evaluation, scores))
    assert [status for _, status, _ in found] == ["ok"] * 3
    assert [bool(message) for _, _, message in found] == [False, True, False]
    assert "1 of 5 forecasts" in found[1][2]
    lost = [record.value for record in scores if record.name == "prediction_error.lost_share"]
    assert lost == [0.0, pytest.approx(0.2), 0.0]


class Fragile(DiagnosticSpec):
    """A diagnostic that raises at its second measurement."""

    kind: Literal["fragile"] = "fragile"
    unit: ClassVar[str] = "1"

    def measure(self, step: TrainingStep) -> torch.Tensor:
        if step.update > 1:
            raise ZeroDivisionError("of course")
        return torch.ones_like(step.loss)


def test_a_diagnostic_that_raises_is_left_out_and_named_and_the_run_keeps_its_scores():
    result = run_experiment(small(ShallowPLRNN(hidden=5), diagnostics=(Fragile(every=1), Loss(every=1))))
    without = run_experiment(small(ShallowPLRNN(hidden=5), diagnostics=(Loss(every=1),)))
    assert [run.status for run in result.runs] == [run.status for run in without.runs]
    assert all("fragile" in run.message and "of course" in run.message for run in result.runs)
    assert {record.update for record in result.records if record.name.startswith("fragile")} == {1}
    assert (
        numbers(result, 0).items()
        >= {name: value for name, value in numbers(without, 0).items() if not name.startswith(PREFIX)}.items()
    )
