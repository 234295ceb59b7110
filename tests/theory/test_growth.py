import math

import pytest
import torch
from torch.testing import assert_close

from chaosbench.dynamics import log_spaced
from chaosbench.theory import Growth, growth_rate
from chaosbench.theory.growth import power_law

HORIZONS = log_spaced(4_096)
TIMES = torch.tensor(HORIZONS, dtype=torch.float64)


def curves(*slopes: float) -> torch.Tensor:
    """Return one curve per slope, with a transient of sixty steps, `(1, C, H)`."""
    return torch.stack([slope * TIMES + 3 * torch.exp(-TIMES / 5) for slope in slopes])[None]


def test_the_slope_is_that_of_the_straight_line_after_the_transient():
    rate = growth_rate(HORIZONS, curves(0.01, 0.01, 0.01))
    assert_close(rate.slope, torch.tensor([0.01], dtype=torch.float64), atol=1e-12, rtol=0)
    assert_close(rate.interval, torch.zeros(1, dtype=torch.float64), atol=1e-12, rtol=0)
    assert_close(rate.fit, torch.ones(1, dtype=torch.float64))


def test_the_interval_is_that_of_students_t_over_initial_conditions():
    """The slopes 0.01, 0.02, 0.03 deviate by 0.01; the factor is 4.3027 / sqrt 3 (t for two degrees of freedom)."""
    rate = growth_rate(HORIZONS, curves(0.01, 0.02, 0.03))
    assert float(rate.slope) == pytest.approx(0.02)
    assert float(rate.interval) == pytest.approx(4.3027 / math.sqrt(3) * 0.01, rel=1e-4)
    assert growth_rate(HORIZONS, curves(0.01)).interval.isnan().all()


def test_gradients_that_vanish_completely_have_slope_minus_infinity():
    values = curves(-1.0, -1.0)
    values[..., 3:] = -torch.inf
    rate = growth_rate(HORIZONS, values)
    assert rate.slope.tolist() == [-math.inf]


def test_an_orbit_that_blew_up_is_left_out_and_a_seed_without_others_has_no_slope():
    values = torch.cat([curves(0.01, 0.02), curves(0.03, 0.03)])
    values[0, 1, 5:] = torch.nan
    values[1, :, 5:] = torch.nan
    rate = growth_rate(HORIZONS, values)
    assert float(rate.slope[0]) == pytest.approx(0.01)
    assert bool(rate.slope[1].isnan())


def test_the_fit_is_the_coefficient_of_determination():
    """The second implementation is the square of numpy's correlation."""
    import numpy as np

    noise = torch.randn(1, 1, len(HORIZONS), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    values = 0.001 * TIMES + noise
    late = TIMES >= 256
    expected = np.corrcoef(TIMES[late], values[0, 0, late])[0, 1] ** 2
    assert float(growth_rate(HORIZONS, values).fit) == pytest.approx(expected)


def test_a_growth_has_a_mean_and_a_value_at_each_horizon():
    growth = Growth((1, 4), torch.tensor([[[1.0, 2.0], [3.0, torch.nan]]]))
    assert growth.mean.tolist() == [[2.0, 2.0]]
    assert growth.at(1).tolist() == [[1.0, 3.0]]


OCTAVES = log_spaced(4_096, each_octave=1)


def power_times_exponential(power: float, rate: float) -> torch.Tensor:
    """Return three curves ln(T^power e^(rate T)) plus a constant, `(1, 3, H)`."""
    times = torch.tensor(OCTAVES, dtype=torch.float64)
    return (power * times.log() + rate * times + torch.tensor([[0.0], [1.0], [5.0]]))[None]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 3.0])
def test_a_power_of_the_horizon_has_its_power_and_no_exponential_rate(power: float):
    law = power_law(OCTAVES, power_times_exponential(power, 0.0))
    assert float(law.power) == pytest.approx(power, abs=1e-9)
    assert float(law.excess) == pytest.approx(0, abs=1e-12)
    assert float(law.power_interval) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_an_exponential_rate_is_found_beside_a_power(power: float):
    law = power_law(OCTAVES, power_times_exponential(power, 0.003))
    assert float(law.excess) == pytest.approx(0.003, abs=1e-12)
    assert float(law.power) > power + 1, "an exponential is not bounded"


def test_a_power_is_fitted_over_the_last_four_octaves_and_a_rate_over_the_last_six():
    """Before, gradients may do anything: the curves are T^2 e^(0.003 T), with noise at earlier horizons."""
    times = torch.tensor(OCTAVES, dtype=torch.float64)
    noise = torch.randn(1, 3, len(OCTAVES), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    law = power_law(OCTAVES, 2 * times.log() + torch.where(times < 4_096 / 2**4, noise, 0.0))
    assert float(law.power) == pytest.approx(2, abs=1e-9)
    exact = power_times_exponential(2.0, 0.003)
    law = power_law(OCTAVES, exact + torch.where(times < 4_096 / 2**6, noise, 0.0))
    assert float(law.excess) == pytest.approx(0.003, abs=1e-12)
    law = power_law(OCTAVES, exact + torch.where(times <= 4_096 / 2**6, noise, 0.0))
    assert float(law.excess) != pytest.approx(0.003, abs=1e-6), "the first horizon of the last six octaves counts"


def test_a_power_law_ignores_orbits_that_blew_up_and_needs_enough_horizons():
    curves_ = power_times_exponential(1.0, 0.0).repeat(2, 1, 1)
    curves_[0, 1, -1:] = torch.nan
    curves_[1, :, -1:] = torch.nan
    law = power_law(OCTAVES, curves_)
    assert float(law.power[0]) == pytest.approx(1)
    assert bool(law.power[1].isnan())
    assert bool(power_law((1, 2, 4), torch.zeros(1, 2, 3)).excess.isnan().all())
