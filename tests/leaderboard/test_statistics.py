"""Medians, intervals, and the rules by which two entries are compared."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chaosbench.leaderboard.statistics import (
    Sample,
    Scale,
    compare,
    corrected_level,
    differ,
    interval,
    median,
)

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8).filter(lambda values: np.std(values) > 1e-3)
positive = st.lists(st.floats(0.02, 1e3), min_size=2, max_size=8).filter(lambda values: np.std(np.log(values)) > 1e-3)
LOGARITHMIC, LINEAR = Scale("lower", logarithmic=True, floor=0.01), Scale("higher")


@given(numbers)
def test_the_interval_of_the_mean_is_that_of_scipy(values):
    expected = scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values))
    np.testing.assert_allclose(interval(values), expected, rtol=1e-9, atol=1e-9)


@given(positive)
def test_the_interval_of_the_geometric_mean_is_that_of_the_mean_logarithm(values):
    expected = interval([math.log(value) for value in values])
    low, high = interval(values, logarithmic=True)
    assert low <= scipy.stats.gmean(values) <= high
    np.testing.assert_allclose(np.log([low, high]), np.minimum(expected, 709), rtol=1e-9, atol=1e-9)


def test_intervals_need_two_seeds_all_with_a_score_and_logarithms_need_positive_ones():
    assert interval([1.0]) is None
    assert interval([1.0, 2.0, None]) is None
    assert interval([0.0, 1.0], logarithmic=True) is None


@given(st.lists(st.one_of(st.none(), st.floats(-10, 10)), min_size=1))
def test_the_median_is_that_of_numpy_with_infinity_for_divergence(values):
    expected = float(np.median([math.inf if value is None else value for value in values]))
    result = median(values, better="lower")
    assert result == pytest.approx(expected) if math.isfinite(expected) else result is None


@given(positive, positive)
def test_errors_are_compared_on_logarithms(first, second):
    expected = scipy.stats.ttest_ind(np.log(first), np.log(second), equal_var=False, alternative="greater").pvalue
    compared = compare(Sample(tuple(first)), Sample(tuple(second)), scale=LOGARITHMIC)
    assert compared.p_value == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(numbers, numbers)
def test_scores_that_are_better_higher_are_compared_as_they_are(first, second):
    expected = scipy.stats.ttest_ind(first, second, equal_var=False, alternative="less").pvalue
    compared = compare(Sample(tuple(first)), Sample(tuple(second)), scale=LINEAR)
    assert compared.p_value == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_differences_below_the_floor_mean_nothing():
    """0.001 and 0.009 are both indistinguishable from the truth."""
    compared = compare(Sample((0.009, 0.0095, 0.0098)), Sample((0.001, 0.0011, 0.0012)), scale=LOGARITHMIC)
    assert compared.p_value == 1.0


def test_only_non_negative_scores_that_are_better_lower_are_compared_on_logarithms():
    assert Scale.of([0.1, None, 0.0], better="lower", floor=0.5) == Scale("lower", True, 0.5)
    assert Scale.of([0.1, -0.1], better="lower", floor=0.5) == Scale("lower")
    assert Scale.of([0.1, 0.2], better="higher", floor=0.5) == Scale("higher")


@pytest.mark.parametrize("lost", [1, 3, 5])
def test_diverged_seeds_are_the_worst_ranks(lost):
    """The survivors are better than all seeds of the best entry; only the number of diverged seeds decides."""
    entry = Sample(tuple(0.02 + 0.001 * k for k in range(5 - lost)) + (None,) * lost)
    best = Sample((0.5, 0.6, 0.7, 0.8, 0.9))
    compared = compare(entry, best, scale=LOGARITHMIC)
    ranks = [*range(1, 6 - lost), *([10 - (lost - 1) / 2] * lost)]
    expected = scipy.stats.permutation_test(
        (np.array(ranks), np.arange(6 - lost, 11 - lost, dtype=float)),
        lambda own, other, axis: own.sum(axis=axis),
        vectorized=True,
        n_resamples=np.inf,
        alternative="greater",
    ).pvalue
    assert compared.p_value == pytest.approx(expected, rel=1e-12)
    assert (compared.p_value <= 0.05) == (lost == 5)


def test_too_few_seeds_are_never_a_verdict():
    """Three against three reach p = 1/20 at the least."""
    worse, best = Sample((None, None, None)), Sample((0.1, 0.2, 0.3))
    assert compare(worse, best, scale=LOGARITHMIC, level=0.05).p_value == pytest.approx(0.05)
    untested = compare(worse, best, scale=LOGARITHMIC, level=0.049)
    assert untested.p_value is None
    assert untested.reason
    single = compare(Sample((0.5,)), Sample((0.1, 0.2, 0.3)), scale=LOGARITHMIC)
    assert single.p_value is None


@given(st.lists(st.tuples(st.floats(0.02, 1e3), st.floats(0.02, 1e3)), min_size=2, max_size=8))
def test_entries_without_seeds_are_compared_orbit_by_orbit(pairs):
    entry, best = (Sample((1.0, 1.0), (tuple(own),) * 2, fixed=True) for own in zip(*pairs, strict=True))
    differences = [math.log(own) - math.log(other) for own, other in pairs]
    compared = compare(entry, best, scale=LOGARITHMIC, level=0.5**8)
    if np.std(differences) > 1e-3:
        expected = scipy.stats.ttest_1samp(differences, 0.0, alternative="greater").pvalue
        assert compared.p_value == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_an_orbit_on_which_one_side_diverged_leaves_the_signs():
    best = Sample((0.1, 0.1), ((0.1, 0.2, 0.1, 0.3, 0.2),) * 2, fixed=True)
    entry = Sample((0.5, 0.5), ((0.5, None, 0.6, 0.9, 0.4),) * 2, fixed=True)
    compared = compare(entry, best, scale=LOGARITHMIC)
    assert (compared.p_value, "sign" in compared.test) == (1 / 32, True)


def test_an_entry_with_seeds_must_be_worse_over_seeds_and_over_orbits():
    """Each seed is worse on each orbit, but two of the seeds are worse by so little that chance explains it."""
    best = Sample((0.1, 0.1), ((0.1, 0.1, 0.11, 0.12),) * 2, fixed=True)
    values = (0.11, 0.12, 3.0)
    entry = Sample(values, tuple((value, 1.1 * value, 1.2 * value, 1.3 * value) for value in values))
    alone = compare(Sample(values, entry.orbits, fixed=True), best, scale=LOGARITHMIC)
    both = compare(entry, best, scale=LOGARITHMIC)
    over_seeds = scipy.stats.ttest_1samp(np.log(values) - math.log(0.1), 0.0, alternative="greater").pvalue
    assert alone.p_value < 0.05 < over_seeds
    assert both.p_value == pytest.approx(over_seeds)


def test_the_level_is_divided_by_the_number_of_comparisons():
    assert [corrected_level(entries) for entries in (0, 1, 2, 6)] == [0.05, 0.05, 0.05, 0.01]


@given(positive, positive)
def test_a_difference_is_two_sided_and_symmetric(first, second):
    p = scipy.stats.ttest_ind(np.log(first), np.log(second), equal_var=False).pvalue
    if not math.isclose(p, 0.05, rel_tol=1e-6):
        assert differ(first, second) == differ(second, first) == (p < 0.05)


def test_a_difference_cannot_be_found_among_too_few_seeds():
    assert differ([1.0], [2.0, 2.1]) is None
    assert differ([None, None, None], [0.1, 0.2, 0.3]) is None
    assert differ([None] * 4, [0.1, 0.2, 0.3, 0.4]) is True
    assert differ([0.1, 0.2, None, 0.4], [0.1, 0.2, 0.3, 0.4]) is False
