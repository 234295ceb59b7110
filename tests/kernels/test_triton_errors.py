"""The squared error that Triton's kernels compute, and its gradients, run by the interpreter on the CPU."""

import os

import pytest
import torch
from random_networks import a_gated_network
from torch import Tensor
from triton_interpreter import needs_interpreter

os.environ.setdefault("TRITON_INTERPRET", "1")  # read when the kernels are defined
triton_cuda = pytest.importorskip("chaosbench.kernels.triton_cuda", exc_type=ImportError)

from chaosbench import kernels  # noqa: E402
from chaosbench.kernels import (  # noqa: E402
    Forcing,
    Network,
    gated,
    plain_torch,
    reference,
    squared_error,
    triton_gated,
    triton_parts,
)
from chaosbench.models import LSTM, PLRNN, AlmostLinearRNN, ModelSpec, ShallowPLRNN  # noqa: E402
from chaosbench.trainers.forcing import forced_error  # noqa: E402

pytestmark = needs_interpreter

SCALES = torch.tensor([1.0, -3.0], dtype=torch.float64)  # of each seed's error in what is differentiated
STEPS, WINDOWS, SEGMENTS, SEEN = 4, 3, 3, 3


def draw(*shape: int) -> Tensor:
    return (0.4 * torch.randn(2, *shape).double()).requires_grad_()


def assert_agree(found: Tensor, expected: Tensor, inputs: list[Tensor | None]) -> None:
    """In float64, so that only the order of sums differs."""
    given = [one for one in inputs if one is not None]
    ours, autograd = ((errors, *torch.autograd.grad((errors * SCALES).sum(), given)) for errors in (found, expected))
    for one, other in zip(ours, autograd, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-14)


def of_windows(observed: Tensor, data: Tensor) -> Tensor:
    """Return the error of segments whose last is cut short at the end of its window."""
    joined = observed.unflatten(1, (data.shape[1], -1)).flatten(2, 3)[:, :, : data.shape[2]]
    return (joined - data).square().mean(dim=(1, 2, 3))


@pytest.mark.parametrize("activation", ["relu", "tanh", "clipped", "almost_linear"])
@pytest.mark.parametrize(
    ("parts", "units"), [("A W1 W2 h1 h2", 3), ("W1 W2 h1", 4), ("A W1 W2 h1 h2 C d", 5), ("A W1 h1", 6)]
)
def test_error_and_gradients_of_segments_agree_with_autograd(activation, parts, units):
    """The first two have few units, and kernels of their own; W2 is transposed, as some models keep it."""
    hidden, present = 7 if "W2" in parts else units, parts.split()
    shapes = {"A": (units,), "W1": (units, hidden), "W2": (units, hidden), "h1": (units,), "h2": (hidden,)}
    shapes |= {"C": (SEEN, units), "d": (SEEN,)}
    tensors = [draw(*shape) if name in present else None for name, shape in shapes.items()]
    tensors[2] = None if tensors[2] is None else tensors[2].detach().mT.requires_grad_()
    network = Network(activation, *tensors, dimension=SEEN, rectified=2)
    start, data = draw(WINDOWS * SEGMENTS, units), torch.randn(2, WINDOWS, STEPS * SEGMENTS - 2, SEEN).double()
    found = squared_error(triton_cuda, network, start, data, steps=STEPS)
    expected = of_windows(reference.unroll(network, start, STEPS)[0], data)
    assert_agree(found, expected, [*tensors, start])


@pytest.mark.parametrize("kind", ["partly replaced", "blended"])
def test_error_and_gradients_of_forced_networks_agree_with_autograd(kind):
    tensors = [draw(5), draw(5, 5), None, draw(5), None, None, draw(SEEN)]
    network = Network("almost_linear", *tensors, dimension=SEEN, rectified=2)
    start, data = draw(17, 5), torch.randn(2, 17, 6, SEEN).double()
    if kind == "blended":
        forcing = Forcing(draw(17, 5, 5), torch.rand(2, 1, 5).double())
    else:
        forcing = Forcing(draw(17, 2, SEEN), interval=2)
    found = squared_error(triton_cuda, network, start, data, steps=6, forcing=forcing)
    expected = of_windows(reference.unroll(network, start, 6, forcing)[0], data)
    assert_agree(found, expected, [*tensors, start, forcing.signals])


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_error_and_gradients_of_gated_networks_agree_with_autograd(kind):
    torch.manual_seed(0)
    network = a_gated_network(kind, fed_back=kind == "gru")
    start, data = draw(WINDOWS * SEGMENTS, 10 if kind == "lstm" else 5), torch.randn(2, WINDOWS, 10, SEEN).double()
    found = squared_error(triton_gated, network, start, data, steps=STEPS)
    expected = of_windows(gated.unroll(network, start, STEPS)[0], data)
    assert_agree(found, expected, [*network.coefficients, start])


@pytest.mark.parametrize(
    "spec", [ShallowPLRNN(hidden=5), AlmostLinearRNN(hidden=5), LSTM(hidden=5)], ids=lambda spec: spec.kind
)
def test_models_have_the_error_that_plain_torch_computes(spec: ModelSpec, monkeypatch):
    model, windows = spec.build(SEEN, range(2)).double(), torch.randn(2, 3, 11, SEEN).double()
    with plain_torch():
        expected = forced_error(model, windows, STEPS)
    monkeypatch.setattr(kernels, "comparing_backend_for", lambda *_: triton_cuda)
    monkeypatch.setattr(kernels, "gated_comparing_backend_for", lambda *_: triton_gated)
    found = forced_error(model, windows, STEPS)
    assert type(found.grad_fn).__name__ == "_DeferredErrorBackward"
    assert_agree(found, expected, list(model.parameters()))


@pytest.mark.parametrize("spec", [PLRNN(hidden=5), LSTM(hidden=5)], ids=lambda spec: spec.kind)
def test_samples_that_follow_each_other_in_a_warp_count_as_those_side_by_side(spec: ModelSpec, monkeypatch):
    """With two warps for eighteen samples of two seeds, of which the last has fewer."""
    model, windows = spec.build(SEEN, range(2)).double(), torch.randn(2, 3, 11, SEEN).double()
    with plain_torch():
        expected = forced_error(model, windows, STEPS)
    monkeypatch.setattr(kernels, "comparing_backend_for", lambda *_: triton_cuda)
    monkeypatch.setattr(kernels, "gated_comparing_backend_for", lambda *_: triton_gated)
    monkeypatch.setattr(triton_parts, "WARPS_AT_ONCE", 4)
    assert triton_parts.samples_of_a_warp(2, 9) == 4
    assert_agree(forced_error(model, windows, STEPS), expected, list(model.parameters()))


def test_nan_stays_within_its_seed():
    model, windows = PLRNN(hidden=5).build(SEEN, range(2)).double(), torch.randn(2, 3, 11, SEEN).double()
    start, data = windows[:, :, 0] @ torch.ones(SEEN, 5).double(), windows[:, :, 1:5]
    alone = squared_error(triton_cuda, model.compiled_network(), start, data, steps=4)
    with torch.no_grad():
        model.bias[0] = torch.nan
    beside = squared_error(triton_cuda, model.compiled_network(), start, data, steps=4)
    assert torch.isnan(beside[0])
    assert torch.equal(beside[1], alone[1])
