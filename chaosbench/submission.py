"""Enter trajectories of another program into the ranking of stored experiments with the same truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from chaosbench.data import Dataset, simulate
from chaosbench.data.dataset import embedded
from chaosbench.errors import ChaosbenchError, DataError
from chaosbench.evaluation import beside_truth, short_forecasts
from chaosbench.experiment import Experiment, Result
from chaosbench.exporting import conditions_of, histories_of, true_orbits
from chaosbench.external import ExternalModel, ExternalTrainer
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import Stored, read
from chaosbench.loading import read_experiment
from chaosbench.provenance import of_command, of_machine
from chaosbench.scoring import Double, checksum, result_of

_TOLERANCE = 1e-3  # [standard deviations] by which numbers may have been rounded in a file


def experiment_with_truth(results: Path, truth: Double) -> Experiment | None:
    """Return the newest stored experiment whose free runs are scored beside this truth; None if there is none.

    Args:
        results: a results directory, which need not exist.
        truth: `(R, T, O)` [the data's units], as `chaosbench export` writes it.
    """
    seen = set[str]()
    stored = store.read_all(results, may_be_empty=True)
    for candidate in sorted(stored, key=lambda one: one.runs[0]["started"], reverse=True):
        key = _board(candidate)
        if key in seen or candidate.experiment["system"]["kind"] == "given_truth":
            continue
        seen.add(key)
        try:
            experiment = read_experiment(candidate, like_external=True)
            data = simulate(experiment.system, experiment.data)
        except ChaosbenchError:  # a plug-in or a file is missing; it cannot be compared
            continue
        spec = experiment.evaluation
        expected = true_orbits(data, spec.free_runs, spec.free_run_steps)
        scale = data.deviation.double().numpy()[: expected.shape[2]]
        if expected.shape == truth.shape and (np.abs(expected - truth) <= _TOLERANCE * scale).all():
            return experiment
    return None


def submitted(
    experiment: Experiment, label: str, free_runs: Sequence[Double], forecasts: Sequence[Double] = ()
) -> Result:
    """Score trajectories as those of a trained model are scored in an experiment.

    Args:
        experiment: gives system, data, evaluation and metrics.
        label: name of the submission.
        free_runs: one array `(R, T, O)` per seed [the data's units], continuations of the histories of the test
            orbits; the last `evaluation.free_run_steps` after the transient are scored.
        forecasts: one array `(C, H, O)` per seed, continuations of the conditions; empty: forecasts are not scored.

    Raises:
        DataError: where a shape is not the one that the evaluation needs.
    """
    data, spec = simulate(experiment.system, experiment.data), experiment.evaluation
    orbits, times, horizon = short_forecasts(data, spec)
    observables = data.dimension // data.spec.embedding
    wanted = (spec.free_runs, spec.free_run_steps, observables)
    free = [_cut(part, label, wanted, spec.free_run_transient) for part in free_runs]
    ahead = [_cut(part, label, (len(orbits), horizon, observables), 0) for part in forecasts]
    if forecasts and len(forecasts) != len(free_runs):
        raise DataError(f"{label!r} has {len(free_runs)} files of free runs and {len(forecasts)} of forecasts")
    metrics = tuple(
        metric
        for metric in experiment.metrics
        if metric.judges != "exponents" and (forecasts or metric.judges != "forecast")
    )
    if not metrics:
        raise DataError(f"no metric of {experiment.name} can be computed from the free runs alone; give forecasts, too")
    dtype, histories = experiment.torch_dtype, histories_of(data, spec)
    starts = conditions_of(data, orbits.tolist(), times.tolist(), spec.context)
    unknown = torch.full((len(free), 1), torch.nan, dtype=dtype)
    missing = torch.full((len(free), len(orbits), horizon, data.dimension), torch.nan, dtype=dtype)
    evaluation = beside_truth(
        data.to("cpu", dtype),
        spec,
        torch.stack([_standardised(part, histories, data) for part in free]).to(dtype),
        torch.stack([_standardised(part, starts, data) for part in ahead]).to(dtype) if ahead else missing,
        exponents=unknown,
        twin_exponents=unknown[0],
    )
    model = ExternalModel(name=label, sha256=tuple(map(checksum, free_runs)))
    seeds = tuple(range(len(free)))
    entry = experiment.replaced(model=model, trainer=ExternalTrainer(), metrics=metrics, seeds=seeds, diagnostics=())
    return result_of(entry, evaluation)


def publish(entries: Mapping[str, Result], results: Path) -> list[Stored]:
    """Store the results of submissions, and read them again."""
    command = of_command() | of_machine()
    return [read(store.write(result.with_provenance(command), results)) for result in entries.values()]


def _cut(values: Double, label: str, wanted: tuple[int, int, int], transient: int) -> Double:
    """Return the steps that are scored: those after the transient, or the last ones where there is none."""
    count, steps, observables = wanted
    if values.shape[::2] != (count, observables) or values.shape[1] < steps:
        raise DataError(
            f"{label!r} has the shape {values.shape}; the evaluation needs ({count}, {transient + steps}, "
            f"{observables}), where the first {transient} steps are a transient and may be left out"
        )
    start = min(transient, values.shape[1] - steps)
    return values[:, start : start + steps]


def _standardised(values: Double, histories: Double, data: Dataset) -> Tensor:
    """Return delay coordinates `(N, T, D)` in the units of training; the first reach back into the histories."""
    reach = data.spec.history
    whole = np.concatenate([histories[:, histories.shape[1] - reach :], values], axis=1)
    return data.standardised(embedded(torch.from_numpy(whole), data.spec.embedding, data.spec.lag))


def _board(stored: Stored) -> str:
    return repr((stored.runs[0]["system"], stored.runs[0]["data"], stored.experiment["evaluation"]))
