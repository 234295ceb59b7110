"""Systems given by a vector field."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.dynamics import (
    CONTROLLED,
    Method,
    VectorField,
    integrate,
    long_step,
    runge_kutta_step,
    scheme,
    tangent_step_by_jvp,
)
from chaosbench.errors import DataError
from chaosbench.kernels import Scheme
from chaosbench.systems.base import SystemSpec


class Flow(SystemSpec):
    """A system given by its vector field dz/dt, integrated over each `dt` by one of several methods.

    "dop853" is explicit, with `substeps` equal steps; "adaptive" is the same method with steps chosen by its error;
    "radau" is for stiff flows, "gauss" symplectic and for Hamiltonian ones. docs/flows.md compares them.
    """

    own_step: ClassVar[bool] = False  # True where a subclass has its own step, so that `method` does not apply

    dt: float = Field(default=0.01, gt=0)  # [system time] per step
    substeps: int = Field(default=1, ge=1)  # equal steps per dt, of the methods dop853 and gauss
    method: Method = "dop853"  # of integration
    tolerance: float = Field(default=1e-8, gt=0)  # largest error of a step of adaptive and radau, in units of 1 + |z|

    @model_validator(mode="after")
    def _method_applies(self) -> Self:
        if self.own_step and self.method != "dop853":
            raise ValueError(f"{self.kind} has a step of its own; leave out method={self.method!r}")
        return self

    @property
    def period(self) -> float | None:
        """Period of the drive [system time], whose clock is the last entry of the state; None without a drive."""
        return None

    @property
    def cycle(self) -> float | None:
        """Growth of the clock in one period, in the units of the clock; None without a drive."""
        return self.period

    @abstractmethod
    def vector_field(self, state: Tensor) -> Tensor:
        """Return dz/dt, `(..., S) -> (..., S)`."""

    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        """Return the field's Jacobian times `tangents`, `(..., S), (..., S, M) -> (..., S, M)`; override for speed."""
        return tangent_step_by_jvp(self.vector_field, state, tangents)[1]

    @property
    @override
    def analytic_tangents(self) -> bool:
        """False where tangents come from differentiating the step: neither it nor the field has an analytic form."""
        return type(self).tangent_field is not Flow.tangent_field or type(self).tangent_step is not Flow.tangent_step

    @property
    def ranges(self) -> Mapping[int, float]:
        """The range after which each coordinate that repeats does so, by its number; none."""
        return {}

    @property
    def scheme(self) -> Scheme | None:
        """The method as compiled loops take it; None where a step is a fixed sequence of operations."""
        return scheme(
            self.vector_field,
            self.dt,
            method=self.method,
            substeps=self.substeps,
            tolerance=self.tolerance,
            ranges=self.ranges,
        )

    def energy(self, state: Tensor) -> Tensor:
        """Return a quantity that the flow conserves, `(..., S) -> (...)`; a conservative flow defines it.

        Raises:
            DataError: if this flow defines none.
        """
        raise DataError(f"{self.label} defines no energy; only conservative flows do")

    @property
    def conservative(self) -> bool:
        """True if the flow defines an `energy`."""
        return type(self).energy is not Flow.energy

    @property
    def field(self) -> VectorField:
        """The vector field with its derivative, as `integrate` takes it."""
        analytic = type(self).tangent_field is not Flow.tangent_field
        return VectorField(self.vector_field, self.tangent_field if analytic else None)

    @override
    def step(self, state: Tensor) -> Tensor:
        if self.method != "dop853":
            return self.integrated(state[..., None])[..., 0]
        for _ in range(self.substeps):
            state = runge_kutta_step(self.vector_field, state, self.dt / self.substeps)
        return state

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state `(..., S)` and tangents `(..., S, M)`, the exact derivative of the step.

        If there is a `tangent_field`, the Runge-Kutta method integrates state and tangents together, which gives the
        derivative of its step. Otherwise the step is differentiated in forward mode. Implicit steps are differentiated
        by the implicit function theorem.
        """
        if self.method != "dop853":
            joined = self.integrated(torch.cat([state[..., None], tangents], dim=-1))
            return joined[..., 0], joined[..., 1:]
        if type(self).tangent_field is Flow.tangent_field:
            return super().tangent_step(state, tangents)
        joined = torch.cat([state[..., None], tangents], dim=-1)
        for _ in range(self.substeps):
            joined = runge_kutta_step(self._joined_field, joined, self.dt / self.substeps)
        return joined[..., 0], joined[..., 1:]

    def integrated(self, joined: Tensor, *, field: VectorField | None = None, dt: float | None = None) -> Tensor:
        """Return states and tangents `(..., S, 1 + M)` one step later, by this flow's method.

        Args:
            joined: states (column 0) and tangents.
            field: another field to integrate; None: this flow's.
            dt: another step [system time]; None: this flow's.
        """
        options = {"method": self.method, "substeps": self.substeps, "tolerance": self.tolerance}
        return integrate(field or self.field, joined, self.dt if dt is None else dt, **options)  # type: ignore[arg-type]

    def _joined_field(self, joined: Tensor) -> Tensor:
        """Return the time derivatives of the state (column 0) and of its tangents (the other columns)."""
        state = joined[..., 0]
        return torch.cat([self.vector_field(state)[..., None], self.tangent_field(state, joined[..., 1:])], dim=-1)

    @override
    def escape_error(self, advice: str) -> DataError:
        """Return the error for an orbit that is not finite, which names a step that is too long as the cause."""
        starts, steps = self.random_starts(16, torch.Generator().manual_seed(0)), round(self.transient / self.dt)
        long = None if self.own_step else long_step(self.field, self.step, starts, dt=self.dt, steps=steps)
        if long is None:
            return super().escape_error(advice)
        reason = long.explanation(self.dt, substeps=self.substeps, method=self.method)
        return DataError(f"an orbit of {self.label} blows up because {reason}")

    def refined(self) -> Self:
        """Return the flow with half the numerical step, or with a hundredth of the tolerance that determines it."""
        if self.method in CONTROLLED:
            return self.replaced(tolerance=self.tolerance / 100)
        return self.replaced(substeps=2 * self.substeps)

    def step_error(self) -> float:
        """Estimate the error per unit of system time, in standard deviations of the attractor [1 / system time].

        One step is compared with two half steps, or with one at a hundredth of the tolerance, at 64 states on the
        attractor; the largest difference counts.
        """
        states = self.initial_state(64, torch.Generator().manual_seed(0))
        difference = self.step(states) - self.refined().step(states)
        return float((difference.abs() / states.std(0)).max()) / self.dt
