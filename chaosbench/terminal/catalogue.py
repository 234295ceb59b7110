"""What exists, for people and as rows: kinds, their fields, and the plug-ins they come from."""

import inspect
from typing import Any, cast

from pydantic_core import PydanticUndefined
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaosbench.errors import unknown_name
from chaosbench.registry import NOUNS, Noun, Registry
from chaosbench.spec import Spec
from chaosbench.systems.base import SystemSpec

Row = dict[str, Any]


def rows(registry: Registry, plural: str) -> list[Row]:
    """A row for each kind of a noun: its name, what it is, and where it comes from."""
    noun = cast("Noun", plural.removesuffix("s"))
    return [
        {"name": kind, "summary": _summary(spec), "origin": registry.origins[noun, kind]}
        for kind, spec in sorted(registry.kinds[noun].items())
    ]


def show(title: str, found: list[Row]) -> None:
    """The rows as a table."""
    console = Console(highlight=False)
    table = Table(box=box.HORIZONTALS, pad_edge=False)
    table.add_column(title, no_wrap=True)
    table.add_column("what it is", overflow="fold")
    foreign = any(not row.get("origin", "chaosbench ").startswith("chaosbench ") for row in found)
    if foreign:
        table.add_column("from", no_wrap=True)
    for row in found:
        table.add_row(row["name"], Text(row["summary"]), *([row["origin"]] if foreign else []))
    console.print(table)


def description(registry: Registry, kind: str) -> Row:
    """All about a kind.

    Raises:
        UnknownNameError: where no noun has it.
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
    raise unknown_name("kind", kind, {kind for noun in NOUNS for kind in registry.kinds[noun]})


def show_description(found: Row) -> None:
    """The description, as a page."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble((found["kind"], "bold"), f"  a {found['noun']} from {found['origin']}\n"))
    console.print(Text(found["text"] + "\n"))
    table = Table(box=box.HORIZONTALS, pad_edge=False)
    for heading in ("field", "type", "default"):
        table.add_column(heading)
    for name, field in found["fields"].items():
        table.add_row(name, Text(field["type"]), Text("required" if field["required"] else repr(field["default"])))
    console.print(table, soft_wrap=False)
    for name in ("unit", "better", "dimension"):
        if name in found:
            console.print(f"{name}: {found[name]}", markup=False)
    if reference := found.get("reference"):
        console.print(Text(f"Lyapunov exponents [1 / system time]: {reference['text']}"))
        console.print(Text(f"predictability time ln 2 / lambda_1: {reference['predictability_steps']} steps"))
        console.print(Text(f"source: {reference['source']}"))


def plugin_rows(registry: Registry) -> list[Row]:
    """A row for each installed plug-in; `error` tells why one was left out."""
    return [
        {
            "name": plugin.name,
            "package": plugin.package,
            "version": plugin.version,
            "status": "broken" if plugin.error else "ok",
            "error": plugin.error,
            "offers": sorted(
                f"{noun} {kind}"
                for (noun, kind), origin in registry.origins.items()
                if origin == f"{plugin.package} {plugin.version}" and not plugin.error
            ),
        }
        for plugin in registry.plugins
    ]


def show_plugins(registry: Registry) -> None:
    """The plug-ins as a table."""
    console = Console(highlight=False)
    found = plugin_rows(registry)
    if not found:
        console.print("no plug-ins are installed; everything listed comes with chaosbench")
        return
    table = Table(box=box.HORIZONTALS, pad_edge=False)
    for heading in ("plug-in", "package", "status", "offers, or why it was left out"):
        table.add_column(heading, overflow="fold")
    for row in found:
        told = row["error"] or ", ".join(row["offers"])
        table.add_row(row["name"], f"{row['package']} {row['version']}", row["status"], Text(told))
    console.print(table)


def _summary(spec: type[Spec]) -> str:
    """The first paragraph of the docstring, on one line."""
    return " ".join((inspect.getdoc(spec) or "").split("\n\n")[0].split())


def _fields(spec: type[Spec]) -> dict[str, Row]:
    schema = spec.model_json_schema()["properties"]
    fields = {}
    for name, field in spec.model_fields.items():
        if name != "kind":
            default = None if field.default is PydanticUndefined else field.default
            fields[name] = {"type": _type(schema[name]), "default": default, "required": field.is_required()}
    return fields


def _type(form: Row) -> str:
    """A JSON schema's type, in words."""
    if "anyOf" in form:
        return " or ".join(_type(one) for one in form["anyOf"])
    if "enum" in form:
        return " | ".join(map(repr, form["enum"]))
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = " and ".join(f"{sign} {form[key]:g}" for key, sign in bounds.items() if key in form)
    return f"{form.get('type', 'any')}{f' {limits}' if limits else ''}"


def _facts(spec: type[Spec]) -> Row:
    """What a class says of itself beside its fields."""
    facts = {name: getattr(spec, name) for name in ("unit", "better") if isinstance(getattr(spec, name, None), str)}
    if issubclass(spec, SystemSpec) and not any(field.is_required() for field in spec.model_fields.values()):
        system = spec.model_validate({})
        facts["dimension"] = system.dimension
        if system.reference is not None:
            facts["reference"] = _reference(system)
    return facts


def _reference(system: SystemSpec) -> Row:
    known = system.reference
    assert known is not None
    pairs = zip(known.exponents, known.intervals, strict=True)
    time = known.predictability_time
    return {
        "exponents": list(known.exponents),
        "intervals": list(known.intervals),
        "text": ", ".join(f"{value:.4f} ± {width:.4f}" for value, width in pairs),
        "predictability_steps": None if time is None else round(time / system.dt, 1),
        "source": known.source,
    }
