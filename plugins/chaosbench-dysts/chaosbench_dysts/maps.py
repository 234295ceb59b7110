"""The maps of dysts."""

from typing import ClassVar, Literal

from torch import Tensor
from typing_extensions import override

from chaosbench.systems import Map, wrapped
from chaosbench_dysts import equations
from chaosbench_dysts.systems import DystsSystem


class DystsMap(Map, DystsSystem):
    """A map of the collection dysts, chosen by its name; angles are kept in one turn.

    Orbits start a billionth apart from the state that dysts stores, so that no other attractor takes part.

    Source:
        Gilpin 2021, Advances in Neural Information Processing Systems 34 (arXiv 2110.05266). dysts names the source of
        each map.
    """

    module: ClassVar[str] = "maps"

    kind: Literal["dysts_map"] = "dysts_map"

    __hash__ = DystsSystem.__hash__  # pydantic would hash the mapping `constants`

    @override
    def step(self, state: Tensor) -> Tensor:
        following = equations.right_hand_side("maps", self.name, state, self.all_constants)
        return wrapped(following, equations.MAP_ANGLES.get(self.name, {}))
