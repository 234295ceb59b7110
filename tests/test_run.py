"""The straight line, from end to end: with the true system as the model, every score must be that of the truth."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
import torch
from pydantic import SerializeAsAny
from torch.testing import assert_close

from chaosbench.data import DataSpec, simulate
from chaosbench.diagnostics import COSTS, GradientNorm, Loss
from chaosbench.evaluation import evaluate, free_run
from chaosbench.experiment import EvaluationSpec, Experiment, Result
from chaosbench.exponents import largest_exponent
from chaosbench.metrics import (
    KaplanYorkeError,
    LargestExponentError,
    LyapunovSpectrumError,
    PredictionError,
    StateSpaceDivergence,
    ValidPredictionTime,
)
from chaosbench.models import AlmostLinearRNN, Forecaster, ModelSpec, ShallowPLRNN, Trait
from chaosbench.run import Progress, diagnose_model, run_experiment
from chaosbench.systems import Henon, Lorenz63, SystemSpec, TwoCycle
from chaosbench.trainers import SparseTeacherForcing, TrainerSpec, TrainingStep

HORIZON, TRANSIENT = 400, 150  # [steps]


class TrueSystem(ModelSpec):
    """The system itself, in the units of training; `late` shows every state one step after its time."""

    kind: Literal["true_system"] = "true_system"
    system: SerializeAsAny[SystemSpec]
    data: DataSpec
    late: bool = False

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        return TrueForecaster(self, len(seeds))


class TrueForecaster(Forecaster):
    resets = True

    def __init__(self, spec: TrueSystem, seeds: int) -> None:
        super().__init__()
        data = simulate(spec.system, spec.data)
        self.spec, self.seeds, self.dimension, self.state_size = spec, seeds, data.dimension, data.dimension
        self.mean, self.deviation = data.mean, data.deviation

    def step(self, state):
        truth = state.double() * self.deviation + self.mean
        for _ in range(self.spec.data.stride):
            truth = self.spec.system.step(truth)
        return ((truth - self.mean) / self.deviation).to(state.dtype)

    def tangent_step(self, state, tangents):
        """The system's own, for forward mode through a Runge-Kutta step takes tens of times as long."""
        truth, carried = state.double() * self.deviation + self.mean, tangents.double() * self.deviation[:, None]
        for _ in range(self.spec.data.stride):
            truth, carried = self.spec.system.tangent_step(truth, carried)
        return ((truth - self.mean) / self.deviation).to(state), (carried / self.deviation[:, None]).to(state)

    def observe(self, state):
        return state

    def predict(self, state, steps):
        states = self.unroll(state, steps)
        late = torch.cat([state.unsqueeze(-2), states[..., :-1, :]], dim=-2)
        return late if self.spec.late else states, states[..., -1, :]

    def force(self, state, observation):
        return observation


class Untrained(TrainerSpec):
    """For models that have nothing to learn."""

    kind: Literal["untrained"] = "untrained"

    def fit(self, model, data, seeds):
        yield TrainingStep(1, 1, torch.zeros(len(seeds)), model, data)


def true_experiment(*, late: bool = False, **asked: Any) -> Experiment:
    """Lorenz-63 forecast by itself; 400 steps of 0.02 are 7.2 Lyapunov times, over which errors grow e^7-fold."""
    lengths = {"train_orbits": 4, "train_length": 500, "validation_orbits": 0, "test_orbits": 8, "test_length": 1_500}
    system, data = Lorenz63(dt=0.02), DataSpec(**lengths, **asked)
    return Experiment(
        suite="exact",
        system=system,
        data=data,
        model=TrueSystem(system=system, data=data, late=late),
        trainer=Untrained(),
        metrics=(ValidPredictionTime(), PredictionError(), StateSpaceDivergence(bins=10), LargestExponentError()),
        evaluation=EvaluationSpec(
            free_runs=4,
            free_run_steps=1_200,
            free_run_transient=TRANSIENT,
            conditions=20,
            horizon=HORIZON,
            exponent_steps=300,
            exponent_transient=100,
        ),
        seeds=(0, 1),
    )


def numbers(result: Result, seed: int) -> dict[str, float | None]:
    """The scores of one seed, by the metric's kind."""
    return {r.name.partition("(")[0]: r.value for r in result.records if r.seed == seed and r.update is None}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_true_system_as_the_model_is_scored_as_the_truth(dtype: str):
    """Rounding to float32 at each step, 6e-8, grows to 1e-3 at most within the horizon, far below the threshold 0.4."""
    asked = true_experiment(dtype=dtype)
    result = run_experiment(asked)
    assert all(run.status == "ok" and run.parameters == 0 for run in result.runs)
    assert numbers(result, 0) == numbers(result, 1)
    scores = numbers(result, 0)
    exponent = largest_exponent(asked.system)
    assert scores["valid_prediction_time"] == pytest.approx(HORIZON * asked.system.dt * exponent, rel=1e-5)
    assert scores["prediction_error"] < (1e-11 if dtype == "float32" else 1e-24)
    (floor,) = {record.floor for record in result.records if record.name.startswith("state_space")}
    assert scores["state_space_divergence"] < 2 * floor
    assert scores["largest_exponent_error"] < 0.3  # 10 conditions of 6 units of time scatter by 0.1
    times, ceiling = result.arrays["valid_times"], result.arrays["twin_valid_times"]  # kept for the picture
    assert np.median(times, axis=1) == pytest.approx([scores["valid_prediction_time"]] * 2, rel=1e-6)
    assert ceiling.shape == times.shape[1:]
    assert (ceiling <= times[0] * (1 + 1e-6)).all(), "the truth itself outlasts a perturbed one"


def test_the_evaluation_knows_the_certified_spectrum_and_what_short_runs_can_resolve():
    """300 steps of 0.02 after 100: tangents that grow as t, without any chaos, would show ln(400 / 100) / 6.

    Both spectra are means over 10 orbits of 6 units of time, which scatter by 0.1 in each of the exponents 0.9, 0 and
    -14.57; the dimension changes by as much over 14.57 and by the middle exponent, where that is not taken for zero.
    """
    asked = true_experiment(dtype="float64")
    data = simulate(asked.system, asked.data)
    model = asked.model.build(3, asked.seeds)
    exponents = diagnose_model(model, data, asked.evaluation, None).spectrum / data.dt
    evaluation = evaluate(model, data, asked.evaluation, exponents)
    certified = asked.system.reference
    assert certified is not None
    assert evaluation.reference_exponents is not None
    assert evaluation.reference_exponents.tolist() == list(certified.exponents)
    assert evaluation.resolution == pytest.approx(np.log(4) / 6)
    for judged in (evaluation, evaluation.floor()):
        assert (LyapunovSpectrumError().score(judged) < 0.05).all()
        assert (KaplanYorkeError().score(judged) < 0.05).all()


@pytest.mark.parametrize("stride", [1, 2])
def test_free_runs_and_forecasts_are_aligned_with_the_truth(stride: int):
    """In float64 the true system retraces test orbits: 1e-16 grows by e^(0.9 * 16) = 2e6 over the longest horizon."""
    asked = true_experiment(dtype="float64", stride=stride)
    data = simulate(asked.system, asked.data)
    evaluation = evaluate(asked.model.build(3, asked.seeds), data, asked.evaluation, torch.zeros(2, 3))
    assert evaluation.forecast.shape == (2, *evaluation.future.shape)
    assert_close(evaluation.forecast[1], evaluation.future, rtol=0, atol=1e-6)
    first = 1 + TRANSIENT  # index 0 of an undropped run is one step past the start, which is the orbit's index 0
    assert_close(evaluation.free_run[1, :, :100], data.test[:4, first : first + 100], rtol=0, atol=1e-8)
    assert torch.equal(evaluation.truth, data.test[:4, :1_200])
    assert torch.equal(evaluation.twin, data.test[4:, :1_200])


def test_a_forecast_that_is_one_step_late_is_seen():
    """0.02 units of time move the state by about a tenth of a standard deviation."""
    asked = true_experiment(late=True, dtype="float64")
    evaluation = evaluate(
        asked.model.build(3, (0,)), simulate(asked.system, asked.data), asked.evaluation, torch.zeros(1, 3)
    )
    assert float(PredictionError().score(evaluation)) > 1e-3


def test_a_long_free_run_in_pieces_is_one_run():
    model = ShallowPLRNN(hidden=5).build(2, (0, 1)).double()
    start = 0.1 * torch.randn(2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pieces, whole = free_run(model, start, 2_300), model.observe(model.unroll(start, 2_300))
    assert torch.equal(pieces, whole)


class Exploding(ShallowPLRNN):
    """A shallow network of whose seeds the second has a diagonal of its own."""

    kind: Literal["exploding"] = "exploding"
    diagonal: float | None = None  # None: NaN

    def build(self, dimension: int, seeds: Sequence[int]) -> Forecaster:
        model = super().build(dimension, seeds)
        with torch.no_grad():
            model.diagonal[min(1, len(seeds) - 1)] = torch.nan if self.diagonal is None else self.diagonal
        return model


def small(model: ModelSpec, **changes: Any) -> Experiment:
    """Three seeds of ten updates on the Hénon map."""
    asked = {
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
    return Experiment.model_validate({**asked, **changes})


@pytest.mark.parametrize("diagonal", [None, 3.0])
def test_a_seed_that_blows_up_is_diverged_and_its_neighbours_are_as_without_it(diagonal: float | None):
    """NaN from the first update on, or a finite training and a free run that grows as 3^t."""
    spoiled = run_experiment(small(Exploding(hidden=5, clipped=True, diagonal=diagonal)))
    healthy = run_experiment(small(ShallowPLRNN(hidden=5, clipped=True)))
    assert [run.status for run in spoiled.runs] == ["ok", "diverged", "ok"]
    assert spoiled.runs[1].message == "the free run is not finite"
    assert [run.status for run in healthy.runs] == ["ok"] * 3
    for name, weights in healthy.weights.items():
        np.testing.assert_array_equal(spoiled.weights[name][[0, 2]], weights[[0, 2]])
    for one, other in zip(spoiled.records, healthy.records, strict=True):
        assert (one.seed, one.name, one.update) == (other.seed, other.name, other.update)
        if one.name.removeprefix("diagnosis.") in COSTS:
            continue
        if one.seed != 1:
            assert one.value == other.value
        elif one.name.startswith("state_space") or (diagonal is None and not one.name.startswith("diagnosis")):
            assert one.value is None


def test_without_chaos_there_are_no_valid_times_to_draw():
    asked = small(ShallowPLRNN(hidden=5), system=TwoCycle(), seeds=(0,))
    assert not {"valid_times", "twin_valid_times"} & run_experiment(asked).arrays.keys()


def test_training_stops_when_every_seed_has_diverged():
    result = run_experiment(small(Exploding(hidden=5), seeds=(7,)))
    assert [(run.status, run.updates) for run in result.runs] == [("diverged", 1)]


def test_every_score_stands_beside_a_floor():
    records = run_experiment(small(ShallowPLRNN(hidden=5))).records
    for record in records:
        assert not record.better or (record.floor is not None and record.update is None)
    scores = [record for record in records if record.better]
    assert {(record.name, record.seed) for record in scores} == {
        (metric.label, seed) for metric in (StateSpaceDivergence(), PredictionError()) for seed in (0, 1, 2)
    }
    assert len({(record.name, record.floor) for record in scores}) == 2


class Sine(torch.nn.Module):
    """A stranger's model of one seed that tells the largest of its states, and their mean."""

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


def test_what_a_strangers_model_tells_of_its_free_runs_is_recorded():
    """Its numbers are records without floor or direction; its arrays lie beside the pictures."""
    result = run_experiment(small(Strange(), trainer=Untrained(), diagnostics=()))
    told = [record for record in result.records if record.name == "portrait.largest"]
    assert [(one.seed, one.unit, one.better, one.floor, one.update) for one in told] == [
        (seed, "1", "", None, None) for seed in (0, 1, 2)
    ]
    assert not any(record.name == "portrait.mean" for record in result.records)
    free = result.arrays["free_run"]  # of the first of two free runs
    assert told[0].value is not None
    assert free[0].max() <= told[0].value <= 1  # a sine's
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


def test_diagnostics_are_recorded_at_every_update_that_is_due():
    """The first, the last, and the multiples of `every` among ten updates."""
    records = run_experiment(small(ShallowPLRNN(hidden=5))).records
    for diagnostic, due in ((Loss(every=4), [1, 4, 8, 10]), (GradientNorm(every=3), [1, 3, 6, 9, 10])):
        for seed in (0, 1, 2):
            found = [r for r in records if r.name == diagnostic.label and r.seed == seed]
            assert [record.update for record in found] == due
            assert all(record.value is not None and record.unit == diagnostic.unit for record in found)


def test_progress_is_watched_from_the_first_to_the_last_update():
    seen: list[Progress] = []
    result = run_experiment(small(ShallowPLRNN(hidden=5)), watch=seen.append, plugins={"mine": "1"})
    trained = [progress for progress in seen if progress.phase == "training"]
    assert [(progress.update, progress.updates) for progress in (trained[0], trained[-1])] == [(1, 10), (10, 10)]
    losses = sorted(r.value for r in result.records if r.name.startswith("loss") and r.update == 10)
    assert trained[-1].loss == pytest.approx(losses[1])
    phases = list(dict.fromkeys(progress.phase for progress in seen))
    assert phases == ["data", "diagnosis", "training", "forecasts", "scores"]
    assert all(run.updates == 10 and run.provenance["mine"] == "1" for run in result.runs)
