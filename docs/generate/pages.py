"""Pages of all built-in kinds of a noun: `python -m docs.generate.pages models > docs/models.md`."""

import sys

from chaosbench.registry import Registry, load
from chaosbench.terminal.catalogue import Row, description, rows

_INTRODUCTIONS = {
    "models": "What chaosbench can train. Shape letters: M states, D observables; x is what is observed.",
    "trainers": "How chaosbench trains. T steps in a sequence, tau steps between forcings, J the model's Jacobian.",
}


def page(registry: Registry, plural: str) -> str:
    """Markdown: for each built-in kind its docstring, with equation and source, and its fields with their defaults."""
    built_in = [row["name"] for row in rows(registry, plural) if row["origin"].startswith("chaosbench ")]
    parts = [
        f"# {plural.capitalize()}",
        f"{_INTRODUCTIONS[plural]} Made by `python -m docs.generate.pages {plural}`.",
        *(_section(description(registry, kind)) for kind in built_in),
    ]
    return "\n\n".join(parts) + "\n"


def _section(found: Row) -> str:
    fields = [
        f"| `{name}` | {_cell(field['type'])} | `{field['default']!r}` |" for name, field in found["fields"].items()
    ]
    table = "\n".join(["| field | type | default |", "|---|---|---|", *fields])
    return f"## `{found['kind']}`\n\n```text\n{found['text']}\n```\n\n{table}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page(load(), sys.argv[1]))
