"""chaosbench's own plug-in: it offers every kind that the folders list in their `__all__`."""

import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from chaosbench import diagnostics, figures, metrics, models, series, systems, trainers
from chaosbench.hookspecs import hookimpl
from chaosbench.source import Source


@hookimpl
def chaosbench_systems() -> Iterable[type[Source]]:
    """Return the shipped systems and the recorded series."""
    return [*_kinds(systems, Source), *_kinds(series, Source)]


@hookimpl
def chaosbench_models() -> Iterable[type[models.ModelSpec]]:
    """Return the shipped models."""
    return _kinds(models, models.ModelSpec)


@hookimpl
def chaosbench_trainers() -> Iterable[type[trainers.TrainerSpec]]:
    """Return the shipped trainers."""
    return _kinds(trainers, trainers.TrainerSpec)


@hookimpl
def chaosbench_diagnostics() -> Iterable[type[diagnostics.DiagnosticSpec]]:
    """Return the shipped diagnostics."""
    return _kinds(diagnostics, diagnostics.DiagnosticSpec)


@hookimpl
def chaosbench_metrics() -> Iterable[type[metrics.MetricSpec]]:
    """Return the shipped metrics."""
    return _kinds(metrics, metrics.MetricSpec)


@hookimpl
def chaosbench_pictures() -> Iterable[type[figures.PictureSpec]]:
    """Return the shipped pictures."""
    return _kinds(figures, figures.PictureSpec)


def _kinds(folder: ModuleType, base: type[Any]) -> list[Any]:
    """Return the classes in a folder's `__all__` that derive from `base` and have a kind of their own."""
    names: list[str] = folder.__all__
    classes: list[Any] = [getattr(folder, name) for name in names if _is_a(getattr(folder, name), base)]
    return [cls for cls in classes if isinstance(cls.model_fields["kind"].default, str)]


def _is_a(member: object, base: type[Any]) -> bool:
    return inspect.isclass(member) and issubclass(member, base)
