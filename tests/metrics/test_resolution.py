"""The grid gets coarser, or the metric does not rank, where the floor of the state-space divergence leaves no room."""

from dataclasses import replace

import pytest
import torch

from chaosbench.metrics import Evaluation, StateSpaceDivergence
from chaosbench.metrics.state_space_divergence import has_resolution, state_space_divergence


def drawn(evaluation: Evaluation, steps: int, dimensions: int) -> Evaluation:
    """Return the evaluation of independent normal draws, the model's among them: it is as good as a second truth."""
    generator = torch.Generator().manual_seed(1)

    def normal(count: int) -> torch.Tensor:
        return torch.randn(count, steps, dimensions, generator=generator, dtype=torch.float64)

    return replace(
        evaluation, free_run=normal(2)[None], truth=normal(2), twin=normal(2), scale=torch.ones(dimensions).double()
    )


def floor_and_rest(evaluation: Evaluation, bins: int) -> tuple[float, float]:
    truth = evaluation.truth[0]
    at_rest = truth.mean(0).expand_as(truth)
    scores = (state_space_divergence(series, truth, bins=bins) for series in (evaluation.twin[0], at_rest))
    floor, rest = map(float, scores)
    return floor, rest


@pytest.mark.parametrize(
    ("steps", "dimensions"), [(300, 2), (400, 3), (2_000, 4), pytest.param(1_000, 5, marks=pytest.mark.slow)]
)
def test_the_bins_are_the_most_for_which_the_floor_is_at_most_half_the_score_of_a_run_at_rest(
    evaluation, steps, dimensions
):
    data = drawn(evaluation, steps, dimensions)
    metric = StateSpaceDivergence()
    bins, rest = metric.bins_for(data)
    floor, expected = floor_and_rest(data, bins)
    assert rest == pytest.approx(expected)
    assert floor <= rest / 2
    finer = [count for count in (30, 20, 15, 10, 7, 5, 4, 3) if count > bins]
    assert not finer or not has_resolution(*floor_and_rest(data, finer[-1]))
    details = metric.details(data)
    assert details["bins"].tolist() == [bins]
    assert details["at_rest"].tolist() == pytest.approx([rest])


def test_a_good_model_and_a_run_at_rest_are_told_apart_where_a_fine_grid_could_not(evaluation):
    """With 30 bins, 500 points in 4 dimensions share hardly any cell with 500 others."""
    data = drawn(evaluation, 500, 4)
    good = StateSpaceDivergence().score(data)
    bad = StateSpaceDivergence().score(replace(data, free_run=data.free_run * 0))
    assert float(good) < 0.6 * float(bad)
    fine = StateSpaceDivergence(bins=30)
    assert float(fine.score(data)) > 0.6 * float(fine.score(replace(data, free_run=data.free_run * 0)))


def test_long_orbits_keep_the_published_grid(evaluation):
    assert StateSpaceDivergence().bins_for(drawn(evaluation, 10_000, 2))[0] == 30


def test_bins_and_conventions_that_are_set_are_kept(evaluation):
    data = drawn(evaluation, 100, 3)
    assert StateSpaceDivergence(bins=30).bins_for(data)[0] == 30
    assert StateSpaceDivergence(convention="gtf_published").bins_for(data)[0] == 30
    assert StateSpaceDivergence().bins_for(data)[0] < 30


def test_the_bins_do_not_depend_on_the_model(evaluation):
    data = drawn(evaluation, 300, 3)
    other = replace(data, free_run=100 * data.free_run)
    assert StateSpaceDivergence().bins_for(other) == StateSpaceDivergence().bins_for(data)
    assert StateSpaceDivergence().bins_for(data.floor()) == StateSpaceDivergence().bins_for(data)
