"""The map that all PLRNNs share: z' = A z + W1 phi(W2 z + h2) + h1."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.dynamics import iterates
from chaosbench.kernels import Activation, Network
from chaosbench.models.readouts import ReadoutForecaster
from chaosbench.models.weights import multiply_tangents


@dataclass(frozen=True)
class Coefficients:
    """The coefficients of the map for K seeds, transposed for states in rows.

    Attributes:
        diagonal: A, `(K, 1, M)`.
        outward: W1ᵀ, `(K, L, M)`.
        inward: W2ᵀ, `(K, M, L)`; None for the identity.
        bias: h1, `(K, 1, M)`.
        threshold: h2, `(K, 1, L)`, or `(K, 1, L, bases)` with a mixture; None for zero.
        mixture: alpha, `(K, bases, 1)`, if phi is a sum over bases; None for one relu.
        floor: `(1, 1, L)`, if phi(x) = max(x, floor), with -inf for linear units; None for relu.
    """

    diagonal: Tensor
    outward: Tensor
    inward: Tensor | None
    bias: Tensor
    threshold: Tensor | None
    mixture: Tensor | None = None
    floor: Tensor | None = None


class PiecewiseLinearNetwork(ReadoutForecaster):
    """Networks with one parametrisation of the shared map; S = M.

    phi(x) = relu(x + h2), or sum_b alpha_b relu(x + h2_b) over bases, or max(x, floor). With `clipped`, the value at
    h2 = 0 is subtracted, which keeps orbits bounded if |A| < 1.
    """

    clipped: bool = False
    rectified: int = 0  # P, units behind a relu, where `floor` leaves the others linear

    @abstractmethod
    def coefficients(self) -> Coefficients:
        """Compute the coefficients of the map from the parameters."""

    @override
    def step(self, state: Tensor) -> Tensor:
        """A z + W1 phi(W2 z + h2) + h1."""
        return self._next_state(self.coefficients(), state)

    @override
    def unroll(self, state: Tensor, steps: int) -> Tensor:
        """Loop over `step`, with the coefficients computed once."""
        coefficients = self.coefficients()
        return iterates(lambda one: self._next_state(coefficients, one), state, steps=steps)

    @override
    def network(self) -> Network | None:
        c = self.coefficients()
        if c.mixture is not None or (self.clipped and c.threshold is None):
            return None
        activation: Activation = "clipped" if self.clipped else "relu" if c.floor is None else "almost_linear"
        readout, offset = self.readout.affine_map()
        return Network(
            activation,
            c.diagonal.squeeze(1),  # unlike an index, it has a gradient without zeros
            c.outward.mT,
            None if c.inward is None else c.inward.mT,
            c.bias.squeeze(1),
            None if c.threshold is None else c.threshold.squeeze(1),
            readout,
            offset,
            dimension=self.dimension,
            rectified=self.rectified,
        )

    @override
    def first_state(self, observation: Tensor) -> Tensor:
        return self.readout.first_state(observation)

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = A + W1 diag(phi') W2."""
        c = self.coefficients()
        inner = tangents if c.inward is None else multiply_tangents(c.inward.mT, tangents)
        outer = multiply_tangents(c.outward.mT, inner * self._slope(c, state).unsqueeze(-1))
        return self._next_state(c, state), torch.addcmul(outer, c.diagonal.unsqueeze(-1), tangents)

    def _next_state(self, c: Coefficients, state: Tensor) -> Tensor:
        return torch.addcmul(torch.baddbmm(c.bias, self._phi(c, state), c.outward), c.diagonal, state)

    def _phi(self, c: Coefficients, state: Tensor) -> Tensor:
        if c.inward is not None and c.threshold is not None and c.mixture is None and not self.clipped:
            return torch.relu(torch.baddbmm(c.threshold, state, c.inward))  # one fused call for the most common case
        pre = state if c.inward is None else torch.bmm(state, c.inward)
        if c.floor is not None:
            return torch.clamp(pre, min=c.floor)
        rectified = torch.relu(pre)
        if c.threshold is None:
            return rectified
        if c.mixture is not None:
            return self._sum_bases(c.mixture, torch.relu(pre.unsqueeze(-1) + c.threshold), rectified)
        phi = torch.relu(pre + c.threshold)
        return phi - rectified if self.clipped else phi

    def _slope(self, c: Coefficients, state: Tensor) -> Tensor:
        pre = state if c.inward is None else torch.bmm(state, c.inward)
        if c.floor is not None:
            return (pre > c.floor).to(state.dtype)
        rectified = (pre > 0).to(state.dtype)
        if c.threshold is None:
            return rectified
        if c.mixture is not None:
            return self._sum_bases(c.mixture, (pre.unsqueeze(-1) + c.threshold > 0).to(state.dtype), rectified)
        slope = (pre + c.threshold > 0).to(state.dtype)
        return slope - rectified if self.clipped else slope

    def _sum_bases(self, mixture: Tensor, bases: Tensor, rectified: Tensor) -> Tensor:
        """Sum over bases, `(K, B, L, bases) -> (K, B, L)`; if clipped, subtract the value without thresholds."""
        total = torch.bmm(bases.flatten(1, 2), mixture).view_as(rectified)
        if not self.clipped:
            return total
        return torch.addcmul(total, rectified, mixture.sum(dim=1, keepdim=True), value=-1)


def stable_matrix(size: int, generator: Generator) -> Tensor:
    """Draw K / rho(K), `(M, M)`, with K = RᵀR / M + 1 and R normal.

    Source:
        Talathi and Vartak 2015 (1511.03771), as used for the PLRNN family.
    """
    draw = torch.randn(size, size, generator=generator)
    matrix = draw.T @ draw / size + torch.eye(size)
    largest: Tensor = torch.linalg.eigvalsh(matrix).max()
    return matrix / largest


def stable_diagonal(size: int, generator: Generator) -> Tensor:
    """Draw a `stable_matrix` and return its diagonal, `(1, M)`."""
    return torch.diagonal(stable_matrix(size, generator))[None]
