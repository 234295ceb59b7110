"""The one map of the PLRNN family: z' = A z + W1 phi(W2 z + h2) + h1."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from chaosbench.models.readouts import WithReadout
from chaosbench.models.weights import carry


@dataclass(frozen=True)
class Coefficients:
    """The map's coefficients for K seeds, transposed for samples in rows.

    Attributes:
        diagonal: A, `(K, 1, M)`.
        outward: W1ᵀ, `(K, L, M)`.
        inward: W2ᵀ, `(K, M, L)`; None for the identity.
        bias: h1, `(K, 1, M)`.
        threshold: h2, `(K, 1, L)`; None for zero; `(K, 1, L, bases)` with a mixture.
        mixture: alpha, `(K, bases, 1)`, where phi is a sum over bases; None for one relu.
        floor: `(1, 1, L)`, where phi(x) = max(x, floor), -inf for a unit that stays linear; None for relu.
    """

    diagonal: Tensor
    outward: Tensor
    inward: Tensor | None
    bias: Tensor
    threshold: Tensor | None
    mixture: Tensor | None = None
    floor: Tensor | None = None


class PiecewiseLinear(WithReadout):
    """Networks that are one parametrisation of the family's map; S = M.

    phi(x) = relu(x + h2), or sum_b alpha_b relu(x + h2_b) over bases, or max(x, floor). With `clipped`, what
    it would be at h2 = 0 is subtracted, which keeps orbits bounded where |A| < 1.
    """

    clipped: bool = False

    @abstractmethod
    def coefficients(self) -> Coefficients:
        """The coefficients that the parameters stand for."""

    def step(self, state: Tensor) -> Tensor:
        """A z + W1 phi(W2 z + h2) + h1."""
        return self._mapped(self.coefficients(), state)

    def unroll(self, state: Tensor, steps: int) -> Tensor:
        """As a loop over `step`, with the coefficients taken once."""
        coefficients, states = self.coefficients(), []
        for _ in range(steps):
            state = self._mapped(coefficients, state)
            states.append(state)
        return torch.stack(states, dim=-2)

    def initial_state(self, observation: Tensor) -> Tensor:
        """The read-out's."""
        return self.readout.initial_state(observation)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = A + W1 diag(phi') W2."""
        c = self.coefficients()
        inner = tangents if c.inward is None else carry(c.inward.mT, tangents)
        outer = carry(c.outward.mT, inner * self._slope(c, state).unsqueeze(-1))
        return self._mapped(c, state), torch.addcmul(outer, c.diagonal.unsqueeze(-1), tangents)

    def _mapped(self, c: Coefficients, state: Tensor) -> Tensor:
        return torch.addcmul(torch.baddbmm(c.bias, self._phi(c, state), c.outward), c.diagonal, state)

    def _phi(self, c: Coefficients, state: Tensor) -> Tensor:
        if c.inward is not None and c.threshold is not None and c.mixture is None and not self.clipped:
            return torch.relu(torch.baddbmm(c.threshold, state, c.inward))  # in one: by far the most common
        pre = state if c.inward is None else torch.bmm(state, c.inward)
        if c.floor is not None:
            return torch.clamp(pre, min=c.floor)
        rectified = torch.relu(pre)
        if c.threshold is None:
            return rectified
        if c.mixture is not None:
            return self._mixed(c.mixture, torch.relu(pre.unsqueeze(-1) + c.threshold), rectified)
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
            return self._mixed(c.mixture, (pre.unsqueeze(-1) + c.threshold > 0).to(state.dtype), rectified)
        slope = (pre + c.threshold > 0).to(state.dtype)
        return slope - rectified if self.clipped else slope

    def _mixed(self, mixture: Tensor, bases: Tensor, rectified: Tensor) -> Tensor:
        """The sum over bases, `(K, B, L, bases) -> (K, B, L)`, less what it would be without thresholds if clipped."""
        mixed = torch.bmm(bases.flatten(1, 2), mixture).view_as(rectified)
        if not self.clipped:
            return mixed
        return torch.addcmul(mixed, rectified, mixture.sum(dim=1, keepdim=True), value=-1)


def stable_matrix(size: int, generator: Generator) -> Tensor:
    """K / rho(K), `(M, M)`, with K = RᵀR / M + 1 and R normal.

    Source:
        Talathi and Vartak 2015 (1511.03771), as used for the PLRNN family.
    """
    draw = torch.randn(size, size, generator=generator)
    matrix = draw.T @ draw / size + torch.eye(size)
    largest: Tensor = torch.linalg.eigvalsh(matrix).max()
    return matrix / largest


def stable_diagonal(size: int, generator: Generator) -> Tensor:
    """The diagonal of `stable_matrix`, `(1, M)`."""
    return torch.diagonal(stable_matrix(size, generator))[None]
