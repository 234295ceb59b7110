from itertools import count
from math import inf, isnan

import pytest
from stored_runs import BLOWN, CHAOS, FREE, LORENZ, REST, Told, publish

from chaosbench.explain.findings import findings
from chaosbench.systems import Henon, Lorenz63
from chaosbench.trainers import BPTT


@pytest.fixture
def found(tmp_path):
    """The findings of one seed."""
    folders = count()

    def find(*told, **arguments):
        (only,) = findings(publish(tmp_path / str(next(folders)), *(told or [Told()]), **arguments))
        return only

    return find


def test_every_seed_is_found_with_its_own_numbers(tmp_path):
    stored = publish(tmp_path, Told(CHAOS | {"period": 3.0}), Told(divergence=None, status="diverged", message="why"))
    first, second = findings(stored)
    assert (first.seed, first.status, first.message, first.numbers["period"]) == (0, "ok", "", 3.0)
    assert (second.seed, second.status, second.message, second.numbers["period"]) == (1, "diverged", "why", 0.0)
    assert [row["value"] for row in (*first.scores, *second.scores)] == [0.5, None]
    assert first.labels == {"system": "lorenz63", "data": "data", "model": "lstm", "trainer": "bptt"}


def test_numbers_before_and_after_training_and_of_the_truth_are_kept_apart(found):
    one = found(Told(CHAOS, initial={"lyapunov_exponent_1": -5.0, "period": 1.0, "bounded_share": 1.0}))
    assert one.numbers["lyapunov_exponent_1"] == 0.87
    assert one.initial["lyapunov_exponent_1"] == -5.0
    assert one.truth == {"lyapunov_exponent_1": 0.9}, "of what was measured"
    assert one.verdict().regime == "chaotic"
    assert one.initial_verdict().regime == "fixed point"
    assert found().initial_verdict() is None


def test_a_window_of_200_steps_of_a_hundredth_is_1_8_lyapunov_times_at_an_exponent_of_0_9(found):
    one = found(Told(CHAOS | FREE))
    assert one.lyapunov_times(one.window) == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("changes", "reach"),
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
def test_orbits_are_seen_to_part_over_a_window_or_what_cuts_leave_of_it(found, changes, reach):
    """100 steps of 0.01 at 0.9 are 0.9 Lyapunov times; what a method means to be short is no reproach."""
    one = found(Told(REST | FREE | changes))
    assert one.reach == reach
    blamed = any("less than 1 / lambda_1" in suspect for suspect in one.verdict().suspects)
    assert blamed is (reach is not None and reach * 0.009 < 1)


def test_of_a_training_that_no_gradients_through_time_are_known_of_no_window_is(found):
    assert (found().window, found().reach, found().evidence().window) == (None, None, None)


def test_a_step_of_a_map_is_one_and_of_a_flow_its_dt(found):
    assert found(system=Henon()).dt == 1.0
    assert found(system=Lorenz63(dt=0.02), trainer=BPTT(sequence_length=50)).lyapunov_times(50) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("truth", "exponent", "chaotic"),
    [
        (LORENZ, 0.9, True),
        ({}, None, False),
        ({"lyapunov_exponent_1": 0.0}, 0.0, False),
        ({"lyapunov_exponent_1": 0.01, "lyapunov_exponent_1_interval": 0.02}, 0.01, False),
    ],
)
def test_data_are_chaotic_where_their_exponent_is_known_and_positive_beyond_its_interval(
    found, truth, exponent, chaotic
):
    one = found(truth=truth)
    assert (one.data_exponent, one.chaotic_data) == (exponent, chaotic)
    assert (one.lyapunov_times(100) is None) is not chaotic
    assert (one.verdict().exponent_ratio is None) is not chaotic


def test_rates_without_bound_are_null_at_rest_and_found_again(found):
    one = found(Told(REST))
    assert "gradient_growth" not in one.numbers
    assert (one.evidence().gamma, one.evidence().exponent) == (-inf, -inf)
    reached = one.verdict()
    assert (reached.regime, reached.expected, reached.consistent) == ("fixed point", "vanish", True)


def test_gradients_that_vanish_while_the_exponent_is_finite_do_so_only_where_it_is_negative(found):
    assert found(Told(REST | {"lyapunov_exponent_1": -3.0})).evidence().gamma == -inf
    assert isnan(found(Told(CHAOS | {"gradient_growth": inf})).evidence().gamma), "chaotic gradients do not vanish"


def test_an_orbit_that_blew_up_under_way_is_no_proof_against_theory(found):
    """Exponents are those of the runs that stayed bounded; the rate of those that did not is NaN."""
    reached = found(Told(CHAOS | {"gradient_growth": float("nan"), "bounded_share": 0.6})).verdict()
    assert (reached.regime, reached.consistent, reached.growth_ratio) == ("chaotic", None, None)


def test_of_a_network_that_blows_up_nothing_is_claimed(found):
    reached = found(Told(BLOWN)).verdict()
    assert (reached.regime, reached.expected, reached.consistent) == ("divergent", "none", None)
    assert isnan(found(Told(BLOWN)).evidence().gamma)
