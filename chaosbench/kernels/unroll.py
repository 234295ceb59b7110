"""One unroll for models and trainers, with gradients, by the fastest backend that applies."""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chaosbench.kernels.network import Forcing, Network


class Backend(Protocol):
    """A module with a forward and a backward pass."""

    def forward(
        self, network: Network, start: Tensor, steps: int, forcing: Forcing | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return `(K, B, T, D)` observations, the last state `(K, B, M)`, and what `backward` needs."""

    def backward(
        self, network: Network, states: Tensor, forcing: Forcing | None, of_observed: Tensor, of_last: Tensor
    ) -> tuple[tuple[Tensor | None, ...], Tensor, Tensor | None]:
        """Return gradients by the coefficients, the start and the signals."""


def unroll_by(
    backend: Backend, network: Network, start: Tensor, steps: int, forcing: Forcing | None = None
) -> tuple[Tensor, Tensor]:
    """Return what is observed, `(K, B, T, D)`, and the last state, `(K, B, M)`, as `reference.unroll` does."""
    signals, weights, interval = (None, None, 1) if forcing is None else (forcing.signals, forcing.weights, forcing.interval)
    static = (backend, network, steps, weights, interval)
    return _Unroll.apply(static, start, signals, *network.coefficients)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, static: Any, start: Tensor, signals: Tensor | None, *tensors: Tensor | None) -> Any:
        backend, network, steps, weights, interval = static
        start = start.contiguous()
        tensors = tuple(None if one is None else one.contiguous() for one in tensors)
        signals = None if signals is None else signals.contiguous()
        forcing = None if signals is None else Forcing(signals, weights, interval)
        network = network.with_coefficients(tensors)
        observed, last, states = backend.forward(network, start, steps, forcing)
        ctx.save_for_backward(states, signals, *tensors)
        ctx.static = static
        return observed, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_observed: Tensor, of_last: Tensor) -> Any:
        backend, network, steps, weights, interval = ctx.static
        states, signals, *tensors = ctx.saved_tensors
        forcing = None if signals is None else Forcing(signals, weights, interval)
        network = network.with_coefficients(tuple(tensors))
        found = backend.backward(network, states, forcing, of_observed.contiguous(), of_last.contiguous())
        by_coefficients, by_start, by_signals = found
        return None, by_start, by_signals, *by_coefficients
