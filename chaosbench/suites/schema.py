"""The JSON schema of a suite file, for editors."""

from collections.abc import Mapping
from typing import Any, cast

from chaosbench.registry import Noun, Registry
from chaosbench.spec import TABLES_OF_A_SYSTEM
from chaosbench.suites.budget import PATTERN
from chaosbench.suites.files import TABLES

Schema = dict[str, Any]


def schema(registry: Registry) -> Schema:
    """Return the JSON schema of a suite file with the kinds that are registered.

    Every scalar field of a system, model, trainer or of the data may also be a list, which is a grid.
    """
    experiment = registry.experiment_type().model_json_schema()
    definitions, properties = experiment["$defs"], experiment["properties"]
    nouns = tuple(table[:-1] for table in TABLES)
    gridded = {name for noun in nouns for name in _definitions_of(properties[noun])}
    for name in _definitions_of(properties["model"]):
        _admit_budgets(definitions[name])
    for name in gridded | {"DataSpec"}:
        _admit_grids(definitions[name])
    for name in _definitions_of(properties["system"]):
        definitions[name]["properties"] |= {key: {"$ref": f"#/$defs/{key.title()}Spec"} for key in TABLES_OF_A_SYSTEM}
    keys = {
        "description": {"type": "string"},
        "seeds": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": True},
        **{key: _kinds_or_tables(registry, key, properties[key]) for key in ("metrics", "diagnostics")},
        "data": {"$ref": "#/$defs/DataSpec"},
        "evaluation": {"$ref": "#/$defs/EvaluationSpec"},
        "search": {"type": "array", "items": {"$ref": "#/$defs/SearchSpec"}},
        **{f"{noun}s": {"type": "array", "minItems": 1, "items": properties[noun]} for noun in nouns},
    }
    part = {"type": "object", "additionalProperties": False, "properties": keys}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "chaosbench suite",
        "type": "object",
        "additionalProperties": False,
        "required": ["suite"],
        "properties": {"suite": {"type": "string"}, **keys, "parts": {"type": "array", "minItems": 1, "items": part}},
        "anyOf": [{"required": list(TABLES)}, {"required": ["parts"]}],
        "$defs": definitions,
    }


def _definitions_of(form: Mapping[str, Any]) -> list[str]:
    """Return the names of the definitions that a union refers to."""
    references = [form, *form.get("oneOf", [])]
    return [reference["$ref"].rsplit("/", 1)[-1] for reference in references if "$ref" in reference]


def _admit_budgets(definition: Schema) -> None:
    """Let a whole number be a number of parameters, as in `hidden = "1000 parameters"`."""
    fields = definition["properties"]
    for name, form in fields.items():
        if form.get("type") == "integer":
            fields[name] = {"anyOf": [form, {"type": "string", "pattern": PATTERN}]}


def _admit_grids(definition: Schema) -> None:
    fields = definition["properties"]
    for name, form in fields.items():
        if name != "kind":
            fields[name] = {"anyOf": [form, {"type": "array", "minItems": 1, "items": form}]}


def _kinds_or_tables(registry: Registry, key: str, form: Mapping[str, Any]) -> Schema:
    kinds = sorted(registry.kinds[cast("Noun", key[:-1])])
    return {"type": "array", "items": {"anyOf": [{"enum": kinds}, form.get("items", {})]}}
