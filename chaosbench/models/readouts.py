"""Read-outs: how observables follow from the state, and how a state is forced to show an observation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from chaosbench import kernels
from chaosbench.errors import SpecError
from chaosbench.kernels import Network
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.inheritance import still_holds
from chaosbench.models.weights import uniform, zeros

ReadoutKind = Literal["linear", "affine", "identity"]


class Readout(nn.Module, ABC):
    """`observe`, `force` and `first_state` of a forecaster with an M-dimensional state.

    Attributes:
        resets: whether `force` ignores the state it replaces.
    """

    resets: bool

    @abstractmethod
    def affine_map(self) -> tuple[Tensor | None, Tensor | None]:
        """Return C, `(K, D, M)`, and d, `(K, D)`, of x = C z + d; None for the first D units and for zero."""

    @abstractmethod
    def signals(self, observation: Tensor) -> Tensor:
        """Return the values that `force` gives to the first N units, `(K, B, D) -> (K, B, N)`."""

    @abstractmethod
    def observe(self, state: Tensor) -> Tensor:
        """Read the observables out of the state, `(K, ..., M) -> (K, ..., D)`."""

    @abstractmethod
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Return the state changed so that it shows the observation, `(K, B, M), (K, B, D) -> (K, B, M)`."""

    @abstractmethod
    def first_state(self, observation: Tensor) -> Tensor:
        """Return the state at a single observation, `(K, B, D) -> (K, B, M)`."""


class LinearReadout(Readout):
    """x = B z, forced by z = B⁺ x.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equation 15. The paper writes (BᵀB)⁻¹Bᵀ, which is singular
        where M > D; the pseudo-inverse is meant, and gradients flow through it.
    """

    resets = True

    def __init__(self, generators: Sequence[Generator], dimension: int, size: int) -> None:
        super().__init__()
        self.weight = uniform(generators, dimension, size, bound=size**-0.5)

    @override
    def affine_map(self) -> tuple[Tensor, Tensor | None]:
        return self.weight, None

    @override
    def signals(self, observation: Tensor) -> Tensor:
        return self.first_state(observation)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """B z."""
        flat = torch.bmm(self.weight, state.flatten(1, -2).mT).mT  # few rows and many columns: faster than z Bᵀ
        return torch.unflatten(flat, 1, state.shape[1:-1])

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """B⁺ x."""
        compiled = kernels.states_showing(self.weight, observation)
        return torch.bmm(observation, pseudo_inverse(self.weight).mT) if compiled is None else compiled

    @override
    def first_state(self, observation: Tensor) -> Tensor:
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

    @override
    def affine_map(self) -> tuple[Tensor, Tensor]:
        return self.weight, self.bias.squeeze(1)

    @override
    def observe(self, state: Tensor) -> Tensor:
        """B z + b."""
        flat = torch.baddbmm(self.bias.mT, self.weight, state.flatten(1, -2).mT).mT
        return torch.unflatten(flat, 1, state.shape[1:-1])

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """B⁺ (x - b)."""
        return super().force(state, observation - self.bias)


class IdentityReadout(Readout):
    """x = the first D units of z. Forcing replaces them and keeps the others, which start from a learned map L x.

    Source:
        Brenner et al. 2022, ICML (2207.02542): "identity teacher forcing".
    """

    def __init__(self, generators: Sequence[Generator], dimension: int, size: int) -> None:
        super().__init__()
        self.dimension, self.resets = dimension, size == dimension
        hidden = size - dimension
        self.lift = uniform(generators, hidden, dimension, bound=dimension**-0.5) if hidden else None

    @override
    def affine_map(self) -> tuple[None, None]:
        return None, None

    @override
    def signals(self, observation: Tensor) -> Tensor:
        return observation

    @override
    def observe(self, state: Tensor) -> Tensor:
        """Return the first D units."""
        return state[..., : self.dimension]

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """[x, z_(D+1..M)]."""
        return torch.cat([observation, state[..., self.dimension :]], dim=-1)

    @override
    def first_state(self, observation: Tensor) -> Tensor:
        """[x, L x]."""
        if self.lift is None:
            return observation
        return torch.cat([observation, torch.bmm(observation, self.lift.mT)], dim=-1)


class ReadoutForecaster(Forecaster):
    """A forecaster that is observed and forced by a read-out of its whole state."""

    readout: Readout

    @override
    def compiled_network(self) -> Network | None:
        return super().compiled_network() if still_holds(type(self.readout), "affine_map") else None

    @override
    def signals(self, observation: Tensor) -> Tensor:
        return self.readout.signals(observation)

    @override
    def observe(self, state: Tensor) -> Tensor:
        return self.readout.observe(state)

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        return self.readout.force(state, observation)


class FullyObservedForecaster(Forecaster):
    """A forecaster whose state is the observation, S = D, so it needs no read-out."""

    resets = True

    @override
    def observe(self, state: Tensor) -> Tensor:
        return state

    @override
    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        return observation


def build_readout(kind: ReadoutKind, generators: Sequence[Generator], dimension: int, size: int) -> Readout:
    """Build a read-out of K seeds from `size` units to `dimension` observables.

    Raises:
        SpecError: if there are fewer units than observables.
    """
    if reason := too_few_units(size, dimension):
        raise SpecError(reason)
    return _KINDS[kind](generators, dimension, size)


def too_few_units(size: int, dimension: int) -> str | None:
    """Return why a state of `size` units has no read-out of `dimension` observables; None if it has one."""
    if size >= dimension:
        return None
    return f"a state of {size} units cannot show {dimension} observables; give the model at least {dimension}"


_KINDS: dict[ReadoutKind, type[LinearReadout | IdentityReadout]] = {
    "linear": LinearReadout,
    "affine": AffineReadout,
    "identity": IdentityReadout,
}


def pseudo_inverse(matrices: Tensor) -> Tensor:
    """Compute differentiable Moore-Penrose inverses, `(K, D, M) -> (K, M, D)`, as B⁺ = Bᵀ(B Bᵀ)⁻¹ where D <= M.

    B Bᵀ has the square of B's condition number, so it is formed and inverted in double precision. In single precision
    B⁺ and its gradient are then exact to rounding up to a condition number of 1e5, where `torch.linalg.pinv` has lost
    two digits or more. Where B Bᵀ is exactly singular the result is NaN. Where B lacks full row rank only up to
    rounding it is huge: there is no cut-off for small singular values. Matrices do not influence one another, and no
    value is copied to the host. Where D > M, `torch.linalg.pinv` is used, and a matrix that is not finite gives NaN.
    """
    if matrices.shape[-2] > matrices.shape[-1]:
        return _decomposed_pseudo_inverse(matrices)
    transposed = matrices.mT.double()
    inverses, failures = torch.linalg.inv_ex(torch.bmm(transposed.mT, transposed))
    inverses = torch.where(failures[:, None, None] == 0, inverses, torch.nan)
    return torch.bmm(transposed, inverses).to(matrices.dtype)


def _decomposed_pseudo_inverse(matrices: Tensor) -> Tensor:
    """Call LAPACK, which would raise for the whole batch if one matrix has NaN, for the finite matrices only."""
    finite = matrices.isfinite().all(dim=-1).all(dim=-1)[:, None, None]
    filler = torch.eye(*matrices.shape[-2:], dtype=matrices.dtype, device=matrices.device)
    inverses = torch.linalg.pinv(torch.where(finite, matrices, filler))
    return torch.where(finite, inverses, torch.nan)
