"""The rate of gradient growth while a model trains."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.diagnostics.base import DiagnosticSpec, starting_states
from chaosbench.dynamics import jacobian_growth, log_spaced
from chaosbench.theory.growth import growth_rate, tangents_followed
from chaosbench.trainers.base import TrainingStep


class GradientGrowth(DiagnosticSpec):
    """Growth rate gamma of ||dz_T/dz_0|| in free runs from training data; by theory the largest Lyapunov exponent.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, Theorems 1 to 3.
    """

    kind: Literal["gradient_growth"] = "gradient_growth"
    unit: ClassVar[str] = "1 / system time"
    every: int = Field(1_000, ge=1)  # [updates]
    context: int = Field(200, ge=1)  # history before each, at most half a training orbit [steps]
    conditions: int = Field(4, ge=1)  # free runs
    horizon: int = Field(512, ge=4)  # longest horizon [steps]

    @torch.no_grad()
    @override
    def measure(self, step: TrainingStep) -> Tensor:
        start, horizons = starting_states(step, self.conditions, context=self.context), log_spaced(self.horizon)
        directions = tangents_followed(step.model.state_size)
        growth = jacobian_growth(step.model, start, steps=self.horizon, horizons=horizons, directions=directions)
        return growth_rate(horizons, growth).slope / step.data.dt
