"""The largest Lyapunov exponent of the model's free run."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.diagnostics.base import DiagnosticSpec, starting_states
from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.trainers.base import TrainingStep


class LargestExponent(DiagnosticSpec):
    """Largest Lyapunov exponent, mean over free runs from training data; gradients explode if it is positive.

    Source:
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, equation 4.
    """

    kind: Literal["largest_exponent"] = "largest_exponent"
    unit: ClassVar[str] = "1 / system time"
    every: int = Field(1_000, ge=1)  # [updates]
    context: int = Field(200, ge=1)  # history before each, at most half a training orbit [steps]
    conditions: int = Field(10, ge=1)  # free runs
    steps: int = Field(500, ge=1)  # steps of each free run [steps]
    transient: int = Field(100, ge=0)  # steps dropped before these [steps]

    @torch.no_grad()
    @override
    def measure(self, step: TrainingStep) -> Tensor:
        start = starting_states(step, self.conditions, context=self.context)
        spectra = lyapunov_spectrum(
            step.model, start, steps=self.steps, transient=self.transient, exponents=1, dt=step.data.dt
        )
        return spectra[..., 0].mean(dim=-1)
