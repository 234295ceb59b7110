"""Unrolls of a model over windows of data: free, forced at intervals, cut, or blended with the data at every step.

Windows are `(K, B, W + T + 1, D)`. The first W + 1 observations are the history that leads to the state at step 0; the
T observations after them are predicted. W is the `warm_up`, by default 0.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from chaosbench import kernels
from chaosbench.kernels import Forcing
from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.base import squared_error


def free_unroll(model: Forecaster, windows: Tensor, *, warm_up: int = 0) -> Tensor:
    """Predict the last T observations from the history alone, `(K, B, W + T + 1, D) -> (K, B, T, D)`."""
    return model.predict(model.initial_state(windows[:, :, : warm_up + 1]), windows.shape[2] - 1 - warm_up)[0]


def forced_unroll(model: Forecaster, windows: Tensor, interval: int, *, warm_up: int = 0) -> Tensor:
    """Predict the last T observations with the state forced from data before steps 0, interval, 2 interval, ...

    Forcing comes after the loss: the prediction of an observation never depends on that observation.
    If `model.resets`, segments are folded into the batch, which gives the same numbers.

    Args:
        windows: `(K, B, W + T + 1, D)`.
        interval: time between forcings [steps]; T or more forces the start only.
        warm_up: W [steps].

    Returns:
        `(K, B, T, D)`.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equation 16.
    """
    return (folded_unroll if model.resets else sequential_unroll)(model, windows, interval, warm_up=warm_up)


def free_error(model: Forecaster, windows: Tensor, *, warm_up: int = 0) -> Tensor:
    """Return the mean squared error of `free_unroll` beside the data, `(K,)`, computed as `forced_error` is."""
    return forced_error(model, windows, windows.shape[2], warm_up=warm_up)


def forced_error(model: Forecaster, windows: Tensor, interval: int, *, warm_up: int = 0) -> Tensor:
    """Return the mean squared error of `forced_unroll` beside the data, `(K,)`.

    A compiled kernel computes it together with its gradients where there is one; arguments as for `forced_unroll`.
    """
    history, data = windows[:, :, : warm_up + 1], windows[:, :, warm_up + 1 :]
    steps = min(interval, data.shape[2])
    gated = model.gated_network() if model.resets else None
    comparing = None if gated is None else kernels.gated_comparing_backend_for(windows, steps)
    if gated is not None and comparing is not None and kernels.holds(comparing, gated):
        return kernels.squared_error(comparing, gated, _starts(model, windows, steps, warm_up), data, steps=steps)
    backend = kernels.comparing_backend_for(windows, steps if model.resets else data.shape[2])
    if backend is None or (network := model.network_for(backend)) is None:
        return squared_error(forced_unroll(model, windows, interval, warm_up=warm_up), data)
    if model.resets:
        return kernels.squared_error(backend, network, _starts(model, windows, steps, warm_up), data, steps=steps)
    forcing = None
    if steps < data.shape[2]:
        signals = windows[:, :, warm_up + interval : -1 : interval]
        forcing = Forcing(_signals(model, signals), interval=interval)
    start = model.initial_state(history)
    return kernels.squared_error(backend, network, start, data, steps=data.shape[2], forcing=forcing)


def _starts(model: Forecaster, windows: Tensor, steps: int, warm_up: int) -> Tensor:
    """Return the states from which the segments of every window start, which are independent."""
    return model.initial_state(windows[:, :, warm_up:-1:steps].flatten(1, 2).unsqueeze(2))


def folded_unroll(model: Forecaster, windows: Tensor, interval: int, *, warm_up: int = 0) -> Tensor:
    """`forced_unroll` with every segment a member of the batch; exact only if `model.resets`."""
    return _folded(model, windows[:, :, warm_up:], interval, lambda x: model.initial_state(x.unsqueeze(2)))


def windowed_unroll(model: Forecaster, windows: Tensor, interval: int) -> Tensor:
    """`folded_unroll` with every segment started from z = 0 instead of from data, so that there is no warm-up."""

    def zero_state(observation: Tensor) -> Tensor:
        return observation.new_zeros(*observation.shape[:-1], model.state_size)

    return _folded(model, windows, interval, zero_state)


def sequential_unroll(model: Forecaster, windows: Tensor, interval: int, *, warm_up: int = 0) -> Tensor:
    """`forced_unroll` segment after segment, for models whose forcing keeps a part of the state."""
    steps = windows.shape[2] - 1 - warm_up
    if interval < steps:
        signals = windows[:, :, warm_up + interval : -1 : interval]
        predicted = _by_kernel(model, windows, signals, lambda values: Forcing(values, interval=interval), warm_up)
        if predicted is not None:
            return predicted
    return _segments(model, windows, interval, model.force, warm_up=warm_up)


def truncated_unroll(model: Forecaster, windows: Tensor, interval: int, *, warm_up: int = 0) -> Tensor:
    """`free_unroll` with the gradient, but not the state, cut every `interval` steps."""
    return _segments(model, windows, interval, lambda state, _: state.detach(), warm_up=warm_up)


def blended_unroll(model: Forecaster, windows: Tensor, weights: Tensor, *, warm_up: int = 0) -> Tensor:
    """Predict the last T observations with the state blended with the forced state before every step but the first.

    The map is applied to (1 - w) z + w force(z, x): w = 0 runs freely, w = 1 forces.

    Args:
        windows: `(K, B, W + T + 1, D)`.
        weights: w, `(K, B or 1, T - 1)`.
        warm_up: W [steps].

    Returns:
        `(K, B, T, D)`.
    """
    history, driving = windows[:, :, : warm_up + 1], windows[:, :, warm_up:-1]
    predicted = _by_kernel(model, windows, driving[:, :, 1:], lambda values: Forcing(values, weights), warm_up)
    if predicted is not None:
        return predicted
    batch, steps = driving.shape[1:3]
    observations = driving.unbind(2)
    signals = None
    if model.resets:  # forced states then depend on the data only: compute all at once
        signals = model.initial_state(driving.flatten(1, 2).unsqueeze(2)).unflatten(1, (batch, steps)).unbind(2)
    state, states = model.initial_state(history) if signals is None else signals[0], []
    for t in range(steps):
        if t:
            signal = model.force(state, observations[t]) if signals is None else signals[t]
            state = torch.lerp(state, signal, weights[:, :, t - 1, None])
        state = model.step(state)
        states.append(state)
    return model.observe(torch.stack(states, dim=2))


def blended_error(model: Forecaster, windows: Tensor, weights: Tensor, *, warm_up: int = 0) -> Tensor:
    """Return the mean squared error of `blended_unroll` beside the data, `(K,)`, computed as `forced_error` is."""
    data = windows[:, :, warm_up + 1 :]
    backend = kernels.comparing_backend_for(windows, data.shape[2])
    if backend is None or (network := model.network_for(backend)) is None:
        return squared_error(blended_unroll(model, windows, weights, warm_up=warm_up), data)
    forcing = Forcing(_signals(model, data[:, :, :-1]), weights)
    start = model.initial_state(windows[:, :, : warm_up + 1])
    return kernels.squared_error(backend, network, start, data, steps=data.shape[2], forcing=forcing)


def _signals(model: Forecaster, observations: Tensor) -> Tensor:
    """Return the values that forcing gives to units, `(K, B, n, D) -> (K, B, n, N)`."""
    return torch.unflatten(model.signals(observations.flatten(1, 2)), 1, observations.shape[1:3])


def _by_kernel(
    model: Forecaster, windows: Tensor, data: Tensor, forcing: Callable[[Tensor], Forcing], warm_up: int
) -> Tensor | None:
    """Predict with forcing inside a compiled kernel; None if none applies.

    Args:
        data: the observations that force the model, `(K, B, n, D)`.
        forcing: makes a `Forcing` of the values `(K, B, n, N)` that the model's units are forced to.
    """
    steps = windows.shape[2] - 1 - warm_up
    backend = kernels.backend_for(windows, steps)
    if backend is None or (network := model.network_for(backend)) is None:
        return None
    start = model.initial_state(windows[:, :, : warm_up + 1])
    return kernels.unroll(backend, network, start, steps, forcing(_signals(model, data)))[0]


def _folded(model: Forecaster, windows: Tensor, interval: int, start: Callable[[Tensor], Tensor]) -> Tensor:
    steps = windows.shape[2] - 1
    interval = min(interval, steps)
    starts = windows[:, :, :-1:interval]  # (K, B, segments, D)
    batch, segments = starts.shape[1:3]
    predicted, _ = model.predict(start(starts.flatten(1, 2)), interval)  # (K, B * segments, interval, D)
    return torch.unflatten(predicted, 1, (batch, segments)).flatten(2, 3)[:, :, :steps]  # the last may overhang


def _segments(
    model: Forecaster,
    windows: Tensor,
    interval: int,
    restart: Callable[[Tensor, Tensor], Tensor],
    *,
    warm_up: int,
) -> Tensor:
    steps = windows.shape[2] - 1 - warm_up
    state, parts = model.initial_state(windows[:, :, : warm_up + 1]), []
    for start in range(0, steps, interval):
        if start:
            state = restart(state, windows[:, :, warm_up + start])
        predicted, state = model.predict(state, min(interval, steps - start))
        parts.append(predicted)
    return torch.cat(parts, dim=2)
