"""Suites: TOML in, a list of experiments out."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin

from pydantic import ValidationError

from chaosbench.data import DataSpec
from chaosbench.errors import SpecError, unknown_name
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.registry import Noun, Registry
from chaosbench.spec import Content, Spec

_TABLES = ("systems", "models", "trainers")
_KEYS = ("suite", "description", "seeds", "metrics", "diagnostics", "data", "evaluation", *_TABLES)
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
    content = _checked(_read(name), name)
    _apply(content, chosen.changes or {}, registry)
    axes = [_selected(_specs(content[table], table, registry), getattr(chosen, table), table[:-1]) for table in _TABLES]
    shared = {
        "suite": content["suite"],
        "seeds": _seeds(content.get("seeds", [0]) if chosen.seeds is None else chosen.seeds),
        "metrics": _named(content.get("metrics", _METRICS), "metrics", registry),
        "diagnostics": _named(content.get("diagnostics", _DIAGNOSTICS), "diagnostics", registry),
        "evaluation": validated(EvaluationSpec, content.get("evaluation", {}), "evaluation"),
    }
    data = [validated(DataSpec, one, "data") for one in _grid(DataSpec, content.get("data", {}), "data")]
    experiments = [
        validated(Experiment, {**shared, "system": system, "data": d, "model": model, "trainer": trainer}, "")
        for system, d, model, trainer in product(axes[0], data, axes[1], axes[2])
    ]
    for experiment in experiments:
        reason = experiment.trainer.refuse(experiment.system, experiment.data, experiment.model)
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


def shipped() -> dict[str, str]:
    """Name and description of every suite that comes with chaosbench."""
    found = {}
    for entry in sorted(files("chaosbench.suites").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            found[entry.name.removesuffix(".toml")] = str(tomllib.loads(entry.read_text()).get("description", ""))
    return found


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
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "chaosbench suite",
        "type": "object",
        "additionalProperties": False,
        "required": ["suite", *_TABLES],
        "properties": {
            "suite": {"type": "string"},
            "description": {"type": "string"},
            "seeds": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": True},
            **named,
            "data": {"$ref": "#/$defs/DataSpec"},
            "evaluation": {"$ref": "#/$defs/EvaluationSpec"},
            **one_of,
        },
        "$defs": definitions,
    }


def _definitions_of(form: Mapping[str, Any]) -> list[str]:
    references = [form, *form.get("oneOf", [])]
    return [one["$ref"].rsplit("/", 1)[-1] for one in references if "$ref" in one]


def _read(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        if not path.is_file():
            raise SpecError(f"no suite file at {str(path)!r}; shipped suites: {', '.join(shipped())}")
        text = path.read_bytes()
    elif name in shipped():
        text = files("chaosbench.suites").joinpath(f"{name}.toml").read_bytes()
    else:
        raise unknown_name("suite", name, shipped(), place="(or give the path of a .toml file)")
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{name} is not TOML: {error}") from None


def _checked(content: dict[str, Any], name: str) -> dict[str, Any]:
    for key in content:
        if key not in _KEYS:
            raise unknown_name("key of a suite", key, _KEYS, place=name)
    if not isinstance(content.get("suite"), str) or not content["suite"]:
        raise SpecError(f'{name}: the key suite must name the suite, as in suite = "mine"')
    for table in _TABLES:
        entries = content.get(table)
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise SpecError(f"{name}: needs at least one [[{table}]] table with a kind")
    for table in ("data", "evaluation"):
        if not isinstance(content.get(table, {}), dict):
            raise SpecError(f"{name}: {table} must be a table, [{table}]")
    return content


def _apply(content: dict[str, Any], changes: Mapping[str, Any], registry: Registry) -> None:
    """Put `--set` values into every table that has the field; one must."""
    for path, value in changes.items():
        noun, dot, key = path.partition(".")
        nouns = ("system", "model", "trainer", "data", "evaluation")
        if noun not in nouns:
            raise unknown_name("part of an experiment", noun, nouns, place=f"--set {path}")
        if not dot or not key:
            raise SpecError(f"--set {path}: name a field, as in {noun}.FIELD=VALUE")
        if noun in ("data", "evaluation"):
            fields = (DataSpec if noun == "data" else EvaluationSpec).model_fields
            tables, known = [content.setdefault(noun, {})], set(fields)
        else:
            noun = cast("Noun", noun)
            classes = [(t, registry.find(noun, str(t.get("kind")), place=f"{noun}s")) for t in content[f"{noun}s"]]
            known = {name for _, spec in classes for name in spec.model_fields} - {"kind"}
            tables = [table for table, spec in classes if key in spec.model_fields]
        if key not in known:
            raise unknown_name(f"field of a {noun} of this suite", key, known, place=f"--set {path}")
        for table in tables:
            table[key] = value


def _specs(tables: Iterable[Mapping[str, Any]], key: str, registry: Registry) -> list[Spec]:
    specs = []
    for index, table in enumerate(tables):
        place = f"{key}.{index}"
        kind = table.get("kind")
        if not isinstance(kind, str):
            raise SpecError(f"{place}: needs a kind; known: {', '.join(sorted(registry.kinds[_noun(key)]))}")
        spec = registry.find(_noun(key), kind, place=f"{place}.kind")
        specs += [validated(spec, one, f"{place}.{kind}") for one in _grid(spec, table, f"{place}.{kind}")]
    return specs


def _named(entries: Any, key: str, registry: Registry) -> tuple[Spec, ...]:
    """Metrics and diagnostics: by name alone, or as tables."""
    if not isinstance(entries, (list, tuple)):
        raise SpecError(f"{key} must be a list of names or tables, not {entries!r}")
    specs = [
        spec
        for i, entry in enumerate(entries)
        for spec in _specs_at(i, {"kind": entry} if isinstance(entry, str) else entry, key, registry)
    ]
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise SpecError(f"{key}: {label} is listed twice")
    return tuple(specs)


def _specs_at(index: int, table: Any, key: str, registry: Registry) -> list[Spec]:
    if not isinstance(table, dict) or not isinstance(table.get("kind"), str):
        raise SpecError(f"{key}.{index}: {table!r} is neither a name nor a table with a kind")
    spec = registry.find(_noun(key), table["kind"], place=f"{key}.{index}")
    return [validated(spec, one, f"{key}.{index}.{table['kind']}") for one in _grid(spec, table, f"{key}.{index}")]


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


def _selected(specs: list[Spec], wanted: Sequence[str], noun: str) -> list[Spec]:
    for name in wanted:
        if not any(name in (spec.kind, spec.label) for spec in specs):
            known = {spec.kind for spec in specs} | {spec.label for spec in specs}
            raise unknown_name(f"{noun} of this suite", name, known)
    return [spec for spec in specs if not wanted or spec.kind in wanted or spec.label in wanted]


def _seeds(seeds: Any) -> tuple[int, ...]:
    whole = isinstance(seeds, (list, tuple)) and all(isinstance(seed, int) and seed >= 0 for seed in seeds)
    if not whole or not seeds or len(set(seeds)) < len(seeds):
        raise SpecError(f"seeds must be a list of different whole numbers from 0, such as [0, 1, 2]; got {seeds!r}")
    return tuple(seeds)
