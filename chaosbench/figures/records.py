"""Read seeds, titles, exponents and curves from the rows of a stored experiment."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from chaosbench import labels
from chaosbench.figures.base import Array

if TYPE_CHECKING:  # the registry lists pictures without torch and pyarrow
    from chaosbench.leaderboard.folder import Stored
    from chaosbench.theory.run_diagnosis import RunDiagnosis


def title(stored: "Stored", *, run: int | None = None) -> str:
    """Return "trainer on model, system", followed by the seed if the index of a run is given."""
    run_labels = stored.runs[0 if run is None else run]
    return labels.title(run_labels) if run is None else f"{labels.title(run_labels)}, seed {run_labels['seed']}"


def seeds(stored: "Stored") -> list[int]:
    """Return the seed of each run."""
    return [run["seed"] for run in stored.runs]


def system_exponents(stored: "Stored") -> list[float]:
    """Return the system's Lyapunov exponents, largest first, as many as are recorded [1 / system time]."""
    from chaosbench.theory.run_diagnosis import RunDiagnosis  # imports torch, which only drawing needs

    for seed in seeds(stored):
        truth = RunDiagnosis.from_records(stored.records, seed=seed, column="floor")
        if truth.lyapunov_exponents:
            return [exponent.value for exponent in truth.lyapunov_exponents]
    return []


def diagnosed(
    stored: "Stored", number: Callable[["RunDiagnosis"], float | None], *, scale: float = 1.0
) -> Array | None:
    """Return a number of the diagnosis for each seed, times `scale`; NaN for seeds without it, None if all lack it.

    Args:
        stored: the experiment.
        number: returns the number from the diagnosis of a seed.
        scale: factor, such as the time step.
    """
    from chaosbench.theory.run_diagnosis import RunDiagnosis  # imports torch, which only drawing needs

    numbers = (number(RunDiagnosis.from_records(stored.records, seed=seed)) for seed in seeds(stored))
    values = [math.nan if value is None else scale * value for value in numbers]
    return None if all(map(math.isnan, values)) else np.array(values)


def training_records(stored: "Stored", **kinds: str) -> dict[str, Any]:
    """Return the curves that diagnostics recorded during training.

    Args:
        stored: the experiment.
        kinds: the kind of a diagnostic for each curve.

    Returns:
        `updates` `(U,)` and each recorded curve `(K, U)`, NaN where the seed had diverged; empty if none is recorded.
    """
    recorded = {name: values for name, kind in kinds.items() if (values := _by_update_and_seed(stored, kind))}
    updates = sorted({update for values in recorded.values() for update, _ in values})
    curves = {
        name: np.array([[values.get((update, seed), np.nan) for update in updates] for seed in seeds(stored)])
        for name, values in recorded.items()
    }
    return {"updates": np.array(updates), **curves} if curves else {}


def _by_update_and_seed(stored: "Stored", kind: str) -> dict[tuple[int, int], float]:
    return {
        (row["update"], row["seed"]): math.nan if row["value"] is None else row["value"]
        for row in stored.records
        if row["update"] is not None and row["name"].partition("(")[0] == kind
    }
