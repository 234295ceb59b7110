"""Checkpoints of trainings on disk: a training that was killed goes on, and a finished one can be made longer."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from chaosbench import __version__
from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.diagnostics.health import TrainingHealth
from chaosbench.experiment import Experiment
from chaosbench.files import cache_key, remove_unfinished, write_whole
from chaosbench.trainers.base import TrainingStep
from chaosbench.trainers.training_state import Checkpoint

FOLDER = ".checkpoints"  # inside a results directory
EVERY = 180.0  # [s] between two checkpoints
TERMINATED = 143  # exit code of a process that was asked to end: 128 and the number of SIGTERM


@dataclass
class Stop:
    """A request to end this process, which a training answers by a checkpoint.

    Attributes:
        training: True while the next update brings a checkpoint that is asked for.
        requested: True once the process is to end.
    """

    training: bool = False
    requested: bool = False


@dataclass
class Course:
    """The records of a training so far.

    Attributes:
        health: loss and gradient norm of every update.
        measured: diagnostic, update and values `(K,)` of every measurement.
        updates: how many were done by earlier processes.
        seconds: wall time of training in earlier processes [s].
        watching: wall time of the diagnostics [s].
        failures: what each diagnostic raised that is left out since, by its label.
        announce: is called with every measurement: diagnostic, update and values `(K,)`; None: nothing is.
    """

    health: TrainingHealth
    measured: list[tuple[DiagnosticSpec, int, Tensor]] = field(default_factory=list)
    updates: int = 0
    seconds: float = 0.0
    watching: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)
    announce: Callable[[DiagnosticSpec, int, Tensor], None] | None = None


@dataclass(frozen=True)
class Position:
    """The update at which the training of an experiment would begin.

    Attributes:
        update: number of updates that are done already.
        finished_at: if this is a finished training that is to be made longer, its number of updates; else None.
        why_not: why a shorter finished training cannot be made longer; empty if there is none, or if it can.
    """

    update: int = 0
    finished_at: int | None = None
    why_not: str = ""


class Checkpoints:
    """The checkpoints of one experiment, or of several that are trained as one batch, in a folder.

    The name of a file contains a digest of everything that the course of a training depends on: system, data, model,
    trainer, diagnostics, seeds, device, versions and the source code of model and trainer.

    Args:
        experiment: the experiment to train, or the first one of a batch.
        folder: is created when the first checkpoint is written.
        device: "cpu", or a CUDA device.
        every: time between two checkpoints [s].
        stop: says when the process is to end; None: it is never asked to.
        others: the experiments behind the first one in a batch.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        device: str,
        *,
        every: float = EVERY,
        stop: Stop | None = None,
        others: Sequence[Experiment] = (),
    ) -> None:
        self._experiment, self._folder, self._every, self._stop = experiment, folder, every, stop or Stop()
        self._updates: int = getattr(experiment.trainer, "updates", 1)
        self._device = device.partition(":")[0]  # GPUs of one machine count as one
        own = [_digest(one, self._device) for one in (experiment, *others)]
        self._name = _hashed(own) if others else own[0]
        self._saved = perf_counter()
        self.seconds = 0.0  # wall time spent on writing [s]

    def of(self, experiment: Experiment) -> "Checkpoints":
        """Return the checkpoints of another experiment in the same folder: the one that a search has found."""
        return Checkpoints(experiment, self._folder, self._device, every=self._every, stop=self._stop)

    def trials_file(self) -> Path:
        """Return the file of the trials of a search, which are the same whichever seeds follow."""
        return self._folder / f"search-{_digest_of_trials(self._experiment, self._device)}.json"

    def position(self) -> Position:
        """Return where training would begin, from the heads of the files alone."""
        _, metadata, why_not = self._newest()
        if metadata is None:
            return Position(why_not=why_not)
        update, updates = int(metadata["update"]), int(metadata["updates"])
        return Position(update, updates if updates < self._updates else None)

    def resume(self, course: Course, device: torch.device) -> Checkpoint | None:
        """Return the tensors from which `fit` goes on, and add what was recorded until then; None: from the start."""
        path, metadata, _ = self._newest()
        if path is None or metadata is None:
            return None
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        torch.set_rng_state(tensors["random_state"])
        course.health.restore(_below("health.", tensors))
        course.updates = int(metadata["update"])
        course.seconds, course.watching = float(metadata["seconds"]), float(metadata["watching"])
        for index, diagnostic in enumerate(self._experiment.diagnostics):
            updates = tensors.get(f"measured.{index}.updates", torch.empty(0)).long().tolist()
            for update, values in zip(updates, tensors.get(f"measured.{index}.values", ()), strict=True):
                # The last update of a shorter training is measured only because it is the last one.
                if update in (1, self._updates) or update % diagnostic.every == 0:
                    course.measured.append((diagnostic, int(update), values.to(device)))
        order = {diagnostic.label: index for index, diagnostic in enumerate(self._experiment.diagnostics)}
        course.measured.sort(key=lambda entry: (entry[1], order[entry[0].label]))
        return {name: value.to(device) for name, value in _below("fit.", tensors).items()}

    def see(self, step: TrainingStep, course: Course, seconds: float) -> None:
        """Write a checkpoint where one is due: every few minutes, and at the last update.

        Args:
            step: the present update; trainers that support no checkpoints are skipped.
            course: what was recorded, this update included.
            seconds: wall time of the training so far [s].

        Raises:
            SystemExit: after the checkpoint, where the process is to end.
        """
        began, last = perf_counter(), step.update == step.updates
        self._stop.training = step.training is not None and not last
        if step.training is None or not (last or self._stop.requested or began - self._saved >= self._every):
            return
        metadata = {
            "update": step.update,
            "updates": step.updates,
            "reads_total": int(step.training.reads_total),
            "seconds": seconds,
            "watching": course.watching,
        }
        tensors = {f"fit.{name}": value for name, value in step.checkpoint().items()}
        tensors |= {f"health.{name}": value for name, value in course.health.state().items()}
        tensors |= self._measured(course) | {"random_state": torch.get_rng_state()}
        content = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        with suppress(OSError):  # a full disk costs the checkpoint, not the training
            self._folder.mkdir(parents=True, exist_ok=True)
            payload = save(content, {name: repr(value) for name, value in metadata.items()})
            write_whole(self._path(self._updates, last), lambda temporary: temporary.write_bytes(payload))
        self._saved = perf_counter()
        self.seconds += self._saved - began
        if self._stop.requested:
            raise SystemExit(TERMINATED)

    def discard(self) -> None:
        """Remove the checkpoint of a training that has a result; the state at its end stays, to make it longer."""
        self._path(self._updates, False).unlink(missing_ok=True)
        for last in (True, False):
            remove_unfinished(self._path(self._updates, last))

    def _measured(self, course: Course) -> dict[str, Tensor]:
        tensors = {}
        for index, diagnostic in enumerate(self._experiment.diagnostics):
            own = [(update, values) for spec, update, values in course.measured if spec == diagnostic]
            if own:
                tensors[f"measured.{index}.updates"] = torch.tensor([update for update, _ in own])
                tensors[f"measured.{index}.values"] = torch.stack([values for _, values in own])
        return tensors

    def _path(self, updates: int, last: bool) -> Path:
        return self._folder / f"{self._name}-{updates}{'-end' if last else ''}.safetensors"

    def _newest(self) -> tuple[Path | None, dict[str, str] | None, str]:
        """Return the checkpoint to go on from with its metadata, or why a finished training cannot be made longer."""
        for last in (True, False):  # the end of this training, or a position before it
            own = self._path(self._updates, last)
            metadata = _metadata(own)
            if metadata is not None:
                return own, metadata, ""
        ends = {}
        for path in self._folder.glob(f"{self._name}-*-end.safetensors"):
            metadata = _metadata(path)
            if metadata is not None and int(metadata["updates"]) < self._updates:
                ends[int(metadata["updates"])] = path, metadata
        if not ends:
            return None, None, ""
        longest = max(ends)
        if int(ends[longest][1]["reads_total"]):
            why_not = f"that of {longest} updates cannot be made longer: its schedule depends on their number"
            return None, None, why_not
        return *ends[longest], ""


def _digest(experiment: Experiment, device: str) -> str:
    """Return a digest of everything but the number of updates that the course of a training depends on."""
    trainer = experiment.trainer.model_dump(mode="json")
    trainer.pop("updates", None)
    neutral = experiment.trainer
    if "updates" in type(neutral).model_fields:
        neutral = neutral.model_copy(update={"updates": 1})
    parts: list[Any] = [
        experiment.system.canonical(), experiment.data.canonical(), experiment.model.canonical(), trainer,
        [diagnostic.canonical() for diagnostic in experiment.diagnostics], experiment.seeds, str(device),
        str(experiment.torch_dtype), __version__, torch.__version__,
    ]  # fmt: skip
    return _hashed([*parts, [cache_key(experiment.system), cache_key(experiment.model), cache_key(neutral)]])


def _digest_of_trials(experiment: Experiment, device: str) -> str:
    """Return a digest of everything that the trials of a search depend on; the seeds of the experiment do not count."""
    sources = [cache_key(spec) for spec in (experiment.system, experiment.model, experiment.trainer)]
    return _hashed([experiment.identity, str(device), __version__, torch.__version__, sources])


def _hashed(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _metadata(path: Path) -> dict[str, str] | None:
    """Return the metadata of a checkpoint; None if there is no readable file."""
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or None
    except (OSError, SafetensorError):
        return None


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
