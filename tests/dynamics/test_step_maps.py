import pytest
import torch
from solvable_maps import Linear, lozi, recurrent, states
from torch.testing import assert_close

from chaosbench.dynamics import as_function, as_step_map, tangent_step_by_jvp
from chaosbench.errors import StepError


def test_forward_mode_equals_an_analytic_jacobian():
    network, points, tangents = lozi(), states(7, 2), states(7, 2, 2, seed=2)
    assert_close(tangent_step_by_jvp(network.step, points, tangents), network.tangent_step(points, tangents))


def test_tangents_share_the_last_batch_axis():
    """Networks with a leading axis of seeds require exactly three axes; reverse mode is the second implementation."""
    networks, points, tangents = recurrent(), states(2, 3, 5), states(2, 3, 5, 4, seed=2)
    stepped, carried = tangent_step_by_jvp(networks.step, points, tangents)
    assert_close(stepped, networks.step(points))
    jacobian = torch.autograd.functional.jacobian(networks.step, points)
    expected = torch.einsum("kbskbr,kbrm->kbsm", jacobian, tangents)
    assert_close(carried, expected)


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 1, 3)])
def test_forward_mode_takes_any_leading_axes(leading):
    linear = Linear(states(4, 4))
    points, tangents = states(*leading, 4), states(*leading, 4, 2, seed=2)
    stepped, carried = tangent_step_by_jvp(linear.step, points, tangents)
    assert_close(stepped, points @ linear.W.mT)
    assert_close(carried, linear.W @ tangents)


def test_expanded_states_and_tangents_are_accepted():
    linear = Linear(states(4, 4))
    tangents = torch.eye(4, dtype=torch.float64)[:, :1].expand(3, 4, 1)
    _, carried = tangent_step_by_jvp(linear.step, states(1, 4).expand(3, 4), tangents)
    assert_close(carried, linear.W[:, :1].expand(3, 4, 1))


def test_tangents_of_a_step_that_ignores_its_state_are_zero():
    _, carried = tangent_step_by_jvp(lambda state: torch.ones(state.shape), states(3, 4), states(3, 4, 2))
    assert torch.equal(carried, torch.zeros(3, 4, 2, dtype=torch.float64))


def test_tangents_can_be_differentiated_themselves():
    weights = states(4, 4).requires_grad_()
    _, carried = tangent_step_by_jvp(lambda z: z @ weights.mT, states(3, 4), torch.eye(4).double().expand(3, 4, 4))
    (gradient,) = torch.autograd.grad(carried.sum(), weights)
    assert_close(gradient, torch.full((4, 4), 3.0, dtype=torch.float64))


def test_inference_mode_is_rejected_because_it_would_lose_the_tangents():
    with torch.inference_mode(), pytest.raises(AssertionError, match="no_grad"):
        tangent_step_by_jvp(torch.tanh, states(3, 4), states(3, 4, 2))


def test_the_step_of_a_module_is_used_rather_than_its_call():
    class Module(torch.nn.Module):
        def step(self, state):
            return 2 * state

    assert torch.equal(as_function(Module())(torch.ones(3)), torch.full((3,), 2.0))
    stepped, carried = as_step_map(Module()).tangent_step(torch.ones(3), torch.eye(3))
    assert torch.equal(stepped, torch.full((3,), 2.0))
    assert torch.equal(carried, 2 * torch.eye(3))


def test_an_object_that_cannot_step_is_rejected():
    with pytest.raises(StepError, match="3"):
        as_function(3)
