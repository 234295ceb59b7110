"""The base class of metrics, and the evaluation that they score."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from torch import Tensor

from chaosbench.spec import Spec


@dataclass(frozen=True)
class Evaluation:
    """Free runs, forecasts and exponents of trained models beside the truth, in the standardised units of training.

    Attributes:
        free_run: `(K, R, T, D)`, R free runs per seed without their transient; NaN from the step at which one blew up.
        truth: `(R, T, D)`, true orbits from the same initial conditions.
        twin: `(R, T, D)`, other true orbits of the same length; their score is the noise floor.
        forecast: `(K, C, H, D)`, short forecasts from C test conditions; index 0 is one step past the condition.
        future: `(C, H, D)`, the true continuation of each condition.
        twins: `(C, H, D)`, orbits of the true system from the same conditions, perturbed by their observational
            uncertainty; None for recorded series.
        scale: `(D,)`, standard deviation of the training data in these units.
        dt: [system time] per step.
        exponents: `(K, M)`, Lyapunov exponents of the models' free runs, sorted [1 / system time]; NaN where diverged.
        twin_exponents: `(M,)`, the system's own, over as many steps and conditions [1 / system time]; NaN for recorded
            series.
        largest_exponent: the system's certified largest exponent [1 / system time]; None where there is none.
        reference_exponents: `(M',)`, the system's certified exponents, descending [1 / system time]; None where there
            are none.
        resolution: smallest exponent that differs from zero in runs of this length [1 / system time].
    """

    free_run: Tensor
    truth: Tensor
    twin: Tensor
    forecast: Tensor
    future: Tensor
    twins: Tensor | None
    scale: Tensor
    dt: float
    exponents: Tensor
    twin_exponents: Tensor
    largest_exponent: float | None
    reference_exponents: Tensor | None = None
    resolution: float = 0.0

    def floor(self) -> Self:
        """Return the evaluation of other true orbits in place of the model's, whose score is the noise floor."""
        unrelated = self.future.roll(max(1, self.future.shape[0] // 2), dims=0)
        return replace(self, free_run=self.twin[None], forecast=unrelated[None], exponents=self.twin_exponents[None])

    def pooled(self) -> tuple[Tensor, Tensor]:
        """Return the free runs of each seed joined, `(K, R T, D)`, and the truth, `(R T, D)` [standard deviations]."""
        return self.free_run.flatten(1, 2) / self.scale, self.truth.flatten(0, 1) / self.scale


class MetricSpec(Spec, ABC):
    """A metric: a score of each seed of an evaluation."""

    unit: ClassVar[str]  # "nats", "Lyapunov times", "1" for a pure number
    better: ClassVar[Literal["lower", "higher"]]

    @property
    def least_horizon(self) -> int:
        """The least length of short forecasts [steps]."""
        return 1

    @property
    def least_free_run(self) -> int:
        """The least length of free runs [steps]."""
        return 1

    @abstractmethod
    def score(self, evaluation: Evaluation) -> Tensor:
        """Return a number per seed, `(K,)`; NaN where the seed's runs diverged."""
