"""States that show observations, z = B⁺ x, with gradients, compiled where many small operations would take longer."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chaosbench.kernels.unroll import import_backend, kernels_apply

_MOST_SEEN = 8  # D; beyond, products take longer than torch needs to call them


def states_showing(weight: Tensor, observation: Tensor) -> Tensor | None:
    """Return B⁺ x, `(K, D, M), (K, n, D) -> (K, n, M)`, with gradients, once; None if plain torch must compute it.

    B⁺ is computed in double precision; where B Bᵀ is singular, the states are NaN.
    """
    (_, seen, units), alike = weight.shape, weight.dtype == observation.dtype and weight.device == observation.device
    small = seen <= min(units, _MOST_SEEN) and observation.numel() > 0
    if not small or not alike or weight.is_cuda or weight.dtype not in (torch.float32, torch.float64):
        return None
    if not kernels_apply() or import_backend("numba", "numba_readout") is None:
        return None
    states: Tensor = _States.apply(weight, observation)  # type: ignore[no-untyped-call]
    return states


class _States(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, observation: Tensor) -> Tensor:
        weight, observation = weight.contiguous(), observation.contiguous()
        states, ctx.solved = import_backend("numba", "numba_readout").forward(weight, observation)
        ctx.save_for_backward(weight, observation)
        return cast("Tensor", states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_states: Tensor) -> Any:
        backend = import_backend("numba", "numba_readout")
        return backend.backward(*ctx.saved_tensors, ctx.solved, by_states.contiguous())
