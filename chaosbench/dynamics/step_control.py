"""Integration with steps whose size follows from an estimate of the error, for each orbit by itself."""

from collections.abc import Callable

import torch
from torch import Tensor

Attempt = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

_MOST = 20_000  # steps, rejected ones included, after which an orbit is given up


def controlled(attempt: Attempt, joined: Tensor, dt: float, *, order: int) -> Tensor:
    """Return states and tangents one `dt` later, by as many steps as each state's error requires.

    The first step tried is `dt` itself. Step sizes depend on the state of the orbit alone, neither on other orbits nor
    on tangents, and carry no derivative: tangents are the derivative of the sequence of steps that was taken.

    Args:
        attempt: maps `(n, S, 1 + M)` and step sizes `(n)` to the result of a step and its error `(n)`, in units of the
            largest error that is accepted.
        joined: `(n, S, 1 + M)`.
        dt: total time [system time].
        order: the error of a step grows as its size to the power `order`.

    Returns:
        `(n, S, 1 + M)`; NaN where an orbit blows up, or needs too many steps.
    """
    left = joined.new_full((len(joined),), dt)
    size, least = left.clone(), 4 * torch.finfo(joined.dtype).eps * dt
    for _ in range(_MOST):
        going = (left > 0).nonzero().flatten()
        if len(going) == 0:
            return joined
        step = _next(size[going], left[going])
        stepped, error = attempt(joined[going], step)
        accepted = error <= 1
        factor = (0.9 * error.clamp(min=1e-12) ** (-1 / order)).clamp(0.1, 6.0).nan_to_num(0.1)
        lost = ~accepted & (step <= least)
        stepped = torch.where(lost[:, None, None], torch.nan, stepped)
        moved = accepted | lost
        joined = joined.index_copy(0, going[moved], stepped[moved])
        rest = torch.where(lost | (step == left[going]), 0.0, left[going] - step)
        left = left.index_copy(0, going[moved], rest[moved])
        size = size.index_copy(0, going, step * factor)
    return torch.where((left > 0)[:, None, None], torch.nan, joined)


def error_size(error: Tensor, before: Tensor, after: Tensor, tolerance: float) -> Tensor:
    """Return the root mean square of an error, in units of `tolerance` times 1 + |z|, `(n, S)` to `(n)`.

    In single precision the tolerance is at least a hundred times the rounding error.
    """
    allowed = max(tolerance, 100 * torch.finfo(error.dtype).eps)
    return (error / (allowed * (1 + torch.maximum(before.abs(), after.abs())))).square().mean(-1).sqrt()


def _next(size: Tensor, left: Tensor) -> Tensor:
    """Return the next step: all that is left, or half of it rather than a step that leaves almost nothing."""
    return torch.where(size >= left, left, torch.where(2 * size >= left, left / 2, size))
