import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from solvable_maps import Linear, lozi, recurrent, states, tent
from torch.testing import assert_close

from chaosbench.dynamics import entropy_bound, finite_time_exponents, kaplan_yorke_dimension, lyapunov_spectrum


def henon(state):
    x, y = state.unbind(-1)
    return torch.stack([1 - 1.4 * x * x + y, 0.3 * x], dim=-1)


def test_exponents_of_a_linear_map_are_the_logarithms_of_its_multipliers():
    """W is similar to diag(0.9, 0.5, -0.2); tangents align as (0.5 / 0.9)^t, up to rounding errors within 100 steps."""
    basis = states(3, 3)
    W = basis @ torch.diag(torch.tensor([0.9, 0.5, -0.2], dtype=torch.float64)) @ torch.linalg.inv(basis)
    spectrum = lyapunov_spectrum(Linear(W), states(4, 3), steps=20, transient=100)
    expected = torch.tensor([0.9, 0.5, 0.2], dtype=torch.float64).log().expand(4, 3)
    assert_close(spectrum, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exponents_of_a_scaled_rotation_are_all_the_logarithm_of_its_scale(dtype):
    """The only errors are those of rounding: a few units in the last place per step, averaged."""
    angle = torch.tensor(1.0, dtype=dtype)
    rotation = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    spectrum = lyapunov_spectrum(Linear(0.97 * rotation), states(3, 2, dtype=dtype), steps=100)
    assert spectrum.dtype == dtype
    assert_close(spectrum, torch.full((3, 2), math.log(0.97), dtype=dtype), atol=10 * torch.finfo(dtype).eps, rtol=0)


def test_the_exponent_of_the_tent_map_is_the_logarithm_of_its_slope():
    spectrum = lyapunov_spectrum(tent(1.9), states(5, 1) / 10, steps=200)
    assert_close(spectrum, torch.full((5, 1), math.log(1.9), dtype=torch.float64), atol=1e-13, rtol=0)


def test_exponents_of_the_lozi_map_sum_to_the_logarithm_of_one_half():
    spectrum = lyapunov_spectrum(lozi(), states(4, 2) / 10, steps=300, transient=10)
    assert_close(spectrum.sum(-1), torch.full((4,), math.log(0.5), dtype=torch.float64), atol=1e-12, rtol=0)
    assert bool((spectrum[:, 0] > 0.3).all())


def test_exponents_of_henon_sum_to_the_logarithm_of_b():
    """|det J| = b everywhere, so the exponents of any orbit sum to ln b."""
    spectrum = lyapunov_spectrum(henon, states(4, 2) / 10, steps=200)
    assert_close(spectrum.sum(-1), torch.full((4,), math.log(0.3), dtype=torch.float64), atol=1e-9, rtol=0)


def test_the_exponent_of_a_two_cycle_is_half_the_logarithm_of_its_multiplier():
    """The multiplier of the logistic map at r = 3.2 is 4 + 2 r - r^2 = 0.16."""
    r = 3.2
    start = torch.tensor([(r + 1 + math.sqrt((r - 3) * (r + 1))) / (2 * r)], dtype=torch.float64)
    spectrum = lyapunov_spectrum(lambda x: r * x * (1 - x), start, steps=200)
    assert_close(spectrum, torch.tensor([math.log(0.16) / 2], dtype=torch.float64), atol=1e-9, rtol=0)


def test_exponents_are_per_unit_of_time():
    spectrum = lyapunov_spectrum(tent(1.9), states(5, 1) / 10, steps=50, dt=0.25)
    assert_close(spectrum, torch.full((5, 1), math.log(1.9) / 0.25, dtype=torch.float64))


def test_functions_objects_and_analytic_tangents_agree():
    network, start = lozi(), states(4, 2) / 10
    analytic = lyapunov_spectrum(network, start, steps=30)
    assert_close(lyapunov_spectrum(network.step, start, steps=30), analytic)


def test_rare_decompositions_change_exponents_only_by_rounding():
    """The growth of Lozi's two tangents differs by e^(1.6 * 5) between decompositions, which costs 4 of 16 digits."""
    network, start = lozi(), states(4, 2) / 10
    rare = lyapunov_spectrum(network, start, steps=103, transient=11, every=5)
    assert_close(rare, lyapunov_spectrum(network, start, steps=103, transient=11), atol=1e-11, rtol=0)


def test_seeds_computed_together_have_the_same_exponents_as_alone():
    networks, start = recurrent(), states(2, 3, 5)
    together = lyapunov_spectrum(networks, start, steps=20, exponents=2)
    assert together.shape == (2, 3, 2)
    for seed in range(2):
        alone = lyapunov_spectrum(
            lambda z, W=networks.W[seed]: torch.tanh(z @ W.mT), start[seed], steps=20, exponents=2
        )
        assert_close(together[seed], alone)


def test_leading_exponents_do_not_depend_on_their_number():
    """Gram-Schmidt keeps the first directions regardless of the following ones."""
    start = states(2, 3, 5)
    every = finite_time_exponents(recurrent(), start, steps=50)
    assert_close(finite_time_exponents(recurrent(), start, steps=50, exponents=2), every[..., :2])


def test_an_orbit_that_blows_up_does_not_change_a_bit_of_the_others():
    start = states(3, 2) / 10
    lost = start.clone()
    lost[1] = 50.0
    spectrum, calm = (lyapunov_spectrum(henon, members, steps=50, transient=5) for members in (lost, start))
    assert torch.equal(spectrum[[0, 2]], calm[[0, 2]])
    assert bool(spectrum[1].isnan().all())


def test_an_orbit_that_overflows_has_no_exponents_even_if_its_tangents_stay_finite():
    spectrum = lyapunov_spectrum(lambda z: 2 * z, torch.tensor([[1.0], [0.0]]), steps=200)
    assert bool(spectrum[0].isnan().all())
    assert float(spectrum[1]) == pytest.approx(math.log(2), rel=1e-5)


def test_a_constant_map_has_exponents_of_minus_infinity():
    assert torch.equal(
        lyapunov_spectrum(lambda z: 0 * z, states(2, 1), steps=3), torch.full((2, 1), -torch.inf).double()
    )


def test_exponents_do_not_depend_on_earlier_random_draws():
    first = lyapunov_spectrum(lozi(), states(4, 2) / 10, steps=7)
    torch.randn(3)
    assert torch.equal(lyapunov_spectrum(lozi(), states(4, 2) / 10, steps=7), first)


@pytest.mark.parametrize(
    ("spectrum", "dimension"),
    [
        ([-0.1, -2.0], 0.0),  # a fixed point
        ([0.0, -1.0, -2.0], 1.0),  # a cycle
        ([0.0, 0.0, -1.0], 2.0),  # a torus
        ([0.5, -1.0], 1.5),
        ([1.0, 0.0, -4.0], 2.25),
        ([1.0, -1.0], 2.0),  # area is preserved, so no partial sum is negative
        ([0.3, 0.2], 2.0),
        ([0.5, -torch.inf], 1.0),
        ([torch.nan, torch.nan], torch.nan),
    ],
)
def test_kaplan_yorke_dimension_of_known_spectra(spectrum, dimension):
    expected = torch.tensor(dimension, dtype=torch.float64)
    assert_close(kaplan_yorke_dimension(torch.tensor(spectrum, dtype=torch.float64)), expected, equal_nan=True)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_kaplan_yorke_dimension_lies_between_zero_and_the_size_of_the_spectrum(values):
    spectrum = torch.tensor(sorted(values, reverse=True), dtype=torch.float64)
    assert 0 <= float(kaplan_yorke_dimension(spectrum)) <= len(values)


def test_kaplan_yorke_dimension_takes_leading_axes():
    spectra = torch.tensor([[[0.5, -1.0], [-1.0, -2.0]]], dtype=torch.float64)
    assert_close(kaplan_yorke_dimension(spectra), torch.tensor([[1.5, 0.0]], dtype=torch.float64))


def test_the_entropy_bound_is_the_sum_of_the_positive_exponents():
    assert_close(entropy_bound(torch.tensor([[1.5, 0.25, 0.0, -3.0]])), torch.tensor([1.75]))


def test_exponents_over_blocks_average_to_those_of_the_whole_orbit():
    start = states(4, 2) / 10
    blocks = finite_time_exponents(lozi(), start, steps=60, blocks=5, transient=10)
    assert blocks.shape == (4, 5, 2)
    assert_close(blocks.mean(-2), finite_time_exponents(lozi(), start, steps=60, transient=10))
