"""Diagnoses of systems and networks whose gradients and exponents are known."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from chaosbench.dynamics.step_maps import tangent_step_by_jvp
from chaosbench.models import LSTM, ShallowPLRNN
from chaosbench.registry import load
from chaosbench.systems import Henon, LimitCycle, Lorenz63, Torus, TwoCycle
from chaosbench.systems.base import SystemSpec
from chaosbench.theory import diagnose
from chaosbench.theory.verdict import tolerance

CHAOTIC = [
    system
    for kind, spec in sorted(load().kinds["system"].items())
    if not any(field.is_required() for field in spec.model_fields.values())
    and isinstance(system := spec.model_validate({}), SystemSpec)
    and system.reference is not None
    and system.reference.chaotic
]
QUICK = ("henon", "logistic", "lozi", "tent", "lorenz63")


def on_attractor(system: SystemSpec, count: int) -> torch.Tensor:
    return system.initial_state(count, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "system",
    [pytest.param(each, marks=[] if each.kind in QUICK else [pytest.mark.slow]) for each in CHAOTIC],
    ids=lambda system: system.kind,
)
def test_gradients_of_every_chaotic_system_grow_at_its_certified_exponent(system: SystemSpec):
    """This is Theorem 2. The certified exponent comes from other orbits; `tolerance` combines the errors of both.

    Many initial conditions are used, so that Student's quantile is close to the normal one.
    """
    reference = system.reference
    assert reference is not None
    starts = on_attractor(system, 24)
    diagnosis = diagnose(system, starts, dt=system.dt, conditions=24, horizon=2_048, steps=20, exponents=1)
    rate = diagnosis.growth.rate()
    gamma, width = float(rate.slope) / system.dt, float(rate.interval) / system.dt
    allowed = tolerance(width, reference.intervals[0], resolution=reference.resolution)
    assert abs(gamma - reference.largest) <= allowed
    assert width < 0.3 * reference.largest, "a wider interval would agree with anything"


def test_gradients_on_a_cycle_vanish_at_half_the_logarithm_of_its_multiplier():
    """The multiplier over two steps is |4 + 2 r - r²| = 0.16 at r = 3.2.

    Odd horizons end at the other point of the cycle, where ln |J| differs by 3.13. The curve therefore alternates by
    1.57 around a line, which changes the slope over 3,840 steps by less than 3 * 1.57 / 3,840.
    """
    system = TwoCycle()
    diagnosis = diagnose(system, on_attractor(system, 4))
    numbers = {number.name: number.value for number in diagnosis.runs()[0].records()}
    assert float(numbers["gradient_growth"]) == pytest.approx(math.log(0.16) / 2, abs=1.3e-3)
    assert float(numbers["lyapunov_exponent_1"]) == pytest.approx(math.log(0.16) / 2, abs=1e-6)
    assert numbers["period"] == 2.0


@pytest.mark.parametrize("system", [Torus(), LimitCycle()], ids=lambda system: system.kind)
def test_gradients_of_a_quasi_periodic_orbit_do_not_grow_exponentially(system: SystemSpec):
    """Theorem 3: on a circle or torus, tangents along the flow keep their length within a bounded factor."""
    diagnosis = diagnose(system, on_attractor(system, 2), dt=system.dt, horizon=1_024, steps=500, transient=100)
    assert abs(float(diagnosis.growth.rate().slope)) < 1e-3
    assert set(diagnosis.motion.regimes()) == {"quasi-periodic"}


def test_the_spectrum_and_its_dimension_are_those_of_the_system():
    """ln 0.3 is the sum of the Hénon map's exponents for any orbit.

    0.4192 and the Kaplan-Yorke dimension 1.258: Sprott 2003, Chaos and Time-Series Analysis, appendix A.
    """
    system = Henon()
    diagnosis = diagnose(system, on_attractor(system, 32), steps=4_000)
    numbers = {number.name: number.value for number in diagnosis.runs()[0].records()}
    assert numbers["lyapunov_exponent_1"] + numbers["lyapunov_exponent_2"] == pytest.approx(math.log(0.3), abs=1e-10)
    assert numbers["lyapunov_exponent_1"] == pytest.approx(0.4192, abs=2 * numbers["lyapunov_exponent_1_interval"])
    assert numbers["kaplan_yorke_dimension"] == pytest.approx(1.258, abs=0.01)
    assert numbers["entropy_bound"] == pytest.approx(numbers["lyapunov_exponent_1"])
    assert numbers["bounded_share"] == 1.0


def test_the_singular_values_of_single_jacobians_multiply_to_their_determinant():
    """The determinant is |det J| = 0.3 at every state."""
    sizes = diagnose(Henon(), on_attractor(Henon(), 2), steps=100, horizon=64).sizes
    assert_close(sizes.largest * sizes.smallest, torch.full_like(sizes.largest, 0.3), atol=1e-12, rtol=0)


def test_a_seed_diagnosed_with_others_has_the_same_numbers_as_alone():
    model, single = LSTM(hidden=6).build(2, (3, 5)).double(), LSTM(hidden=6).build(2, (5,)).double()
    starts = 0.3 * torch.randn(2, 3, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    settings = {"horizon": 128, "steps": 100, "transient": 50, "exponents": 3}
    both, alone = diagnose(model, starts, **settings), diagnose(single, starts[1:], **settings)
    assert_close(both.growth.values[1:], alone.growth.values, atol=1e-9, rtol=0)
    assert both.loss_growth is not None
    assert alone.loss_growth is not None
    assert_close(both.loss_growth.values[1:], alone.loss_growth.values, atol=1e-9, rtol=0)
    assert_close(both.spectrum[1:], alone.spectrum, atol=1e-9, rtol=0)


def test_a_seed_that_blows_up_is_divergent_and_does_not_affect_others():
    model = ShallowPLRNN(hidden=6).build(2, (0, 1))
    starts = 0.3 * torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.diagonal.mul_(0.5)
    calm = diagnose(model, starts, horizon=64, steps=100, transient=20)
    with torch.no_grad():
        model.diagonal[1] = 3.0
    wild = diagnose(model, starts, horizon=64, steps=100, transient=20)
    assert wild.motion.bounded.tolist() == [[True] * 4, [False] * 4]
    assert torch.equal(wild.spectrum[0], calm.spectrum[0])
    assert torch.equal(wild.growth.values[0], calm.growth.values[0])


def test_a_network_trained_elsewhere_needs_only_a_step():
    """A plain module for one seed, called on `(C, S)`."""

    class Elsewhere(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3, dtype=torch.float64)

        def forward(self, state):
            return torch.tanh(self.linear(state))

    torch.manual_seed(0)
    diagnosis = diagnose(Elsewhere(), torch.randn(4, 3, dtype=torch.float64), horizon=64, steps=100)
    assert diagnosis.loss_growth is not None
    assert diagnosis.spectrum.shape == (1, 3)
    assert set(diagnosis.motion.regimes()) == {"fixed point"}


def test_a_cell_that_accepts_only_two_axes_is_diagnosed():
    """It is torch's LSTM cell with zero input and the state (h, c) in one vector; both gradients equal autograd's."""

    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTMCell(1, 4, dtype=torch.float64)

        def forward(self, state):
            assert state.dim() == 2
            hidden, cell = state.chunk(2, dim=-1)
            return torch.cat(self.cell(state.new_zeros(len(state), 1), (hidden, cell)), dim=-1)

    torch.manual_seed(0)
    cell, starts = Cell(), torch.randn(3, 8, dtype=torch.float64)
    diagnosis = diagnose(cell, starts, horizon=16, steps=50, transient=10, conditions=3)
    jacobian = torch.autograd.functional.jacobian(lambda z: cell(cell(z[None]))[0], starts[1])
    assert_close(diagnosis.growth.at(2)[0, 1], torch.linalg.matrix_norm(jacobian, ord=2).log(), atol=1e-12, rtol=0)
    assert diagnosis.loss_growth is not None
    error = cell(cell(starts[1:2])).square().sum() / 2
    gradients = torch.autograd.grad(
        error, [parameter for name, parameter in cell.named_parameters() if name != "cell.weight_ih"]
    )
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    assert_close(diagnosis.loss_growth.at(2)[0, 1], norm.log(), atol=1e-12, rtol=0)


def test_a_function_of_numpy_arrays_is_diagnosed_like_one_of_tensors():
    """Central differences have an error of 1e-10 times the state; over a hundred steps it stays below 1e-6."""

    def henon(state):
        x, y = state.T
        return np.stack([1 - 1.4 * x * x + y, 0.3 * x], axis=1)

    starts = on_attractor(Henon(), 4)
    arrays, tensors = (
        diagnose(step, states, horizon=64, steps=100, transient=20)
        for step, states in ((henon, starts.numpy()), (Henon(), starts))
    )
    assert_close(arrays.growth.at(16), tensors.growth.at(16), atol=1e-6, rtol=0)
    total = arrays.spectrum.sum(-1)
    assert_close(total, torch.full_like(total, math.log(0.3)), atol=1e-6, rtol=0)


def test_a_diagnosis_of_lorenz_gives_its_published_exponent():
    system = Lorenz63()
    diagnosis = diagnose(system, on_attractor(system, 16), dt=system.dt, steps=1_000, transient=100, horizon=64)
    numbers = {number.name: number.value for number in diagnosis.runs()[0].records()}
    total = sum(numbers[f"lyapunov_exponent_{index}"] for index in (1, 2, 3))
    assert total == pytest.approx(-(10 + 1 + 8 / 3), abs=1e-6)  # the trace of the vector field
    error = abs(numbers["lyapunov_exponent_1"] - 0.9056)  # Viswanath 1998
    assert error <= 2 * numbers["lyapunov_exponent_1_interval"]


def test_central_differences_work_at_zero():
    """At h = 0 the Jacobian of tanh(W h) is W, so the growth after one step is the logarithm of its norm."""
    weight = np.array([[0.9, 0.3], [-0.2, 0.7]])
    diagnosis = diagnose(lambda state: np.tanh(state @ weight.T), np.zeros((2, 2)), horizon=8, steps=20, transient=0)
    expected = math.log(np.linalg.norm(weight, ord=2))
    assert diagnosis.growth.at(1)[0].tolist() == pytest.approx([expected] * 2, abs=1e-8)


def test_exponents_are_means_over_the_runs_that_stay_bounded():
    """Orbits of x' = 1.1 x (1 - x²) from (0, 1) converge to x² = 1 / 11, with slope 1.1 - 3.3 x² = 0.8; 2 escapes."""
    starts = torch.tensor([[[0.4], [0.5], [0.6], [2.0]]], dtype=torch.float64)
    diagnosis = diagnose(lambda x: 1.1 * x * (1 - x * x), starts, steps=200, transient=200, horizon=16)
    assert diagnosis.motion.bounded.tolist() == [[True, True, True, False]]
    assert float(diagnosis.spectrum) == pytest.approx(math.log(0.8), abs=1e-6)
    assert float(diagnosis.intervals) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("count", [1, 2])
def test_few_initial_conditions_have_wide_intervals_or_none(count: int):
    """Student's quantile is 12.7 for two and not defined for one."""
    diagnosis = diagnose(Henon(), on_attractor(Henon(), count), conditions=count, steps=200, horizon=64)
    assert bool(diagnosis.intervals.isnan().all()) == (count == 1)
    if count == 2:
        each = diagnosis.motion.blocks.mean(-2)[0]
        expected = 12.7062 * (each[0] - each[1]).abs() / 2  # for two numbers s / sqrt 2 is half of their difference
        assert_close(diagnosis.intervals[0].sort().values, expected.sort().values, rtol=1e-4, atol=0)


class Scaled(nn.Module):
    """A map with one trainable parameter, whose tangent step multiplies every Jacobian by `factor`."""

    def __init__(self, step, parameter: float, factor: float) -> None:
        super().__init__()
        self.map, self.factor = step, factor
        self.parameter = nn.Parameter(torch.tensor(parameter, dtype=torch.float64))

    def step(self, state):
        return self.map(state, self.parameter)

    def tangent_step(self, state, tangents):
        moved, grown = tangent_step_by_jvp(self.step, state, tangents)
        return moved, self.factor * grown


def henon(state, a):
    x, y = state.unbind(-1)
    return torch.stack([1 - a * x * x + y, 0.3 * x], dim=-1)


def circle(state, angle):
    """Approach the unit circle and turn by an angle."""
    x, y = (state * (1.5 - 0.5 * state.square().sum(-1, keepdim=True))).unbind(-1)
    return torch.stack([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=-1)


def logistic(state, r):
    return r * state * (1 - state)


def along_the_circle(states):
    """Return a loss whose gradient is the unit tangent of the circle."""
    return (states * torch.stack([-states[..., 1], states[..., 0]], dim=-1).detach()).sum(-1)


def first_observable(states):
    return (states[..., 0] - 0.3).square()


CIRCLE = torch.nn.functional.normalize(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)).double())
CYCLE = on_attractor(TwoCycle(), 6)


def verdict_of(step, parameter: float, starts: torch.Tensor, loss, *, factor: float = 1.0):
    """Return the verdict on a map whose tangent steps are wrong by a factor."""
    tangents = Scaled(step, parameter, factor)
    diagnosis = diagnose(tangents, starts, conditions=len(starts), horizon=256, steps=400, transient=100, loss=loss)
    (verdict,) = diagnosis.verdicts()
    return verdict


@pytest.mark.parametrize(
    ("step", "parameter", "starts", "loss", "factor", "theorem"),
    [
        (henon, 1.4, on_attractor(Henon(), 12), first_observable, 0.8, "grow"),
        (circle, 2.4, CIRCLE, along_the_circle, 1.25, "neither"),
    ],
)
def test_wrong_tangent_steps_are_contradicted_by_the_loss_gradient(step, parameter, starts, loss, factor, theorem):
    """gamma and lambda_1 are both wrong by ln(factor) and agree; autograd does not use the tangent step.

    Hénon's lambda_1 of 0.42 becomes 0.42 + ln 0.8 = 0.20. On the circle lambda_1 = 0 becomes ln 1.25, as for chaos, but
    the loss gradient is T, the derivative of the phase with respect to the angle.
    """
    right = verdict_of(step, parameter, starts, loss)
    wrong = verdict_of(step, parameter, starts, loss, factor=factor)
    assert (right.expected, right.self_consistent, right.consistent) == (theorem, True, True)
    assert (wrong.expected, wrong.self_consistent, wrong.consistent) == ("grow", True, False)
    assert any("tangent_step" in suspect or "detached" in suspect for suspect in wrong.suspects)


def test_the_loss_gradient_on_a_cycle_is_bounded():
    verdict = verdict_of(logistic, 3.2, CYCLE, first_observable)
    assert (verdict.expected, verdict.self_consistent, verdict.consistent) == ("vanish", True, True)
