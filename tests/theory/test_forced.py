"""Products of Jacobians under forcing and cuts: maps with constant |J|, and a comparison with autograd."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from chaosbench.models import RNN, AlmostLinearRNN, Forecaster, ShallowPLRNN
from chaosbench.theory.diagnosis import diagnose
from chaosbench.theory.forced import forced_exponents, forced_growth, restarts, segments, windows_along
from chaosbench.theory.training_regime import examine_training_regime
from chaosbench.trainers import ForcingScheme

LN = math.log(1.9)


class Tent(Forecaster):
    """The tent map of x = z + 1/2 with slope 1.9: |J| = 1.9 at every state."""

    resets = True
    seeds, dimension, state_size = 2, 1, 1

    def step(self, state):
        return 1.9 * state - 3.8 * torch.relu(state) + 0.45

    def observe(self, state):
        return state

    def force(self, state, observation):
        return observation


def windows(model: Forecaster, steps: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (model.seeds, 3, steps + 1, model.dimension)
    return 0.4 * (2 * torch.rand(shape, dtype=torch.float64, generator=generator) - 1)


def test_without_forcing_a_product_grows_over_the_whole_window():
    growth = forced_growth(Tent(), windows(Tent(), 40), ForcingScheme(40))
    expected = torch.tensor(growth.horizons, dtype=torch.float64) * LN
    assert_close(growth.values, expected.expand_as(growth.values), atol=1e-12, rtol=0)


@pytest.mark.parametrize("forced", [True, False])
def test_a_forcing_or_a_cut_ends_the_product_after_tau_steps(forced):
    growth = forced_growth(Tent(), windows(Tent(), 40), ForcingScheme(40, 7, "forced" if forced else "kept"))
    for index, horizon in enumerate(growth.horizons):
        expected = horizon * LN if horizon <= 7 else -math.inf
        assert growth.values[..., index].flatten().tolist() == pytest.approx([expected] * 6)


def test_exponents_between_forcings_equal_those_of_the_map():
    result = forced_exponents(Tent(), windows(Tent(), 40), ForcingScheme(40, 7), exponents=1)
    assert_close(result, torch.full_like(result, LN), atol=1e-12, rtol=0)


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.6])
def test_generalised_forcing_lowers_the_exponent_by_ln_one_minus_alpha(alpha):
    """By Hess et al. 2023, J becomes exactly (1 - alpha) J."""
    share = torch.tensor([alpha, alpha / 2])
    scheme = ForcingScheme(40, alpha=share)
    expected = (LN + torch.log1p(-share.double()))[:, None]
    result = forced_exponents(Tent(), windows(Tent(), 40), scheme, exponents=1)[..., 0]
    # The first of forty steps starts from the state set from data and is not damped.
    undamped = -torch.log1p(-share.double())[:, None] / 40
    assert_close(result, (expected + undamped).expand(2, 3), atol=1e-7, rtol=0)  # alpha has single precision
    growth = forced_growth(Tent(), windows(Tent(), 40), scheme).rate().slope
    assert_close(growth, expected[:, 0], atol=1e-7, rtol=0)


@pytest.mark.parametrize(
    ("spec", "scheme"),
    [
        (RNN(hidden=5), ForcingScheme(12, 5)),
        (RNN(hidden=5), ForcingScheme(12, alpha=torch.tensor([0.3, 0.1], dtype=torch.float64))),
        (AlmostLinearRNN(hidden=5, rectified=2), ForcingScheme(12, 5)),
        (
            AlmostLinearRNN(hidden=5, rectified=2),
            ForcingScheme(12, alpha=torch.tensor([0.3, 0.1], dtype=torch.float64)),
        ),
        (ShallowPLRNN(states=3, hidden=6), ForcingScheme(12)),
        (RNN(hidden=5), ForcingScheme(12, 5, "kept")),
        (RNN(hidden=5), ForcingScheme(12, 5, "zero")),
        (RNN(hidden=5), ForcingScheme(12, 20, "zero")),
        (RNN(hidden=5), ForcingScheme(12, 5, "learned")),
        (RNN(hidden=5), ForcingScheme(12, probability=0.3)),
        (AlmostLinearRNN(hidden=5, rectified=2), ForcingScheme(12, probability=0.3)),
    ],
    ids=[
        "whole",
        "blended",
        "in part",
        "blended in part",
        "free",
        "cut",
        "zero",
        "zero at first",
        "learned",
        "random",
        "random in part",
    ],
)
def test_products_equal_those_of_autograd_through_the_forced_run(spec, scheme):
    """Forcing a part of the state keeps the rest of the product: D = 3 of 5 rows are lost at each forcing."""
    model = spec.build(3, (0, 1)).double()
    data = windows(model, 12)
    growth, due = forced_growth(model, data, scheme), restarts(scheme, 3, 12)
    for index, horizon in enumerate(growth.horizons):
        start = model.initial_state(data[:, :, :1]).detach()
        start = (start * (scheme.restart != "zero")).requires_grad_()
        state = start
        for time in range(horizon):
            renewed = {
                "forced": lambda state, time=time: model.force(state, data[:, :, time]),
                "kept": lambda state: state.detach(),
                "zero": lambda state: torch.zeros_like(state),
                "learned": lambda _, time=time: model.initial_state(data[:, :, time : time + 1]).detach(),
            }[scheme.restart](state)
            state = torch.where(due[time][:, None], renewed, state)
            if time and scheme.alpha is not None:
                state = torch.lerp(state, model.force(state, data[:, :, time]), scheme.alpha[:, None, None])
            state = model.step(state)
        rows = []
        for unit in range(model.state_size):
            (row,) = torch.autograd.grad(
                state[..., unit].sum(), start, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            rows.append(row)
        norms = torch.linalg.matrix_norm(torch.stack(rows, dim=-2), ord=2).log()
        assert_close(growth.values[..., index], norms, atol=1e-9, rtol=0)


@pytest.mark.parametrize("state", ["kept", "zero", "learned"])
def test_exponents_along_cut_windows_use_the_states_of_training(state):
    """|J| of a tanh unit depends on its state, so a loop over the steps needs the states of training."""
    model = RNN(hidden=1).build(1, (0, 1)).double()
    data = windows(model, 12)
    result, grown = forced_exponents(model, data, ForcingScheme(12, 5, state), exponents=1)[..., 0], 0.0
    states = torch.zeros(2, 3, 1, dtype=torch.float64) if state == "zero" else model.initial_state(data[:, :, :1])
    for time in range(12):
        if time in (5, 10) and state != "kept":
            states = torch.zeros_like(states) if state == "zero" else model.initial_state(data[:, :, time : time + 1])
        states, slope = model.tangent_step(states, torch.ones(2, 3, 1, 1, dtype=torch.float64))
        grown = grown + slope[..., 0, 0].abs().log()
    assert_close(result, grown / 12, atol=1e-12, rtol=0)


def test_forcings_are_drawn_with_their_probability_and_never_before_the_first_step():
    """The standard deviation of 4,000 draws at p = 0.2 is 0.0063."""
    due = restarts(ForcingScheme(1_001, probability=0.2), 4, 1_001)
    assert not due[0].any()
    assert due[1:].double().mean() == pytest.approx(0.2, abs=4 * 0.0063)
    assert (due[:, 0] != due[:, 1]).any(), "windows have independent draws"
    assert restarts(ForcingScheme(9, probability=1.0), 4, 9)[1:].all()
    assert not restarts(ForcingScheme(9, probability=0.0), 4, 9).any()


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_segments_have_the_mean_length_and_growth_of_the_forcings_drawn(probability):
    """|J| = 1.9 at each step, so that the mean growth is ln 1.9 times the mean length."""
    scheme = ForcingScheme(40, probability=probability)
    result = segments(Tent(), windows(Tent(), 40), scheme)
    lengths = []
    for due in restarts(scheme, 3, 40).T:
        times = [0, *due.nonzero().flatten().tolist(), 40]
        lengths += [after - before for before, after in pairwise(times)]
    assert result.length == pytest.approx(sum(lengths) / len(lengths))
    assert result.longest == max(lengths)
    assert result.growth.tolist() == pytest.approx([result.length * LN] * 2)


def test_a_window_that_blows_up_is_left_out_and_does_not_affect_other_seeds():
    data, scheme = windows(Tent(), 40), ForcingScheme(40, probability=0.1)
    spoiled = data.clone()
    spoiled[1, 2] = torch.nan
    model = RNN(hidden=1).build(1, (0, 1)).double()
    sound, spoiled_growth = (segments(model, series, scheme).growth for series in (data, spoiled))
    assert spoiled_growth[0] == sound[0]
    assert spoiled_growth[1].isfinite()


@pytest.mark.parametrize("model", [RNN(hidden=5), AlmostLinearRNN(hidden=5, rectified=2)], ids=["whole", "in part"])
def test_the_numbers_stored_for_random_forcing_describe_the_forcings_drawn(model):
    built = model.build(3, (0, 1)).double()
    scheme = ForcingScheme(40, probability=0.2)
    regime = examine_training_regime(built, windows(built, 40), scheme, exponents=1)
    states = built.initial_state(windows(built, 1)[:, :, :1]).detach()
    result = replace(diagnose(built, states, horizon=16, steps=20, transient=5, loss=None), training_regime=regime)
    numbers = {number.name: number.value for number in result.runs()[0].records()}
    assert (numbers["forcing_probability"], numbers["chain_forced"], numbers["path_length"]) == (0.2, 1.0, 40.0)
    assert numbers["chain_length"] == regime.random_segments.length < numbers["chain_longest"]
    assert ("window_growth" in numbers) is (not built.resets)
    assert math.isfinite(numbers["chain_growth"])


def test_windows_are_spread_over_the_training_orbits():
    data = torch.arange(60.0).view(2, 30, 1)
    result = windows_along(data, ForcingScheme(9), count=4, seeds=3)
    assert result.shape == (3, 4, 10, 1)
    assert result[0, :, 0, 0].tolist() == [0, 13, 36, 50]  # starts 0, 13, 27 and 41 of 2 x 21
    assert bool((result.diff(dim=2) == 1).all())


@pytest.mark.parametrize(
    ("interval", "followed", "expected"),
    [(10, 40, (10, 1, 1)), (40, 40, (40, 0, 0)), (60, 40, (40, 0, 0)), (None, 40, (40, 0, 0))],
)
def test_a_forcing_beyond_the_horizon_followed_does_not_end_products(interval, followed, expected):
    """Only the first 40 of 200 steps of the windows are followed; |J| = 1.9 at each step."""
    model, scheme = Tent(), ForcingScheme(200, interval)
    states = windows(model, 1)[:, :, 0]
    regime = examine_training_regime(model, windows(model, followed), scheme, exponents=1)
    result = replace(diagnose(model, states, horizon=16, steps=20, transient=5, loss=None), training_regime=regime)
    numbers = result.columns()
    assert [numbers[f"chain_{name}"] for name in ("length", "forced", "ends")] == [[value] * 2 for value in expected]
    assert numbers["chain_growth"] == pytest.approx([expected[0] * LN] * 2, abs=1e-12)
    assert ("window_growth" in numbers) is not bool(expected[2])
