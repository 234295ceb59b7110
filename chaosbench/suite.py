"""Suites: TOML in, a list of experiments out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar, cast, get_args, get_origin

from pydantic import ValidationError

from chaosbench.data import DataSpec
from chaosbench.errors import SpecError, unknown_name
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.registry import Noun, Registry
from chaosbench.spec import Content, Spec
from chaosbench.suites import files
from chaosbench.suites.files import TABLES, shipped

__all__ = ["Selection", "load", "schema", "shipped", "validated"]

_DIAGNOSTICS = ("loss", "gradient_norm", "largest_exponent")
_METRICS = (
    "state_space_divergence",
    "power_spectrum_distance",
    "valid_prediction_time",
    "skill",
    "prediction_error",
    "largest_exponent_error",
)
_BRANCHES = ("int", "float", "str", "bool", "none")
T = TypeVar("T", bound=Content)


@dataclass(frozen=True)
class Selection:
    """What of a suite to run, and with which changes.

    Attributes:
        systems, models, trainers: kinds or labels; empty means all.
        seeds: in place of the suite's own.
        changes: `"trainer.updates" -> 100`; a list is a grid, as in the file.
    """

    systems: Sequence[str] = ()
    models: Sequence[str] = ()
    trainers: Sequence[str] = ()
    seeds: Sequence[int] | None = None
    changes: Mapping[str, Any] | None = None


def load(name: str, registry: Registry, selection: Selection | None = None) -> list[Experiment]:
    """The experiments of a shipped suite, by name, or of a TOML file, by path.

    Raises:
        ChaosbenchError: naming the culprit, its place in the file, and the nearest valid choice.
    """
    chosen = selection or Selection()
    parts = files.parts(name)
    _apply([part.content for part in parts], chosen.changes or {}, registry)
    axes = [{table: _specs(part, table, registry) for table in TABLES} for part in parts]
    for table in TABLES:
        _check_wanted([spec for one in axes for spec in one[table]], getattr(chosen, table), table[:-1])
    experiments = [
        experiment
        for part, specs in zip(parts, axes, strict=True)
        for experiment in _experiments(part, specs, chosen, registry)
    ]
    if not experiments:
        raise SpecError(f"no part of the suite {name!r} has all that is selected together")
    for experiment in experiments:
        reason = experiment.trainer.incompatibility(experiment.system, experiment.data, experiment.model)
        if reason:
            raise SpecError(f"{experiment.name} cannot work: {reason}")
    return list({experiment.digest(): experiment for experiment in experiments}.values())


def validated(spec: type[T], content: Mapping[str, Any], place: str) -> T:
    """A spec of that content.

    Raises:
        SpecError: naming the first culprit, its place, and what was given.
    """
    try:
        return spec.model_validate(dict(content))
    except ValidationError as error:
        found = error.errors(include_url=False)
        first = next((one for one in found if one["type"] == "value_error"), found[0])  # ours say more
        # Of the location, what the user wrote: pydantic adds the branch of a union to it.
        loc = [part for part in first["loc"] if isinstance(part, int) or _is_written(part)]
        path = ".".join(str(part) for part in (place, *loc) if part != "")
        if first["type"] == "extra_forbidden":
            field = str(first["loc"][-1])
            known = set(spec.model_fields) - {"kind"}
            raise unknown_name("field", field, known, place=path) from None
        given = "" if isinstance(first["input"], dict) else f"; got {first['input']!r}"
        message = first["msg"].removeprefix("Value error, ")
        raise SpecError(f"{path or 'experiment'}: {message[:1].lower()}{message[1:]}{given}") from None


def schema(registry: Registry) -> dict[str, Any]:
    """The JSON schema of a suite file, for editors; every scalar may be a list, which is a grid."""
    whole = registry.experiment_type().model_json_schema()
    definitions, properties = whole["$defs"], whole["properties"]
    one_of = {
        f"{noun}s": {"type": "array", "minItems": 1, "items": properties[noun]}
        for noun in ("system", "model", "trainer")
    }
    gridded = {name for noun in ("system", "model", "trainer") for name in _definitions_of(properties[noun])}
    for name in gridded | {"DataSpec"}:
        for field, form in definitions[name]["properties"].items():
            if field != "kind":
                definitions[name]["properties"][field] = {
                    "anyOf": [form, {"type": "array", "minItems": 1, "items": form}]
                }
    named = {
        noun: {"type": "array", "items": {"anyOf": [{"enum": sorted(registry.kinds[cast("Noun", noun[:-1])])}, form]}}
        for noun, form in ((noun, properties[noun].get("items", {})) for noun in ("metrics", "diagnostics"))
    }
    said = {
        "description": {"type": "string"},
        "seeds": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": True},
        **named,
        "data": {"$ref": "#/$defs/DataSpec"},
        "evaluation": {"$ref": "#/$defs/EvaluationSpec"},
        **one_of,
    }
    part = {"type": "object", "additionalProperties": False, "properties": said}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "chaosbench suite",
        "type": "object",
        "additionalProperties": False,
        "required": ["suite"],
        "properties": {"suite": {"type": "string"}, **said, "parts": {"type": "array", "minItems": 1, "items": part}},
        "anyOf": [{"required": list(TABLES)}, {"required": ["parts"]}],
        "$defs": definitions,
    }


def _definitions_of(form: Mapping[str, Any]) -> list[str]:
    references = [form, *form.get("oneOf", [])]
    return [one["$ref"].rsplit("/", 1)[-1] for one in references if "$ref" in one]


def _experiments(
    part: files.Part, specs: Mapping[str, list[Spec]], chosen: Selection, registry: Registry
) -> list[Experiment]:
    """Every combination of what a part lists and the selection leaves."""
    content = part.content
    shared = {
        "suite": content["suite"],
        "seeds": _seeds(content.get("seeds", [0]) if chosen.seeds is None else chosen.seeds),
        "metrics": _named(part, "metrics", _METRICS, registry),
        "diagnostics": _named(part, "diagnostics", _DIAGNOSTICS, registry),
        "evaluation": validated(EvaluationSpec, content.get("evaluation", {}), part.at("evaluation")),
    }
    place = part.at("data")
    data = [validated(DataSpec, one, place) for one in _grid(DataSpec, content.get("data", {}), place)]
    axes = [_selected(specs[table], getattr(chosen, table)) for table in TABLES]
    return [
        validated(Experiment, {**shared, "system": system, "data": d, "model": model, "trainer": trainer}, part.place)
        for system, d, model, trainer in product(axes[0], data, axes[1], axes[2])
    ]


def _apply(contents: Sequence[dict[str, Any]], changes: Mapping[str, Any], registry: Registry) -> None:
    """Put `--set` values into every table of every part that has the field; one must."""
    for path, value in changes.items():
        noun, dot, key = path.partition(".")
        nouns = ("system", "model", "trainer", "data", "evaluation")
        if noun not in nouns:
            raise unknown_name("part of an experiment", noun, nouns, place=f"--set {path}")
        if not dot or not key:
            raise SpecError(f"--set {path}: name a field, as in {noun}.FIELD=VALUE")
        if noun in ("data", "evaluation"):
            fields = (DataSpec if noun == "data" else EvaluationSpec).model_fields
            tables, known = [content.setdefault(noun, {}) for content in contents], set(fields)
        else:
            noun = cast("Noun", noun)
            given = [table for content in contents for table in content[f"{noun}s"]]
            classes = [(table, registry.find(noun, str(table.get("kind")), place=f"{noun}s")) for table in given]
            known = {name for _, spec in classes for name in spec.model_fields} - {"kind"}
            tables = [table for table, spec in classes if key in spec.model_fields]
        if key not in known:
            raise unknown_name(f"field of a {noun} of this suite", key, known, place=f"--set {path}")
        for table in tables:
            table[key] = value


def _specs(part: files.Part, key: str, registry: Registry) -> list[Spec]:
    specs = []
    for index, table in enumerate(part.content[key]):
        place = f"{part.at(key)}.{index}"
        kind = table.get("kind")
        if not isinstance(kind, str):
            raise SpecError(f"{place}: needs a kind; known: {', '.join(sorted(registry.kinds[_noun(key)]))}")
        spec = registry.find(_noun(key), kind, place=f"{place}.kind")
        specs += [validated(spec, one, f"{place}.{kind}") for one in _grid(spec, table, f"{place}.{kind}")]
    return specs


def _named(part: files.Part, key: str, default: Sequence[str], registry: Registry) -> tuple[Spec, ...]:
    """Metrics and diagnostics: by name alone, or as tables."""
    entries, place = part.content.get(key, default), part.at(key)
    if not isinstance(entries, (list, tuple)):
        raise SpecError(f"{place} must be a list of names or tables, not {entries!r}")
    specs = [
        spec
        for i, entry in enumerate(entries)
        for spec in _specs_at(f"{place}.{i}", {"kind": entry} if isinstance(entry, str) else entry, key, registry)
    ]
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise SpecError(f"{place}: {label} is listed twice")
    return tuple(specs)


def _specs_at(place: str, table: Any, key: str, registry: Registry) -> list[Spec]:
    if not isinstance(table, dict) or not isinstance(table.get("kind"), str):
        raise SpecError(f"{place}: {table!r} is neither a name nor a table with a kind")
    spec = registry.find(_noun(key), table["kind"], place=place)
    return [validated(spec, one, f"{place}.{table['kind']}") for one in _grid(spec, table, place)]


def _is_written(part: str) -> bool:
    return part.isidentifier() and part not in _BRANCHES


def _noun(key: str) -> Noun:
    return cast("Noun", key[:-1])


def _grid(spec: type[Content], table: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    """Every combination of the table's lists, except where the field itself takes a list."""
    axes = []
    for name, value in table.items():
        known = spec.model_fields.get(name)
        if isinstance(value, list) and not (known and _takes_sequence(known.annotation)):
            if not value:
                raise SpecError(f"{place}.{name}: an empty grid; give at least one value, or leave the field out")
            axes.append([(name, one) for one in value])
        else:
            axes.append([(name, value)])
    return (dict(combination) for combination in product(*axes))


def _takes_sequence(annotation: Any) -> bool:
    if get_origin(annotation) in (list, tuple, set, frozenset, Sequence):
        return True
    return any(_takes_sequence(part) for part in get_args(annotation))


def _check_wanted(specs: Sequence[Spec], wanted: Sequence[str], noun: str) -> None:
    for name in wanted:
        if not any(name in (spec.kind, spec.label) for spec in specs):
            known = {spec.kind for spec in specs} | {spec.label for spec in specs}
            raise unknown_name(f"{noun} of this suite", name, known)


def _selected(specs: Sequence[Spec], wanted: Sequence[str]) -> list[Spec]:
    return [spec for spec in specs if not wanted or spec.kind in wanted or spec.label in wanted]


def _seeds(seeds: Any) -> tuple[int, ...]:
    whole = isinstance(seeds, (list, tuple)) and all(isinstance(seed, int) and seed >= 0 for seed in seeds)
    if not whole or not seeds or len(set(seeds)) < len(seeds):
        raise SpecError(f"seeds must be a list of different whole numbers from 0, such as [0, 1, 2]; got {seeds!r}")
    return tuple(seeds)
