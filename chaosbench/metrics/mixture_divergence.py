"""D_stsp between mixtures of Gaussians, for state spaces with too many dimensions for a histogram."""

from math import log, pi
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.errors import unknown_name
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, check_dimensions, each_member, like, thinned
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import FreeRunMetric

Convention = Literal["gtf", "alrnn", "dend", "seed", "dysts"]


def mixture_divergence(
    generated: ArrayT,
    truth: Array,
    *,
    variance: float | None = None,
    points: int | None = None,
    samples: int = 1_000,
    seed: int = 0,
    convention: Convention = "gtf",
) -> ArrayT:
    """Estimate D_stsp between mixtures of Gaussians around the points of both series, by Monte Carlo.

    Args:
        generated: `(..., T, D)`, numpy array or tensor, in units of the truth's standard deviation.
        truth: `(T, D)`; the length may differ.
        variance: variance of each Gaussian in squared units; None: the convention's. A large one hides differences:
            at 1 a fixed point of Lorenz-63 scores 0.58.
        points: number of points of each series to use, evenly spread over it; None: the convention's.
        samples: number of samples from a mixture.
        seed: seed of the samples, the same for every member.
        convention: published settings.
            "gtf": KL(true || generated), variance 1, 10,000 points; "alrnn" is the same.
            "dend": the mean of KL(true || generated) and KL(generated || true), variance 1, 10,000 points.
            "seed": KL(generated || true), variance 0.1, 5,000 points.
            "dysts": as "gtf" with all points.

    Returns:
        `(...)` [nats]; NaN for a member that is not finite. An estimate may be negative within its error.

    Source:
        Hershey and Olsen 2007, ICASSP, IV-317. Hess et al. 2023, ICML (2306.04406), "gtf"; Brenner et al. 2024, NeurIPS
        (2410.14240), "alrnn"; Brenner et al. 2022, ICML (2207.02542), "dend"; Mikhaeil et al. 2022, NeurIPS
        (2110.07238), "seed"; Gilpin 2021, NeurIPS (2110.05266), "dysts". These papers take the first points and drop
        samples whose density underflows; logarithms do not underflow.
    """
    if convention not in _RULES:
        raise unknown_name("convention", convention, _RULES)
    rule = _RULES[convention]
    spread = rule.variance if variance is None else variance
    series, actual = as_tensors(generated, truth)
    check_dimensions(series, actual)
    most = rule.points if points is None else points
    if most is not None:
        series, actual = thinned(series, most), thinned(actual, most)
    true = _draws(actual, spread, samples, seed)

    def score(own: Tensor) -> Tensor:
        terms = []
        if rule.true_draws:
            terms.append(_mean_excess(true, own, spread))
        if rule.own_draws:
            terms.append(_mean_excess(_draws(own, spread, samples, seed), actual, spread))
        return torch.stack(terms).mean()

    return like(each_member(series, score), generated)


class MixtureDivergence(FreeRunMetric):
    """D_stsp of the attractor between mixtures of Gaussians, median over free runs, in any number of dimensions.

    The convention "dend" joins all free runs of a seed first, as in its paper, whose runs are short.

    Source: Hershey and Olsen 2007, ICASSP, IV-317; Hess et al. 2023, ICML.
    """

    unit: ClassVar[str] = "nats"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["mixture_divergence"] = "mixture_divergence"
    convention: Convention = "gtf"  # published settings
    variance: PositiveFloat | None = None  # of each Gaussian [squared standard deviations]; None: the convention's
    samples: PositiveInt = 1_000  # from a mixture

    @property
    @override
    def joins_runs(self) -> bool:
        return self.convention == "dend"

    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)` [nats], or of all of them joined, `(K, 1)`."""

        def divergence(generated: Tensor, truth: Tensor) -> Tensor:
            return mixture_divergence(
                generated, truth, variance=self.variance, samples=self.samples, convention=self.convention
            )

        runs = evaluation.standardised()
        if self.joins_runs:
            return divergence(*runs.pooled())[:, None]
        return runs.each_run(divergence)


class _Rule(NamedTuple):
    """Published settings of a convention."""

    variance: float
    points: int | None  # of each series; None: all
    true_draws: bool  # KL(true || generated) counts
    own_draws: bool  # KL(generated || true) counts


_RULES: dict[str, _Rule] = {
    "gtf": _Rule(1.0, 10_000, true_draws=True, own_draws=False),
    "alrnn": _Rule(1.0, 10_000, true_draws=True, own_draws=False),
    "dend": _Rule(1.0, 10_000, true_draws=True, own_draws=True),
    "seed": _Rule(0.1, 5_000, true_draws=False, own_draws=True),
    "dysts": _Rule(1.0, None, true_draws=True, own_draws=False),
}
_PAIRS = 4_000_000  # of samples and points at once; bounds memory


def _draws(centres: Tensor, variance: float, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw points of the mixture, `(n, D)`, and return them with its log density there, `(n,)` [nats]."""
    generator = Generator().manual_seed(seed)
    indices = torch.randint(len(centres), (samples,), generator=generator).to(centres.device)
    noise = torch.randn(samples, centres.shape[-1], dtype=torch.float64, generator=generator).to(centres)
    drawn = centres[indices] + variance**0.5 * noise
    return drawn, _log_density(drawn, centres, variance)


def _mean_excess(draws: tuple[Tensor, Tensor], centres: Tensor, variance: float) -> Tensor:
    """Return the mean log density of the draws in their own mixture minus that in the other, a scalar [nats]."""
    drawn, expected = draws
    return (expected - _log_density(drawn, centres, variance)).mean()


def _log_density(drawn: Tensor, centres: Tensor, variance: float) -> Tensor:
    """Return the log density of the mixture at points `(n, D)`, `(n,)` [nats]; a density itself would underflow."""
    normal = 0.5 * centres.shape[-1] * log(2 * pi * variance)
    parts = [
        torch.logsumexp(torch.cdist(part, centres).square() / (-2 * variance), dim=-1)
        for part in drawn.split(max(1, _PAIRS // len(centres)))
    ]
    return torch.cat(parts) - log(len(centres)) - normal
