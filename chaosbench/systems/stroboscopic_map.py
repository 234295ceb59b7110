"""The stroboscopic map of a driven flow."""

import math
from functools import lru_cache
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.systems.flow import Flow
from chaosbench.systems.flow_steps import advanced, carried
from chaosbench.systems.growth_of_tangents import GrowthOfTangents
from chaosbench.systems.map_of_flow import MapOfFlow


class StroboscopicMap(MapOfFlow):
    """The state of a driven flow once in each period of its drive.

    The state is that of the flow without its clock. The exponents are those of the flow, without the zero exponent of
    the clock, times the period.

    Source:
        Guckenheimer & Holmes 1983, Nonlinear Oscillations, Dynamical Systems, and Bifurcations of Vector Fields,
        section 1.5.
    """

    kind: Literal["stroboscopic_map"] = "stroboscopic_map"
    phase: float = Field(default=0.0, ge=0, lt=1)  # of the drive at which the state is seen [periods]

    @model_validator(mode="after")
    def _flow_has_a_period(self) -> Self:
        if self.flow.cycle is None:
            raise ValueError(f"flow={self.flow.label} has no drive with a period; a poincare_map needs none")
        return self

    @property
    @override
    def fixed_entry(self) -> int:
        return self.flow.state_size - 1

    @property
    @override
    def fixed_value(self) -> float:
        return self.phase * self._cycle

    @override
    def next_visit(self, joined: Tensor, growth: GrowthOfTangents | None = None) -> Tensor:
        flow, steps = _divided(self.flow)
        counts = torch.full((len(joined),), steps, device=joined.device)
        return carried(flow, joined, counts) if growth is None else growth.carried(flow, joined, counts)

    @override
    def return_time(self, state: Tensor) -> Tensor:
        assert self.flow.period is not None
        return torch.full_like(state[..., 0], self.flow.period)

    @override
    def initial_state(self, batch: int, generator: Generator) -> Tensor:
        """Sample states on the flow's attractor and let each reach the phase, `(B, S)`."""
        states = self.flow.initial_state(batch, generator)
        cycle, (flow, steps) = self._cycle, _divided(self.flow)
        left = (self.phase * cycle - states[:, -1]).remainder(cycle) / cycle * (flow.dt * steps)
        with torch.no_grad():
            for _ in range(steps):
                states = advanced(flow, states[..., None], left / steps)[..., 0]
        return states[:, :-1]

    @property
    def _cycle(self) -> float:
        assert self.flow.cycle is not None
        return self.flow.cycle


@lru_cache(maxsize=64)
def _divided(flow: Flow) -> tuple[Flow, int]:
    """Return the flow with a step that divides its period, at most as long as its own, and the steps in a period."""
    assert flow.period is not None
    steps = math.ceil(flow.period / flow.dt * (1 - 1e-9))
    return flow.replaced(dt=flow.period / steps), steps
