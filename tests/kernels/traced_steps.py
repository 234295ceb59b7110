"""Random states, steps as machine code, and how closely their numbers must agree with those of torch."""

import torch
from torch.testing import assert_close

from chaosbench.kernels.compiled_step import CompiledStep
from chaosbench.kernels.tensor_trace import trace


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator())


def compiled_of(step, states) -> CompiledStep:
    return CompiledStep(trace(step, states[:1]), states.shape[-1], states.dtype)


def agree(found, expected, tolerance=1e-12):
    """Rounding counts relative to the largest entry of each result."""
    assert_close(found, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))
