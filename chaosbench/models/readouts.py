"""Read-outs: what of the state is observed, and which state shows an observation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from chaosbench.errors import SpecError
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.weights import drawn, zeros

ReadoutKind = Literal["linear", "affine", "identity"]


class Readout(nn.Module, ABC):
    """`observe`, `force` and `initial_state` on behalf of a forecaster with an M-dimensional state."""

    resets: bool

    @abstractmethod
    def observe(self, state: Tensor) -> Tensor:
        """`(K, ..., M) -> (K, ..., D)`."""

    @abstractmethod
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """`(K, B, M), (K, B, D) -> (K, B, M)`."""

    @abstractmethod
    def initial_state(self, observation: Tensor) -> Tensor:
        """`(K, B, D) -> (K, B, M)`."""


class LinearReadout(Readout):
    """x = B z, forced by z = B⁺ x.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equation 15. The paper writes (BᵀB)⁻¹Bᵀ, which is singular
        where M > D; the pseudo-inverse is meant, and gradients flow through it.
    """

    resets = True

    def __init__(self, generators: Sequence[Generator], dimension: int, size: int) -> None:
        super().__init__()
        self.weight = drawn(generators, dimension, size, bound=size**-0.5)

    def observe(self, state: Tensor) -> Tensor:
        """B z."""
        flat = torch.bmm(self.weight, state.flatten(1, -2).mT).mT  # few rows and many columns: the faster way round
        return torch.unflatten(flat, 1, state.shape[1:-1])

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """B⁺ x."""
        return torch.bmm(observation, pseudo_inverse(self.weight).mT)

    def initial_state(self, observation: Tensor) -> Tensor:
        """B⁺ x."""
        return self.force(observation, observation)


class AffineReadout(LinearReadout):
    """x = B z + b, forced by z = B⁺ (x - b); b starts at zero.

    Source:
        Hess, Monfared, Brenner and Durstewitz 2023, ICML (2306.04406): an observation model with an intercept.
    """

    def __init__(self, generators: Sequence[Generator], dimension: int, size: int) -> None:
        super().__init__(generators, dimension, size)
        self.bias = zeros(generators, 1, dimension)

    def observe(self, state: Tensor) -> Tensor:
        """B z + b."""
        flat = torch.baddbmm(self.bias.mT, self.weight, state.flatten(1, -2).mT).mT
        return torch.unflatten(flat, 1, state.shape[1:-1])

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """B⁺ (x - b)."""
        return super().force(state, observation - self.bias)


class IdentityReadout(Readout):
    """x = the first D units of z; forcing replaces them and keeps the rest, which start from a learned linear map of x.

    Source:
        Brenner et al. 2022, ICML (2207.02542): "identity teacher forcing".
    """

    def __init__(self, generators: Sequence[Generator], dimension: int, size: int) -> None:
        super().__init__()
        self.dimension, self.resets = dimension, size == dimension
        hidden = size - dimension
        self.lift = drawn(generators, hidden, dimension, bound=dimension**-0.5) if hidden else None

    def observe(self, state: Tensor) -> Tensor:
        """The first D units."""
        return state[..., : self.dimension]

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """[x, z_(D+1..M)]."""
        return torch.cat([observation, state[..., self.dimension :]], dim=-1)

    def initial_state(self, observation: Tensor) -> Tensor:
        """[x, L x]."""
        if self.lift is None:
            return observation
        return torch.cat([observation, torch.bmm(observation, self.lift.mT)], dim=-1)


class WithReadout(Forecaster):
    """A forecaster of which a read-out of the whole state says what is seen and how it is forced."""

    readout: Readout

    def observe(self, state: Tensor) -> Tensor:
        """The read-out's."""
        return self.readout.observe(state)

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """The read-out's."""
        return self.readout.force(state, observation)


class StateSeen(Forecaster):
    """A forecaster whose state is what is observed; S = D."""

    resets = True

    def observe(self, state: Tensor) -> Tensor:
        """The state."""
        return state

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """The observation."""
        return observation


def readout(kind: ReadoutKind, generators: Sequence[Generator], dimension: int, size: int) -> Readout:
    """The read-out of that kind."""
    if size < dimension:
        raise SpecError(
            f"a state of {size} units cannot show {dimension} observables; give the model at least {dimension}"
        )
    return _KINDS[kind](generators, dimension, size)


_KINDS: dict[ReadoutKind, type[LinearReadout | IdentityReadout]] = {
    "linear": LinearReadout,
    "affine": AffineReadout,
    "identity": IdentityReadout,
}


def pseudo_inverse(matrices: Tensor) -> Tensor:
    """Moore-Penrose inverses, `(K, D, M) -> (K, M, D)`, with gradients; NaN for a matrix that is not finite.

    LAPACK refuses a whole batch for one matrix with NaN, and a diverged seed must not stop its neighbours.
    """
    finite = matrices.isfinite().all(dim=-1).all(dim=-1)[:, None, None]
    filler = torch.eye(*matrices.shape[-2:], dtype=matrices.dtype, device=matrices.device)
    inverses = torch.linalg.pinv(torch.where(finite, matrices, filler))
    return torch.where(finite.mT, inverses, torch.nan)
