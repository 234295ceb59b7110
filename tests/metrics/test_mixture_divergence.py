"""Divergence between mixtures of Gaussians."""

import numpy as np
import pytest
import torch

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import Evaluation, MixtureDivergence, StateSpaceDivergence, mixture_divergence


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_series_has_no_divergence_from_itself():
    series = normal(500, 8)
    assert mixture_divergence(series, series) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("convention", ["gtf", "alrnn", "dend", "seed", "dysts"])
def test_two_single_points_have_the_divergence_of_two_gaussians(convention: str):
    """KL of two Gaussians of one variance is |m1 - m2|² / (2 variance) = 2.25; the estimate's standard error over
    20,000 draws is |m1 - m2| / sqrt(variance n) = 0.015."""
    first, other = torch.zeros(1, 6, dtype=torch.float64), torch.full((1, 6), 1.5**0.5 / 2, dtype=torch.float64)
    exact = float((first - other).square().sum() / (2 * 0.5))
    divergence = mixture_divergence(other, first, variance=0.5, samples=20_000, convention=convention)
    assert divergence == pytest.approx(exact, abs=0.06)


def test_it_equals_densities_summed_directly():
    """The same draws through scipy's density and plain sums."""
    from scipy.stats import multivariate_normal

    generated, truth = normal(30, 2, seed=1), normal(40, 2, seed=2)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(40, (200,), generator=generator)
    drawn = (truth[chosen] + torch.randn(200, 2, dtype=torch.float64, generator=generator)).numpy()

    def density(centres: torch.Tensor) -> np.ndarray:
        return np.mean([multivariate_normal(c, np.eye(2)).pdf(drawn) for c in centres.numpy()], axis=0)

    expected = np.mean(np.log(density(truth)) - np.log(density(generated)))
    assert mixture_divergence(generated, truth, samples=200) == pytest.approx(expected, rel=1e-9)


def test_conventions_are_the_directions_variances_and_points_that_they_name():
    """Each convention equals plain calls with truth and model exchanged where it says so."""
    generated, truth = 1.3 * normal(12_000, 2, seed=1), normal(12_000, 2, seed=2)
    forth = float(mixture_divergence(generated, truth, variance=1.0, points=10_000))
    back = float(mixture_divergence(truth, generated, variance=1.0, points=10_000))
    assert mixture_divergence(generated, truth) == forth
    assert mixture_divergence(generated, truth, convention="alrnn") == forth
    assert mixture_divergence(generated, truth, convention="dend") == pytest.approx((forth + back) / 2, rel=1e-12)
    assert mixture_divergence(generated, truth, convention="seed") == mixture_divergence(
        truth, generated, variance=0.1, points=5_000
    )
    assert mixture_divergence(generated, truth, convention="dysts") == mixture_divergence(
        generated, truth, variance=1.0, points=12_000
    )


def test_an_unknown_convention_or_another_dimension_is_rejected():
    with pytest.raises(ChaosbenchError, match=r"'gft'.*'gtf'"):
        mixture_divergence(normal(5, 2), normal(5, 2), convention="gft")  # type: ignore[arg-type]
    with pytest.raises(ChaosbenchError, match=r"2 dimensions.*\b3\b"):
        mixture_divergence(normal(5, 2), normal(5, 3))


def test_the_score_is_of_each_run_in_standard_deviations(evaluation: Evaluation):
    evaluation.scale[:] = torch.tensor([2.0, 4.0])
    scores = MixtureDivergence(variance=0.3, samples=50).score(evaluation)
    runs, orbits = evaluation.free_run[1] / evaluation.scale, evaluation.truth / evaluation.scale
    each = [mixture_divergence(run, orbit, variance=0.3, samples=50) for run, orbit in zip(runs, orbits, strict=True)]
    assert float(scores[1]) == pytest.approx(sum(map(float, each)) / 2, rel=1e-12)  # the median of two is their mean


def test_the_dend_convention_joins_the_runs_as_its_paper_does(evaluation: Evaluation):
    pooled, truth = evaluation.free_run[1].flatten(0, 1), evaluation.truth.flatten(0, 1)
    scores = MixtureDivergence(convention="dend", samples=50).score(evaluation)
    assert scores[1] == mixture_divergence(pooled, truth, samples=50, convention="dend")


def test_it_survives_many_dimensions():
    """Plain densities in 64 dimensions underflow; far series stay far and finite."""
    near, far = normal(300, 64, seed=1), normal(300, 64, seed=2) + 20
    assert 0 <= mixture_divergence(near, normal(300, 64)) < mixture_divergence(far, normal(300, 64)) < np.inf


def test_a_member_that_blew_up_is_nan_alone_and_numpy_arrays_agree():
    generated = torch.stack([normal(100, 6), normal(100, 6, seed=3)])
    spoiled = generated.clone()
    spoiled[0, 5, 2] = torch.inf
    scores = mixture_divergence(spoiled, normal(90, 6))
    assert scores[0].isnan()
    assert scores[1] == mixture_divergence(generated[1], normal(90, 6))
    assert isinstance(mixture_divergence(generated.numpy(), normal(90, 6).numpy()), np.ndarray)


@pytest.mark.parametrize("convention", ["gtf", "dend"])
@pytest.mark.parametrize("metric", [MixtureDivergence, StateSpaceDivergence])
def test_a_metric_that_joins_runs_has_one_score_for_all(metric, convention: str, evaluation: Evaluation):
    spec = metric(convention=convention)
    runs = evaluation.free_run.shape[1]
    assert runs > 1
    assert spec.each_run(evaluation).shape[1] == (1 if spec.joins_runs else runs)
    assert spec.joins_runs == (convention == "dend")
