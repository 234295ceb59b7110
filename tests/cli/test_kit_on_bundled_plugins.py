"""`chaosbench plugins test` passes everything that the bundled packages offer, each in a process of its own."""

import json
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from fake_plugins import install

from chaosbench import bundled

PLUGINS = Path(__file__).parents[2] / "plugins"

BUNDLED = [point for point in entry_points(group="chaosbench") if point.dist and point.dist.name in bundled.OFFERS]
INSTALLED = {point.name for point in BUNDLED}
TESTED = {"dynamix"}  # 13 s of CPU time, and its own tests make the same checks
LONG = {"sindy"}  # 19 s, beside the others in a process of their own


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(INSTALLED - LONG - TESTED, id="quick"),
        pytest.param(INSTALLED & LONG, id="long"),
        pytest.param(INSTALLED & TESTED, id="tested elsewhere", marks=pytest.mark.slow),
    ],
)
def test_the_kit_passes_what_bundled_packages_offer(names: set[str], call, monkeypatch: pytest.MonkeyPatch):
    """A check that is omitted, as for a system that needs a name, says where it is made instead."""
    if not names:
        pytest.skip("no bundled plug-in is installed")
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", ",".join(sorted(names)))
    code, out, err = call("plugins", "test", "--json")
    rows = json.loads(out)
    assert code == 0, [row for row in rows if row["failure"]] + [err]
    assert {row["plugin"] for row in rows} == names
    kinds = {kind for package, offered in bundled.OFFERS.items() for kind in _kinds(package, names)}
    assert {row["kind"] for row in rows} - {""} == kinds
    assert all(row["result"] == "passed" or "test of the plug-in" in row["omitted"] for row in rows)


def test_the_kit_passes_the_trackers_which_are_not_installed(call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """They import what they write to when an experiment starts: the kit needs neither TensorBoard nor MLflow."""
    names = {"chaosbench_mlflow", "chaosbench_tensorboard"}
    install(tmp_path, {name: (PLUGINS / name.replace("_", "-") / f"{name}.py").read_text() for name in names})
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", ",".join(sorted(names)))
    code, out, err = call("plugins", "test", "--json")
    assert code == 0, err
    assert {(row["plugin"], row["result"]) for row in json.loads(out)} == {(name, "passed") for name in names}


def _kinds(package: str, names: set[str]) -> list[str]:
    """Return the kinds of a package if its plug-in is among the names."""
    if package.removeprefix("chaosbench-") not in names:
        return []
    return [kind for noun, kinds in bundled.OFFERS[package].items() if noun != "suite" for kind in kinds]
