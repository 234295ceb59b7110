"""The bundled plug-ins are what a stranger could publish: complete packages that use public names only."""

import ast
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "plugins"
PACKAGES = sorted(path.parent.name for path in FOLDER.glob("chaosbench-*/pyproject.toml"))
PUBLIC = {  # what docs/plugins.md offers to authors
    "chaosbench", "chaosbench.data", "chaosbench.dynamics", "chaosbench.errors", "chaosbench.figures",
    "chaosbench.metrics", "chaosbench.models", "chaosbench.seeds", "chaosbench.source", "chaosbench.spec",
    "chaosbench.systems", "chaosbench.testing", "chaosbench.trainers",
}  # fmt: skip


def sources(package: str) -> list[Path]:
    """Return what the package installs: its module, or all modules of its folder."""
    module = FOLDER / package / package.replace("-", "_")
    return sorted(module.rglob("*.py")) if module.is_dir() else [module.with_suffix(".py")]


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every name that a file imports from chaosbench, with its module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "chaosbench":
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "*") for alias in node.names if alias.name.split(".")[0] == "chaosbench")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_bundled_plug_in_imports_public_names_only(package: str):
    for path in sources(package):
        for module, name in imported(path):
            assert module in PUBLIC, f"{path.name} imports {module}"
            public = getattr(import_module(module), "__all__", None)
            private = name.startswith("_") if public is None else name not in [*public, "*"]
            assert not private, f"{path.name} imports {module}.{name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_bundled_plug_in_is_a_complete_package(package: str):
    """A package has an entry point, a licence, tests, and a README that its metadata shows."""
    folder = FOLDER / package
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == package
    assert project["license"]
    (module,) = project["entry-points"]["chaosbench"].values()
    assert (folder / f"{module}.py").is_file() or (folder / module / "__init__.py").is_file()
    assert list((folder / "tests").glob("test_*.py"))
    assert (folder / project["readme"]).read_text(encoding="utf-8").startswith(f"# {package}\n")
    assert f"({package})" in (FOLDER / "README.md").read_text(encoding="utf-8")
