"""Score trajectories that were generated anywhere, and enter them into the ranking of a results directory."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from chaosbench import registry
from chaosbench.data import DataSpec
from chaosbench.errors import ChaosbenchError, DataError
from chaosbench.experiment import EvaluationSpec, Experiment, Result, Run
from chaosbench.external import ExternalModel, ExternalTrainer, GivenTruth
from chaosbench.leaderboard.board import Ranking
from chaosbench.leaderboard.folder import Stored
from chaosbench.leaderboard.rank import rank
from chaosbench.metrics.base import Evaluation, MetricSpec
from chaosbench.recorded_scores import outcomes, score_records
from chaosbench.stored_arrays import evaluation_arrays
from chaosbench.suite import DEFAULT_METRICS

Array = np.ndarray[Any, Any] | Tensor
Double = np.ndarray[Any, np.dtype[np.float64]]

_SHORTEST = 100  # [steps] that a comparison needs
_NEAR = 0.4  # [standard deviations] within which a generated start counts as that of the truth, as for valid times


@dataclass(frozen=True)
class Scored:
    """Generated trajectories beside a truth, scored by every metric that needs nothing else.

    Attributes:
        results: one per entry, as they would be stored.
        steps: how many steps were compared.
        aligned: whether the trajectories were also scored as forecasts from the beginning of the truth.
        left_out: the reason for every metric that was not computed, by its kind.
    """

    results: tuple[Result, ...]
    steps: int
    aligned: bool
    left_out: dict[str, str]

    @property
    def ranking(self) -> Ranking:
        """The table of the entries, each metric beside its floor: the score of another piece of the truth."""
        return rank(in_memory(result) for result in self.results)


@dataclass(frozen=True)
class _Trajectories(Evaluation):
    """An evaluation without conditions: each trajectory is at most a single forecast from the start of its orbit."""

    @override
    def floor(self) -> Self:
        """Return the evaluation of other true orbits, also in place of the forecasts."""
        return dataclasses.replace(super().floor(), forecast=self.twin[None])


def score(
    generated: Mapping[str, Array | Sequence[Array]] | Array,
    truth: Array,
    *,
    dt: float = 1.0,
    exponent: float | None = None,
    aligned: bool | None = None,
    metrics: Iterable[MetricSpec] | None = None,
    name: str = "truth",
) -> Scored:
    """Score generated trajectories against true ones, in any units.

    A single true trajectory is cut into halves: the second is the twin whose score is the floor. Of several, each is
    the twin of the one before. All trajectories are compared over the same number of steps.

    Args:
        generated: `(T, D)` or `(R, T, D)`, R free runs beside as many true ones; or such arrays by the label of each
            entry, or a list of them, one per seed (training run) of the entry.
        truth: `(T, D)` or `(R, T, D)`.
        dt: time per step [system time].
        exponent: the largest Lyapunov exponent of the system, for valid prediction times [1 / system time].
        aligned: whether row i of both is the same time, so that forecasts can be scored as well; None: if the first
            rows are within 0.4 standard deviations.
        metrics: the metrics to compute; None: every registered one, with its default settings.
        name: of the truth, in tables.

    Raises:
        DataError: where lengths or numbers of observables do not agree, or a trajectory is too short.
    """
    entries = {"generated": generated} if isinstance(generated, (np.ndarray, Tensor)) else dict(generated)
    orbits = as_trajectories(truth, name)
    if not np.isfinite(orbits).all():
        raise DataError(f"{name} holds numbers that are not finite; fill the gaps, or leave out what lies before them")
    seeds = {label: _seeds(label, values) for label, values in entries.items()}
    lengths = [part.shape[1] for parts in seeds.values() for part in parts]
    steps = min([*lengths, orbits.shape[1] if len(orbits) > 1 else orbits.shape[1] // 2])
    if steps < _SHORTEST:
        raise DataError(f"only {steps} steps can be compared with {name}; expected at least {_SHORTEST}")
    pieces = orbits[:, :steps] if len(orbits) > 1 else np.stack([orbits[0, :steps], orbits[0, -steps:]])
    evaluations = {}
    for label, parts in seeds.items():
        for part in parts:
            _check_shapes(label, part, name, orbits)
        evaluations[label] = _evaluation(np.stack(parts)[:, :, :steps], pieces, dt, exponent)
    near = all(_starts_near(evaluation) for evaluation in evaluations.values()) if aligned is None else aligned
    wanted = _every_metric() if metrics is None else list(metrics)
    some = next(iter(evaluations.values()))
    left_out = {metric.kind: why for metric in wanted if (why := _why_not(metric, some, steps, near))}
    kept = tuple(metric for metric in wanted if metric.kind not in left_out)
    source = GivenTruth(name=name, dt=dt, observables=orbits.shape[2], sha256=checksum(orbits))
    results = [
        result_of(_experiment(source, label, seeds[label], kept, steps, evaluation), evaluation)
        for label, evaluation in evaluations.items()
    ]
    return Scored(tuple(results), steps, near, left_out)


def result_of(experiment: Experiment, evaluation: Evaluation) -> Result:
    """Return the rows and arrays of an external submission; costs and size of its model are unknown."""
    records = score_records(experiment, evaluation)
    unknown = {"parameters": None, "train_seconds": nan, "total_seconds": nan}
    costs = {"started": datetime.now(UTC), "device": "elsewhere", **unknown}
    runs = tuple(
        Run.of(experiment, seed, status, message, **costs)
        for seed, status, message in outcomes(experiment, evaluation, records)
    )
    return Result(experiment, runs, tuple(records), evaluation_arrays(evaluation))


def with_parameters(result: Result, parameters: int | None) -> Result:
    """Return a submission with the number of trained parameters of one seed; None: it is not given."""
    return dataclasses.replace(
        result, runs=tuple(dataclasses.replace(run, parameters=parameters) for run in result.runs)
    )


def in_memory(result: Result) -> Stored:
    """Return a result as if it had been stored and read again."""
    runs = tuple({**dataclasses.asdict(run), "train_seconds": None, "total_seconds": None} for run in result.runs)
    records = tuple(dataclasses.asdict(record) for record in result.records)
    experiment = result.experiment
    return Stored(Path(), experiment.identity, experiment.model_dump(mode="json"), runs, records)


def as_trajectories(array: Array, name: str) -> Double:
    """Return `(T,)`, `(T, D)` or `(R, T, D)` as `(R, T, D)` in float64."""
    values = np.asarray(array.detach().cpu() if isinstance(array, Tensor) else array, dtype=np.float64)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim not in (2, 3) or not values.size:
        raise DataError(f"{name} has the shape {values.shape}; expected (T, D) or (R, T, D)")
    return values if values.ndim == 3 else values[None]


def checksum(values: Double) -> str:
    """Return the SHA-256 of the numbers and their shape."""
    return hashlib.sha256(repr(values.shape).encode() + np.ascontiguousarray(values).tobytes()).hexdigest()


def _seeds(label: str, values: Array | Sequence[Array]) -> list[Double]:
    """Return one array `(R, T, D)` per seed, cut to equal lengths."""
    parts = [values] if isinstance(values, (np.ndarray, Tensor)) else list(values)
    arrays = [as_trajectories(part, label) for part in parts]
    if len({array.shape[::2] for array in arrays}) > 1:
        raise DataError(f"the trajectories of {label!r} differ in number or observables; give equal ones")
    steps = min(array.shape[1] for array in arrays)
    return [array[:, :steps] for array in arrays]


def _check_shapes(label: str, part: Double, name: str, orbits: Double) -> None:
    if part.shape[2] != orbits.shape[2]:
        raise DataError(
            f"{label!r} has {part.shape[2]} observables and {name} {orbits.shape[2]}; give the same columns"
        )
    if len(part) not in (1, len(orbits)):
        raise DataError(f"{label!r} has {len(part)} trajectories and {name} {len(orbits)}; give one, or one for each")


def _evaluation(free: Double, orbits: Double, dt: float, exponent: float | None) -> Evaluation:
    """Return free runs `(K, R, T, D)` beside true orbits `(R', T, D)`, in standard deviations of the truth."""
    runs = free.shape[1]
    mean, deviation = orbits.mean((0, 1)), orbits.std((0, 1))
    if (deviation == 0).any():
        raise DataError(f"observable {int(np.argmin(deviation))} of the truth is constant; leave it out")
    free_run, standard = (torch.from_numpy((part - mean) / deviation) for part in (free, orbits))
    unknown = torch.full((len(free), 1), torch.nan, dtype=torch.float64)
    return _Trajectories(
        free_run=free_run,
        truth=standard[:runs],
        twin=standard.roll(-1, dims=0)[:runs],
        forecast=free_run,
        future=standard[:runs],
        twins=None,
        scale=torch.ones(free.shape[3], dtype=torch.float64),
        dt=dt,
        exponents=unknown,
        twin_exponents=unknown[0],
        largest_exponent=exponent,
    )


def _starts_near(evaluation: Evaluation) -> bool:
    """Return True if every trajectory starts near the beginning of its true orbit."""
    error = (evaluation.forecast[:, :, 0] - evaluation.future[:, 0]).square().mean(-1).sqrt()
    return bool((error < _NEAR).all())


def _every_metric() -> list[MetricSpec]:
    kinds = registry.load().kinds["metric"]
    specs = [spec for name in sorted(kinds) if isinstance(spec := kinds[name].model_validate({}), MetricSpec)]
    return sorted(specs, key=lambda spec: DEFAULT_METRICS.index(spec.kind) if spec.kind in DEFAULT_METRICS else 99)


def _why_not(metric: MetricSpec, evaluation: Evaluation, steps: int, aligned: bool) -> str:
    """Return why a metric cannot be computed from trajectories; empty if it can."""
    if metric.judges == "exponents":
        return "it needs the model, whose Lyapunov exponents it compares"
    if metric.kind == "skill":
        return "it needs the system, run again from uncertain initial states"
    if metric.judges == "forecast" and not aligned:
        return "the generated trajectories do not start where the truth starts"
    if metric.kind == "valid_prediction_time" and not (evaluation.largest_exponent or 0) > 0:
        return "it needs a positive largest exponent of the system"
    needed = max(metric.least_horizon, metric.least_free_run)
    if needed > steps:
        return f"it needs {needed} steps"
    try:
        floor = metric.score(evaluation.floor())
    except ChaosbenchError as error:
        return str(error).rstrip(".")
    return "" if floor.isfinite().all() else "it is undefined for the truth itself"


def _experiment(
    source: GivenTruth,
    label: str,
    parts: Sequence[Double],
    metrics: tuple[MetricSpec, ...],
    steps: int,
    evaluation: Evaluation,
) -> Experiment:
    """Return the record of a comparison; one of the same truth and length shares its board."""
    runs = len(evaluation.truth)
    return Experiment(
        suite="score",
        system=source,
        data=DataSpec(test_orbits=2 * runs, test_length=steps + 1),
        model=ExternalModel(name=label, sha256=tuple(map(checksum, parts))),
        trainer=ExternalTrainer(),
        metrics=metrics,
        evaluation=EvaluationSpec(
            context=1, free_runs=runs, free_run_steps=steps, free_run_transient=0, conditions=runs, horizon=steps
        ),
        seeds=tuple(range(len(parts))),
    )
