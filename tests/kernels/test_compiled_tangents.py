"""Spectra and gradient growth of networks by kernels, beside plain torch."""

import math

import pytest
import torch
from random_networks import MODELS, by_both
from torch.testing import assert_close

from chaosbench.dynamics import finite_time_exponents, jacobian_growth
from chaosbench.kernels import compiled_tangents
from chaosbench.models import GRU, LSTM, PLRNN, RNN, AlmostLinearRNN, ModelSpec, ShallowPLRNN
from chaosbench.models.gru import ClosedLoopGRU
from chaosbench.models.lstm import AutonomousLSTM
from chaosbench.models.rnn import AutonomousRNN

FORMS = ("autonomous", "closed_loop")
GATED = [kind(hidden=9, form=form) for kind in (LSTM, GRU) for form in FORMS]
EXACT = {"rtol": 1e-12, "atol": 1e-12}
pytest.importorskip("numba")


def started(spec: ModelSpec, *, conditions: int = 3):
    torch.manual_seed(0)
    model = spec.build(3, range(2)).double()
    with torch.no_grad():
        return model, model.initial_state(torch.randn(2, conditions, 1, 3, dtype=torch.float64))


@pytest.mark.parametrize("spec", [*MODELS, *GATED], ids=lambda spec: spec.label)
@pytest.mark.parametrize(("every", "exponents"), [(1, None), (3, None), (2, 2)])
def test_exponents_agree_with_plain_torch(spec, every, exponents):
    """Rounding of 1e-16, which a matrix of condition 1e5 between two decompositions may amplify.

    Exponents farther below the largest are lost in rounding, and those of an output that is fed back are -inf.
    """
    model, states = started(spec)
    found, expected = by_both(
        lambda: finite_time_exponents(
            model, states, steps=20, blocks=2, transient=5, every=every, exponents=exponents, dt=0.5
        )
    )
    resolved = (expected[..., :1] - expected) * 0.5 * every < math.log(1e5)
    assert resolved[..., :2].all()
    assert_close(found[resolved], expected[resolved], rtol=1e-10, atol=1e-10)
    assert (found[~resolved] < expected[..., :1].expand_as(found)[~resolved]).all()


@pytest.mark.parametrize("spec", [*MODELS, *GATED], ids=lambda spec: spec.label)
@pytest.mark.parametrize("norm", ["spectral", "infinity"])
def test_gradient_growth_agrees_with_plain_torch(spec, norm):
    model, states = started(spec)
    for options in ({"horizons": (1, 2, 7, 16, 40)}, {"directions": 2}):
        found, expected = by_both(
            lambda options=options: jacobian_growth(model, states, steps=80, norm=norm, **options)
        )
        assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_tangents_are_orthonormal_however_strong_the_contraction_between_two_decompositions():
    """Singular values from 1 to 1e-13: one pass of Gram-Schmidt would leave angles that are off by 1e-3."""
    model, states = started(RNN(hidden=8))
    with torch.no_grad():
        left, right = (torch.linalg.qr(torch.randn(2, 8, 8, dtype=torch.float64)).Q for _ in range(2))
        model.weight.copy_(left * 10.0 ** -torch.linspace(0, 13, 8, dtype=torch.float64) @ right)
        model.bias.zero_()
        tangents = torch.eye(8, dtype=torch.float64).expand(2, 3, 8, 8)
        _, found, _ = compiled_tangents(model, states).grow(1e-9 * states, tangents, steps=1, every=1)
    assert_close(found.mT @ found, tangents, rtol=0, atol=1e-12)


def test_single_precision_is_computed_in_double():
    model, states = started(RNN(hidden=9))
    expected = finite_time_exponents(model, states, steps=20)
    found = finite_time_exponents(model.float(), states.float(), steps=20)
    assert found.dtype == torch.float32
    assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_an_orbit_that_blows_up_has_no_exponents_and_no_growth_and_does_not_change_the_others():
    """A doubles the first unit, which passes 3e38, the largest number in single precision, after 128 steps."""
    model, states = started(AlmostLinearRNN(hidden=5, rectified=1))
    with torch.no_grad():
        model.diagonal[0] = 2.0
    model, states = model.float(), states.float()
    exponents, growth = finite_time_exponents(model, states, steps=150), jacobian_growth(model, states, steps=150)
    assert exponents[0].isnan().all()
    assert growth[0, :, -1].isnan().all()
    assert growth[0, :, 50].isfinite().all()
    assert exponents[1].isfinite().all()
    assert growth[1].isfinite().all()


def test_vanishing_tangents_have_exponents_of_minus_infinity():
    model, states = started(RNN(hidden=4))
    with torch.no_grad():
        model.weight[0] = 0.0
    found, expected = by_both(lambda: finite_time_exponents(model, states, steps=4))
    assert found[0].isneginf().all()
    assert expected[0].isneginf().all()
    assert_close(found[1], expected[1], rtol=1e-10, atol=1e-10)


SMALL = [*(RNN(hidden=units) for units in range(1, 10)), *(PLRNN(hidden=units) for units in range(1, 10))]
SMALL += [kind(hidden=units, form=form) for kind in (LSTM, GRU) for units in range(1, 10) for form in FORMS]
SMALL += [ShallowPLRNN(hidden=units, states=3) for units in (1, 2, 9)] + [AlmostLinearRNN(hidden=5, rectified=2)]


@pytest.mark.usefixtures("memory_of_nan")
@pytest.mark.parametrize("spec", SMALL, ids=lambda spec: spec.label)
def test_all_small_sizes_agree_with_plain_torch_whatever_memory_holds(spec):
    """Tangents are padded to whole vectors of eight, units to groups of four; rounding is 1e-12 over six steps."""
    torch.manual_seed(0)
    model = spec.build(1, range(2)).double()
    for conditions, count in ((1, 1), (3, getattr(model, "hidden_state_size", None))):  # others' growth is rounding
        with torch.no_grad():
            states = model.initial_state(torch.randn(2, conditions, 1, 1, dtype=torch.float64))
        assert_close(*by_both(lambda s=states, c=count: finite_time_exponents(model, s, steps=6, exponents=c)), **EXACT)
        assert_close(*by_both(lambda s=states, c=count: jacobian_growth(model, s, steps=6, directions=c)), **EXACT)


def test_exponents_and_growth_of_a_seed_and_of_an_orbit_are_the_same_alone_and_beside_others():
    spec = PLRNN(hidden=9, centred=True)  # whose coefficients lie differently in memory for a single seed
    model, states = started(spec)
    alone = spec.build(3, (1,)).double()
    for compute in (finite_time_exponents, jacobian_growth):
        joint = compute(model, states, steps=30)
        assert torch.equal(compute(alone, states[1:], steps=30)[0], joint[1])
        assert torch.equal(compute(model, states[:, :1], steps=30), joint[:, :1])


class Damped(AutonomousRNN):
    def tangent_step(self, state, tangents):
        following, carried = super().tangent_step(state, tangents)
        return following, 0.5 * carried


class Doubled(AutonomousRNN):
    def step(self, state):
        return 2 * super().step(state)


class DampedLSTM(AutonomousLSTM):
    def tangent_step(self, state, tangents):
        following, carried = super().tangent_step(state, tangents)
        return following, 0.5 * carried


class DoubledGRU(ClosedLoopGRU):
    def advance(self, derived, hidden_state, input_term):
        return 2 * super().advance(derived, hidden_state, input_term)


@pytest.mark.parametrize("cls", [Damped, Doubled, DampedLSTM, DoubledGRU])
def test_a_subclass_with_steps_of_its_own_is_followed_by_plain_torch(cls):
    model = cls(4, 3, (0,)).double()
    states = torch.full((1, 2, model.state_size), 0.1, dtype=torch.float64)
    found, expected = by_both(lambda: jacobian_growth(model, states, steps=8))
    assert torch.equal(found, expected)


def test_transforms_and_gradients_are_left_to_plain_torch():
    model, states = started(RNN(hidden=4))
    with torch.no_grad():
        assert compiled_tangents(model, states) is not None
        assert compiled_tangents(model.step, states) is None
        assert compiled_tangents(model, states[0]) is None
        with torch.autograd.forward_ad.dual_level():
            assert compiled_tangents(model, states) is None
    assert compiled_tangents(model, states) is None  # gradients are recorded

    seen = []
    with torch.no_grad():
        torch.vmap(lambda scale: seen.append(compiled_tangents(model, scale * states)) or scale)(torch.ones(2))
    assert seen == [None]
