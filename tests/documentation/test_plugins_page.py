"""The plug-ins to copy from, in docs/plugins.md and plugins/template, load and train as if installed by pip."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from chaosbench import registry, suite
from chaosbench.exponents import measured
from chaosbench.leaderboard.folder import FINISHED
from chaosbench.run import run_experiment
from chaosbench.systems.reference import Reference
from chaosbench.testing import check_model

ROOT = Path(__file__).parents[2]
SMALL = {
    "data.train_orbits": 2,
    "data.train_length": 300,
    "data.validation_orbits": 0,
    "data.test_orbits": 2,
    "data.test_length": 400,
    "evaluation.free_runs": 1,
    "evaluation.free_run_steps": 300,
    "evaluation.free_run_transient": 0,
    "evaluation.horizon": 100,
    "evaluation.exponent_steps": 50,
    "evaluation.exponent_transient": 0,
    "trainer.updates": 3,
}


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


def test_the_template_trains_its_model_with_its_trainer_on_its_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    template = ROOT / "plugins/template"
    project = (template / "pyproject.toml").read_text(encoding="utf-8")
    loaded = install(project, template / "chaosbench_template.py", tmp_path, monkeypatch)
    published = Reference(
        parameters={"a": 4.0}, exponents=(0.078,), intervals=(0.001,), source="Sprott 1994", method="published"
    )
    monkeypatch.setattr(measured, "cached_reference", lambda system: published)  # an estimate would take seconds
    (text,) = code_blocks(template / "README.md", "toml")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    experiments = suite.load(str(tmp_path / "mine.toml"), loaded, suite.Selection(seeds=[0, 1], changes=SMALL))
    assert [experiment.model.hidden for experiment in experiments] == [30, 60]  # type: ignore[attr-defined]
    result = run_experiment(experiments[0])
    # After three updates the model may still leave the data, which is a result as well.
    assert [(run.status in FINISHED, run.updates) for run in result.runs] == [(True, 3)] * 2
    assert all(record.floor is not None for record in result.records if record.better)


def test_the_template_is_not_installed_with_chaosbench():
    assert not [kind for kinds in registry.load().kinds.values() for kind in kinds if kind.startswith("template")]
