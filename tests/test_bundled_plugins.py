"""The bundled plug-ins are what a stranger could publish: complete packages that use public names only."""

import ast
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points
from pathlib import Path

import pytest

from chaosbench import bundled, registry, suite
from chaosbench.errors import PluginError, UnknownNameError
from chaosbench.registry import NOUNS, Noun
from chaosbench.terminal import catalogue

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


@pytest.mark.parametrize("package", PACKAGES)
def test_the_table_of_bundled_kinds_is_what_the_package_offers(package: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FOLDER / package))
    try:
        module = import_module(package.replace("-", "_"))
    except PluginError as error:
        pytest.skip(str(error))
    offered = {noun: _kinds(module, noun) for noun in NOUNS}
    suites = getattr(module, "chaosbench_suites", list)()
    offered["suite"] = tuple(sorted(path.stem for path in suites))
    assert {noun: kinds for noun, kinds in offered.items() if kinds} == dict(bundled.OFFERS[package])


def _kinds(module: object, noun: Noun) -> tuple[str, ...]:
    return tuple(sorted(spec.model_fields["kind"].default for spec in getattr(module, f"chaosbench_{noun}s", list)()))


@pytest.mark.parametrize("package", [package for package in PACKAGES if bundled.OFFERS[package]])
def test_the_error_for_a_kind_of_a_package_that_is_not_installed_names_the_package(package: str, monkeypatch):
    """The error says what to install and no similar name, for the table, a command and a suite."""

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setenv("CHAOSBENCH_PLUGINS", "")
    monkeypatch.setattr(bundled, "version", missing)
    kinds, install = registry.load(), rf"install {package} \(plugins/{package}\)"
    for noun, names in bundled.OFFERS[package].items():
        for name in names:
            with pytest.raises(UnknownNameError, match=install) as raised:
                suite.load(name, kinds) if noun == "suite" else kinds.find(noun, name)
            assert "did you mean" not in str(raised.value)
            if noun != "suite":
                with pytest.raises(UnknownNameError, match=install):
                    catalogue.description(kinds, name)


def test_the_error_for_a_kind_of_an_installed_package_that_is_left_out_advises_no_installation(monkeypatch):
    if not [point for point in entry_points(group="chaosbench") if point.name == "reservoir"]:
        pytest.skip("chaosbench-reservoir is not installed")
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", "")
    with pytest.raises(UnknownNameError) as raised:
        registry.load().find("model", "next_generation_reservoir")
    assert "install" not in str(raised.value)
