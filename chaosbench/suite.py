"""From a suite file to experiments: grids, selections and changes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast, get_args, get_origin

from chaosbench.data import DataSpec
from chaosbench.errors import SpecError, unknown_name
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.limits import require_few, valid_seeds
from chaosbench.models.base import ModelSpec
from chaosbench.registry import Noun, Registry
from chaosbench.spec import Content, Spec
from chaosbench.suites import files
from chaosbench.suites.budget import Budgeted, budget_of
from chaosbench.suites.checking import validated
from chaosbench.suites.files import TABLES, shipped
from chaosbench.suites.schema import schema
from chaosbench.suites.searching import Searches, different
from chaosbench.trainers.base import observed_dimension

__all__ = ["Selection", "load", "schema", "shipped", "validated"]

_DIAGNOSTICS = ("loss", "gradient_norm", "largest_exponent")
DEFAULT_METRICS = (
    "state_space_divergence",
    "power_spectrum_distance",
    "valid_prediction_time",
    "skill",
    "prediction_error",
    "largest_exponent_error",
)


@dataclass(frozen=True)
class Selection:
    """The part of a suite to run, and changes to it.

    Attributes:
        systems, models, trainers: kinds or labels; empty means all.
        seeds: seeds that replace those of the suite; None keeps them.
        changes: `"trainer.updates" -> 100`; a list is a grid, as in the file.
    """

    systems: Sequence[str] = ()
    models: Sequence[str] = ()
    trainers: Sequence[str] = ()
    seeds: Sequence[int] | None = None
    changes: Mapping[str, Any] | None = None


def load(name: str, registry: Registry, selection: Selection | None = None) -> list[Experiment]:
    """Return the experiments of a suite, shipped or of a plug-in, given by name, or of a TOML file, given by path.

    Raises:
        ChaosbenchError: with the culprit, its place in the file, and the nearest valid choice.
    """
    selection = selection or Selection()
    parts = files.parts(name, {offered: suite.path for offered, suite in registry.suites.items()})
    _apply([part.content for part in parts], selection.changes or {}, registry)
    axes = [{table: _specs(part, table, registry) for table in TABLES} for part in parts]
    for table in TABLES:
        _check_wanted([spec for specs in axes for spec in specs[table]], getattr(selection, table), table[:-1])
    experiments = [
        experiment
        for part, specs in zip(parts, axes, strict=True)
        for experiment in _experiments(part, specs, selection, registry)
    ]
    if not experiments:
        raise SpecError(f"no part of the suite {name!r} contains the selected systems, models and trainers together")
    for experiment in experiments:
        reason = experiment.incompatibility
        if reason:
            raise SpecError(f"{experiment.name} cannot work: {reason}")
    return list(different(experiments))


def _experiments(
    part: files.Part, specs: Mapping[str, list[Spec]], selection: Selection, registry: Registry
) -> list[Experiment]:
    """Return every combination of the selected systems, data, models and trainers of a part."""
    content, narrowed = part.content, registry.experiment_type()
    shared = {
        "suite": content["suite"],
        "seeds": valid_seeds(content.get("seeds", [0]) if selection.seeds is None else selection.seeds),
        "metrics": _listed_once(part, "metrics", DEFAULT_METRICS, registry),
        "diagnostics": _listed_once(part, "diagnostics", _DIAGNOSTICS, registry),
        "evaluation": validated(EvaluationSpec, content.get("evaluation", {}), part.at("evaluation")),
    }
    place = part.at("data")
    data = [validated(DataSpec, table, place) for table in _grid(DataSpec, content.get("data", {}), place)]
    systems, models, trainers = (_selected(specs[table], getattr(selection, table)) for table in TABLES)
    require_few(len(systems) * len(data) * len(models) * len(trainers), part.place or str(content["suite"]))
    combinations = (
        {**shared, "system": system, "data": data_spec, "model": _sized(model, system, data_spec), "trainer": trainer}
        for system, data_spec, model, trainer in product(systems, data, models, trainers)
    )
    searches = Searches(part, specs)
    # The narrowed type accepts registered kinds only. A worker process needs the plain class, which can be imported.
    plain = (Experiment.model_validate(dict(validated(narrowed, content, part.place))) for content in combinations)
    return [searches.applied(experiment) for experiment in plain]


def _sized(model: Any, system: Any, data: DataSpec) -> Spec:
    """Return the model with its size, where that is given as a number of parameters."""
    return model.resolved(observed_dimension(system, data)) if isinstance(model, Budgeted) else cast("Spec", model)


def _specs(part: files.Part, key: str, registry: Registry, default: Sequence[str] = ()) -> list[Spec]:
    """Return the specs that a part lists under a key, by kind alone or as tables, whose lists are grids."""
    entries, noun = part.content.get(key, default), cast("Noun", key[:-1])
    if not isinstance(entries, (list, tuple)):
        raise SpecError(f"{part.at(key)} must be a list of kinds or tables, not {entries!r}")
    specs = []
    for index, entry in enumerate(entries):
        place = part.entry(key, index)
        table = {"kind": entry} if isinstance(entry, str) else entry
        kind = table.get("kind") if isinstance(table, dict) else None
        if not isinstance(kind, str):
            kinds = ", ".join(sorted(registry.kinds[noun]))
            raise SpecError(f"{place}: needs a kind, as a string or as a table with a key kind; known: {kinds}")
        spec = registry.find(noun, kind, place=place if isinstance(entry, str) else f"{place}.kind")
        specs += [
            _with_size(spec, content, f"{place}.{kind}", registry.kinds[noun])
            for content in _grid(spec, table, f"{place}.{kind}")
        ]
    return specs


def _with_size(spec: type[Spec], content: dict[str, Any], place: str, kinds: Mapping[str, type[Spec]]) -> Any:
    """Return the spec; a `Budgeted` model where a size is given as a number of parameters."""
    given = budget_of(content, place) if issubclass(spec, ModelSpec) else None
    if given is None:
        return validated(spec, content, place, kinds=kinds)
    field, budget = given
    rest = {name: value for name, value in content.items() if name != field}
    some = validated(spec, rest, place, kinds=kinds)
    if field not in spec.model_fields:
        raise unknown_name("field", field, set(spec.model_fields) - {"kind"}, place=f"{place}.{field}")

    def build(size: int) -> ModelSpec:
        return cast("ModelSpec", spec.model_validate({**rest, field: size}))

    return Budgeted(build, field, budget, place, some.kind, f"{some.kind}({field}={content[field]})")


def _listed_once(part: files.Part, key: str, default: Sequence[str], registry: Registry) -> tuple[Spec, ...]:
    specs = _specs(part, key, registry, default)
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise SpecError(f"{part.at(key)}: {label} is listed twice")
    return tuple(specs)


def _apply(contents: Sequence[dict[str, Any]], changes: Mapping[str, Any], registry: Registry) -> None:
    """Put `--set` values into every table of every part that has the field; at least one must have it."""
    for path, value in changes.items():
        noun, dot, key = path.partition(".")
        nouns = ("system", "model", "trainer", "data", "evaluation")
        if noun not in nouns:
            raise unknown_name("part of an experiment", noun, nouns, place=f"--set {path}")
        if not dot or not key:
            raise SpecError(f"--set {path}: name a field, as in {noun}.FIELD=VALUE")
        tables, fields = _changeable(contents, noun, key, registry)
        if key not in fields:
            raise unknown_name(f"field of a {noun} of this suite", key, fields, place=f"--set {path}")
        for table in tables:
            table[key] = value


def _changeable(
    contents: Sequence[dict[str, Any]], noun: str, key: str, registry: Registry
) -> tuple[list[dict[str, Any]], set[str]]:
    """Return the tables of a noun that have a field `key`, and the fields of all of them."""
    if noun in ("data", "evaluation"):
        fields = (DataSpec if noun == "data" else EvaluationSpec).model_fields
        return [content.setdefault(noun, {}) for content in contents], set(fields)
    tables = [table for content in contents for table in content[f"{noun}s"]]
    specs = [registry.find(cast("Noun", noun), str(table.get("kind")), place=f"{noun}s") for table in tables]
    fields_of_all = {name for spec in specs for name in spec.model_fields} - {"kind"}
    return [table for table, spec in zip(tables, specs, strict=True) if key in spec.model_fields], fields_of_all


def _grid(spec: type[Content], table: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    """Return every combination of the table's lists, except where the field itself takes a list."""
    axes = []
    for name, value in table.items():
        field = spec.model_fields.get(name)
        if isinstance(value, list) and not (field and _takes_sequence(field.annotation)):
            if not value:
                raise SpecError(f"{place}.{name}: an empty grid; give at least one value, or leave the field out")
            axes.append([(name, element) for element in value])
        else:
            axes.append([(name, value)])
    require_few(math.prod(map(len, axes)), place)
    return (dict(combination) for combination in product(*axes))


def _takes_sequence(annotation: Any) -> bool:
    if get_origin(annotation) in (list, tuple, set, frozenset, Sequence):
        return True
    return any(_takes_sequence(part) for part in get_args(annotation))


def _check_wanted(specs: Sequence[Spec], wanted: Sequence[str], noun: str) -> None:
    names = {name for spec in specs for name in (spec.kind, spec.label)}
    for name in wanted:
        if name not in names:
            raise unknown_name(f"{noun} of this suite", name, names)


def _selected(specs: Sequence[Spec], wanted: Sequence[str]) -> list[Spec]:
    return [spec for spec in specs if not wanted or spec.kind in wanted or spec.label in wanted]
