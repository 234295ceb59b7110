"""Estimates of the times of experiments."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosbench.leaderboard import store
from chaosbench.monitor.costs import Costs, Observation, Work, makespan, observed

BOARD = Path(__file__).parents[2] / "leaderboards" / "forcing-interval"
WORK = Work("lorenz63", "lstm", "bptt", 2_000, 3, window=3_200, width=30, evaluation=200_000, exponents=20_000)
OTHER = replace(WORK, model="rnn", trainer="sparse_teacher_forcing")


@given(st.floats(1, 1e6), st.floats(1.5, 10))
def test_the_time_of_training_is_proportional_to_its_updates(updates: float, factor: float):
    costs = Costs([Observation(WORK, 0.01, 20.0)])
    once, more = (costs.estimate(replace(WORK, updates=one)) for one in (updates, factor * updates))
    assert more.training == pytest.approx(factor * once.training)
    assert more.rest == once.rest


@pytest.mark.parametrize("factor", [0.01, 1.0, 100.0])
def test_repeated_observations_are_believed(factor: float):
    """The prior counts as few observations: after twenty, the estimate is theirs to 15 %."""
    costs = Costs([Observation(WORK, 0.01 * factor, 20.0 * factor)] * 20)
    estimate = costs.estimate(WORK)
    assert estimate.seconds == pytest.approx((20.0 + 20.0) * factor, rel=0.15)
    assert estimate.spread < Costs().estimate(WORK).spread


def test_a_slow_experiment_raises_the_estimates_of_other_models():
    slow = Costs([Observation(WORK, 1.0, 2_000.0)])
    assert slow.estimate(OTHER).seconds > 3 * Costs().estimate(OTHER).seconds


def test_an_estimate_is_surest_for_what_was_observed():
    costs = Costs([Observation(WORK, 0.01, 20.0)] * 3)
    assert costs.estimate(WORK).spread < costs.estimate(OTHER).spread < Costs().estimate(OTHER).spread


def test_eight_experiments_of_a_published_board_predict_the_time_of_the_others():
    """The total lies within a factor of 2 in each of twenty draws of eight, and within 1.25 in half of them."""
    known = [one for stored in store.read_all(BOARD) if (one := observed(stored)) is not None]
    assert len(known) == 240
    ratios = []
    for draw in range(20):
        chosen = random.Random(draw).sample(known, 8)
        costs, others = Costs(chosen), [one for one in known if one not in chosen]
        expected = [costs.estimate(one.work).seconds for one in others]
        took = [(one.update or 0) * one.work.updates + one.rest for one in others]
        ratios.append(sum(expected) / sum(took))
    assert all(1 / 2 < ratio < 2 for ratio in ratios)
    assert sum(1 / 1.25 < ratio < 1.25 for ratio in ratios) >= 10


def test_results_of_another_device_or_host_do_not_count():
    stored = store.read_all(BOARD)[0]
    assert observed(stored, device="cuda") is None
    assert observed(stored, device="cpu") == observed(stored)
    run = {**stored.runs[0], "provenance": {"host": "another"}}
    assert observed(replace(stored, runs=(run,)), host="mine") is None


@given(st.lists(st.floats(0, 100), min_size=1), st.integers(1, 8))
def test_a_makespan_lies_between_its_bounds(times: list[float], workers: int):
    """Graham 1969, SIAM Journal on Applied Mathematics 17, 416: list scheduling."""
    found = makespan(times, workers)
    assert max(sum(times) / workers, max(times)) <= found * (1 + 1e-9) + 1e-9
    assert found <= sum(times) / workers + max(times) * (1 - 1 / workers) + 1e-9


def test_what_runs_already_delays_what_waits():
    assert makespan([10.0], 2, [3.0, 5.0]) == 13.0
    assert makespan([], 2, [3.0, 5.0]) == 5.0
    assert makespan([10.0], 3, [3.0, 5.0]) == 10.0
