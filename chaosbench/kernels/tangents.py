"""Tangent vectors along the orbits of networks, by the compiled backend that applies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from chaosbench.kernels.gated import GatedMap
from chaosbench.kernels.network import Network
from chaosbench.kernels.unroll import FEWEST_STEPS, backend_for, import_backend

_LARGEST = 128  # units; torch's products of larger matrices are as fast


@dataclass(frozen=True)
class TangentForcing:
    """Data that change N entries of the state before each step, and the tangents of these entries.

    Attributes:
        signals: what the entries are drawn to, `(K, B, T, N)`.
        weights: w in (1 - w) z + w signal, `(K, B, T)`.
        kept: factor of the entries' tangents, `(K, B, T)`: 1 - w, or 0 where gradients are cut.
        first: the first of the entries.
        renewed: whether all tangents become those of the start where the factor is 0.
    """

    signals: Tensor
    weights: Tensor
    kept: Tensor
    first: int = 0
    renewed: bool = False


class CompiledTangents(Protocol):
    """Carries the tangents of a network; all results are float64, whatever the precision of states and tangents."""

    def grow(
        self, states: Tensor, tangents: Tensor, *, steps: int, every: int, forcing: TangentForcing | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Step states and tangents, and orthonormalise these after each `every` steps and at the end.

        Args:
            states: `(K, B, S)`.
            tangents: `(K, B, S, m)`.

        Returns:
            `(K, B, S)`, `(K, B, S, m)`, and the log growth of each direction, `(K, B, m)` [nats].
        """

    def multiply(
        self, carried: tuple[Tensor, ...], horizons: list[int], *, every: int, forcing: TangentForcing | None = None
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Multiply Jacobians along orbits, and rescale the product after each `every` steps.

        Args:
            carried: states, `(K, B, S)`; their product so far, `(K, B, S, m)`; the logarithm of its scale, `(K, B)`.
            horizons: H, ascending, from these states on [steps].

        Returns:
            The carried tensors after the last horizon, the products at all horizons, `(K, B, H, S, m)`, and their
            scales, `(K, B, H)`, which are NaN from the first horizon at which the state is not finite.
        """


def compiled_tangents(step: object, states: Tensor) -> CompiledTangents | None:
    """Return compiled tangents of a step with a `tangent_network`; None if plain torch must carry them.

    Plain torch does it for other steps and devices, for large networks, where gradients are recorded, and wherever it
    must unroll, as `backend_for` has it.
    """
    of_step: Callable[[], Network | GatedMap | None] | None = getattr(step, "tangent_network", None)
    if of_step is None or torch.is_grad_enabled() or states.dim() != 3 or states.device.type != "cpu":
        return None
    if states.shape[-1] > _LARGEST or backend_for(states, FEWEST_STEPS) is None:
        return None
    network = of_step()
    if network is None:
        return None
    backend = import_backend("numba", "numba_tangents")
    # A state counts as finite if it is in the precision of these states.
    return cast("CompiledTangents", backend.NumbaTangents(network, torch.finfo(states.dtype).max))
