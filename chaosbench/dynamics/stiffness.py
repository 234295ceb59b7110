"""The cause of a blow-up: an orbit that escapes, or an explicit step that is too long."""

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics.integration import EXPLICIT_LIMIT, integrate
from chaosbench.dynamics.vector_fields import VectorField

_BACK = 50  # [steps] before the blow-up from which the implicit method starts
_GROWTH = 1e4  # a bounded orbit grows by less than this factor


class LongStep(NamedTuple):
    """A step with which an orbit blows up that does not blow up by an implicit method.

    Attributes:
        rate: size of the most negative real part of an eigenvalue of the Jacobian along the orbit [1 / system time].
    """

    rate: float

    def explanation(self, dt: float, *, substeps: int, method: str) -> str:
        """Return the cause in words, and the methods that avoid it."""
        product = dt / substeps * self.rate
        needed = max(2 * substeps, math.ceil(1.5 * dt * self.rate / EXPLICIT_LIMIT))
        return (
            f"the step is too long{' for this stiffness' if product > EXPLICIT_LIMIT else ''}: dt / substeps * "
            f"|most negative eigenvalue| = {product:.3g}, and {method} is stable below {EXPLICIT_LIMIT:g}; "
            f"use method={'radau' if needed > 4 * substeps else 'adaptive'!r} or substeps={needed}"
        )


@torch.no_grad()
def long_step(
    field: VectorField, step: Callable[[Tensor], Tensor], states: Tensor, *, dt: float, steps: int
) -> LongStep | None:
    """Return the stiffness along an orbit that blows up by `step` alone; None if it escapes by any method.

    The orbit is repeated from at most 50 steps before its blow-up by the Radau method, which is stable for any step.

    Args:
        field: the vector field that `step` integrates.
        step: the numerical step.
        states: starts, `(B, S)`.
        dt: of a step [system time].
        steps: number of steps after which the search ends [steps].
    """
    recent = deque([states], maxlen=_BACK + 1)
    for _ in range(steps):
        states = step(states)
        broken = ~states.isfinite().all(-1)
        if bool(broken.any()):
            return _repeated(field, recent, int(broken.nonzero()[0]), dt)
        recent.append(states)
    return None


def _repeated(field: VectorField, recent: deque[Tensor], orbit: int, dt: float) -> LongStep | None:
    """Repeat an orbit by the implicit method, and return its stiffness if it stays bounded."""
    # The explicit orbit may have left the attractor long before it overflows: start where it is still of usual size.
    sizes = torch.stack([states[orbit].abs().amax() for states in recent])
    close = (sizes <= 10 * (1 + sizes[0])).long().cumprod(0).sum()
    begin = max(0, int(close) - 10)
    state, rate = recent[begin][orbit : orbit + 1], 0.0
    limit = _GROWTH * (1 + float(sizes[0]))
    for _ in range(len(recent) - begin + 10):
        values = torch.linalg.eigvals(field.jacobian(state))
        rate = max(rate, -float(values.real.min()))
        state = integrate(field, state[..., None], dt, method="radau", tolerance=1e-6)[..., 0]
        if not float(state.abs().amax()) < limit:
            return None
    return LongStep(rate)
