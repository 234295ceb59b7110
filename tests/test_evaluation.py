"""Evaluation of the true system as a model: every score must be that of the truth."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
import torch
from pydantic import SerializeAsAny
from torch.testing import assert_close

from chaosbench.assessment import diagnose_model
from chaosbench.data import DataSpec, simulate
from chaosbench.dynamics import orbit
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
from chaosbench.models import Forecaster, ModelSpec, ShallowPLRNN
from chaosbench.run import run_experiment
from chaosbench.systems import Henon, Logistic, Lorenz63, SystemSpec, Tent
from chaosbench.trainers import TrainerSpec, TrainingStep

HORIZON, TRANSIENT = 400, 150  # [steps]


class TrueSystem(ModelSpec):
    """The true system in the units of training; with `late`, each observation comes one step too late."""

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
        """Use the system's own tangents; forward mode through a Runge-Kutta step takes tens of times as long."""
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
    """A trainer for models without anything to learn."""

    kind: Literal["untrained"] = "untrained"

    def fit(self, model, data, seeds):
        yield TrainingStep(1, 1, torch.zeros(len(seeds)), model, data)


def true_experiment(*, late: bool = False, **data_fields: Any) -> Experiment:
    """Return an experiment on Lorenz-63 with itself as the model; 400 steps of 0.02 are 7.2 Lyapunov times."""
    lengths = {"train_orbits": 4, "train_length": 500, "validation_orbits": 0, "test_orbits": 8, "test_length": 1_500}
    system, data = Lorenz63(dt=0.02), DataSpec(**lengths, **data_fields)
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
    """Return the scores of one seed, by the metric's kind."""
    return {r.name.partition("(")[0]: r.value for r in result.records if r.seed == seed and r.better}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_true_system_as_a_model_scores_like_the_truth(dtype: str):
    """Rounding to float32 at each step, 6e-8, grows to 1e-3 at most within the horizon, far below the threshold 0.4."""
    experiment = true_experiment(dtype=dtype)
    result = run_experiment(experiment)
    assert all(run.status == "ok" and run.parameters == 0 for run in result.runs)
    assert numbers(result, 0) == numbers(result, 1)
    scores = numbers(result, 0)
    exponent = largest_exponent(experiment.system)
    assert scores["valid_prediction_time"] == pytest.approx(HORIZON * experiment.system.dt * exponent, rel=1e-5)
    assert scores["prediction_error"] < (1e-11 if dtype == "float32" else 1e-24)
    (floor,) = {record.floor for record in result.records if record.better and record.name.startswith("state_space")}
    assert scores["state_space_divergence"] < 2 * floor
    assert scores["largest_exponent_error"] < 0.3  # 10 conditions of 6 units of time scatter by 0.1
    times, ceiling = result.arrays["valid_times"], result.arrays["twin_valid_times"]  # kept for the picture
    assert np.median(times, axis=1) == pytest.approx([scores["valid_prediction_time"]] * 2, rel=1e-6)
    assert ceiling.shape == times.shape[1:]
    assert (ceiling <= times[0] * (1 + 1e-6)).all(), "the truth itself outlasts a perturbed one"


def test_the_evaluation_holds_the_certified_spectrum_and_the_resolution_of_short_runs():
    """300 steps of 0.02 after 100: tangents that grow as t, without any chaos, would show ln(400 / 100) / 6.

    Both spectra are means over 10 orbits of 6 units of time, which scatter by 0.1 in each of the exponents 0.9, 0 and
    -14.57; the dimension changes by as much over 14.57 and by the middle exponent, where that is not taken for zero.
    """
    experiment = true_experiment(dtype="float64")
    data = simulate(experiment.system, experiment.data)
    model = experiment.model.build(3, experiment.seeds)
    exponents = diagnose_model(model, data, experiment.evaluation, None).spectrum / data.dt
    evaluation = evaluate(model, data, experiment.evaluation, exponents)
    certified = experiment.system.reference
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
    experiment = true_experiment(dtype="float64", stride=stride)
    data = simulate(experiment.system, experiment.data)
    evaluation = evaluate(experiment.model.build(3, experiment.seeds), data, experiment.evaluation, torch.zeros(2, 3))
    assert evaluation.forecast.shape == (2, *evaluation.future.shape)
    assert_close(evaluation.forecast[1], evaluation.future, rtol=0, atol=1e-6)
    first = experiment.evaluation.context + TRANSIENT  # index 0 of an undropped run follows the history of `context`
    assert_close(evaluation.free_run[1, :, :100], data.test[:4, first : first + 100], rtol=0, atol=1e-8)
    assert torch.equal(evaluation.truth, data.test[:4, :1_200])
    assert torch.equal(evaluation.twin, data.test[4:, :1_200])


def test_a_forecast_that_is_one_step_late_has_an_error():
    """0.02 units of time move the state by about a tenth of a standard deviation."""
    experiment = true_experiment(late=True, dtype="float64")
    data = simulate(experiment.system, experiment.data)
    evaluation = evaluate(experiment.model.build(3, (0,)), data, experiment.evaluation, torch.zeros(1, 3))
    assert float(PredictionError().score(evaluation)) > 1e-3


def test_a_long_free_run_in_chunks_equals_one_unroll(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("chaosbench.evaluation._NUMBERS", 1)
    model = ShallowPLRNN(hidden=5).build(2, (0, 1)).double()
    start = 0.1 * torch.randn(2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pieces, whole = free_run(model, start, 2_300), model.predict(start, 2_300)[0]
    assert torch.equal(pieces, whole)


@pytest.mark.parametrize(("exponent", "dt", "error"), [(0.9, 0.01, 1.2e-7), (0.07, 0.08, 1.2e-7), (0.5, 1.0, 2.2e-16)])
def test_short_forecasts_last_twenty_lyapunov_times_and_longer_than_the_truth_is_predictable(
    exponent: float, dt: float, error: float
):
    """A rounding error reaches the size of the attractor after ln(1 / error) Lyapunov times on average."""
    steps = EvaluationSpec().forecast_steps(1 / (exponent * dt), error=error, length=100_000)
    assert steps >= 2_000
    assert steps * exponent * dt >= max(20, 1.5 * np.log(1 / error))


def test_the_length_of_short_forecasts_is_that_of_the_suite_or_fits_the_test_orbits():
    assert EvaluationSpec(horizon=7).forecast_steps(1e6, error=0.1, length=100) == 7
    assert EvaluationSpec().forecast_steps(1e6, error=0.1, length=5_000) == 2_500
    assert EvaluationSpec().forecast_steps(None, error=0.1, length=100_000) == 2_000


def test_exponents_of_too_few_bounded_runs_are_undefined():
    """One survivor of ten does not speak for the model; nine of ten do."""
    experiment = true_experiment(dtype="float64")
    data = simulate(experiment.system, experiment.data)
    model, bounded = experiment.model.build(3, (0, 1)), torch.tensor([0.1, 0.9])
    evaluation = evaluate(model, data, experiment.evaluation, torch.ones(2, 3), bounded=bounded)
    assert evaluation.exponents.isnan().all(1).tolist() == [True, False]
    assert "90 %" in LyapunovSpectrumError().why_undefined(evaluation, 0)


@pytest.mark.parametrize("system", [Tent(), Logistic(), Lorenz63(), Henon()], ids=lambda system: system.kind)
def test_only_one_dimensional_maps_are_evaluated_in_double_precision_unless_told_otherwise(system: SystemSpec):
    """The exact tent map ends on a cycle of some thousand steps in single precision; D_H then sees lines."""
    double = system.kind in {"tent", "logistic"}
    assert DataSpec().torch_dtype(system) == (torch.float64 if double else torch.float32)
    assert DataSpec(dtype="float32").torch_dtype(system) == torch.float32
    states = system.initial_state(1, torch.Generator().manual_seed(0)).to(DataSpec().torch_dtype(system))
    path = orbit(system, states, steps=12_500)[0, 2_500:]
    assert len(path.unique(dim=0)) == len(path)
