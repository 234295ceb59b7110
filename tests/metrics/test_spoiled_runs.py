"""Runs spoiled on purpose never rank above the truth."""

from dataclasses import replace

import pytest
import torch

from chaosbench.metrics import Evaluation, MetricSpec, PowerSpectrumDistance, StateSpaceDivergence
from chaosbench.registry import load
from chaosbench.suite import load as load_suite
from docs.generate.score_table import before
from docs.generate.spoiled_runs import DESCRIPTIONS, spoiled_evaluation

NAMES = list(DESCRIPTIONS)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return spoiled_evaluation(runs=4, steps=2_000, transient=2_500, conditions=20, horizon=1_000)


RANKING = load_suite("quickstart", load())[0].metrics


@pytest.mark.parametrize("spec", RANKING, ids=lambda spec: spec.kind)
def test_no_spoiled_run_ranks_above_the_truth(spec: MetricSpec, evaluation: Evaluation) -> None:
    """By the metrics that suites list by default; equal orbits in another order may tie.

    Orbits of another speed are other samples of the same attractor, so their D_stsp scatters as that of true runs does:
    it must not be better than the best single true run.
    """
    sign = -1 if spec.better == "higher" else 1
    costs = (sign * spec.score(evaluation)).nan_to_num(torch.inf, torch.inf, torch.inf)
    best = float(costs[0])
    if spec.judges == "free_run":
        best = min(_alone(spec, evaluation, run) for run in range(evaluation.free_run.shape[1]))
    for name, cost in zip(NAMES[1:], costs[1:].tolist(), strict=True):
        limit = best if name in ("too fast", "too slow") else float(costs[0])
        assert cost >= limit - 1e-9, name


def _alone(spec: MetricSpec, evaluation: Evaluation, run: int) -> float:
    one = replace(evaluation, free_run=evaluation.free_run[:1, [run]], truth=evaluation.truth[[run]])
    return float(spec.score(one)[0])


def test_runs_that_hid_in_the_pool_or_off_the_grid_are_exposed(evaluation: Evaluation) -> None:
    """Three collapsed runs of four, or 39 of 40 states thrown away, once scored better than a collapse."""
    now, was = StateSpaceDivergence().score(evaluation), before("state_space_divergence", evaluation)
    assert was is not None
    collapse, hidden, scatter = (NAMES.index(name) for name in ("collapse", "three collapse", "scatter"))
    assert was[hidden] < was[collapse] / 2
    assert now[hidden] > 0.9 * now[collapse]
    assert now[scatter] > was[scatter] + 2
    shares = StateSpaceDivergence().details(evaluation)
    assert shares["collapsed_share"][[0, collapse, hidden]].tolist() == [0, 1, 0.75]
    assert shares["off_grid_share"][scatter] == pytest.approx(39 / 40, abs=0.01)


def test_only_runs_that_leave_the_box_have_escaped(evaluation: Evaluation) -> None:
    escaped = [name for name, runs in zip(NAMES, evaluation.escaped(), strict=True) if runs.any()]
    assert escaped == ["escape", "scatter"]


def test_speed_and_order_show_in_the_spectrum(evaluation: Evaluation) -> None:
    scores = PowerSpectrumDistance().score(evaluation)
    assert (scores[[NAMES.index(name) for name in ("shuffle", "too fast", "too slow")]] > 2 * scores[0]).all()
