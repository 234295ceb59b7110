"""Ensembles of orbits with tangents: growth rates in successive blocks, and what follows from their spread."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from chaosbench.dynamics.lyapunov import finite_time_exponents
from chaosbench.dynamics.step_maps import Step
from chaosbench.intervals import half_width

_BATCHES = 10  # into which the blocks of a run are gathered for the error of its mean
# Orbits are copies of each other where the mean over orbits varies in time more than this factor times what it would
# for independent orbits; by chance it does in one of a thousand cases (F distribution with 9 degrees of freedom).
_COPIES = 3.1


@dataclass(frozen=True)
class Ensemble:
    """Growth rates of orbits in successive blocks of equal length.

    Attributes:
        rates: `(B, K, M)` of each block, in the order of the tangent vectors; NaN from where an orbit blew up
            [1 / system time].
        starts, states: `(B, S)` at the begin and at the end.
        aligning: number of first blocks in which tangents align; they do not count.
        block_steps: length of a block [steps].
        dt: time per step [system time].
        speeds: logarithm of the ratio between the largest and the smallest speed of a flow on the orbits, as far as
            they were looked at; 0 if it does not count [nats].
    """

    rates: Tensor
    starts: Tensor
    states: Tensor
    aligning: int
    block_steps: int
    dt: float
    speeds: float = 0.0

    @property
    def counted(self) -> Tensor:
        """Rates of the blocks that count, `(B, K - aligning, M)` [1 / system time]."""
        return self.rates[:, self.aligning :]

    @property
    def bounded(self) -> Tensor:
        """Mask `(B,)` of the orbits that did not blow up."""
        return ~self.rates[..., 0].isnan().any(-1)

    @property
    def steps(self) -> int:
        """Length of each orbit, without alignment [steps]."""
        return self.counted.shape[1] * self.block_steps

    @property
    def transient(self) -> int:
        """Steps in which tangents align [steps]."""
        return self.aligning * self.block_steps

    @property
    def resolution(self) -> float:
        """Apparent exponent of tangents that grow as t without chaos, counted from the alignment on [1 / time].

        Those along a flow grow as its speed does, which spikes change by orders of magnitude.
        """
        shear = math.log1p(self.steps / max(self.transient, 1))
        return max(shear, self.speeds) / (self.steps * self.dt)

    def chosen(self, orbits: Tensor) -> "Ensemble":
        """Return the ensemble of some orbits, given by a mask or by their numbers."""
        return replace(self, rates=self.rates[orbits], starts=self.starts[orbits], states=self.states[orbits])

    def beginning(self, blocks: int) -> "Ensemble":
        """Return the rates of the first blocks, of which as large a part is for alignment; states stay the last."""
        return replace(self, rates=self.rates[:, :blocks], aligning=_aligning(blocks))


def follow(
    step: Step,
    states: Tensor,
    *,
    block_steps: int,
    blocks: int,
    every: int,
    exponents: int | None = None,
    dt: float = 1.0,
    goes_on: Callable[[], bool] = lambda: True,
) -> Ensemble:
    """Follow orbits and their tangents for some blocks, of which the first fifth is for alignment.

    Args:
        step: a step map.
        states: `(B, S)`, on the attractor; their precision is used throughout.
        block_steps: length of a block [steps].
        blocks: largest number of blocks, at least five.
        every: steps between two QR decompositions [steps].
        exponents: M, number of leading exponents; None: all.
        dt: time per step [system time].
        goes_on: asked after each block; the run ends where it returns False, but not before five blocks.
    """
    done, last = 0, states

    def after_block(reached: Tensor) -> bool:
        nonlocal done, last
        done, last = done + 1, reached
        return goes_on() or done < 5

    rates = finite_time_exponents(
        step,
        states,
        steps=block_steps * blocks,
        blocks=blocks,
        every=every,
        exponents=exponents,
        dt=dt,
        after_block=after_block,
    ).double()
    return Ensemble(rates, states, last, _aligning(rates.shape[1]), block_steps, dt)


def mean_and_interval(rates: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over orbits and blocks, and the half width of its 95 % interval, both `(M,)`.

    The interval follows from the spread over orbits. Where orbits are copies of each other, so that their mean varies
    in time far more than that of independent ones would, or where there is a single orbit, it follows from the spread
    of the mean over ten batches of blocks instead.

    Args:
        rates: `(B, K, M)` of successive blocks.
    """
    batches = min(_BATCHES, rates.shape[1])
    length = rates.shape[1] // batches
    batched = rates[:, : batches * length].unflatten(1, (batches, length)).mean(2)  # (B, batches, M)
    course = half_width(batched.mean(0).std(0), batches)
    mean = rates.mean((0, 1))
    if len(rates) == 1:
        return mean, course
    among = half_width(rates.mean(1).std(0), len(rates))
    # Of independent orbits, the mean over orbits varies from batch to batch by the spread over orbits of a batch.
    expected = batched.var(0).mean(0) / len(rates)
    copies = batched.mean(0).var(0) > _COPIES * expected
    return mean, torch.where(copies, torch.maximum(among, course), among)


def _aligning(blocks: int) -> int:
    return max(1, blocks // 5)
