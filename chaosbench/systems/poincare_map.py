"""The Poincaré map of a flow on a section through its state space."""

from collections.abc import Callable
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor
from typing_extensions import override

from chaosbench.errors import DataError
from chaosbench.systems.crossings import Direction, Section
from chaosbench.systems.growth_of_tangents import GrowthOfTangents
from chaosbench.systems.map_of_flow import MapOfFlow


class PoincareMap(MapOfFlow):
    """The states at which a flow crosses the section z_k = level, from one crossing to the next.

    The state is that of the flow without its entry k, the `coordinate`. The exponents are the non-zero exponents of the
    flow times the mean time of return; tangents contain the derivative of that time. A crossing is a change of sign
    between two steps of the flow, located to rounding, so that its `dt` must be shorter than the time between two
    crossings.

    Source:
        Parker & Chua 1989, Practical Numerical Algorithms for Chaotic Systems, sections 2.1 and 2.3.
    """

    kind: Literal["poincare_map"] = "poincare_map"
    coordinate: int = Field(ge=0)  # k, entry of the flow's state, counted from 0
    level: float = 0.0  # value of that entry on the section
    direction: Direction = "up"  # sign of the crossings that count
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
    def fixed_entry(self) -> int:
        return self.coordinate

    @property
    @override
    def fixed_value(self) -> float:
        return self.level

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        """The flow by its label, and the section."""
        return {name: value for name, value in super().parameters.items() if name != "patience"}

    @override
    def next_visit(self, joined: Tensor, growth: GrowthOfTangents | None = None) -> Tensor:
        return self._section.next_crossing(joined, growth)[0]

    @property
    @override
    def projected(self) -> Callable[[Tensor], Tensor]:
        return self.flow.vector_field

    @override
    def return_time(self, state: Tensor) -> Tensor:
        joined = self._with_entry(state[..., None], self.level)
        return self._section.next_crossing(joined.reshape(-1, *joined.shape[-2:]))[1].view(state.shape[:-1])

    @override
    def initial_state(self, batch: int, generator: Generator) -> Tensor:
        """Sample states on the flow's attractor and let each reach the section, `(B, S)`.

        Raises:
            DataError: if an orbit does not reach it.
        """
        with torch.no_grad():
            states = self._visited(self.flow.initial_state(batch, generator)[..., None])[..., 0]
        if not bool(states.isfinite().all()):
            raise DataError(
                f"an orbit of {self.flow.label} does not cross state[{self.coordinate}] = {self.level:g} "
                f"({self.direction}) within {self.patience:g} units of time; choose another level or direction"
            )
        return states

    @property
    def _section(self) -> Section:
        return Section(self.flow, self.coordinate, self.level, self.direction, self.patience)
