"""Gradient flossing: Lyapunov exponents pushed where gradients neither explode nor vanish."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import DataError
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.source import Source
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.base import GradientTrainer, squared_error
from chaosbench.trainers.descent import OptimizerKind
from chaosbench.trainers.forcing import sequential_unroll
from chaosbench.trainers.training_state import TrainingState


class GradientFlossing(GradientTrainer):
    """Backpropagation through time, before and between whose updates the mean of (lambda_i - lambda*_i)² is descended.

    The leading exponents lambda_i [1 / step] are those of free runs of `sequence_length` steps from the first
    observations of `conditions` windows, by a QR decomposition after every step that gradients pass through.
    lambda* = 0 is flossing as published; `"system"` takes the data's own spectrum in its place, which is ours. Before
    training come `pretraining` updates of flossing; then, `episodes` times, `episode` more after `every` of training.

    Source:
        Engelken 2023, NeurIPS (2312.17306), with its AdamW, clipping, and lengths in updates for epochs. One optimizer
        serves both losses.
    """

    kind: Literal["gradient_flossing"] = "gradient_flossing"
    target: float | Literal["system"] = 0.0  # lambda* [1 / step], or the spectrum of the data
    exponents: int | None = Field(None, ge=1)  # how many, leading ones first; None: as many as observables
    conditions: int = Field(1, ge=1)  # free runs whose exponents are averaged
    pretraining: int = Field(500, ge=0)  # [updates]
    every: int = Field(100, ge=0)  # [updates]
    episode: int = Field(500, ge=0)  # [updates]
    episodes: int = Field(2, ge=0)
    optimizer: OptimizerKind = "adamw"
    clip_norm: float | None = Field(0.03, gt=0)  # largest gradient norm of a seed; None: not clipped

    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """lambda* of each exponent [1 / step]."""
        count = min(self.exponents or model.dimension, model.state_size)
        if self.target != "system":
            return {"target": data.train.new_full((count,), self.target)}
        if reason := self._unknown_spectrum(data.system, count):
            raise DataError(reason)
        assert data.equation is not None
        assert data.equation.reference is not None
        return {"target": data.train.new_tensor(data.equation.reference.exponents[:count]) * data.dt}

    def flosses(self, update: int) -> bool:
        """Whether this update is of flossing rather than of training."""
        if update <= self.pretraining:
            return True
        cycle = self.every + self.episode
        done = update - self.pretraining - 1
        return done < self.episodes * cycle and done % cycle >= self.every

    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Of this update's kind: distance from the target, or mean squared error of the free run."""
        if not self.flosses(training.update):
            return squared_error(sequential_unroll(model, windows, windows.shape[2] - 1), windows[:, :, 1:])
        target = training.extra_state["target"]
        start = model.initial_state(windows[:, : self.conditions, 0]).detach()
        exponents = differentiable_exponents(model, start, steps=self.sequence_length, exponents=len(target))
        return (exponents.mean(dim=1) - target).square().mean(dim=1)

    def check(self, data: Dataset) -> None:
        """The data's spectrum must be known as far as it is the target."""
        super().check(data)
        if reason := self._unknown_spectrum(data.system, self.exponents or data.dimension):
            raise DataError(reason)

    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """The data's spectrum must be known as far as it is the target."""
        seen = (system.dimension if data.observed is None else len(data.observed)) * data.embedding
        return self._unknown_spectrum(system, self.exponents or seen) or super().incompatibility(system, data, model)

    def _unknown_spectrum(self, system: Source, count: int) -> str | None:
        if self.target != "system":
            return None
        if not isinstance(system, SystemSpec):
            return f"{system.label} has no equation: its spectrum is not known and cannot be the target of flossing"
        known = 0 if system.reference is None else len(system.reference.exponents)
        if known < count:
            return f"{known} exponents of {system.label} are known, not {count}; lower exponents, or certify the system"
        return None


def differentiable_exponents(model: Forecaster, states: Tensor, *, steps: int, exponents: int) -> Tensor:
    """Finite-time Lyapunov exponents that gradients pass through, `(K, B, S) -> (K, B, exponents)` [1 / step].

    Source:
        Engelken 2023, NeurIPS (2312.17306), algorithm 1.
    """
    size = states.shape[-1]
    random = torch.randn(size, exponents, generator=seed_generator(0, "tangents"), dtype=torch.float64)
    tangents = torch.linalg.qr(random).Q.to(states).expand(*states.shape, exponents).contiguous()
    growth = []
    for _ in range(steps):
        states, tangents = model.tangent_step(states, tangents)
        tangents, triangle = torch.linalg.qr(tangents)
        diagonal = triangle.diagonal(dim1=-2, dim2=-1).abs()
        growth.append(diagonal.clamp(min=torch.finfo(diagonal.dtype).tiny).log())
    return torch.stack(growth).mean(dim=0)
