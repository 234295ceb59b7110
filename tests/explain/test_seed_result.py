from itertools import count
from math import inf, isnan, nan

import pytest
from stored_runs import BLOWN, CHAOS, FREE, LORENZ, REST, StoredSeed, publish

from chaosbench.explain.seed_result import seed_results
from chaosbench.systems import Henon, Lorenz63
from chaosbench.trainers import BPTT


@pytest.fixture
def read_seed(tmp_path):
    """Store an experiment of one seed, and read it again."""
    folders = count()

    def read(*seeds, **arguments):
        (result,) = seed_results(publish(tmp_path / str(next(folders)), *(seeds or [StoredSeed()]), **arguments))
        return result

    return read


def test_each_seed_has_its_own_numbers(tmp_path):
    diverged = StoredSeed(divergence=None, status="diverged", message="why")
    stored = publish(tmp_path, StoredSeed(CHAOS | {"period": 3.0}), diverged)
    first, second = seed_results(stored)
    assert (first.seed, first.status, first.message, first.diagnosis.period) == (0, "ok", "", 3)
    assert (second.seed, second.status, second.message, second.diagnosis.period) == (1, "diverged", "why", 0)
    assert [row["value"] for row in (*first.scores, *second.scores)] == [0.5, None]
    assert first.labels == {"system": "lorenz63", "data": "data", "model": "lstm", "trainer": "bptt"}


def test_the_trained_and_the_untrained_model_and_the_truth_are_separate(read_seed):
    initial = {"lyapunov_exponent_1": -5.0, "period": 1.0, "bounded_share": 1.0}
    result = read_seed(StoredSeed(CHAOS, initial=initial))
    assert result.diagnosis.lyapunov_exponents == ((0.87, 0.02),)
    assert result.initial.lyapunov_exponents == ((-5.0, None),)
    assert result.truth.lyapunov_exponents == ((0.9, None),), "the truth is stored only for numbers that the run has"
    assert result.verdict.regime == "chaotic"
    assert result.initial_verdict.regime == "fixed point"
    assert read_seed().initial_verdict is None


def test_a_window_of_200_steps_is_1_8_lyapunov_times(read_seed):
    """The steps are 0.01 long, and the exponent is 0.9."""
    result = read_seed(StoredSeed(CHAOS | FREE))
    assert result.lyapunov_times(result.diagnosis.path_length) == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("changes", "horizon"),
    [
        ({}, 200),
        ({"chain_length": 30.0, "chain_forced": 1.0}, 200),
        ({"chain_length": 30.0, "chain_forced": 1.0, "chain_ends": 1.0}, None),
        ({"chain_length": 30.0, "chain_cut": 1.0}, 30),
        ({"chain_length": 30.0, "chain_cut": 1.0, "chain_learned": 1.0}, None),
        ({"path_length": 3.0, "chain_length": 3.0}, 3),
        ({"path_length": 1.0, "chain_length": 1.0}, None),
    ],
    ids=["free", "forced in part", "forced", "cut", "joined", "short", "one step"],
)
def test_the_gradient_horizon_is_the_window_or_the_segment_between_cuts(read_seed, changes, horizon):
    """100 steps of 0.01 at 0.9 are 0.9 Lyapunov times; methods that are short by design have no suspect."""
    result = read_seed(StoredSeed(REST | FREE | changes))
    assert result.gradient_horizon == horizon
    suspected = any("less than 1 / lambda_1" in suspect for suspect in result.verdict.suspects)
    assert suspected is (horizon is not None and horizon * 0.009 < 1)


def test_training_without_gradients_through_time_has_no_horizon(read_seed):
    assert (read_seed().diagnosis.path_length, read_seed().gradient_horizon) == (None, None)


def test_a_map_has_unit_steps_and_a_flow_steps_of_dt(read_seed):
    assert read_seed(system=Henon()).dt == 1.0
    flow = read_seed(system=Lorenz63(dt=0.02), trainer=BPTT(sequence_length=50))
    assert flow.lyapunov_times(50) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("truth", "exponent", "chaotic"),
    [
        (LORENZ, 0.9, True),
        ({}, None, False),
        ({"lyapunov_exponent_1": 0.0}, 0.0, False),
        ({"lyapunov_exponent_1": 0.01, "lyapunov_exponent_1_interval": 0.02}, 0.01, False),
    ],
)
def test_data_are_chaotic_if_their_exponent_exceeds_its_interval(read_seed, truth, exponent, chaotic):
    result = read_seed(truth=truth)
    assert (result.data_exponent, result.chaotic_data) == (exponent, chaotic)
    assert (result.lyapunov_times(100) is None) is not chaotic
    assert (result.verdict.exponent_ratio is None) is not chaotic


def test_rates_of_minus_infinity_are_stored_as_null_and_restored(read_seed):
    result = read_seed(StoredSeed(REST))
    assert (result.diagnosis.gradient_growth, result.diagnosis.largest_exponent.value) == (-inf, -inf)
    verdict = result.verdict
    assert verdict.self_consistent
    assert (verdict.regime, verdict.expected, verdict.consistent) == ("fixed point", "vanish", None)


def test_a_null_growth_rate_means_vanishing_gradients_only_if_the_exponent_is_negative(read_seed):
    assert read_seed(StoredSeed(REST | {"lyapunov_exponent_1": -3.0})).diagnosis.gradient_growth == -inf
    assert isnan(read_seed(StoredSeed(CHAOS | {"gradient_growth": inf})).diagnosis.gradient_growth)


def test_an_orbit_that_blew_up_does_not_contradict_theory(read_seed):
    """Exponents are means over the runs that stayed bounded; the growth rate along the others is NaN."""
    verdict = read_seed(StoredSeed(CHAOS | {"gradient_growth": nan, "bounded_share": 0.6})).verdict
    assert (verdict.regime, verdict.consistent, verdict.growth_ratio) == ("chaotic", None, None)


def test_no_theorem_applies_to_a_network_that_blows_up(read_seed):
    result = read_seed(StoredSeed(BLOWN))
    assert (result.verdict.regime, result.verdict.expected, result.verdict.consistent) == ("divergent", "none", None)
    assert isnan(result.diagnosis.gradient_growth)
