"""Weights of K seeds: initial draws, each from its seed's own generator, and products with tangents."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from chaosbench.seeds import seed_generator


def carry(weight: Tensor, tangents: Tensor) -> Tensor:
    """W times the tangents of each seed, `(K, N, S), (K, B, S, M) -> (K, B, N, M)`.

    As one product of `(N, S)` and `(S, B M)` for each seed: for few tangents five times as fast as B small products.
    The result lies in memory as the next product reads it; a factor put behind it keeps it so, one in front does not.
    """
    seeds, batch, size, count = tangents.shape
    product = torch.bmm(weight, tangents.transpose(1, 2).reshape(seeds, size, batch * count))
    return product.view(seeds, -1, batch, count).transpose(1, 2)


def weight_generators(seeds: Sequence[int]) -> list[Generator]:
    """The generators from which each seed's initial weights are drawn."""
    return [seed_generator(seed, "weights") for seed in seeds]


def drawn(generators: Sequence[Generator], *shape: int, bound: float, centre: float = 0.0) -> nn.Parameter:
    """A parameter `(K, *shape)`, uniform in centre +- bound, each seed's slice from its own generator."""
    draws = [torch.rand(*shape, generator=generator) for generator in generators]
    return nn.Parameter((2 * torch.stack(draws) - 1) * bound + centre)


def normal(generators: Sequence[Generator], *shape: int, scale: float) -> nn.Parameter:
    """A parameter `(K, *shape)`, normal with that standard deviation, each seed's slice from its own generator."""
    return nn.Parameter(torch.stack([torch.randn(*shape, generator=generator) for generator in generators]) * scale)


def zeros(generators: Sequence[Generator], *shape: int) -> nn.Parameter:
    """A parameter `(K, *shape)` of zeros."""
    return nn.Parameter(torch.zeros(len(generators), *shape))


def fitted(values: Tensor) -> nn.Parameter:
    """A parameter that is learned, and kept with the others, but not by gradients."""
    return nn.Parameter(values, requires_grad=False)
