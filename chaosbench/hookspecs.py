"""The seven doors through which plug-ins, and chaosbench's own systems and methods, come in."""

from collections.abc import Iterable

import pluggy

from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.experiment import Experiment, Result
from chaosbench.metrics.base import MetricSpec
from chaosbench.models.base import ModelSpec
from chaosbench.systems.base import SystemSpec
from chaosbench.trainers.base import TrainerSpec

hookspec = pluggy.HookspecMarker("chaosbench")
hookimpl = pluggy.HookimplMarker("chaosbench")


@hookspec
def chaosbench_systems() -> Iterable[type[SystemSpec]]:  # type: ignore[empty-body]  # a specification has no body
    """Classes of systems."""


@hookspec
def chaosbench_models() -> Iterable[type[ModelSpec]]:  # type: ignore[empty-body]  # as above
    """Classes of models."""


@hookspec
def chaosbench_trainers() -> Iterable[type[TrainerSpec]]:  # type: ignore[empty-body]  # as above
    """Classes of trainers."""


@hookspec
def chaosbench_diagnostics() -> Iterable[type[DiagnosticSpec]]:  # type: ignore[empty-body]  # as above
    """Classes of diagnostics."""


@hookspec
def chaosbench_metrics() -> Iterable[type[MetricSpec]]:  # type: ignore[empty-body]  # as above
    """Classes of metrics."""


@hookspec
def chaosbench_experiment_started(experiment: Experiment) -> None:
    """An experiment is about to run, in the process that runs it."""


@hookspec
def chaosbench_experiment_finished(experiment: Experiment, result: Result) -> None:
    """An experiment has been trained and scored, in the process that ran it."""
