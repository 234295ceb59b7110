"""Exact tests of how often runs win: against enumeration, another implementation, and false alarms by simulation."""

from itertools import combinations, product
from math import inf

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from chaosbench.leaderboard.superiority import Pairing, holm, least_on_others, on_others, on_these, outcomes, paired

GENERATOR = np.random.default_rng(3)


def pairing(first, second, **settings) -> Pairing:
    return paired(outcomes([*first, *second], logarithmic=False, **settings), len(first), len(second))


def enumerated(pairings: list[Pairing]) -> float:
    """Return the share of all divisions of the runs with at least so many wins of the first method."""
    totals = [[sum(chosen) for chosen in combinations(each.scores, each.first)] for each in pairings]
    sums = [sum(one) for one in product(*totals)]
    observed = sum(each.total for each in pairings)
    return float(np.mean([total >= observed for total in sums]))


def test_without_ties_on_one_system_the_test_is_that_of_mann_and_whitney():
    first, second = GENERATOR.normal(size=6), GENERATOR.normal(0.7, size=5)
    expected = mannwhitneyu(first, second, alternative="less", method="exact")  # smaller costs are better
    pair = pairing(first, second, equal=0.0)
    assert on_these([pair]).first == pytest.approx(expected.pvalue, abs=1e-12)
    assert pair.probability == pytest.approx(1 - expected.statistic / 30, abs=1e-12)


@pytest.mark.parametrize("equal", [0.0, 0.5])
def test_over_systems_the_p_value_counts_every_division_of_the_runs(equal: float):
    pairs = [pairing(GENERATOR.normal(1, 1, 3), GENERATOR.normal(1.3, 1, 3), equal=equal) for _ in range(3)]
    tails = on_these(pairs)
    assert tails.first == pytest.approx(enumerated(pairs), abs=1e-12)
    swapped = [Pairing((*one.scores[3:], *one.scores[:3]), 3, 3) for one in pairs]
    assert tails.second == pytest.approx(enumerated(swapped), abs=1e-12)


def test_on_other_systems_the_p_value_counts_every_exchange_of_signs():
    pairs = [pairing(GENERATOR.normal(size=5), GENERATOR.normal(0.5, size=5)) for _ in range(7)]
    excess = np.array([round(1_000 * (2 * one.probability - 1)) for one in pairs])
    sums = [np.dot(signs, np.abs(excess)) for signs in product([-1, 1], repeat=7)]
    assert on_others(pairs).first == pytest.approx(np.mean(np.array(sums) >= excess.sum()), abs=1e-12)
    assert on_others(pairs).second == pytest.approx(np.mean(np.array(sums) <= excess.sum()), abs=1e-12)


def test_the_smallest_p_value_on_other_systems_is_reached_by_winning_all():
    pairs = [pairing([0.0, 0.1], [1.0, 1.1])] * 6
    assert on_others(pairs).first == least_on_others(6) == 0.5**6


def test_a_lost_run_loses_against_every_other_and_draws_with_another_lost_one():
    won = outcomes([inf, 0.0, 1e300, inf], logarithmic=True)
    assert won.tolist() == [[1, 0, 0, 1], [2, 1, 2, 2], [2, 0, 1, 2], [1, 0, 0, 1]]


def test_scores_within_the_share_are_equal():
    costs = np.log([1.0, 1.04, 1.06])
    assert outcomes(costs, logarithmic=True, equal=0.05)[0].tolist() == [1, 1, 2]
    assert outcomes([-1.0, -1.04, -1.06], logarithmic=False, equal=0.05)[0].tolist() == [1, 1, 0]


def test_two_metrics_that_contradict_each_other_leave_no_winner():
    one, other = ([0.0, 0.1], [1.0, 1.1]), ([1.0, 1.1], [0.0, 0.1])
    won = sum(outcomes([*first, *second], logarithmic=False) for first, second in (one, other))
    both = paired(won, 2, 2, metrics=2)
    assert both.probability == 0.5
    assert on_these([both]).two_sided == 1.0


def test_a_worse_run_never_raises_the_probability_of_winning():
    first, second = GENERATOR.normal(size=5), GENERATOR.normal(size=5)
    for step in (0.1, 1.0, 10.0, inf):
        worse = first.copy()
        worse[0] += step
        assert pairing(worse, second).probability <= pairing(first, second).probability


def test_holms_correction_of_a_worked_example():
    # Holm 1979 by hand: 0.005 <= 0.05 / 4, 0.01 <= 0.05 / 3, but 0.03 > 0.05 / 2 stops, whatever follows.
    assert holm([0.03, 0.005, 0.04, 0.01], 0.05) == [False, True, False, True]


@pytest.mark.parametrize("test", [on_these, on_others], ids=["these", "others"])
def test_equal_methods_are_told_apart_in_five_percent_of_cases_at_most(test):
    generator, alarms, repeats = np.random.default_rng(11), 0, 400
    for _ in range(repeats):
        pairs = [pairing(*generator.normal(size=(2, 4)) + generator.normal()) for _ in range(8)]
        alarms += test(pairs).two_sided <= 0.05
    assert alarms <= 0.05 * repeats + 3 * np.sqrt(repeats * 0.05 * 0.95), "within three standard deviations of 5 %"


def test_systems_that_differ_at_random_are_a_difference_on_these_and_none_on_others():
    generator, found, repeats = np.random.default_rng(5), [0, 0], 100
    for _ in range(repeats):
        shifts = generator.normal(scale=3, size=(8, 1)) * [1, -1]
        pairs = [pairing(*(generator.normal(size=(5, 2)) + shift).T) for shift in shifts]
        found[0] += on_these(pairs).two_sided <= 0.05
        found[1] += on_others(pairs).two_sided <= 0.05
    assert found[1] <= 12, "5 % of 100, within three standard deviations"
    assert found[0] >= 30, "the seeds alone tell which method won more on these eight systems"
