"""The one map of the PLRNN family: z' = A z + W1 phi(W2 z + h2) + h1."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from chaosbench.models.base import Forecaster
from chaosbench.models.readouts import Readout


@dataclass(frozen=True)
class Coefficients:
    """The map's coefficients for K seeds, transposed for samples in rows.

    Attributes:
        diagonal: A, `(K, 1, M)`.
        outward: W1ᵀ, `(K, L, M)`.
        inward: W2ᵀ, `(K, M, L)`; None for the identity.
        bias: h1, `(K, 1, M)`.
        threshold: h2, `(K, 1, L)`; None for zero.
    """

    diagonal: Tensor
    outward: Tensor
    inward: Tensor | None
    bias: Tensor
    threshold: Tensor | None


class PiecewiseLinear(Forecaster):
    """Networks that are one parametrisation of the family's map; S = M.

    With `clipped`, phi(W2 z) = relu(W2 z + h2) - relu(W2 z), which keeps orbits bounded where |A| < 1.
    """

    readout: Readout
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

    def observe(self, state: Tensor) -> Tensor:
        """The read-out's."""
        return self.readout.observe(state)

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """The read-out's."""
        return self.readout.force(state, observation)

    def initial_state(self, observation: Tensor) -> Tensor:
        """The read-out's."""
        return self.readout.initial_state(observation)

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """J = A + W1 diag(phi') W2."""
        c = self.coefficients()
        pre = state if c.inward is None else torch.bmm(state, c.inward)
        slope = (pre > 0 if c.threshold is None else pre + c.threshold > 0).to(state.dtype)
        if self.clipped:
            slope = slope - (pre > 0).to(state.dtype)
        inner = tangents if c.inward is None else c.inward.mT[:, None] @ tangents
        outer = c.outward.mT[:, None] @ (slope.unsqueeze(-1) * inner)
        return self._mapped(c, state), torch.addcmul(outer, c.diagonal.unsqueeze(-1), tangents)

    def _mapped(self, c: Coefficients, state: Tensor) -> Tensor:
        if c.inward is None:
            hidden = pre = state
        elif c.threshold is None or self.clipped:
            hidden = pre = torch.bmm(state, c.inward)
        else:
            hidden = pre = torch.baddbmm(c.threshold, state, c.inward)
        if self.clipped and c.threshold is not None:
            hidden = torch.relu(pre + c.threshold) - torch.relu(pre)
        else:
            hidden = torch.relu(hidden)
        return torch.addcmul(torch.baddbmm(c.bias, hidden, c.outward), c.diagonal, state)
