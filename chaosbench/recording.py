"""The rows and arrays that an experiment leaves: from tensors of K seeds to records of each seed."""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from chaosbench.data import Dataset
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.experiment import Experiment, Record, Result, Run, Status
from chaosbench.metrics.base import Evaluation
from chaosbench.models.forecaster import Forecaster, Trait
from chaosbench.provenance import of_experiment, of_machine, of_training
from chaosbench.recorded_scores import finite, outcomes, score_records
from chaosbench.search.study import Found
from chaosbench.stored_arrays import Arrays, evaluation_arrays, separation_arrays
from chaosbench.theory.diagnosis import Diagnosis
from chaosbench.theory.examination import curves, reference_diagnosis
from chaosbench.theory.run_diagnosis import PREFIX, RunDiagnosis
from chaosbench.trainers.forcing_scheme import ForcingScheme

Traits = Mapping[str, Trait]


@dataclass(frozen=True)
class Training:
    """A finished training, beside the trained model.

    Attributes:
        measured: diagnostic, update and values `(K,)` of every measurement.
        updates: how many were done; fewer than asked for where every seed had diverged.
        seconds: wall time without diagnostics [s].
        watching: wall time of the diagnostics [s].
        health: loss and gradient norm of every update.
        stopping: name, values `(K,)`, unit and None for each number of early stopping; empty without it.
        scheme: where the state was forced and gradients were cut at the end; None where no gradient passes time.
        seeds: how many were trained as one batch, those of other experiments included.
        search: what was found before the training, whose cost counts as that of the training; None without a search.
        checksum: of the data before the training; empty: not computed.
        remarks: a sentence on everything that raised so far and did not cost the training.
    """

    measured: list[tuple[DiagnosticSpec, int, Tensor]]
    updates: int
    seconds: float
    watching: float
    health: TrainingHealth
    scheme: ForcingScheme | None
    seeds: int
    stopping: Sequence[tuple[str, Tensor, str, None]] = ()
    search: Found | None = None
    checksum: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def whole_cost(self) -> tuple[int, float]:
        """Updates and seconds, those of the search included."""
        if self.search is None:
            return self.updates, self.seconds
        return self.updates + self.search.updates, self.seconds + self.search.seconds

    def failures(self, checksum: str, statuses: Sequence[Status]) -> list[str]:
        """Return why each seed has failed although it has scores, `(K,)`; an empty text if it has not.

        Args:
            checksum: of the data after everything else.
            statuses: those that the scores give.
        """
        if self.checksum not in ("", checksum):
            return ["the data were changed in place, so that the scores mean nothing"] * len(statuses)
        untrained = "its first loss is not a number, so that it was not trained"
        lost = self.health.losses[:, 0].isnan().tolist()
        return [untrained if nan and status == "ok" else "" for nan, status in zip(lost, statuses, strict=True)]


@dataclass(frozen=True)
class Diagnoses:
    """Diagnoses of one model: before training and after; None: it raised."""

    initial: Diagnosis | None
    final: Diagnosis | None


@dataclass(frozen=True)
class Rows:
    """Everything that is stored of an experiment but for its times and versions."""

    experiment: Experiment
    outcomes: tuple[tuple[int, Status, str], ...]  # seed, status, message
    records: tuple[Record, ...]
    arrays: Arrays
    weights: Arrays
    standardisation: Arrays  # mean and deviation of the training data [the source's units]
    costs: dict[str, Any]  # fields of `Run`: parameters, updates, train_seconds, device, seeds_together
    provenance: dict[str, str]  # of machine, experiment and data

    def result(self, *, started: datetime, seconds: float, plugins: dict[str, str]) -> Result:
        """Return the result of an experiment that began at `started` and took `seconds` of wall time."""
        times = {"started": started, "ended": datetime.now(UTC), "total_seconds": seconds / len(self.experiment.seeds)}
        provenance, costs = self.provenance | plugins, times | self.costs
        runs = tuple(
            Run.of(self.experiment, seed, status, message, provenance=provenance, **costs)
            for seed, status, message in self.outcomes
        )
        return Result(self.experiment, runs, self.records, self.arrays, self.weights, self.standardisation)


def record(
    experiment: Experiment,
    model: Forecaster,
    data: Dataset,
    training: Training,
    diagnoses: Diagnoses,
    evaluation: Evaluation | None,
    traits: Traits,
    *,
    device: str,
) -> Rows:
    """Score the evaluation and collect every number, curve and weight of an experiment.

    Without an evaluation, because the free runs raised, the experiment has failed, and keeps its weights and the course
    of its training.
    """
    remarks = list(training.remarks)
    scores = [] if evaluation is None else score_records(experiment, evaluation, remarks=remarks)
    records = (
        *training_records(experiment, training),
        *search_records(experiment, training.search),
        *diagnosis_records(experiment, model, data, training, diagnoses, device=device),
        *scores,
        *trait_records(experiment, traits),
    )
    arrays = (
        ({} if evaluation is None else evaluation_arrays(evaluation) | separation_arrays(data))
        | ({} if diagnoses.final is None else curves(diagnoses.final, diagnoses.initial))
        | training.health.curves()
        | {f"portrait.{name}": trait.value.cpu().numpy() for name, trait in traits.items()}
    )
    updates, train_seconds = training.whole_cost
    costs = {
        "parameters": model.parameters_per_seed(),
        "updates": updates,
        "train_seconds": train_seconds / len(experiment.seeds),
        "device": _device_name(device),
        "seeds_together": training.seeds,
    }
    weights = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    standardisation = {name: getattr(data, name).cpu().numpy() for name in ("mean", "deviation")}
    provenance = of_machine() | of_experiment(experiment) | of_training(data)
    lost: list[tuple[int, Status, str]] = [(seed, "failed", "") for seed in experiment.seeds]
    found = lost if evaluation is None else list(outcomes(experiment, evaluation, scores))
    failures = training.failures(provenance["data"], [status for _, status, _ in found])
    seen = tuple(
        (seed, "failed" if failure else status, "; ".join(filter(None, [failure, message, *remarks])))
        for (seed, status, message), failure in zip(found, failures, strict=True)
    )
    return Rows(experiment, seen, records, arrays, weights, standardisation, costs, provenance)


def training_records(experiment: Experiment, training: Training) -> Iterator[Record]:
    """Yield what the diagnostics measured during training, and where each seed stopped early."""
    for diagnostic, update, values in training.measured:
        yield from measured_records(experiment, diagnostic, update, values)
    digest = experiment.digest()
    for name, values, unit, _ in training.stopping:
        for seed, value in zip(experiment.seeds, values.tolist(), strict=True):
            yield Record(digest, seed, name, finite(value), None, unit, "", None)


def measured_records(
    experiment: Experiment, diagnostic: DiagnosticSpec, update: int, values: Tensor
) -> Iterator[Record]:
    """Yield what one diagnostic measured at one update, seed by seed; values are `(K,)`."""
    digest = experiment.digest()
    for seed, value in zip(experiment.seeds, values.tolist(), strict=True):
        yield Record(digest, seed, diagnostic.label, finite(value), None, diagnostic.unit, "", update)


def announce_rest(rows: "Rows", training: Training, announce: Callable[[Record], None]) -> None:
    """Announce every record of a finished experiment but those of diagnostics, which training has announced."""
    live = {(diagnostic.label, update) for diagnostic, update, _ in training.measured}
    for one in rows.records:
        if (one.name, one.update) not in live:
            announce(one)


def search_records(experiment: Experiment, search: Found | None) -> Iterator[Record]:
    """Yield the number of trials, the least error on validation data, and the cost of a search."""
    if search is None:
        return
    digest, best = experiment.digest(), search.best
    numbers = [("trials", search.trials, "1"), ("error", best.error, "1"), ("updates", search.updates, "updates")]
    for name, value, unit in (*numbers, ("seconds", search.seconds, "s")):
        for seed in experiment.seeds:
            yield Record(digest, seed, f"search.{name}", value, None, unit, "", None)


def diagnosis_records(
    experiment: Experiment,
    model: Forecaster,
    data: Dataset,
    training: Training,
    diagnoses: Diagnoses,
    *,
    device: str,
) -> Iterator[Record]:
    """Yield the diagnosis before training (update 0) and after, with how training went.

    The numbers of the data's own system stand beside them as floors. A model that replays its training data has no
    diagnosis of its own.
    """
    initial, final = (
        diagnosis.columns() if model.dynamical and diagnosis is not None else {}
        for diagnosis in (diagnoses.initial, diagnoses.final)
    )
    diagnosed = sum(one.seconds for one in (diagnoses.initial, diagnoses.final) if one is not None)
    seeds, seconds = len(experiment.seeds), diagnosed + training.watching
    final |= training.health.columns(training.seconds, device)
    final["cost_share"] = [seconds / training.seconds] * seeds
    if training.scheme is not None and data.largest_exponent is not None:
        horizon = training.scheme.product_length * data.dt * data.largest_exponent
        final["effective_horizon"] = torch.full((seeds,), horizon).tolist()  # always stored in single precision
    truth = {number.name: number.value for number in reference_diagnosis(data).records()}
    yield from _column_records(experiment, initial, truth, update=0)
    yield from _column_records(experiment, final, truth, update=None)


def trait_records(experiment: Experiment, traits: Traits) -> Iterator[Record]:
    """Yield the numbers that a model reports about its own dynamics; its arrays lie beside the pictures."""
    digest = experiment.digest()
    for name, trait in traits.items():
        if trait.value.dim() == 1:
            for seed, value in zip(experiment.seeds, trait.value.tolist(), strict=True):
                yield Record(digest, seed, f"portrait.{name}", finite(value), None, trait.unit, "", None)


def _column_records(
    experiment: Experiment,
    columns: Mapping[str, Sequence[Any]],
    truth: Mapping[str, float | None],
    *,
    update: int | None,
) -> Iterator[Record]:
    """Yield the rows of a diagnosis from its columns, number by number and, for each number, seed by seed."""
    digest = experiment.digest()
    runs = (run.records() for run in RunDiagnosis.from_columns(columns))
    for numbers in zip(*runs, strict=True):
        for seed, (name, unit, value) in zip(experiment.seeds, numbers, strict=True):
            yield Record(digest, seed, f"{PREFIX}{name}", value, truth.get(name), unit, "", update)


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()})"
