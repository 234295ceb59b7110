"""No metric rewards a run for getting worse: spoiled a little more at each level, it never scores better."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from chaosbench.builtin import chaosbench_metrics
from chaosbench.metrics import Evaluation, MetricSpec

LEVELS = 5
STEPS, RUNS, HORIZON = 1_200, 4, 60
SHARES = torch.linspace(0, 0.96, LEVELS).tolist()


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
    rank = torch.randperm(runs.shape[1], generator=torch.Generator().manual_seed(1))
    return runs.where((rank >= share * runs.shape[1])[:, None], 1e6)


def _shuffled(runs: Tensor, share: float) -> Tensor:
    """Permute a share of the times, drawn at random."""
    generator = torch.Generator().manual_seed(1)
    order, chosen = torch.arange(runs.shape[1]), torch.randperm(runs.shape[1], generator=generator)
    chosen = chosen[: round(share * runs.shape[1])]
    order[chosen] = chosen[torch.randperm(len(chosen), generator=generator)]
    return runs[:, order]


def _enlarged(runs: Tensor, share: float) -> Tensor:
    return (1 + 2 * share) * runs


def _shrunk(runs: Tensor, share: float) -> Tensor:
    return (1 - share) * runs


SPOILED: dict[str, Callable[[Tensor, float], Tensor]] = {
    "fewer points": _fewer_points,
    "collapsed runs": _collapsed_runs,
    "points thrown away": _points_thrown_away,
    "shuffled": _shuffled,
    "enlarged": _enlarged,
    "shrunk": _shrunk,
}
# Where levels are not in order although all are far worse than the unspoiled run, with the reason.
UNORDERED = {
    ("power_spectrum_correlation", "points thrown away"): "spikes have a flat spectrum, whose correlation is random",
    ("prediction_error", "shuffled"): "it sees a single step, which is one unrelated state or another",
}


@pytest.fixture(scope="module")
def spoiled(lorenz: Callable[..., NDArray[np.float64]]) -> dict[str, Evaluation]:
    """Return an evaluation for each way to spoil a run, with a seed for each level."""
    raw = torch.from_numpy(lorenz(3 * RUNS, STEPS))
    orbits = (raw - raw.mean((0, 1))) / raw.std((0, 1))
    truth, twin, model = orbits.split(RUNS)
    future = truth.unfold(1, HORIZON, 150).mT.flatten(0, 1)
    noise = torch.randn(future.shape, generator=torch.Generator().manual_seed(0), dtype=future.dtype)
    forecast = future + 0.05 * noise
    spectrum = torch.tensor([0.9, 0.0, -14.5], dtype=torch.float64)
    base = Evaluation(
        free_run=model[None],
        truth=truth,
        twin=twin,
        forecast=forecast[None],
        future=future,
        twins=future + 0.01 * noise,
        scale=torch.ones(3, dtype=torch.float64),
        dt=0.01,
        exponents=spectrum[None],
        twin_exponents=spectrum,
        largest_exponent=0.906,
        reference_exponents=torch.tensor([0.906, 0.0, -14.572], dtype=torch.float64),
        resolution=0.05,
    )
    return {
        name: replace(
            base,
            free_run=torch.stack([spoil(model, share) for share in SHARES]),
            forecast=torch.stack([spoil(forecast, share) for share in SHARES]),
            # A model that is spoiled stretches more, or less, than it should.
            exponents=torch.stack([spectrum * (1 + 2 * share) for share in SHARES]),
        )
        for name, spoil in SPOILED.items()
    }


def _spec(metric: type[MetricSpec]) -> MetricSpec:
    small = {"steps": min(20, HORIZON), "points": 1_000}
    return metric.model_validate({name: value for name, value in small.items() if name in metric.model_fields})


def costs(spec: MetricSpec, evaluation: Evaluation) -> NDArray[np.float64]:
    """Return the scores with the sign for which lower is better; an undefined one is infinite."""
    sign = 1 if spec.better == "lower" else -1
    return (sign * spec.score(evaluation)).nan_to_num(torch.inf, torch.inf, torch.inf).numpy()


def scatter(spec: MetricSpec, evaluation: Evaluation) -> float:
    """Return the standard deviation of the score over unspoiled free runs, each alone; forecasts are all the same."""
    alone = [
        replace(evaluation, free_run=evaluation.free_run[:1, [run]], truth=evaluation.truth[[run]])
        for run in range(RUNS)
    ]
    return float(np.std([costs(spec, one)[0] for one in alone], ddof=1)) if spec.judges == "free_run" else 0.0


@pytest.mark.parametrize("way", SPOILED)
@pytest.mark.parametrize("metric", chaosbench_metrics(), ids=lambda metric: metric().kind)
def test_a_run_that_gets_worse_never_scores_better(
    metric: type[MetricSpec], way: str, spoiled: dict[str, Evaluation]
) -> None:
    """No level beats the unspoiled run, or the level before, by more than true runs scatter.

    Between levels a tenth of the range is allowed as well, because scores of hopeless runs are random.
    """
    spec, evaluation = _spec(metric), spoiled[way]
    levels = costs(spec, evaluation)
    finite = levels[np.isfinite(levels)]
    assert np.isfinite(levels[: len(finite)]).all(), "a level without a score comes after all others"
    chance = 2 * scatter(spec, evaluation) + 1e-9
    assert (finite >= finite[0] - chance).all()
    if (spec.kind, way) not in UNORDERED:
        assert (np.diff(finite) >= -chance - 0.1 * np.ptp(finite)).all()


@pytest.mark.parametrize("metric", chaosbench_metrics(), ids=lambda metric: metric().kind)
def test_every_metric_detects_that_runs_collapse_or_points_are_thrown_away(
    metric: type[MetricSpec], spoiled: dict[str, Evaluation]
) -> None:
    """The most spoiled level is clearly worse, but for exponents, which do not follow from states."""
    spec = _spec(metric)
    for way in ("collapsed runs", "points thrown away"):
        levels = costs(spec, spoiled[way])
        assert spec.judges == "exponents" or levels[-1] > levels[0] + scatter(spec, spoiled[way])
