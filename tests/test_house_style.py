"""The rules of CONTRIBUTING.md that a program can check."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("chaosbench", "docs/generate", "plugins", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
LIBRARY = [path for path in FILES if "tests" not in path.parts]
# A docstring that begins like this is a fragment: a function's begins with a verb, a property's names the quantity.
FRAGMENT = re.compile(r"(Of|What|Whether|See|Whose|Where|Nothing)\b")
LONGEST_FILE, LONGEST_FUNCTION, STRAIGHT_LINE = 300, 40, 20  # [lines]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield name and length of the body, below the docstring, of every function in a file [lines].

    Kernels of Triton are left out: what they keep in registers cannot be handed to another function.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        kernel = isinstance(node, ast.FunctionDef) and "triton.jit" in map(ast.unparse, node.decorator_list)
        if isinstance(node, ast.FunctionDef) and not kernel:
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield node.name, 0 if not body else node.end_lineno - body[0].lineno + 1


def docstrings(path: Path) -> Iterator[str]:
    """Yield every docstring in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield text


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_docstring_begins_as_a_fragment(path: Path):
    fragments = [text.partition("\n")[0] for text in docstrings(path) if FRAGMENT.match(text)]
    assert fragments == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_300_lines(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_body_is_longer_than_40_lines(path: Path):
    assert [name for name, length in functions(path) if length > LONGEST_FUNCTION] == []


def test_the_straight_line_is_at_most_20_lines():
    assert dict(functions(ROOT / "chaosbench" / "run.py"))["run_experiment"] <= STRAIGHT_LINE


def test_the_rules_find_what_they_are_made_for():
    """A check that cannot fail is worth nothing."""
    assert FRAGMENT.match("Of each seed the loss.")
    assert FRAGMENT.match("See `Forecaster.step`.")
    assert not FRAGMENT.match("Offset of the first window [steps].")
    assert dict(functions(Path(__file__)))["docstrings"] == 5
