"""Make systems of plain functions, as a user would in a notebook."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from chaosbench.systems import Flow, Map
from chaosbench.systems.base import SystemSpec
from chaosbench.systems.driven import DrivenFlow

Coordinates = tuple[Tensor, ...]  # of a state; the functions below may be called with a state as well
Equation = Callable[..., Iterable[Tensor]]


def map_class(equation: Equation, **settings: Any) -> type[SystemSpec]:
    """Return the class of the map that a function of the state defines; `settings` are its class attributes."""
    return _subclass(Map, equation, {"step": lambda _, state: equation(state)}, settings)


def flow_class(equation: Equation, **settings: Any) -> type[SystemSpec]:
    """Return the class of the flow whose vector field is a function of the state."""
    return _subclass(Flow, equation, {"vector_field": lambda _, state: equation(state)}, settings)


def driven_class(equation: Equation, *, period: float, **settings: Any) -> type[SystemSpec]:
    """Return the class of the flow whose vector field is a function of the state and the time, with this period."""

    def driven_field(_: Any, state: Tensor, time: Tensor) -> Tensor:
        return torch.stack(tuple(equation(state.unbind(-1), time)), dim=-1)

    members = {"driven_field": driven_field, "period": property(lambda _: period)}
    return _subclass(DrivenFlow, equation, members, settings)


def _subclass(
    base: type[SystemSpec], equation: Equation, members: dict[str, Any], settings: dict[str, Any]
) -> type[SystemSpec]:
    name = equation.__name__
    annotations = {"kind": Literal[name], **dict.fromkeys(settings, ClassVar[Any])}  # type: ignore[valid-type]
    content = {"__module__": __name__, "__doc__": equation.__doc__, "__annotations__": annotations, "kind": name}
    return type(name, (base,), {**content, **members, **settings})
