import math
from dataclasses import replace

import pytest

from chaosbench.theory.verdict import Evidence, tolerance, verdict

CHAOS = Evidence(
    gamma=0.9,
    gamma_interval=0.03,
    exponent=0.91,
    exponent_interval=0.02,
    resolution=0.01,
    period=0,
    returning=0.0,
    bounded=1.0,
    loss_gamma=0.9,
    loss_gamma_interval=0.03,
    data_exponent=0.906,
    window=2.0,
)


def test_a_chaotic_run_whose_gradients_grow_at_its_exponent_is_as_theory_says():
    found = verdict(CHAOS)
    assert (found.regime, found.expected, found.consistent, found.suspects) == ("chaotic", "grow", True, ())
    assert found.growth_ratio == pytest.approx(0.9 / 0.91)
    assert found.exponent_ratio == pytest.approx(0.91 / 0.906)


def test_growth_and_exponent_that_disagree_beyond_their_errors_are_flagged():
    """The allowance is 1.5 sqrt(0.03² + 0.02²) + 0.01 = 0.064."""
    assert tolerance(0.03, 0.02, resolution=0.01) == pytest.approx(0.0641, abs=1e-4)
    assert verdict(replace(CHAOS, gamma=0.97)).consistent
    flagged = verdict(replace(CHAOS, gamma=0.98))
    assert flagged.consistent is False
    assert any("attractor" in suspect for suspect in flagged.suspects)


@pytest.mark.parametrize(
    ("changes", "regime", "expected"),
    [
        ({"exponent": -0.3, "gamma": -0.3, "period": 1, "returning": 1.0}, "fixed point", "vanish"),
        ({"exponent": -0.3, "gamma": -0.3, "period": 4, "returning": 1.0}, "periodic", "vanish"),
        (
            {"exponent": 0.002, "gamma": 0.001, "exponent_interval": 0.001, "gamma_interval": 0.002},
            "quasi-periodic",
            "neither",
        ),
        ({"exponent": -math.inf, "gamma": -math.inf, "period": 2, "returning": 1.0}, "periodic", "vanish"),
    ],
)
def test_the_other_theorems_have_their_regimes(changes, regime, expected):
    found = verdict(replace(CHAOS, data_exponent=0.0, window=None, loss_gamma=None, **changes))
    assert (found.regime, found.expected, found.consistent, found.suspects) == (regime, expected, True, ())
    assert found.growth_ratio is None


def test_a_run_that_cannot_tell_zero_from_the_datas_exponent_is_undecided():
    """0.5 is not told from 0 by runs that resolve 0.8, nor is 0.9; with more they are."""
    found = verdict(replace(CHAOS, exponent=0.5, gamma=0.6, resolution=0.8))
    assert (found.regime, found.expected, found.consistent) == ("undecided", "none", None)
    assert verdict(replace(CHAOS, exponent=0.5, gamma=0.5)).regime == "chaotic"


def test_theorem_one_is_of_cycles_that_attract():
    """The identity rests everywhere, with an exponent of 0: nothing vanishes."""
    found = verdict(replace(CHAOS, exponent=0.0, gamma=0.0, period=1, returning=1.0, data_exponent=0.0))
    assert (found.regime, found.expected, found.consistent) == ("fixed point", "none", None)


def test_unknown_errors_decide_nothing():
    assert verdict(replace(CHAOS, gamma_interval=math.nan)).consistent is None
    assert verdict(replace(CHAOS, exponent_interval=math.nan, gamma=0.5)).consistent is None


def test_theorem_three_is_of_gamma_itself():
    """An exponent of zero with gradients that grow is no agreement: 0.2 is beyond 1.5 sqrt(0.03² + 0.02²) + 0.01."""
    still = replace(CHAOS, exponent=0.0, loss_gamma=None)
    assert verdict(replace(still, gamma=0.05)).consistent
    assert verdict(replace(still, gamma=0.2)).consistent is False


def test_large_factors_are_no_wrong_dt():
    """Among them every ratio is near a whole number: the published network of seven times the exponent, too."""
    found = verdict(replace(CHAOS, exponent=6.4, gamma=6.4, loss_gamma=6.4))
    (suspect,) = found.suspects
    assert "7.1 times" in suspect
    assert "dt" not in suspect


def test_nothing_is_claimed_where_errors_are_too_wide_or_free_runs_differ():
    """1.5 * 0.4 is more than half of 0.9."""
    assert verdict(replace(CHAOS, exponent=0.5, exponent_interval=0.4)).consistent is None
    assert verdict(replace(CHAOS, returning=0.2)).consistent is None


def test_gradients_whose_orbits_blew_up_are_no_evidence():
    found = verdict(replace(CHAOS, gamma=math.nan, bounded=0.7))
    assert (found.regime, found.growth_ratio, found.consistent, found.suspects) == ("chaotic", None, None, ())


def test_a_divergent_run_is_not_judged():
    found = verdict(replace(CHAOS, bounded=0.0, gamma=math.nan, exponent=math.nan))
    assert (found.regime, found.expected, found.consistent) == ("divergent", "none", None)
    assert "learning rate" in found.suspects[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss_gamma": 0.2}, ["detached"]),
        ({"exponent": 1.8, "gamma": 1.8}, ["dt", "2 times"]),
        ({"exponent": 0.302, "gamma": 0.302, "loss_gamma": 0.3}, ["dt", "1/3 of"]),
        ({"exponent": -0.2, "gamma": -0.2, "period": 3}, ["cycle of 3 steps"]),
        ({"exponent": -0.2, "gamma": -0.2, "period": 1}, ["fixed point"]),
        ({"exponent": -math.inf, "gamma": -math.inf, "period": 1, "returning": 1.0}, ["fixed point"]),
        ({"exponent": 0.0, "gamma": 0.0}, ["torus"]),
        ({"exponent": 0.1, "gamma": 0.1, "exponent_interval": 0.5}, ["zero", "exponent_steps"]),
        ({"exponent": 0.0, "gamma": 0.0, "window": 0.3}, ["0.3 Lyapunov times"]),
        ({"exponent": -0.1, "period": 1, "returning": 0.7}, ["different attractors", "70 %"]),
        ({"data_exponent": 0.0}, ["chaos", "not"]),
    ],
)
def test_the_usual_suspects_are_named(changes, words):
    suspects = verdict(replace(CHAOS, **changes)).suspects
    assert any(all(word in suspect for word in words) for suspect in suspects)
