"""Unrolls with forcing and cuts, checked against each other and against the paper's pseudo-code."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.errors import DataError
from chaosbench.models import LSTM, PLRNN, RNN, ModelSpec, ShallowPLRNN
from chaosbench.systems import Lorenz63
from chaosbench.trainers.base import squared_error
from chaosbench.trainers.forcing import (
    folded_unroll,
    forced_unroll,
    free_unroll,
    sequential_unroll,
    truncated_unroll,
)
from chaosbench.trainers.forcing_interval import interval_in_steps, tau_pred_factor

RESETTING = [RNN(hidden=8), LSTM(hidden=8), PLRNN(hidden=8), ShallowPLRNN(hidden=12)]
every_model = pytest.mark.parametrize("spec", RESETTING, ids=lambda spec: spec.label)


def windows_of(steps: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 5, steps + 1, 3, dtype=dtype, generator=generator)


def loss_and_gradients(model, predicted, windows):
    loss = squared_error(predicted, windows[:, :, 1:])
    model.zero_grad()
    loss.sum().backward()
    return loss.detach(), [parameter.grad.clone() for parameter in model.parameters()]


@every_model
@pytest.mark.parametrize(("steps", "interval"), [(24, 6), (25, 7), (23, 10), (9, 9), (5, 40), (6, 1)])
def test_folded_and_sequential_forcing_agree_in_loss_and_gradients(spec: ModelSpec, steps: int, interval: int):
    """Segments between forcings are independent, also if the last is shorter; equal up to float64 rounding."""
    model, windows = spec.build(3, (0, 1)).double(), windows_of(steps)
    loss, gradients = loss_and_gradients(model, folded_unroll(model, windows, interval), windows)
    expected, others = loss_and_gradients(model, sequential_unroll(model, windows, interval), windows)
    assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    for gradient, other in zip(gradients, others, strict=True):
        assert_close(gradient, other, rtol=1e-12, atol=1e-12)


@every_model
def test_a_free_unroll_is_one_segment(spec: ModelSpec):
    model, windows = spec.build(3, (0, 1)).double(), windows_of(20)
    assert torch.equal(free_unroll(model, windows), sequential_unroll(model, windows, 20))


@pytest.mark.parametrize("spec", [PLRNN(hidden=8, readout="identity"), ShallowPLRNN(hidden=9, states=5)])
def test_partial_forcing_is_not_folded(spec: ModelSpec):
    """Units that keep their values connect the segments, so that folding would give wrong numbers."""
    model, windows = spec.build(3, (0, 1)).double(), windows_of(20)
    assert not model.resets
    assert torch.equal(forced_unroll(model, windows, 6), sequential_unroll(model, windows, 6))
    assert not torch.allclose(folded_unroll(model, windows, 6), sequential_unroll(model, windows, 6))


@pytest.mark.parametrize("interval", [5, 7])
def test_the_forced_lstm_equals_the_papers_pseudo_code(interval: int):
    """torch.nn.LSTMCell with zero input, h = B⁺ x and c = 0 at every interval-th step, loss before forcing."""
    model, windows = LSTM(hidden=6).build(3, (0, 1)).double(), windows_of(17)
    loss, gradients = loss_and_gradients(model, forced_unroll(model, windows, interval), windows)
    for k in range(2):
        cell = torch.nn.LSTMCell(1, 6).double()
        readout = model.readout.weight[k].detach().clone().requires_grad_()
        with torch.no_grad():
            cell.weight_hh.copy_(model.weight[k])
            cell.bias_hh.copy_(model.bias[k, 0])
            cell.bias_ih.zero_()
        x, predicted = windows[k], []
        no_input = torch.zeros(5, 1, dtype=torch.float64)
        for t in range(17):
            if t % interval == 0:
                h, c = x[:, t] @ torch.linalg.pinv(readout).T, torch.zeros(5, 6, dtype=torch.float64)
            h, c = cell(no_input, (h, c))
            predicted.append(h @ readout.T)
        expected = (torch.stack(predicted, dim=1) - x[:, 1:]).square().mean()
        expected.backward()
        assert_close(loss[k], expected.detach(), rtol=1e-12, atol=1e-12)
        names = [name for name, _ in model.named_parameters()]
        gradient_of = dict(zip(names, gradients, strict=True))
        assert_close(gradient_of["weight"][k], cell.weight_hh.grad, rtol=1e-10, atol=1e-12)
        assert_close(gradient_of["bias"][k, 0], cell.bias_hh.grad, rtol=1e-10, atol=1e-12)
        assert_close(gradient_of["readout.weight"][k], readout.grad, rtol=1e-10, atol=1e-12)


@every_model
def test_truncation_changes_gradients_but_not_predictions(spec: ModelSpec):
    model, windows = spec.build(3, (0, 1)).double(), windows_of(20)
    free, cut = sequential_unroll(model, windows, 20), truncated_unroll(model, windows, 6)
    assert_close(cut, free, rtol=1e-10, atol=1e-12)
    _, whole = loss_and_gradients(model, free, windows)
    _, truncated = loss_and_gradients(model, cut, windows)
    assert any(not torch.allclose(gradient, other) for gradient, other in zip(whole, truncated, strict=True))


def test_no_gradient_passes_through_a_forcing():
    """The prediction of step t depends only on the observation at the last forcing."""
    model, windows = RNN(hidden=8).build(3, (0,)).double(), windows_of(12)[:1].requires_grad_()
    (gradient,) = torch.autograd.grad(forced_unroll(model, windows, 4)[0, 0, 9].sum(), windows)
    influences = gradient[0, 0].abs().sum(dim=-1).nonzero().flatten().tolist()
    assert influences == [8]  # the state is forced before step 8, and runs freely through steps 8 and 9


@pytest.mark.parametrize(
    ("text", "factor"), [("tau_pred", 1.0), ("0.4 tau_pred", 0.4), ("2*tau_pred", 2.0), (" .5 tau_pred", 0.5)]
)
def test_multiples_of_the_predictability_time_are_read(text: str, factor: float):
    assert tau_pred_factor(text) == factor


@pytest.mark.parametrize("text", ["", "0.4", "tau", "-1 tau_pred", "0 tau_pred", "tau_pred 2"])
def test_other_texts_are_rejected_as_intervals(text: str):
    with pytest.raises(ValueError, match="no forcing interval"):
        tau_pred_factor(text)


def test_the_papers_interval_is_ln_2_over_the_largest_exponent(lorenz: Dataset):
    """lambda_1 = 0.9056 per unit of time at rho = 28 (Viswanath 1998): 76.5 steps of 0.01, tolerance 1 step."""
    assert interval_in_steps("tau_pred", lorenz) == pytest.approx(76.5, abs=1)
    assert interval_in_steps("0.4 tau_pred", lorenz) == pytest.approx(30.6, abs=1)
    assert interval_in_steps(30, lorenz) == 30


def test_a_system_without_chaos_has_no_predictability_time(lorenz: Dataset):
    periodic = replace(lorenz, largest_exponent=0.0, system=Lorenz63(rho=10.0))
    with pytest.raises(DataError, match="not chaotic"):
        interval_in_steps("tau_pred", periodic)
