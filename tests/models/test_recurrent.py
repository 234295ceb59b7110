"""The tanh network, the GRU and the LSTM, against torch's own cells."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from chaosbench.models import GRU, LSTM, RNN, Forecaster
from chaosbench.trainers.forcing import forced_unroll

HIDDEN, DIMENSION, SEEDS = 6, 2, (3, 8)
CELLS = {"rnn": (RNN, nn.RNNCell), "gru": (GRU, nn.GRUCell), "lstm": (LSTM, nn.LSTMCell)}
every_cell = pytest.mark.parametrize("kind", CELLS)


def pair(kind: str, form: str) -> tuple[Forecaster, list[nn.Module]]:
    """A model, and for each of its seeds torch's cell with the same weights."""
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


def run_cell(cell: nn.Module, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """One step of torch's cell on (h) or (h, c)."""
    if isinstance(cell, nn.LSTMCell):
        return torch.cat(cell(x, tuple(memory.chunk(2, dim=-1))), dim=-1)
    return cell(x, memory)


@every_cell
def test_an_autonomous_network_is_torchs_cell_with_zero_input(kind: str):
    model, cells = pair(kind, "autonomous")
    state = torch.randn(len(SEEDS), 4, model.state_size, dtype=torch.float64)
    quiet = torch.zeros(4, DIMENSION, dtype=torch.float64)
    expected = torch.stack([run_cell(cell, quiet, part) for cell, part in zip(cells, state, strict=True)])
    assert_close(model.step(state), expected, atol=1e-14, rtol=1e-12)


@every_cell
def test_a_closed_loop_feeds_torchs_cell_with_its_own_affine_output(kind: str):
    model, cells = pair(kind, "closed_loop")
    with torch.no_grad():
        model.readout.bias.normal_()
    state = torch.randn(len(SEEDS), 4, model.state_size, dtype=torch.float64)
    seen, last = model.predict(state, 7)
    for k, cell in enumerate(cells):
        memory, x = state[k, :, :-DIMENSION], state[k, :, -DIMENSION:]
        for step in range(7):
            memory = run_cell(cell, x, memory)
            x = memory[:, :HIDDEN] @ model.readout.weight[k].T + model.readout.bias[k, 0]
            assert_close(seen[k, :, step], x, atol=1e-12, rtol=1e-10)
        assert_close(last[k], torch.cat([memory, x], dim=-1), atol=1e-12, rtol=1e-10)


@every_cell
def test_a_closed_loop_forced_at_every_step_is_torchs_cell_driven_by_the_data(kind: str):
    """The prediction of an observation has seen all those before it: plain teacher forcing."""
    model, cells = pair(kind, "closed_loop")
    windows = torch.randn(len(SEEDS), 3, 9, DIMENSION, dtype=torch.float64)
    predicted = forced_unroll(model, windows, 1)
    for k, cell in enumerate(cells):
        memory = torch.zeros(3, model.state_size - DIMENSION, dtype=torch.float64)
        for step in range(8):
            memory = run_cell(cell, windows[k, :, step], memory)
            expected = memory[:, :HIDDEN] @ model.readout.weight[k].T + model.readout.bias[k, 0]
            assert_close(predicted[k, :, step], expected, atol=1e-12, rtol=1e-10)


@every_cell
def test_forcing_a_closed_loop_keeps_its_memory_and_an_autonomous_network_forgets(kind: str):
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


def test_an_lstm_of_one_step_closes_the_loop_too():
    """The fused path takes the first step by itself; here there is no other."""
    model = LSTM(hidden=HIDDEN, form="closed_loop").build(DIMENSION, SEEDS)
    state = torch.randn(2, 4, model.state_size)
    seen, last = model.predict(state, 1)
    assert_close(last, model.step(state))
    assert_close(seen[:, :, 0], model.observe(last))
