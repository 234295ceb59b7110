"""The hooks that plug-ins implement; chaosbench's own kinds are registered through the same hooks."""

from collections.abc import Iterable
from pathlib import Path

import pluggy

from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.experiment import Experiment, Record, Result
from chaosbench.figures.base import PictureSpec
from chaosbench.metrics.base import MetricSpec
from chaosbench.models.base import ModelSpec
from chaosbench.source import Source
from chaosbench.trainers.base import TrainerSpec

hookspec = pluggy.HookspecMarker("chaosbench")
hookimpl = pluggy.HookimplMarker("chaosbench")


@hookspec
def chaosbench_systems() -> Iterable[type[Source]]:  # type: ignore[empty-body]  # a specification has no body
    """Return classes of systems, and of other sources of data."""


@hookspec
def chaosbench_models() -> Iterable[type[ModelSpec]]:  # type: ignore[empty-body]  # a specification has no body
    """Return classes of models."""


@hookspec
def chaosbench_trainers() -> Iterable[type[TrainerSpec]]:  # type: ignore[empty-body]  # a specification has no body
    """Return classes of trainers."""


@hookspec
def chaosbench_diagnostics() -> Iterable[type[DiagnosticSpec]]:  # type: ignore[empty-body]  # a specification has no body
    """Return classes of diagnostics."""


@hookspec
def chaosbench_metrics() -> Iterable[type[MetricSpec]]:  # type: ignore[empty-body]  # a specification has no body
    """Return classes of metrics."""


@hookspec
def chaosbench_pictures() -> Iterable[type[PictureSpec]]:  # type: ignore[empty-body]  # a specification has no body
    """Return classes of pictures."""


@hookspec
def chaosbench_suites() -> Iterable[Path]:  # type: ignore[empty-body]  # a specification has no body
    """Return the TOML files of suites; each is called as its file without the suffix."""


@hookspec
def chaosbench_experiment_started(experiment: Experiment) -> None:
    """Called before an experiment runs, in the process that runs it."""


@hookspec
def chaosbench_recorded(experiment: Experiment, record: Record) -> None:
    """Called with each number of an experiment as soon as it exists, in the process that runs the experiment.

    Diagnostics are recorded while a model trains, every `DiagnosticSpec.every` updates, once per seed; scores and the
    diagnosis after the training. A training that goes on from a checkpoint does not repeat earlier numbers. Return
    quickly, because training waits; on a GPU, every measured diagnostic is copied to the host. A plug-in that raises
    is not called again, and the message of the runs names it.

    Args:
        experiment: the experiment; `experiment.name` is its title and `experiment.digest()` its identity.
        record: one number of one seed: `seed`, `name`, `value` (None: not finite or not defined), `floor` (the same
            number for the truth, or None), `unit`, `better` and `update` (None: of the finished model).
    """


@hookspec
def chaosbench_experiment_finished(experiment: Experiment, result: Result) -> None:
    """Called after an experiment was trained and scored, in the process that ran it."""
