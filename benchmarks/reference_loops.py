"""Published training loops, restated from their formulas: a single seed, step by step."""

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn

from chaosbench.models import Forecaster
from chaosbench.models.almost_linear_rnn import AutonomousAlmostLinearRNN
from chaosbench.models.lstm import AutonomousLSTM
from chaosbench.models.plrnn import AutonomousPLRNN
from chaosbench.models.rnn import AutonomousRNN
from chaosbench.models.shallow_plrnn import AutonomousShallowPLRNN

State = tuple[Tensor, ...]


class Loop(nn.Module, ABC):
    """A network of a single seed and its loop over time, forced every `interval` steps after the loss.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equations 15 and 16.
    """

    @abstractmethod
    def start(self, observation: Tensor) -> State:
        """Return the forced state for an observation `(B, D)`."""

    def force(self, state: State, observation: Tensor) -> State:
        """Return the state changed so that it shows an observation `(B, D)`; by default all of it is replaced."""
        return self.start(observation)

    @abstractmethod
    def advance(self, state: State) -> State:
        """Return the next state."""

    @abstractmethod
    def observe(self, state: State) -> Tensor:
        """Return the observation of a state, `(B, D)`."""

    def forward(self, windows: Tensor, interval: int) -> Tensor:
        """Return the mean squared error on windows `(B, T + 1, D)`."""
        state, predicted = self.start(windows[:, 0]), []
        for t in range(windows.shape[1] - 1):
            if t > 0 and t % interval == 0:
                state = self.force(state, windows[:, t])
            state = self.advance(state)
            predicted.append(self.observe(state))
        return nn.functional.mse_loss(torch.stack(predicted, dim=1), windows[:, 1:])


class RecurrentLoop(Loop):
    """torch's own recurrent layer, called step by step with zero input; forcing sets h = B⁺ x, and c = 0 in an LSTM."""

    def __init__(self, model: AutonomousRNN | AutonomousLSTM) -> None:
        super().__init__()
        layer = nn.LSTM if isinstance(model, AutonomousLSTM) else nn.RNN
        self.layer = layer(1, model.weight.shape[-1], batch_first=True)
        self.readout = nn.Linear(model.weight.shape[-1], model.dimension, bias=False)
        with torch.no_grad():
            for name, value in (("weight_hh_l0", model.weight[0]), ("bias_hh_l0", model.bias[0, 0])):
                self.layer.get_parameter(name).copy_(value)
            self.layer.get_parameter("bias_ih_l0").zero_()
            self.readout.weight.copy_(model.readout.weight[0])

    def start(self, observation: Tensor) -> State:
        hidden = observation @ torch.linalg.pinv(self.readout.weight).T
        return (hidden, torch.zeros_like(hidden)) if isinstance(self.layer, nn.LSTM) else (hidden,)

    def advance(self, state: State) -> State:
        nothing = state[0].new_zeros(len(state[0]), 1, 1)
        carried = tuple(part[None] for part in state)
        _, following = self.layer(nothing, carried if len(carried) > 1 else carried[0])
        return tuple(part[0] for part in (following if isinstance(following, tuple) else (following,)))

    def observe(self, state: State) -> Tensor:
        return cast("Tensor", self.readout(state[0]))


class PiecewiseLinearLoop(Loop):
    """z' = A z + W relu(z) + h; forcing sets z = B⁺ x."""

    def __init__(self, model: AutonomousPLRNN) -> None:
        super().__init__()
        self.matrix = nn.Parameter(model.weight[0].detach().clone())
        self.bias = nn.Parameter(model.bias[0, 0].detach().clone())
        self.readout = nn.Parameter(cast("Tensor", model.readout.weight)[0].detach().clone())

    def start(self, observation: Tensor) -> State:
        return (observation @ torch.linalg.pinv(self.readout).T,)

    def advance(self, state: State) -> State:
        (z,) = state
        diagonal = torch.diag(self.matrix)
        off_diagonal = self.matrix - torch.diag(diagonal)
        return (diagonal * z + torch.relu(z) @ off_diagonal.T + self.bias,)

    def observe(self, state: State) -> Tensor:
        return state[0] @ self.readout.T


class ShallowLoop(Loop):
    """z' = A z + W1 relu(W2 z + h2) + h1; forcing sets z = x."""

    def __init__(self, model: AutonomousShallowPLRNN) -> None:
        super().__init__()
        assert model.threshold is not None
        self.diagonal = nn.Parameter(model.diagonal[0, 0].detach().clone())
        self.outward = nn.Parameter(model.outward[0].detach().T.clone())
        self.inward = nn.Parameter(model.inward[0].detach().T.clone())
        self.bias = nn.Parameter(model.bias[0, 0].detach().clone())
        self.threshold = nn.Parameter(model.threshold[0, 0].detach().clone())

    def start(self, observation: Tensor) -> State:
        return (observation,)

    def advance(self, state: State) -> State:
        (z,) = state
        hidden = torch.relu(z @ self.inward.T + self.threshold)
        return (self.diagonal * z + hidden @ self.outward.T + self.bias,)

    def observe(self, state: State) -> Tensor:
        return state[0]


class AlmostLinearLoop(Loop):
    """z' = A z + W phi(z) + h, phi a relu on the last P units; forcing sets the first D units, which are observed."""

    def __init__(self, model: AutonomousAlmostLinearRNN) -> None:
        super().__init__()
        self.rectified, self.dimension = model.rectified, model.dimension
        self.diagonal = nn.Parameter(model.diagonal[0, 0].detach().clone())
        self.matrix = nn.Parameter(model.weight[0].detach().clone())
        self.bias = nn.Parameter(model.bias[0, 0].detach().clone())
        self.lift = nn.Parameter(cast("Tensor", model.readout.lift)[0].detach().clone())

    def start(self, observation: Tensor) -> State:
        return (torch.cat([observation, observation @ self.lift.T], dim=-1),)

    def force(self, state: State, observation: Tensor) -> State:
        (z,) = state
        return (torch.cat([observation, z[:, self.dimension :]], dim=-1),)

    def advance(self, state: State) -> State:
        (z,) = state
        phi = torch.cat([z[:, : -self.rectified], torch.relu(z[:, -self.rectified :])], dim=-1)
        return (self.diagonal * z + phi @ self.matrix.T + self.bias,)

    def observe(self, state: State) -> Tensor:
        return state[0][:, : self.dimension]


def loop_of(model: Forecaster) -> Loop:
    """Return the published loop with the weights of the model's first seed."""
    if isinstance(model, AutonomousShallowPLRNN):
        return ShallowLoop(model)
    if isinstance(model, AutonomousAlmostLinearRNN):
        return AlmostLinearLoop(model)
    if isinstance(model, AutonomousPLRNN):
        return PiecewiseLinearLoop(model)
    assert isinstance(model, AutonomousRNN | AutonomousLSTM), f"no published loop for {type(model).__name__}"
    return RecurrentLoop(model)


def backward_per_horizon(model: Forecaster, states: Tensor, steps: int) -> Tensor:
    """Return the log norms of d(|z_T|² / 2)/dz_0 by a backward call for each horizon, `(K, B, S) -> (K, B, steps)`."""
    start = states.clone().requires_grad_()
    state, norms = start, []
    path = [state := model.step(state) for _ in range(steps)]
    for reached in path:
        (gradient,) = torch.autograd.grad(reached.square().sum() / 2, start, retain_graph=True)
        norms.append(gradient.norm(dim=-1).log())
    return torch.stack(norms, dim=-1)


def backward_per_dimension(model: Forecaster, states: Tensor, steps: int) -> Tensor:
    """Return dz_T/dz_0 by a backward call for each dimension of the state, `(K, B, S) -> (K, B, S, S)`."""
    start = states.clone().requires_grad_()
    state = start
    for _ in range(steps):
        state = model.step(state)
    rows = [torch.autograd.grad(unit.sum(), start, retain_graph=True)[0] for unit in state.unbind(-1)]
    return torch.stack(rows, dim=-2)


@torch.no_grad()
def published_spectrum(weight: Tensor, bias: Tensor, states: Tensor, steps: int) -> Tensor:
    """Return the unsorted exponents of z' = tanh(W z + b) from analytic Jacobians, `(B, S) -> (B, S)` [1 / step].

    Source:
        Vogt, Puelma Touzel, Shlizerman and Lajoie 2022, Frontiers in Applied Mathematics and Statistics 8, 818799.
    """
    size = len(bias)
    layer = nn.RNN(1, size, batch_first=True, dtype=weight.dtype)
    layer.weight_hh_l0.copy_(weight)
    layer.bias_hh_l0.copy_(bias)
    layer.bias_ih_l0.zero_()
    tangents = torch.eye(size, dtype=weight.dtype).repeat(len(states), 1, 1)
    growth = torch.zeros_like(states)
    nothing = states.new_zeros(len(states), 1, 1)
    for _ in range(steps):
        _, following = layer(nothing, states[None])
        states = following[0]
        jacobian = torch.diag_embed(1 - states.square()) @ weight
        tangents, triangle = torch.linalg.qr(jacobian @ tangents)
        signs = torch.sign(triangle.diagonal(dim1=-2, dim2=-1))
        tangents = tangents @ torch.diag_embed(signs)
        growth += (torch.diag_embed(signs) @ triangle).diagonal(dim1=-2, dim2=-1).log()
    return growth / steps
