"""Generalised teacher forcing: the state is blended with the forced state at every step."""

from collections.abc import Hashable
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.data import Dataset, DataSpec
from chaosbench.models.base import ModelSpec
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.piecewise_linear import PiecewiseLinearNetwork
from chaosbench.source import Source
from chaosbench.trainers.descent import OptimizerKind
from chaosbench.trainers.forcing import blended_error
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer, build_single
from chaosbench.trainers.jacobians import Estimator, jacobian_size
from chaosbench.trainers.training_state import TrainingState

Share = Annotated[float, Field(ge=0, le=1)]


class GeneralizedTeacherForcing(GradientTrainer):
    """z_(t+1) = F((1 - alpha) z_t + alpha force(z_t, x_t)): the state is pulled towards the data at every step.

    If forcing sets the whole state, each step multiplies gradients by (1 - alpha) J. If it sets a part of the state,
    the factor 1 - alpha acts on this part alone, and gradients through the rest of the state are not reduced. alpha = 0
    is backpropagation through time, alpha = 1 forces at every step. With `"adaptive"`, the size N of the Jacobians at
    the forced states of the batch is estimated every `every` updates; alpha* = max(0, 1 - 1 / N) stops the growth of
    their products. A larger alpha* is adopted at once, a smaller one is approached by alpha <- g alpha + (1 - g)
    alpha*. Training starts with alpha = 1.

    The published g = 0.999 belongs to a training of 250,000 updates; after 12,000 updates it would leave 9 % of the
    first alpha. Hence g = momentum^(momentum_updates / updates): alpha falls over the same share of every training, and
    at its end as far as in the published one.

    Source:
        Hess, Monfared, Brenner and Durstewitz 2023, ICML (2306.04406), section 3.3; defaults of its code for Lorenz-63.
        The scaling of g with the number of updates is ours.
    """

    kind: Literal["generalized_teacher_forcing"] = "generalized_teacher_forcing"
    alpha: Share | Literal["adaptive"] = "adaptive"  # weight of the forced state
    final_alpha: Share | None = None  # reached linearly from alpha; None: constant
    estimator: Estimator = "product_upper_bound"  # of N, if alpha is adaptive
    momentum: float = Field(0.999, ge=0, lt=1)  # of an adaptive alpha that decreases, in `momentum_updates` updates
    momentum_updates: int | None = Field(250_000, ge=1)  # training that momentum is meant for; None: any, g = momentum
    every: int = Field(5, ge=1)  # [updates] between two estimates
    updates: int = Field(250_000, ge=1)  # 5,000 epochs of 50 batches
    batch: int = Field(16, ge=1)  # B, windows per update
    optimizer: OptimizerKind = "radam"
    final_learning_rate: float | None = Field(1e-6, gt=0)  # reached by the schedule; None: constant

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES if self.alpha == "adaptive" else RATES | {"alpha", "final_alpha"}

    @override
    def extra_state(self, model: Forecaster, data: Dataset) -> dict[str, Tensor]:
        """Return each seed's alpha, `(K,)`."""
        start = 1.0 if self.alpha == "adaptive" else self.alpha
        return {"alpha": data.train.new_full((model.seeds,), start)}

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        training.extra_state["alpha"] = self.next_alpha(model, windows, training)
        weights = training.extra_state["alpha"][:, None, None].expand(-1, 1, windows.shape[2] - self.warm_up - 2)
        return blended_error(model, windows, weights, warm_up=self.warm_up)

    @torch.no_grad()
    def next_alpha(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        """Return each seed's alpha for this update, `(K,)`."""
        alpha = training.extra_state["alpha"]
        if training.differ("alpha", "final_alpha"):
            return training.numbers(lambda one: one.alpha_at(training.progress))
        if self.alpha != "adaptive":
            anneals = self.final_alpha is not None
            return training.number(lambda: self.alpha_at(training.progress if anneals else 0.0)).expand_as(alpha)
        if not training.fixed(lambda: self._estimates(training)):
            return alpha
        target = (1 - 1 / jacobian_size(model, windows[:, :, self.warm_up :], self.estimator)).clamp(min=0)
        kept = self.momentum if self.momentum_updates is None else self._scaled_momentum(training.updates)
        return torch.where(target > alpha, target, kept * alpha + (1 - kept) * target)

    def alpha_at(self, progress: float) -> float:
        """Return an alpha given as a number, after the share `progress` of the updates."""
        assert self.alpha != "adaptive"
        final = self.alpha if self.final_alpha is None else self.final_alpha
        return self.alpha + (final - self.alpha) * progress

    @override
    def plan(self, training: TrainingState) -> Hashable:
        return super().plan(training), self._estimates(training)

    @override
    def not_replayed(self, training: TrainingState) -> str | None:
        if self._estimates(training):
            return "estimates of the size of Jacobians, in some updates, wait for eigenvalues"
        return super().not_replayed(training)

    def _estimates(self, training: TrainingState) -> bool:
        """Return whether this update estimates alpha."""
        return self.alpha == "adaptive" and (training.update - 1) % self.every == 0

    @property
    def scaled_momentum(self) -> float:
        """Share g of a decreasing alpha that one estimate keeps in a training of `updates` updates."""
        return self.momentum if self.momentum_updates is None else self._scaled_momentum(self.updates)

    def _scaled_momentum(self, updates: int) -> float:
        assert self.momentum_updates is not None
        return float(self.momentum ** (self.momentum_updates / updates))

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        return ForcingScheme(self.sequence_length, alpha=training.extra_state["alpha"], warm_up=self.warm_up)

    @override
    def incompatibility(self, system: Source, data: DataSpec, model: ModelSpec) -> str | None:
        """Check also that the model has the coefficients which `jacobian_upper_bound` needs."""
        bounded = self.alpha == "adaptive" and self.estimator == "jacobian_upper_bound"
        if bounded and not isinstance(build_single(model, system, data), PiecewiseLinearNetwork):
            return f"jacobian_upper_bound is defined for the PLRNN family alone, and {model.label} is not one of it"
        return super().incompatibility(system, data, model)

    @model_validator(mode="after")
    def _only_a_number_is_annealed(self) -> Self:
        if self.alpha == "adaptive" and self.final_alpha is not None:
            raise ValueError("final_alpha is the end of an alpha given as a number; an adaptive alpha has none")
        return self
