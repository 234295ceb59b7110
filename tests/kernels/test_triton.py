"""Triton's kernels run by its interpreter on the CPU; on a CUDA machine `benchmarks/kernels_gpu.py` runs them."""

import os

import pytest
import torch
from triton_interpreter import needs_interpreter

os.environ.setdefault("TRITON_INTERPRET", "1")  # read when the kernels are defined
triton_cuda = pytest.importorskip("chaosbench.kernels.triton_cuda", exc_type=ImportError)

from chaosbench.kernels import Forcing, Network, reference, unroll  # noqa: E402

pytestmark = needs_interpreter


@pytest.mark.parametrize("forcing_kind", ["none", "partly replaced", "blended"])
@pytest.mark.parametrize(
    ("activation", "parts"),
    [("relu", "A W1 W2 C d"), ("tanh", "W2 C"), ("clipped", "A W1 W2"), ("almost_linear", "A W1")],
)
def test_loss_and_gradients_agree_with_autograd(activation, parts, forcing_kind):
    """In float64, so that only the order of sums differs; samples do not fill the second block."""
    torch.manual_seed(0)
    seeds, samples, steps, units, hidden, seen = 1, 17, 4, 5, 6 if "W1 W2" in parts else 5, 3
    sizes = {"A": (units,), "W1": (units, hidden), "W2": (hidden, units), "h1": (units,), "h2": (hidden,)}
    sizes |= {"C": (seen, units), "d": (seen,)}
    present = {*parts.split(), "h1", "h2"}
    tensors = [
        (torch.randn(seeds, *size).double() * 0.4).requires_grad_() if name in present else None
        for name, size in sizes.items()
    ]
    network = Network(activation, *tensors, dimension=seen, rectified=2)
    start = torch.randn(seeds, samples, units).double().requires_grad_()
    forcing = None
    if forcing_kind == "blended":
        signals = torch.randn(seeds, samples, steps - 1, units).double().requires_grad_()
        forcing = Forcing(signals, torch.rand(seeds, 1, steps - 1).double())
    elif forcing_kind == "partly replaced":
        forcing = Forcing(torch.randn(seeds, samples, 1, seen).double().requires_grad_(), interval=2)
    inputs = [*(one for one in tensors if one is not None), start]
    inputs += [] if forcing is None else [forcing.signals]
    found = []
    for run in (reference.unroll, lambda *given: unroll(triton_cuda, *given)):
        observed, last = run(network, start, steps, forcing)
        loss = observed.square().mean() + last.square().mean()
        found.append([loss, *torch.autograd.grad(loss, inputs)])
    for expected, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-14)
