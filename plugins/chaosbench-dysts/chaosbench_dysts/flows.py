"""The flows of dysts."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from chaosbench.systems import WrappedFlow, clocked
from chaosbench_dysts import equations
from chaosbench_dysts.systems import DystsSystem

_ENERGY = frozenset({"DoublePendulum", "HenonHeiles", "NuclearQuadrupole", "SwingingAtwood"})  # they conserve one


class DystsFlow(WrappedFlow, DystsSystem):
    """A flow of the collection dysts, chosen by its name; angles are observed as dysts shows them, by their sines.

    The default dt is a hundredth of the period that dysts stores, with as many substeps as accuracy needs. Orbits start
    a billionth apart from the state that dysts stores, so that no other attractor takes part.

    Source:
        Gilpin 2021, Advances in Neural Information Processing Systems 34 (arXiv 2110.05266). dysts names the source of
        each flow.
    """

    module: ClassVar[str] = "flows"

    kind: Literal["dysts_flow"] = "dysts_flow"
    dt: float = Field(default=0.01, gt=0)  # [system time] per step; left out, it is chosen for the name
    substeps: int = Field(default=1, ge=1)  # equal steps per dt; left out, they are chosen for the name

    __hash__ = DystsSystem.__hash__  # pydantic would hash the mapping `constants`

    @property
    @override
    def state_size(self) -> int:
        """Number of coordinates, and one for the time where the equation contains it besides them."""
        return self.dimension + (self.name in equations.TIMED)

    @property
    @override
    def start(self) -> tuple[float, ...]:  # type: ignore[override]  # a property in place of a class variable
        """The state that dysts stores, and time 0 where the equation contains it."""
        return self.entry.start + (0.0,) * (self.name in equations.TIMED)

    @property
    def neutral(self) -> int:  # type: ignore[override]  # a property in place of a class variable
        """Number of exponents that are zero by symmetry: two with an energy, all where only the time matters."""
        return 4 if self.name in equations.TIMED else 2 if self.name in _ENERGY else 1

    @property
    @override
    def period(self) -> float | None:
        """Period of the drive [system time], whose clock is the last coordinate; None without a drive."""
        if self.cycle is None:
            return None
        slope = self.vector_field(torch.tensor(self.start, dtype=torch.float64))
        return abs(self.cycle / float(slope[-1]))

    @property
    @override
    def cycle(self) -> float | None:
        """Range of the drive's clock, in the units of the clock; None without a drive."""
        return self.ranges[self.dimension - 1] if self.name in equations.DRIVEN else None

    @property
    @override
    def ranges(self) -> Mapping[int, float]:
        """Ranges of angles, and of the clock of a drive."""
        return equations.angles(self.name, self.all_constants)

    @override
    def vector_field(self, state: Tensor) -> Tensor:
        if self.name not in equations.TIMED:
            return equations.right_hand_side("flows", self.name, state, self.all_constants, state.new_zeros(()))
        time = state[..., -1]
        slope = equations.right_hand_side("flows", self.name, state[..., :-1], self.all_constants, time)
        return clocked(slope)

    @override
    def observe(self, state: Tensor) -> Tensor:
        return equations.observed(self.name, state[..., : self.dimension], self.all_constants)
