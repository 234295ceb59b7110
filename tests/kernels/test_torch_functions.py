"""Elementary functions in compiled steps: those that torch itself calls, with its bits."""

import pytest
import torch
from torch.testing import assert_close

pytest.importorskip("numba")
from traced_steps import normal

from chaosbench.dynamics import orbit
from chaosbench.kernels import compiled_orbits, plain_torch
from chaosbench.kernels.compiled_step import CompiledStep
from chaosbench.kernels.tensor_trace import trace
from chaosbench.kernels.torch_functions import address_of
from chaosbench.systems import Duffing, SystemSpec, Thomas


@pytest.mark.skipif(address_of("sine", 64) is None, reason="this build of torch computes sines by itself")
@pytest.mark.parametrize("system", [Thomas(), Duffing()], ids=str)
@pytest.mark.parametrize("orbits", [1, 9])
def test_orbits_with_sines_have_the_bits_of_torch_where_its_own_functions_are_called(system: SystemSpec, orbits: int):
    states = system.random_starts(orbits, torch.Generator().manual_seed(0))
    assert compiled_orbits(system, system.step, states, steps=10**6) is not None
    with plain_torch():
        expected = orbit(system, states, steps=120)
    assert torch.equal(compiled_orbits(system, system.step, states, steps=10**6).orbit(states, steps=120), expected)


@pytest.mark.parametrize("function", ["sin", "cos", "tan", "atan", "exp", "log", "tanh", "sigmoid"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_functions_that_count_as_prescribed_have_the_bits_of_torch_at_any_number(function, dtype):
    """Single numbers and vectors, from tiny ones to those that overflow."""
    step = getattr(torch, function)
    numbers = (normal(20_000) * 10 ** torch.linspace(-10, 5, 20_000, dtype=torch.float64)).to(dtype)[:, None]
    compiled = CompiledStep(trace(step, numbers[:1]), 1, dtype)
    if compiled.prescribed:
        assert torch.equal(compiled.step(numbers).nan_to_num(), step(numbers).nan_to_num())
        few = numbers[::200]
        assert torch.equal(compiled.step(few, width=1).nan_to_num(), step(few).nan_to_num())
    else:
        assert_close(compiled.step(numbers), step(numbers), rtol=1e-6, atol=1e-6, equal_nan=True)
