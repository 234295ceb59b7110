"""docs/hooks.md agrees with the hooks, their arguments and what they receive."""

import ast
import dataclasses
import inspect
import re
from pathlib import Path

import pluggy

from chaosbench import API_VERSION, __version__, hookspecs
from chaosbench.experiment import Record

PAGE = (Path(__file__).parents[2] / "docs/hooks.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def signatures(source: str) -> dict[str, tuple[str, str]]:
    """Return arguments and result of every function in Python source."""
    return {
        node.name: (ast.unparse(node.args), ast.unparse(node.returns) if node.returns else "")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }


def rows(title: str) -> dict[str, list[str]]:
    """Return the cells of the tables below a heading, by the first one without its marks."""
    part = PAGE.partition(f"## {title}")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
    return {first.strip("`"): others for first, *others in cells}


def hooks() -> dict[str, tuple[str, ...]]:
    """Return the arguments of every hook, as pluggy sees them."""
    manager = pluggy.PluginManager("chaosbench")
    manager.add_hookspecs(hookspecs)
    names = [name for name in vars(hookspecs) if name.startswith("chaosbench_")]
    return {name: getattr(manager.hook, name).spec.argnames for name in names}


def test_the_page_shows_the_signature_of_every_hook() -> None:
    assert signatures(SHOWN[0]) == signatures(inspect.getsource(hookspecs))


def test_every_hook_is_explained_in_one_table_with_its_arguments() -> None:
    offering, notified = rows("Hooks that offer something"), rows("Hooks that are notified")
    for name, arguments in hooks().items():
        assert (name in offering) != (name in notified), name
        if name in notified:
            assert re.findall(r"`(\w+)`", notified[name][-1]) == list(arguments)
        else:
            assert arguments == ()


def test_every_field_of_a_record_is_explained() -> None:
    assert {field.name for field in dataclasses.fields(Record)} <= rows("Hooks that are notified").keys()


def test_the_version_of_the_interface_is_the_first_two_numbers_of_the_version() -> None:
    assert __version__.split(".")[:2] == API_VERSION.split(".")
    assert f'">={API_VERSION}' in PAGE
