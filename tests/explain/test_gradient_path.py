"""Explanations of the products of Jacobians in training."""

from math import inf, nan

import pytest
from stored_runs import BLOWN, CHAOS, FREE, REST
from texts import PATH, has, numbers

from chaosbench.trainers import (
    DySLIM,
    GeneralizedTeacherForcing,
    JacobianMatching,
    MultipleShooting,
    ScheduledSampling,
    SparseTeacherForcing,
    TruncatedBPTT,
    WindowedBPTT,
)

FORCED = FREE | {"chain_length": 77.0, "chain_forced": 1.0, "chain_ends": 1.0, "chain_growth": 0.7}
RANDOM = FORCED | {"forcing_probability": 0.2, "chain_length": 4.81, "chain_longest": 23.0, "chain_growth": 0.06}


def test_gradients_without_forcing_are_compared_with_the_growth_at_the_datas_exponent(paragraphs):
    """200 steps of 0.01 at an exponent of 0.9 are 1.8 Lyapunov times."""
    text = paragraphs(CHAOS | FREE)[PATH]
    assert numbers(text) == ["200", "1.80", "1.80", "1.90"]
    assert has(text, "window", "Lyapunov times", "e^1.80", "e^1.90")
    assert not has(text, "forced")
    assert not has(text, "cut")


def test_growth_beyond_the_networks_own_exponent_is_explained_by_jacobians_that_stretch(paragraphs):
    steep = FREE | {"chain_growth": 3.9, "jacobian_norm": 1.6}
    text = paragraphs(CHAOS | steep)[PATH]
    assert numbers(text) == ["200", "1.80", "1.80", "3.90", "1.74", "1.60"]
    assert has(text, "e^1.74", "norm 1.60", "stretch")


def test_growth_is_not_explained_by_stretching_if_products_or_jacobians_contract(paragraphs):
    for changes in ({"chain_growth": -3.0, "jacobian_norm": 1.2}, {"chain_growth": 2.1, "jacobian_norm": 0.9}):
        text = paragraphs(REST | FREE | changes | {"chain_growth_expected": -9.0})[PATH]
        assert not has(text, "stretch")
        assert has(text, "e^-9.00")


def test_forcing_of_the_whole_state_ends_products(paragraphs):
    """77 steps of 0.01 at 0.9 are 0.693 Lyapunov times."""
    text = paragraphs(CHAOS | FORCED, trainer=SparseTeacherForcing(interval=77))[PATH]
    assert numbers(text) == ["200", "1.80", "77", "0.693", "0.693", "0.700", "200", "1.90"]
    assert has(text, "forced every 77 steps", "ends every product", "e^0.693", "e^0.700", "e^1.90")


def test_forcing_of_a_part_of_the_state_lets_products_continue(paragraphs):
    text = paragraphs(CHAOS | FORCED | {"chain_ends": 0.0}, trainer=SparseTeacherForcing(interval=77))[PATH]
    assert has(text, "forced every 77 steps (0.693 Lyapunov times)", "part", "continue")
    assert not has(text, "ends every product")


def test_a_random_interval_has_a_spread(paragraphs):
    spread = SparseTeacherForcing(spread=5)
    assert has(paragraphs(CHAOS | FORCED, trainer=spread)[PATH], "every 77 ± 5 steps (0.693 Lyapunov times)")
    short = paragraphs(CHAOS | FORCED | {"chain_length": 2.0}, trainer=spread)[PATH]
    assert has(short, "on average every 2 steps")
    assert "±" not in short


def test_random_forcing_is_described_by_its_mean(paragraphs):
    """4.81 steps of 0.01 at 0.9 are 0.0433 Lyapunov times."""
    content = CHAOS | RANDOM
    del content["window_growth"]
    text = paragraphs(content, trainer=ScheduledSampling())[PATH]
    assert numbers(text) == ["200", "1.80", "0.200", "4.81", "0.0433", "23", "0.0433", "0.0600"]
    assert has(text, "probability 0.200", "every 4.81 steps", "23 steps", "on average", "ends every product")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"forcing_probability": 0.0, "chain_forced": 0.0}, "at no step"),
        ({"forcing_probability": 1.0}, "at every step"),
        ({"forcing_probability": 3e-5, "chain_forced": 0.0}, "at no step of"),
    ],
)
def test_random_forcing_that_always_or_never_happens_has_no_mean_interval(paragraphs, changes, words):
    text = paragraphs(CHAOS | RANDOM | changes, trainer=ScheduledSampling())[PATH]
    assert has(text, words)
    assert not has(text, "on average every")


def test_a_method_of_single_steps_has_no_window(paragraphs):
    single = CHAOS | FREE | {"path_length": 1.0, "chain_length": 1.0, "chain_growth": 0.5}
    text = paragraphs(single, trainer=JacobianMatching())[PATH]
    assert has(text, "single step", "e^0.500")
    assert not has(text, "window")


def test_a_window_shorter_than_sequence_length_is_given_with_that_setting(paragraphs):
    text = paragraphs(CHAOS | FREE | {"path_length": 3.0, "chain_length": 3.0}, trainer=DySLIM())[PATH]
    assert numbers(text)[:3] == ["3", "10", "0.0270"]
    assert has(text, "sequence_length")


def test_a_cut_of_the_gradient_limits_products(paragraphs):
    cut = FREE | {"chain_length": 30.0, "chain_cut": 1.0, "chain_ends": 1.0, "chain_growth": 0.3}
    text = paragraphs(CHAOS | cut, trainer=TruncatedBPTT())[PATH]
    assert has(text, "cut every 30 steps (0.270 Lyapunov times)", "longer")
    assert not has(text, "forced")


def test_the_state_after_a_cut_is_described(paragraphs):
    cut = CHAOS | FREE | {"chain_length": 30.0, "chain_cut": 1.0, "chain_ends": 1.0, "chain_growth": 0.3}
    zero = paragraphs(cut | {"chain_blank": 1.0}, trainer=WindowedBPTT())[PATH]
    learned = paragraphs(cut | {"chain_learned": 1.0}, trainer=MultipleShooting())[PATH]
    continued = paragraphs(cut, trainer=TruncatedBPTT())[PATH]
    windows = paragraphs(CHAOS | FREE | {"chain_blank": 1.0}, trainer=WindowedBPTT(window=200))[PATH]
    assert has(zero, "from z = 0")
    assert has(windows, "from z = 0")
    assert has(learned, "learned")
    assert not has(learned, "z = 0")
    assert not any(has(continued, words) for words in ("z = 0", "learned"))


def test_a_window_longer_than_the_products_followed_is_mentioned(paragraphs):
    text = paragraphs(CHAOS | FREE | {"chain_length": 1.0})[PATH]
    assert has(text, "200 steps", "1 step of")


def test_generalised_forcing_is_described_by_alpha_and_the_exponent_it_leaves(paragraphs):
    """0.87 + ln(1 - 0.2) / 0.01 = -21.4."""
    share = FREE | {"forcing_share": 0.2, "forced_exponent_expected": -21.44, "forced_exponent_1": -20.9}
    text = paragraphs(CHAOS | share, trainer=GeneralizedTeacherForcing())[PATH]
    assert numbers(text) == ["200", "1.80", "0.200", "-21.4", "-20.9"]
    assert has(text, "alpha = 0.200", "lambda_1 + ln(1 - alpha) / dt", "[1 / system time]")


def test_gradients_vanish_at_a_fixed_point_but_are_unknown_for_a_network_that_blows_up(paragraphs):
    assert has(paragraphs(BLOWN | FREE | {"chain_growth": nan})[PATH], "could not be measured")
    assert has(paragraphs(REST | FREE | {"chain_growth": -inf})[PATH], "vanish")
