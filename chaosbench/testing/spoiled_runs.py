"""True runs that are spoiled more and more, as the seeds of one evaluation: what the check of a metric scores."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Generator, Tensor

from chaosbench.data import DataSpec, simulate
from chaosbench.metrics.base import Evaluation
from chaosbench.systems.lorenz63 import Lorenz63

RUNS = 4  # free runs of each seed
SHARES = (0.32, 0.64, 0.96)  # of what is spoiled, from level to level
_LEAST_STEPS, _LEAST_HORIZON = 1_200, 60  # [steps] of free runs and forecasts; more where a metric needs more
_EVERY = 150  # [steps] from one test condition to the next
_FORECAST_ERROR, _TWIN_ERROR = 0.05, 0.01  # [standard deviations]
_FAR, _OVERFLOWING = 1e6, 1e200  # [standard deviations]; the square of the second is not finite
_EXPONENTS = (0.906, 0.0, -14.572)  # of Lorenz-63, Sprott 2003, Chaos and Time-Series Analysis [1 / system time]


@dataclass(frozen=True)
class SpoiledRun:
    """The cause and the extent of what is wrong with a seed; the first seed of an evaluation is not spoiled.

    Attributes:
        way: "shuffled", "points thrown away" and so on, or a way to diverge.
        share: of the run that is spoiled; 1 where it has diverged.
    """

    way: str
    share: float


def true_evaluation(steps: int = 1, horizon: int = 1) -> Evaluation:
    """Return the evaluation of a good model of Lorenz-63, one seed whose free runs are true orbits.

    Args:
        steps: least length of the free runs [steps].
        horizon: least length of the forecasts [steps].
    """
    return _true_evaluation(max(steps, _LEAST_STEPS), max(horizon, _LEAST_HORIZON))


@cache
def _true_evaluation(steps: int, horizon: int) -> Evaluation:
    lengths = {"train_orbits": 4, "train_length": 1_000, "validation_orbits": 0, "test_orbits": 3 * RUNS}
    data = simulate(Lorenz63(), DataSpec(**lengths, test_length=max(steps, 2 * horizon), dtype="float64"))
    truth, twin, model = data.test.double().split(RUNS)
    windows = truth.unfold(1, horizon, _EVERY).mT  # (R, starts, H, D)
    future = windows.flatten(0, 1)
    noise = torch.randn(future.shape, generator=Generator().manual_seed(0), dtype=future.dtype)
    spectrum = torch.tensor(_EXPONENTS, dtype=torch.float64)
    return Evaluation(
        free_run=model[None, :, :steps],
        truth=truth[:, :steps],
        twin=twin[:, :steps],
        forecast=(future + _FORECAST_ERROR * noise)[None],
        future=future,
        twins=future + _TWIN_ERROR * noise,
        scale=data.train.double().flatten(0, 1).std(0),
        dt=data.dt,
        exponents=(1.01 * spectrum)[None],
        twin_exponents=0.99 * spectrum,
        largest_exponent=_EXPONENTS[0],
        reference_exponents=spectrum,
        resolution=0.05,
        condition_orbits=torch.arange(RUNS).repeat_interleave(windows.shape[1]),
    )


def spoiled_evaluation(true: Evaluation) -> tuple[list[SpoiledRun], Evaluation]:
    """Return the true runs, spoiled in every way and to every degree, and what is wrong with the seeds after the first.

    Args:
        true: an evaluation with one seed.
    """
    good = _Runs(true.free_run[0], true.forecast[0], true.exponents[0])
    spoiled = [SpoiledRun(way, share) for way in WAYS for share in SHARES] + [SpoiledRun(way, 1) for way in DIVERGED]
    seeds = [good, *(good.spoiled(run) for run in spoiled)]
    return spoiled, replace(
        true,
        free_run=torch.stack([seed.free_run for seed in seeds]),
        forecast=torch.stack([seed.forecast for seed in seeds]),
        exponents=torch.stack([seed.exponents for seed in seeds]),
    )


@dataclass(frozen=True)
class _Runs:
    """Free runs `(R, T, D)`, forecasts `(C, H, D)` and exponents `(M,)` of one seed."""

    free_run: Tensor
    forecast: Tensor
    exponents: Tensor

    def spoiled(self, run: SpoiledRun) -> "_Runs":
        if run.way in DIVERGED:
            spoil, factor = DIVERGED[run.way]
            return _Runs(spoil(self.free_run), spoil(self.forecast), factor * self.exponents)
        way = WAYS[run.way]
        # A spoiled model stretches more than it should.
        exponents = (1 + 2 * run.share) * self.exponents
        return _Runs(way(self.free_run, run.share), way(self.forecast, run.share), exponents)


def _fewer_points(runs: Tensor, share: float) -> Tensor:
    """Rest at the mean for the last share of each run."""
    late = torch.arange(runs.shape[1]) >= round((1 - share) * runs.shape[1])
    return runs.where(~late[:, None], runs.mean((0, 1)))


def _collapsed_runs(runs: Tensor, share: float) -> Tensor:
    """Rest at a state of the attractor in a share of the runs."""
    collapsed = torch.arange(len(runs)) < round(share * len(runs))
    return runs.where(~collapsed[:, None, None], runs[:, :1])


def _points_thrown_away(runs: Tensor, share: float) -> Tensor:
    """Throw a share of the states, drawn at random, far away."""
    rank = torch.randperm(runs.shape[1], generator=Generator().manual_seed(1))
    return runs.where((rank >= share * runs.shape[1])[:, None], _FAR)


def _shuffled(runs: Tensor, share: float) -> Tensor:
    """Permute a share of the times, drawn at random."""
    generator = Generator().manual_seed(1)
    order, chosen = torch.arange(runs.shape[1]), torch.randperm(runs.shape[1], generator=generator)
    chosen = chosen[: round(share * runs.shape[1])]
    order[chosen] = chosen[torch.randperm(len(chosen), generator=generator)]
    return runs[:, order]


def _enlarged(runs: Tensor, share: float) -> Tensor:
    return (1 + 2 * share) * runs


def _shrunk(runs: Tensor, share: float) -> Tensor:
    return (1 - share) * runs


WAYS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "fewer points": _fewer_points,
    "collapsed runs": _collapsed_runs,
    "points thrown away": _points_thrown_away,
    "shuffled": _shuffled,
    "enlarged": _enlarged,
    "shrunk": _shrunk,
}

# Each with what its exponents are multiplied by: they are 0 at rest, and unknown for runs that are not bounded.
DIVERGED: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "not finite": (lambda runs: torch.full_like(runs, torch.nan), torch.nan),
    "at rest": (lambda runs: runs[:, :1].expand_as(runs), 0.0),
    "far away": (lambda runs: torch.full_like(runs, _FAR), torch.nan),
    "overflowing": (lambda runs: torch.full_like(runs, _OVERFLOWING), torch.nan),
}
