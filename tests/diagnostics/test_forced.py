"""Products of Jacobians under forcing and cuts, on maps whose Jacobians are constant, and against autograd."""

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from chaosbench.diagnostics.diagnosis import diagnose, examine_forcing
from chaosbench.diagnostics.forced import forced_exponents, forced_growth, windows_along
from chaosbench.models import RNN, AlmostLinearRNN, Forecaster, ShallowPLRNN
from chaosbench.trainers import GradientPath

LN = math.log(1.9)


class Tent(Forecaster):
    """The tent map of x = z + 1/2 with slope 1.9: |J| = 1.9 wherever it is."""

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
    growth = forced_growth(Tent(), windows(Tent(), 40), GradientPath(40))
    expected = torch.tensor(growth.horizons, dtype=torch.float64) * LN
    assert_close(growth.values, expected.expand_as(growth.values), atol=1e-12, rtol=0)


@pytest.mark.parametrize("forced", [True, False])
def test_a_forcing_or_a_cut_ends_the_product_after_tau_steps(forced):
    growth = forced_growth(Tent(), windows(Tent(), 40), GradientPath(40, 7, forced=forced))
    for place, horizon in enumerate(growth.horizons):
        expected = horizon * LN if horizon <= 7 else -math.inf
        assert growth.values[..., place].flatten().tolist() == pytest.approx([expected] * 6)


def test_exponents_between_forcings_are_those_of_the_map():
    found = forced_exponents(Tent(), windows(Tent(), 40), GradientPath(40, 7), exponents=1)
    assert_close(found, torch.full_like(found, LN), atol=1e-12, rtol=0)


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.6])
def test_generalised_forcing_lowers_the_exponent_by_ln_one_minus_alpha(alpha):
    """Hess et al. 2023: J becomes (1 - alpha) J, exactly."""
    share = torch.tensor([alpha, alpha / 2])
    path = GradientPath(40, share=share)
    expected = (LN + torch.log1p(-share.double()))[:, None]
    found = forced_exponents(Tent(), windows(Tent(), 40), path, exponents=1)[..., 0]
    # The first step is taken from the state that the data show, undamped: one of forty.
    undamped = -torch.log1p(-share.double())[:, None] / 40
    assert_close(found, (expected + undamped).expand(2, 3), atol=1e-7, rtol=0)  # the shares are of single precision
    growth = forced_growth(Tent(), windows(Tent(), 40), path).rate().slope
    assert_close(growth, expected[:, 0], atol=1e-7, rtol=0)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (RNN(hidden=5), GradientPath(12, 5)),
        (RNN(hidden=5), GradientPath(12, share=torch.tensor([0.3, 0.1], dtype=torch.float64))),
        (AlmostLinearRNN(hidden=5, rectified=2), GradientPath(12, 5)),
        (AlmostLinearRNN(hidden=5, rectified=2), GradientPath(12, share=torch.tensor([0.3, 0.1], dtype=torch.float64))),
        (ShallowPLRNN(states=3, hidden=6), GradientPath(12)),
    ],
    ids=["whole", "drawn", "in part", "drawn in part", "free"],
)
def test_products_are_those_of_autograd_through_the_forced_run(spec, path):
    """Forcing a part of the state keeps the rest of the product: D = 3 of 5 rows are lost at each forcing."""
    model = spec.build(3, (0, 1)).double()
    data = windows(model, 12)
    growth = forced_growth(model, data, path)
    for place, horizon in enumerate(growth.horizons):
        start = model.initial_state(data[:, :, 0]).detach().requires_grad_()
        state = start
        for time in range(horizon):
            if time and path.interval and time % path.interval == 0:
                state = model.force(state, data[:, :, time])
            if time and path.share is not None:
                state = torch.lerp(state, model.force(state, data[:, :, time]), path.share[:, None, None])
            state = model.step(state)
        rows = []
        for unit in range(model.state_size):
            (row,) = torch.autograd.grad(
                state[..., unit].sum(), start, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            rows.append(row)
        norms = torch.linalg.matrix_norm(torch.stack(rows, dim=-2), ord=2).log()
        assert_close(growth.values[..., place], norms, atol=1e-9, rtol=0)


def test_windows_are_spread_over_the_training_orbits():
    data = torch.arange(60.0).view(2, 30, 1)
    found = windows_along(data, GradientPath(9), count=4, seeds=3)
    assert found.shape == (3, 4, 10, 1)
    assert found[0, :, 0, 0].tolist() == [0, 13, 36, 50]  # of 2 x 21 places 0, 13, 27 and 41
    assert bool((found.diff(dim=2) == 1).all())


@pytest.mark.parametrize(
    ("interval", "followed", "told"),
    [(10, 40, (10, 1, 1)), (40, 40, (40, 0, 0)), (60, 40, (40, 0, 0)), (None, 40, (40, 0, 0))],
)
def test_a_forcing_beyond_what_was_followed_is_not_told_as_one_within(interval, followed, told):
    """Windows of 200 steps, of which so many were followed: the tent map multiplies by 1.9 at each."""
    model, path = Tent(), GradientPath(200, interval)
    states = windows(model, 1)[:, :, 0]
    forced = examine_forcing(model, windows(model, followed), path, exponents=1)
    found = replace(diagnose(model, states, horizon=16, steps=20, transient=5, loss=None), forced=forced)
    numbers = {one.name: one.values.tolist() for one in found.numbers()}
    assert [numbers[f"chain_{name}"] for name in ("length", "forced", "ends")] == [[value] * 2 for value in told]
    assert numbers["chain_growth"] == pytest.approx([told[0] * LN] * 2, abs=1e-12)
    assert ("window_growth" in numbers) is not bool(told[2])
