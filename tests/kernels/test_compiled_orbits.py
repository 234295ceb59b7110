"""Free runs without gradients, which keep no states, beside the unroll in plain torch."""

import platform
from itertools import product

import pytest
import torch
from random_networks import ACTIVATIONS, MODELS, SEEDS, SHAPES, a_network, draw

from chaosbench.kernels import plain_torch, reference, unroll

numba_cpu = pytest.importorskip("chaosbench.kernels.numba_cpu", exc_type=ImportError)


@pytest.mark.parametrize("samples", [1, 3, 19])
@pytest.mark.parametrize(("activation", "shape", "units"), list(product(ACTIVATIONS, SHAPES, (3, 7, 18))))
@torch.no_grad()
def test_free_runs_agree_with_plain_torch(activation, shape, units, samples):
    """Few orbits are followed one by one, many together; over 25 steps rounding of 1e-16 grows by less than 1e6."""
    torch.manual_seed(0)
    network, start = a_network(activation, shape, units=units), draw(SEEDS, samples, units)
    found, expected = unroll(numba_cpu, network, start, 25), reference.unroll(network, start, 25)
    for ours, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("samples", [2, 9])
def test_no_states_are_kept_without_gradients(samples, monkeypatch):
    torch.manual_seed(0)
    network, start = a_network("tanh", SHAPES[0]), draw(SEEDS, samples, 7)
    monkeypatch.setattr(numba_cpu, "forward", None)  # the pass that keeps states for gradients
    with torch.no_grad():
        observed, _ = unroll(numba_cpu, network, start, 50)
    assert observed.shape == (SEEDS, samples, 50, 3)


@pytest.mark.parametrize("samples", [1, 9])
@torch.no_grad()
def test_nan_stays_within_its_orbit(samples):
    torch.manual_seed(0)
    network, start = a_network("relu", SHAPES[0]), draw(SEEDS, samples, 7)
    alone = unroll(numba_cpu, network, start, 8)
    start[0, 0] = torch.nan
    beside = unroll(numba_cpu, network, start, 8)
    for before, after in zip(alone, beside, strict=True):
        assert after[0, 0].isnan().all()
        assert torch.equal(before[1], after[1])
        assert torch.equal(before[0, 1:], after[0, 1:])


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)
@torch.no_grad()
def test_models_run_freely_as_in_plain_torch(spec):
    model = spec.build(3, range(2)).double()
    start = model.initial_state(torch.randn(2, 1, 1, 3, dtype=torch.float64))
    found = model.predict(start, 40)
    with plain_torch():
        expected = model.predict(start, 40)
    for ours, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-10, atol=1e-13)


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="the setting is that of x86 processors")
@torch.no_grad()
def test_numbers_below_the_normal_range_vanish_inside_kernels_alone():
    """The state 10^-t passes 2.2e-308, the smallest normal number."""
    network, start = a_network("relu", (True, False, False, False)), torch.ones(SEEDS, 1, 7, dtype=torch.float64)
    for coefficient, value in ((network.bias, 0.0), (network.threshold, -1.0), (network.diagonal, 0.1)):
        coefficient.fill_(value)
    for samples in (start, start.expand(-1, 9, -1)):
        observed, _ = unroll(numba_cpu, network, samples, 320)
        torch.testing.assert_close(observed[:, :, 299], torch.full_like(observed[:, :, 299], 1e-300))
        assert (observed[:, :, 308:] == 0).all()
    assert (reference.unroll(network, start, 320)[0][:, :, 308:314] > 0).all()
