"""The tests of significance against scipy and complete enumeration."""

import math
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from chaosbench.leaderboard.significance import least_rank_p, rank_test, sign_test, t_test, welch_test

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8).filter(lambda values: np.std(values) > 1e-3)
# Few different costs, so that ties are frequent; infinity stands for a diverged seed.
costs = st.lists(st.sampled_from([0.1, 0.5, 1.0, 2.0, math.inf]), min_size=1, max_size=5)


@given(numbers, numbers)
def test_welchs_test_is_that_of_scipy(first, second):
    expected = scipy.stats.ttest_ind(first, second, equal_var=False, alternative="greater").pvalue
    assert welch_test(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(numbers)
def test_the_paired_test_is_that_of_scipy(differences):
    expected = scipy.stats.ttest_1samp(differences, 0.0, alternative="greater").pvalue
    assert t_test(differences) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(costs, costs)
def test_the_rank_test_counts_every_division_of_the_ranks(first, second):
    ranks = scipy.stats.rankdata([*first, *second])
    own = ranks[: len(first)].sum()
    sums = [sum(chosen) for chosen in combinations(ranks, len(first))]
    assert rank_test(first, second) == pytest.approx(np.mean([total >= own for total in sums]), rel=1e-12)


def test_the_rank_test_is_the_exact_permutation_test_of_scipy():
    first, second = [3.0, 5.0, math.inf, math.inf, 2.5], [1.0, 2.0, 2.5, math.inf, 0.5]
    ranks = scipy.stats.rankdata([*first, *second])
    expected = scipy.stats.permutation_test(
        (ranks[:5], ranks[5:]),
        lambda own, other, axis: own.sum(axis=axis),
        vectorized=True,
        n_resamples=np.inf,
        alternative="greater",
    ).pvalue
    assert rank_test(first, second) == pytest.approx(expected, rel=1e-12)


@given(costs, costs)
def test_both_sides_of_the_rank_test_sum_to_one_and_the_probability_of_a_tie(first, second):
    assert rank_test(first, second) + rank_test(second, first) >= 1 - 1e-12
    assert rank_test(first, second) >= least_rank_p(len(first), len(second)) - 1e-12


def test_large_samples_are_counted_without_overflow():
    """The exact tail approaches the normal one; at 60 against 60 they differ by less than 2 % in the centre."""
    generator = np.random.default_rng(0)
    first, second = generator.normal(0.2, 1, 60).tolist(), generator.normal(0, 1, 60).tolist()
    expected = scipy.stats.mannwhitneyu(first, second, alternative="greater", method="asymptotic").pvalue
    assert rank_test(first, second) == pytest.approx(expected, rel=0.02)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0, math.inf, -math.inf]), min_size=1, max_size=9))
def test_the_sign_test_is_the_binomial_test_of_scipy(differences):
    above, below = sum(value > 0 for value in differences), sum(value < 0 for value in differences)
    assume(above + below > 0)
    expected = scipy.stats.binomtest(above, above + below, alternative="greater").pvalue
    assert sign_test(differences) == pytest.approx(expected, rel=1e-12)


def test_signs_that_are_all_zero_show_nothing():
    assert sign_test([0.0, 0.0]) == 1.0
