"""The contract of a system: a frozen record of an equation that can be stepped, and what is known of it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from chaosbench.dynamics import runge_kutta_step, tangent_step_by_jvp
from chaosbench.errors import DataError
from chaosbench.spec import Spec
from chaosbench.systems.certificate import shipped_certificates
from chaosbench.systems.reference import Reference


class SystemSpec(Spec, ABC):
    """A dynamical system: parameters, equation, and the step that data are made with.

    Class facts that a system may set: `start` (a point in the basin of its attractor; one number stands for all
    entries, None is the origin), `spread` (of random starts around it), `transient` (time until the attractor is
    reached and forgotten starts are mixed), `leading` and `neutral` (which exponents can be certified), and
    `references` (exponents known beforehand).
    """

    start: ClassVar[tuple[float, ...] | None] = None
    spread: ClassVar[float] = 0.1  # standard deviation of the starts, in the state's own units
    transient: ClassVar[float] = 100.0  # [system time]
    leading: ClassVar[int | None] = None  # exponents that are certified; None is all
    neutral: ClassVar[int] = 1  # exponents that are zero by symmetry: in time, and where there is one, in space
    references: ClassVar[tuple[Reference, ...]] = ()
    measured: ClassVar[bool] = False  # a series from a file, which cannot be stepped

    dt: float = Field(gt=0)  # [system time] per step

    @property
    @abstractmethod
    def dimension(self) -> int:
        """D, what is observed; a plug-in writes `dimension: ClassVar[int] = 3`."""

    @property
    def state_size(self) -> int:
        """S; larger than the dimension where a part of the state is hidden."""
        return self.dimension

    @abstractmethod
    def step(self, state: Tensor) -> Tensor:
        """The state one `dt` later, `(..., S)` to `(..., S)`."""

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state `(..., S)` and tangents `(..., S, M)`; override where an analytic form is faster."""
        return tangent_step_by_jvp(self.step, state, tangents)

    def observe(self, state: Tensor) -> Tensor:
        """What is seen of a state, `(..., S)` to `(..., D)`: its first entries."""
        return state[..., : self.dimension]

    def initial_state(self, batch: int, generator: torch.Generator) -> Tensor:
        """States spread over the attractor, `(B, S)` in float64.

        Every member starts near `start` and stops at its own random moment in the second half of the transient:
        chaos alone would leave the members of a phase-coherent system, or of a cycle, side by side.
        """
        steps = max(2, round(self.transient / self.dt))
        state = self.random_starts(batch, generator)
        stops = torch.randint(steps // 2, steps, (batch, 1), generator=generator)
        with torch.no_grad():
            reached = state
            for index in range(steps):
                state = self.step(state)
                reached = torch.where(stops == index, state, reached) if index >= steps // 2 else reached
        if not bool(torch.isfinite(reached).all()):
            raise DataError(
                f"an orbit of {self.label} escapes to infinity from its start near {self.start or 'the origin'}; "
                f"expected a bounded attractor at {self.parameters} with dt={self.dt}: change these, or the start"
            )
        return reached

    def random_starts(self, batch: int, generator: torch.Generator) -> Tensor:
        """States in the basin of the attractor, around `start`, `(B, S)` in float64."""
        start = torch.tensor(self.start or (0.0,), dtype=torch.float64)
        return start + self.spread * torch.randn(batch, self.state_size, dtype=torch.float64, generator=generator)

    @property
    def parameters(self) -> dict[str, Any]:
        """The equation's parameters: every field but the kind and those of the numerical method."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in _NUMERICS}

    @property
    def reference(self) -> Reference | None:
        """What is known of the exponents at these parameters, beforehand or by certificate; None: nothing."""
        certified = (certificate.reference for certificate in shipped_certificates().get(self.kind, ()))
        known = (*self.references, *certified)
        return next((reference for reference in known if reference.parameters == self.parameters), None)


class Flow(SystemSpec):
    """A system given by dz/dt; a step is `substeps` steps of an eighth-order Runge-Kutta method."""

    dt: float = Field(default=0.01, gt=0)  # [system time] per step
    substeps: int = Field(default=1, ge=1)  # Runge-Kutta steps per dt

    @abstractmethod
    def vector_field(self, state: Tensor) -> Tensor:
        """dz/dt, `(..., S)` to `(..., S)`."""

    def tangent_field(self, state: Tensor, tangents: Tensor) -> Tensor:
        """The field's Jacobian times `tangents`, `(..., S), (..., S, M)` to `(..., S, M)`; optional, for speed."""
        raise NotImplementedError

    def step(self, state: Tensor) -> Tensor:
        """The state one `dt` later, `(..., S)` to `(..., S)`."""
        for _ in range(self.substeps):
            state = runge_kutta_step(self.vector_field, state, self.dt / self.substeps)
        return state

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """The next state `(..., S)` and tangents `(..., S, M)`, exactly the derivative of the step.

        With a `tangent_field`, state and tangents pass through the same Runge-Kutta method side by side, whose
        result is the derivative of its step; without, the step is differentiated in forward mode.
        """
        if type(self).tangent_field is Flow.tangent_field:
            return super().tangent_step(state, tangents)
        joined = torch.cat([state[..., None], tangents], dim=-1)
        for _ in range(self.substeps):
            joined = runge_kutta_step(self._joined_field, joined, self.dt / self.substeps)
        return joined[..., 0], joined[..., 1:]

    def _joined_field(self, joined: Tensor) -> Tensor:
        """The slopes of the state, in column 0, and of its tangents, in the others."""
        state = joined[..., 0]
        return torch.cat([self.vector_field(state)[..., None], self.tangent_field(state, joined[..., 1:])], dim=-1)

    def step_error(self) -> float:
        """Error that a unit of system time adds, in standard deviations of the attractor [1 / system time].

        One step is compared with two half steps at 64 states of the attractor; the largest difference counts.
        """
        states = self.initial_state(64, torch.Generator().manual_seed(0))
        difference = self.step(states) - self.replaced(substeps=2 * self.substeps).step(states)
        return float((difference.abs() / states.std(0)).max()) / self.dt


class Map(SystemSpec):
    """A system in discrete time; one step is one unit of system time."""

    neutral: ClassVar[int] = 0

    dt: float = Field(default=1.0, ge=1.0, le=1.0)


_NUMERICS = frozenset({"kind", "dt", "substeps"})
