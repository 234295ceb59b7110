import math

import pytest
import torch
from solvable_maps import states
from torch import nn
from torch.testing import assert_close

from chaosbench.dynamics import half_square, log_spaced, loss_gradient_growth, orbit


class Tanh(nn.Module):
    """K networks z' = tanh(W z + b), `(K, B, S)`."""

    def __init__(self, seeds: int, size: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.W = nn.Parameter(1.5 * states(seeds, size, size, seed=3, dtype=dtype) / size**0.5)
        self.b = nn.Parameter(states(seeds, 1, size, seed=4, dtype=dtype) / 10)

    def step(self, state):
        return torch.tanh(torch.baddbmm(self.b, state, self.W.mT))


class Plain(nn.Module):
    """A network of one seed without the method `step`, so that it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, dtype=torch.float64)

    def forward(self, state):
        return torch.tanh(2 * self.linear(state))


class Scaled(nn.Module):
    """z' = a z: dL_T/da = T a^(2 T - 1) z_0^2 for the loss z^2 / 2."""

    def __init__(self, a: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([[[a]]], dtype=dtype))

    def step(self, state):
        return self.a * state


HORIZONS = (1, 2, 5, 64, 65, 130)  # on both sides of the boundaries between segments of the sweep


def test_growth_of_the_loss_gradient_is_that_of_autograd_for_every_seed_and_member():
    """Both compute in float64; the sums have 130 terms whose sizes span a factor of e^20."""
    networks, start = Tanh(2, 5), states(2, 3, 5)
    target = states(2, 3, len(HORIZONS), 5, seed=9)

    def loss(ends):
        return (ends - target).square().sum(-1)

    growth = loss_gradient_growth(networks, start, horizons=HORIZONS, loss=loss, stacked=True)
    path = orbit(networks, start, steps=HORIZONS[-1])[:, :, [horizon - 1 for horizon in HORIZONS]]
    errors = loss(path)
    for seed in range(2):
        for member in range(3):
            for index in range(len(HORIZONS)):
                gradients = torch.autograd.grad(
                    errors[seed, member, index], list(networks.parameters()), retain_graph=True
                )
                norm = torch.cat([gradient[seed].flatten() for gradient in gradients]).norm()
                assert_close(growth[seed, member, index], norm.log(), atol=1e-9, rtol=0)


def test_a_plain_module_is_swept_member_by_member():
    torch.manual_seed(2)
    module, start = Plain(), states(3, 4)
    growth = loss_gradient_growth(module, start, horizons=(1, 20, 70))
    path = orbit(module, start, steps=70)
    for member in range(3):
        for index, horizon in enumerate((1, 20, 70)):
            error = half_square(path[member, horizon - 1])
            gradients = torch.autograd.grad(error, list(module.parameters()), retain_graph=True)
            norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
            assert_close(growth[member, index], norm.log(), atol=1e-9, rtol=0)


@pytest.mark.parametrize("a", [1.02, 0.95])
def test_growth_is_exact_where_the_gradient_itself_would_leave_single_precision(a):
    """At a = 1.02 states reach 1.02^4096 = e^81, and T a^(2 T - 1) z_0^2 = e^169; float32 overflows at e^88."""
    module, start = Scaled(a, torch.float64), torch.tensor([[[0.5]]], dtype=torch.float64)
    horizons = log_spaced(4_096, each_octave=1)
    growth = loss_gradient_growth(module, start, horizons=horizons, stacked=True)
    exact = [math.log(T) + (2 * T - 1) * math.log(a) + 2 * math.log(0.5) for T in horizons]
    assert_close(growth[0, 0], torch.tensor(exact, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_adjoints_beyond_single_precision_keep_their_logarithm():
    """A step has the value sign(z) but the derivative 1.9: states stay at 1 and gradients grow as 1.9^T = e^1314."""

    class SignOfScaled(Scaled):
        def step(self, state):
            stretched = self.a * state
            return stretched - (stretched - stretched.sign()).detach()

    module = SignOfScaled(1.9, torch.float32)
    growth = loss_gradient_growth(module, torch.ones(1, 1, 1), horizons=(1_024, 2_048), stacked=True)
    # dz_T/da = sum_r 1.9^(T - r), a geometric sum
    exact = [T * math.log(1.9) - math.log(0.9) for T in (1_024, 2_048)]
    assert_close(growth[0, 0], torch.tensor(exact), rtol=1e-5, atol=0)


def test_an_orbit_that_blows_up_does_not_change_a_bit_of_the_others():
    networks, start = Tanh(2, 3), states(2, 2, 3)
    calm = loss_gradient_growth(networks, start, horizons=(1, 8), stacked=True)
    start[1, 0] = torch.nan
    lost = loss_gradient_growth(networks, start, horizons=(1, 8), stacked=True)
    assert torch.equal(lost[0], calm[0])
    assert torch.equal(lost[1, 1], calm[1, 1])
    assert bool(lost[1, 0].isnan().all())
