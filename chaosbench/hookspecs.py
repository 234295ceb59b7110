"""The hooks that plug-ins implement; chaosbench's own kinds are registered through the same hooks."""

from collections.abc import Iterable

import pluggy

from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.experiment import Experiment, Result
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
def chaosbench_models() -> Iterable[type[ModelSpec]]:  # type: ignore[empty-body]  # as above
    """Return classes of models."""


@hookspec
def chaosbench_trainers() -> Iterable[type[TrainerSpec]]:  # type: ignore[empty-body]  # as above
    """Return classes of trainers."""


@hookspec
def chaosbench_diagnostics() -> Iterable[type[DiagnosticSpec]]:  # type: ignore[empty-body]  # as above
    """Return classes of diagnostics."""


@hookspec
def chaosbench_metrics() -> Iterable[type[MetricSpec]]:  # type: ignore[empty-body]  # as above
    """Return classes of metrics."""


@hookspec
def chaosbench_pictures() -> Iterable[type[PictureSpec]]:  # type: ignore[empty-body]  # as above
    """Return classes of pictures."""


@hookspec
def chaosbench_experiment_started(experiment: Experiment) -> None:
    """Called before an experiment runs, in the process that runs it."""


@hookspec
def chaosbench_experiment_finished(experiment: Experiment, result: Result) -> None:
    """Called after an experiment was trained and scored, in the process that ran it."""
