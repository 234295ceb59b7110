"""The compiled LSTM and GRU on a CPU, compared with autograd and with the fused LSTM of torch."""

from contextlib import nullcontext
from itertools import product

import pytest
import torch
from random_networks import a_gated_network, outputs_and_gradients
from torch import Tensor

from chaosbench.kernels import GatedNetwork, gated, plain_torch, squared_error, unroll
from chaosbench.kernels.unroll import gated_backend_for
from chaosbench.models import GRU, LSTM, ModelSpec
from chaosbench.trainers.forcing import forced_error

numba_gated = pytest.importorskip("chaosbench.kernels.numba_gated", exc_type=ImportError)

KINDS = ("lstm", "gru")
SIZES = ((1, 1, 1), (2, 3, 7), (3, 1, 8), (4, 4, 9), (5, 3, 17), (9, 6, 25))  # units, observables, samples
SPECS = (LSTM(hidden=5), LSTM(hidden=5, form="closed_loop"), GRU(hidden=5), GRU(hidden=5, form="closed_loop"))


def a_start(network: GatedNetwork, samples: int) -> Tensor:
    size = network.weight.shape[-1] * (2 if network.kind == "lstm" else 1)
    return torch.randn(network.weight.shape[0], samples, size, dtype=network.weight.dtype).requires_grad_()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("kind", "fed_back"), list(product(KINDS, (False, True))))
def test_outputs_and_gradients_agree_with_autograd(kind, fed_back, sizes):
    """In float64, so that sums differ by their order alone; steps exceed a chunk, samples do not fill a vector."""
    torch.manual_seed(0)
    units, seen, samples = sizes
    network = a_gated_network(kind, fed_back=fed_back, units=units, seen=seen)
    start = a_start(network, samples)
    inputs = [*(one for one in network.coefficients if one is not None), start]
    expected = outputs_and_gradients(gated.unroll(network, start, 35), inputs)
    found = outputs_and_gradients(unroll(numba_gated, network, start, 35), inputs)
    for ours, autograd in zip(found, expected, strict=True):
        assert (ours - autograd).norm() <= 1e-10 * autograd.norm()


@pytest.mark.parametrize(("windows", "length", "steps"), [(5, 12, 4), (3, 14, 4), (17, 35, 35)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_error_of_segments_and_its_gradients_agree_with_autograd(kind, windows, length, steps):
    """The last segment is whole, or is cut short; in float64, so that sums differ by their order alone."""
    torch.manual_seed(0)
    network = a_gated_network(kind, fed_back=True, units=5, seen=3)
    segments = -(-length // steps)
    start = a_start(network, windows * segments)
    seeds = len(start)
    data = torch.randn(seeds, windows, length, 3, dtype=torch.float64)
    inputs = [*(one for one in network.coefficients if one is not None), start]
    observed, _ = gated.unroll(network, start, steps)
    whole = observed.unflatten(1, (windows, segments)).flatten(2, 3)[:, :, :length]
    errors = (whole - data).square().flatten(1).mean(1), squared_error(numba_gated, network, start, data, steps=steps)
    weights = torch.arange(1.0, seeds + 1, dtype=torch.float64)
    expected, found = ((error, *torch.autograd.grad((weights * error).sum(), inputs)) for error in errors)
    for ours, autograd in zip(found, expected, strict=True):
        assert (ours - autograd).norm() <= 1e-10 * autograd.norm()


@pytest.mark.parametrize("spec", [LSTM(hidden=5), GRU(hidden=5)], ids=lambda spec: spec.label)
def test_models_get_the_error_of_plain_torch(spec: ModelSpec):
    torch.manual_seed(0)
    model, windows = spec.build(3, range(2)).double(), torch.randn(2, 4, 24, 3).double()
    for interval in (6, 100):
        found = []
        for compiled in (True, False):
            with nullcontext() if compiled else plain_torch():
                error = forced_error(model, windows, interval)
            found.append((error, *torch.autograd.grad(error.sum(), list(model.parameters()))))
        for ours, plain in zip(*found, strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_stays_close_to_double(kind):
    """float32 rounds at 6e-8; over 20 steps of a map that neither grows nor shrinks much, errors stay below 1e-4."""
    torch.manual_seed(0)
    network = a_gated_network(kind, fed_back=True)
    inputs = [*(one for one in network.coefficients if one is not None), a_start(network, 19)]
    expected = outputs_and_gradients(gated.unroll(network, inputs[-1], 20), inputs)
    rough = [one.detach().float().requires_grad_() for one in inputs]
    coefficients = iter(rough[:-1])
    single = network.with_coefficients([None if one is None else next(coefficients) for one in network.coefficients])
    found = outputs_and_gradients(unroll(numba_gated, single, rough[-1], 20), rough)
    for ours, autograd in zip(found, expected, strict=True):
        assert (ours - autograd).norm() <= 1e-4 * autograd.norm()


@pytest.mark.parametrize("kind", KINDS)
def test_free_runs_without_gradients_give_the_same_numbers(kind):
    torch.manual_seed(0)
    network = a_gated_network(kind, fed_back=True)
    start = a_start(network, 19)
    observed, last = unroll(numba_gated, network, start, 40)
    assert observed.requires_grad
    with torch.no_grad():
        freely = unroll(numba_gated, network, start, 40)
    assert torch.equal(freely[0], observed)
    assert torch.equal(freely[1], last)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_other_samples_stay_within_their_seed(kind):
    torch.manual_seed(0)
    network = a_gated_network(kind, fed_back=True)
    start = a_start(network, 19)
    inputs = [*(one for one in network.coefficients if one is not None), start]
    alone = outputs_and_gradients(unroll(numba_gated, network, start, 8), inputs)
    with torch.no_grad():
        network.bias[0, 0] = torch.nan
    beside = outputs_and_gradients(unroll(numba_gated, network, start, 8), inputs)
    for before, after in zip(alone, beside, strict=True):
        assert torch.isnan(after[0]).any()
        assert torch.equal(before[1], after[1])


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)
def test_models_predict_what_plain_torch_predicts(spec: ModelSpec):
    """In float64: the same numbers and gradients to rounding, whether V C is absorbed or fed back."""
    torch.manual_seed(0)
    model = spec.build(3, range(2)).double()
    start = model.initial_state(torch.randn(2, 3, 1, 3).double()).detach()
    assert gated_backend_for(start, 9) is numba_gated
    found = outputs_and_gradients(model.predict(start, 9), list(model.parameters()))
    with plain_torch():
        expected = outputs_and_gradients(model.predict(start, 9), list(model.parameters()))
    for ours, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)
