"""The Poincaré map of a flow on a section through its state space."""

from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.errors import DataError
from chaosbench.systems.base import Map
from chaosbench.systems.nested import AnyFlow
from chaosbench.systems.partial_steps import advanced

_ITERATIONS = 40  # of the search for a crossing; Newton's method needs four, bisection the others


class PoincareMap(Map):
    """The states at which a flow crosses the section z_k = level, from one crossing to the next.

    The state is that of the flow without its entry k, the `coordinate`. The exponents are the non-zero exponents of the
    flow times the mean time of return; tangents contain the derivative of that time. A crossing is a change of sign
    between two steps of the flow, located to rounding, so that its `dt` must be shorter than the time between two
    crossings.

    Source:
        Parker & Chua 1989, Practical Numerical Algorithms for Chaotic Systems, sections 2.1 and 2.3.
    """

    kind: Literal["poincare_map"] = "poincare_map"
    flow: AnyFlow  # the flow
    coordinate: int = Field(ge=0)  # k, entry of the flow's state, counted from 0
    level: float = 0.0  # value of that entry on the section
    direction: Literal["up", "down", "both"] = "up"  # sign of the crossings that count
    patience: float = Field(default=1000.0, gt=0)  # [system time of the flow] after which an orbit is lost

    @model_validator(mode="after")
    def _section_exists(self) -> Self:
        size = self.flow.state_size
        if self.coordinate >= size:
            raise ValueError(
                f"coordinate={self.coordinate} is no entry of a state of size {size}; expected 0 to {size - 1}"
            )
        if self.flow.period is not None and self.coordinate == size - 1:
            raise ValueError(f"coordinate={self.coordinate} is the clock of {self.flow.label}; use a stroboscopic_map")
        if self.flow.own_step:
            raise ValueError(f"{self.flow.label} has a step of its own, which cannot be divided to find a crossing")
        return self

    @property
    @override
    def dimension(self) -> int:
        """Number of the flow's observables, without the one that is constant on the section."""
        return self.flow.dimension - (self.coordinate < self.flow.dimension)

    @property
    @override
    def state_size(self) -> int:
        """Size of the flow's state without the coordinate."""
        return self.flow.state_size - 1

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        """The flow by its label, and the section."""
        section = {name: getattr(self, name) for name in ("coordinate", "level", "direction")}
        return {"flow": self.flow.label, **section}

    @property
    @override
    def compilable(self) -> bool:
        """False: the number of the flow's steps to the section depends on the state."""
        return False

    @override
    def step(self, state: Tensor) -> Tensor:
        return self._dropped(self._crossed(self._lifted(state[..., None], self.level))[0])[..., 0]

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        lifted = [self._lifted(state[..., None], self.level), self._lifted(tangents, 0.0)]
        joined = self._dropped(self._crossed(torch.cat(lifted, dim=-1))[0])
        return joined[..., 0], joined[..., 1:]

    def return_time(self, state: Tensor) -> Tensor:
        """Return the time to the next crossing, `(..., S) -> (...)` [system time of the flow]."""
        return self._crossed(self._lifted(state[..., None], self.level))[1]

    @override
    def observe(self, state: Tensor) -> Tensor:
        seen = self.flow.observe(self._lifted(state[..., None], self.level)[..., 0])
        return self._dropped(seen[..., None])[..., 0] if self.coordinate < self.flow.dimension else seen

    @override
    def initial_state(self, batch: int, generator: Generator) -> Tensor:
        """Sample states on the flow's attractor and let each reach the section, `(B, S)`.

        Raises:
            DataError: if an orbit does not reach it.
        """
        with torch.no_grad():
            states = self._dropped(self._crossed(self.flow.initial_state(batch, generator)[..., None])[0])[..., 0]
        if not bool(states.isfinite().all()):
            raise DataError(
                f"an orbit of {self.flow.label} does not cross state[{self.coordinate}] = {self.level:g} "
                f"({self.direction}) within {self.patience:g} units of time; choose another level or direction"
            )
        return states

    def _crossed(self, joined: Tensor) -> tuple[Tensor, Tensor]:
        """Return states and tangents `(..., S, 1 + M)` at the next crossing, and the time it takes, `(...)`.

        At the crossing the motion along the flow is subtracted: by -dz_k / f_k in time from tangents, and by what is
        left of z_k - level from the state, which makes the step differentiable.
        """
        flat = joined.reshape(-1, *joined.shape[-2:])
        before, times = self._marched(flat)
        fraction = self._located(before[..., 0].detach())
        after = advanced(self.flow, before, fraction)
        slope = self.flow.vector_field(after[..., 0].detach())
        level = torch.zeros_like(after[:, self.coordinate])
        level[:, 0] = self.level
        late = (after[:, self.coordinate] - level) / slope[:, self.coordinate, None]
        after = after - slope[..., None] * late[:, None]
        return after.view_as(joined), (times + fraction - late[:, 0].detach()).view(joined.shape[:-2])

    def _marched(self, joined: Tensor) -> tuple[Tensor, Tensor]:
        """Return states and tangents at the last step before a crossing, and their times; NaN without a crossing."""
        times = joined.new_zeros(len(joined))
        going = torch.arange(len(joined), device=joined.device)
        for _ in range(int(self.patience / self.flow.dt) + 1):
            here = joined[going]
            if here.shape[-1] == 1:
                following = self.flow.step(here[..., 0])[..., None]
            else:
                stepped, carried = self.flow.tangent_step(here[..., 0], here[..., 1:])
                following = torch.cat([stepped[..., None], carried], dim=-1)
            on = ~self._crosses(here[:, self.coordinate, 0], following[:, self.coordinate, 0])
            going, following = going[on], following[on]
            joined = joined.index_copy(0, going, following)
            times = times.index_add(0, going, times.new_full((len(going),), self.flow.dt))
            going = going[following[..., 0].isfinite().all(-1)]
            if len(going) == 0:
                return joined, times
        return joined.index_fill(0, going, torch.nan), times.index_fill(0, going, torch.nan)

    def _crosses(self, before: Tensor, after: Tensor) -> Tensor:
        """Return whether the section lies between two values of the coordinate, `(n)`; a start on it does not count."""
        up = (before < self.level) & (after >= self.level)
        down = (before > self.level) & (after <= self.level)
        return {"up": up, "down": down, "both": up | down}[self.direction]

    @torch.no_grad()
    def _located(self, state: Tensor) -> Tensor:
        """Return the times from the states before a crossing to the crossing, `(n)`, by a safeguarded Newton method."""
        low, high = state.new_zeros(len(state)), state.new_full((len(state),), self.flow.dt)
        rising, time = state[:, self.coordinate] < self.level, high / 2
        for _ in range(_ITERATIONS):
            reached = advanced(self.flow, state[..., None], time)[..., 0]
            height = reached[:, self.coordinate] - self.level
            early = (height < 0) == rising
            low, high = torch.where(early, time, low), torch.where(early, high, time)
            newton = time - height / self.flow.vector_field(reached)[:, self.coordinate]
            inside = (newton >= low) & (newton <= high)
            change = torch.where(inside, newton, (low + high) / 2) - time
            time = time + change
            if not bool((change.abs() > 1e-7 * self.flow.dt).any()):
                break
        return time

    def _lifted(self, joined: Tensor, value: float) -> Tensor:
        """Insert the coordinate, with a value, into `(..., S - 1, M)`."""
        k = self.coordinate
        return torch.cat([joined[..., :k, :], torch.full_like(joined[..., :1, :], value), joined[..., k:, :]], dim=-2)

    def _dropped(self, joined: Tensor) -> Tensor:
        """Remove the coordinate from `(..., S, M)`."""
        return torch.cat([joined[..., : self.coordinate, :], joined[..., self.coordinate + 1 :, :]], dim=-2)
