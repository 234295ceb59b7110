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


class PowerLaw(NamedTuple):
    """Power laws fitted to gradients, which grow as T^power e^(excess T); each field is `(K,)`, NaN where unknown.

    Attributes:
        power: slope of log norms against ln T over the last four octaves, mean over initial conditions; 0 for gradients
            that stay bounded.
        power_interval: half width of its 95 % confidence interval, as in `Rate`.
        excess: rate that remains beside a power law over the last six octaves [nats / step]; 0 for gradients that grow
            as any power of T, lambda_1 for chaotic orbits.
        excess_interval: half width of its 95 % confidence interval [nats / step].
    """

    power: Tensor
    power_interval: Tensor
    excess: Tensor
    excess_interval: Tensor


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

    def power_law(self) -> PowerLaw:
        """Return the power of T with which the gradients grow, and the exponential rate beside it."""
        return power_law(self.horizons, self.values)


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


def power_law(horizons: Sequence[int], values: Tensor) -> PowerLaw:
    """Fit log norms by power ln T, and by power ln T + excess T, each with a constant, by least squares.

    A slope against T alone cannot distinguish T^1 from e^(s T) with a small s: over horizons up to T_max, T^1 has the
    slope 2.7 / T_max. Beside a term ln T it vanishes.

    Args:
        horizons: `(H,)`, ascending [steps].
        values: `(K, C, H)` [nats].

    Source:
        Mikhaeil, Monfared & Durstewitz 2022, NeurIPS: by Theorem 1 loss gradients on cycles stay bounded, by Theorem 3
        gradients on quasi-periodic orbits grow or shrink more slowly than any exponential.
    """
    powers = _last_coefficients(horizons, values, octaves=4.0, exponential=False)
    rates = _last_coefficients(horizons, values, octaves=6.0, exponential=True)
    return PowerLaw(
        powers.nanmean(-1), nan_half_width(powers, dim=-1), rates.nanmean(-1), nan_half_width(rates, dim=-1)
    )


def _last_coefficients(horizons: Sequence[int], values: Tensor, *, octaves: float, exponential: bool) -> Tensor:
    """Return the coefficient of each curve on ln T or, if `exponential`, on T beside ln T; `(K, C)`."""
    late = linear_range(horizons, octaves=octaves).to(values.device)
    times = torch.tensor(horizons, dtype=torch.float64, device=values.device)[late]
    terms = [torch.ones_like(times), times.log(), *([times] if exponential else [])]
    if len(times) <= len(terms):  # no error could be seen
        return values.new_full(values.shape[:-1], torch.nan, dtype=torch.float64)
    curves = values.double()[..., late]
    fitted = torch.linalg.pinv(torch.stack(terms, dim=-1))[-1]
    return torch.where(curves.isfinite().all(-1), (curves.nan_to_num() * fitted).sum(-1), torch.nan)


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
