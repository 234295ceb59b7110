"""The attractors that an ensemble of orbits reaches: regime, exponents and period of each."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import Tensor

from chaosbench.dynamics.attractors import Sorting, doublings, sort_orbits
from chaosbench.dynamics.ensembles import Ensemble, mean_and_interval
from chaosbench.dynamics.regimes import Regime, regime

AttractorRegime = Regime | Literal["onset of chaos", "undecided"]

_ROUNDING = 1e-6  # [1 / system time]; least uncertainty of any exponent


class Found(NamedTuple):
    """An attractor that orbits of an ensemble are on.

    Attributes:
        regime: how its orbits move.
        orbits: numbers of its orbits in the ensemble, `(N,)`.
        exponents: `(M,)`, means over these orbits, descending [1 / system time].
        intervals: `(M,)`, half widths of their 95 % intervals [1 / system time].
        order: `(M,)`, position of each exponent among the tangent vectors.
        period: time after which its orbits repeat themselves [system time]; None if they do not.
    """

    regime: AttractorRegime
    orbits: Tensor
    exponents: Tensor
    intervals: Tensor
    order: Tensor
    period: float | None


def find_attractors(
    ensemble: Ensemble, paths: Sequence[Tensor], *, continuous: bool, neutral: int
) -> tuple[list[Found], Sorting]:
    """Return the attractors that bounded orbits are on, most frequent first, and how the orbits were sorted.

    Args:
        ensemble: growth rates of the orbits, none of which blew up.
        paths: a stretch of each orbit at successive steps, `(B, T, S)`, from the begin of the run and from its end.
        continuous: true for a flow, false for a map.
        neutral: number of exponents that are zero unless the attractor is a fixed point.
    """
    sorting = sort_orbits(ensemble, paths, continuous=continuous)
    numbers = range(int(sorting.groups.max()) + 1)
    groups = [(sorting.groups == number).nonzero().flatten() for number in numbers]
    return [_described(ensemble, paths[-1], sorting, orbits, continuous, neutral) for orbits in groups], sorting


def _described(
    ensemble: Ensemble, path: Tensor, sorting: Sorting, orbits: Tensor, continuous: bool, neutral: int
) -> Found:
    mean, interval = mean_and_interval(ensemble.counted[orbits])
    exponents, order = mean.sort(descending=True)
    intervals = interval[order].nan_to_num()
    periods = sorting.periods[orbits]
    period = float(periods.max()) if bool(periods.isfinite().all()) else None
    along = ensemble.speeds / (ensemble.steps * ensemble.dt)
    motion = _motion(exponents, intervals, ensemble.resolution, period, continuous, neutral, along=along)
    if motion in ("quasi-periodic", "undecided") and not continuous and bool(doublings(path[orbits]).all()):
        motion = "onset of chaos"
    time = None if period is None or motion == "chaotic" else period * ensemble.dt
    return Found(motion, orbits, exponents, intervals, order, time)


def _motion(
    exponents: Tensor,
    intervals: Tensor,
    resolution: float,
    period: float | None,
    continuous: bool,
    neutral: int,
    *,
    along: float = 0.0,
) -> AttractorRegime:
    """Return the regime of an attractor; undecided where zero and a small positive exponent cannot be told apart.

    Args:
        along: apparent exponent along the flow, whose speed at the begin and at the end of the run differs.
    """
    tolerances = intervals + resolution + _ROUNDING
    if float(exponents[0]) > float(tolerances[0]):
        return "chaotic"
    if period is not None:
        still = period == 0 or (not continuous and period == 1)
        return "fixed point" if still else "periodic"
    if float(exponents[0]) < -float(tolerances[0]):
        return "fixed point" if continuous and neutral else "periodic"
    # Beyond its interval, but so small that tangents which grow as t explain it; or not resolved at all.
    if (
        abs(float(exponents[0])) > float(intervals[0]) + along + _ROUNDING
        or float(intervals[0]) > resolution + _ROUNDING
    ):
        return "undecided"
    if len(exponents) <= neutral:
        return "quasi-periodic"
    return regime(exponents.tolist(), tolerances.tolist(), neutral=neutral, period=None)
