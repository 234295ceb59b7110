"""Gradient growth and Lyapunov spectra of networks against the obvious methods, in float64."""

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.lines import Line
from benchmarks.reference_loops import (
    backward_per_dimension,
    backward_per_horizon,
    published_spectrum,
    spectrum_by_autograd,
)
from benchmarks.rounds import Way, compared
from chaosbench.dynamics import jacobian_growth, log_spaced, lyapunov_spectrum
from chaosbench.models import GRU, LSTM, PLRNN, RNN, Forecaster, ModelSpec
from chaosbench.seeds import seed_generator

STEPS, CONDITIONS, UNITS = 1_000, 16, 30  # T [steps], B, M
ENSEMBLE = 10  # conditions of a spectrum
EVERY = 5  # [steps] between our QR decompositions; rivals decompose at each step
PER_HORIZON, PER_DIMENSION = "a backward call per horizon", "a backward call per dimension"
ANALYTIC, AUTOGRAD = "loop with analytic Jacobians", "Jacobians by autograd"

QUICK: tuple[ModelSpec, ...] = (RNN(hidden=UNITS), PLRNN(hidden=UNITS))
SLOW: tuple[ModelSpec, ...] = (GRU(hidden=UNITS), LSTM(hidden=UNITS))  # a rival's call takes half a minute


def lines(*, long: bool) -> Iterator[Line]:
    """Time the spectrum and the growth of gradients; `long` adds gated networks."""
    yield from spectrum()
    for spec in (*QUICK, *(SLOW if long else ())):
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
