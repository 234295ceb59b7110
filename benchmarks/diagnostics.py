"""Gradient growth and Lyapunov spectra of networks against the obvious methods, in float64."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from benchmarks.lines import Line
from benchmarks.reference_loops import (
    backward_per_dimension,
    backward_per_horizon,
    published_spectrum,
    spectrum_by_autograd,
)
from benchmarks.rounds import Way, compared
from chaosbench.dynamics import Step, jacobian_growth, log_spaced, lyapunov_spectrum, runge_kutta_step
from chaosbench.kernels import plain_torch
from chaosbench.models import GRU, LSTM, PLRNN, RNN, Forecaster, ModelSpec
from chaosbench.seeds import seed_generator
from chaosbench.systems import Lorenz63

STEPS, CONDITIONS, UNITS = 1_000, 16, 30  # T [steps], B, M
ENSEMBLE = 10  # conditions of a spectrum
LONG_ORBIT = 100_000  # [steps]
DT = 0.01  # [system time]
EVERY = 5  # [steps] between our QR decompositions; rivals decompose at each step
PER_HORIZON, PER_DIMENSION = "a backward call per horizon", "a backward call per dimension"
ANALYTIC, AUTOGRAD = "loop with analytic Jacobians", "Jacobians by autograd"

NETWORKS: tuple[ModelSpec, ...] = (RNN(hidden=UNITS), PLRNN(hidden=UNITS), GRU(hidden=UNITS), LSTM(hidden=UNITS))


def lines(*, long: bool) -> Iterator[Line]:  # noqa: ARG001  # all benchmarks take it
    """Time the spectrum and the growth of gradients."""
    yield from spectrum()
    yield from system_spectrum()
    yield from users_flow()
    for spec in NETWORKS:
        yield from growth(spec)


def growth(spec: ModelSpec) -> list[Line]:
    """Time the norm of the whole Jacobian at log-spaced horizons.

    A backward call per horizon gives the gradient of a scalar of the state alone, at all horizons; one per dimension
    gives the whole Jacobian, at the last horizon.
    """
    model, states = started(spec, CONDITIONS)
    check_growth(model, states)
    rivals = {
        PER_HORIZON: Way(lambda: backward_per_horizon(model, states, STEPS)),
        PER_DIMENSION: Way(lambda: backward_per_dimension(model, states, STEPS)),
    }
    few = log_spaced(STEPS)
    line = Line("diagnostics", f"gradient growth of {spec.kind}", K=1, T=STEPS, M=UNITS)
    return compared(line, Way(lambda: jacobian_growth(model, states, steps=STEPS, horizons=few)), rivals)


def spectrum() -> list[Line]:
    """Time the whole spectrum of a tanh network."""
    model, states = started(RNN(hidden=UNITS), ENSEMBLE, scale=3.0)
    weight, bias = model.weight[0].detach(), model.bias[0, 0].detach()  # type: ignore[index]  # of AutonomousRNN
    rivals = {
        ANALYTIC: Way(lambda: published_spectrum(weight, bias, states[0], STEPS)),
        AUTOGRAD: Way(lambda: spectrum_by_autograd(model, states, STEPS)),
    }

    def ours() -> Tensor:
        return lyapunov_spectrum(model, states, steps=STEPS, every=EVERY)

    found = ours()[0].mean(0)
    for other in (published_spectrum(weight, bias, states[0], STEPS), spectrum_by_autograd(model, states, STEPS)[0]):
        # Ours starts from other tangents, which costs 2e-3 over so many steps.
        torch.testing.assert_close(other.sort(dim=-1, descending=True).values.mean(0), found, rtol=0, atol=1e-2)
    line = Line("diagnostics", "spectrum of rnn", K=1, T=STEPS, M=UNITS)
    return compared(line, Way(ours), rivals)


def system_spectrum() -> list[Line]:
    """Time the whole spectrum of Lorenz-63: of one orbit and of 256, which torch computes in the same time."""
    system = Lorenz63(dt=DT)
    starts = system.initial_state(256, seed_generator(0, "benchmark"))
    alone, together = (partial(spectrum_of, system, states, STEPS) for states in (starts[:1], starts))
    rivals = {
        "plain torch": Way(plain_torch()(alone)),
        "scipy DOP853, variational equations": Way(partial(by_scipy, starts[0].numpy(), STEPS)),
    }
    line = Line("diagnostics", "spectrum of lorenz63", K=1, T=STEPS)
    return [
        *compared(line, Way(alone), rivals, rounds=3),
        *compared(replace(line, K=256), Way(together), {"plain torch": Way(plain_torch()(together))}, rounds=3),
        *compared(replace(line, T=LONG_ORBIT), Way(partial(spectrum_of, system, starts[:1], LONG_ORBIT)), {}),
    ]


def users_flow() -> list[Line]:
    """Time the spectrum of a double pendulum, written as users write it, without a tangent field."""
    start = torch.tensor([[2.0, 2.5, 0.0, 0.0]], dtype=torch.float64)
    ours = partial(spectrum_of, lambda state: runge_kutta_step(double_pendulum, state, DT), start, STEPS)
    rivals = {"plain torch": Way(plain_torch()(ours))}
    return compared(Line("diagnostics", "spectrum of a double pendulum", K=1, T=STEPS), Way(ours), rivals, rounds=3)


def spectrum_of(step: Step, starts: Tensor, steps: int) -> Tensor:
    return lyapunov_spectrum(step, starts, steps=steps, every=EVERY, dt=DT)


def double_pendulum(state: Tensor) -> Tensor:
    """Return the derivatives of angles and angular velocities; masses and rods are equal."""
    a, b, v, w = state.unbind(-1)
    sine, cosine = torch.sin(b - a), torch.cos(b - a)
    below, pull, other = 2 - cosine**2, 9.81 * torch.sin(a), 9.81 * torch.sin(b)
    first = (v**2 * sine * cosine + other * cosine + w**2 * sine - 2 * pull) / below
    second = (2 * (pull * cosine - v**2 * sine - other) - w**2 * sine * cosine) / below
    return torch.stack([v, w, first, second], dim=-1)


def by_scipy(start: np.ndarray, steps: int) -> np.ndarray:
    """Return the spectrum of Lorenz-63 from twelve equations, with a QR decomposition every `EVERY` steps."""

    def field(_: float, joined: np.ndarray) -> np.ndarray:
        x, y, z = joined[:3]
        jacobian = np.array([[-10.0, 10.0, 0.0], [28.0 - z, -1.0, -x], [y, x, -8 / 3]])
        slope = [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8 / 3 * z]
        return np.concatenate([slope, (jacobian @ joined[3:].reshape(3, 3)).ravel()])

    state, tangents, growth = start, np.eye(3), np.zeros(3)
    for _ in range(steps // EVERY):
        joined = np.concatenate([state, tangents.ravel()])
        joined = solve_ivp(field, (0.0, EVERY * DT), joined, method="DOP853", rtol=1e-10, atol=1e-10).y[:, -1]
        tangents, triangle = np.linalg.qr(joined[3:].reshape(3, 3))
        state, growth = joined[:3], growth + np.log(np.abs(np.diag(triangle)))
    return growth / (steps * DT)


def started(spec: ModelSpec, conditions: int, *, scale: float = 1.0) -> tuple[Forecaster, Tensor]:
    """Return a model of a single seed in float64 with scaled recurrent weights, and initial states."""
    model = spec.build(3, (0,)).double()
    with torch.no_grad():
        if scale != 1.0:
            model.get_parameter("weight").mul_(scale)
        draws = torch.randn(1, conditions, 3, dtype=torch.float64, generator=seed_generator(0, "benchmark"))
        return model, model.initial_state(draws.unsqueeze(2))


def check_growth(model: Forecaster, states: Tensor) -> None:
    """Assert that our norm equals that of the rival's Jacobian."""
    expected = torch.linalg.matrix_norm(backward_per_dimension(model, states, 20), ord=2).log()
    growth = jacobian_growth(model, states, steps=20, horizons=(20,))[..., 0]
    torch.testing.assert_close(growth, expected, rtol=1e-9, atol=1e-9)
