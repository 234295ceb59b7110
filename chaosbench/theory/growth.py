"""Curves of gradient growth, and the rate that is read from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics import nan_half_width

_LARGE, _FOLLOWED = 128, 32


def tangents_followed(size: int) -> int | None:
    """How many tangents are followed of a state of that size: all (None), or of a large one 32, for the time's sake."""
    return _FOLLOWED if size > _LARGE else None


class Rate(NamedTuple):
    """How fast gradients grow with the horizon, `(K,)` each.

    Attributes:
        slope: gamma, mean over initial conditions [nats / step]; -inf where gradients vanish altogether.
        interval: half width of its 95 % confidence (Student's t over conditions) [nats / step]; NaN for one condition.
        fit: R² of the straight line through the mean curve.
    """

    slope: Tensor
    interval: Tensor
    fit: Tensor


@dataclass(frozen=True)
class Growth:
    """Logarithms of gradient norms against the horizon.

    Attributes:
        horizons: T, ascending [steps].
        values: `(K, C, H)`, of each seed and initial condition [nats]; -inf where a gradient is zero, NaN where the
            orbit blew up.
    """

    horizons: tuple[int, ...]
    values: Tensor

    @property
    def mean(self) -> Tensor:
        """Over initial conditions that stayed finite, `(K, H)` [nats]."""
        return self.values.nanmean(dim=1)

    def at(self, horizon: int) -> Tensor:
        """At one of the horizons, `(K, C)` [nats]."""
        return self.values[..., self.horizons.index(horizon)]

    def rate(self) -> Rate:
        """The slope over the linear range: the last four octaves, where what tangents begin with is forgotten."""
        return growth_rate(self.horizons, self.values)


def growth_rate(horizons: Sequence[int], values: Tensor, *, octaves: float = 4.0) -> Rate:
    """Slopes of log norms against the horizon, by least squares over its last octaves.

    Errors of one curve hang together from horizon to horizon; those of different initial conditions do not, so that
    the interval is taken over these.

    Args:
        horizons: `(H,)`, ascending [steps].
        values: `(K, C, H)` [nats].
        octaves: how many of the last ones count; fewer than three horizons there, and all count.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS: Theorem 2 makes the slope that of the largest exponent.
    """
    times, late = torch.tensor(horizons, dtype=torch.float64), linear_range(horizons, octaves=octaves)
    times, curves = times[late].to(values.device), values.double()[..., late.to(values.device)]
    slopes, _ = _line(times, curves)
    # Mended by hand, for nanmean of -inf beside a number is -inf, and of none is NaN.
    vanished = (slopes == -torch.inf).any(-1) & ~slopes.isnan().all(-1)
    finite = torch.where(slopes.isfinite(), slopes, torch.nan)
    slope = torch.where(vanished, -torch.inf, finite.nanmean(-1))
    interval = torch.where(vanished, torch.nan, nan_half_width(finite, dim=-1))
    _, fit = _line(times, torch.where(curves.isnan().any(-1, keepdim=True), torch.nan, curves).nanmean(1))
    return Rate(slope, interval, fit)


def linear_range(horizons: Sequence[int], *, octaves: float = 4.0) -> Tensor:
    """Which horizons a slope is read from, `(H,)`: those of the last octaves; all where these are fewer than three."""
    times = torch.tensor(horizons, dtype=torch.float64)
    late = times >= times[-1] / 2**octaves
    return late if int(late.sum()) >= 3 else torch.ones_like(late)


def _line(times: Tensor, curves: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and R² of `(..., H)` against `(H,)`; where less than three points are finite, the slope is -inf, or NaN."""
    known = curves.isfinite()
    count = known.sum(-1, keepdim=True).clamp(min=1)
    values, at = torch.where(known, curves, 0.0), torch.where(known, times, 0.0)
    rise = torch.where(known, values - values.sum(-1, keepdim=True) / count, 0.0)
    run = torch.where(known, at - at.sum(-1, keepdim=True) / count, 0.0)
    slope = (rise * run).sum(-1) / run.square().sum(-1)
    residual = torch.where(known, rise - slope.unsqueeze(-1) * run, 0.0)
    total = rise.square().sum(-1)
    fit = torch.where(total > 0, 1 - residual.square().sum(-1) / total, 1.0)
    lost = curves.isnan().any(-1)
    few = known.sum(-1) < 3
    slope = torch.where(few, -torch.inf, slope)
    return torch.where(lost, torch.nan, slope), torch.where(few | lost, torch.nan, fit)
