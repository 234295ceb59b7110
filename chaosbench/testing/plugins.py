"""The checks of everything that plug-ins offer, with a short training of their models and trainers."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, cast

from pydantic import ValidationError

from chaosbench.errors import one_line, unknown_name
from chaosbench.leaderboard.folder import FINISHED
from chaosbench.models.base import ModelSpec
from chaosbench.registry import Noun, Plugin, Registry
from chaosbench.run import run_experiment
from chaosbench.spec import Spec
from chaosbench.systems.base import SystemSpec
from chaosbench.testing.checked import Checked
from chaosbench.testing.diagnostic import check_diagnostic
from chaosbench.testing.metric import check_metric
from chaosbench.testing.model import check_model
from chaosbench.testing.picture import check_picture
from chaosbench.testing.source import check_source
from chaosbench.testing.stored_runs import small_experiment
from chaosbench.testing.system import check_system
from chaosbench.testing.trainer import check_trainer
from chaosbench.trainers.base import TrainerSpec

_SHORT: dict[str, Any] = {"updates": 5, "batch": 4, "sequence_length": 20}  # of trainers, which train several times


Begins = Callable[[Checked], None]


def check_plugins(
    registry: Registry,
    package: str | None = None,
    *,
    begins: Begins = lambda _: None,
    skip: Collection[tuple[str, str]] = (),
) -> Iterator[Checked]:
    """Check everything that plug-ins offer, with the default of every field, and yield each outcome.

    Args:
        registry: all kinds.
        package: name of a plug-in or of its distribution; None: all installed plug-ins.
        begins: called with the outcome to come before each check.
        skip: noun and kind of what is not checked; ("", "") is the import.

    Raises:
        UnknownNameError: where no plug-in has that name.
    """
    chosen = [plugin for plugin in registry.plugins if package in (None, plugin.name, plugin.package)]
    if package is not None and not chosen:
        known = {name for plugin in registry.plugins for name in (plugin.name, plugin.package)}
        raise unknown_name("plug-in", package, known)
    for plugin in chosen:
        imported = Checked(plugin.name, "", "", "import", failure=plugin.error)
        if ("", "") not in skip:
            yield imported
        for (noun, kind), origin in sorted(registry.origins.items()):
            if plugin.error or origin != f"{plugin.package} {plugin.version}":
                continue
            first = _outcome(registry, plugin, noun, kind)
            if (first.noun, kind) in skip:
                continue
            begins(first)
            for outcome, check in _checks_of_kind(registry, plugin, noun, kind):
                begins(outcome)
                yield outcome if check is None else replace(outcome, failure=_failure(check))


def _outcome(registry: Registry, plugin: Plugin, noun: Noun, kind: str) -> Checked:
    """Return the outcome of the check of a noun, before it is done."""
    source = noun == "system" and not issubclass(registry.kinds[noun][kind], SystemSpec)
    shown = "source" if source else noun
    return Checked(plugin.name, shown, kind, f"check_{shown}")


def _checks_of_kind(
    registry: Registry, plugin: Plugin, noun: Noun, kind: str
) -> Iterator[tuple[Checked, Callable[[], object] | None]]:
    """Yield the outcome and the function of each check; None for one that is omitted."""
    cls = registry.kinds[noun][kind]
    required = [name for name, field in cls.model_fields.items() if field.is_required()]
    outcome = _outcome(registry, plugin, noun, kind)
    if required:
        why = f"{', '.join(required)} has no default; call {outcome.check} with one in a test of the plug-in"
        yield replace(outcome, omitted=why), None
        return
    try:
        spec = _short(cls)
    except Exception:  # the check is to name what it raises
        yield outcome, lambda: _short(cls)
        return
    partner = _partner(registry, plugin, spec)
    yield outcome, lambda: _check(spec, noun, partner)
    if isinstance(spec, ModelSpec | TrainerSpec):
        training = replace(outcome, check="training")
        if partner is None:
            other = "trainer" if noun == "model" else "model"
            why = f"no {other} has learning = {spec.learning!r}; offer one in the same plug-in"
            yield replace(training, omitted=why), None
        elif reason := _incompatibility(spec, partner):
            yield replace(training, omitted=f"{reason}; train it in a test of the plug-in"), None
        else:
            yield training, lambda: _train(spec, partner)


def _short(cls: type[Spec]) -> Any:
    """Return the spec with its defaults, but a trainer that is short where its fields allow it."""
    if issubclass(cls, TrainerSpec):
        try:
            return cls.model_validate({name: value for name, value in _SHORT.items() if name in cls.model_fields})
        except ValidationError:  # fields of the same names with other meanings
            pass
    return cls.model_validate({})


def _partner(registry: Registry, plugin: Plugin, spec: Any) -> Any:
    """Return a trainer for a model, or a model for a trainer, of the same plug-in if it has one; None if none suits."""
    if not isinstance(spec, ModelSpec | TrainerSpec):
        return None
    noun: Noun = "trainer" if isinstance(spec, ModelSpec) else "model"
    own = f"{plugin.package} {plugin.version}"
    usual = "sparse_teacher_forcing" if noun == "trainer" else "shallow_plrnn"
    kinds = sorted(
        registry.kinds[noun].items(), key=lambda item: (registry.origins[noun, item[0]] != own, item[0] != usual)
    )
    for _, cls in kinds:
        if cast("Any", cls).learning == spec.learning and not any(f.is_required() for f in cls.model_fields.values()):
            return _short(cls)
    return None


def _check(spec: Any, noun: Noun, partner: Any) -> None:
    """Call the check of a noun."""
    gradients = getattr(spec, "learning", "gradients") == "gradients"
    if noun == "system":
        check: Callable[[Any], None] = check_system if isinstance(spec, SystemSpec) else check_source
        check(spec)
    elif noun == "model":
        check_model(spec, trainer=None if gradients else partner)
    elif noun == "trainer":
        check_trainer(spec, model=None if gradients else partner)
    else:
        checks: dict[Noun, Callable[[Any], None]] = {
            "diagnostic": check_diagnostic,
            "metric": check_metric,
            "picture": check_picture,
        }
        checks[noun](spec)


def _incompatibility(spec: ModelSpec | TrainerSpec, partner: Any) -> str | None:
    """Return why the short training cannot be done, such as for a trainer of flows; None if it can."""
    model, trainer = (spec, partner) if isinstance(spec, ModelSpec) else (partner, spec)
    return small_experiment(trainer=trainer, model=model).incompatibility


def _train(spec: ModelSpec | TrainerSpec, partner: Any) -> None:
    """Train for a few updates on the Hénon map, and require scores; a run that diverges has scores as well."""
    model, trainer = (spec, partner) if isinstance(spec, ModelSpec) else (partner, spec)
    experiment = small_experiment(trainer=trainer, model=model)
    result = run_experiment(experiment)
    for run in result.runs:
        if run.status not in FINISHED:
            raise AssertionError(f"{trainer.label} on {model.label} ends with status {run.status!r}: {run.message}")
    scores = {record.name for record in result.records if record.better and record.update is None}
    missing = [metric.label for metric in experiment.metrics if metric.label not in scores]
    if missing:
        raise AssertionError(f"{trainer.label} on {model.label} has no score by {', '.join(missing)}")


def _failure(check: Callable[[], object]) -> str | None:
    """Return the sentence with which a check fails, or None."""
    try:
        check()
    except AssertionError as error:
        return " ".join(str(error).split()) or "an assertion without a message fails"
    except Exception as error:  # a plug-in may raise anything
        return f"raises {one_line(error)}"
    return None
