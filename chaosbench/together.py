"""Experiments that differ in numbers only, trained as one batch, and then finished one by one as if each were alone.

A small network leaves most of a GPU idle, so that ten learning rates with ten seeds each train in about the time of
one. Every seed keeps its own weights, windows and numbers, and learns what it learns alone, to rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate
from time import perf_counter

import torch
from torch import Tensor

from chaosbench.assessment import diagnose_untrained, examine_and_score
from chaosbench.checkpoints import Checkpoints, Course
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.experiment import Experiment, Record, Result
from chaosbench.models.forecaster import Forecaster
from chaosbench.progress import Progress, Watch
from chaosbench.provenance import checksum
from chaosbench.recording import Training, announce_rest, measured_records
from chaosbench.run import build, changes, prepare, resumed, scheme_of
from chaosbench.theory.diagnosis import Diagnosis
from chaosbench.trainers.early_stopping import stopping_records
from chaosbench.trainers.training_state import TrainingState

COMPANY = "trained_with"  # key in the provenance of a run for the other experiments of its batch
DIGITS = 12  # of their digests, as in the names of folders


class Company:
    """Experiments that are trained as one batch: first `train`, then `finish` each of them.

    Args:
        experiments: they differ in their seeds and in the fields of `trainer.may_differ` only.
        device: "cpu", or a CUDA device.
        plugins: versions to add to the provenance of each run.
        announce: called with each record as soon as it exists, those of diagnostics while the models train.

    Raises:
        ChaosbenchError: where one of them cannot be run with its data, model and trainer.
    """

    def __init__(
        self,
        experiments: Sequence[Experiment],
        *,
        device: str,
        plugins: dict[str, str],
        announce: Callable[[Record], None] | None = None,
    ) -> None:
        self._announce = announce
        self._started, clock = datetime.now(UTC), perf_counter()
        self._experiments, self._plugins = list(experiments), plugins
        self._counts = [len(experiment.seeds) for experiment in experiments]
        ends = list(accumulate(self._counts))
        self._rows = [slice(end - count, end) for end, count in zip(ends, self._counts, strict=True)]
        self._data = prepare(experiments, device)
        self._whole = build(experiments[0], self._data, [seed for one in experiments for seed in one.seeds])
        self._untrained: dict[tuple[int, ...], tuple[Diagnosis | None, tuple[str, ...]]] = {}  # by the seeds
        self._trainings: list[Training] = []
        self._shared = perf_counter() - clock  # wall time for all experiments together [s]

    def train(self, watch: Watch, checkpoints: Checkpoints | None = None) -> None:
        """Train all seeds; `watch` receives the progress, and training goes on from the last checkpoint."""
        clock = perf_counter()
        watch(Progress("diagnosis"))
        for experiment in {one.seeds: one for one in self._experiments}.values():
            model = build(experiment, self._data, experiment.seeds)
            self._untrained[experiment.seeds] = diagnose_untrained(experiment, model, self._data)
        self._trainings = list(self._trained(watch, checkpoints))
        self._shared += perf_counter() - clock

    def finish(self, index: int, watch: Watch) -> Result:
        """Diagnose, evaluate and record the experiment at this index, as if it had been trained alone.

        Wall time that experiments share is divided among them by their numbers of seeds.
        """
        clock, experiment = perf_counter(), self._experiments[index]
        model = build(experiment, self._data, experiment.seeds)
        _take(model, self._whole, self._rows[index])
        initial, remarks = self._untrained[experiment.seeds]
        training = self._trainings[index]
        training = replace(training, remarks=(*remarks, *training.remarks))
        rows = examine_and_score(experiment, model, self._data, initial, training, watch)
        if self._announce is not None:
            announce_rest(rows, training, self._announce)
        others = [other.digest()[:DIGITS] for other in self._experiments if other is not experiment]
        seconds = self._shared * self._share(index) + perf_counter() - clock
        plugins = self._plugins | {COMPANY: " ".join(others)}
        return rows.result(started=self._started, seconds=seconds, plugins=plugins)

    def _trained(self, watch: Watch, checkpoints: Checkpoints | None) -> Iterator[Training]:
        """Train the whole batch, and yield the training of each experiment."""
        lead, trainers = self._experiments[0], [experiment.trainer for experiment in self._experiments]
        each = [one for one, count in zip(trainers, self._counts, strict=True) for _ in range(count)]
        seeds = [seed for experiment in self._experiments for seed in experiment.seeds]
        clipped = [one for one in trainers if getattr(one, "clip_norm", None) is not None]
        announce = self._announce_measured if self._announce is not None else None
        course, before = Course(TrainingHealth((clipped or trainers)[0]), announce=announce), checksum(self._data)
        training = resumed(lead, self._whole, self._data, seeds, course, watch, checkpoints, each)
        changed = tuple(changes(lead.trainer, self._data, before))
        for one in self._split(course, training):
            yield replace(one, checksum=before, remarks=(*one.remarks, *changed))

    def _announce_measured(self, diagnostic: DiagnosticSpec, update: int, values: Tensor) -> None:
        """Announce what a diagnostic measured, `(K,)` for the seeds of all experiments."""
        assert self._announce is not None
        for experiment, rows in zip(self._experiments, self._rows, strict=True):
            for one in measured_records(experiment, diagnostic, update, values[rows]):
                self._announce(one)

    def _split(self, course: Course, training: TrainingState | None) -> Iterator[Training]:
        """Yield the training of each experiment, with its share of the time."""
        trainers = [experiment.trainer for experiment in self._experiments]
        healths = course.health.split(trainers, self._counts)
        for index, (trainer, rows, health) in enumerate(zip(trainers, self._rows, healths, strict=True)):
            measured = [(diagnostic, update, values[rows]) for diagnostic, update, values in course.measured]
            own = None if training is None else training.part(rows)
            remarks = list(course.failures.values())
            scheme = scheme_of(trainer, own, remarks)
            times = course.seconds * self._share(index), course.watching * self._share(index)
            count = sum(self._counts)
            stopping = stopping_records(own)
            yield Training(measured, course.updates, *times, health, scheme, count, stopping, remarks=tuple(remarks))

    def _share(self, index: int) -> float:
        return self._counts[index] / sum(self._counts)


@torch.no_grad()
def _take(model: Forecaster, whole: Forecaster, rows: slice) -> None:
    """Give a model the weights of its seeds in a larger batch; what has no axis of seeds is equal in both already."""
    values = whole.state_dict()
    for name, value in model.state_dict().items():
        if value.shape != values[name].shape:
            value.copy_(values[name][rows])
