"""An experiment, and its results: runs, records, arrays and weights."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from pydantic import (
    AfterValidator,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from chaosbench import sizes
from chaosbench.data import DataSpec
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.errors import printable
from chaosbench.evaluation_spec import EvaluationSpec
from chaosbench.labels import searched_label, title
from chaosbench.limits import LARGEST_SEED, MOST_SEEDS
from chaosbench.metrics.base import MetricSpec
from chaosbench.models.base import ModelSpec
from chaosbench.plugin_choice import Choice
from chaosbench.search.space import SearchSpec
from chaosbench.source import STATES_EVERY, Source
from chaosbench.spec import Content
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.base import TrainerSpec, observed_dimension

__all__ = ["EvaluationSpec", "Experiment", "Record", "Result", "Run", "Status"]

Status = Literal["ok", "diverged", "failed", "crashed", "timeout", "oom", "skipped"]


class Experiment(Content):
    """One system, its data, one model and one trainer, with the seeds to run and the metrics to compute."""

    suite: Annotated[str, AfterValidator(printable)]
    system: SerializeAsAny[Source]
    data: DataSpec = DataSpec()
    model: SerializeAsAny[ModelSpec]
    trainer: SerializeAsAny[TrainerSpec]
    metrics: tuple[SerializeAsAny[MetricSpec], ...]
    diagnostics: tuple[SerializeAsAny[DiagnosticSpec], ...] = ()
    evaluation: EvaluationSpec = EvaluationSpec()
    seeds: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=0, le=LARGEST_SEED)], ...],
        Field(min_length=1, max_length=MOST_SEEDS),
    ]
    search: SearchSpec | None = None  # of fields of model and trainer, before the training

    @model_serializer(mode="wrap")
    def _without_an_absent_search(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        if self.search is None:
            del content["search"]
        return content

    @field_validator("system", "model", "trainer", "metrics", "diagnostics", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """Make specs of kinds, or of tables with a kind, as JSON holds them; the registry narrows subclasses itself."""
        noun = str(info.field_name).removesuffix("s")
        if cls is not Experiment:
            return value
        return tuple(_spec(noun, one) for one in value) if isinstance(value, list | tuple) else _spec(noun, value)

    @property
    def identity(self) -> str:
        """The digest without seeds, suite and fields that a search sets: equal where runs may be pooled."""
        content: dict[str, Any] = json.loads(self.canonical())
        del content["seeds"], content["suite"]
        for name in () if self.search is None else self.search.fields:
            noun, _, field_name = name.partition(".")
            content[noun].pop(field_name, None)
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def labels(self) -> dict[str, Any]:
        """The labels of system, data, model and trainer; that of the trainer says if there was a search."""
        own = {noun: getattr(self, noun).label for noun in ("system", "data", "model", "trainer")}
        return own | {"trainer": searched_label(own["trainer"], None if self.search is None else self.search.trials)}

    @property
    def torch_dtype(self) -> torch.dtype:
        """Precision of training and evaluation: that of the data, or else the least that suits the system."""
        return self.data.torch_dtype(self.system)

    @property
    def name(self) -> str:
        """The title, "trainer on model, system"."""
        return title(self.labels)

    @property
    def incompatibility(self) -> str | None:
        """The reason why these specs cannot work together, for which no file is read; None if they can."""
        reason = None
        if isinstance(self.system, SystemSpec):
            reason = self.model.incompatibility(observed_dimension(self.system, self.data))
        return reason or self.trainer.incompatibility(self.system, self.data, self.model)

    @model_validator(mode="after")
    def _sizes_fit_the_data(self) -> Self:
        """Derive the sizes that nobody set from the lengths of a recorded series, and check all of them."""
        least = sizes.least(self.metrics)
        lengths = self.system.lengths(self.data) if sizes.open_fields(self.data, self.evaluation) else None
        if lengths is not None:
            data, evaluation = sizes.fitted(self.data, self.evaluation, lengths, least)
            object.__setattr__(self, "data", data)
            object.__setattr__(self, "evaluation", evaluation)
            object.__setattr__(self, "trainer", sizes.fitted_trainer(self.trainer, lengths.train))
        every = STATES_EVERY if isinstance(self.system, SystemSpec) else 1
        problems = sizes.misfits(self.data, self.evaluation, self.metrics, every=every, lengths=lengths)
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _spec(noun: str, content: Any) -> Any:
    """Return the spec of a kind, or of a table with a kind; anything else is returned as it is."""
    table = {"kind": content} if isinstance(content, str) else content
    if not isinstance(table, Mapping) or not isinstance(table.get("kind"), str):
        return content
    return _registry(Choice.from_environment()).find(noun, table["kind"]).model_validate(dict(table))


@cache
def _registry(choice: Choice) -> Any:
    """Load the kinds once for each choice of plug-ins; imported here, because the registry itself needs experiments."""
    return import_module("chaosbench.registry").load(choice)


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
    parameters: int | None  # number of trained parameters of one seed; None: not given with a submission
    updates: int  # [updates] done
    train_seconds: float  # wall time of the batch of seeds, divided by their number
    total_seconds: float  # the same for data, training, diagnosis and scoring together
    device: str
    started: datetime  # UTC
    provenance: dict[str, str] = field(default_factory=dict)  # what it ran on; `leaderboard.schema.PROVENANCE`
    seeds_together: int | None = None  # K, seeds trained as one batch; None in results of earlier versions
    ended: datetime | None = None  # UTC; None in results of earlier versions

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
    standardisation: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # mean, deviation of the data

    def with_remarks(self, remarks: Sequence[str]) -> "Result":
        """Return the result with sentences added to the message of every run."""
        added = [replace(run, message="; ".join(filter(None, [run.message, *remarks]))) for run in self.runs]
        return replace(self, runs=tuple(added)) if remarks else self

    def with_provenance(self, provenance: Mapping[str, str]) -> "Result":
        """Return the result with entries added to the provenance of every run; those that a run has stay."""
        runs = (replace(run, provenance={**provenance, **run.provenance}) for run in self.runs)
        return replace(self, runs=tuple(runs))

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per seed: labels, status, costs and the score by each metric, as `pandas.DataFrame` takes them.

        A score that is not defined is None. `records` holds every other number, and takes the same way to a table.
        """
        metrics = [metric.label for metric in self.experiment.metrics]
        scores = {(record.seed, record.name): record.value for record in self.records if record.update is None}
        columns = ("seed", "system", "data", "model", "trainer", "status", "message", "parameters", "train_seconds")
        return [
            {name: getattr(run, name) for name in columns} | {name: scores.get((run.seed, name)) for name in metrics}
            for run in self.runs
        ]
