"""The next crossing of a section by orbits of a flow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from chaosbench.kernels import CompiledStep, compiled_part
from chaosbench.systems.flow import Flow
from chaosbench.systems.flow_steps import advanced, carried, compiled_step, over_own_time, stepped_once
from chaosbench.systems.growth_of_tangents import GrowthOfTangents

Direction = Literal["up", "down", "both"]
_ITERATIONS = 40  # of the search for a crossing; Newton's method needs four, bisection the others
_STARTS, _POINTS = 8, 64  # orbits and states at which compiled functions are compared with torch


@dataclass(frozen=True)
class Section:
    """The section state[entry] = level through the state space of a flow.

    Attributes:
        flow: the flow.
        entry: of the state, counted from 0.
        level: value of the entry on the section.
        direction: of the crossings that count.
        patience: after which an orbit is lost [system time].
    """

    flow: Flow
    entry: int
    level: float
    direction: Direction
    patience: float

    def next_crossing(self, joined: Tensor, growth: GrowthOfTangents | None = None) -> tuple[Tensor, Tensor]:
        """Return states and tangents at the next crossing, and the time it takes, NaN where there is none.

        A crossing is a change of sign between two steps of the flow, located to rounding. There the motion along the
        flow is subtracted: by -dz_k / f_k in time from tangents, and by what is left of z_k - level from the state,
        which makes the step differentiable.

        Args:
            joined: states (column 0) and tangents, `(n, S, 1 + M)`.
            growth: decomposes the tangents on the way; None: they are carried as they are.

        Returns:
            `(n, S, 1 + M)` and `(n)` [system time].
        """
        before, counts = self._approached(joined) if growth is None else self._approached_in_parts(joined, growth)
        fraction = self._located(before[..., 0].detach())
        after = self._advanced(before, fraction)
        slope = self.flow.vector_field(after[..., 0].detach())
        level = torch.zeros_like(after[:, self.entry])
        level[:, 0] = self.level
        late = (after[:, self.entry] - level) / slope[:, self.entry, None]
        times = counts.to(fraction) * self.flow.dt + fraction - late[:, 0].detach()
        return after - slope[..., None] * late[:, None], times

    def _approached(self, joined: Tensor) -> tuple[Tensor, Tensor]:
        """Return states and tangents at the last step before a crossing, and the steps; NaN without a crossing."""
        limit = int(self.patience / self.flow.dt) + 1
        step = compiled_step(self.flow, joined)
        if step is None:
            return self._approached_by_torch(joined, limit)
        states, counts = step.before_crossing(joined[..., 0], **self._crossing(limit))
        if joined.shape[-1] == 1:
            return states[..., None], counts
        return carried(self.flow, joined, counts).masked_fill((counts < 0)[:, None, None], torch.nan), counts

    def _approached_in_parts(self, joined: Tensor, growth: GrowthOfTangents) -> tuple[Tensor, Tensor]:
        """Return the same, with tangents that are decomposed between the steps."""
        states, counts = self._approached(joined[..., :1])
        lost = ~states[..., 0].isfinite().all(-1)
        counts = counts.masked_fill(lost, -1)
        return growth.carried(self.flow, joined, counts).masked_fill(lost[:, None, None], torch.nan), counts

    def _approached_by_torch(self, joined: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        counts = torch.zeros(len(joined), dtype=torch.int64, device=joined.device)
        going = torch.arange(len(joined), device=joined.device)
        for _ in range(limit):
            here = joined[going]
            following = stepped_once(self.flow, here)
            on = ~self._crosses(here[:, self.entry, 0], following[:, self.entry, 0])
            going, following = going[on], following[on]
            joined = joined.index_copy(0, going, following)
            counts = counts.index_add(0, going, torch.ones_like(going))
            going = going[following[..., 0].isfinite().all(-1)]
            if len(going) == 0:
                return joined, counts
        return joined.index_fill(0, going, torch.nan), counts

    def _crosses(self, before: Tensor, after: Tensor) -> Tensor:
        """Return whether the section lies between two values of the entry, `(n)`; a start on it does not count."""
        up = (before < self.level) & (after >= self.level)
        down = (before > self.level) & (after <= self.level)
        return {"up": up, "down": down, "both": up | down}[self.direction]

    @torch.no_grad()
    def _located(self, states: Tensor) -> Tensor:
        """Return the times from the states before a crossing to the crossing, `(n)`, by a safeguarded Newton method."""
        compiled = self._compiled("probe", self._probe, states)
        if compiled is not None:
            return compiled.crossing_times(states, **self._crossing(_ITERATIONS))
        low, high = states.new_zeros(len(states)), states.new_full((len(states),), self.flow.dt)
        rising, time = states[:, self.entry] < self.level, high / 2
        going = torch.ones_like(rising)
        for _ in range(_ITERATIONS):
            reached = self._probe(torch.cat([states, time[:, None]], dim=-1))
            height = reached[:, self.entry] - self.level
            early = (height < 0) == rising
            low, high = torch.where(early, time, low), torch.where(early, high, time)
            newton = time - height / reached[:, -1]
            inside = (newton >= low) & (newton <= high)
            change = torch.where(inside, newton, (low + high) / 2) - time
            time = torch.where(going, time + change, time)
            going = going & (change.abs() > 1e-7 * self.flow.dt)
            if not bool(going.any()):
                break
        return time

    def _probe(self, extended: Tensor) -> Tensor:
        """Return the state after a time, and the rate of its entry, for a state and that time, `(n, S + 1)`."""
        reached = advanced(self.flow, extended[:, :-1, None], extended[:, -1])[..., 0]
        return torch.cat([reached, self.flow.vector_field(reached)[:, self.entry, None]], dim=-1)

    def _advanced(self, joined: Tensor, times: Tensor) -> Tensor:
        """Return states and tangents `(n, S, 1 + M)` after times of less than a step each, `(n)`."""
        row = torch.cat([times[:, None], times.new_zeros(len(times), joined.shape[-1] - 1)], dim=-1)
        extended, once = torch.cat([joined, row[:, None]], dim=-2), torch.ones(len(times), dtype=torch.int64)
        compiled = self._compiled("advance", self._advance, joined[..., 0], tangents=joined.shape[-1] > 1)
        if compiled is None:
            return over_own_time(self.flow, extended)[:, :-1]
        if joined.shape[-1] == 1:
            return compiled.after(extended[..., 0], once)[:, :-1, None]
        states, tangents = compiled.carried(extended[..., 0], extended[..., 1:], once)
        return torch.cat([states[..., None], tangents], dim=-1)[:, :-1]

    def _advance(self, extended: Tensor) -> Tensor:
        return over_own_time(self.flow, extended[..., None])[..., 0]

    def _advance_with_tangents(self, extended: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        joined = over_own_time(self.flow, torch.cat([extended[..., None], tangents], dim=-1))
        return joined[..., 0], joined[..., 1:]

    def _compiled(
        self, name: str, function: Callable[[Tensor], Tensor], states: Tensor, *, tangents: bool = False
    ) -> CompiledStep | None:
        """Return a function of states and times, `(n, S + 1)`, as machine code; None if torch must do it."""
        step, starts = compiled_step(self.flow, states[..., None]), states[states.isfinite().all(-1)][:_STARTS]
        if not isinstance(step, CompiledStep) or len(starts) == 0:
            return None

        def sample() -> Tensor:
            path = torch.cat([starts, step.orbit(starts, steps=_POINTS).flatten(0, 1)])
            path = path[path.isfinite().all(-1)][:: max(1, len(path) // _POINTS)]
            times = torch.linspace(0, self.flow.dt, len(path), dtype=path.dtype)
            return torch.cat([path, times[:, None]], dim=-1)

        extended = torch.cat([states, states[:, :1]], dim=-1)
        part = compiled_part(
            self.flow,
            f"{name} {self.entry}",
            function,
            extended,
            tangent_step=self._advance_with_tangents if tangents else None,
            sample=sample,
        )
        return part if isinstance(part, CompiledStep) else None

    def _crossing(self, limit: int) -> dict[str, float | bool]:
        """Return the section as compiled loops take it."""
        up, down = self.direction != "down", self.direction != "up"
        return {"entry": self.entry, "level": self.level, "up": up, "down": down, "limit": limit, "dt": self.flow.dt}
