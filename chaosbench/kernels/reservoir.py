"""Reservoirs, driven by data or by their own output, by the compiled backend that applies."""

from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from chaosbench.kernels.unroll import backend_for, import_backend


@dataclass(frozen=True)
class Reservoir:
    """K networks r' = (1 - leak) r + leak tanh(W r + V x + b) with a sparse W, observed as x = C r + d.

    Attributes:
        weight: W, `(K, M, M)`.
        drive: V, `(K, M, D)`.
        bias: b, `(K, M)`.
        readout: C, `(K, D, M)`.
        offset: d, `(K, D)`.
    """

    weight: Tensor
    drive: Tensor
    bias: Tensor
    readout: Tensor
    offset: Tensor
    leak: float


class ReservoirBackend(Protocol):
    """A module that steps reservoirs, without gradients."""

    def respond(self, reservoir: Reservoir, state: Tensor, inputs: Tensor) -> Tensor:
        """Return the states after each input, `(K, B, M), (K, B, T, D) -> (K, B, T, M)`."""

    def run_freely(self, reservoir: Reservoir, state: Tensor, output: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Return the outputs of T steps and the last state, `(K, B, M), (K, B, D) -> (K, B, T, D), (K, B, M)`."""


def reservoir_backend_for(state: Tensor, reservoir: Reservoir, steps: int) -> ReservoirBackend | None:
    """Return the backend that steps reservoirs; None if plain torch must do it, also where it records gradients."""
    given = (state, reservoir.weight, reservoir.drive, reservoir.bias, reservoir.readout, reservoir.offset)
    recorded = torch.is_grad_enabled() and any(one.requires_grad for one in given)
    if recorded or state.device.type != "cpu" or backend_for(state, steps) is None:
        return None
    return cast("ReservoirBackend", import_backend("numba", "numba_reservoir"))
