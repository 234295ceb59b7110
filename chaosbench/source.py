"""Sources of observations: the contract, the specification of the data, and the recordings that a source returns."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.spec import Content, Spec

STATES_EVERY = 25  # [steps] from one stored state of a test orbit to the next


class DataSpec(Content):
    """Number and length of the orbits, and how they are observed; one long orbit is `train_orbits = 1`.

    Orbits for training, validation and test start from different points of the attractor. The number and length of the
    training and validation orbits of a recorded series come from its files, and its test part is cut into pieces of
    `test_length`, which is derived from the series unless it is set.
    """

    train_orbits: int = Field(32, ge=1)
    train_length: int = Field(3_000, ge=2)  # [steps] of each
    validation_orbits: int = Field(4, ge=0)
    validation_length: int = Field(1_000, ge=2)  # [steps] of each
    test_orbits: int = Field(8, ge=2)
    test_length: int = Field(10_000, ge=2)  # [steps] of each
    stride: int = Field(1, ge=1)  # steps of the system per step of the data
    noise: float = Field(0.0, ge=0)  # observation noise, in standard deviations of each observable; truth stays clean
    observed: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(None, min_length=1)  # observables seen; None: all
    embedding: int = Field(1, ge=1)  # delay coordinates of each observable
    lag: int = Field(1, ge=1)  # [steps] from one delay coordinate to the next
    standardise: Literal["dimension", "global", "none"] = "dimension"  # by mean and deviation of the training data
    dtype: Literal["float32", "float64"] | None = None  # of training and evaluation; None: what suits the system
    seed: int = 0  # of initial conditions and noise
    release: int = Field(0, ge=0)  # of the test set: each draws fresh initial conditions, so that none can be learned

    @property
    def label(self) -> str:
        """The fields that differ from their defaults: `data(train_orbits=1)`."""
        fields = type(self).model_fields
        changed = [
            f"{name}={getattr(self, name)}" for name, field in fields.items() if self._differs(name, field.default)
        ]
        return f"data({', '.join(changed)})" if changed else "data"

    def torch_dtype(self, source: "Source") -> torch.dtype:
        """Return the precision as a torch dtype: by default single, and double where the source asks for it."""
        double = source.double_precision if self.dtype is None else self.dtype == "float64"
        return torch.float64 if double else torch.float32

    @property
    def history(self) -> int:
        """Steps before the first observation that its delay coordinates reach back to [steps]."""
        return (self.embedding - 1) * self.lag

    def _differs(self, name: str, default: object) -> bool:
        return bool(getattr(self, name) != default)


@dataclass(frozen=True)
class SurrogateTest:
    """A series beside series of the same distribution and power spectrum that are otherwise random.

    Attributes:
        count: number of surrogates.
        error: error of nonlinear forecasts of the series [standard deviations].
        surrogate_errors: the same for each surrogate.
        p_value: probability that a linear stochastic process is at least as predictable, (1 + better) / (1 + count).
    """

    count: int
    error: float
    surrogate_errors: tuple[float, ...]
    p_value: float

    @property
    def rejected(self) -> bool:
        """True if the series is not a linear stochastic process, at the level of 5 %."""
        return self.p_value <= 0.05


@dataclass(frozen=True)
class SeparationCurve:
    """How fast neighbouring states separate, and the largest exponent that is read off the curve.

    Attributes:
        times: `(P,)`, evenly spaced from 0 [system time].
        log_distance: `(P,)`, mean logarithm of the distance, in standard deviations of the data [nats].
        exponent: slope of the fitted line [1 / system time].
        interval: half width of its 95 % confidence interval [1 / system time].
        fit: first and last step of the fit [steps].
        theiler: least distance in time between neighbours [steps].
        r_squared: share of the curve's variance over the fit that the line explains.
        surrogates: the test against linear stochastic processes; None: not done.
        detrended: "linear" or "seasonal" if a trend, or a trend and a season, were removed before; otherwise "".
    """

    times: Tensor
    log_distance: Tensor
    exponent: float
    interval: float
    fit: tuple[int, int]
    theiler: int
    r_squared: float
    surrogates: SurrogateTest | None = None
    detrended: str = ""

    @property
    def chaotic(self) -> bool:
        """True if the exponent is positive beyond its interval."""
        return self.exponent > self.interval

    @property
    def verdict(self) -> Literal["chaotic", "not chaotic", "cannot be told"]:
        """The conclusion: chaos needs a positive exponent and data that differ from every linear stochastic process."""
        if self.chaotic and (self.surrogates is None or self.surrogates.rejected):
            return "chaotic"
        noise = self.surrogates is not None and not self.surrogates.rejected
        return "cannot be told" if self.chaotic or noise else "not chaotic"

    @property
    def cautious(self) -> float | None:
        """The exponent [1 / system time]: at most 0 without chaos, None if that cannot be told."""
        if self.verdict == "cannot be told":
            return None
        return self.exponent if self.verdict == "chaotic" else min(self.exponent, 0.0)


@dataclass(frozen=True)
class Recordings:
    """Orbits as a source shows them: all observables, before noise, delay coordinates and standardisation.

    Each orbit begins with the `DataSpec.history` steps that delay coordinates reach back to, H below.

    Attributes:
        train: `(N, H + T, O)` float64 [the source's units].
        validation: `(N, H + T, O)`; N may be 0.
        test: `(N, H + T, O)`, at least two orbits, without observation noise where the source knows the truth.
        states: `(N, ceil(T / STATES_EVERY), S)` float64, the system's own states along the test orbits, every
            `STATES_EVERY` steps from the end of the history on; None if the source cannot be stepped.
        largest_exponent: the largest Lyapunov exponent, as far as the source itself knows it [1 / system time]; None
            if unknown. The exponent of an equation is certified or computed elsewhere and need not be set.
        separation: the curve from which `largest_exponent` was estimated; None if it was not estimated.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    states: Tensor | None = None
    largest_exponent: float | None = None
    separation: SeparationCurve | None = None


@dataclass(frozen=True)
class Lengths:
    """How long the recordings of a series are [steps].

    Attributes:
        train: of each training orbit, without the history of delay coordinates.
        test: of each stretch that test orbits are cut from, the history of delay coordinates included.
    """

    train: int
    test: tuple[int, ...]


class Source(Spec, ABC):
    """A source of observations: an equation, files, or an instrument. A suite names it under `[[systems]]`.

    Code that has to step the system asks for a `SystemSpec`, which is a source with an equation.
    """

    dt: float = Field(gt=0)  # [system time] per step

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Number of observables D; a subclass may write `dimension: ClassVar[int] = 3`."""

    @property
    def double_precision(self) -> bool:
        """True where orbits in single precision differ from the system's; then double precision is the default."""
        return False

    def describe(self, spec: DataSpec) -> list[str]:
        """Return lines about the data that a run with `spec` would read; empty for an equation."""
        return []

    def lengths(self, spec: DataSpec) -> Lengths | None:
        """Return how long the recordings are; None for an equation, whose orbits are as long as they should be.

        Raises:
            DataError: if they cannot be read.
        """
        return None

    @abstractmethod
    def recordings(self, spec: DataSpec) -> Recordings:
        """Return the training, validation and test orbits for `spec`.

        `spec.noise`, `observed`, `embedding`, `standardise` and `dtype` are applied afterwards by `simulate`.

        Raises:
            DataError: if the source cannot provide what `spec` asks for.
        """
