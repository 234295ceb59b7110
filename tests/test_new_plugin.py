"""New plug-ins are complete packages that work without edits; what cannot be written leaves nothing behind."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import chaosbench
from chaosbench import cli, new_plugin, registry
from chaosbench.errors import ChaosbenchError
from chaosbench.new_plugin import NOUNS, create
from chaosbench.suite import load

ROOT = Path(__file__).parents[1]
LONG = "a-name-with-24-character"
NAMES = [*(f"my-{noun}" for noun in NOUNS), LONG]
KIND = {"source": "system"}  # nouns of the registry


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a plug-in of every kind into one folder."""
    folder = tmp_path_factory.mktemp("packages")
    for name in NAMES:
        create(name, name.removeprefix("my-") if name != LONG else "metric", folder)
    return folder


def run(*words: str, folder: Path, **environment: str) -> str:
    """Run a module of Python in a folder, with this chaosbench, and return what it prints."""
    variables = {"PYTHONPATH": f"{ROOT}", "MYPYPATH": f"{ROOT}", "OMP_NUM_THREADS": "1", "PATH": "", **environment}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_new_plugins_obey_ruff_with_their_own_settings(packages: Path):
    run("ruff", "check", "--no-cache", ".", folder=packages)
    run("ruff", "format", "--no-cache", "--check", ".", folder=packages)


def test_new_plugins_offer_their_kind_and_their_suites_can_be_read(packages: Path, monkeypatch: pytest.MonkeyPatch):
    for name in NAMES:
        module = f"chaosbench_{name.replace('-', '_')}"
        info = packages / f"{module}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: chaosbench-{name}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(f"[chaosbench]\n{name} = {module}\n")
        monkeypatch.syspath_prepend(str(packages / f"chaosbench-{name}"))
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", ",".join(NAMES))
    loaded = registry.load()
    assert [plugin.error for plugin in loaded.plugins] == [None] * len(NAMES)
    offered = {(noun, kind) for (noun, kind), origin in loaded.origins.items() if not origin.startswith("chaosbench ")}
    expected = {(KIND.get(noun, noun), f"my_{noun}") for noun in NOUNS} | {("metric", LONG.replace("-", "_"))}
    assert offered == expected
    for name in NAMES:
        assert load(str(packages / f"chaosbench-{name}" / f"{name}.toml"), loaded)
    for name in NAMES:
        sys.modules.pop(f"chaosbench_{name.replace('-', '_')}", None)


@pytest.mark.slow
def test_new_plugins_pass_their_own_tests(packages: Path):
    folders = [f"chaosbench-{name}/tests" for name in NAMES]
    run("pytest", "-q", "-p", "no:cacheprovider", *folders, folder=packages, PYTHONPATH=f"{ROOT}")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_new_plugins_obey_mypy_with_their_own_settings(name: str, packages: Path):
    run("mypy", "--follow-imports", "silent", "--cache-dir", "../mypy", folder=packages / f"chaosbench-{name}")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("My-Model", "model", ["'My-Model'", "small letters"]),
        ("1st", "model", ["'1st'"]),
        ("end-", "model", ["'end-'"]),
        ("a" * 25, "model", ["24"]),
        ("../elsewhere", "model", ["'../elsewhere'"]),
        ("lstm", "model", ["'lstm'", "taken", "chaosbench"]),
        ("timeseries", "source", ["'timeseries'", "taken"]),
        ("mine", "modell", ["'modell'", "'model'", "picture"]),
    ],
)
def test_a_name_or_kind_that_cannot_be_used_is_an_error_and_nothing_is_written(
    name: str, kind: str, words: list[str], tmp_path: Path
):
    with pytest.raises(ChaosbenchError) as raised:
        create(name, kind, tmp_path)
    assert [word for word in words if word not in str(raised.value)] == []
    assert list(tmp_path.iterdir()) == []


def test_every_shipped_kind_is_known_to_be_taken():
    """Without an import of chaosbench's kinds, which takes seconds."""
    shipped = registry.load()
    for noun in registry.NOUNS:
        own = {kind for kind in shipped.kinds[noun] if shipped.origins[noun, kind].startswith("chaosbench ")}
        assert own <= new_plugin.taken_kinds(noun).keys()


def test_a_kind_of_an_installed_plugin_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "other_plugin.py").write_text('kind: Literal["theirs"] = "theirs"\n')
    (tmp_path / "other_plugin-1.0.dist-info").mkdir()
    (tmp_path / "other_plugin-1.0.dist-info/METADATA").write_text("Name: other-plugin\nVersion: 1.0\n")
    (tmp_path / "other_plugin-1.0.dist-info/entry_points.txt").write_text("[chaosbench]\nother = other_plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ChaosbenchError, match="'theirs' is taken by the plug-in other"):
        create("theirs", "model", tmp_path)
    assert "other_plugin" not in sys.modules


def test_a_folder_with_files_is_left_alone_and_an_empty_one_is_filled(tmp_path: Path):
    (tmp_path / "chaosbench-mine").mkdir()
    create("mine", "model", tmp_path)
    before = sorted((tmp_path / "chaosbench-mine").rglob("*"))
    with pytest.raises(ChaosbenchError, match="not an empty folder"):
        create("chaosbench-mine", "trainer", tmp_path)
    assert sorted((tmp_path / "chaosbench-mine").rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["chaosbench-mine"]


def test_a_failure_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write, count = Path.write_text, iter(range(100))

    def fail(self: Path, *words: str, **options: str) -> int:
        if next(count) == 4:
            raise OSError(28, "No space left on device")
        return write(self, *words, **options)

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(ChaosbenchError, match="No space left"):
        create("mine", "model", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none", "tensor", "residual-network", "literal", "class", "model-spec"])
def test_a_name_that_means_something_in_python_or_in_the_module_gets_another_class(name: str, tmp_path: Path):
    files = create(name, "model", tmp_path)
    (module,) = [path for path in files if path.name == f"chaosbench_{name.replace('-', '_')}.py"]
    tree = ast.parse(module.read_text())
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert len({*defined, *imported}) == len(defined) + len(imported)


def test_the_command_prints_the_files_and_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    words = ["chaosbench", "plugins", "new", "mine", "--kind", "metric", "--dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("chaosbench_mine.py", "pip install -e .", "chaosbench run mine.toml"))
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_writing_a_plugin_imports_no_torch(tmp_path: Path):
    code = "import sys; from chaosbench import cli, new_plugin; from pathlib import Path; "
    code += "new_plugin.create('mine', 'model', Path()); assert 'torch' not in sys.modules"
    (tmp_path / "code.py").write_text(code)
    run("code", folder=tmp_path, PYTHONPATH=f"{ROOT}:{tmp_path}")


def test_type_checkers_know_every_public_name():
    """The stub beside __init__.py, which serves its names at run time only."""
    tree = ast.parse((ROOT / "chaosbench/__init__.pyi").read_text())
    stated = {
        alias.asname: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert stated == chaosbench._HOMES
    assert all(importlib.util.find_spec(str(module)) for module in stated.values())
