"""Integration of a flow over one step of the data, by the method that suits it."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from chaosbench.dynamics.collocation import collocation
from chaosbench.dynamics.implicit import implicit_step
from chaosbench.dynamics.runge_kutta import embedded_runge_kutta_step, embedded_tableau, runge_kutta_step
from chaosbench.dynamics.step_control import controlled, error_size
from chaosbench.dynamics.vector_fields import VectorField
from chaosbench.kernels import Scheme

Method = Literal["dop853", "adaptive", "radau", "gauss"]
GAUSS_STAGES, RADAU_STAGES = 4, 5
ORDERS: dict[Method, int] = {"dop853": 8, "adaptive": 8, "radau": 2 * RADAU_STAGES - 1, "gauss": 2 * GAUSS_STAGES}
CONTROLLED: tuple[Method, ...] = ("adaptive", "radau")  # choose their steps by a tolerance
_CONTROL: dict[Method, int] = {"adaptive": 8, "radau": RADAU_STAGES + 1}  # the estimate of the error grows as h to this
EXPLICIT_LIMIT = 5.0  # of dt times the size of a negative eigenvalue, beyond which DOP853 is not stable


def integrate(
    field: VectorField, joined: Tensor, dt: float, *, method: Method, substeps: int = 1, tolerance: float = 1e-9
) -> Tensor:
    """Return states and tangents one `dt` later; the tangents are the derivative of the numerical step.

    Args:
        field: the vector field.
        joined: states (column 0) and tangents, `(..., S, 1 + M)`; M may be 0.
        dt: [system time].
        method: "dop853": explicit, eighth order, `substeps` equal steps. "adaptive": the same method, with steps chosen
            by its error estimate. "radau": implicit and L-stable, ninth order, with steps chosen by its error estimate.
            "gauss": implicit, symplectic and symmetric, eighth order, `substeps` equal steps.
        substeps: equal steps per `dt`, of the methods that choose none.
        tolerance: largest error of a step that is accepted, in units of 1 + |z|, of the others.

    Returns:
        `(..., S, 1 + M)`; NaN where an orbit blows up.
    """
    if method == "dop853":
        for _ in range(substeps):
            joined = runge_kutta_step(field.joined, joined, dt / substeps)
        return joined
    flat = joined.reshape(-1, *joined.shape[-2:])
    if method == "gauss":
        sizes = flat.new_full((len(flat),), dt / substeps)
        for _ in range(substeps):
            flat = implicit_step(field, flat, sizes, collocation("gauss", GAUSS_STAGES)).joined
    elif method == "radau":
        flat = controlled(_Radau(field, tolerance), flat, dt, order=_CONTROL["radau"])
    else:
        flat = controlled(_Adaptive(field, tolerance), flat, dt, order=_CONTROL["adaptive"])
    return flat.view_as(joined)


def scheme(
    value: Callable[[Tensor], Tensor],
    dt: float,
    *,
    method: Method,
    substeps: int = 1,
    tolerance: float = 1e-9,
    ranges: Mapping[int, float] | None = None,
) -> Scheme | None:
    """Return what `integrate` does with a field as compiled loops take it; None for "dop853", whose step is traced.

    Args:
        value: the field dz/dt, `(..., S) -> (..., S)`.
        dt, method, substeps, tolerance: as for `integrate`.
        ranges: range after which an entry of the state repeats, by its number; it is wrapped behind each `dt`.
    """
    if method == "dop853":
        return None
    tableau, differences = embedded_tableau()
    rule = collocation("gauss", GAUSS_STAGES) if method == "gauss" else collocation("radau", RADAU_STAGES)
    return Scheme(
        value=value,
        method=method,
        dt=dt,
        substeps=substeps,
        tolerance=tolerance,
        order=_CONTROL.get(method, 1),
        nodes=rule.nodes,
        matrix=rule.matrix,
        ends=rule.ends,
        errors=rule.errors,
        damping=rule.damping,
        tableau=tableau,
        differences=differences,
        ranges=ranges or {},
    )


class _Radau:
    """A step of the Radau method and its error."""

    def __init__(self, field: VectorField, tolerance: float) -> None:
        self._field, self._tolerance = field, tolerance

    def __call__(self, joined: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        stepped, error = implicit_step(self._field, joined, dt, collocation("radau", RADAU_STAGES))
        return stepped, _size(error, joined, stepped, self._tolerance)


class _Adaptive:
    """A step of DOP853 and its error."""

    def __init__(self, field: VectorField, tolerance: float) -> None:
        self._field, self._tolerance = field, tolerance

    def __call__(self, joined: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        stepped, fifth, third = embedded_runge_kutta_step(self._field.joined, joined, dt)
        large = _size(fifth[..., 0], joined, stepped, self._tolerance)
        # Hairer, Norsett & Wanner, section II.10: the estimate of order five is corrected by that of order three.
        small = _size(third[..., 0], joined, stepped, self._tolerance)
        combined = large * large / (large * large + 0.01 * small * small).sqrt()
        return stepped, torch.where(large == 0, 0.0, combined)


def _size(error: Tensor, joined: Tensor, stepped: Tensor, tolerance: float) -> Tensor:
    return error_size(error.detach(), joined[..., 0].detach(), stepped[..., 0].detach(), tolerance)
