"""A system, a model and a trainer for chaosbench. Replace the parts marked TODO and delete what you do not need."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from chaosbench import Flow, Forecaster, GradientTrainer, ModelSpec, hookimpl
from chaosbench.trainers import TrainingState

# Shapes: K seeds, B batch, T time, D observables, S entries of the state; `...` is any leading axes.
# Every class below is a spec: a frozen pydantic model. `kind` is its name in suites. Each setting is a field with a
# default and its unit. Facts that users cannot set are ClassVar.


class TemplateSystem(Flow):  # TODO: use Map for a discrete map, and define step(state) instead of vector_field(state)
    """x' = y z, y' = x² - y, z' = 1 - a x.

    Source:
        Sprott 1994, Physical Review E 50, R647, case E.
    """

    dimension: ClassVar[int] = 3  # D
    start: ClassVar[tuple[float, ...] | None] = (0.5, 0.5, 0.0)  # a point from which orbits reach the attractor
    kind: Literal["template_system"] = "template_system"
    a: float = 4.0
    dt: float = 0.05  # [system time] per step of the data

    def vector_field(self, state: Tensor) -> Tensor:
        """Return dx/dt, `(..., 3) -> (..., 3)`; chaosbench integrates it, and differentiates it for exponents."""
        x, y, z = state.unbind(-1)
        return torch.stack([y * z, x.square() - y, 1 - self.a * x], dim=-1)


class TemplateModel(ModelSpec):
    """x' = x + W2 tanh(W1 x + b1) + b2; the state is the observation.

    Source:
        TODO: the publication.
    """

    kind: Literal["template_model"] = "template_model"
    hidden: int = Field(50, ge=1)  # units

    def module(self, dimension: int) -> nn.Module:
        """Return a plain module of one seed; chaosbench sets torch's seed before and stacks the seeds afterwards."""
        return ResidualNetwork(dimension, self.hidden)


class ResidualNetwork(nn.Module):
    """One seed of `TemplateModel`. Its methods run under torch.vmap: no `.item()`, no branches on values."""

    resets = True  # force() ignores the state it replaces, so trainers may treat forced segments as independent

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.state_size = dimension  # S
        self.change = nn.Sequential(nn.Linear(dimension, hidden), nn.Tanh(), nn.Linear(hidden, dimension))

    def step(self, state: Tensor) -> Tensor:
        """Advance the free-running model by one step, `(B, S) -> (B, S)`."""
        return state + self.change(state)

    def observe(self, state: Tensor) -> Tensor:
        """Read the observables out of the state, `(B, S) -> (B, D)`."""
        return state

    def force(self, state: Tensor, observation: Tensor) -> Tensor:
        """Return a state that shows the observation, `(B, S), (B, D) -> (B, S)`."""
        return observation


class TemplateTrainer(GradientTrainer):
    """Minimise the squared error of free runs, in which the error after n steps has the weight discount^n.

    Source:
        TODO: the publication.
    """

    kind: Literal["template_trainer"] = "template_trainer"
    sequence_length: int = Field(20, ge=1)  # T, steps per window; inherited fields may get new defaults
    discount: float = Field(0.9, gt=0, le=1)

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Return one loss per seed, `(K, B, W + T + 1, D) -> (K,)`; chaosbench differentiates, clips and steps.

        Seeds must not mix: reduce over all axes but the first.
        """
        history, future = self.split(windows)  # W + 1 observations that set the state, and T to predict
        predicted, _ = model.predict(model.initial_state(history), future.shape[2])  # (K, B, T, D)
        error = (predicted - future).square().mean(dim=(1, 3))  # (K, T)
        weights = self.discount ** torch.arange(error.shape[1], device=error.device)
        return (weights * error).mean(dim=1)


# chaosbench calls these hooks. They return classes, not instances.


@hookimpl
def chaosbench_systems() -> list[type[TemplateSystem]]:
    """Return the systems of this plug-in."""
    return [TemplateSystem]


@hookimpl
def chaosbench_models() -> list[type[TemplateModel]]:
    """Return the models of this plug-in."""
    return [TemplateModel]


@hookimpl
def chaosbench_trainers() -> list[type[TemplateTrainer]]:
    """Return the trainers of this plug-in."""
    return [TemplateTrainer]
