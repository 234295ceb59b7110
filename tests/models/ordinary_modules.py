"""Networks as people write them: one seed, states in rows, whatever torch offers inside."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

CONTEXT = 4  # observations in the state of the networks that see a history


class Residual(nn.Module):
    """x' = x + f(x): every network whose state is the observation itself."""

    resets = True

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def step(self, state: Tensor) -> Tensor:
        return state + 0.1 * self.inside(state)

    def observe(self, state: Tensor) -> Tensor:
        return state

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        return observation

    def initial_state(self, history: Tensor) -> Tensor:
        return history[:, -1]


class Recurrent(nn.Module):
    """A recurrent network that reads its own forecast: the state is (x, h, c) or (x, h)."""

    def __init__(self, cell: nn.Module, dimension: int, hidden: int, parts: int) -> None:
        super().__init__()
        self.cell, self.dimension, self.hidden, self.parts = cell, dimension, hidden, parts
        self.read = nn.Linear(hidden, dimension)
        self.state_size = dimension + parts * hidden

    def step(self, state: Tensor) -> Tensor:
        observation, *memory = state.split([self.dimension] + self.parts * [self.hidden], dim=-1)
        memory = self.remember(observation, memory)
        return torch.cat([observation + 0.1 * self.read(memory[0]), *memory], dim=-1)

    def remember(self, observation: Tensor, memory: list[Tensor]) -> list[Tensor]:
        """Call a cell, or a layer on a sequence of one."""
        if isinstance(self.cell, nn.RNNBase):
            layers = [part[None] for part in memory]
            _, after = self.cell(observation[:, None], tuple(layers) if self.parts == 2 else layers[0])
            return [part[0] for part in (after if self.parts == 2 else (after,))]
        after = self.cell(observation, tuple(memory) if self.parts == 2 else memory[0])
        return list(after) if self.parts == 2 else [after]

    def observe(self, state: Tensor) -> Tensor:
        return state[..., : self.dimension]

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        return torch.cat([observation, state[..., self.dimension :]], dim=-1)


class Delayed(nn.Module):
    """A network on the last observations, which are its state; the newest comes last."""

    def __init__(self, inside: nn.Module, dimension: int) -> None:
        super().__init__()
        self.inside, self.dimension = inside, dimension
        self.state_size = CONTEXT * dimension

    def step(self, state: Tensor) -> Tensor:
        history = state.unflatten(-1, (CONTEXT, self.dimension))
        newest = history[..., -1:, :] + 0.1 * self.inside(history)[..., None, :]
        return torch.cat([history[..., 1:, :], newest], dim=-2).flatten(-2)

    def observe(self, state: Tensor) -> Tensor:
        return state[..., -self.dimension :]

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        return torch.cat([state[..., : -self.dimension], observation], dim=-1)


class Convolution(nn.Module):
    """A convolution over the delays."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(dimension, 8, kernel_size=3)
        self.read = nn.Linear(8 * (CONTEXT - 2), dimension)

    def forward(self, history: Tensor) -> Tensor:
        return self.read(torch.relu(self.convolution(history.transpose(-1, -2))).flatten(-2))


class Attention(nn.Module):
    """Attention of the newest observation to all."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.write = nn.Linear(dimension, 8)
        self.attention = nn.MultiheadAttention(8, num_heads=2, batch_first=True)
        self.read = nn.Linear(8, dimension)

    def forward(self, history: Tensor) -> Tensor:
        written = self.write(history)
        attended, _ = self.attention(written[:, -1:], written, written, need_weights=False)
        return self.read(attended[:, 0])


class Transformer(nn.Module):
    """A block of a transformer on the delays."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.write = nn.Linear(dimension, 8)
        self.block = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, dropout=0.0, batch_first=True)
        self.read = nn.Linear(8, dimension)

    def forward(self, history: Tensor) -> Tensor:
        return self.read(self.block(self.write(history))[:, -1])


class Whitened(nn.Module):
    """A buffer that is no parameter: inputs are divided by scales that stay as they are."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.linspace(0.5, 2.0, dimension))
        self.inside = nn.Linear(dimension, dimension)

    def forward(self, state: Tensor) -> Tensor:
        return torch.tanh(self.inside(state / self.scale))


class Shared(nn.Module):
    """One layer used twice under two names."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.first = nn.Linear(dimension, dimension)
        self.second = self.first

    def forward(self, state: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(state)))


def perceptron(dimension: int, *between: nn.Module) -> nn.Sequential:
    """Return two layers with something between them."""
    return nn.Sequential(nn.Linear(dimension, 12), *between, nn.Linear(12, dimension))


MODULES = {
    "perceptron": lambda dimension: Residual(perceptron(dimension, nn.GELU())),
    "lstm cell": lambda dimension: Recurrent(nn.LSTMCell(dimension, 6), dimension, 6, 2),
    "gru cell": lambda dimension: Recurrent(nn.GRUCell(dimension, 6), dimension, 6, 1),
    "rnn cell": lambda dimension: Recurrent(nn.RNNCell(dimension, 6), dimension, 6, 1),
    "lstm": lambda dimension: Recurrent(nn.LSTM(dimension, 6, batch_first=True), dimension, 6, 2),
    "gru": lambda dimension: Recurrent(nn.GRU(dimension, 6, batch_first=True), dimension, 6, 1),
    "dropout": lambda dimension: Residual(perceptron(dimension, nn.Tanh(), nn.Dropout(0.2))),
    "layer norm": lambda dimension: Residual(perceptron(dimension, nn.LayerNorm(12), nn.Tanh())),
    "convolution": lambda dimension: Delayed(Convolution(dimension), dimension),
    "attention": lambda dimension: Delayed(Attention(dimension), dimension),
    "transformer": lambda dimension: Delayed(Transformer(dimension), dimension),
    "buffer": lambda dimension: Residual(Whitened(dimension)),
    "shared weights": lambda dimension: Residual(Shared(dimension)),
    "spectral norm": lambda dimension: Residual(
        nn.Sequential(parametrizations.spectral_norm(nn.Linear(dimension, 12)), nn.Tanh(), nn.Linear(12, dimension))
    ),
    "compiled": lambda dimension: Residual(torch.compile(perceptron(dimension, nn.Tanh()))),
}
