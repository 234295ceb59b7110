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


def test_a_chaotic_run_whose_gradients_grow_at_its_exponent_agrees_with_theory():
    result = verdict(CHAOS)
    assert (result.regime, result.expected, result.consistent, result.suspects) == ("chaotic", "grow", True, ())
    assert result.self_consistent
    assert result.growth_ratio == result.loss_ratio == pytest.approx(0.9 / 0.91)
    assert result.exponent_ratio == pytest.approx(0.91 / 0.906)


def test_a_difference_beyond_the_errors_is_flagged():
    """The tolerance is 1.5 sqrt(0.03² + 0.02²) + 0.01 = 0.064."""
    assert tolerance(0.03, 0.02, resolution=0.01) == pytest.approx(0.0641, abs=1e-4)
    assert verdict(replace(CHAOS, gamma=0.97)).self_consistent
    flagged = verdict(replace(CHAOS, gamma=0.98))
    assert (flagged.self_consistent, flagged.consistent) == (False, True)
    assert any("attractor" in suspect for suspect in flagged.suspects)
    assert verdict(replace(CHAOS, loss_gamma=0.97)).consistent
    assert verdict(replace(CHAOS, loss_gamma=0.98)).consistent is False


def test_the_verdict_needs_an_independent_measurement():
    """gamma and the exponent come from the same tangent steps; without a loss gradient no theorem is tested."""
    result = verdict(replace(CHAOS, loss_gamma=None, loss_gamma_interval=None))
    assert (result.self_consistent, result.consistent, result.loss_ratio) == (True, None, None)


@pytest.mark.parametrize("data_exponent", [None, 0.0])
@pytest.mark.parametrize(("interval", "consistent"), [(0.0199, True), (0.0201, None)])
def test_a_rate_beside_a_power_is_undecided_beyond_four_resolutions_where_data_are_not_chaotic(
    data_exponent: float | None, interval: float, consistent: bool | None
):
    """The tolerance is 1.5 intervals plus the resolution of 0.01, and 0.04 is reached at an interval of 0.02."""
    rates = {"gamma": 0.0, "exponent": 0.0, "loss_excess": 0.0, "loss_excess_interval": interval}
    assert verdict(replace(CHAOS, **rates, data_exponent=data_exponent)).consistent is consistent


@pytest.mark.parametrize(("interval", "agree"), [(0.0066, True), (0.0067, None)])
def test_gamma_is_undecided_beyond_two_resolutions_where_data_are_not_chaotic(interval: float, agree: bool | None):
    """1.5 intervals of gamma plus the resolution of 0.01 reach 0.02 at an interval of 0.00667."""
    rates = {"gamma": 0.0, "exponent": 0.0, "gamma_interval": interval, "exponent_interval": 0.0}
    assert verdict(replace(CHAOS, **rates, data_exponent=0.0)).self_consistent is agree


@pytest.mark.parametrize(
    ("changes", "consistent"),
    [
        ({"loss_power": 0.1}, True),
        ({"loss_power": -0.6}, True),  # a gradient that shrinks is bounded
        ({"loss_power": 1.0}, False),  # it grows as T, which no exponential rate shows
        ({"loss_power": 0.7, "loss_power_interval": 0.4}, None),
        ({"loss_power": math.nan}, None),
        ({"loss_power": None, "loss_power_interval": None}, None),
    ],
)
def test_boundedness_on_a_cycle_is_a_power_of_zero(changes, consistent):
    """The tolerance is 0.25 + 1.5 * 0.1; above 0.5 nothing is decided."""
    cycle = replace(CHAOS, exponent=-0.3, gamma=-0.3, period=4, returning=1.0, loss_power_interval=0.1, loss_gamma=None)
    assert verdict(replace(cycle, **changes)).consistent is consistent


@pytest.mark.parametrize(
    ("changes", "consistent"),
    [
        ({"loss_excess": 0.02}, True),
        ({"loss_excess": 0.1}, False),
        ({"loss_excess": 0.1, "loss_excess_interval": 0.4}, None),
        ({"loss_excess": None, "loss_excess_interval": None}, None),
    ],
)
def test_theorem_three_needs_a_loss_gradient_that_grows_at_most_as_a_power(changes, consistent):
    """The tolerance is 1.5 * 0.02 + 0.01 = 0.04, whatever the power, and at most half of the data's exponent."""
    torus = replace(CHAOS, exponent=0.001, gamma=0.002, loss_power=1.0, loss_power_interval=0.1, loss_gamma=0.05)
    result = verdict(replace(torus, **{"loss_excess": 0.0, "loss_excess_interval": 0.02} | changes))
    assert (result.expected, result.consistent) == ("neither", consistent)


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
def test_each_regime_without_chaos_has_its_theorem(changes, regime, expected):
    loss = {"loss_power": 0.0, "loss_power_interval": 0.1, "loss_excess": 0.0, "loss_excess_interval": 0.001}
    result = verdict(replace(CHAOS, data_exponent=0.0, window=None, **loss, **changes))
    assert result.self_consistent
    assert (result.regime, result.expected, result.consistent, result.suspects) == (regime, expected, True, ())
    assert result.growth_ratio is None


def test_a_run_that_cannot_distinguish_zero_from_the_datas_exponent_is_undecided():
    """Runs that resolve 0.8 can distinguish neither 0.5 nor 0.9 from zero."""
    result = verdict(replace(CHAOS, exponent=0.5, gamma=0.6, resolution=0.8))
    assert (result.regime, result.expected, result.consistent) == ("undecided", "none", None)
    assert verdict(replace(CHAOS, exponent=0.5, gamma=0.5)).regime == "chaotic"


def test_theorem_one_needs_an_attracting_cycle():
    """Every state is a fixed point of the identity, with an exponent of 0, so gradients do not vanish."""
    result = verdict(replace(CHAOS, exponent=0.0, gamma=0.0, period=1, returning=1.0, data_exponent=0.0))
    assert (result.regime, result.expected, result.consistent) == ("fixed point", "none", None)


def test_unknown_errors_leave_agreement_undecided():
    assert verdict(replace(CHAOS, gamma_interval=math.nan)).self_consistent is None
    assert verdict(replace(CHAOS, loss_gamma_interval=math.nan)).consistent is None
    unknown = verdict(replace(CHAOS, exponent_interval=math.nan, gamma=0.5))
    assert (unknown.self_consistent, unknown.consistent) == (None, None)


def test_theorem_three_needs_gamma_to_be_zero():
    """An exponent of zero with growing gradients does not agree: 0.2 exceeds 1.5 sqrt(0.03² + 0.02²) + 0.01."""
    still = replace(CHAOS, exponent=0.0, loss_gamma=None)
    assert verdict(replace(still, gamma=0.05)).self_consistent
    assert verdict(replace(still, gamma=0.2)).self_consistent is False


def test_large_factors_are_not_attributed_to_a_wrong_dt():
    """Every large ratio is near a whole number; a published network had seven times the exponent of its data."""
    result = verdict(replace(CHAOS, exponent=6.4, gamma=6.4, loss_gamma=6.4))
    (suspect,) = result.suspects
    assert "7.1 times" in suspect
    assert "dt" not in suspect


def test_agreement_is_undecided_if_errors_are_large_or_free_runs_differ():
    """The tolerance, at least 1.5 * 0.4, is more than half of 0.9."""
    for changes in ({"exponent": 0.5, "exponent_interval": 0.4}, {"returning": 0.2}):
        result = verdict(replace(CHAOS, **changes))
        assert (result.self_consistent, result.consistent) == (None, None)


def test_gradients_along_orbits_that_blew_up_are_ignored():
    result = verdict(replace(CHAOS, gamma=math.nan, loss_gamma=math.nan, bounded=0.7))
    assert (result.regime, result.growth_ratio, result.loss_ratio, result.suspects) == ("chaotic", None, None, ())
    assert (result.self_consistent, result.consistent) == (None, None)


def test_no_theorem_applies_to_a_divergent_run():
    result = verdict(replace(CHAOS, bounded=0.0, gamma=math.nan, exponent=math.nan))
    assert (result.regime, result.expected, result.consistent) == ("divergent", "none", None)
    assert "learning rate" in result.suspects[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss_gamma": 0.2}, ["detached"]),
        ({"loss_gamma": 1.4}, ["tangent_step", "autograd"]),
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
def test_likely_causes_are_named(changes, words):
    suspects = verdict(replace(CHAOS, **changes)).suspects
    assert any(all(word in suspect for word in words) for suspect in suspects)
