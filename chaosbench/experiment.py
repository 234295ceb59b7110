"""What is asked (Experiment) and what came of it (Run, Record, Result)."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, SerializeAsAny, model_validator

from chaosbench.data import DataSpec
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.metrics.base import MetricSpec
from chaosbench.models.base import ModelSpec
from chaosbench.spec import Content
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.base import TrainerSpec

Status = Literal["ok", "diverged", "failed", "crashed", "timeout", "oom", "skipped"]


class EvaluationSpec(Content):
    """How a trained model is questioned: long free runs for the statistics, short forecasts for the errors."""

    free_runs: int = Field(4, ge=1)  # R, each from the start of its own test orbit
    free_run_steps: int = Field(10_000, ge=100)  # [steps] compared with the truth
    free_run_transient: int = Field(2_500, ge=0)  # [steps] run before those and dropped
    conditions: int = Field(100, ge=1)  # C, test conditions for the short forecasts
    horizon: int = Field(2_000, ge=1)  # [steps] of each short forecast
    exponents: int | None = Field(None, ge=1)  # how many Lyapunov exponents; None: as many as observables
    exponent_conditions: int = Field(10, ge=1)  # free runs whose exponents are averaged
    exponent_steps: int = Field(2_000, ge=1)  # [steps] of each
    exponent_transient: int = Field(500, ge=0)  # [steps] dropped from each


class Experiment(Content):
    """One system, its data, one model and one trainer, with the seeds to run and the questions to ask."""

    suite: str
    system: SerializeAsAny[SystemSpec]
    data: DataSpec = DataSpec()
    model: SerializeAsAny[ModelSpec]
    trainer: SerializeAsAny[TrainerSpec]
    metrics: tuple[SerializeAsAny[MetricSpec], ...]
    diagnostics: tuple[SerializeAsAny[DiagnosticSpec], ...] = ()
    evaluation: EvaluationSpec = EvaluationSpec()
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]

    @property
    def identity(self) -> str:
        """The digest without the seeds and the suite that asked: equal for experiments whose runs may be pooled."""
        content: dict[str, Any] = json.loads(self.canonical())
        del content["seeds"], content["suite"]
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def name(self) -> str:
        """`trainer on model, system`, for people."""
        return f"{self.trainer.label} on {self.model.label}, {self.system.label}"

    @model_validator(mode="after")
    def _test_orbits_are_long_and_many_enough(self) -> Self:
        asked, data = self.evaluation, self.data
        if asked.free_run_steps > data.test_length:
            raise ValueError(
                f"evaluation.free_run_steps = {asked.free_run_steps} needs test orbits at least as long, "
                f"but data.test_length = {data.test_length}"
            )
        if 2 * asked.free_runs > data.test_orbits:
            raise ValueError(
                f"evaluation.free_runs = {asked.free_runs} needs twice as many test orbits (a twin for each noise "
                f"floor), but data.test_orbits = {data.test_orbits}"
            )
        if asked.horizon >= data.test_length:
            raise ValueError(
                f"evaluation.horizon = {asked.horizon} must be shorter than data.test_length = {data.test_length}"
            )
        return self

    @model_validator(mode="after")
    def _the_metrics_get_what_they_look_at(self) -> Self:
        """Said before anything is trained."""
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
    message: str  # why, where the status is not "ok"; or what is suspicious about a run that is
    parameters: int  # trained numbers of one seed
    updates: int  # [updates] done
    train_seconds: float  # wall time of the batch of seeds, divided by their number
    total_seconds: float  # the same for data, training and scoring together
    device: str
    started: datetime  # UTC
    provenance: dict[str, str] = field(default_factory=dict)  # versions of what made the number


@dataclass(frozen=True)
class Record:
    """One number of a run: a row of `records.parquet`."""

    experiment: str
    seed: int
    name: str  # label of the metric or diagnostic
    value: float | None  # None: diverged
    floor: float | None  # the same number of the truth beside itself; None where there is none
    unit: str
    better: Literal["lower", "higher", ""]
    update: int | None  # None: of the finished model


@dataclass(frozen=True)
class Result:
    """All that came of one experiment."""

    experiment: Experiment
    runs: tuple[Run, ...]
    records: tuple[Record, ...]
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # what the pictures are drawn from
    weights: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # leading axis: the seeds in order
