"""Equations of plug-ins work as people write them, or are rejected in one sentence."""

import math
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from chaosbench import Flow, Map, lyapunov_spectrum
from chaosbench.errors import PluginError, StepError
from chaosbench.models.stack import stack
from chaosbench.systems import Lorenz63
from chaosbench.testing import check_system


class Unpacked(Flow):
    """Lorenz's equations, written for a single state."""

    kind: Literal["unpacked"] = "unpacked"
    dimension: ClassVar[int] = 3
    start: ClassVar[tuple[float, ...] | None] = (1.0, 1.0, 20.0)
    transient: ClassVar[float] = 1.0

    def vector_field(self, state):
        x, y, z = state
        return torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])


class Columns(Unpacked):
    """The same for rows, whose coordinates are unpacked."""

    def vector_field(self, state):
        x, y, z = state.T
        return torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]).T


class Arrays(Unpacked):
    """The same with numpy."""

    def vector_field(self, state):
        x, y, z = np.asarray(state)
        return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])


class Detached(Unpacked):
    """A field that keeps a part of its derivative."""

    def vector_field(self, state):
        x, y, z = state
        return torch.stack([10 * (y - x), x * (28 - z.item()) - y, x * y - 8 / 3 * z])


class HenonOfOneState(Map):
    """The Hénon map, written for a single state."""

    kind: Literal["henon_of_one_state"] = "henon_of_one_state"
    dimension: ClassVar[int] = 2

    def step(self, state):
        x, y = state
        return torch.stack([1 - 1.4 * x**2 + y, 0.3 * x])


@pytest.mark.parametrize("spec", [Unpacked, Columns, Arrays])
def test_a_flow_of_a_plug_in_steps_like_lorenz_however_it_is_written(spec: type[Flow]):
    """Three states of three coordinates hide an unpacked batch axis."""
    states = torch.tensor([[1.0, 2.0, 20.0], [-3.0, 1.0, 15.0], [5.0, 5.0, 25.0]], dtype=torch.float64)
    assert_close(spec().step(states), Lorenz63().step(states))
    expected = lyapunov_spectrum(Lorenz63(), states, steps=20, dt=0.01)
    assert_close(lyapunov_spectrum(spec(), states, steps=20, dt=0.01), expected, atol=1e-5, rtol=0)


def test_a_flow_and_a_map_of_a_single_state_fulfil_the_contract():
    check_system(Unpacked(dt=0.02), steps=50)
    check_system(HenonOfOneState(), steps=50)


def test_exponents_of_a_map_of_a_single_state_sum_to_the_logarithm_of_b():
    states = HenonOfOneState().initial_state(2, torch.Generator().manual_seed(0))
    spectrum = lyapunov_spectrum(HenonOfOneState(), states, steps=50)
    assert_close(spectrum.sum(-1), torch.full((2,), math.log(0.3), dtype=torch.float64), atol=1e-9, rtol=0)


def test_a_field_that_keeps_a_part_of_its_derivative_is_named():
    with pytest.raises(StepError, match=r"Detached\.vector_field"):
        lyapunov_spectrum(Detached(), torch.ones(3, 3, dtype=torch.float64), steps=5)
    with pytest.raises(AssertionError, match=r"Detached\.vector_field"):
        check_system(Detached())


class Module(nn.Module):
    """A model of three observables whose step unpacks a single state."""

    state_size = 3

    def __init__(self, *, rows: bool) -> None:
        super().__init__()
        self.weight, self.rows = nn.Parameter(torch.rand(3)), rows

    def step(self, state):
        x, y, z = state.unbind(-1) if self.rows else state
        a, b, c = self.weight
        return torch.stack([a * x + y, b * y - z, c * x], dim=-1 if self.rows else 0)

    def observe(self, state):
        return state

    def force(self, state, observation):
        return observation


def test_a_module_that_unpacks_a_batch_is_rejected_when_it_is_built():
    assert stack([Module(rows=True)], 3).state_size == 3
    with pytest.raises(PluginError, match=r"Module\.step"):
        stack([Module(rows=False)], 3)


def observed_as(observe_state, tangent_field_at):
    """Return a system with these methods."""

    class Observed(Unpacked):
        dimension: ClassVar[int] = 2
        kind: Literal["observed"] = "observed"

        def observe(self, state):
            return observe_state(state)

        def tangent_field(self, state, tangents):
            return tangent_field_at(state, tangents)

    return Observed()


def jacobian_times(state, tangents):
    x, y, z = state
    dx, dy, dz = tangents
    return torch.stack([10 * (dy - dx), (28 - z) * dx - dy - x * dz, y * dx + x * dy - 8 / 3 * dz])


def jacobian_times_in_rows(state, tangents):
    x, y, z = (entry[..., None] for entry in state.unbind(-1))
    dx, dy, dz = tangents.unbind(-2)
    return torch.stack([10 * (dy - dx), (28 - z) * dx - dy - x * dz, y * dx + x * dy - 8 / 3 * dz], -2)


@pytest.mark.parametrize(
    "observe",
    [
        lambda state: torch.stack([state[0] + state[1], state[2]]),
        lambda state: (state[0] + state[1], state[2]),
        lambda state: np.array([state[0] + state[1], state[2]]),
        lambda state: torch.stack([state[..., 0] + state[..., 1], state[..., 2]], -1),
    ],
    ids=["one state", "a tuple", "numpy", "any axes"],
)
@pytest.mark.parametrize("tangent_field", [jacobian_times, jacobian_times_in_rows], ids=["one state", "any axes"])
@pytest.mark.parametrize("leading", [(), (3,), (5,), (2, 3)])
def test_observables_and_tangents_may_be_written_for_one_state(observe, tangent_field, leading):
    """The built-in system has the same equation, with an analytic derivative that takes any leading axes."""
    system = observed_as(observe, tangent_field)
    generator = torch.Generator().manual_seed(0)
    state = 5 * torch.randn(*leading, 3, dtype=torch.float64, generator=generator)
    tangents = torch.randn(*leading, 3, 2, dtype=torch.float64, generator=generator)
    expected = torch.stack([state[..., 0] + state[..., 1], state[..., 2]], -1)
    torch.testing.assert_close(system.observe(state), expected)
    torch.testing.assert_close(system.tangent_field(state, tangents), Lorenz63().tangent_field(state, tangents))
    stepped = system.tangent_step(state, tangents)
    torch.testing.assert_close(stepped, Lorenz63(dt=system.dt).tangent_step(state, tangents), rtol=1e-9, atol=1e-9)
