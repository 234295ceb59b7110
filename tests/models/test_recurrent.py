"""The tanh network, the GRU and the LSTM against torch's own cells."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from chaosbench.models import GRU, LSTM, RNN, Forecaster
from chaosbench.models.lstm import fused_lstm, stepped_lstm
from chaosbench.trainers.forcing import forced_unroll

HIDDEN, DIMENSION, SEEDS = 6, 2, (3, 8)
CELLS = {"rnn": (RNN, nn.RNNCell), "gru": (GRU, nn.GRUCell), "lstm": (LSTM, nn.LSTMCell)}
every_cell = pytest.mark.parametrize("kind", CELLS)


def pair(kind: str, form: str) -> tuple[Forecaster, list[nn.Module]]:
    """Return a model and, per seed, torch's cell with the same weights."""
    spec, cell_type = CELLS[kind]
    model = spec(hidden=HIDDEN, form=form).build(DIMENSION, SEEDS).double()
    cells = []
    for k in range(len(SEEDS)):
        cell = cell_type(DIMENSION, HIDDEN).double()
        with torch.no_grad():
            cell.weight_hh.copy_(model.weight[k])
            cell.bias_ih.copy_(model.bias[k, 0])
            cell.weight_ih.copy_(model.drive[k] if form == "closed_loop" else torch.zeros_like(cell.weight_ih))
            cell.bias_hh.zero_()
            if kind == "gru":
                cell.bias_hh[2 * HIDDEN :] = model.candidate_bias[k, 0]
        cells.append(cell)
    return model, cells


def run_cell(cell: nn.Module, x: torch.Tensor, hidden_state: torch.Tensor) -> torch.Tensor:
    """Advance h or (h, c) by torch's cell."""
    if isinstance(cell, nn.LSTMCell):
        return torch.cat(cell(x, tuple(hidden_state.chunk(2, dim=-1))), dim=-1)
    return cell(x, hidden_state)


@every_cell
def test_an_autonomous_network_equals_torchs_cell_with_zero_input(kind: str):
    model, cells = pair(kind, "autonomous")
    state = torch.randn(len(SEEDS), 4, model.state_size, dtype=torch.float64)
    zero_input = torch.zeros(4, DIMENSION, dtype=torch.float64)
    expected = torch.stack([run_cell(cell, zero_input, part) for cell, part in zip(cells, state, strict=True)])
    assert_close(model.step(state), expected, atol=1e-14, rtol=1e-12)


@every_cell
def test_a_closed_loop_equals_torchs_cell_with_its_affine_output_as_input(kind: str):
    model, cells = pair(kind, "closed_loop")
    with torch.no_grad():
        model.readout.bias.normal_()
    state = torch.randn(len(SEEDS), 4, model.state_size, dtype=torch.float64)
    observed, last = model.predict(state, 7)
    for k, cell in enumerate(cells):
        hidden_state, x = state[k, :, :-DIMENSION], state[k, :, -DIMENSION:]
        for step in range(7):
            hidden_state = run_cell(cell, x, hidden_state)
            x = hidden_state[:, :HIDDEN] @ model.readout.weight[k].T + model.readout.bias[k, 0]
            assert_close(observed[k, :, step], x, atol=1e-12, rtol=1e-10)
        assert_close(last[k], torch.cat([hidden_state, x], dim=-1), atol=1e-12, rtol=1e-10)


@every_cell
def test_a_closed_loop_forced_at_every_step_equals_torchs_cell_driven_by_data(kind: str):
    """Plain teacher forcing: each prediction depends on all earlier observations."""
    model, cells = pair(kind, "closed_loop")
    windows = torch.randn(len(SEEDS), 3, 9, DIMENSION, dtype=torch.float64)
    predicted = forced_unroll(model, windows, 1)
    for k, cell in enumerate(cells):
        hidden_state = torch.zeros(3, model.state_size - DIMENSION, dtype=torch.float64)
        for step in range(8):
            hidden_state = run_cell(cell, windows[k, :, step], hidden_state)
            expected = hidden_state[:, :HIDDEN] @ model.readout.weight[k].T + model.readout.bias[k, 0]
            assert_close(predicted[k, :, step], expected, atol=1e-12, rtol=1e-10)


@every_cell
def test_forcing_keeps_the_hidden_state_of_a_closed_loop_and_resets_an_autonomous_network(kind: str):
    spec, _ = CELLS[kind]
    closed = spec(hidden=HIDDEN, form="closed_loop").build(DIMENSION, SEEDS)
    state, observation = torch.randn(2, 4, closed.state_size), torch.randn(2, 4, DIMENSION)
    assert torch.equal(closed.force(state, observation), torch.cat([state[..., :-DIMENSION], observation], dim=-1))
    assert not closed.resets
    assert spec(hidden=HIDDEN).build(DIMENSION, SEEDS).resets


def test_a_forced_lstm_starts_from_an_empty_cell():
    model = LSTM(hidden=HIDDEN).build(DIMENSION, SEEDS)
    state, observation = torch.randn(2, 4, model.state_size), torch.randn(2, 4, DIMENSION)
    assert not model.force(state, observation)[..., HIDDEN:].any()


def test_a_single_step_of_a_closed_loop_lstm_is_predicted_without_the_fused_kernel():
    """`predict` takes the first step outside the fused kernel; here there is no other step."""
    model = LSTM(hidden=HIDDEN, form="closed_loop").build(DIMENSION, SEEDS)
    state = torch.randn(2, 4, model.state_size)
    observed, last = model.predict(state, 1)
    assert_close(last, model.step(state))
    assert_close(observed[:, :, 0], model.observe(last))


def test_the_fused_lstm_equals_a_loop_over_steps():
    """In float64, outputs, last states and gradients agree to rounding; a GPU takes the loop."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()  # noqa: E731
    weight, bias, state = draw(3, 20, 5), draw(3, 1, 20), draw(3, 4, 10)
    gradients = []
    for unroll in (fused_lstm, stepped_lstm):
        hidden, last = unroll(weight, bias, state, 7)
        assert hidden.shape == (3, 4, 7, 5)
        loss = hidden.square().sum() + last.sin().sum()
        gradients.append([hidden, last, *torch.autograd.grad(loss, (weight, bias, state))])
    for fused, stepped in zip(*gradients, strict=True):
        assert_close(fused, stepped, rtol=1e-12, atol=1e-12)
