"""Regimes of motion, classified by the exponents and the period of an orbit."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics.lyapunov import finite_time_exponents
from chaosbench.dynamics.orbits import orbit
from chaosbench.dynamics.step_maps import Step, prepared
from chaosbench.intervals import half_width

Regime = Literal["chaotic", "quasi-periodic", "periodic", "fixed point", "divergent"]

_PATIENCE = 10_000  # [steps] in which an orbit with a negative exponent must settle
_ESCAPE = 1e4  # an orbit escapes if it exceeds this factor times its start, or times 1 for a smaller start
# Allowed deviation of a returning orbit, relative to its largest entry: rounding makes orbits jitter around a cycle.
_RETURN = {torch.float32: 1e-4, torch.float64: 1e-8}


class Motion(NamedTuple):
    """The motion of each orbit of a map: exponents, their uncertainty, and periods.

    Attributes:
        blocks: `(..., P, M)`, exponents of successive blocks, in the order of the tangent vectors [1 / step].
        block_steps: length of each block [steps].
        exponents: `(..., M)`, means over blocks, descending [1 / step]; NaN where the orbit is not bounded.
        intervals: `(..., M)`, half widths of their 95 % intervals, from the spread over blocks [1 / step].
        resolution: exponent that an orbit of this length can show without chaos [1 / step].
        periods: `(...)`, period of the orbit [steps]; 0 where it is not periodic.
        bounded: `(...)`, true where the orbit neither blows up nor escapes.
    """

    blocks: Tensor
    block_steps: int
    exponents: Tensor
    intervals: Tensor
    resolution: float
    periods: Tensor
    bounded: Tensor

    def regimes(self) -> list[Regime]:
        """Return the regime of each orbit, in the order of the flattened leading axes."""
        tolerances = self.intervals + self.resolution
        return [
            map_regime(value, width, period=period, bounded=bounded)
            for value, width, period, bounded in zip(
                self.exponents[..., 0].flatten().tolist(),
                tolerances[..., 0].flatten().tolist(),
                self.periods.flatten().tolist(),
                self.bounded.flatten().tolist(),
                strict=True,
            )
        ]


def motion(
    step: Step,
    states: Tensor,
    *,
    steps: int,
    transient: int,
    exponents: int | None = None,
    every: int = 1,
    blocks: int = 10,
    longest: int = 64,
) -> Motion:
    """Estimate the exponents and the period of each orbit of a map, and whether the orbit is bounded.

    Args:
        step: a step map.
        states: `(..., S)`.
        steps: steps over which exponents are averaged [steps].
        transient: preceding steps that are dropped [steps].
        exponents: M, number of leading exponents; None: all.
        every: steps between two QR decompositions [steps].
        blocks: number of equal blocks that `steps` is divided into.
        longest: longest period to look for [steps].
    """
    step, states = prepared(step, states)
    with torch.no_grad():
        settled = orbit(step, states, steps=1, transient=transient + steps)[..., 0, :]
    blocks = min(blocks, steps)
    each = finite_time_exponents(
        step, states, steps=steps, transient=transient, every=every, exponents=exponents, blocks=blocks
    )
    mean, order = each.mean(-2).sort(dim=-1, descending=True)
    widths = half_width(each.std(-2), blocks).gather(-1, order)
    escaped = settled.abs().amax(-1) > _ESCAPE * states.abs().amax(-1).clamp(min=1)
    # NaN marks a blow-up; -inf is a tangent that vanishes, for instance on a superstable cycle.
    bounded = ~(each.isnan().any(-1).any(-1) | settled.isnan().any(-1) | escaped)
    returns = periods(step, settled, longest=longest)
    # Without chaos, tangents may still grow linearly in time; this is the apparent exponent after `transient`.
    resolution = math.log1p(steps / max(transient, 1)) / steps
    intervals = torch.where(mean.isinf(), 0.0, widths)
    slow = bounded & (returns == 0) & (mean[..., 0] < -resolution - intervals[..., 0].nan_to_num())
    if bool(slow.any()):  # still approaching a point or a cycle; other orbits keep their result
        later = orbit(step, settled, steps=1, transient=_PATIENCE)[..., 0, :]
        returns = torch.where(slow, periods(step, later, longest=longest), returns)
    return Motion(
        blocks=each,
        block_steps=steps // blocks,
        exponents=mean,
        intervals=intervals,
        resolution=resolution,
        periods=torch.where(bounded, returns, 0),
        bounded=bounded,
    )


def map_regime(exponent: float, tolerance: float, *, period: int, bounded: bool) -> Regime:
    """Classify an orbit of a map by its largest exponent and its period.

    Args:
        exponent: largest exponent [1 / step].
        tolerance: uncertainty of the exponent; a smaller magnitude counts as zero [1 / step].
        period: period of the orbit [steps]; 0 where it is not periodic.
        bounded: True if the orbit neither blows up nor escapes.
    """
    if not bounded:
        return "divergent"
    if exponent > tolerance:
        return "chaotic"
    if period:
        return "fixed point" if period == 1 else "periodic"
    return "quasi-periodic" if exponent >= -tolerance else "periodic"  # its cycle is longer than the periods searched


def regime(exponents: Sequence[float], tolerances: Sequence[float], *, neutral: int, period: int | None) -> Regime:
    """Classify an attractor by the signs of its exponents.

    Args:
        exponents: leading exponents, descending.
        tolerances: uncertainty of each exponent; a smaller magnitude counts as zero.
        neutral: number of exponents that are zero unless the attractor is a fixed point: 1 for a flow, 0 for a map.
        period: period of a map's orbit [steps], from `shortest_period`; None for flows and where there is no period.

    Source:
        Ott 2002, Chaos in Dynamical Systems, second edition, Cambridge University Press, section 4.4.
    """
    if exponents[0] > tolerances[0]:
        return "chaotic"
    zeros = sum(abs(value) <= tolerance for value, tolerance in zip(exponents, tolerances, strict=True))
    if period is not None:
        return "fixed point" if period == 1 else "periodic"
    if zeros < neutral:
        return "fixed point"
    return "periodic" if zeros == neutral else "quasi-periodic"


def shortest_period(step: Step, states: Tensor, *, longest: int = 64, tolerance: float = 1e-6) -> int | None:
    """Return the number of steps after which all states `(..., S)` return, or None if any does not.

    Each state must return within `longest` steps; `tolerance` is as for `periods`.
    """
    shortest = periods(step, states, longest=longest, tolerance=tolerance)
    return math.lcm(*shortest.flatten().tolist()) or None


@torch.no_grad()
def periods(
    step: Step, states: Tensor, *, longest: int = 64, tolerance: float | None = None, watched: int = 256
) -> Tensor:
    """Return the shortest period of each orbit.

    An orbit may stay near a point for a while, so it must repeat its first states for `watched` steps.

    Args:
        step: a step map.
        states: `(..., S)`.
        longest: longest period to look for [steps].
        tolerance: largest deviation from the first states, relative to the largest entry of the orbit, or to 1 where
            that is smaller; None: 1e-4 in single and 1e-8 in double precision.
        watched: steps over which the orbit must repeat itself [steps].

    Returns:
        `(...)` [steps]; 0 where the orbit has no period up to `longest`.
    """
    step, states = prepared(step, states, differentiated=False)
    path = orbit(step, states, steps=longest + watched)  # (..., T, S)
    relative = _RETURN.get(states.dtype, 1e-4) if tolerance is None else tolerance
    allowed = relative * path.abs().amax((-2, -1)).clamp(min=1)
    times = torch.arange(path.shape[-2], device=states.device)
    shortest = torch.zeros(states.shape[:-1], dtype=torch.long, device=states.device)
    # Few orbits return to their first state at all, and all lags are asked about at once: asking waits for a GPU.
    returned = (path[..., 1 : longest + 1, :] - path[..., :1, :]).abs().amax(-1) <= allowed.unsqueeze(-1)
    lags = returned.flatten(0, -2).any(0).nonzero().flatten() + 1
    for count in reversed(lags.tolist()):
        deviation = (path - path[..., times % count, :]).abs().amax((-2, -1))
        shortest = torch.where(deviation <= allowed, count, shortest)
    return shortest
