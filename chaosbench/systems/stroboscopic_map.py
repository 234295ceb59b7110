"""The stroboscopic map of a driven flow."""

import math
from functools import lru_cache
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.systems.base import Map
from chaosbench.systems.flow import Flow
from chaosbench.systems.nested import AnyFlow
from chaosbench.systems.partial_steps import advanced


class StroboscopicMap(Map):
    """The state of a driven flow once in each period of its drive.

    The state is that of the flow without its clock. The exponents are those of the flow, without the zero exponent of
    the clock, times the period.

    Source:
        Guckenheimer & Holmes 1983, Nonlinear Oscillations, Dynamical Systems, and Bifurcations of Vector Fields,
        section 1.5.
    """

    kind: Literal["stroboscopic_map"] = "stroboscopic_map"
    flow: AnyFlow  # a flow with a period
    phase: float = Field(default=0.0, ge=0, lt=1)  # of the drive at which the state is seen [periods]

    @model_validator(mode="after")
    def _flow_has_a_period(self) -> Self:
        if self.flow.period is None or getattr(self.flow, "frozen_at", None) is not None:
            raise ValueError(f"flow={self.flow.label} has no drive with a period; a poincare_map needs none")
        return self

    @property
    @override
    def dimension(self) -> int:
        """Number of the flow's observables, without one that shows the clock."""
        return min(self.flow.dimension, self.state_size)

    @property
    @override
    def state_size(self) -> int:
        """Size of the flow's state without its clock."""
        return self.flow.state_size - 1

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        """The flow by its label, and the phase."""
        return {"flow": self.flow.label, "phase": self.phase}

    @property
    @override
    def compilable(self) -> bool:
        """False: one step is hundreds of steps of the flow."""
        return False

    @override
    def step(self, state: Tensor) -> Tensor:
        flow, steps = _divided(self.flow)
        state = self._with_clock(state)
        for _ in range(steps):
            state = flow.step(state)
        return state[..., :-1]

    @override
    def tangent_step(self, state: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        flow, steps = _divided(self.flow)
        state, tangents = self._with_clock(state), torch.cat([tangents, torch.zeros_like(tangents[..., :1, :])], dim=-2)
        for _ in range(steps):
            state, tangents = flow.tangent_step(state, tangents)
        return state[..., :-1], tangents[..., :-1, :]

    @override
    def observe(self, state: Tensor) -> Tensor:
        return self.flow.observe(self._with_clock(state))[..., : self.dimension]

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

    def _with_clock(self, state: Tensor) -> Tensor:
        return torch.cat([state, torch.full_like(state[..., :1], self.phase * self._cycle)], dim=-1)


@lru_cache(maxsize=64)
def _divided(flow: Flow) -> tuple[Flow, int]:
    """Return the flow with a step that divides its period, at most as long as its own, and the steps in a period."""
    assert flow.period is not None
    steps = math.ceil(flow.period / flow.dt * (1 - 1e-9))
    return flow.replaced(dt=flow.period / steps), steps
