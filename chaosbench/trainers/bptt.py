"""Backpropagation through time."""

from typing import Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.forcing import free_error
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer
from chaosbench.trainers.training_state import TrainingState


class BPTT(GradientTrainer):
    """The model runs freely from the first observation of each window; gradients flow through the whole window.

    The variants that cut the gradient are the trainers `truncated_bptt` and `windowed_bptt`.

    Source:
        Werbos 1990, Proceedings of the IEEE 78, 1550; gradients are clipped to the norm 1, as in the baseline of
        Mikhaeil, Monfared and Durstewitz 2022, NeurIPS, section 4.2, where T = 1000.
    """

    kind: Literal["bptt"] = "bptt"
    clip_norm: float | None = Field(1.0, gt=0)  # largest gradient norm of a seed; None: not clipped

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        return free_error(model, windows, warm_up=self.warm_up)
