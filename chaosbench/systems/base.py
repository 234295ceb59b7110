"""The contract of a system: a frozen record of an equation that can be stepped."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import Tensor
from typing_extensions import override

from chaosbench.dynamics import orbit, states_after, tangent_step_by_jvp
from chaosbench.errors import DataError
from chaosbench.kernels import for_data
from chaosbench.seeds import seed_generator
from chaosbench.source import STATES_EVERY, DataSpec, Recordings, Source
from chaosbench.systems.attractors import attractors
from chaosbench.systems.certificate import shipped_certificates
from chaosbench.systems.equations import accept_any_axes
from chaosbench.systems.reference import Reference

ESCAPING = 0.01  # largest share of starts whose orbits may escape to infinity; these are drawn again
NEARBY = 1e-9  # distance of orbits that start from the same point, relative to its size, so that they are no copies
_LATER = ("attractor", "method", "tolerance")

Choice = Literal["chaotic", "quasi-periodic", "periodic", "fixed point"] | tuple[float, ...]  # of an attractor


class SystemSpec(Source):
    """A dynamical system: parameters, equation, and the step with which data are simulated.

    Class attributes that a system may set: `start` (a point in the basin of its attractor; a single number is used for
    all entries, None is the origin), `spread` (standard deviation of random starts around it), `transient` (time until
    orbits have reached the attractor and no longer depend on their starts), `leading` and `neutral` (how many exponents
    are certified, and how many are zero by symmetry), `survey_steps` (length of the run that looks for several
    attractors), and `references` (published or exact exponents).

    Where several attractors coexist, the field `attractor` chooses one: by its regime, or by a state that leads to it.
    """

    start: ClassVar[tuple[float, ...] | None] = None
    spread: ClassVar[float] = 0.1  # standard deviation of the starts [the state's units]
    transient: ClassVar[float] = 100.0  # [system time]
    leading: ClassVar[int | None] = None  # number of exponents that are certified; None: all
    neutral: ClassVar[int] = 1  # number of exponents that are zero by symmetry in time or space
    survey_steps: ClassVar[int] = 2500  # [steps]; a fifth is for the alignment of tangents
    references: ClassVar[tuple[Reference, ...]] = ()
    broadcasts: ClassVar[bool] = True  # its step takes any leading axes

    attractor: Choice | None = None  # the attractor: its regime, or a state that leads to it; None: that of `start`

    @model_validator(mode="after")
    def _attractor_is_a_state(self) -> Self:
        if isinstance(self.attractor, tuple) and len(self.attractor) != self.state_size:
            raise ValueError(
                f"attractor={list(self.attractor)} has {len(self.attractor)} numbers; expected a regime, or a state of "
                f"{self.state_size} numbers"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_later_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out fields that were added later while they have their defaults, so that digests stay valid."""
        content: dict[str, Any] = handler(self)
        defaults = {name: type(self).model_fields[name].default for name in _LATER if name in content}
        return {name: value for name, value in content.items() if name not in defaults or value != defaults[name]}

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
    def continuous(self) -> bool:
        """True if time is continuous; False for a map."""
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

        Each member starts near `start`, or near the state that `attractor` names, and stops at its own random time in
        the second half of the transient. With a common stopping time, members on a cycle or in a phase-coherent system
        would have nearly equal phases. Starts that escape are drawn again if they are at most one in a hundred.

        Raises:
            DataError: if orbits escape to infinity, or no attractor has the regime that `attractor` names.
        """
        if isinstance(self.attractor, str):
            chosen = _state_of_regime(self.replaced(attractor=None), self.attractor)
            return self.replaced(attractor=chosen).initial_state(batch, generator)
        reached = self._after_transient(self.random_starts(batch, generator), generator)
        escaped = ~torch.isfinite(reached).all(-1)
        if 0 < int(escaped.sum()) <= ESCAPING * batch:
            again = self._after_transient(self.random_starts(batch, generator)[escaped], generator)
            reached[escaped], escaped = again, ~torch.isfinite(again).all(-1)
        if bool(escaped.any()):
            raise self.escape_error(
                f" from its start near {self.start or 'the origin'} ({int(escaped.sum())} of {batch} do); "
                f"expected a bounded attractor at {self.parameters} with dt={self.dt}: change these, or the start"
            )
        return reached

    def _after_transient(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return each state at its own random time in the second half of the transient."""
        steps = max(2, round(self.transient / self.dt))
        stops = torch.randint(steps // 2, steps, (len(state), 1), generator=generator)
        return states_after(self, state, stops[:, 0] + 1)

    def random_starts(self, batch: int, generator: torch.Generator) -> Tensor:
        """Sample states in the basin of the attractor, `(B, S)` in float64.

        They scatter by `spread` around `start`. Without a spread, and around the state that `attractor` names, they
        differ by a billionth, so that chaotic orbits become independent of each other during the transient.
        """
        noise = torch.randn(batch, self.state_size, dtype=torch.float64, generator=generator)
        if isinstance(self.attractor, tuple):
            return nearby(torch.tensor(self.attractor, dtype=torch.float64), noise)
        start = torch.tensor(self.start or (0.0,), dtype=torch.float64)
        return start + self.spread * noise if self.spread else nearby(start, noise)

    def first_start(self) -> Tensor | None:
        """Return the state `(S,)` that `attractor` or else `start` names; None if it is left to `random_starts`."""
        if type(self).random_starts is not SystemSpec.random_starts or (self.attractor or self.start) is None:
            return None
        return nearby(
            torch.tensor(self.attractor if isinstance(self.attractor, tuple) else self.start, dtype=torch.float64),
            torch.ones(self.state_size, dtype=torch.float64),
        )

    def escape_error(self, advice: str) -> DataError:
        """Return the error for an orbit that is not finite; `advice` follows "escapes to infinity"."""
        return DataError(f"an orbit of {self.label} escapes to infinity{advice}")

    @property
    def parameters(self) -> dict[str, Any]:
        """The equation's parameters: all fields except the kind and those of the numerical method.

        An attractor counts where it is chosen, because each has exponents of its own.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields if name not in _NUMERICS}
        return {name: value for name, value in values.items() if name != "attractor" or value is not None}

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
    def continuous(self) -> bool:
        return False

    @property
    @override
    def double_precision(self) -> bool:
        """True in one dimension: single precision has so few states that orbits soon end in short cycles."""
        return self.state_size == 1


_NUMERICS = frozenset({"kind", "dt", "substeps", "method", "tolerance"})


def nearby(point: Tensor, noise: Tensor) -> Tensor:
    """Return states `(B, S)` around a point `(S,)` or `(1,)`, a billionth of its size apart; `noise` is standard."""
    return point + NEARBY * max(1.0, float(point.abs().max())) * noise


@lru_cache(maxsize=64)
def _state_of_regime(system: SystemSpec, regime: str) -> tuple[float, ...]:
    """Return a state on the attractor with that regime, the most frequent one if there are several.

    Raises:
        DataError: if none of 256 orbits is on such an attractor.
    """
    with for_data():
        found, ensemble = attractors(system, system.initial_state(256, torch.Generator().manual_seed(0)), steps=1000)
        for attractor in found:
            if attractor.regime == regime:
                # The exponents may have been computed with other bits; the same orbit is followed as data are.
                start = ensemble.starts[attractor.orbits[0]]
                return tuple(orbit(system, start[None], steps=1, transient=1000)[0, 0].tolist())
    regimes = ", ".join(f"{attractor.regime} ({len(attractor.orbits)})" for attractor in found)
    raise DataError(
        f"none of 256 orbits of {system.label} is on an attractor of regime {regime!r}, but: "
        f"{regimes or 'all escape'}; choose one of these, or give `attractor` as a state that leads to it"
    )
