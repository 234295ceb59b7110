"""Skill of forecasts relative to the twin."""

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from chaosbench.metrics import Evaluation, Skill, too_good_to_be_true


def failing_after(steps: torch.Tensor, horizon: int) -> torch.Tensor:
    """Forecasts of a constant truth 0 that are right for `steps` steps and far off from then on, `(..., H, 1)`."""
    late = torch.arange(horizon) >= steps.unsqueeze(-1)
    return torch.where(late, 10.0, 0.0).double().unsqueeze(-1)


@pytest.fixture
def constructed(evaluation: Evaluation) -> Evaluation:
    ceiling = torch.arange(50) % 20 + 10
    own = torch.stack([ceiling, ceiling // 2, ceiling + 5, torch.zeros(50, dtype=torch.long)])
    return replace(
        evaluation,
        forecast=failing_after(own, 100),
        future=torch.zeros(50, 100, 1, dtype=torch.float64),
        twins=failing_after(ceiling, 100),
        scale=torch.ones(1, dtype=torch.float64),
    )


def test_skill_is_the_median_ratio_of_valid_times(constructed: Evaluation):
    """ceiling // 2 loses half a step where odd: the median of the ratios is computed by hand."""
    ceiling = (torch.arange(50) % 20 + 10).double()
    halved = ((ceiling // 2) / ceiling).quantile(0.5)
    raised = ((ceiling + 5) / ceiling).quantile(0.5)
    assert_close(
        Skill().score(constructed), torch.stack([torch.tensor(1.0).double(), halved, raised, torch.zeros(()).double()])
    )


def test_a_forecast_that_outlasts_the_twin_is_flagged_and_no_other(constructed: Evaluation):
    assert too_good_to_be_true(constructed).tolist() == [False, False, True, False]


def test_a_few_lucky_conditions_are_not_flagged(constructed: Evaluation):
    """29 of 50 conditions are longer: a fair coin does that once in six times."""
    ceiling = torch.arange(50) % 20 + 10
    own = ceiling + torch.where(torch.arange(50) < 29, 3, -3)
    assert too_good_to_be_true(replace(constructed, forecast=failing_after(own[None], 100))).tolist() == [False]


def test_a_twin_that_fails_at_once_counts_as_valid_for_one_step(constructed: Evaluation):
    """The ratio stays finite where rounding or noise already exceeds the threshold: own steps over one step."""
    own = torch.arange(50).remainder(3)  # median 1 of 0, 1 and 2 steps
    at_once = replace(constructed, forecast=failing_after(own[None], 100), twins=failing_after(0 * own, 100))
    assert_close(Skill().each_condition(at_once), own[None].double())


@pytest.mark.parametrize("longer", [64, 65, 66, 67])
def test_seeds_are_flagged_where_a_fair_coin_would_hardly_ever_do_it(evaluation: Evaluation, longer: int):
    """By the exact binomial tail, 66 or more of 100 are longer by chance in less than one in a thousand cases."""
    ceiling = torch.full((100,), 10)
    own = ceiling + torch.where(torch.arange(100) < longer, 3, -3)
    tail = sum(math.comb(100, count) for count in range(longer, 101)) / 2**100
    outlasting = replace(
        evaluation,
        forecast=failing_after(own[None], 20),
        future=torch.zeros(100, 20, 1, dtype=torch.float64),
        twins=failing_after(ceiling, 20),
        scale=torch.ones(1, dtype=torch.float64),
    )
    assert too_good_to_be_true(outlasting).tolist() == [tail < 1e-3]


def test_recorded_series_have_no_twin_and_no_skill(constructed: Evaluation):
    measured = replace(constructed, twins=None)
    assert Skill().score(measured).isnan().all()
    assert not too_good_to_be_true(measured).any()
