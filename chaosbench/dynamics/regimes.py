"""What kind of motion an orbit carries, told from its exponents and from whether it comes back."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics.lyapunov import exponents_in_blocks
from chaosbench.dynamics.orbits import orbit
from chaosbench.dynamics.step_maps import Step
from chaosbench.intervals import half_width

Regime = Literal["chaotic", "quasi-periodic", "periodic", "fixed point", "divergent"]

_PATIENCE = 10_000  # [steps] that an orbit is given to settle, if its exponent says that it will
_ESCAPE = 1e4  # an orbit that is as many times larger than it began, or than 1, is on its way to infinity
_RETURN = {torch.float32: 1e-4, torch.float64: 1e-8}  # of the largest entry; rounding jitters around a cycle, too


class Motion(NamedTuple):
    """How each orbit of a map moves, and the evidence for it.

    Attributes:
        blocks: `(..., P, M)`, exponents of successive stretches, in the order of the tangent vectors [1 / step].
        block_steps: length of each stretch [steps].
        exponents: `(..., M)`, their means, descending [1 / step]; NaN where the orbit is not bounded.
        intervals: `(..., M)`, half widths of 95 % confidence, from stretches of the orbit [1 / step].
        resolution: what an orbit as long as this shows without any chaos [1 / step].
        periods: `(...)`, steps until the orbit comes back and keeps coming back; 0: it does not.
        bounded: `(...)`.
    """

    blocks: Tensor
    block_steps: int
    exponents: Tensor
    intervals: Tensor
    resolution: float
    periods: Tensor
    bounded: Tensor

    def regimes(self) -> list[Regime]:
        """The regime of each orbit, in the order of the flattened leading axes."""
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
    """Ask of each orbit of a map whether it is bounded, comes back, and how its tangent vectors grow.

    Args:
        step: a step map.
        states: `(..., S)`.
        steps: steps that count, cut into `blocks` stretches of equal length [steps].
        transient: steps before these [steps].
        exponents: M, leading ones first; None is all.
        every: steps between two QR decompositions [steps].
        longest: period that is looked for [steps].
    """
    with torch.no_grad():
        settled = orbit(step, states, steps=1, transient=transient + steps)[..., 0, :]
    blocks = min(blocks, steps)
    each = exponents_in_blocks(
        step, states, steps=steps, transient=transient, every=every, exponents=exponents, blocks=blocks
    )
    mean, order = each.mean(-2).sort(dim=-1, descending=True)
    widths = half_width(each.std(-2), blocks).gather(-1, order)
    escaped = settled.abs().amax(-1) > _ESCAPE * states.abs().amax(-1).clamp(min=1)
    # NaN, not -inf, which is a tangent that vanishes: at a superstable cycle, say.
    bounded = ~(each.isnan().any(-1).any(-1) | settled.isnan().any(-1) | escaped)
    returns = periods(step, settled, longest=longest)
    # Where nothing is chaotic tangents may still grow as t; from `transient` on, this is what it looks like.
    resolution = math.log1p(steps / max(transient, 1)) / steps
    intervals = torch.where(mean.isinf(), 0.0, widths)
    slow = bounded & (returns == 0) & (mean[..., 0] < -resolution - intervals[..., 0].nan_to_num())
    if bool(slow.any()):  # on its way to a point or a cycle; no other orbit's answer hangs on this one's delay
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
    """The regime of one orbit of a map.

    Args:
        exponent: the largest [1 / step].
        tolerance: what is closer to zero than this cannot be told from zero [1 / step].
        period: of the orbit [steps]; 0: it does not come back.
        bounded: whether it stayed finite.
    """
    if not bounded:
        return "divergent"
    if exponent > tolerance:
        return "chaotic"
    if period:
        return "fixed point" if period == 1 else "periodic"
    return "quasi-periodic" if exponent >= -tolerance else "periodic"  # a cycle longer than was looked for


def regime(exponents: Sequence[float], tolerances: Sequence[float], *, neutral: int, period: int | None) -> Regime:
    """The regime that the signs of the exponents tell.

    Args:
        exponents: leading ones first, descending.
        tolerances: of each; what is closer to zero than this counts as zero.
        neutral: how many are zero by symmetry unless the motion rests: 1 for a flow, 0 for a map.
        period: of a map's orbit [steps], from `shortest_period`; None where there is none, and for flows.

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
    """The number of steps after which every one of the states `(..., S)` comes back; None where one does not.

    Each must come back within `longest` steps; `tolerance` is as for `periods`.
    """
    found = periods(step, states, longest=longest, tolerance=tolerance)
    return math.lcm(*found.flatten().tolist()) or None


@torch.no_grad()
def periods(
    step: Step, states: Tensor, *, longest: int = 64, tolerance: float | None = None, watched: int = 256
) -> Tensor:
    """The shortest period of each orbit, `(..., S) -> (...)` [steps]; 0 where it has none up to `longest`.

    For `watched` steps the orbit must repeat its first states: one that lingers near a point drifts away from it.
    `tolerance` is relative to the largest entry of the orbit, or to 1 where it is smaller; None is 1e-4 in single and
    1e-8 in double precision.
    """
    path = orbit(step, states, steps=longest + watched)  # (..., T, S)
    near = _RETURN.get(states.dtype, 1e-4) if tolerance is None else tolerance
    allowed = near * path.abs().amax((-2, -1)).clamp(min=1)
    times = torch.arange(path.shape[-2], device=states.device)
    found = torch.zeros(states.shape[:-1], dtype=torch.long, device=states.device)
    for count in range(longest, 0, -1):
        apart = (path - path[..., times % count, :]).abs().amax((-2, -1))
        found = torch.where(apart <= allowed, count, found)
    return found
