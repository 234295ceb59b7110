"""Tangent vectors along the orbits of networks, by the compiled backend that applies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from chaosbench.kernels.network import Network
from chaosbench.kernels.unroll import FEWEST_STEPS, backend_for, import_backend

_LARGEST = 128  # units; torch's products of larger matrices are as fast


class TangentBackend(Protocol):
    """A module that computes in double precision, whatever the precision of states and tangents."""

    def grow(
        self, network: Network, states: Tensor, tangents: Tensor, *, steps: int, every: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return states, orthonormal tangents, and the log growth of each direction [nats]."""

    def multiply(
        self,
        network: Network,
        states: Tensor,
        product: Tensor,
        scale: Tensor,
        *,
        horizons: list[int],
        every: int,
        largest: float,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return states, the product of Jacobians, and the products and their log scales at all horizons."""


@dataclass(frozen=True)
class CompiledTangents:
    """A network and the backend that carries its tangents.

    Attributes:
        largest: entry of a state that counts as finite, in the precision of the first states.
    """

    backend: TangentBackend
    network: Network
    largest: float

    def grow(self, states: Tensor, tangents: Tensor, *, steps: int, every: int) -> tuple[Tensor, Tensor, Tensor]:
        """Step states and tangents, and orthonormalise these after each `every` steps and at the end.

        Args:
            states: `(K, B, M)`.
            tangents: `(K, B, M, m)`.

        Returns:
            `(K, B, M)`, `(K, B, M, m)`, and the log growth of each direction, `(K, B, m)` [nats]; all float64.
        """
        return self.backend.grow(self.network, states, tangents, steps=steps, every=every)

    def multiply(
        self, carried: tuple[Tensor, ...], horizons: list[int], *, every: int
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Multiply Jacobians along orbits, and rescale the product after each `every` steps.

        Args:
            carried: states, `(K, B, M)`; their product so far, `(K, B, M, m)`; the logarithm of its scale, `(K, B)`.
            horizons: H, ascending, from these states on [steps].

        Returns:
            The carried tensors after the last horizon, the products at all horizons, `(K, B, H, M, m)`, and their
            scales, `(K, B, H)`, which are NaN from the first horizon at which the state is not finite; all float64.
        """
        states, product, products, scales = self.backend.multiply(
            self.network, *carried, horizons=horizons, every=every, largest=self.largest
        )
        return (states, product, scales[..., -1]), products, scales


def compiled_tangents(step: object, states: Tensor) -> CompiledTangents | None:
    """Return compiled tangents of a step with a `tangent_network`; None if plain torch must carry them.

    Plain torch does it for other steps and devices, for large networks, where gradients are recorded, and wherever it
    must unroll, as `backend_for` has it.
    """
    of_step: Callable[[], Network | None] | None = getattr(step, "tangent_network", None)
    if of_step is None or torch.is_grad_enabled() or states.dim() != 3 or states.device.type != "cpu":
        return None
    if states.shape[-1] > _LARGEST or backend_for(states, FEWEST_STEPS) is None:
        return None
    network = of_step()
    if network is None:
        return None
    backend = cast("TangentBackend", import_backend("numba", "numba_tangents"))
    return CompiledTangents(backend, network, torch.finfo(states.dtype).max)
