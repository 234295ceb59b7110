"""One interface to every equation of dysts: coordinates in, derivatives or next coordinates out."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from chaosbench.errors import unknown_name
from chaosbench_dysts import arrays, installed

Module = str  # "flows" or "maps", of dysts
Constant = float | tuple[float, ...] | tuple[tuple[float, ...], ...]


class Entry(NamedTuple):
    """The entry of a system in the tables of dysts, without its estimates of exponents.

    Attributes:
        parameters: by name.
        start: a state on the attractor.
        period: of the strongest oscillation [system time]; of a map 1 [steps].
        delayed: True if the equation has a delay.
        description, citation: texts.
    """

    parameters: Mapping[str, Constant]
    start: tuple[float, ...]
    period: float
    delayed: bool
    description: str
    citation: str


@lru_cache(maxsize=2)
def entries(module: Module) -> dict[str, Entry]:
    """Return the entry of each system of a module by name."""
    return {name: _entry(stored) for name, stored in installed.table(module).items()}


def entry(module: Module, name: str, *, delayed: bool = False) -> Entry:
    """Return the entry of a system.

    Raises:
        UnknownNameError: with the nearest name.
    """
    known = {other: found for other, found in entries(module).items() if found.delayed == delayed}
    if name not in known:
        noun = "delay system" if delayed else module.removesuffix("s")
        raise unknown_name(f"{noun} of dysts", name, known)
    return known[name]


def right_hand_side(
    module: Module, name: str, state: Tensor, parameters: Mapping[str, Constant], time: Tensor | None = None
) -> Tensor:
    """Return dx/dt of a flow at a time, or the next state of a map, `(..., S) -> (..., S)`."""
    columns = state.unbind(-1)
    written = {**arrays.FLOWS} if module == "flows" else {**arrays.MAPS}
    if name in written:
        return _stacked(written[name](columns, **parameters), columns)
    instance = installed.with_parameters(installed.classes(module)[name], dict(parameters))
    rest = () if module == "maps" else (time,)
    if hasattr(instance, "_rhs"):
        values = instance._rhs(*columns, *rest, *(parameters[key] for key in sorted(parameters)))
    else:
        values = instance.rhs(columns, *rest)
    return _stacked(values if isinstance(values, Sequence) else [values], columns)


def observed(name: str, state: Tensor, parameters: Mapping[str, Constant]) -> Tensor:
    """Return what dysts shows of a state of a flow, `(..., D) -> (..., D)`: sines in the place of angles."""
    instance = installed.with_parameters(installed.classes("flows")[name], dict(parameters))
    if not hasattr(instance, "_postprocessing"):
        return state
    columns = state.unbind(-1)
    return _stacked(instance._postprocessing(*columns), columns)


def delayed_slope(name: str, parameters: Mapping[str, Constant], now: Tensor, before: Tensor) -> Tensor:
    """Return dx/dt of a delay system from x(t) and x(t - tau), elementwise."""
    cls: Any = installed.classes("flows")[name]
    slope: Tensor = cls._rhs(now, before, None, *(parameters[key] for key in sorted(parameters)))
    return slope


def angles(name: str, parameters: Mapping[str, Constant]) -> dict[int, float]:
    """Return the coordinates of a flow that are angles or clocks, with the range after which they repeat."""
    if name in _BLINKING:
        tau = parameters["tau"]
        assert isinstance(tau, float)
        return {coordinate: (tau if coordinate == 2 else 2 * math.pi) for coordinate in _BLINKING[name]}
    if name == "OscillatingFlow":
        assert isinstance(parameters["k"], float)
        return {0: 2 * math.pi / parameters["k"], 2: 2 * math.pi}
    return dict.fromkeys(_ANGLES.get(name, ()), 2 * math.pi)


# Drives whose clock counts time, modulo their period tau; the other one is an angle.
_BLINKING = {
    "BlinkingRotlet": (1, 2), "BlinkingVortex": (1, 2), "InteriorSquirmer": (1, 2), "LidDrivenCavityFlow": (2,),
}  # fmt: skip
_ANGLES = {
    "ArnoldBeltramiChildress": (0, 1, 2), "ArnoldWeb": (2, 3, 4), "CircadianRhythm": (4,), "DoubleGyre": (2,),
    "DoublePendulum": (0, 1), "Duffing": (2,), "FluidTrampoline": (2,), "ForcedBrusselator": (2,),
    "ForcedFitzHughNagumo": (2,), "ForcedVanDerPol": (2,), "StickSlipOscillator": (2,), "SwingingAtwood": (1,),
    "TurchinHanski": (2,),
}  # fmt: skip
# Flows whose last coordinate is the clock of a periodic drive.
DRIVEN = frozenset({
    "ArnoldWeb", "BlinkingRotlet", "BlinkingVortex", "CircadianRhythm", "DoubleGyre", "Duffing", "FluidTrampoline",
    "ForcedBrusselator", "ForcedFitzHughNagumo", "ForcedVanDerPol", "InteriorSquirmer", "LidDrivenCavityFlow",
    "OscillatingFlow", "StickSlipOscillator", "TurchinHanski",
})  # fmt: skip
TIMED = frozenset({"Torus"})  # the time itself is in the equation
# Coordinates of maps that are angles.
MAP_ANGLES: dict[str, dict[int, float]] = {
    "Circle": {0: 1.0},
    "Chirikov": {0: 2 * math.pi, 1: 2 * math.pi},
    "BlinkingVortexMap": {1: 2 * math.pi},
}


def _stacked(values: Sequence[Any], columns: Sequence[Tensor]) -> Tensor:
    """Return coordinates as a state; numbers hold for all states."""
    tensors = [value if isinstance(value, Tensor) else torch.full_like(columns[0], value) for value in values]
    return torch.stack(tensors, dim=-1)


def _entry(stored: Mapping[str, Any]) -> Entry:
    start = stored["initial_conditions"]
    delayed = bool(stored.get("delay"))
    return Entry(
        parameters={name: _constant(value) for name, value in stored["parameters"].items()},
        start=tuple(float(value) for value in (start[:1] if delayed else start)),
        period=float(stored.get("period", 1.0)),
        delayed=delayed,
        description=stored.get("description", ""),
        citation=stored.get("citation", ""),
    )


def _constant(value: Any) -> Constant:
    """Return a parameter as a number, a tuple of numbers or a tuple of rows."""
    if isinstance(value, list):
        return tuple(_constant(one) for one in value)  # type: ignore[return-value]  # rows hold numbers
    return float(value)
