"""The straight line: simulate, build, train, forecast, score."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench import __version__
from chaosbench.data import Dataset, simulate
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.evaluation import DRAWN, describe_dynamics, evaluate
from chaosbench.experiment import EvaluationSpec, Experiment, Record, Result, Run, Status
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.skill import too_good_to_be_true
from chaosbench.metrics.valid_prediction_time import valid_prediction_time
from chaosbench.models.forecaster import Forecaster, Trait
from chaosbench.theory.diagnosis import Diagnosis, Number
from chaosbench.theory.examination import curves, examine, known_numbers
from chaosbench.trainers.base import TrainingStep
from chaosbench.trainers.forcing_scheme import ForcingScheme

Watch = Callable[[int, int, float], None]  # update, updates, median loss over seeds


def run_experiment(
    experiment: Experiment, *, device: str = "cpu", watch: Watch | None = None, plugins: dict[str, str] | None = None
) -> Result:
    """Run one experiment, all its seeds at once, on one device.

    Args:
        watch: called a few times a second during training.
        plugins: what to add to the versions in each run's provenance.

    Raises:
        ChaosbenchError: where the experiment cannot be run as asked.
    """
    started, clock = datetime.now(UTC), perf_counter()
    data = simulate(experiment.system, experiment.data)
    experiment.trainer.check(data)
    on_device = data.to(device, experiment.data.torch_dtype)
    model = experiment.model.build(data.dimension, experiment.seeds).to(device, experiment.data.torch_dtype)

    initial = examination(model, on_device, experiment.evaluation, None, trained=False)
    training = train(experiment, model, on_device, watch)
    found = examination(model, on_device, experiment.evaluation, training.path)
    diagnosed = diagnosis_records(experiment, model, on_device, (initial, found), training, device)

    exponents = (found.spectrum / data.dt)[:, : experiment.evaluation.exponents or data.dimension]
    evaluation = evaluate(model, on_device, experiment.evaluation, exponents)
    scored = score(experiment, evaluation)
    told = describe_dynamics(model, on_device, experiment.evaluation)
    shared: dict[str, Any] = {
        "experiment": experiment.digest(),
        "suite": experiment.suite,
        "system": experiment.system.label,
        "data": experiment.data.label,
        "model": experiment.model.label,
        "trainer": experiment.trainer.label,
        "parameters": model.parameters_per_seed(),
        "updates": training.updates,
        "started": started,
        "train_seconds": training.seconds / len(experiment.seeds),
        "total_seconds": (perf_counter() - clock) / len(experiment.seeds),
        "device": _device_name(device),
        "provenance": _provenance() | (plugins or {}),
    }
    outcomes = _outcomes(experiment, evaluation, scored)
    return Result(
        experiment,
        tuple(Run(seed=seed, status=status, message=why, **shared) for seed, status, why in outcomes),
        (*training.records, *diagnosed, *scored, *_told(experiment, told)),
        _drawn(evaluation, data)
        | curves(found, initial)
        | training.health.curves()
        | {f"portrait.{name}": one.value.cpu().numpy() for name, one in told.items()},
        {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()},
    )


@dataclass(frozen=True)
class Training:
    """What is left of a training beside the trained model.

    Attributes:
        records: of the diagnostics.
        updates: how many were done before every seed had diverged.
        seconds: wall time, diagnostics aside [s].
        watched: of the diagnostics [s].
        path: through which products of Jacobians the gradients passed at the end; None where none did.
    """

    records: list[Record]
    updates: int
    seconds: float
    watched: float
    health: TrainingHealth
    path: ForcingScheme | None


def train(experiment: Experiment, model: Forecaster, data: Dataset, watch: Watch | None) -> Training:
    """Train in place, watched by the diagnostics."""
    measured: list[tuple[Any, int, Tensor]] = []
    health = TrainingHealth(experiment.trainer)
    began, shown, watched = perf_counter(), 0.0, 0.0
    step: TrainingStep | None = None
    for step in experiment.trainer.fit(model, data, experiment.seeds):
        paused = perf_counter()
        health.see(step)
        for diagnostic in experiment.diagnostics:
            if diagnostic.due(step):
                measured.append((diagnostic, step.update, diagnostic.measure(step).detach()))
        watched += perf_counter() - paused
        if paused - shown > 0.3 or step.update == step.updates:
            shown = paused
            if not step.loss.isfinite().any():
                break
            if watch:
                watch(step.update, step.updates, float(step.loss.nanmedian()))
    digest = experiment.digest()
    records = [
        Record(digest, seed, diagnostic.label, _number(value), None, diagnostic.unit, "", at)
        for diagnostic, at, values in measured
        for seed, value in zip(experiment.seeds, values.tolist(), strict=True)
    ]
    path = None if step is None or step.training is None else experiment.trainer.forcing_scheme(step.training)
    seconds = perf_counter() - began - watched
    return Training(records, 0 if step is None else step.update, seconds, watched, health, path)


def examination(
    model: Forecaster, data: Dataset, asked: EvaluationSpec, path: ForcingScheme | None, *, trained: bool = True
) -> Diagnosis:
    """Ask what theory says of the model's gradients, with the exponents' share of the evaluation; briefer at first."""
    return examine(
        model,
        data,
        conditions=asked.exponent_conditions,
        steps=asked.exponent_steps if trained else max(1, asked.exponent_steps // 4),
        transient=asked.exponent_transient,
        # One more than the system can have: the gap behind its own tells the rest apart.
        exponents=(asked.exponents or data.dimension) + 1,
        path=path,
        trained=trained,
    )


def diagnosis_records(
    experiment: Experiment,
    model: Forecaster,
    data: Dataset,
    found: tuple[Diagnosis, Diagnosis],
    training: Training,
    device: str,
) -> list[Record]:
    """The diagnosis before and after training, and how training went, beside the system's own numbers."""
    digest, known = experiment.digest(), known_numbers(data)
    first, last = (list(one.numbers()) if model.dynamical else [] for one in found)
    cost = sum(one.seconds for one in found) + training.watched
    share = torch.full((len(experiment.seeds),), cost / training.seconds, dtype=torch.float64)
    final = [*last, *training.health.numbers(training.seconds, device), Number("cost_share", "1", share)]
    if training.path is not None and data.largest_exponent is not None:
        horizon = training.path.product_length * data.dt * data.largest_exponent
        final.append(Number("effective_horizon", "Lyapunov times", torch.full((len(experiment.seeds),), horizon)))
    return [
        Record(digest, seed, f"diagnosis.{one.name}", _number(value), known.get(one.name), one.unit, "", update)
        for update, numbers in ((0, first), (None, final))
        for one in numbers
        for seed, value in zip(experiment.seeds, one.values.tolist(), strict=True)
    ]


def score(experiment: Experiment, evaluation: Evaluation) -> list[Record]:
    """Every metric of every seed, beside its noise floor."""
    digest, records = experiment.digest(), []
    floor = evaluation.floor()
    for metric in experiment.metrics:
        lowest = _number(float(metric.score(floor)[0]))
        for seed, value in zip(experiment.seeds, metric.score(evaluation).tolist(), strict=True):
            records.append(Record(digest, seed, metric.label, _number(value), lowest, metric.unit, metric.better, None))
    return records


def _told(experiment: Experiment, traits: dict[str, Trait]) -> list[Record]:
    """The numbers among them; arrays lie beside the pictures."""
    digest = experiment.digest()
    return [
        Record(digest, seed, f"portrait.{name}", _number(value), None, trait.unit, "", None)
        for name, trait in traits.items()
        if trait.value.dim() == 1
        for seed, value in zip(experiment.seeds, trait.value.tolist(), strict=True)
    ]


def _outcomes(
    experiment: Experiment, evaluation: Evaluation, scored: list[Record]
) -> Iterator[tuple[int, Status, str]]:
    """Seed, status and why, for each seed."""
    bounded = evaluation.free_run.isfinite().flatten(1).all(dim=1).tolist()
    suspicious = too_good_to_be_true(evaluation).tolist() if experiment.data.noise == 0 else [False] * len(bounded)
    unscored = {record.seed: record.name for record in scored if record.value is None and record.floor is not None}
    for seed, finite, suspect in zip(experiment.seeds, bounded, suspicious, strict=True):
        if not finite:
            yield seed, "diverged", "the free run is not finite"
        elif seed in unscored:
            yield seed, "diverged", f"the free run left the attractor: {unscored[seed]} is undefined"
        elif suspect:
            yield seed, "ok", "too good to be true: forecasts outlast the true system's own, so test data were known"
        else:
            yield seed, "ok", ""


def _drawn(evaluation: Evaluation, data: Dataset) -> dict[str, np.ndarray[Any, Any]]:
    return {
        "truth": evaluation.truth[0, :DRAWN].float().cpu().numpy(),
        "free_run": evaluation.free_run[:, 0, :DRAWN].float().cpu().numpy(),
        "dt": np.array([evaluation.dt]),
        **_valid_times(evaluation),
        **_curve(data),
    }


def _valid_times(evaluation: Evaluation) -> dict[str, np.ndarray[Any, Any]]:
    """For how long each forecast is right, the models' and their ceiling's [Lyapunov times]; empty without chaos."""
    exponent = evaluation.largest_exponent or 0.0
    if exponent <= 0:
        return {}
    forecasts = {"valid_times": evaluation.forecast, "twin_valid_times": evaluation.twins}
    dt, scale = exponent * evaluation.dt, evaluation.scale
    return {
        name: valid_prediction_time(forecast, evaluation.future, dt=dt, scale=scale).float().cpu().numpy()
        for name, forecast in forecasts.items()
        if forecast is not None
    }


def _curve(data: Dataset) -> dict[str, np.ndarray[Any, Any]]:
    """Of a measured series: the divergence of its neighbours, and the line its exponent was read from."""
    curve = data.divergence
    if curve is None:
        return {}
    return {
        "measured": data.train[0, -DRAWN:].float().numpy(),  # a test piece is too short to show the attractor
        "divergence_times": curve.times.numpy(),  # [system time]
        "divergence": curve.log_divergence.numpy(),  # [nats]
        "divergence_fit": np.array([curve.exponent, curve.interval, *curve.fit]),  # [1 / system time], [steps]
    }


def _number(value: float) -> float | None:
    """None for what is not finite: a category of its own at rest."""
    return value if np.isfinite(value) else None


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()})"


def _provenance() -> dict[str, str]:
    return {
        "chaosbench": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
