"""The plug-in with which docs/plugins.md opens loads as if installed by pip, and fulfils its contract."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from chaosbench import registry
from chaosbench.testing import check_model

ROOT = Path(__file__).parents[2]


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def install(project: str, module: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> registry.Registry:
    """Put the module on the path with the metadata that pip would write, and load it alone."""
    table = tomllib.loads(project)["project"]
    ((name, target),) = table["entry-points"]["chaosbench"].items()
    assert module.stem == target
    metadata = folder / f"{target}-{table['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {table['name']}\nVersion: {table['version']}\n")
    (metadata / "entry_points.txt").write_text(f"[chaosbench]\n{name} = {target}\n")
    monkeypatch.delitem(sys.modules, target, raising=False)
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", name)
    loaded = registry.load()
    assert [plugin.error for plugin in loaded.plugins] == [None]
    return loaded


def test_the_page_on_plug_ins_opens_with_a_model_that_fulfils_its_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    page = ROOT / "docs/plugins.md"
    module = tmp_path / "chaosbench_mine.py"
    module.write_text(code_blocks(page, "python")[0], encoding="utf-8")
    loaded = install(code_blocks(page, "toml")[0], module, tmp_path, monkeypatch)
    check_model(loaded.kinds["model"]["mine"]())  # type: ignore[arg-type]  # a ModelSpec
