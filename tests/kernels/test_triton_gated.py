"""Triton's kernels for gated networks, run by its interpreter on the CPU."""

import os

import pytest
import torch
from random_networks import a_gated_network
from triton_interpreter import needs_interpreter

os.environ.setdefault("TRITON_INTERPRET", "1")  # read when the kernels are defined
triton_gated = pytest.importorskip("chaosbench.kernels.triton_gated", exc_type=ImportError)

from chaosbench import kernels  # noqa: E402
from chaosbench.kernels import gated, unroll  # noqa: E402
from chaosbench.models import GRU, LSTM, ModelSpec  # noqa: E402

pytestmark = needs_interpreter


@pytest.mark.parametrize("fed_back", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_loss_and_gradients_agree_with_autograd(kind, fed_back):
    """In float64, so that only the order of sums differs; samples do not fill the second block."""
    torch.manual_seed(0)
    network = a_gated_network(kind, fed_back=fed_back)
    start = torch.randn(2, 17, 10 if kind == "lstm" else 5).double().requires_grad_()
    inputs, found = [*(one for one in network.coefficients if one is not None), start], []
    for run in (gated.unroll, lambda *given: unroll(triton_gated, *given)):
        observed, last = run(network, start, 4)
        loss = observed.square().mean() + last.square().mean()
        found.append([observed, last, *torch.autograd.grad(loss, inputs)])
    for expected, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)


def test_nan_stays_within_its_seed():
    torch.manual_seed(0)
    network, start = a_gated_network("lstm", fed_back=False), torch.randn(2, 17, 10).double()
    alone = unroll(triton_gated, network, start, 3)[0]
    with torch.no_grad():
        network.bias[0] = torch.nan
    beside = unroll(triton_gated, network, start, 3)[0]
    assert torch.isnan(beside[0]).all()
    assert torch.equal(beside[1], alone[1])


@pytest.mark.parametrize(
    "spec",
    [LSTM(hidden=5), LSTM(hidden=5, form="closed_loop"), GRU(hidden=5), GRU(hidden=5, form="closed_loop")],
    ids=lambda spec: spec.label,
)
def test_models_predict_what_they_predict_without_the_kernel(spec: ModelSpec, monkeypatch):
    """In float64: the same numbers and gradients to rounding, whether V C is absorbed or fed back."""
    torch.manual_seed(0)
    model = spec.build(3, range(2)).double()
    start = model.initial_state(torch.randn(2, 3, 1, 3).double())
    used, found = [], []

    def backend_for(state, steps):
        used.append(steps)
        return triton_gated

    for _ in range(2):
        observed, last = model.predict(start, 5)
        loss = observed.square().mean() + last.square().mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
        found.append([observed, last, *gradients])
        monkeypatch.setattr(kernels, "gated_backend_for", backend_for)
    assert used
    for expected, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)
