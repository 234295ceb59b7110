"""Growth curves of gradients, and the growth rate fitted to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from chaosbench.dynamics import nan_half_width

_LARGE, _FOLLOWED = 128, 32


def tangents_followed(size: int) -> int | None:
    """Return the number of tangents to follow for a state of this size: all (None), or 32 for a large state."""
    return _FOLLOWED if size > _LARGE else None


class Rate(NamedTuple):
    """The growth rate of gradients with the horizon; each field is `(K,)`.

    Attributes:
        slope: gamma, mean over initial conditions [nats / step]; -inf where gradients vanish completely.
        interval: half width of its 95 % confidence interval, by Student's t over initial conditions [nats / step]; NaN
            for a single one.
        fit: R² of the straight line through the mean curve.
    """

    slope: Tensor
    interval: Tensor
    fit: Tensor


@dataclass(frozen=True)
class Growth:
    """Log norms of gradients against the horizon.

    Attributes:
        horizons: T, ascending [steps].
        values: `(K, C, H)` for K seeds and C initial conditions [nats]; -inf where a gradient is zero, NaN where the
            orbit blew up.
    """

    horizons: tuple[int, ...]
    values: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean over the initial conditions that stayed finite, `(K, H)` [nats]."""
        return self.values.nanmean(dim=1)

    def at(self, horizon: int) -> Tensor:
        """Return the values at one of the horizons, `(K, C)` [nats]."""
        return self.values[..., self.horizons.index(horizon)]

    def rate(self) -> Rate:
        """Return the slope over the last four octaves, where it no longer depends on the initial tangents."""
        return growth_rate(self.horizons, self.values)


def growth_rate(horizons: Sequence[int], values: Tensor, *, octaves: float = 4.0) -> Rate:
    """Fit the slope of log norms against the horizon by least squares over its last octaves.

    Errors along one curve are correlated, those of different initial conditions are independent. The confidence
    interval is therefore computed over initial conditions.

    Args:
        horizons: `(H,)`, ascending [steps].
        values: `(K, C, H)` [nats].
        octaves: number of last octaves to fit; all horizons are used if these contain fewer than three.

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS: by Theorem 2 the slope is the largest exponent.
    """
    times, late = torch.tensor(horizons, dtype=torch.float64), linear_range(horizons, octaves=octaves)
    times, curves = times[late].to(values.device), values.double()[..., late.to(values.device)]
    slopes, _ = _line(times, curves)
    # Curves of slope -inf are treated separately: a mean with -inf is -inf, and without finite values it is NaN.
    vanished = (slopes == -torch.inf).any(-1) & ~slopes.isnan().all(-1)
    finite = torch.where(slopes.isfinite(), slopes, torch.nan)
    slope = torch.where(vanished, -torch.inf, finite.nanmean(-1))
    interval = torch.where(vanished, torch.nan, nan_half_width(finite, dim=-1))
    _, fit = _line(times, torch.where(curves.isnan().any(-1, keepdim=True), torch.nan, curves).nanmean(1))
    return Rate(slope, interval, fit)


def linear_range(horizons: Sequence[int], *, octaves: float = 4.0) -> Tensor:
    """Return a mask `(H,)` of the horizons to fit: those of the last octaves, or all if these are fewer than three."""
    times = torch.tensor(horizons, dtype=torch.float64)
    late = times >= times[-1] / 2**octaves
    return late if int(late.sum()) >= 3 else torch.ones_like(late)


def _line(times: Tensor, curves: Tensor) -> tuple[Tensor, Tensor]:
    """Return slope and R² of lines fitted to `(..., H)`; NaN for a curve with NaN.

    With fewer than three finite points the slope is -inf and R² is NaN.
    """
    finite = curves.isfinite()
    count = finite.sum(-1, keepdim=True).clamp(min=1)
    values, at = torch.where(finite, curves, 0.0), torch.where(finite, times, 0.0)
    rise = torch.where(finite, values - values.sum(-1, keepdim=True) / count, 0.0)
    run = torch.where(finite, at - at.sum(-1, keepdim=True) / count, 0.0)
    slope = (rise * run).sum(-1) / run.square().sum(-1)
    residual = torch.where(finite, rise - slope.unsqueeze(-1) * run, 0.0)
    total = rise.square().sum(-1)
    fit = torch.where(total > 0, 1 - residual.square().sum(-1) / total, 1.0)
    lost = curves.isnan().any(-1)
    few = finite.sum(-1) < 3
    slope = torch.where(few, -torch.inf, slope)
    return torch.where(lost, torch.nan, slope), torch.where(few | lost, torch.nan, fit)
