import torch
from solvable_maps import Linear, states
from torch.testing import assert_close

from chaosbench.dynamics import orbit


def test_an_orbit_begins_one_step_after_its_start():
    linear, start = Linear(states(3, 3)), states(2, 3)
    path = orbit(linear.step, start, steps=4)
    assert path.shape == (2, 4, 3)
    for index in range(4):
        assert_close(path[:, index], start @ torch.linalg.matrix_power(linear.W, index + 1).mT)


def test_transient_and_stride_drop_states_without_changing_the_others():
    linear, start = Linear(states(3, 3) / 3), states(2, 2, 3)
    path = orbit(linear.step, start, steps=11)
    assert torch.equal(orbit(linear, start, steps=3, transient=2, every=3), path[..., 4::3, :])


def test_an_orbit_of_a_single_state_has_no_batch_axis():
    assert orbit(torch.tanh, states(3), steps=5).shape == (5, 3)


def test_gradients_flow_through_an_orbit():
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    path = orbit(lambda state: weight * state, torch.ones(1, dtype=torch.float64), steps=3)
    (gradient,) = torch.autograd.grad(path[-1].sum(), weight)
    assert_close(gradient, torch.tensor(3 * 0.5**2, dtype=torch.float64))
