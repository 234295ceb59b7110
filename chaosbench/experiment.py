"""An experiment, and its results: runs, records, arrays and weights."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, log
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, SerializeAsAny, model_validator

from chaosbench.data import DataSpec, first_condition
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.labels import title
from chaosbench.metrics.base import MetricSpec
from chaosbench.models.base import ModelSpec
from chaosbench.source import STATES_EVERY, Source
from chaosbench.spec import Content
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.base import TrainerSpec

Status = Literal["ok", "diverged", "failed", "crashed", "timeout", "oom", "skipped"]


_LEAST_HORIZON = 2_000  # [steps] of short forecasts unless a suite sets fewer
_LEAST_TIMES = 20.0  # [Lyapunov times]
_MARGIN = 1.5  # the growth of errors differs between conditions


class EvaluationSpec(Content):
    """How a trained model is evaluated: long free runs for statistics, short forecasts for errors, and exponents.

    Every model receives the same history, whatever part of it the model needs.
    """

    context: int = Field(200, ge=1)  # H, observations before each free run and forecast, and of each exponent [steps]
    free_runs: int = Field(4, ge=1)  # R, each from the first `context` observations of its own test orbit
    free_run_steps: int = Field(10_000, ge=100)  # [steps] compared with the truth
    free_run_transient: int = Field(2_500, ge=0)  # [steps] dropped before those
    conditions: int = Field(100, ge=1)  # C, initial conditions of short forecasts, on the test orbits
    horizon: int | None = Field(None, ge=1)  # [steps] of each short forecast; None: long enough for the system
    exponents: int | None = Field(None, ge=1)  # number of Lyapunov exponents; None: as many as observables
    exponent_conditions: int = Field(10, ge=1)  # free runs over which exponents are averaged
    exponent_steps: int = Field(2_000, ge=1)  # [steps] of each
    exponent_transient: int = Field(500, ge=0)  # [steps] dropped from each
    exponent_bounded_share: float = Field(0.9, ge=0, le=1)  # of those free runs; with fewer bounded ones no exponents

    def exponent_count(self, dimension: int) -> int:
        """Return how many Lyapunov exponents are compared, for data of that many observables."""
        return self.exponents or dimension

    def forecast_steps(self, lyapunov_time: float | None, *, error: float, length: int) -> int:
        """Return the length of short forecasts [steps]: `horizon`, or else one that suits the system.

        That is at least 2,000 steps, and for a chaotic system at least 20 Lyapunov times and half as long again as an
        initial error takes to grow to the size of the attractor, ln(1 / error) Lyapunov times. It is at most half of a
        test orbit, so that conditions differ.

        Args:
            lyapunov_time: 1 / lambda_1 of the system [steps]; None: not chaotic.
            error: of the initial conditions, in standard deviations.
            length: of a test orbit [steps].
        """
        if self.horizon is not None:
            return self.horizon
        times = max(_LEAST_TIMES, _MARGIN * log(1 / error))
        wanted = _LEAST_HORIZON if lyapunov_time is None else max(_LEAST_HORIZON, ceil(times * lyapunov_time))
        return max(1, min(wanted, length // 2))


class Experiment(Content):
    """One system, its data, one model and one trainer, with the seeds to run and the metrics to compute."""

    suite: str
    system: SerializeAsAny[Source]
    data: DataSpec = DataSpec()
    model: SerializeAsAny[ModelSpec]
    trainer: SerializeAsAny[TrainerSpec]
    metrics: tuple[SerializeAsAny[MetricSpec], ...]
    diagnostics: tuple[SerializeAsAny[DiagnosticSpec], ...] = ()
    evaluation: EvaluationSpec = EvaluationSpec()
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]

    @property
    def identity(self) -> str:
        """The digest without seeds and suite: equal for experiments whose runs may be pooled."""
        content: dict[str, Any] = json.loads(self.canonical())
        del content["seeds"], content["suite"]
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def labels(self) -> dict[str, Any]:
        """The labels of system, data, model and trainer."""
        return {noun: getattr(self, noun).label for noun in ("system", "data", "model", "trainer")}

    @property
    def torch_dtype(self) -> torch.dtype:
        """Precision of training and evaluation: that of the data, or else the least that suits the system."""
        return self.data.torch_dtype(self.system)

    @property
    def name(self) -> str:
        """The title, "trainer on model, system"."""
        return title(self.labels)

    @model_validator(mode="after")
    def _test_orbits_are_long_and_many_enough(self) -> Self:
        evaluation, data = self.evaluation, self.data
        if evaluation.free_run_steps > data.test_length:
            raise ValueError(
                f"evaluation.free_run_steps = {evaluation.free_run_steps} needs test orbits at least as long, "
                f"but data.test_length = {data.test_length}"
            )
        if 2 * evaluation.free_runs > data.test_orbits:
            raise ValueError(
                f"evaluation.free_runs = {evaluation.free_runs} needs twice as many test orbits (a twin for each noise "
                f"floor), but data.test_orbits = {data.test_orbits}"
            )
        if evaluation.horizon is not None and evaluation.horizon >= data.test_length:
            raise ValueError(
                f"evaluation.horizon = {evaluation.horizon} must be shorter than data.test_length = {data.test_length}"
            )
        horizon, first = evaluation.horizon or 1, self._first_condition
        if first + horizon >= data.test_length:
            raise ValueError(
                f"evaluation.context = {evaluation.context} starts forecasts of {horizon} steps at step {first}, "
                f"which needs test orbits longer than {first + horizon} steps, but data.test_length = "
                f"{data.test_length}; lower the context"
            )
        return self

    @property
    def _first_condition(self) -> int:
        """First step of a test orbit at which a forecast may start [steps]."""
        every = STATES_EVERY if isinstance(self.system, SystemSpec) else 1
        return first_condition(self.evaluation.context, every)

    @model_validator(mode="after")
    def _runs_are_long_enough_for_the_metrics(self) -> Self:
        room = self.data.test_length - self._first_condition
        chosen = self.evaluation.forecast_steps(None, error=1.0, length=room)  # at least
        steps = {"horizon": chosen, "free_run_steps": self.evaluation.free_run_steps}
        for metric in self.metrics:
            for name, least in (("horizon", metric.least_horizon), ("free_run_steps", metric.least_free_run)):
                if least > steps[name]:
                    raise ValueError(f"{metric.label} needs evaluation.{name} of at least {least}, not {steps[name]}")
        return self


@dataclass(frozen=True)
class Run:
    """One seed of an experiment: a row of `runs.parquet`."""

    experiment: str  # digest of the experiment
    suite: str
    seed: int
    system: str  # labels
    data: str
    model: str
    trainer: str
    status: Status
    message: str  # the reason for a status other than "ok", or for suspecting a run whose status is "ok"
    parameters: int  # number of trained parameters of one seed
    updates: int  # [updates] done
    train_seconds: float  # wall time of the batch of seeds, divided by their number
    total_seconds: float  # the same for data, training, diagnosis and scoring together
    device: str
    started: datetime  # UTC
    provenance: dict[str, str] = field(default_factory=dict)  # versions that ran, and experiments of the same batch
    seeds_together: int | None = None  # K, seeds trained as one batch; None in results of earlier versions

    @classmethod
    def of(cls, experiment: Experiment, seed: int, status: Status, message: str, **costs: Any) -> Self:
        """Return the row of one seed.

        Args:
            experiment: gives digest, suite and labels.
            costs: the other fields; those of a run that was lost are zero or empty, but `started` is required.
        """
        return cls(
            experiment=experiment.digest(),
            suite=experiment.suite,
            seed=seed,
            **experiment.labels,
            status=status,
            message=message,
            **{"parameters": 0, "updates": 0, "train_seconds": 0.0, "total_seconds": 0.0, "device": "", **costs},
        )


@dataclass(frozen=True)
class Record:
    """One number of a run: a row of `records.parquet`."""

    experiment: str
    seed: int
    name: str  # label of the metric or diagnostic
    value: float | None  # None: not finite, or not defined
    floor: float | None  # the same number for the truth; None where there is none
    unit: str
    better: Literal["lower", "higher", ""]
    update: int | None  # None: of the finished model


@dataclass(frozen=True)
class Result:
    """Everything that one experiment leaves."""

    experiment: Experiment
    runs: tuple[Run, ...]
    records: tuple[Record, ...]
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # from which pictures are drawn
    weights: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # leading axis: the seeds in order
