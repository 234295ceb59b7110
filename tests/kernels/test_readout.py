"""The compiled B⁺ x and its gradients, against B⁺ = Bᵀ(B Bᵀ)⁻¹ in torch and against the definition of B⁺."""

import pytest
import torch

from chaosbench import kernels
from chaosbench.models.readouts import pseudo_inverse

pytest.importorskip("numba")


def given(seen: int, units: int, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(2, seen, units, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    observation = torch.randn(2, 5, seen, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    return weight, observation


@pytest.mark.parametrize(("seen", "units"), [(1, 1), (3, 30), (3, 3), (8, 11)])
def test_the_compiled_states_show_the_observations(seen, units):
    """B B⁺ x = x where B has full row rank; to the condition number of B Bᵀ, here below 1e4."""
    weight, observation = given(seen, units)
    states = kernels.states_showing(weight, observation)
    torch.testing.assert_close(torch.bmm(states, weight.mT), observation, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("seen", "units"), [(1, 1), (3, 30), (3, 3), (8, 11)])
def test_compiled_states_and_their_gradients_equal_those_of_torch(seen, units):
    weight, observation = given(seen, units)
    upstream = torch.randn(2, 5, units, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    results = []
    for states in (kernels.states_showing(weight, observation), torch.bmm(observation, pseudo_inverse(weight).mT)):
        results.append((states, *torch.autograd.grad(states, (weight, observation), upstream)))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * float(theirs.detach().abs().max()))


def test_a_singular_readout_gives_nan_for_its_seed_alone():
    weight, observation = given(3, 30, torch.float32)
    with torch.no_grad():
        weight[0, 1] = weight[0, 0]
        weight[0, 2] = 0
    states = kernels.states_showing(weight, observation)
    assert states[0].isnan().all()
    assert states[1].isfinite().all()


def test_torch_computes_what_no_kernel_is_made_for():
    assert kernels.states_showing(*given(3, 2)) is None, "more observables than units"
    assert kernels.states_showing(*given(9, 30)) is None, "large matrices"
    with kernels.plain_torch():
        assert kernels.states_showing(*given(3, 30)) is None
