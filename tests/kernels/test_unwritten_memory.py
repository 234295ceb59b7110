"""Kernels compute the same whatever their working memory held before, for every size that needs padding."""

from itertools import product

import pytest
import torch
from random_networks import ACTIVATIONS, MODELS, SEEDS, SHAPES, a_gated_network, a_network, draw
from torch import Tensor
from torch.testing import assert_close

from chaosbench.kernels import Network, gated, plain_torch, reference, squared_error, unroll

numba_cpu = pytest.importorskip("chaosbench.kernels.numba_cpu", exc_type=ImportError)
numba_gated = pytest.importorskip("chaosbench.kernels.numba_gated", exc_type=ImportError)

FORMS = list(product(ACTIVATIONS, SHAPES))
UNITS = range(1, 10)
pytestmark = pytest.mark.usefixtures("memory_of_nan")


def squares(unrolled: tuple[Tensor, Tensor]) -> Tensor:
    observed, last = unrolled
    return observed.square().mean(dim=(1, 2, 3)) + last.square().mean(dim=(1, 2))


def assert_agree(found: Tensor, expected: Tensor, inputs: list[Tensor]) -> None:
    """Sums in another order differ by rounding: 1e-12 of a value, 1e-10 of a gradient."""
    assert_close(found, expected, rtol=1e-12, atol=0)
    pairs = zip(*(torch.autograd.grad(one.sum(), inputs) for one in (found, expected)), strict=True)
    for ours, autograd in pairs:
        assert (ours - autograd).norm() <= 1e-10 * autograd.norm()


@pytest.mark.parametrize(("activation", "shape"), FORMS)
def test_values_and_gradients_of_all_small_sizes_agree_with_autograd(activation, shape):
    torch.manual_seed(0)
    for units, samples in product(UNITS, (1, 9)):
        network, start = a_network(activation, shape, units=units), draw(SEEDS, samples, units)
        inputs = [*(one for one in network.coefficients if one is not None), start]
        assert_agree(
            squares(unroll(numba_cpu, network, start, 5)), squares(reference.unroll(network, start, 5)), inputs
        )
        observed, _ = reference.unroll(network, start, 5)
        data = torch.randn_like(observed)
        errors = squared_error(numba_cpu, network, start, data, steps=5)
        assert_agree(errors, (observed - data).square().mean(dim=(1, 2, 3)), inputs)


@pytest.mark.parametrize(("activation", "shape"), FORMS)
@torch.no_grad()
def test_free_runs_of_all_small_sizes_agree_with_plain_torch(activation, shape):
    """Few orbits are followed one by one, more together."""
    torch.manual_seed(0)
    for units, samples in product(UNITS, (1, 3, 5, 8, 17)):
        network, start = a_network(activation, shape, units=units), draw(SEEDS, samples, units)
        found, expected = unroll(numba_cpu, network, start, 5), reference.unroll(network, start, 5)
        for ours, torchs in zip(found, expected, strict=True):
            assert_close(ours, torchs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("seen", [1, 3, 4])
@pytest.mark.parametrize(("kind", "fed_back"), list(product(("lstm", "gru"), (False, True))))
def test_gated_networks_of_all_small_sizes_agree_with_autograd(kind, fed_back, seen):
    """Forwards, backwards and freely; the steps are more than one chunk of the backward pass in one case of three."""
    torch.manual_seed(0)
    for units, (samples, steps) in product(UNITS, ((1, 5), (3, 35), (17, 5))):
        network = a_gated_network(kind, fed_back=fed_back, units=units, seen=seen)
        start = draw(SEEDS, samples, units * (2 if kind == "lstm" else 1))
        inputs = [*(one for one in network.coefficients if one is not None), start]
        found, expected = unroll(numba_gated, network, start, steps), gated.unroll(network, start, steps)
        assert_agree(squares(found), squares(expected), inputs)
        with torch.no_grad():
            freely = unroll(numba_gated, network, start, steps)
        for ours, kept in zip(freely, found, strict=True):
            assert torch.equal(ours, kept)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)
@pytest.mark.parametrize("samples", [1, 4, 5, 9])
@torch.no_grad()
def test_a_seed_predicts_the_same_numbers_alone_and_beside_others(spec, samples):
    """A seed's coefficients may have another layout in memory beside others than alone."""
    torch.manual_seed(0)
    start = torch.randn(3, samples, 1, 3)
    together = spec.build(3, (4, 7, 11))
    joint = together.predict(together.initial_state(start), 12)[0]
    for index, seed in enumerate((4, 7, 11)):
        alone = spec.build(3, (seed,))
        state = together.initial_state(start)[index : index + 1]  # initial states round differently
        assert torch.equal(alone.predict(state, 12)[0][0], joint[index])
        with plain_torch():
            assert_close(alone.predict(state, 12)[0][0], joint[index], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_sample_is_the_same_alone_and_beside_others():
    """Samples of a vector do not mix, and neither do orbits that are followed one by one."""
    torch.manual_seed(0)
    for units, (few, many) in product((3, 7), ((1, 4), (5, 19))):
        network, start = a_network("tanh", SHAPES[0], units=units), draw(SEEDS, many, units)
        apart, joint = unroll(numba_cpu, network, start[:, :few], 6), unroll(numba_cpu, network, start, 6)
        for ours, beside in zip(apart, joint, strict=True):
            assert torch.equal(ours, beside[:, :few])


def without_one_column(network: Network) -> Network:
    assert network.outward is not None
    tensors = list(network.coefficients)
    tensors[1] = network.outward[..., :-1]
    return network.with_coefficients(tensors)


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        (lambda network, start: (network, start.float()), "float64"),
        (lambda network, start: (network, start[:1]), "2"),
        (lambda network, start: (network, start[..., :-1]), "7"),
        (lambda network, start: (without_one_column(network), start), "11"),
    ],
    ids=["precision", "seeds", "units", "columns"],
)
@torch.no_grad()
def test_what_does_not_fit_is_an_error_and_not_read(change, culprit):
    network, start = change(a_network("relu", SHAPES[0]), draw(SEEDS, 2, 7))
    with pytest.raises(AssertionError, match=culprit):
        unroll(numba_cpu, network, start, 6)
