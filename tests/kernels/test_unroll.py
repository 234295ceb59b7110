from itertools import product

import pytest
import torch
from random_networks import (
    ACTIVATIONS,
    FORCINGS,
    MODELS,
    SEEDS,
    SHAPES,
    UNITS,
    a_forcing,
    a_network,
    draw,
    outputs_and_gradients,
)
from torch import Tensor

from chaosbench.kernels import plain_torch, reference, unroll
from chaosbench.kernels.unroll import backend_for
from chaosbench.models import ModelSpec
from chaosbench.trainers.forcing import blended_unroll, forced_unroll

numba_cpu = pytest.importorskip("chaosbench.kernels.numba_cpu", exc_type=ImportError)


@pytest.mark.parametrize("forcing_kind", FORCINGS)
@pytest.mark.parametrize(("activation", "shape"), list(product(ACTIVATIONS, SHAPES)))
def test_outputs_and_gradients_agree_with_autograd(activation, shape, forcing_kind):
    """Sums in another order differ by rounding: 1e-12 of an output, 1e-10 of a gradient; steps exceed one chunk."""
    torch.manual_seed(0)
    for samples, steps in ((5, 6), (19, 35)):
        network, start = a_network(activation, shape), draw(SEEDS, samples, UNITS)
        forcing = a_forcing(forcing_kind, samples, steps)
        inputs = [*(one for one in network.coefficients if one is not None), start]
        inputs += [] if forcing is None else [forcing.signals]
        given = (network, start, steps, forcing)
        expected = outputs_and_gradients(reference.unroll(*given), inputs)
        found = outputs_and_gradients(unroll(numba_cpu, *given), inputs)
        for index, (ours, autograd) in enumerate(zip(found, expected, strict=True)):
            assert (ours - autograd).norm() <= (1e-12 if index < 2 else 1e-10) * autograd.norm()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_single_precision_stays_close_to_double(activation):
    """float32 rounds at 6e-8; over 20 steps of a map that neither grows nor shrinks much, errors stay below 1e-4."""
    torch.manual_seed(0)
    network, start = a_network(activation, SHAPES[0]), draw(SEEDS, 9, UNITS)
    inputs = [*(one for one in network.coefficients if one is not None), start]
    expected = outputs_and_gradients(reference.unroll(network, start, 20), inputs)
    rough = [one.detach().float().requires_grad_() for one in inputs]
    *coefficients, begin = rough
    single = network.with_coefficients(coefficients)
    for ours, autograd in zip(
        outputs_and_gradients(unroll(numba_cpu, single, begin, 20), rough), expected, strict=True
    ):
        assert torch.isfinite(ours).all()
        assert (ours - autograd).norm() <= 1e-4 * autograd.norm()


def test_nan_stays_within_its_seed():
    torch.manual_seed(0)
    network, start = a_network("relu", SHAPES[0]), draw(SEEDS, 9, UNITS)
    inputs = [*(one for one in network.coefficients if one is not None), start]
    alone = outputs_and_gradients(unroll(numba_cpu, network, start, 8), inputs)
    with torch.no_grad():
        network.bias[0, 0] = torch.nan
    beside = outputs_and_gradients(unroll(numba_cpu, network, start, 8), inputs)
    for before, after in zip(alone, beside, strict=True):
        assert torch.isnan(after[0]).any()
        assert torch.equal(before[1], after[1])


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)
def test_trainers_get_the_numbers_of_plain_torch(spec: ModelSpec):
    """Forced at intervals, folded or partly, and blended at every step: float64, by rounding alone."""
    torch.manual_seed(0)
    model = spec.build(3, range(2)).double()
    windows, weights = torch.randn(2, 4, 21, 3).double(), torch.full((2, 1, 19), 0.3).double()
    for run in (lambda: forced_unroll(model, windows, 6), lambda: blended_unroll(model, windows, weights)):
        found = []
        for compiled in (True, False):
            if compiled:
                assert backend_for(windows, 20) is numba_cpu
                predicted = run()
                assert "_Unroll" in graph_nodes(predicted)
            else:
                with plain_torch():
                    predicted = run()
                assert "_Unroll" not in graph_nodes(predicted)
            loss = (predicted - windows[:, :, 1:]).square().mean()
            found.append([predicted, *torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)])
        for ours, autograd in zip(*found, strict=True):
            assert (ours is None) == (autograd is None)
            if ours is not None:
                torch.testing.assert_close(ours, autograd, rtol=1e-10, atol=1e-13)


def graph_nodes(tensor: Tensor) -> str:
    """Names of the graph's nodes."""
    names, waiting, seen = [], [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            names.append(node.name())
            waiting += [following for following, _ in node.next_functions]
    return " ".join(names)
