"""The squared error that a kernel computes together with its gradients, beside the unroll in plain torch."""

from itertools import product

import pytest
import torch
from random_networks import ACTIVATIONS, FORCINGS, MODELS, SEEDS, SEEN, SHAPES, UNITS, a_forcing, a_network, draw
from torch import Tensor

from chaosbench.kernels import Forcing, Network, plain_torch, reference, squared_error
from chaosbench.models import ModelSpec
from chaosbench.trainers.forcing import blended_error, forced_error

numba_cpu = pytest.importorskip("chaosbench.kernels.numba_cpu", exc_type=ImportError)


def by_torch(network: Network, start: Tensor, data: Tensor, *, steps: int, forcing: Forcing | None = None) -> Tensor:
    observed, _ = reference.unroll(network, start, steps, forcing)
    windows, length = data.shape[1:3]
    joined = observed.unflatten(1, (windows, -1)).flatten(2, 3)[:, :, :length]
    return (joined - data).square().mean(dim=(1, 2, 3))


def assert_agree(network: Network, start: Tensor, data: Tensor, *, steps: int, forcing: Forcing | None = None):
    """Sums in another order differ by rounding: 1e-12 of the error, 1e-10 of a gradient."""
    inputs = [*(one for one in network.coefficients if one is not None), start]
    inputs += [] if forcing is None else [forcing.signals]
    scales = torch.tensor([1.0, -3.0], dtype=torch.float64)  # of each seed's error in what is differentiated
    found, expected = (
        (errors, *torch.autograd.grad((errors * scales).sum(), inputs))
        for errors in (
            squared_error(numba_cpu, network, start, data, steps=steps, forcing=forcing),
            by_torch(network, start, data, steps=steps, forcing=forcing),
        )
    )
    torch.testing.assert_close(found[0], expected[0], rtol=1e-12, atol=0)
    for ours, autograd in zip(found[1:], expected[1:], strict=True):
        assert (ours - autograd).norm() <= 1e-10 * autograd.norm()


@pytest.mark.parametrize("forcing_kind", FORCINGS)
@pytest.mark.parametrize(("activation", "shape"), list(product(ACTIVATIONS, SHAPES)))
def test_error_and_gradients_agree_with_autograd(activation, shape, forcing_kind):
    torch.manual_seed(0)
    for samples, steps in ((5, 6), (19, 35)):
        network, start = a_network(activation, shape), draw(SEEDS, samples, UNITS)
        data = torch.randn(SEEDS, samples, steps, SEEN, dtype=torch.float64)
        assert_agree(network, start, data, steps=steps, forcing=a_forcing(forcing_kind, samples, steps))


@pytest.mark.parametrize("forcing_kind", FORCINGS)
@pytest.mark.parametrize(("activation", "units"), list(product(ACTIVATIONS, (3, 4))))
def test_networks_of_few_units_agree_with_autograd(activation, units, forcing_kind):
    """Steps of at most four units have code of their own."""
    torch.manual_seed(0)
    network, start = a_network(activation, SHAPES[0], units=units), draw(SEEDS, 5, units)
    data = torch.randn(SEEDS, 5, 7, SEEN, dtype=torch.float64)
    assert_agree(network, start, data, steps=7, forcing=a_forcing(forcing_kind, 5, 7, units=units))


@pytest.mark.parametrize(("windows", "length", "steps"), [(5, 12, 4), (5, 14, 4), (3, 40, 33), (1, 7, 6)])
def test_segments_of_windows_agree_with_autograd(windows, length, steps):
    """The last segment is whole, or is cut short; vectors of samples hold segments of several windows."""
    torch.manual_seed(0)
    network, start = a_network("tanh", SHAPES[0]), draw(SEEDS, windows * -(-length // steps), UNITS)
    longer = torch.randn(SEEDS, windows, length + 3, SEEN, dtype=torch.float64)
    transposed = torch.randn(SEEDS, windows, SEEN, length, dtype=torch.float64).mT
    for data in (longer[:, :, 2:-1], longer[:, :, :length], transposed):
        assert_agree(network, start, data, steps=steps)


def test_transposed_and_strided_coefficients_agree_with_autograd():
    torch.manual_seed(0)
    network, start = a_network("relu", SHAPES[0]), draw(SEEDS, 4, UNITS)
    data = torch.randn(SEEDS, 4, 6, SEEN, dtype=torch.float64)
    turned = [
        None if one is None else one.mT.contiguous().mT if one.dim() == 3 else one for one in network.coefficients
    ]
    assert_agree(network.with_coefficients(turned), start, data, steps=6)
    spread = [None if one is None else torch.stack([one, one], dim=-1)[..., 0] for one in network.coefficients]
    assert_agree(network.with_coefficients(spread), start, data, steps=6)


def test_nan_stays_within_its_seed():
    torch.manual_seed(0)
    network, start = a_network("relu", SHAPES[0]), draw(SEEDS, 4, UNITS)
    data = torch.randn(SEEDS, 4, 6, SEEN, dtype=torch.float64)
    alone = squared_error(numba_cpu, network, start, data, steps=6).detach()
    with torch.no_grad():
        network.bias[0, 0] = torch.nan
    errors = squared_error(numba_cpu, network, start, data, steps=6)
    assert errors[0].isnan()
    assert errors[1] == alone[1]
    for gradient in torch.autograd.grad(errors[1], [one for one in network.coefficients if one is not None]):
        assert gradient[1].isfinite().all()


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)
def test_models_get_the_error_of_plain_torch(spec: ModelSpec):
    """Forced at intervals, warmed up or not, and blended at every step: float64, by rounding alone."""
    torch.manual_seed(0)
    model = spec.build(3, range(2)).double()
    windows, weights = torch.randn(2, 4, 24, 3).double(), torch.full((2, 1, 19), 0.3).double()
    for error in (
        lambda: forced_error(model, windows, 6),
        lambda: forced_error(model, windows, 100, warm_up=3),
        lambda: blended_error(model, windows, weights, warm_up=3),
    ):
        found = []
        for compiled in (True, False):
            if compiled:
                errors = error()
                assert type(errors.grad_fn).__name__ == "_SquaredErrorBackward"
            else:
                with plain_torch():
                    errors = error()
            found.append([errors, *torch.autograd.grad(errors.sum(), list(model.parameters()), allow_unused=True)])
        for ours, autograd in zip(*found, strict=True):
            assert (ours is None) == (autograd is None)
            if ours is not None:
                torch.testing.assert_close(ours, autograd, rtol=1e-10, atol=1e-13)
