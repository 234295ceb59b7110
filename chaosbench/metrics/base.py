"""The base class of metrics, and the evaluation that they score."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from chaosbench.formats import percent
from chaosbench.spec import Spec

Judged = Literal["free_run", "forecast", "exponents", ""]

_BOX = 10.0  # [standard deviations] beyond the data, past which a free run has escaped
_COLLAPSED = 0.5  # of the true standard deviation, below which a free run has collapsed


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
        exponents: `(K, M)`, Lyapunov exponents of the models' free runs, sorted [1 / system time]; NaN where too few of
            these runs are bounded.
        twin_exponents: `(M,)`, the system's own, over as many steps and conditions [1 / system time]; NaN for recorded
            series.
        largest_exponent: the system's certified largest exponent [1 / system time]; None where there is none.
        reference_exponents: `(M',)`, the system's certified exponents, descending [1 / system time]; None where there
            are none.
        resolution: smallest exponent that differs from zero in runs of this length [1 / system time].
        unbounded_share: `(K,)`, share of the free runs for exponents that are not bounded; None: none of them.
        condition_orbits: `(C,)`, index of the test orbit on which each condition lies; None: unknown.
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
    unbounded_share: Tensor | None = None
    condition_orbits: Tensor | None = None

    def floor(self) -> Self:
        """Return the evaluation of other true orbits in place of the model's, whose score is the noise floor."""
        unrelated = self.future.roll(max(1, self.future.shape[0] // 2), dims=0)
        return replace(
            self,
            free_run=self.twin[None],
            forecast=unrelated[None],
            exponents=self.twin_exponents[None],
            unbounded_share=None,
        )

    def copied(self) -> Self:
        """Return a copy whose tensors may be changed."""
        copies: dict[str, Any] = {name: values.clone() for name, values in self._tensors().items()}
        return replace(self, **copies)

    def differences(self, other: "Evaluation") -> list[str]:
        """Return the names of the tensors that are not those of another evaluation, bit by bit."""
        return [
            name
            for name, values in self._tensors().items()
            if not torch.equal(values.view(torch.uint8), getattr(other, name).view(torch.uint8))
        ]

    def _tensors(self) -> dict[str, Tensor]:
        return {
            one.name: values.contiguous()
            for one in fields(self)
            if isinstance(values := getattr(self, one.name), Tensor) and values.ndim
        }

    def standardised(self) -> Self:
        """Return the evaluation with free runs and true orbits in standard deviations of the training data."""
        runs = {name: getattr(self, name) / self.scale for name in ("free_run", "truth", "twin")}
        return replace(self, **runs, scale=torch.ones_like(self.scale))

    def each_run(self, score: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return the score of every free run beside the true orbit from its own condition, `(K, R)`.

        Args:
            score: of generated series `(K, T, D)` and a true orbit `(T, D)`, `(K,)`.
        """
        return torch.stack([score(self.free_run[:, run], orbit) for run, orbit in enumerate(self.truth)], dim=1)

    def pooled(self) -> tuple[Tensor, Tensor]:
        """Return the free runs of each seed joined, `(K, R T, D)`, and the true orbits, `(R T, D)`."""
        return self.free_run.flatten(1, 2), self.truth.flatten(0, 1)

    def escaped(self) -> Tensor:
        """Detect free runs that are not finite or leave the box of ten standard deviations around the data, `(K, R)`.

        The box reaches ten standard deviations of the training data beyond all true orbits, in every dimension.
        """
        orbits = torch.cat([self.truth, self.twin]).flatten(0, 1)
        reach = _BOX * self.scale
        inside = (self.free_run >= orbits.amin(0) - reach) & (self.free_run <= orbits.amax(0) + reach)
        return ~inside.flatten(2).all(-1)

    def collapsed(self) -> Tensor:
        """Detect free runs that have shrunk to a part of the attractor, `(K, R)`; runs that escaped are not among them.

        A run has collapsed if over its second half its standard deviation is less than half that of the true orbits,
        in at least one dimension. Fixed points and small cycles collapse; a cycle as large as the attractor does not.
        """
        true = torch.cat([self.truth, self.twin]).double().flatten(0, 1).std(0, correction=0)
        late = self.free_run[:, :, self.free_run.shape[2] // 2 :].double().std(2, correction=0)
        return (late < _COLLAPSED * true).any(-1) & ~self.escaped()


class MetricSpec(Spec, ABC):
    """A metric: a score of each seed of an evaluation."""

    unit: ClassVar[str]  # "nats", "Lyapunov times", "1" for a pure number
    better: ClassVar[Literal["lower", "higher"]]
    judges: ClassVar[Judged] = ""  # what of the evaluation decides the score
    unordered: ClassVar[Mapping[str, str]] = {}  # reasons why runs spoiled more score less bad, see `check_metric`

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
        """Return a number per seed, `(K,)`; NaN where it is undefined, which ranks as worse than any number."""

    def score_with_orbits(self, evaluation: Evaluation) -> tuple[Tensor, Tensor | None]:
        """Return the scores `(K,)`, and the scores on each test orbit alone, `(K, O)`; None: there are none.

        The latter are stored, too, because entries that do not depend on the seed are compared over test orbits.
        """
        return self.score(evaluation), None

    def details(self, evaluation: Evaluation) -> dict[str, Tensor]:
        """Return shares to store beside the score, by name, `(K,)` each: of what went wrong and the score cannot show.

        0 says that nothing went wrong. The default follows from `judges`: the shares of free runs that collapsed and
        escaped, of forecasts that are not finite, or of unbounded runs among those that give the exponents.
        """
        if self.judges == "free_run":
            runs = {"collapsed_share": evaluation.collapsed(), "escaped_share": evaluation.escaped()}
            return {name: happened.double().mean(1) for name, happened in runs.items()}
        if self.judges == "forecast":
            return {"lost_share": _lost(evaluation.forecast).double().mean(1)}
        if self.judges == "exponents":
            share = evaluation.unbounded_share
            return {"unbounded_share": torch.zeros(len(evaluation.exponents)) if share is None else share}
        return {}

    def why_undefined(self, evaluation: Evaluation, index: int) -> str:
        """Return the reason for which the score of the seed at this index is NaN or infinite."""
        if self.judges == "free_run":
            lost = _lost(evaluation.free_run[index])
            if lost.any():
                return f"{int(lost.sum())} of {len(lost)} free runs are not finite"
        if self.judges == "forecast":
            lost = _lost(evaluation.forecast[index, :, : self.least_horizon])
            if lost.any():
                return f"{int(lost.sum())} of {len(lost)} forecasts are not finite"
        if self.judges == "exponents" and evaluation.unbounded_share is not None:
            return f"{percent(float(evaluation.unbounded_share[index]))} of the runs for exponents are not bounded"
        return "its value is not finite"


def median_over_runs(scores: Tensor, *, better: Literal["lower", "higher"]) -> Tensor:
    """Return the median over the last axis, `(K, R) -> (K,)`, where NaN is worse than any number.

    The median of an even number is the mean of the middle two. It is NaN where one of them is NaN, so more than half
    of the free runs of a seed must have a score.
    """
    worst = torch.inf if better == "lower" else -torch.inf
    ordered = scores.double().nan_to_num(worst, torch.inf, -torch.inf).sort(-1).values
    count = ordered.shape[-1]
    middle = (ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2
    return middle.where(middle.isfinite(), torch.nan)


def _lost(series: Tensor) -> Tensor:
    """Detect series that are not finite, `(..., T, D) -> (...)`."""
    return ~series.isfinite().flatten(-2).all(-1)
