"""Maps that show a flow where, or when, one entry of its state has a fixed value."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from chaosbench.systems.base import Map
from chaosbench.systems.growth_of_tangents import GrowthOfTangents
from chaosbench.systems.nested import AnyFlow
from chaosbench.systems.traces import integrated_trace


class MapOfFlow(Map):
    """The state of a flow, without its entry `fixed_entry`, whenever that entry has the value `fixed_value`.

    A subclass defines these, and `next_visit`, which follows the flow until the entry has this value again.
    """

    survey_steps: ClassVar[int] = 300  # [steps]; each is a whole turn, where those of other systems are a part of one

    flow: AnyFlow  # the flow

    @property
    @abstractmethod
    def fixed_entry(self) -> int:
        """Number of the state's entry that is fixed, counted from 0."""

    @property
    @abstractmethod
    def fixed_value(self) -> float:
        """The value of that entry."""

    @abstractmethod
    def next_visit(self, joined: Tensor, growth: GrowthOfTangents | None = None) -> Tensor:
        """Return the flow's states (column 0) and tangents at the next visit, `(n, S, 1 + M)`.

        With `growth` the tangents are decomposed on the way.
        """

    @abstractmethod
    def return_time(self, state: Tensor) -> Tensor:
        """Return the time to the next visit, `(..., S) -> (...)` [system time of the flow]."""

    @property
    def projected(self) -> Callable[[Tensor], Tensor] | None:
        """Direction of the flow's state space that tangents of the map do not contain; None: all count."""
        return None

    @property
    @override
    def dimension(self) -> int:
        """Number of the flow's observables, without the one that is fixed."""
        return self.flow.dimension - (self.fixed_entry < self.flow.dimension)

    @property
    @override
    def state_size(self) -> int:
        """Size of the flow's state without the fixed entry."""
        return self.flow.state_size - 1

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        """The flow by its label, and where or when it is seen."""
        return {**super().parameters, "flow": self.flow.label}

    @property
    @override
    def compilable(self) -> bool:
        """False: one step is many steps of the flow, which are compiled themselves."""
        return False

    @override
    def step(self, state: Tensor) -> Tensor:
        return self._visited(self._with_entry(state[..., None], self.fixed_value))[..., 0]

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        lifted = [self._with_entry(state[..., None], self.fixed_value), self._with_entry(tangents, 0.0)]
        joined = self._visited(torch.cat(lifted, dim=-1))
        return joined[..., 0], joined[..., 1:]

    def orthonormal_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next state, orthonormal tangents, and the logarithms of what these grew by.

        One step may contract a direction by more than double precision resolves beside another one, as that of the
        Rössler system does by exp(-32); the flow's tangents are therefore decomposed several times on the way.

        Args:
            state: `(..., S)`.
            tangents: `(..., S, M)`.

        Returns:
            `(..., S)`, `(..., S, M)` and `(..., M)` in float64 [nats].
        """
        lifted = [self._with_entry(state[..., None], self.fixed_value), self._with_entry(tangents, 0.0)]
        joined = torch.cat(lifted, dim=-1)
        flat = joined.reshape(-1, *joined.shape[-2:])
        growth = GrowthOfTangents(flat[..., 1:], self.projected)
        reached = self._without_entry(self.next_visit(flat, growth))
        orthonormal = growth.decompose(reached[..., 1:])
        logarithms = growth.logarithms.view(*state.shape[:-1], -1)
        return reached[..., 0].view_as(state), orthonormal.view_as(tangents), logarithms

    def log_determinant(self, state: Tensor) -> Tensor:
        """Return ln |det J| of a step, from the flow's trace and its speed through the section, `(..., S) -> (...)`.

        A volume of the flow's state space grows by the exponential of the integrated trace; the area that the flow
        carries through the section in a unit of time is such a volume, divided by the speed at which it passes.
        """
        start = self._with_entry(state[..., None], self.fixed_value)[..., 0]
        points = start.reshape(-1, start.shape[-1])
        reached, integral = integrated_trace(self.flow, points, self.return_time(state).flatten())
        before, after = (self.flow.vector_field(at)[..., self.fixed_entry].abs().log() for at in (points, reached))
        return (integral + before - after).view(state.shape[:-1])

    @override
    def observe(self, state: Tensor) -> Tensor:
        seen = self.flow.observe(self._with_entry(state[..., None], self.fixed_value)[..., 0])
        return self._without_entry(seen[..., None])[..., 0] if self.fixed_entry < self.flow.dimension else seen

    def _visited(self, joined: Tensor) -> Tensor:
        """Return states and tangents at the next visit, without the fixed entry, `(..., S, M) -> (..., S - 1, M)`."""
        reached = self.next_visit(joined.reshape(-1, *joined.shape[-2:])).view_as(joined)
        return self._without_entry(reached)

    def _with_entry(self, joined: Tensor, value: float) -> Tensor:
        """Insert the fixed entry, with a value, into `(..., S - 1, M)`."""
        k = self.fixed_entry
        return torch.cat([joined[..., :k, :], torch.full_like(joined[..., :1, :], value), joined[..., k:, :]], dim=-2)

    def _without_entry(self, joined: Tensor) -> Tensor:
        """Remove the fixed entry from `(..., S, M)`."""
        return torch.cat([joined[..., : self.fixed_entry, :], joined[..., self.fixed_entry + 1 :, :]], dim=-2)
