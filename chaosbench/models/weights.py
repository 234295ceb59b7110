"""Initial weights of K seeds, each drawn from its seed's own generator, and products of weights with tangents."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from chaosbench.seeds import seed_generator


def weight_generators(seeds: Sequence[int]) -> list[Generator]:
    """Return one generator per seed, for the initial weights."""
    return [seed_generator(seed, "weights") for seed in seeds]


def uniform(generators: Sequence[Generator], *shape: int, bound: float, centre: float = 0.0) -> nn.Parameter:
    """Draw a parameter `(K, *shape)`, uniform in centre +- bound; seed k's slice comes from generator k."""
    draws = [torch.rand(*shape, generator=generator) for generator in generators]
    return nn.Parameter((2 * torch.stack(draws) - 1) * bound + centre)


def normal(generators: Sequence[Generator], *shape: int, scale: float) -> nn.Parameter:
    """Draw a normal parameter `(K, *shape)` with standard deviation `scale`; seed k's slice comes from generator k."""
    return nn.Parameter(torch.stack([torch.randn(*shape, generator=generator) for generator in generators]) * scale)


def zeros(generators: Sequence[Generator], *shape: int) -> nn.Parameter:
    """Return a parameter `(K, *shape)` of zeros."""
    return nn.Parameter(torch.zeros(len(generators), *shape))


def parameter_without_gradient(values: Tensor) -> nn.Parameter:
    """Return a parameter that is learned and stored, but not by gradients."""
    return nn.Parameter(values, requires_grad=False)


def multiply_tangents(weight: Tensor, tangents: Tensor) -> Tensor:
    """Multiply each seed's tangents by its weight W, `(K, N, S), (K, B, S, M) -> (K, B, N, M)`.

    Uses one product of `(N, S)` and `(S, B M)` per seed; for few tangents this is five times as fast as B small
    products. The memory layout of the result suits the next product. Write elementwise factors after the call,
    `multiply_tangents(...) * factor`: in front, torch would choose another layout.
    """
    seeds, batch, size, count = tangents.shape
    product = torch.bmm(weight, tangents.transpose(1, 2).reshape(seeds, size, batch * count))
    return product.view(seeds, -1, batch, count).transpose(1, 2)
