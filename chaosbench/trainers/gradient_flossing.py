"""Gradient flossing: Lyapunov exponents are pushed to values at which gradients neither explode nor vanish."""

from collections.abc import Hashable
from math import ceil
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import DataError
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.source import Source
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.base import observed_dimension, squared_error
from chaosbench.trainers.descent import OptimizerKind
from chaosbench.trainers.forcing import free_unroll
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer
from chaosbench.trainers.jacobians import jacobians
from chaosbench.trainers.training_state import TrainingState


class GradientFlossing(GradientTrainer):
    """Backpropagation through time, with updates before and between that minimise the mean of (lambda_i - lambda*_i)².

    The leading exponents lambda_i [1 / step] are those of free runs of `horizon` steps from the first observations of
    `conditions` windows, with a QR decomposition after every step; gradients pass through it. Growth does not count in
    the first transient + ceil(alignment horizon) steps, in which the tangents align. The paper sets lambda* = 0;
    `"system"` sets it to the spectrum of the data, which is ours. `pretraining` updates of flossing come first; then,
    `episodes` times, `every` updates of training and `episode` of flossing.

    Source:
        Engelken 2023, NeurIPS (2312.17306), and its code, which flosses 75 of 80 exponents. What differs: its network
        is driven by the input of the task, and starts from a random state after 100 steps; its flossing has an
        optimiser of its own without clipping, and leaves the read-out as it is. Here one optimiser serves both losses,
        and the read-out takes part where forcing or a closed loop uses it. Lengths in epochs are updates.
    """

    kind: Literal["gradient_flossing"] = "gradient_flossing"
    target: float | Literal["system"] = 0.0  # lambda* [1 / step], or the spectrum of the data
    exponents: int | None = Field(None, ge=1)  # number of leading exponents; None: a share, or all observables'
    exponent_share: float = Field(0.9375, gt=0, le=1)  # of the state's size; with "system", as many as observables
    horizon: int = Field(55, ge=1)  # of the runs whose exponents are moved [steps]
    transient: int = Field(10, ge=0)  # in which growth does not count [steps]
    alignment: float = Field(0.1, ge=0, lt=1)  # further share of the horizon in which growth does not count
    conditions: int = Field(1, ge=1)  # free runs over which exponents are averaged
    pretraining: int = Field(500, ge=0)  # of flossing, before any training [updates]
    every: int = Field(100, ge=0)  # of training, in each episode [updates]
    episode: int = Field(500, ge=0)  # of flossing, in each episode [updates]
    episodes: int = Field(2, ge=0)  # rounds of training and flossing after the pretraining
    optimizer: OptimizerKind = "adamw"
    weight_decay: float = Field(0.0, ge=0)  # of "adamw"
    clip_norm: float | None = Field(0.03, gt=0)  # largest gradient norm of a seed; None: not clipped

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @override
    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """Return lambda* for each exponent [1 / step]."""
        count = min(self.number_of_exponents(model), _rank(model, data))
        if self.target != "system":
            return {"target": data.train.new_full((count,), self.target)}
        if reason := self._missing_exponents(data.system, count):
            raise DataError(reason)
        assert data.equation is not None
        assert data.equation.reference is not None
        return {"target": data.train.new_tensor(data.equation.reference.exponents[:count]) * data.dt}

    def number_of_exponents(self, model: Forecaster) -> int:
        """Return how many exponents are moved, if as many are finite."""
        if self.exponents is not None:
            return min(self.exponents, model.state_size)
        if self.target == "system":
            return min(model.dimension, model.state_size)
        return max(1, round(self.exponent_share * model.state_size))

    def flosses(self, update: int) -> bool:
        """Return True if this update is one of flossing, False if it is one of training."""
        if update <= self.pretraining:
            return True
        cycle = self.every + self.episode
        done = update - self.pretraining - 1
        return done < self.episodes * cycle and done % cycle >= self.every

    @override
    def plan(self, training: TrainingState) -> Hashable:
        return super().plan(training), self.flosses(training.update)

    @override
    def not_replayed(self, training: TrainingState) -> str | None:
        if self.flosses(training.update):
            return "updates of flossing wait for QR decompositions"
        return super().not_replayed(training)

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Return the distance from the target spectrum, or in updates of training the error of the free run."""
        if not training.fixed(lambda: self.flosses(training.update)):
            return squared_error(free_unroll(model, windows, warm_up=self.warm_up), self.split(windows)[1])
        target = training.extra_state["target"]
        start = model.initial_state(self.split(windows)[0][:, : self.conditions]).detach()
        exponents = differentiable_exponents(
            model, start, steps=self.horizon - self._skipped, exponents=len(target), transient=self._skipped
        )
        return (exponents.mean(dim=1) - target).square().mean(dim=1)

    @override
    def check(self, data: Dataset) -> None:
        super().check(data)
        if reason := self._missing_exponents(data.system, self.exponents or data.dimension):
            raise DataError(reason)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        reason = self._missing_exponents(system, self.exponents or observed_dimension(system, data))
        return reason or super().incompatibility(system, data, model)

    @property
    def _skipped(self) -> int:
        """Steps in which growth does not count [steps]."""
        return self.transient + ceil(self.alignment * self.horizon)

    @model_validator(mode="after")
    def _some_growth_counts(self) -> Self:
        if self._skipped >= self.horizon:
            raise ValueError(
                f"horizon = {self.horizon} must exceed transient + ceil(alignment horizon) = {self._skipped}, after "
                "which growth counts; raise it"
            )
        return self

    def _missing_exponents(self, system: Source, count: int) -> str | None:
        """Return why the spectrum of the data cannot be the target; None if it can, or is not."""
        if self.target != "system":
            return None
        if not isinstance(system, SystemSpec):
            return f"{system.label} has no equation: its spectrum is unknown and cannot be the target"
        available = 0 if system.reference is None else len(system.reference.exponents)
        if available < count:
            return (
                f"{available} exponents of {system.label} are known, but {count} are needed; lower exponents, or "
                "certify the system"
            )
        return None


def differentiable_exponents(
    model: Forecaster, states: Tensor, *, steps: int, exponents: int, transient: int = 0
) -> Tensor:
    """Compute finite-time Lyapunov exponents that gradients pass through, `(K, B, S) -> (K, B, exponents)` [1 / step].

    Args:
        steps: steps over which growth is averaged [steps].
        transient: preceding steps of states and tangents, in which the tangents align [steps].

    Source:
        Engelken 2023, NeurIPS (2312.17306), algorithm 1.
    """
    size = states.shape[-1]
    random = torch.randn(size, exponents, generator=seed_generator(0, "tangents"), dtype=torch.float64)
    tangents = torch.linalg.qr(random).Q.to(states).expand(*states.shape, exponents).contiguous()
    growth = []
    for _ in range(transient + steps):
        states, tangents = model.tangent_step(states, tangents)
        tangents, triangle = torch.linalg.qr(tangents)
        diagonal = triangle.diagonal(dim1=-2, dim2=-1).abs()
        growth.append(diagonal.clamp(min=torch.finfo(diagonal.dtype).tiny).log())
    return torch.stack(growth[transient:]).mean(dim=0)


@torch.no_grad()
def _rank(model: Forecaster, data: Dataset) -> int:
    """Return the rank of the Jacobian at the first observation, hence how many exponents are finite.

    It is less than the size of the state if a closed loop keeps a function of its hidden state in the state. QR
    decompositions of more tangents have no derivative. Seeds that blew up do not count.
    """
    observation = data.train[0, :1].expand(model.seeds, 1, -1)
    matrices = jacobians(model, observation)
    return max(1, int(torch.linalg.matrix_rank(matrices.nan_to_num(0.0, 0.0, 0.0)).max()))
