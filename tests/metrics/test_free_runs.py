"""The scores of single free runs are combined by their median, beside the shares of runs that collapsed or escaped."""

from dataclasses import replace

import pytest
import torch

from chaosbench.builtin import chaosbench_metrics
from chaosbench.metrics import Evaluation, PredictionError, Skill, StateSpaceDivergence, ValidPredictionTime
from chaosbench.metrics.base import median_over_runs

NAN, INF = torch.nan, torch.inf


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1.66, 1.74, 13.93, 2.45], 2.095),
        ([13.7, 13.7, 13.7, 3.7], 13.7),
        ([1.0, 2.0, NAN], 2.0),
        ([1.0, NAN, 3.0, 2.0], 2.5),
    ],
)
def test_the_median_over_runs_takes_an_undefined_score_as_the_worst(scores: list[float], expected: float) -> None:
    values = torch.tensor([scores], dtype=torch.float64)
    assert float(median_over_runs(values, better="lower")) == pytest.approx(expected, rel=1e-12)
    assert float(median_over_runs(-values, better="higher")) == pytest.approx(-expected, rel=1e-12)


@pytest.mark.parametrize("scores", [[1.0, NAN], [1.0, 2.0, NAN, NAN], [NAN, NAN, 0.0], [INF, INF, 1.0]])
def test_half_the_runs_without_a_score_leave_no_median(scores: list[float]) -> None:
    assert median_over_runs(torch.tensor([scores]), better="lower").isnan().all()


def test_a_run_that_rests_or_stays_in_a_part_has_collapsed_and_one_that_left_has_not(evaluation: Evaluation) -> None:
    """Runs of three seeds: at rest from the first half on; a third of the true width; thrown out; and true ones."""
    evaluation.free_run[0, 0, 150:] = evaluation.free_run[0, 0, 150]
    evaluation.free_run[0, 1, :, 1] /= 3
    evaluation.free_run[1, 0, 300:] = 1e3
    evaluation.free_run[1, 1, 399] = NAN
    assert evaluation.collapsed().tolist() == [[True, True], [False, False], [False, False]]
    assert evaluation.escaped().tolist() == [[False, False], [True, True], [False, False]]
    assert not evaluation.floor().collapsed().any()
    assert not evaluation.floor().escaped().any()


def test_the_box_reaches_ten_standard_deviations_beyond_the_data(evaluation: Evaluation) -> None:
    evaluation.scale[:] = 3.0
    highest = torch.cat([evaluation.truth, evaluation.twin])[..., 0].max()
    evaluation.free_run[0, 0, 7, 0] = highest + 29.9
    evaluation.free_run[1, 0, 7, 0] = highest + 30.1
    assert evaluation.escaped()[:, 0].tolist() == [False, True, False]


@pytest.mark.parametrize("metric", chaosbench_metrics(), ids=lambda metric: metric().kind)
def test_every_metric_stores_shares_of_what_went_wrong(metric: type, evaluation: Evaluation) -> None:
    """Shares lie between 0 and 1, and none is undefined, for the truth either; other details describe the grid."""
    evaluation.free_run[1, 0, 300:] = NAN
    evaluation.forecast[1, 0, 3:] = NAN
    details, floor = metric().details(evaluation), metric().details(evaluation.floor())
    assert details.keys() == floor.keys() != set()
    shares = {name: values for name, values in details.items() if name.endswith("_share")}
    assert shares
    assert details.keys() - shares.keys() <= {"bins", "at_rest"}
    for name, values in shares.items():
        assert values.shape == (3,)
        assert ((values >= 0) & (values <= 1)).all()
        assert floor[name].shape == (1,)


def test_forecasts_valid_to_the_end_are_censored(evaluation: Evaluation) -> None:
    """Exact forecasts in one, all and none of four conditions; the twins fail at once."""
    evaluation.forecast[0, 0] = evaluation.future[0]
    evaluation.forecast[1] = evaluation.future
    evaluation.forecast[2] = evaluation.future + 10
    apart = replace(evaluation, twins=evaluation.future + 10)
    for metric in (ValidPredictionTime(), Skill()):
        shares = metric.details(apart)["censored_share"].tolist()
        assert shares[1:] == [1.0, 0.0]
        assert shares[0] >= 0.25
    assert Skill().details(replace(apart, twins=evaluation.future))["censored_share"].tolist() == [1.0] * 3


def test_states_off_the_grid_are_counted_beside_the_score(evaluation: Evaluation) -> None:
    before = StateSpaceDivergence().details(evaluation)["off_grid_share"][0]
    evaluation.free_run[0, :, :100] = 1e4
    after = StateSpaceDivergence().details(evaluation)["off_grid_share"][0]
    assert float(after) >= 0.25
    assert float(after - before) <= 0.25 + 1e-12


def test_the_reason_for_an_undefined_score_counts_what_failed(evaluation: Evaluation) -> None:
    evaluation.forecast[1, 2, 10:] = NAN
    assert "1 of 4 forecasts" in PredictionError().why_undefined(evaluation, 1)
    evaluation.free_run[1] = NAN
    assert "2 of 2 free runs" in StateSpaceDivergence().why_undefined(evaluation, 1)
