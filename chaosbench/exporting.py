"""The data of an experiment as files, for models that are trained with other programs."""

from pathlib import Path

import numpy as np

from chaosbench.data import Dataset, simulate
from chaosbench.data.dataset import unembedded
from chaosbench.errors import StoreError
from chaosbench.evaluation import short_forecasts
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.trajectories import Array, write_trajectories


def export_data(experiment: Experiment, folder: Path) -> dict[Path, str]:
    """Write training data, histories and truth as `.npy` files in the units of the data.

    Args:
        experiment: gives data and evaluation.
        folder: is created if it does not exist.

    Returns:
        The description of each file, by path.

    Raises:
        StoreError: where the folder cannot be written.
    """
    data, spec = simulate(experiment.system, experiment.data), experiment.evaluation
    orbits, times, horizon = short_forecasts(data, spec)
    total = spec.free_run_transient + spec.free_run_steps
    contents = {
        "train": (_raw(data, "train"), "training data"),
        "validation": (_raw(data, "validation"), "validation data"),
        "histories": (
            histories_of(data, spec),
            f"continue each for {total} steps, the free runs",
        ),
        "truth": (true_orbits(data, spec.free_runs, spec.free_run_steps), "score the free runs against these"),
        "conditions": (
            conditions_of(data, orbits.tolist(), times.tolist(), spec.context),
            f"continue each for {horizon} steps, the forecasts",
        ),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {str(folder)!r}: {error.strerror or error}") from error
    described = {}
    for name, (values, text) in contents.items():
        path = write_trajectories(folder / f"{name}.npy", values, dt=data.dt)
        described[path] = f"{' x '.join(map(str, values.shape))} (trajectories, steps, observables): {text}"
    return described


def true_orbits(data: Dataset, runs: int, steps: int) -> Array:
    """Return the true orbits beside which free runs are scored, `(R, T, O)` [the data's units]."""
    return _raw(data, "test")[:runs, data.spec.history :][:, :steps]


def histories_of(data: Dataset, spec: EvaluationSpec) -> Array:
    """Return what free runs continue, `(R, H, O)` [the data's units]."""
    return _raw(data, "seen")[: spec.free_runs, : spec.context + data.spec.history]


def conditions_of(data: Dataset, orbits: list[int], times: list[int], context: int) -> Array:
    """Return what short forecasts continue, `(C, H, O)` [the data's units], for orbit and time of each condition."""
    seen, reach = _raw(data, "seen"), data.spec.history
    return np.stack([seen[n, t + 1 - context : t + 1 + reach] for n, t in zip(orbits, times, strict=True)])


def _raw(data: Dataset, part: str) -> Array:
    """Return orbits with the steps that delay coordinates reach back to, `(N, H + T, O)` [the data's units]."""
    coordinates = getattr(data, part).double() * data.deviation.double() + data.mean.double()
    array: Array = unembedded(coordinates, data.spec.embedding, data.spec.lag).numpy()
    return array
