"""Where a training stands between two updates, and how it is set down to be taken up again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Generator, Tensor
from torch.optim import Optimizer

from chaosbench.data import Dataset
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator

Checkpoint = dict[str, Tensor]


@dataclass
class TrainingState:
    """All that changes from update to update besides the model.

    Attributes:
        data: what is learned from.
        updates: how many are asked for.
        windows, draws: each seed's own generators, of its windows and of whatever else its trainer draws.
        extra_state: what the trainer keeps; tensors that require a gradient are trained beside the model.
        optimizer: None for a trainer that steps by itself.
        update: 1, 2, ..., `updates`; 0 before the first.
    """

    data: Dataset
    updates: int
    windows: list[Generator]
    draws: list[Generator]
    extra_state: dict[str, Tensor] = field(default_factory=dict)
    optimizer: Optimizer | None = None
    update: int = 0

    @classmethod
    def begin(cls, data: Dataset, updates: int, seeds: Sequence[int]) -> Self:
        """Before the first update."""
        windows, draws = ([seed_generator(seed, purpose) for seed in seeds] for purpose in ("windows", "training"))
        return cls(data, updates, windows, draws)

    @property
    def progress(self) -> float:
        """The share of the updates already done, from 0 to just below 1."""
        return (self.update - 1) / self.updates

    def uniform(self, *shape: int) -> Tensor:
        """Numbers in [0, 1), `(K, *shape)`, each seed's from its own generator."""
        return torch.stack([torch.rand(*shape, generator=one) for one in self.draws]).to(self.data.train)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, `(K, *shape)`, each seed's from its own generator."""
        return torch.stack([torch.randn(*shape, generator=one) for one in self.draws]).to(self.data.train)


def checkpoint(model: Forecaster, training: TrainingState) -> Checkpoint:
    """A pause between the backward pass and the step, as named tensors; the gradients belong to it."""
    found = {"update": torch.tensor(training.update)}
    found |= {name: torch.stack([one.get_state() for one in pool]) for name, pool in _generators(training).items()}
    found |= {f"model.{name}": value for name, value in model.state_dict().items()}
    found |= {f"extra_state.{name}": value for name, value in training.extra_state.items()}
    for name, value in _trained(model, training).items():
        if value.grad is not None:
            found[f"gradient.{name}"] = value.grad
        if training.optimizer is not None:
            found |= {f"optimizer.{name}.{key}": kept for key, kept in training.optimizer.state[value].items()}
    return {name: value.detach().clone() for name, value in found.items()}


def restore(model: Forecaster, training: TrainingState, kept: Checkpoint) -> None:
    """Put model and training back into the pause that was set down; they must be of the same trainer and seeds."""
    training.update = int(kept["update"])
    for name, pool in _generators(training).items():
        for one, state in zip(pool, kept[name], strict=True):
            one.set_state(state.cpu().clone())  # a view would crash torch
    model.load_state_dict(_below("model.", kept))
    for name, value in _below("extra_state.", kept).items():
        if name in training.extra_state and training.extra_state[name].requires_grad:
            training.extra_state[name].data.copy_(value)
        else:
            training.extra_state[name] = value.clone()
    for name, value in _trained(model, training).items():
        gradient = kept.get(f"gradient.{name}")
        value.grad = None if gradient is None else gradient.clone()
        if training.optimizer is not None:
            state = _below(f"optimizer.{name}.", kept)
            training.optimizer.state[value] = {key: one.clone() for key, one in state.items()}


def _generators(training: TrainingState) -> dict[str, list[Generator]]:
    return {"windows": training.windows, "draws": training.draws}


def _trained(model: Forecaster, training: TrainingState) -> dict[str, Tensor]:
    trained: dict[str, Tensor] = {f"model.{name}": value for name, value in model.named_parameters()}
    return trained | {
        f"extra_state.{name}": value for name, value in training.extra_state.items() if value.requires_grad
    }


def _below(prefix: str, kept: Checkpoint) -> Checkpoint:
    return {name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)}
