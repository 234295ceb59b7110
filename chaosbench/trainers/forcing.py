"""Forced unrolls: what the model says of a window when its state is set from data every so many steps."""

import re
from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.dynamics import decorrelation_time
from chaosbench.errors import DataError
from chaosbench.models.forecaster import Forecaster

_MULTIPLE = re.compile(r"(?:(?P<factor>\d+(?:\.\d*)?|\.\d+)\s*\*?\s*)?tau_pred")
_AUTOCORRELATION = "autocorrelation"


def forced_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """Predictions of `windows[:, :, 1:]`, the state forced from data before steps 0, interval, 2 interval, ...

    Forcing comes after the loss: the prediction of an observation never sees it.
    Segments are folded into the batch where `model.resets`, which gives the same numbers.

    Args:
        windows: `(K, B, T + 1, D)`.
        interval: [steps]; T or more means the start alone.

    Returns:
        `(K, B, T, D)`.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equation 16.
    """
    return (folded_unroll if model.resets else sequential_unroll)(model, windows, interval)


def folded_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """`forced_unroll` with every segment a member of the batch; exact only where `model.resets`."""
    return _folded(model, windows, interval, model.initial_state)


def windowed_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """As `folded_unroll`, but every segment starts from z = 0, whatever the data show there."""

    def blank(observation: Tensor) -> Tensor:
        return observation.new_zeros(*observation.shape[:-1], model.state_size)

    return _folded(model, windows, interval, blank)


def sequential_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """`forced_unroll` segment after segment, for models whose forcing keeps a part of the state."""
    return _segments(model, windows, interval, model.force)


def truncated_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """As `sequential_unroll`, but in place of forcing the state is cut from its gradient: truncated backpropagation."""
    return _segments(model, windows, interval, lambda state, _: state.detach())


def blended_unroll(model: Forecaster, windows: Tensor, weights: Tensor) -> Tensor:
    """Predictions of `windows[:, :, 1:]`, the state drawn towards the forced one before every step but the first.

    The map is applied to (1 - w) z + w force(z, x): w = 0 runs freely, w = 1 forces.

    Args:
        windows: `(K, B, T + 1, D)`.
        weights: w, `(K, B or 1, T - 1)`.

    Returns:
        `(K, B, T, D)`.
    """
    batch, steps = windows.shape[1], windows.shape[2] - 1
    observations = windows[:, :, :-1].unbind(2)
    signals = None
    if model.resets:  # the forced states do not depend on the others: all at once
        signals = model.initial_state(windows[:, :, :-1].flatten(1, 2)).unflatten(1, (batch, steps)).unbind(2)
    state, states = model.initial_state(observations[0]) if signals is None else signals[0], []
    for t in range(steps):
        if t:
            signal = model.force(state, observations[t]) if signals is None else signals[t]
            state = torch.lerp(state, signal, weights[:, :, t - 1, None])
        state = model.step(state)
        states.append(state)
    return model.observe(torch.stack(states, dim=2))


def interval_in_steps(interval: int | str, data: Dataset) -> int:
    """A forcing interval in steps, from steps, from a multiple of ln 2 / lambda_max, or from the autocorrelation.

    Raises:
        DataError: for a multiple where the system is not chaotic.
    """
    if isinstance(interval, int):
        return interval
    if interval.strip() == _AUTOCORRELATION:
        return autocorrelation_time(data.train)
    return max(1, round(tau_pred_factor(interval) * data.predictability_time))


def tau_pred_factor(interval: str) -> float:
    """The factor in `"0.4 tau_pred"`; 1 for `"tau_pred"`.

    Raises:
        ValueError: where the text is something else.
    """
    match = _MULTIPLE.fullmatch(interval.strip())
    if match is None or float(match["factor"] or 1) == 0:
        raise ValueError(
            f"{interval!r} is no forcing interval; give steps, 'tau_pred', a multiple like '0.4 tau_pred', "
            f"or {_AUTOCORRELATION!r}"
        )
    return float(match["factor"] or 1)


def _readable(interval: str) -> str:
    if interval.strip() != _AUTOCORRELATION:
        tau_pred_factor(interval)
    return interval


Interval = Annotated[int, Field(ge=1)] | Annotated[str, AfterValidator(_readable)]


def autocorrelation_time(orbits: Tensor) -> int:
    """First lag at which the autocorrelation is below 1/e, the median over observables [steps].

    Args:
        orbits: `(N, T, D)`.

    Raises:
        DataError: where an observable stays correlated for as long as the orbits last.

    Source:
        Brenner et al. 2022, ICML (2207.02542), as one of the ways to choose tau from data.
    """
    times = decorrelation_time(orbits)
    if not bool(times.all()):
        raise DataError(
            f"the autocorrelation of an observable stays above 1/e for all {orbits.shape[1]} steps of the training "
            "orbits; give the interval in steps"
        )
    return int(times.median())


def _folded(model: Forecaster, windows: Tensor, interval: int, start: Callable[[Tensor], Tensor]) -> Tensor:
    steps = windows.shape[2] - 1
    interval = min(interval, steps)
    starts = windows[:, :, :-1:interval]  # (K, B, segments, D)
    batch, segments = starts.shape[1:3]
    predicted, _ = model.predict(start(starts.flatten(1, 2)), interval)  # (K, B * segments, interval, D)
    return torch.unflatten(predicted, 1, (batch, segments)).flatten(2, 3)[:, :, :steps]  # the last may overhang


def _segments(model: Forecaster, windows: Tensor, interval: int, renew: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    steps = windows.shape[2] - 1
    state, parts = model.initial_state(windows[:, :, 0]), []
    for start in range(0, steps, interval):
        if start:
            state = renew(state, windows[:, :, start])
        predicted, state = model.predict(state, min(interval, steps - start))
        parts.append(predicted)
    return torch.cat(parts, dim=2)
