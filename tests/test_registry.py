"""Plug-ins are loaded one by one; a broken plug-in is reported and stops nothing."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable
from pathlib import Path

import fake_plugins
import pytest
from fake_plugins import system

from chaosbench import plugin_import, registry
from chaosbench.errors import UnknownNameError
from chaosbench.spec import Spec


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a one-module distribution with an entry point on the path, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(name: str, source: str) -> None:
        fake_plugins.install(tmp_path, {name: source})
        monkeypatch.delitem(sys.modules, name, raising=False)  # of an earlier test

    return put


def test_builtin_kinds_are_registered_through_the_same_hooks():
    loaded = registry.load()
    assert {"lorenz63", "rossler", "henon"} <= set(loaded.kinds["system"])
    assert {"rnn", "lstm", "plrnn", "shallow_plrnn"} <= set(loaded.kinds["model"])
    assert {"bptt", "sparse_teacher_forcing"} <= set(loaded.kinds["trainer"])
    assert loaded.origins["model", "lstm"].startswith("chaosbench ")


def test_a_plug_in_is_loaded_beside_broken_ones(install):
    install("aaa_exits", "import sys; sys.exit('no licence')")
    install("bbb_raises", "raise ValueError('line one\\nline two')")
    install("ccc_unknown_hook", "from chaosbench import hookimpl\n@hookimpl\ndef chaosbench_sistems(): return []")
    install("ddd_wrong_class", "from chaosbench import hookimpl\n@hookimpl\ndef chaosbench_models(): return [int]")
    install("eee_good", system("sprott_b"))
    loaded = registry.load()
    assert "sprott_b" in loaded.kinds["system"]
    errors = {plugin.name: plugin.error for plugin in loaded.plugins}
    assert errors["eee_good"] is None
    assert errors["aaa_exits"] == "SystemExit: no licence"
    assert errors["bbb_raises"] == "ValueError: line one line two"
    assert "chaosbench_sistems" in errors["ccc_unknown_hook"]
    assert "not a subclass of ModelSpec" in errors["ddd_wrong_class"]
    assert loaded.origins["system", "sprott_b"] == "eee_good 1.2"


def test_a_plug_in_is_registered_completely_or_not_at_all(install):
    half = system("half") + "\n@hookimpl\ndef chaosbench_models():\n    return [int]\n"
    install("half", half)
    loaded = registry.load()
    assert "half" not in loaded.kinds["system"]
    assert all(name != "half" for name, _ in loaded.hooks.list_name_plugin())


def test_of_two_plug_ins_with_one_kind_the_later_does_not_load_and_names_both(install):
    install("first", system("twice"))
    install("second", system("twice"))
    loaded = registry.load()
    assert loaded.origins["system", "twice"] == "first 1.2"
    errors = {plugin.name: plugin.error for plugin in loaded.plugins}
    assert errors["first"] is None
    assert re.search(r"'twice' is offered twice: by first 1\.2 and by second 1\.2", errors["second"])


BAD = {
    "calls os._exit": ("import os; os._exit(3)", "os._exit"),
    "hangs": ("import time; time.sleep(60)", "takes longer"),
    "raises chaosbench's own error": ("from chaosbench.errors import PluginError; raise PluginError('mine')", "mine"),
    "is compiled for another Python": ("import importlib; importlib.import_module('_no_such_extension')", "No module"),
    "has a kind that is no word": (system("Sprott B"), "small letters"),
    "has a kind that is no Literal": (system("b").replace('Literal["b"]', "str"), "Literal"),
    "has a field that is no JSON": (
        system("b").replace("dimension:", "at: object = len\n    dimension:"),
        "JSON",
    ),
    "offers a kind twice itself": (system("b").replace("[Sprott]", "[Sprott, Sprott]"), "twice"),
}


@pytest.mark.parametrize("way", BAD)
def test_what_a_bad_plug_in_does_is_told_in_one_line_and_stops_nothing(way, install, monkeypatch):
    source, cause = BAD[way]
    monkeypatch.setattr(plugin_import, "LIMIT", 0.3)
    install("bad", source)
    install("good", system("sprott_b"))
    loaded = registry.load()
    assert "sprott_b" in loaded.kinds["system"]
    (error,) = [plugin.error for plugin in loaded.plugins if plugin.name == "bad"]
    assert cause in error
    assert "\n" not in error


def test_a_metric_without_a_direction_is_refused(install):
    install("metric", """
        from typing import Literal
        from chaosbench import MetricSpec, hookimpl

        class Mine(MetricSpec):
            kind: Literal["mine"] = "mine"
            def score(self, evaluation): ...

        @hookimpl
        def chaosbench_metrics():
            return [Mine]
    """)  # fmt: skip
    (error,) = [plugin.error for plugin in registry.load().plugins if plugin.name == "metric"]
    assert "unit" in error


def test_what_a_plug_in_prints_at_import_is_kept_from_the_output(install, capsys):
    install("chatty", "print('hello')\n" + system("sprott_b"))
    (plugin,) = [plugin for plugin in registry.load().plugins if plugin.name == "chatty"]
    assert (plugin.error, plugin.printed) == (None, "hello\n")
    assert capsys.readouterr().out == ""


def test_the_environment_restricts_what_is_loaded(install, monkeypatch: pytest.MonkeyPatch):
    install("first", system("one"))
    install("second", system("two"))
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", "second")
    assert [plugin.name for plugin in registry.load().plugins] == ["second"]
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", "")
    assert registry.load().plugins == []
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", "secnd")
    with pytest.raises(UnknownNameError, match="did you mean 'second'"):
        registry.load()


def test_an_unknown_kind_names_its_neighbour_and_the_broken_plug_ins(install):
    install("broken", "raise ValueError('old torch')")
    with pytest.raises(UnknownNameError, match=r"did you mean 'lstm'\?.*broken \(ValueError: old torch\)"):
        registry.load().find("model", "lstn")


def test_an_experiment_narrowed_to_the_kinds_that_exist_reads_itself_back():
    from chaosbench import suite

    loaded = registry.load()
    experiment = suite.load("quickstart", loaded)[0]
    again = loaded.experiment_type().model_validate_json(experiment.model_dump_json())
    assert again.digest() == experiment.digest()
    assert type(again.model) is type(experiment.model)


@pytest.mark.parametrize("folder", ["systems", "series", "models", "trainers", "diagnostics", "metrics"])
def test_every_kind_that_a_folder_defines_is_registered(folder: str):
    """A class that is missing in `__all__` would exist without anybody being able to name it in a suite."""
    package = importlib.import_module(f"chaosbench.{folder}")
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    defined = {
        cls
        for module in modules
        for cls in vars(module).values()
        if inspect.isclass(cls) and issubclass(cls, Spec) and cls.__module__.startswith(package.__name__)
    }
    kinds = {cls for cls in defined if isinstance(cls.model_fields["kind"].default, str)}
    registered = {cls for classes in registry.load().kinds.values() for cls in classes.values()}
    assert kinds
    assert kinds <= registered
