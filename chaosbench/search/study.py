"""A search: trials that Optuna proposes, each trained on training data and judged on validation data."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from chaosbench.data import Dataset
from chaosbench.errors import ChaosbenchError, DataError, SpecError
from chaosbench.files import write_whole
from chaosbench.models.base import ModelSpec
from chaosbench.search.space import Range, SearchSpec, Values, changed
from chaosbench.trainers.base import TrainerSpec
from chaosbench.trainers.early_stopping import validation_error

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        values: by the name of the field.
        error: of forecasts on validation data [variances]; None: not finite, or the values do not go together.
        updates: [updates] done.
        seconds: wall time [s].
    """

    values: Values
    error: float | None
    updates: int
    seconds: float


@dataclass(frozen=True)
class Found:
    """The best trial of a search, and what the search cost.

    Attributes:
        best: the trial with the smallest error.
        trials: their number.
        updates: of all trials, each set of values once [updates].
        seconds: wall time of all trials, those of earlier processes included [s].
    """

    best: Trial
    trials: int
    updates: int
    seconds: float


def require() -> None:
    """Import Optuna.

    Raises:
        SpecError: where it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise SpecError("[[search]] needs the package optuna: pip install 'chaosbench[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def find(
    search: SearchSpec,
    model: ModelSpec,
    trainer: TrainerSpec,
    data: Dataset,
    *,
    file: Path | None = None,
    report: Callable[[int], object] | None = None,
) -> Found:
    """Return the best of the trials; those that a file holds are not trained again.

    Args:
        search: what is searched.
        model, trainer: the fields that are not searched.
        data: on the device and in the precision of the training; its test orbits are taken away first.
        file: holds the trials so far, and is written after each; None: they are kept in memory alone.
        report: is called with the number of each trial before it begins, from 1; None: nothing is.

    Raises:
        ChaosbenchError: where there are no validation data, or no trial has a finite error.
    """
    if not len(data.validation) or data.validation.shape[1] < 2:
        raise DataError(f"a search needs validation data, and {data.system.label} has none")
    seen, study, trials = data.without_test(), _study(search), list[Trial]()
    known = {_key(trial.values): trial for trial in _read(file)}
    for number in range(search.trials):
        proposed = study.ask(_distributions(search))
        values = _values(search, proposed.params)
        if report is not None:
            report(number + 1)
        if _key(values) not in known:
            known[_key(values)] = _tried(search, *_candidate(search, model, trainer, values), values, seen)
            _write(file, known.values())
        trials.append(trial := known[_key(values)])
        study.tell(proposed, math.inf if trial.error is None else trial.error)
    return _best(trials)


def _study(search: SearchSpec) -> "optuna.Study":
    require()
    import optuna

    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=search.seed))


def _distributions(search: SearchSpec) -> dict[str, Any]:
    """Return Optuna's description of each field; choices are numbered, so that they may be lists."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def one(space: Range | tuple[Any, ...]) -> Any:
        if not isinstance(space, Range):
            return CategoricalDistribution(range(len(space)))
        if isinstance(space.low, int) and isinstance(space.high, int):
            return IntDistribution(space.low, space.high, log=space.log)
        return FloatDistribution(space.low, space.high, log=space.log)

    return {name: one(space) for name, space in search.fields.items()}


def _values(search: SearchSpec, proposed: Mapping[str, Any]) -> Values:
    """Return the values of a trial that Optuna proposes."""

    def one(space: Range | tuple[Any, ...], value: Any) -> Any:
        if not isinstance(space, Range):
            return space[value]
        # Three digits are enough to find, and short enough to read in a label.
        return min(max(float(f"{value:.3g}"), space.low), space.high) if isinstance(value, float) else value

    return {name: one(space, proposed[name]) for name, space in search.fields.items()}


def _candidate(
    search: SearchSpec, model: ModelSpec, trainer: TrainerSpec, values: Values
) -> tuple[ModelSpec | None, TrainerSpec]:
    """Return model and trainer of a trial; no model if the values do not go together."""
    try:
        model, trainer = changed(model, trainer, values)
        if search.updates is not None and "updates" in type(trainer).model_fields:
            trainer = trainer.replaced(updates=search.updates)
    except ValidationError:
        return None, trainer
    return model, trainer


def _tried(search: SearchSpec, model: ModelSpec | None, trainer: TrainerSpec, values: Values, data: Dataset) -> Trial:
    """Train one seed and return its error on validation data; values that a trainer refuses count as failed."""
    began, updates, error = perf_counter(), 0, math.nan
    device = data.train.device
    # Models that draw from torch's own generator do so alike in every trial, and in the training that follows.
    with suppress(ChaosbenchError), torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(search.seed)
        if model is not None:
            trainer.check(data)
            network = model.build(data.dimension, (search.seed,)).to(device, data.train.dtype)
            for step in trainer.fit(network, data, (search.seed,)):
                updates = step.update
            error = float(validation_error(network, data))
    seconds = perf_counter() - began
    return Trial(values, error if math.isfinite(error) else None, updates, seconds)


def _best(trials: list[Trial]) -> Found:
    finite = [trial for trial in trials if trial.error is not None]
    if not finite:
        raise ChaosbenchError(
            f"none of the {len(trials)} trials of the search has a finite error on validation data; search other "
            "values, or more trials"
        )
    different = {_key(trial.values): trial for trial in trials}.values()
    best = min(finite, key=lambda trial: trial.error or 0.0)
    cost = sum(trial.updates for trial in different), sum(trial.seconds for trial in different)
    return Found(best, len(trials), *cost)


def _key(values: Values) -> str:
    return json.dumps(values, sort_keys=True)


def _read(file: Path | None) -> list[Trial]:
    """Return the trials of a file; none if it cannot be read."""
    try:
        return [] if file is None else [Trial(**row) for row in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def _write(file: Path | None, trials: Iterable[Trial]) -> None:
    if file is not None:
        text = json.dumps([asdict(trial) for trial in trials], indent=1)
        with suppress(OSError):  # a full disk costs the record, not the search
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, lambda temporary: temporary.write_text(text, encoding="utf-8"))
