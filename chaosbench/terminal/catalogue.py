"""The catalogue of kinds, their fields, and installed plug-ins, as tables and as rows for JSON."""

import inspect
from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import PydanticUndefined
from rich.console import Console
from rich.text import Text

from chaosbench import __version__, bundled
from chaosbench.errors import unknown_name
from chaosbench.registry import NOUNS, Noun, Registry
from chaosbench.spec import Spec, field_comments
from chaosbench.systems.base import SystemSpec
from chaosbench.terminal.tables import table

Row = dict[str, Any]


def rows(registry: Registry, plural: str) -> list[Row]:
    """Return a row per kind of a noun (in the plural): name, summary and origin."""
    noun = cast("Noun", plural.removesuffix("s"))
    return [
        {"name": kind, "summary": _summary(spec), "origin": registry.origins[noun, kind]}
        for kind, spec in sorted(registry.kinds[noun].items())
    ]


def suite_rows(registry: Registry, shipped: Mapping[str, str]) -> list[Row]:
    """Return a row per suite, those of plug-ins last: name, description and origin."""
    own = [{"name": name, "summary": text, "origin": f"chaosbench {__version__}"} for name, text in shipped.items()]
    offered = sorted(registry.suites.items())
    return own + [{"name": name, "summary": one.description, "origin": one.origin} for name, one in offered]


def show(title: str, rows: list[Row]) -> None:
    """Print the rows as a table."""
    console = Console(highlight=False)
    foreign = any(not row.get("origin", "chaosbench ").startswith("chaosbench ") for row in rows)
    headings = {"name": title, "summary": "description", **({"origin": "from"} if foreign else {})}
    cells = [[str(row[name]) for name in headings] for row in rows]
    console.print(table(tuple(headings.values()), cells, width=console.width))


def description(registry: Registry, kind: str) -> Row:
    """Return the description of a kind: noun, origin, docstring, fields and facts.

    Raises:
        UnknownNameError: where no noun has this kind.
    """
    for noun in NOUNS:
        if kind in registry.kinds[noun]:
            spec = registry.kinds[noun][kind]
            return {
                "kind": kind,
                "noun": noun,
                "origin": registry.origins[noun, kind],
                "text": inspect.getdoc(spec) or "",
                "fields": _fields(spec),
                **_facts(spec),
            }
    known = {kind for noun in NOUNS for kind in registry.kinds[noun]}
    raise unknown_name("kind", kind, known, advice=bundled.advice(kind, *NOUNS))


def show_description(described: Row) -> None:
    """Print the description of a kind."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble((described["kind"], "bold"), f"  a {described['noun']} from {described['origin']}\n"))
    console.print(Text(described["text"] + "\n"))
    if described["fields"]:
        console.print(_field_table(described["fields"], console.width))
    for name in ("unit", "better", "dimension"):
        if name in described:
            console.print(f"{name}: {described[name]}", markup=False)
    if reference := described.get("reference"):
        console.print(Text(f"Lyapunov exponents [1 / system time]: {reference['text']}"))
        console.print(Text(f"predictability time ln 2 / lambda_1: {reference['predictability_steps']} steps"))
        console.print(Text(f"source: {reference['source']}"))


def _field_table(fields: dict[str, Row], width: int) -> Text:
    rows = [
        (name, field["type"], "required" if field["required"] else repr(field["default"]), field["meaning"])
        for name, field in fields.items()
    ]
    return table(("field", "type", "default", "meaning"), rows, width=width)


def _summary(spec: type[Spec]) -> str:
    """Return the first paragraph of the docstring on one line."""
    return " ".join((inspect.getdoc(spec) or "").split("\n\n")[0].split())


def _fields(spec: type[Spec]) -> dict[str, Row]:
    schema, comments = spec.model_json_schema()["properties"], field_comments(spec)
    fields = {}
    for name, field in spec.model_fields.items():
        if name != "kind":
            default = None if field.default is PydanticUndefined else field.default
            fields[name] = {
                "type": _type(schema[name]),
                "default": default,
                "required": field.is_required(),
                "meaning": comments.get(name, ""),
            }
    return fields


def _type(form: Row) -> str:
    """Describe the type in a JSON schema."""
    if "anyOf" in form:
        return " or ".join(_type(choice) for choice in form["anyOf"])
    if "enum" in form:
        return " | ".join(map(repr, form["enum"]))
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = " and ".join(f"{sign} {form[key]:g}" for key, sign in bounds.items() if key in form)
    return f"{form.get('type', 'any')}{f' {limits}' if limits else ''}"


def _facts(spec: type[Spec]) -> Row:
    """Return the class attributes to show beside the fields: unit, direction, dimension and reference."""
    facts = {name: getattr(spec, name) for name in ("unit", "better") if isinstance(getattr(spec, name, None), str)}
    if issubclass(spec, SystemSpec) and not any(field.is_required() for field in spec.model_fields.values()):
        system = spec.model_validate({})
        facts["dimension"] = system.dimension
        if system.reference is not None:
            facts["reference"] = _reference(system)
    return facts


def _reference(system: SystemSpec) -> Row:
    reference = system.reference
    assert reference is not None
    pairs = zip(reference.exponents, reference.intervals, strict=True)
    time = reference.predictability_time
    return {
        "exponents": list(reference.exponents),
        "intervals": list(reference.intervals),
        "text": ", ".join(f"{value:.4f} ± {width:.4f}" for value, width in pairs),
        "predictability_steps": None if time is None else round(time / system.dt, 1),
        "source": reference.source,
    }
