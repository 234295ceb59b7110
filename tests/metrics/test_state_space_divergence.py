"""The divergence of histograms: its formula and its invariances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from chaosbench.errors import ChaosbenchError
from chaosbench.metrics import StateSpaceDensity, off_grid_share, state_space_divergence

Points = NDArray[np.float64]
PUBLISHED = {
    "gtf": (30, "extent", 0.1, 0),
    "gtf_published": (30, "extent", 0.1, 0),
    "alrnn": (30, "extent", 0.1, 0),
    "dynamix": (30, "extent", 0.0, 1),
    "dend": (30, "zero", 2.0, 1),
    "seed": (10, "zero", 2.0, 1),
}


def normal(*shape: int, seed: int = 0) -> Points:
    return np.random.default_rng(seed).normal(size=shape)


def published_grid(truth: Points, convention: str) -> tuple[Points, Points, Points]:
    """Return the lower and the upper edge of the grid, and the lower edge of the first bin that counts, `(D,)` each."""
    bins, around, margin, first = PUBLISHED[convention]
    reach = margin * truth.std(0, ddof=1)
    lower, upper = (-reach, reach) if around == "zero" else (truth.min(0) - reach, truth.max(0) + reach)
    return lower, upper, lower + first * (upper - lower) / bins


def by_formula(generated: Points, truth: Points, convention: str) -> float:
    """KL of two smoothed `np.histogramdd`; the upper edge, which numpy counts, and the dropped bins are cut off."""
    lower, upper, least = published_grid(truth, convention)

    def probability(points: Points) -> Points:
        inside = points[((points >= least) & (points < upper)).all(1)]
        counts, _ = np.histogramdd(inside, bins=PUBLISHED[convention][0], range=list(zip(lower, upper, strict=True)))
        total = len(points) if convention == "gtf" else counts.sum()
        return (counts + 1e-5) / (total + 1e-5 * counts.size)

    p, q = probability(truth), probability(generated)
    return float(np.sum(p * np.log(p / q)))


@pytest.mark.parametrize("convention", PUBLISHED)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_every_convention_equals_its_formula(convention: str, dimension: int) -> None:
    """A second implementation by `np.histogramdd`; no random point lies within rounding of an inner edge."""
    truth, generated = normal(3000, dimension), 1.3 * normal(2000, dimension, seed=1) + 0.2
    score = state_space_divergence(generated, truth, convention=convention)
    assert_allclose(score, by_formula(generated, truth, convention), rtol=1e-10)


@pytest.mark.parametrize("convention", PUBLISHED)
def test_points_off_the_grid_are_those_that_the_histogram_leaves_out(convention: str) -> None:
    """A first bin that is ignored is off the grid, and so is a point on the upper edge."""
    truth = normal(3000, 2)
    _, upper, least = published_grid(truth, convention)
    generated = np.concatenate([1.3 * normal(2000, 2, seed=1), np.tile(upper, (500, 1))])
    left_out = 1 - ((generated >= least) & (generated < upper)).all(1).mean()
    assert off_grid_share(generated, truth, convention=convention) == pytest.approx(left_out, abs=1e-12)


def test_default_is_thirty_bins_on_the_gtf_grid() -> None:
    truth, generated = normal(500, 2), normal(500, 2, seed=1)
    assert state_space_divergence(generated, truth) == state_space_divergence(
        generated, truth, bins=30, convention="gtf"
    )


def test_the_seed_convention_has_ten_bins() -> None:
    truth, generated = normal(500, 2), normal(500, 2, seed=1)
    ten = state_space_divergence(generated, truth, bins=10, convention="seed")
    assert state_space_divergence(generated, truth, convention="seed") == ten
    assert state_space_divergence(generated, truth, bins=30, convention="seed") != ten


def test_two_points_in_two_bins_follow_the_formula_by_hand() -> None:
    """One dimension, two bins: truth half in each, model all in the lower. p = 1/2, q = (4 + a, a) / (4 + 2 a)."""
    score = state_space_divergence(np.zeros((4, 1)), np.array([[0.0], [1.0]]), bins=2)
    q = np.array([4 + 1e-5, 1e-5]) / (4 + 2e-5)
    assert_allclose(score, 0.5 * np.log(0.5 / q).sum(), rtol=1e-12)


@pytest.mark.parametrize("convention", PUBLISHED)
def test_a_permutation_of_the_points_is_no_divergence(convention: str) -> None:
    truth = normal(500, 3)
    shuffled = np.random.default_rng(1).permutation(truth)
    assert state_space_divergence(truth, truth, convention=convention) == 0
    assert state_space_divergence(shuffled, truth, convention=convention) == 0


@given(seed=st.integers(0, 2**32 - 1), dimension=st.integers(1, 3), power=st.integers(-20, 20))
@settings(max_examples=30, deadline=None)
def test_it_is_never_negative_and_independent_of_units(seed: int, dimension: int, power: int) -> None:
    """Gibbs' inequality holds for smoothed histograms up to rounding; a power of two scales without rounding."""
    truth, generated = normal(200, dimension, seed=seed), normal(100, dimension, seed=seed + 1)
    score = state_space_divergence(generated, truth, bins=8)
    assert score >= -1e-12
    assert state_space_divergence(2.0**power * generated, 2.0**power * truth, bins=8) == score


@pytest.mark.parametrize("culprit", [np.nan, np.inf, -np.inf])
def test_a_diverged_member_is_nan_alone(culprit: float) -> None:
    truth, generated = normal(300, 2), normal(4, 300, 2, seed=1)
    alone = state_space_divergence(generated, truth)
    generated[2, -1, 0] = culprit
    scores = state_space_divergence(generated, truth)
    assert np.isnan(scores[2])
    assert_allclose(np.delete(scores, 2), np.delete(alone, 2), rtol=0)


@pytest.mark.parametrize("convention", PUBLISHED)
@pytest.mark.parametrize("place", [100.0, 1e300])
def test_a_series_that_misses_the_grid_is_uniform_or_undefined(convention: str, place: float) -> None:
    """If all points count, every cell has the same probability, a / (T + a K^D)."""
    truth = normal(300, 2)
    score = state_space_divergence(np.full((300, 2), place), truth, convention=convention)
    if convention == "gtf":
        probability = StateSpaceDensity(torch.tensor(truth)).probability.numpy()
        cell = 1e-5 / (300 + 1e-5 * 30**2)
        assert_allclose(score, (probability * np.log(probability / cell)).sum(), rtol=1e-12)
    else:
        assert np.isnan(score)


@given(seed=st.integers(0, 2**32 - 1), dimension=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_points_thrown_off_the_grid_never_lower_the_score(seed: int, dimension: int) -> None:
    """Each point taken from a cell lowers q there and nowhere raises it; the published form rises only at first."""
    truth, generated = normal(400, dimension, seed=seed), normal(400, dimension, seed=seed + 1)
    scores = []
    for thrown in (0, 1, 40, 200, 390, 399, 400):
        spoiled = generated.copy()
        spoiled[:thrown] = 1e6
        scores.append(state_space_divergence(spoiled, truth))
        assert off_grid_share(spoiled, truth) >= thrown / 400
    assert (np.diff(scores) >= -1e-12).all()


def test_the_published_form_rewards_points_thrown_off_the_grid() -> None:
    """A single point of 40,000 on the grid beats a run that rests on it by about ln 40,000 = 10.6 nats."""
    truth = normal(40_000, 3)
    resting, thrown = np.zeros((40_000, 3)), np.full((40_000, 3), 1e6)
    thrown[0] = 0
    gap = {
        convention: state_space_divergence(resting, truth, convention=convention)
        - state_space_divergence(thrown, truth, convention=convention)
        for convention in ("gtf", "gtf_published")
    }
    assert gap["gtf_published"] == pytest.approx(np.log(40_000), rel=0.05)
    assert gap["gtf"] <= 0
    assert off_grid_share(thrown, truth) == pytest.approx(1 - 1 / 40_000)


@pytest.mark.parametrize("convention", PUBLISHED)
@pytest.mark.parametrize("level", [0.0, 0.1, -7.3, 1e6])
def test_a_constant_dimension_does_not_change_the_score(convention: str, level: float) -> None:
    """A constant fills a single bin of its grid, up to rounding; a constant one unit away is off the grid."""
    truth, generated = normal(300, 1), normal(300, 1, seed=1)

    def score(series: Points, constant: float) -> float:
        flat, moved = np.full((300, 1), level), np.full((300, 1), constant)
        return state_space_divergence(np.hstack([series, moved]), np.hstack([truth, flat]), convention=convention)

    assert score(truth, level) == 0
    assert score(generated, level) > 0
    assert score(generated, level * (1 + 1e-12)) == score(generated, level)
    off_grid = score(generated, level + 1)
    assert off_grid > score(generated, level) if convention == "gtf" else np.isnan(off_grid)


def test_leading_axes_broadcast_like_arrays() -> None:
    generated, truth = normal(3, 1, 200, 2), normal(2, 300, 2, seed=1)
    scores = state_space_divergence(generated, truth)
    assert scores.shape == (3, 2)
    for k in range(3):
        for r in range(2):
            assert scores[k, r] == state_space_divergence(generated[k, 0], truth[r])


def test_tensors_and_arrays_give_the_same_numbers_and_keep_their_type() -> None:
    truth, generated = normal(300, 2), normal(3, 300, 2, seed=1)
    scores = state_space_divergence(generated, truth)
    tensors = state_space_divergence(torch.tensor(generated), torch.tensor(truth))
    assert isinstance(scores, np.ndarray)
    assert isinstance(tensors, torch.Tensor)
    assert isinstance(state_space_divergence(generated[0], truth), float)
    assert tensors.dtype == torch.float64
    assert (tensors.numpy() == scores).all()


def test_reversed_read_only_and_single_precision_input_is_accepted() -> None:
    truth, generated = normal(300, 2), normal(300, 2, seed=1).astype(np.float32)
    generated.flags.writeable = False
    score = state_space_divergence(generated, truth)
    assert state_space_divergence(generated[::-1], truth[::-1]) == score
    assert state_space_divergence(torch.tensor(generated[::-1].copy(), requires_grad=True), truth) == score


def test_a_reused_density_scores_like_the_function() -> None:
    truth, generated = torch.tensor(normal(300, 2)), torch.tensor(normal(300, 2, seed=1))
    density = StateSpaceDensity(truth, bins=12, convention="dend")
    assert density.divergence(generated) == state_space_divergence(generated, truth, bins=12, convention="dend")


def test_a_histogram_too_large_is_rejected() -> None:
    with pytest.raises(ChaosbenchError, match=r"30\*\*6 cells.*5 dimensions"):
        state_space_divergence(normal(10, 6), normal(10, 6))
    with pytest.raises(ChaosbenchError, match=r"400\*\*3 cells"):
        state_space_divergence(normal(10, 3), normal(10, 3), bins=400)


def test_bins_conventions_and_dimensions_that_are_invalid_are_rejected() -> None:
    with pytest.raises(ChaosbenchError, match=r"bin.*\b0\b"):
        state_space_divergence(normal(10, 2), normal(10, 2), bins=0)
    with pytest.raises(ChaosbenchError, match=r"'gft'.*'gtf'"):
        state_space_divergence(normal(10, 2), normal(10, 2), convention="gft")  # type: ignore[arg-type]
    with pytest.raises(ChaosbenchError, match=r"2 dimensions.*\b3\b"):
        state_space_divergence(normal(10, 2), normal(10, 3))
