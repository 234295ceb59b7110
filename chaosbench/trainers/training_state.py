"""The state of training between two updates, and checkpoints to continue from."""

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
    """Everything besides the model that changes from update to update.

    Attributes:
        data: the training data.
        updates: number of updates in the whole training.
        windows, draws: one generator per seed, for its windows and for all other random numbers of the trainer.
        extra_state: the trainer's own tensors; those that require a gradient are trained with the model.
        optimizer: None if the trainer changes the parameters itself.
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
        """Return the state before the first update, without extra state or optimiser."""
        windows, draws = ([seed_generator(seed, purpose) for seed in seeds] for purpose in ("windows", "training"))
        return cls(data, updates, windows, draws)

    @property
    def progress(self) -> float:
        """Share of the updates already done, from 0 to just below 1."""
        return (self.update - 1) / self.updates

    def uniform(self, *shape: int) -> Tensor:
        """Draw uniform numbers in [0, 1), `(K, *shape)`, each seed's from its own generator."""
        return torch.stack([torch.rand(*shape, generator=draw) for draw in self.draws]).to(self.data.train)

    def normal(self, *shape: int) -> Tensor:
        """Draw standard normal numbers, `(K, *shape)`, each seed's from its own generator."""
        return torch.stack([torch.randn(*shape, generator=draw) for draw in self.draws]).to(self.data.train)


def checkpoint(model: Forecaster, training: TrainingState) -> Checkpoint:
    """Copy model and training, gradients included, into named tensors; call it between backward pass and step."""
    tensors = {"update": torch.tensor(training.update)}
    for name, generators in _generators(training).items():
        tensors[name] = torch.stack([generator.get_state() for generator in generators])
    tensors |= {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"extra_state.{name}": value for name, value in training.extra_state.items()}
    for name, parameter in _trained(model, training).items():
        if parameter.grad is not None:
            tensors[f"gradient.{name}"] = parameter.grad
        if training.optimizer is not None:
            state = training.optimizer.state[parameter]
            tensors |= {f"optimizer.{name}.{key}": value for key, value in state.items()}
    return {name: value.detach().clone() for name, value in tensors.items()}


def restore(model: Forecaster, training: TrainingState, saved: Checkpoint) -> None:
    """Set model and training to a checkpoint of the same trainer, model and seeds."""
    training.update = int(saved["update"])
    for name, generators in _generators(training).items():
        for generator, state in zip(generators, saved[name], strict=True):
            generator.set_state(state.cpu().clone())  # a view would crash torch
    model.load_state_dict(_below("model.", saved))
    for name, value in _below("extra_state.", saved).items():
        if name in training.extra_state and training.extra_state[name].requires_grad:
            training.extra_state[name].data.copy_(value)
        else:
            training.extra_state[name] = value.clone()
    for name, parameter in _trained(model, training).items():
        gradient = saved.get(f"gradient.{name}")
        parameter.grad = None if gradient is None else gradient.clone()
        if training.optimizer is not None:
            state = _below(f"optimizer.{name}.", saved)
            training.optimizer.state[parameter] = {key: value.clone() for key, value in state.items()}


def _generators(training: TrainingState) -> dict[str, list[Generator]]:
    return {"windows": training.windows, "draws": training.draws}


def _trained(model: Forecaster, training: TrainingState) -> dict[str, Tensor]:
    trained: dict[str, Tensor] = {f"model.{name}": value for name, value in model.named_parameters()}
    return trained | {
        f"extra_state.{name}": value for name, value in training.extra_state.items() if value.requires_grad
    }


def _below(prefix: str, saved: Checkpoint) -> Checkpoint:
    """Return the tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in saved.items() if name.startswith(prefix)}
