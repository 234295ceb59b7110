"""The contract of a system: a frozen record of an equation that can be stepped."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.dynamics import orbit, states_after, tangent_step_by_jvp
from chaosbench.errors import DataError
from chaosbench.seeds import seed_generator
from chaosbench.source import STATES_EVERY, DataSpec, Recordings, Source
from chaosbench.systems.certificate import shipped_certificates
from chaosbench.systems.equations import accept_any_axes
from chaosbench.systems.reference import Reference


class SystemSpec(Source):
    """A dynamical system: parameters, equation, and the step with which data are simulated.

    Class attributes that a system may set: `start` (a point in the basin of its attractor; a single number is used for
    all entries, None is the origin), `spread` (standard deviation of random starts around it), `transient` (time until
    orbits have reached the attractor and no longer depend on their starts), `leading` and `neutral` (how many exponents
    are certified, and how many are zero by symmetry), and `references` (published or exact exponents).
    """

    start: ClassVar[tuple[float, ...] | None] = None
    spread: ClassVar[float] = 0.1  # standard deviation of the starts [the state's units]
    transient: ClassVar[float] = 100.0  # [system time]
    leading: ClassVar[int | None] = None  # number of exponents that are certified; None: all
    neutral: ClassVar[int] = 1  # number of exponents that are zero by symmetry in time or space
    references: ClassVar[tuple[Reference, ...]] = ()
    broadcasts: ClassVar[bool] = True  # its step takes any leading axes

    @override
    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not cls.__module__.startswith("chaosbench."):  # ours are tested to take any leading axes
            accept_any_axes(cls)

    @property
    def stationary(self) -> bool:
        """True if the equation does not change in time except periodically, so that exponents characterise it."""
        return True

    @property
    def state_size(self) -> int:
        """Size S of the state; larger than the dimension if a part of the state is hidden."""
        return self.dimension

    @abstractmethod
    def step(self, state: Tensor) -> Tensor:
        """Return the state one `dt` later, `(..., S) -> (..., S)`."""

    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state `(..., S)` and tangents `(..., S, M)`; override if an analytic form is faster."""
        return tangent_step_by_jvp(self.step, state, tangents)

    @property
    def analytic_tangents(self) -> bool:
        """False where tangents come from differentiating the step."""
        return type(self).tangent_step is not SystemSpec.tangent_step

    @property
    def compilable(self) -> bool:
        """True if a step performs the same operations at every state, so that it may be compiled."""
        return True

    def observe(self, state: Tensor) -> Tensor:
        """Return the observables of a state, `(..., S) -> (..., D)`: its first D entries."""
        return state[..., : self.dimension]

    @override
    def recordings(self, spec: DataSpec) -> Recordings:
        """Simulate the orbits, every `spec.stride` steps, from random states on the attractor.

        Test orbits depend on `spec.seed` and `spec.release`, all others on `spec.seed` alone.

        Raises:
            DataError: if an orbit escapes to infinity.
        """
        purpose, test_purpose = "initial conditions", f"test initial conditions of release {spec.release}"
        sizes = (spec.train_orbits, spec.validation_orbits)
        starts = self.initial_state(sum(sizes), seed_generator(spec.seed, purpose)).split(sizes)
        test_starts = self.initial_state(spec.test_orbits, seed_generator(spec.seed, test_purpose))
        lengths = [spec.history + n for n in (spec.train_length, spec.validation_length, spec.test_length)]
        train, validation, test = orbits = self._orbits([*starts, test_starts], lengths, spec.stride)
        if not all(bool(part.isfinite().all()) for part in orbits):
            raise self.escape_error("; check its parameters, dt and starting point")
        states = test[:, spec.history :: STATES_EVERY]
        return Recordings(self.observe(train), self.observe(validation), self.observe(test), states)

    def _orbits(self, starts: Sequence[Tensor], lengths: Sequence[int], stride: int) -> list[Tensor]:
        """Return an orbit `(N_i, T_i, S)` per entry of `starts`.

        Orbits of different lengths are stepped together until the shorter ones end, because small batches cost as much
        as large ones.
        """
        pieces: list[list[Tensor]] = [[] for _ in starts]
        current, done = list(starts), 0
        for length in sorted(set(lengths)):
            alive = [i for i in range(len(current)) if lengths[i] >= length]
            stretch = orbit(self, torch.cat([current[i] for i in alive]), steps=length - done, every=stride)
            for i, part in zip(alive, stretch.split([len(current[i]) for i in alive]), strict=True):
                pieces[i].append(part)
                current[i] = part[:, -1]
            done = length
        return [torch.cat(part, dim=1) for part in pieces]

    def initial_state(self, batch: int, generator: torch.Generator) -> Tensor:
        """Sample states spread over the attractor, `(B, S)` in float64.

        Each member starts near `start` and stops at its own random time in the second half of the transient. With a
        common stopping time, members on a cycle or in a phase-coherent system would have nearly equal phases.

        Raises:
            DataError: if an orbit escapes to infinity.
        """
        steps = max(2, round(self.transient / self.dt))
        state = self.random_starts(batch, generator)
        stops = torch.randint(steps // 2, steps, (batch, 1), generator=generator)
        reached = states_after(self, state, stops[:, 0] + 1)
        if not bool(torch.isfinite(reached).all()):
            raise self.escape_error(
                f" from its start near {self.start or 'the origin'}; "
                f"expected a bounded attractor at {self.parameters} with dt={self.dt}: change these, or the start"
            )
        return reached

    def random_starts(self, batch: int, generator: torch.Generator) -> Tensor:
        """Sample states in the basin of the attractor, around `start`, `(B, S)` in float64."""
        start = torch.tensor(self.start or (0.0,), dtype=torch.float64)
        return start + self.spread * torch.randn(batch, self.state_size, dtype=torch.float64, generator=generator)

    def escape_error(self, advice: str) -> DataError:
        """Return the error for an orbit that is not finite; `advice` follows "escapes to infinity"."""
        return DataError(f"an orbit of {self.label} escapes to infinity{advice}")

    @property
    def parameters(self) -> dict[str, Any]:
        """The equation's parameters: all fields except the kind and those of the numerical method."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in _NUMERICS}

    @property
    def reference(self) -> Reference | None:
        """Published, exact or certified exponents at these parameters; None if there are none."""
        certified = (certificate.reference for certificate in shipped_certificates().get(self.kind, ()))
        references = (*self.references, *certified)
        return next((reference for reference in references if reference.parameters == self.parameters), None)


class Map(SystemSpec):
    """A system in discrete time; one step is one unit of system time."""

    neutral: ClassVar[int] = 0

    dt: float = Field(default=1.0, ge=1.0, le=1.0)

    @property
    @override
    def double_precision(self) -> bool:
        """True in one dimension: single precision has so few states that orbits soon end in short cycles."""
        return self.state_size == 1


_NUMERICS = frozenset({"kind", "dt", "substeps", "method", "tolerance"})
