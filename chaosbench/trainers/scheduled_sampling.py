"""Scheduled sampling: the state is forced at random steps, more and more rarely."""

from math import exp
from typing import Literal

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.models.forecaster import Forecaster
from chaosbench.trainers.forcing import blended_error
from chaosbench.trainers.forcing_scheme import ForcingScheme
from chaosbench.trainers.gradient_trainer import RATES, GradientTrainer
from chaosbench.trainers.training_state import TrainingState


class ScheduledSampling(GradientTrainer):
    """At every step of every window the state is forced from data with a probability that falls during training.

    After i updates it is p = final + (start - final) s, with s = 1 - i / updates (linear), exp(-i / k) (exponential),
    or k / (k + exp(i / k)) (inverse sigmoid). p = 1 is teacher forcing, p = 0 the closed loop.

    Source:
        Bengio, Vinyals, Jaitly and Shazeer 2015, NeurIPS (1506.03099), section 2.4.
    """

    kind: Literal["scheduled_sampling"] = "scheduled_sampling"
    probability: float = Field(1.0, ge=0, le=1)  # of forcing, at the start
    final_probability: float = Field(0.0, ge=0, le=1)  # of forcing, approached by the decay
    decay: Literal["linear", "exponential", "inverse_sigmoid"] = "linear"
    decay_updates: float = Field(2_000.0, gt=0)  # k [updates]; not used by the linear decay
    clip_norm: float | None = Field(1.0, gt=0)  # largest gradient norm of a seed; None: not clipped

    @override
    def may_differ(self, model: Forecaster | None = None) -> frozenset[str]:
        return RATES

    def probability_at(self, training: TrainingState) -> float:
        """Return this update's probability of forcing a step."""
        done, k = training.update - 1, self.decay_updates
        if self.decay == "linear":
            share = 1 - training.progress
        elif self.decay == "exponential":
            share = exp(-done / k)
        else:
            share = k / (k + exp(min(done / k, 700.0)))  # a larger exponent would overflow
        return self.final_probability + (self.probability - self.final_probability) * share

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        draws = training.uniform(windows.shape[1], windows.shape[2] - self.warm_up - 2)
        forced = (draws < training.number(lambda: self.probability_at(training))).to(windows)
        return blended_error(model, windows, forced, warm_up=self.warm_up)

    @override
    def forcing_scheme(self, training: TrainingState) -> ForcingScheme:
        probability = self.probability_at(training)
        return ForcingScheme(self.sequence_length, probability=probability, warm_up=self.warm_up)
