"""An experiment, and its results: runs, records, arrays and weights."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Self

import numpy as np
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


class EvaluationSpec(Content):
    """How a trained model is evaluated: long free runs for statistics, short forecasts for errors, and exponents.

    Every model receives the same history, whatever part of it the model needs.
    """

    context: int = Field(200, ge=1)  # H, observations before each free run and forecast, and of each exponent [steps]
    free_runs: int = Field(4, ge=1)  # R, each from the first `context` observations of its own test orbit
    free_run_steps: int = Field(10_000, ge=100)  # [steps] compared with the truth
    free_run_transient: int = Field(2_500, ge=0)  # [steps] dropped before those
    conditions: int = Field(100, ge=1)  # C, initial conditions of short forecasts, on the test orbits
    horizon: int = Field(2_000, ge=1)  # [steps] of each short forecast
    exponents: int | None = Field(None, ge=1)  # number of Lyapunov exponents; None: as many as observables
    exponent_conditions: int = Field(10, ge=1)  # free runs over which exponents are averaged
    exponent_steps: int = Field(2_000, ge=1)  # [steps] of each
    exponent_transient: int = Field(500, ge=0)  # [steps] dropped from each

    def exponent_count(self, dimension: int) -> int:
        """Return how many Lyapunov exponents are compared, for data of that many observables."""
        return self.exponents or dimension


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
        if evaluation.horizon >= data.test_length:
            raise ValueError(
                f"evaluation.horizon = {evaluation.horizon} must be shorter than data.test_length = {data.test_length}"
            )
        first = first_condition(evaluation.context, STATES_EVERY if isinstance(self.system, SystemSpec) else 1)
        if first + evaluation.horizon >= data.test_length:
            raise ValueError(
                f"evaluation.context = {evaluation.context} starts forecasts of evaluation.horizon = "
                f"{evaluation.horizon} steps at step {first}, which needs test orbits longer than "
                f"{first + evaluation.horizon} steps, but data.test_length = {data.test_length}; lower the context"
            )
        return self

    @model_validator(mode="after")
    def _runs_are_long_enough_for_the_metrics(self) -> Self:
        for metric in self.metrics:
            for name, least in (("horizon", metric.least_horizon), ("free_run_steps", metric.least_free_run)):
                if least > getattr(self.evaluation, name):
                    raise ValueError(
                        f"{metric.label} needs evaluation.{name} of at least {least}, "
                        f"not {getattr(self.evaluation, name)}"
                    )
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
    provenance: dict[str, str] = field(default_factory=dict)  # versions of the software that ran

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
