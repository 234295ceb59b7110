"""How differently two series fill a state space of too many dimensions for a histogram."""

from math import log, pi

import torch
from torch import Generator, Tensor

from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like


def mixture_divergence(
    generated: ArrayT, truth: Array, *, variance: float = 1.0, points: int = 10_000, samples: int = 1_000, seed: int = 0
) -> ArrayT:
    """KL(true || generated) between mixtures of Gaussians around the points of both series, by Monte Carlo.

    Args:
        generated: `(..., T, D)`, numpy array or tensor, in units of the truth's standard deviation.
        truth: `(T, D)`.
        variance: of each Gaussian, in those units; large ones see little: at 1 a fixed point of Lorenz-63 scores 0.58.
        points: of each series that count, evenly spread over it.
        samples: drawn from the true mixture.
        seed: of those draws, the same for every member.

    Returns:
        `(...)` [nats]; NaN for a member that is not finite.

    Source:
        Hershey and Olsen 2007, ICASSP, IV-317; as used for many dimensions by Hess et al. 2023, ICML.
    """
    series, actual = as_tensors(generated, truth)
    centres = _thinned(actual, points)
    generator = Generator().manual_seed(seed)
    chosen = torch.randint(len(centres), (samples,), generator=generator)
    noise = torch.randn(samples, centres.shape[-1], dtype=torch.float64, generator=generator).to(centres)
    drawn = centres[chosen] + variance**0.5 * noise
    expected = _log_density(drawn, centres, variance)
    members = series.reshape(-1, *series.shape[-2:])
    scores = [(expected - _log_density(drawn, _thinned(one, points), variance)).mean() for one in members]
    return like(torch.stack(scores).reshape(series.shape[:-2]), generated)


def _thinned(series: Tensor, points: int) -> Tensor:
    """At most `points` rows, evenly spread."""
    if len(series) <= points:
        return series
    return series[torch.linspace(0, len(series) - 1, points, dtype=torch.float64).long()]


def _log_density(drawn: Tensor, centres: Tensor, variance: float) -> Tensor:
    """Log density of the mixture at `(n, D)` points, `(n,)` [nats]; in logs, or it underflows in many dimensions."""
    squares = torch.cdist(drawn, centres).square()
    normal = 0.5 * centres.shape[-1] * log(2 * pi * variance)
    return torch.logsumexp(-squares / (2 * variance), dim=-1) - log(len(centres)) - normal
