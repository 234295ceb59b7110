"""The sampled network: the location of its units, and the map and exponents that it learns."""

from math import log

import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import DataSpec, simulate
from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.models import SampledRNN
from chaosbench.models.sampled_rnn import steep_pairs, unit_between
from chaosbench.seeds import seed_generator
from chaosbench.systems import Henon
from chaosbench.testing import check_model
from chaosbench.trainers import Ridge


@pytest.mark.parametrize("dimension", [1, 3])
def test_it_fulfils_the_contract_of_a_model(dimension: int):
    check_model(SampledRNN(hidden=40), dimension, trainer=Ridge(regularisation=1e-6))


def test_a_unit_is_minus_a_half_at_its_first_point_and_a_half_at_its_second():
    first, second = torch.randn(2, 3, 6, 4, dtype=torch.float64)
    weight, bias = unit_between(first, second)
    for points, value in ((first, -0.5), (second, 0.5), ((first + second) / 2, 0.0)):
        output = torch.tanh((weight * points).sum(dim=-1) + bias.squeeze(-2))
        assert_close(output, torch.full_like(output, value), atol=1e-12, rtol=0)


def test_pairs_lie_where_the_map_is_steep():
    """For x' = max(x, 0) a pair of negative points has slope 0 and is never drawn; a pair of positive points has 1."""
    before = torch.linspace(-1, 1, 400, dtype=torch.float64)[:, None]
    pairs = steep_pairs(before, before.clamp(min=0), 200, seed_generator(0, "pairs"))
    assert pairs.shape == (2, 200)
    assert (before[pairs].amax(dim=0) > 0).all()
    both = (before[pairs] > 0).all(dim=0).double().mean()
    # 1 / 4 of all pairs have slope 1, and 1 / 2 have mean slope 1 / 2: half of those drawn are positive, +-0.035.
    assert abs(both - 0.5) < 4 * 0.035


def test_it_learns_the_henon_map_and_its_exponents():
    """Published: 0.41922 (Sprott 2003); the sum is ln 0.3 exactly. 10 orbits of 2,000 steps: errors below 0.01."""
    data = simulate(Henon(), DataSpec(train_orbits=8, train_length=300, validation_orbits=0, test_length=10))
    model = SampledRNN(hidden=80).build(data.dimension, (0, 1)).double()
    (step,) = Ridge(regularisation=1e-12, noise=0.0, warm_up=0).fit(model, data, (0, 1))
    assert (step.loss < 1e-6).all()
    start = model.initial_state(data.train[:, :1].expand(2, -1, -1, -1))
    spectra = lyapunov_spectrum(model, start, steps=2_000, transient=50).mean(dim=1)
    assert_close(spectra[:, 0], torch.full((2,), 0.41922, dtype=torch.float64), atol=0.02, rtol=0)
    assert_close(spectra.sum(dim=-1), torch.full((2,), log(0.3), dtype=torch.float64), atol=0.02, rtol=0)
