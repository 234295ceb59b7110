"""Maps whose exponents and gradients are known in closed form."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ShallowNetwork:
    """z' = A z + W1 relu(W2 z + h2) + h1, with its Jacobian."""

    A: Tensor
    W1: Tensor
    W2: Tensor
    h1: Tensor

    def step(self, state: Tensor) -> Tensor:
        return self.A * state + torch.relu(state @ self.W2.mT) @ self.W1.mT + self.h1

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        active = (state @ self.W2.mT > 0).to(state.dtype)
        carried = self.A[:, None] * tangents + self.W1 @ (active[..., None] * (self.W2 @ tangents))
        return self.step(state), carried


def tent(slope: float, dtype: torch.dtype = torch.float64) -> ShallowNetwork:
    """The tent map of x = z + 1/2: every tangent grows by exactly `slope` per step."""
    A, W1, h1 = torch.tensor([[slope], [-2 * slope], [(slope - 1) / 2]], dtype=dtype)
    return ShallowNetwork(A=A, W1=W1[:, None], W2=torch.ones(1, 1, dtype=dtype), h1=h1)


def lozi(dtype: torch.dtype = torch.float64) -> ShallowNetwork:
    """x' = 1 - 1.7 |x| + y, y' = x / 2: chaotic, with |det J| = 1/2 everywhere."""
    W1 = torch.tensor([[-1.7, -1.7, 1.0, -1.0], [0.5, -0.5, 0.0, 0.0]], dtype=dtype)
    W2 = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=dtype)
    return ShallowNetwork(A=torch.zeros(2, dtype=dtype), W1=W1, W2=W2, h1=torch.tensor([1.0, 0.0], dtype=dtype))


@dataclass(frozen=True)
class Linear:
    """z' = W z: every gradient is a matrix power."""

    W: Tensor

    def step(self, state: Tensor) -> Tensor:
        return state @ self.W.mT


@dataclass(frozen=True)
class Recurrent:
    """K networks z' = tanh(W z), which take states of shape (K, B, S) and no other."""

    W: Tensor

    def step(self, state: Tensor) -> Tensor:
        assert state.dim() == 3
        return torch.tanh(torch.bmm(state, self.W.mT))


def recurrent(seed: int = 0) -> Recurrent:
    generator = torch.Generator().manual_seed(seed)
    return Recurrent(torch.randn(2, 5, 5, dtype=torch.float64, generator=generator))


def states(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
