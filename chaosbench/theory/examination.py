"""The diagnosis of a model that learns from data: initial states, horizons, and the arrays that its pictures show."""

from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.dynamics import log_spaced
from chaosbench.models.forecaster import Forecaster
from chaosbench.theory.diagnosis import Diagnosis, diagnose
from chaosbench.theory.forced import windows_along
from chaosbench.theory.run_diagnosis import Exponent, RunDiagnosis
from chaosbench.theory.training_regime import examine_training_regime
from chaosbench.trainers.forcing_scheme import ForcingScheme

HORIZON = 4_096  # longest horizon of the gradients [steps]
_INITIAL_HORIZON = 512  # longest horizon for the untrained network [steps]
_FOLLOWED = 0.4  # share of the initial conditions from which gradients are followed
_WINDOWS = 4  # windows of training data along which the regime of training is examined


def examine(
    model: Forecaster,
    data: Dataset,
    *,
    context: int,
    conditions: int,
    steps: int,
    transient: int,
    exponents: int,
    path: ForcingScheme | None,
    trained: bool = True,
) -> Diagnosis:
    """Diagnose K models from initial conditions of the test data, and along training data in the regime of training.

    Args:
        context: observations of the history that leads to each initial condition [steps].
        conditions: number of free runs for the exponents; gradients are followed from two fifths of them.
        steps: steps over which exponents are averaged [steps].
        transient: preceding steps that are dropped [steps].
        exponents: number of leading exponents.
        path: how training forces the state and cuts gradients; None: the regime of training is not examined.
        trained: False for the untrained network, whose gradients are followed over a shorter horizon and without
                dL_T/dtheta.
    """
    began = perf_counter()
    longest = HORIZON if trained else _INITIAL_HORIZON
    horizon = min(longest, data.test.shape[1] - 1)
    # The error at step T needs the true future, and half of what the first history leaves is for starting points.
    loss_horizon = max(1, min(horizon, (data.test.shape[1] - data.first_condition(context)) // 2))
    followed = min(conditions, max(2, round(_FOLLOWED * conditions)))
    sizes = ((followed, loss_horizon), (max(1, conditions - followed), 1))
    starts = [data.conditions(count, ahead, context=context) for count, ahead in sizes]
    orbits, times = (torch.cat(part)[:conditions] for part in zip(*starts, strict=True))
    with torch.no_grad():
        histories = data.histories(orbits, times, context).expand(model.seeds, -1, -1, -1)
        states = model.initial_state(histories.contiguous()).detach()
    ends = torch.tensor(log_spaced(loss_horizon, each_octave=1), device=times.device)
    targets = data.test[orbits[:followed, None], times[:followed, None] + ends]  # (C, H, D)

    def error(reached: Tensor) -> Tensor:
        return (model.observe(reached) - targets[: reached.shape[1]]).square().sum(-1)

    diagnosis = diagnose(
        model,
        states,
        dt=data.dt,
        observables=None if data.equation is None else data.equation.state_size,
        horizon=horizon,
        loss_horizon=loss_horizon,
        conditions=followed,
        steps=steps,
        transient=transient,
        exponents=min(exponents, model.state_size),
        loss=error if trained and model.dynamical else None,
    )
    if path is not None:
        windows = windows_along(data.train, path, count=_WINDOWS, seeds=model.seeds)
        leading = min(data.dimension, model.state_size)
        regime = examine_training_regime(model, windows, path, exponents=leading)
        diagnosis = replace(diagnosis, training_regime=regime)
    return replace(diagnosis, seconds=perf_counter() - began)


def reference_diagnosis(data: Dataset) -> RunDiagnosis:
    """Return the published or certified exponents of the data's system, or else its largest exponent if available."""
    reference = None if data.equation is None else data.equation.reference
    if reference is None:
        return RunDiagnosis(
            lyapunov_exponents=() if data.largest_exponent is None else (Exponent(data.largest_exponent),)
        )
    return RunDiagnosis(
        lyapunov_exponents=tuple(map(Exponent, reference.exponents, reference.intervals)),
        kaplan_yorke_dimension=reference.kaplan_yorke_dimension,
        entropy_bound=reference.entropy_bound,
    )


def curves(diagnosis: Diagnosis, initial: Diagnosis | None) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays for pictures: growth [nats] by horizon [steps], and running estimates of the exponents."""
    blocks = diagnosis.motion.blocks.double()  # (K, C, P, M) [1 / step]
    count = blocks.shape[2]
    running = blocks.cumsum(2) / torch.arange(1, count + 1, device=blocks.device)[:, None]
    arrays: dict[str, Tensor] = {
        "growth_horizons": torch.tensor(diagnosis.growth.horizons),
        "growth_state": diagnosis.growth.mean,
        "exponents_steps": torch.arange(1, count + 1) * diagnosis.motion.block_steps,
        "exponents_running": running / diagnosis.dt,
    }
    if diagnosis.loss_growth is not None:
        arrays["growth_parameters_horizons"] = torch.tensor(diagnosis.loss_growth.horizons)
        arrays["growth_parameters"] = diagnosis.loss_growth.mean
    if initial is not None:
        arrays["growth_initial_horizons"] = torch.tensor(initial.growth.horizons)
        arrays["growth_initial"] = initial.growth.mean
    if diagnosis.training_regime is not None:
        arrays["growth_forced_horizons"] = torch.tensor(diagnosis.training_regime.growth.horizons)
        arrays["growth_forced"] = diagnosis.training_regime.growth.mean
    return {name: value.cpu().numpy() for name, value in arrays.items()}
