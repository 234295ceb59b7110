"""Tangents by reverse mode: the same as by forward mode, or not used."""

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import as_step_map, tangent_step_by_jvp
from chaosbench.dynamics.reverse_tangents import tangent_step_by_rows, with_cheap_tangents


def ring(state):
    return 2 * state * state.roll(1, -1) + state.sin() - 1 / (2 + state**2)


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3)], ids=str)
def test_rows_of_the_jacobian_give_the_tangents_of_forward_mode(shape):
    states, tangents = normal(*shape, 4), normal(*shape, 4, 3)
    for found, expected in zip(
        tangent_step_by_rows(ring, states, tangents), tangent_step_by_jvp(ring, states, tangents), strict=True
    ):
        assert_close(found, expected, rtol=1e-12, atol=1e-12)


def half_frozen(state):
    """Forward mode differentiates the friction, reverse mode does not."""
    with torch.no_grad():
        friction = 0.5 * state
    return state * state - friction


def chosen(step, states, count):
    step_map = as_step_map(step)
    with torch.no_grad():
        return with_cheap_tangents(step_map, states, normal(*states.shape, count)) is not step_map


def test_reverse_mode_is_used_where_it_is_exact_and_the_whole_jacobian_is_needed():
    assert chosen(ring, normal(3, 4), 4)
    assert not chosen(ring, normal(3, 4), 1)  # one tangent of four entries
    assert not chosen(half_frozen, normal(3, 4), 4)
    assert not chosen(torch.zeros_like, normal(3, 4), 4)


def test_reverse_mode_is_not_used_while_gradients_of_tangents_are_recorded():
    step_map = as_step_map(ring)
    assert with_cheap_tangents(step_map, normal(3, 4), normal(3, 4, 4)) is step_map
