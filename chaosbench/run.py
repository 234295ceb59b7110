"""The straight line: simulate, build, train, forecast, score."""

import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import log1p
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench import __version__
from chaosbench.data import Dataset, simulate
from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.errors import DataError
from chaosbench.experiment import EvaluationSpec, Experiment, Record, Result, Run, Status
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.skill import too_good_to_be_true
from chaosbench.models.base import Forecaster, Trait

Watch = Callable[[int, int, float], None]  # update, updates, median loss over seeds

_CHUNK = 1_000  # [steps] of a free run at once: bounds memory, whatever the horizon
_DRAWN = 10_000  # [steps] kept of truth and free run for pictures


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

    trained = perf_counter()
    measured, updates = train(experiment, model, on_device, watch)
    train_seconds = perf_counter() - trained

    evaluation = question(model, on_device, experiment.evaluation)
    scored = score(experiment, evaluation)
    told = portray(model, on_device, experiment.evaluation)
    shared: dict[str, Any] = {
        "experiment": experiment.digest(),
        "suite": experiment.suite,
        "system": experiment.system.label,
        "data": experiment.data.label,
        "model": experiment.model.label,
        "trainer": experiment.trainer.label,
        "parameters": model.parameters_per_seed(),
        "updates": updates,
        "started": started,
        "train_seconds": train_seconds / len(experiment.seeds),
        "total_seconds": (perf_counter() - clock) / len(experiment.seeds),
        "device": _device_name(device),
        "provenance": _provenance() | (plugins or {}),
    }
    outcomes = _outcomes(experiment, evaluation, scored)
    return Result(
        experiment,
        tuple(Run(seed=seed, status=status, message=why, **shared) for seed, status, why in outcomes),
        (*measured, *scored, *_told(experiment, told)),
        _drawn(evaluation, data) | {f"portrait.{name}": one.value.cpu().numpy() for name, one in told.items()},
        {name: value.detach().cpu().numpy() for name, value in model.named_parameters()},
    )


def train(experiment: Experiment, model: Forecaster, data: Dataset, watch: Watch | None) -> tuple[list[Record], int]:
    """Train in place; the diagnostics' records, and how many updates were done before every seed had diverged."""
    measured: list[tuple[Any, int, Tensor]] = []
    shown, update = 0.0, 0
    for step in experiment.trainer.fit(model, data, experiment.seeds):
        update = step.update
        for diagnostic in experiment.diagnostics:
            if diagnostic.due(step):
                measured.append((diagnostic, update, diagnostic.measure(step).detach()))
        if perf_counter() - shown > 0.3 or update == step.updates:
            shown = perf_counter()
            if not step.loss.isfinite().any():
                break
            if watch:
                watch(update, step.updates, float(step.loss.nanmedian()))
    digest = experiment.digest()
    records = [
        Record(digest, seed, diagnostic.label, _number(value), None, diagnostic.unit, "", at)
        for diagnostic, at, values in measured
        for seed, value in zip(experiment.seeds, values.tolist(), strict=True)
    ]
    return records, update


@torch.no_grad()
def question(model: Forecaster, data: Dataset, asked: EvaluationSpec) -> Evaluation:
    """Ask the trained models for long free runs, short forecasts and Lyapunov exponents."""
    runs, steps, horizon = asked.free_runs, asked.free_run_steps, asked.horizon
    _check_room(data, asked)
    start = model.initial_state(_per_seed(data.seen[:runs, 0], model))
    free = free_run(model, start, asked.free_run_transient + steps)[:, :, asked.free_run_transient :]
    orbits, times = data.conditions(asked.conditions, horizon)
    forecast = free_run(model, model.initial_state(_per_seed(data.seen[orbits, times], model)), horizon)
    error = max(torch.finfo(data.test.dtype).eps, data.noise)
    return Evaluation(
        free_run=free,
        truth=data.test[:runs, :steps],
        twin=data.test[runs : 2 * runs, :steps],
        forecast=forecast,
        future=data.test.unfold(1, horizon, 1)[orbits, times + 1].mT,
        twins=data.twins(orbits, times, horizon, error),
        scale=data.train.flatten(0, 1).std(dim=0),
        dt=data.dt,
        exponents=_exponents(model, data, asked),
        twin_exponents=_twin_exponents(data, asked),
        largest_exponent=data.largest_exponent,
        reference_exponents=_reference_exponents(data),
        resolution=log1p(asked.exponent_steps / max(asked.exponent_transient, 1)) / (asked.exponent_steps * data.dt),
    )


@torch.no_grad()
def portray(model: Forecaster, data: Dataset, asked: EvaluationSpec) -> dict[str, Trait]:
    """What the model itself tells of the first 10,000 steps of each free run."""
    if type(model).portrait is Forecaster.portrait:
        return {}
    steps = min(asked.free_run_steps, _DRAWN)
    start = model.initial_state(_per_seed(data.seen[: asked.free_runs, 0], model))
    return model.portrait(model.unroll(start, asked.free_run_transient + steps)[:, :, asked.free_run_transient :])


def free_run(model: Forecaster, state: Tensor, steps: int) -> Tensor:
    """What K models show when nothing is forced, `(K, B, S) -> (K, B, steps, D)`; index 0 is after one step."""
    parts = []
    for done in range(0, steps, _CHUNK):
        observed, state = model.predict(state, min(_CHUNK, steps - done))
        parts.append(observed)
    return torch.cat(parts, dim=2)


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


def _per_seed(observations: Tensor, model: Forecaster) -> Tensor:
    """The same conditions for every seed, `(B, D) -> (K, B, D)`."""
    return observations.expand(model.seeds, -1, -1).contiguous()


def _check_room(data: Dataset, asked: EvaluationSpec) -> None:
    """A measured series may have fewer test pieces than the suite, which cannot know it, asks for."""
    if len(data.test) < 2 * asked.free_runs:
        raise DataError(
            f"evaluation.free_runs = {asked.free_runs} needs {2 * asked.free_runs} test orbits, and "
            f"{data.system.label} has {len(data.test)} of {data.test.shape[1]} steps; "
            "set free_runs, or data.test_length, lower"
        )


def _exponents(model: Forecaster, data: Dataset, asked: EvaluationSpec) -> Tensor:
    orbits, times = data.conditions(asked.exponent_conditions, 1)
    spectra = lyapunov_spectrum(
        model,
        model.initial_state(_per_seed(data.seen[orbits, times], model)),
        steps=asked.exponent_steps,
        transient=asked.exponent_transient,
        exponents=min(asked.exponents or data.dimension, model.state_size),
        dt=data.dt,
    )
    return spectra.mean(dim=1)


def _twin_exponents(data: Dataset, asked: EvaluationSpec) -> Tensor:
    """The system's own exponents over as many steps and conditions: what sampling alone does to the number."""
    if data.states is None:
        return torch.full((asked.exponents or data.dimension,), torch.nan)
    known = data.states.flatten(0, 1)
    conditions = known[torch.linspace(0, len(known) - 1, asked.exponent_conditions).long()]
    spectra = lyapunov_spectrum(
        data.system,
        conditions,
        steps=asked.exponent_steps,
        transient=asked.exponent_transient,
        exponents=min(asked.exponents or data.dimension, conditions.shape[-1]),
        dt=data.system.dt,
    )
    return spectra.mean(dim=0)


def _reference_exponents(data: Dataset) -> Tensor | None:
    known = data.system.reference
    return None if known is None else torch.tensor(known.exponents, dtype=torch.float64)


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
        "truth": evaluation.truth[0, :_DRAWN].float().cpu().numpy(),
        "free_run": evaluation.free_run[:, 0, :_DRAWN].float().cpu().numpy(),
        "dt": np.array([evaluation.dt]),
        **_curve(data),
    }


def _curve(data: Dataset) -> dict[str, np.ndarray[Any, Any]]:
    """Of a measured series: the divergence of its neighbours, and the line its exponent was read from."""
    curve = data.divergence
    if curve is None:
        return {}
    return {
        "measured": data.train[0, -_DRAWN:].float().numpy(),  # a test piece is too short to show the attractor
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
