"""The evaluation of trained models: long free runs, short forecasts, and reports of their own dynamics."""

from math import log1p

import torch
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.errors import DataError
from chaosbench.experiment import EvaluationSpec
from chaosbench.isolation import attempt, real
from chaosbench.metrics.base import Evaluation
from chaosbench.models.forecaster import Forecaster, Trait

DRAWN = 10_000  # [steps] kept of truth and free run for pictures

_CHUNK, _NUMBERS = 1_000, 2**22  # [steps] of a free run at once, and more while its states are fewer numbers


@torch.no_grad()
def evaluate(
    model: Forecaster,
    data: Dataset,
    spec: EvaluationSpec,
    exponents: Tensor,
    *,
    bounded: Tensor | None = None,
    failures: list[str] | None = None,
    name: str = "the model",
) -> Evaluation:
    """Run the trained models freely and forecast from test conditions.

    Args:
        exponents: Lyapunov exponents of the models, `(K, M)`, descending [1 / system time]; those that the evaluation
            compares are kept.
        bounded: share of the free runs behind the exponents that are bounded, `(K,)`; None: all. Where it is too small
            the exponents become NaN, because they are those of the surviving runs alone.
        failures: receives a sentence if the forecasts raise, which are then NaN; None: they raise.
        name: of the model, in that sentence.

    Raises:
        DataError: where the data have too few test orbits.
    """
    _check_room(data, spec)
    start = free_run_starts(model, data, spec)
    free = free_run(model, start, spec.free_run_transient + spec.free_run_steps)[:, :, spec.free_run_transient :]
    orbits, times, horizon = short_forecasts(data, spec)
    forecast = attempt(
        lambda: free_run(model, starting_states(model, data.histories(orbits, times, spec.context)), horizon),
        otherwise=free.new_full((len(free), len(orbits), horizon, free.shape[-1]), torch.nan),
        what=f"the forecast of {name}",
        remarks=failures,
    )
    share = torch.ones(model.seeds) if bounded is None else bounded
    kept = exponents[:, : spec.exponent_count(data.dimension)].to(free)
    kept = kept.where((share >= spec.exponent_bounded_share).to(kept.device)[:, None], torch.nan)
    return beside_truth(
        data, spec, free, forecast, exponents=kept, twin_exponents=_twin_exponents(data, spec), unbounded=1 - share
    )


def short_forecasts(data: Dataset, spec: EvaluationSpec) -> tuple[Tensor, Tensor, int]:
    """Return orbit and time of each condition of short forecasts, `(C,)`, and the number of steps to forecast."""
    room = data.test.shape[1] - data.first_condition(spec.context)
    horizon = spec.forecast_steps(_lyapunov_time(data), error=_initial_error(data), length=room)
    return *data.conditions(spec.conditions, horizon, context=spec.context), horizon


@torch.no_grad()
def beside_truth(
    data: Dataset,
    spec: EvaluationSpec,
    free: Tensor,
    forecast: Tensor,
    *,
    exponents: Tensor,
    twin_exponents: Tensor,
    unbounded: Tensor | None = None,
) -> Evaluation:
    """Return free runs `(K, R, T, D)` and forecasts `(K, C, H, D)`, standardised, beside the truth of the data.

    Args:
        exponents: of the models, `(K, M)` [1 / system time]; NaN where they are unknown.
        twin_exponents: of the system over as many steps, `(M,)` [1 / system time]; NaN where they are unknown.
        unbounded: share of the free runs behind the exponents that are not bounded, `(K,)`; None: unknown.
    """
    runs, steps = spec.free_runs, spec.free_run_steps
    orbits, times, horizon = short_forecasts(data, spec)
    return Evaluation(
        free_run=free,
        truth=data.test[:runs, :steps],
        twin=data.test[runs : 2 * runs, :steps],
        forecast=forecast,
        future=data.test.unfold(1, horizon, 1)[orbits, times + 1].mT,
        twins=data.twins(orbits, times, horizon, _initial_error(data)),
        scale=data.train.flatten(0, 1).std(dim=0),
        dt=data.dt,
        exponents=exponents,
        twin_exponents=twin_exponents,
        largest_exponent=data.largest_exponent,
        reference_exponents=_reference_exponents(data),
        resolution=log1p(spec.exponent_steps / max(spec.exponent_transient, 1)) / (spec.exponent_steps * data.dt),
        unbounded_share=unbounded,
        condition_orbits=orbits,
    )


@torch.no_grad()
def describe_dynamics(model: Forecaster, data: Dataset, spec: EvaluationSpec) -> dict[str, Trait]:
    """Return what the model reports about its own dynamics over the first 10,000 steps of each free run."""
    if type(model).describe_dynamics is Forecaster.describe_dynamics:
        return {}
    steps = min(spec.free_run_steps, DRAWN)
    start = free_run_starts(model, data, spec)
    traits = model.describe_dynamics(
        model.unroll(start, spec.free_run_transient + steps)[:, :, spec.free_run_transient :]
    )
    for name, trait in traits.items():
        if len(real(trait.value)) != model.seeds:
            raise TypeError(f"{name} has the shape {tuple(trait.value.shape)}; expected {model.seeds} seeds first")
    return traits


def free_run(model: Forecaster, state: Tensor, steps: int) -> Tensor:
    """Return the observations of free runs, `(K, B, S) -> (K, B, steps, D)`; index 0 is after one step."""
    parts, chunk = [], max(_CHUNK, _NUMBERS // state.numel())  # memory is bounded, whatever the horizon
    for done in range(0, steps, chunk):
        observed, state = model.predict(state, min(chunk, steps - done))
        parts.append(observed)
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def free_run_starts(model: Forecaster, data: Dataset, spec: EvaluationSpec) -> Tensor:
    """Return the states after the first `spec.context` observations of the first test orbits, `(K, R, S)`."""
    return starting_states(model, data.seen[: spec.free_runs, : spec.context])


def starting_states(model: Forecaster, histories: Tensor) -> Tensor:
    """Return the state of every seed at the end of each history, `(C, H, D) -> (K, C, S)`."""
    return model.initial_state(histories.expand(model.seeds, -1, -1, -1).contiguous())


def _initial_error(data: Dataset) -> float:
    """Return the uncertainty of an observation: the larger of rounding and noise [standard deviations]."""
    return max(torch.finfo(data.test.dtype).eps, data.spec.noise)


def _lyapunov_time(data: Dataset) -> float | None:
    """Return 1 / lambda_1 of the data's system [steps]; None where it is not chaotic, or not known to be."""
    exponent = data.largest_exponent or 0.0
    return 1 / (exponent * data.dt) if exponent > 0 else None


def _check_room(data: Dataset, spec: EvaluationSpec) -> None:
    """Check the number of test orbits, which for a recorded series is known only when its file has been read."""
    if len(data.test) < 2 * spec.free_runs:
        raise DataError(
            f"evaluation.free_runs = {spec.free_runs} needs {2 * spec.free_runs} test orbits, and "
            f"{data.system.label} has {len(data.test)} of {data.test.shape[1]} steps; "
            "set free_runs, or data.test_length, lower"
        )


def _twin_exponents(data: Dataset, spec: EvaluationSpec) -> Tensor:
    """Return the system's own exponents over as many steps and conditions: they show the effect of sampling alone."""
    if data.states is None or data.equation is None:
        return torch.full((spec.exponent_count(data.dimension),), torch.nan)
    states = data.states.flatten(0, 1)
    conditions = states[torch.linspace(0, len(states) - 1, spec.exponent_conditions).long()]
    spectra = lyapunov_spectrum(
        data.equation,
        conditions,
        steps=spec.exponent_steps * data.spec.stride,  # as long as the models', whose steps are those of the data
        transient=spec.exponent_transient * data.spec.stride,
        exponents=min(spec.exponent_count(data.dimension), conditions.shape[-1]),
        dt=data.equation.dt,
    )
    return spectra.mean(dim=0)


def _reference_exponents(data: Dataset) -> Tensor | None:
    reference = None if data.equation is None else data.equation.reference
    return None if reference is None else torch.tensor(reference.exponents, dtype=torch.float64)
