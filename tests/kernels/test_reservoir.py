"""Reservoirs by a compiled kernel, driven and free, beside plain torch."""

import pytest
import torch
from random_networks import by_both
from torch.testing import assert_close

from chaosbench.models import EchoStateNetwork
from chaosbench.models.echo_state_network import ClosedLoopEchoStateNetwork

pytest.importorskip("numba")

STEPS = 9
pytestmark = pytest.mark.usefixtures("memory_of_nan")


def built(spec: EchoStateNetwork, dimension: int) -> ClosedLoopEchoStateNetwork:
    torch.manual_seed(0)
    model = spec.build(dimension, (3, 4)).double()
    assert isinstance(model, ClosedLoopEchoStateNetwork)
    model.set_readout(torch.randn_like(model.readout.weight) / spec.hidden, torch.randn_like(model.readout.bias))
    return model


def driven_and_free(model: ClosedLoopEchoStateNetwork, samples: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    draws = torch.randn(2, samples, STEPS, model.dimension, dtype=torch.float64, generator=generator)
    state = model.initial_state(draws.to(model.weight)[:, :, :3])
    return [*model.drive_along(state, draws.to(model.weight)), *model.predict(state, STEPS)]


@torch.no_grad()
@pytest.mark.parametrize("units", [*range(1, 10), 17])
@pytest.mark.parametrize("dimension", [1, 3])
def test_driven_states_and_free_runs_of_all_small_sizes_agree_with_plain_torch(units: int, dimension: int):
    """Sums in another order differ by rounding; leaks on both sides of 1/2, where the formula changes."""
    for leak, samples in ((1.0, 1), (0.3, 5), (0.6, 2)):
        model = built(EchoStateNetwork(hidden=units, degree=4, leak=leak), dimension)
        for ours, torchs in zip(*by_both(lambda m=model, n=samples: driven_and_free(m, n)), strict=True):
            assert_close(ours, torchs, rtol=1e-12, atol=1e-13)


@torch.no_grad()
def test_rows_of_different_numbers_of_entries_agree_with_plain_torch():
    model = built(EchoStateNetwork(hidden=11, degree=5), 2)
    model.weight[0, 3] = 0.0
    model.weight[1, 5, :] = 0.1
    for ours, torchs in zip(*by_both(lambda: driven_and_free(model, 2)), strict=True):
        assert_close(ours, torchs, rtol=1e-12, atol=1e-13)


@torch.no_grad()
def test_single_precision_stays_close_to_double():
    """float32 rounds at 6e-8, and the reservoir contracts."""
    model = built(EchoStateNetwork(hidden=40), 3)
    expected = driven_and_free(model, 3)
    for ours, double in zip(driven_and_free(model.float(), 3), expected, strict=True):
        assert ours.dtype == torch.float32
        assert_close(ours.double(), double, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_nan_stays_within_its_seed():
    model = built(EchoStateNetwork(hidden=10), 3)
    alone = driven_and_free(model, 2)
    model.bias[0, 0, 0] = torch.nan
    for before, after in zip(alone, driven_and_free(model, 2), strict=True):
        assert after[0].isnan().any()
        assert torch.equal(before[1], after[1])


class Doubled(ClosedLoopEchoStateNetwork):
    def advance(self, derived, hidden_state, input_term):
        return 2 * super().advance(derived, hidden_state, input_term)


@torch.no_grad()
def test_a_subclass_with_steps_of_its_own_is_followed_by_plain_torch():
    model = Doubled(EchoStateNetwork(hidden=6), 2, (3, 4)).double()
    for ours, torchs in zip(*by_both(lambda: driven_and_free(model, 2)), strict=True):
        assert torch.equal(ours, torchs)


def test_gradients_are_left_to_plain_torch():
    model = built(EchoStateNetwork(hidden=6), 2)
    state = torch.zeros(2, 1, model.state_size, dtype=torch.float64, requires_grad=True)
    observed, _ = model.predict(state, STEPS)
    (gradient,) = torch.autograd.grad(observed.sum(), state)
    assert gradient.abs().max() > 0
