"""The contract of a metric: an evaluation in, one score per seed out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from torch import Tensor

from chaosbench.spec import Spec


@dataclass(frozen=True)
class Evaluation:
    """What a finished forecast is judged by; all states in the standardised units of training.

    Attributes:
        free_run: `(K, R, T, D)`, R free runs per seed, transient dropped; NaN from where a run blew up.
        truth: `(R, T, D)`, true orbits from the same starts.
        twin: `(R, T, D)`, other true orbits of the same length: what no forecast of the statistics can beat.
        forecast: `(K, C, H, D)`, short forecasts from C test conditions; index 0 is one step past the condition.
        future: `(C, H, D)`, what truly followed.
        twins: `(C, H, D)`, the true system run from the same conditions, perturbed by what cannot be known of them;
            None for measured data.
        scale: `(D,)`, standard deviation of the training data in these units.
        dt: [system time] per step.
        exponents: `(K, M)`, Lyapunov exponents of the models' free runs, sorted [1 / system time]; NaN where diverged.
        twin_exponents: `(M,)`, the system's own over as many steps and conditions [1 / system time]; NaN for measured
            data.
        largest_exponent: the system's certified largest exponent [1 / system time]; None where there is none.
        reference_exponents: `(M',)`, the system's certified exponents, descending [1 / system time]; None where there
            are none.
        resolution: what cannot be told from zero in exponents of runs as long as these [1 / system time].
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
        """The same evaluation of the truth itself: true orbits in place of the model's, each beside another."""
        strangers = self.future.roll(max(1, self.future.shape[0] // 2), dims=0)
        return replace(self, free_run=self.twin[None], forecast=strangers[None], exponents=self.twin_exponents[None])

    def pooled(self) -> tuple[Tensor, Tensor]:
        """All free runs of a seed as one, `(K, R T, D)`, and the true ones, `(R T, D)` [standard deviations]."""
        return self.free_run.flatten(1, 2) / self.scale, self.truth.flatten(0, 1) / self.scale


class MetricSpec(Spec, ABC):
    """A score of a finished forecast."""

    unit: ClassVar[str]  # "nats", "Lyapunov times", "1" for a pure number
    better: ClassVar[Literal["lower", "higher"]]

    @property
    def least_horizon(self) -> int:
        """How long short forecasts must be for it [steps]."""
        return 1

    @property
    def least_free_run(self) -> int:
        """How long free runs must be for it [steps]."""
        return 1

    @abstractmethod
    def score(self, evaluation: Evaluation) -> Tensor:
        """One number per seed, `(K,)`; NaN where the seed's runs diverged."""
