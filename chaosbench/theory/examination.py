"""The examination of a model that learns from data: from which states, for how long, and what is kept of it."""

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

HORIZON = 4_096  # [steps], the longest of the gradients
_INITIAL_HORIZON = 512  # [steps], before training
_FOLLOWED = 0.4  # share of the initial conditions that gradients are followed from
_WINDOWS = 4  # of training data, from which the forced regime is measured


def examine(
    model: Forecaster,
    data: Dataset,
    *,
    conditions: int,
    steps: int,
    transient: int,
    exponents: int,
    path: ForcingScheme | None,
    trained: bool = True,
) -> Diagnosis:
    """Diagnose K models from test conditions, judged by what truly followed, and along training data as forced there.

    Args:
        conditions: free runs whose exponents are measured; gradients are followed from two fifths of them.
        steps, transient: of each [steps].
        exponents: how many, leading ones first.
        path: what training does to the state and to gradients; None where nothing is known of it.
        trained: False before training, when gradients are followed for a shorter time and state by state alone.
    """
    began = perf_counter()
    longest = HORIZON if trained else _INITIAL_HORIZON
    horizon = min(longest, data.test.shape[1] - 1)
    # Only an error needs to know what truly followed, and half of each orbit is kept for starting points.
    loss_horizon = max(1, min(horizon, data.test.shape[1] // 2))
    followed = min(conditions, max(2, round(_FOLLOWED * conditions)))
    places = [data.conditions(followed, loss_horizon), data.conditions(max(1, conditions - followed), 1)]
    orbits, times = (torch.cat(part)[:conditions] for part in zip(*places, strict=True))
    with torch.no_grad():
        observed = data.seen[orbits, times].expand(model.seeds, -1, -1).contiguous()
        states = model.initial_state(observed).detach()
    ends = torch.tensor(log_spaced(loss_horizon, each_octave=1), device=times.device)
    targets = data.test[orbits[:followed, None], times[:followed, None] + ends]  # (C, H, D)

    def error(reached: Tensor) -> Tensor:
        return (model.observe(reached) - targets[: reached.shape[1]]).square().sum(-1)

    found = diagnose(
        model,
        states,
        dt=data.dt,
        observables=None if data.system.measured else data.system.state_size,
        horizon=horizon,
        loss_horizon=loss_horizon,
        conditions=followed,
        steps=steps,
        transient=transient,
        exponents=min(exponents, model.state_size),
        loss=error if trained else None,
    )
    if path is not None:
        windows = windows_along(data.train, path, count=_WINDOWS, seeds=model.seeds)
        kept = min(data.dimension, model.state_size)
        found = replace(found, forced=examine_forcing(model, windows, path, exponents=kept))
    return replace(found, seconds=perf_counter() - began)


def reference_diagnosis(data: Dataset) -> RunDiagnosis:
    """Return the published or certified exponents of the data's own system as far as they are known."""
    reference = None if data.system.measured else data.system.reference
    if reference is None:
        return RunDiagnosis(lyapunov_exponents=() if data.largest_exponent is None else (Exponent(data.largest_exponent),))
    return RunDiagnosis(
        lyapunov_exponents=tuple(map(Exponent, reference.exponents, reference.intervals)),
        kaplan_yorke_dimension=reference.kaplan_yorke_dimension,
        entropy_bound=reference.entropy_bound,
    )


def curves(found: Diagnosis, initial: Diagnosis | None) -> dict[str, np.ndarray[Any, Any]]:
    """What pictures are drawn from: growth [nats] by horizon [steps], and how the exponents converge."""
    blocks = found.motion.blocks.double()  # (K, C, P, M) [1 / step]
    count = blocks.shape[2]
    running = blocks.cumsum(2) / torch.arange(1, count + 1, device=blocks.device)[:, None]
    arrays: dict[str, Tensor] = {
        "growth_horizons": torch.tensor(found.growth.horizons),
        "growth_state": found.growth.mean,
        "exponents_steps": torch.arange(1, count + 1) * found.motion.block_steps,
        "exponents_running": running / found.dt,
    }
    if found.loss_growth is not None:
        arrays["growth_parameters_horizons"] = torch.tensor(found.loss_growth.horizons)
        arrays["growth_parameters"] = found.loss_growth.mean
    if initial is not None:
        arrays["growth_initial_horizons"] = torch.tensor(initial.growth.horizons)
        arrays["growth_initial"] = initial.growth.mean
    if found.forced is not None:
        arrays["growth_forced_horizons"] = torch.tensor(found.forced.growth.horizons)
        arrays["growth_forced"] = found.forced.growth.mean
    return {name: value.cpu().numpy() for name, value in arrays.items()}
