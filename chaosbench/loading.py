"""A stored experiment in hand: its spec, its data, and the trained model of one seed, in the data's own units."""

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chaosbench import registry
from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.data.dataset import embedded, unembedded
from chaosbench.errors import ChaosbenchError, DataError, StoreError, UnknownNameError
from chaosbench.evaluation import free_run, starting_states
from chaosbench.experiment import Experiment
from chaosbench.external import ExternalModel, ExternalTrainer, is_external
from chaosbench.leaderboard import folder as stored_files
from chaosbench.leaderboard.folder import FINISHED, Stored
from chaosbench.models.forecaster import Forecaster
from chaosbench.spec import Spec
from chaosbench.suite import validated
from chaosbench.trajectories import Array

ArrayT = TypeVar("ArrayT", Tensor, NDArray[Any])
Standardisation = tuple[Tensor, Tensor]


class TrainedModel:
    """The trained model of one seed; histories and forecasts are in the units of the data.

    Attributes:
        forecaster: the model itself, K = 1, in standardised units.
        mean, deviation: `(m O,)` float64, of the training data and their delay coordinates [the data's units].
        dtype: precision of the model.
        observables: O, columns of a history and of a forecast.
        shortest_history: least number of observations of a history [steps].
    """

    def __init__(
        self, forecaster: Forecaster, standardisation: Standardisation, data: DataSpec, dtype: torch.dtype
    ) -> None:
        self.forecaster, self.dtype = forecaster, dtype
        self.mean, self.deviation = standardisation
        self._data = data
        self.observables = len(self.mean) // data.embedding
        self.shortest_history = data.history + 1

    @torch.no_grad()
    def forecast(self, history: ArrayT, steps: int) -> ArrayT:
        """Forecast the steps that follow a history; NaN from the step at which the numbers of the model blow up.

        The longer the history, the better a model with a memory is warmed up; evaluations use
        `spec.evaluation.context` observations.

        Args:
            history: `(H, O)`, or `(B, H, O)` for B forecasts at once [the data's units], the latest last.
            steps: number of steps to forecast.

        Returns:
            `(steps, O)` or `(B, steps, O)` [the data's units], of the kind and type of `history`.

        Raises:
            DataError: where the history has another shape, is too short, or is not finite.
        """
        series = _double(history)
        self._check(series, steps)
        batch = series if series.dim() == 3 else series[None]
        seen = (embedded(batch, self._data.embedding, self._data.lag) - self.mean) / self.deviation
        start = starting_states(self.forecaster, seen.to(self.dtype))
        run = free_run(self.forecaster, start, steps)[0].double() * self.deviation + self.mean
        forecast = run[..., : self.observables].reshape(*series.shape[:-2], steps, self.observables)
        if isinstance(history, Tensor):
            return forecast.to(history.device, history.dtype if history.is_floating_point() else torch.float64)
        array: NDArray[Any] = forecast.numpy()
        return array.astype(history.dtype) if history.dtype.kind == "f" else array

    def _check(self, series: Tensor, steps: int) -> None:
        if steps < 1:
            raise DataError(f"a forecast of {steps} steps was asked for; expected at least 1")
        if series.dim() not in (2, 3) or series.shape[-1] != self.observables:
            raise DataError(
                f"the history has the shape {tuple(series.shape)}; expected (H, {self.observables}) or "
                f"(B, H, {self.observables}), time before observables"
            )
        if series.shape[-2] < self.shortest_history:
            raise DataError(
                f"the history has {series.shape[-2]} observations; this model needs at least {self.shortest_history}"
            )
        if not series.isfinite().all():
            raise DataError("the history holds numbers that are not finite; fill the gaps, or start after them")


@dataclass(frozen=True)
class Loaded:
    """One seed of a stored experiment.

    Attributes:
        folder: where it is stored.
        spec: the experiment: system, data, model, trainer, metrics and evaluation.
        seed: the seed whose model this is.
        model: forecasts in the units of the data.
    """

    folder: Path
    spec: Experiment
    seed: int
    model: TrainedModel

    @cached_property
    def data(self) -> Dataset:
        """The data of the experiment, simulated again or read from the cache, standardised as in training."""
        return simulate(self.spec.system, self.spec.data)

    def histories(self) -> Array:
        """Return the first `context` observations of each test orbit, as seen, `(N, H, O)` [the data's units].

        Delay coordinates reach further back, so that H is `context` and the steps that they need.
        """
        seen = self.data.seen[:, : self.spec.evaluation.context].double()
        observed = seen * self.data.deviation.double() + self.data.mean.double()
        return unembedded(observed, self.spec.data.embedding, self.spec.data.lag).numpy()

    def futures(self) -> Array:
        """Return the truth after each of `histories`, without noise, `(N, T, O)` [the data's units]."""
        future = self.data.test[:, self.spec.evaluation.context :, : self.model.observables].double()
        scale, shift = (part.double()[: self.model.observables] for part in (self.data.deviation, self.data.mean))
        return (future * scale + shift).numpy()


def load(folder: str | Path, seed: int | None = None, *, kinds: Iterable[type[Spec]] = ()) -> Loaded:
    """Load one seed of a stored experiment: its spec, its data and its trained model.

    Args:
        folder: the experiment's folder in a results directory.
        seed: the seed; None: the median seed by the first metric.
        kinds: classes of systems, models or trainers that no plug-in offers, such as those of a notebook.

    Raises:
        StoreError: where the folder holds no finished experiment, is damaged, or has no weights.
        UnknownNameError: where the seed was not run.
    """
    path = Path(folder)
    stored = stored_files.read(path)
    index = _index(stored, seed)
    if is_external(stored.experiment):
        raise StoreError(f"{str(path)!r} is an external submission without weights, so there is no model to load")
    experiment = read_experiment(stored, kinds=kinds)
    weights, metadata = stored_files.weights(path), stored_files.weights_metadata(path)
    if "standardisation" in metadata:
        numbers = json.loads(metadata["standardisation"])
        mean, deviation = (torch.tensor(numbers[name], dtype=torch.float64) for name in ("mean", "deviation"))
    else:
        mean, deviation = _rebuilt(path, experiment)
    chosen = experiment.seeds[index]
    forecaster = experiment.model.build(len(mean), (chosen,)).to(experiment.torch_dtype)
    own = {name: torch.from_numpy(array[index : index + 1].copy()) for name, array in weights.items()}
    try:
        forecaster.load_state_dict(own)
    except RuntimeError as error:
        raise StoreError(
            f"the weights in {str(path)!r} do not fit {experiment.model.label}: {str(error).splitlines()[-1].strip()}; "
            "it was stored by a version whose model has other parts"
        ) from error
    model = TrainedModel(forecaster.eval(), (mean, deviation), experiment.data, experiment.torch_dtype)
    return Loaded(path, experiment, chosen, model)


def read_experiment(stored: Stored, *, kinds: Iterable[type[Spec]] = (), like_external: bool = False) -> Experiment:
    """Return the experiment of a folder, with the registered classes of its system, model, trainer and metrics.

    Args:
        stored: as read from the folder.
        kinds: further classes, as in `load`.
        like_external: let a placeholder stand for model and trainer, so that neither has to be registered.

    Raises:
        ChaosbenchError: where a kind is not registered, or a field is unknown.
    """
    registered = registry.load()
    for kind in kinds:
        registered.admit(kind)
    content = dict(stored.experiment)
    if like_external:
        for placeholder in (ExternalModel, ExternalTrainer):
            registered.admit(placeholder)
        content |= {"model": {"kind": "external", "name": "?", "sha256": ()}, "trainer": {"kind": "external"}}
        content["diagnostics"] = ()
    narrowed = validated(registered.experiment_type(), content, str(stored.folder / "spec.json"))
    return Experiment.model_validate(dict(narrowed))


def _index(stored: Stored, seed: int | None) -> int:
    """Return the position of the seed among the runs; that of the median seed for None."""
    if seed is None:
        return stored.median_run
    seeds = [run["seed"] for run in stored.runs]
    if seed not in seeds:
        raise UnknownNameError(f"{str(stored.folder)!r} has no seed {seed}; seeds: {', '.join(map(str, seeds))}")
    if stored.runs[seeds.index(seed)]["status"] not in FINISHED:
        raise StoreError(f"seed {seed} of {str(stored.folder)!r} has no result; run the suite again")
    return seeds.index(seed)


def _rebuilt(path: Path, experiment: Experiment) -> Standardisation:
    """Compute mean and deviation from the data again, for a folder that an earlier version has written."""
    try:
        data = simulate(experiment.system, experiment.data)
    except ChaosbenchError as error:
        raise StoreError(
            f"{str(path)!r} does not hold the mean and deviation of its data (an earlier version wrote it), and the "
            f"data cannot be made again: {error}"
        ) from error
    text = f"{str(path)!r} does not hold the mean and deviation of its data (an earlier version wrote it); they are "
    warnings.warn(f"{text}computed from the data again", RuntimeWarning, stacklevel=3)
    return data.mean.double(), data.deviation.double()


def _double(array: Tensor | NDArray[Any]) -> Tensor:
    """Return a copy in float64 on the CPU."""
    if isinstance(array, Tensor):
        return array.detach().double().cpu()
    return torch.from_numpy(np.array(array, dtype=np.float64))
