"""Ten plug-ins of which eight are broken stop no command; they are listed, examined and named, each once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from ten_plugins import BAD, CAUSES, GOOD, install

from chaosbench import plugin_doctor, plugin_import, plugin_listing

SMALL = {
    "trainer.updates": 5, "trainer.batch": 2, "trainer.sequence_length": 30, "data.train_orbits": 2,
    "data.train_length": 300, "data.test_orbits": 2, "data.test_length": 400, "evaluation.free_runs": 1,
    "evaluation.free_run_steps": 200, "evaluation.free_run_transient": 0, "evaluation.horizon": 50,
    "evaluation.conditions": 4, "evaluation.exponent_steps": 40, "evaluation.exponent_transient": 0,
    "evaluation.exponent_conditions": 2, "evaluation.context": 20,
}  # fmt: skip


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Path]:
    """Return a function that installs packages into a folder on the path, with an empty cache and no other plug-ins."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path / "cache"))

    def put(sources: dict[str, str]) -> Path:
        install(folder, sources)
        if "bad_hangs" in sources:
            monkeypatch.setattr(plugin_import, "LIMIT", 2.0)  # [s], in which the others load on a busy machine as well
        monkeypatch.setenv("CHAOSBENCH_PLUGINS", ",".join(sources))
        for name in sources:
            monkeypatch.delitem(sys.modules, name, raising=False)
        return folder

    return put


def rows(out: str) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(out)}


def test_the_list_names_the_cause_of_every_broken_plug_in_and_what_the_others_offer(call, plugins):
    plugins(GOOD | BAD)
    code, out, _ = call("plugins", "list", "--json")
    listed = rows(out)
    assert code == 0
    assert {name for name, row in listed.items() if row["status"] == "broken"} == BAD.keys()
    assert all(CAUSES[name] in listed[name]["error"] for name in BAD)
    assert listed["good_system"]["offers"] == ["system sprott_b"]
    assert listed["good_listener"]["hooks"] == ["chaosbench_recorded"]


def test_commands_name_each_broken_plug_in_in_one_line_once(call, plugins):
    plugins(GOOD | BAD)
    code, out, err = call("list", "systems", "--json")
    assert code == 0
    assert "sprott_b" in rows(out)
    assert sorted(line.split("'")[1] for line in err.splitlines()) == sorted(BAD)


def test_a_list_of_sound_plug_ins_is_cached_until_one_of_their_files_changes(call, plugins):
    folder = plugins(GOOD)
    first, again = plugin_listing.listing(), plugin_listing.listing()
    assert (first.cached, again.cached is None) == (None, False)
    assert again.rows == first.rows
    assert "from the cache" in call("plugins", "list")[1]
    (cache,) = (folder.parent / "cache" / "plugins").iterdir()
    cache.write_text("damaged")
    assert plugin_listing.listing().cached is None
    assert plugin_listing.listing().cached is not None
    (folder / "good_system.py").write_text((folder / "good_system.py").read_text() + "\n")
    assert plugin_listing.listing().cached is None


def test_a_list_with_a_broken_plug_in_is_cached_for_a_while(plugins, monkeypatch):
    folder = plugins(GOOD | {"bad_raises": BAD["bad_raises"]})
    first, again = plugin_listing.listing(), plugin_listing.listing()
    assert (first.cached, again.cached is None) == (None, False)
    assert again.rows == first.rows
    monkeypatch.setattr(plugin_listing, "_BROKEN_KEPT", timedelta(0))
    assert plugin_listing.listing().cached is None
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(folder))


OFFERS = """
import os, time
from typing import ClassVar, Literal
from pydantic import model_validator
from chaosbench import MetricSpec, hookimpl

class One(MetricSpec):
    kind: Literal["a_{name}"] = "a_{name}"
    unit: ClassVar[str] = "1"
    better: ClassVar[str] = "lower"
    def score(self, evaluation): ...
    @model_validator(mode="after")
    def act(self):
        {act}

class Two(One):
    kind: Literal["b_{name}"] = "b_{name}"
    @model_validator(mode="after")
    def act(self):
        raise ValueError("no score today")

@hookimpl
def chaosbench_metrics():
    return [One, Two]
"""


def test_plug_ins_that_hang_or_end_the_process_fail_their_checks_and_the_others_go_on(call, plugins):
    """Checks after one that its process did not survive are done in another; a bad import ends one plug-in's checks."""
    acts = {"hangs": "time.sleep(600)", "leaves": "os._exit(3)"}
    sources = {name: OFFERS.format(name=name, act=act) for name, act in acts.items()}
    plugins({**sources, "lost": "raise ValueError('oh no')"})
    code, out, _ = call("plugins", "test", "--json", "--timeout", "2")
    failures = {(row["plugin"], row["kind"]): row["failure"] for row in json.loads(out)}
    assert code == 1
    assert "longer than 2 s" in failures["hangs", "a_hangs"]
    assert "exit code 3" in failures["leaves", "a_leaves"]
    assert all("no score today" in failures[name, f"b_{name}"] for name in acts)
    assert "oh no" in failures["lost", ""]
    assert call("plugins", "test", "lust")[0] == 2


def test_one_plug_in_is_shown_with_its_distribution(call, plugins):
    plugins(GOOD)
    code, out, _ = call("plugins", "info", "good_system", "--json")
    shown = json.loads(out)
    assert (code, shown["version"], shown["offers"]) == (0, "1.2", ["system sprott_b"])
    assert "sprott_b" in call("plugins", "info", "good_system")[1]
    code, _, err = call("plugins", "info", "good_sistem")
    assert code == 2
    assert "good_system" in err


NO_TORCH = """
import sys
from chaosbench import cli
for words in (["plugins", "list"], ["plugins", "info", "good_system"], ["--help"]):
    sys.argv[1:] = words
    try:
        cli.main()
    except SystemExit as end:
        assert not end.code, end.code
print("torch" in sys.modules)
"""


def test_the_cached_list_and_the_help_import_no_torch(plugins):
    folder = plugins(GOOD)
    plugin_listing.listing()  # writes the cache
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    ended = subprocess.run(
        [sys.executable, "-c", NO_TORCH], env=environment, check=True, capture_output=True, text=True
    )
    assert ended.stdout.splitlines()[-1] == "False"


def test_a_file_under_development_is_loaded_with_its_digest_and_a_broken_one_is_an_error(call, plugins, tmp_path):
    plugins({})
    (tmp_path / "mine.py").write_text(GOOD["good_system"])
    _, out, _ = call("list", "systems", "--json", "--plugin", tmp_path / "mine.py")
    assert rows(out)["sprott_b"]["origin"].startswith("mine.py sha256:")
    assert "sprott_b" not in rows(call("list", "systems", "--json")[1])
    (tmp_path / "broken.py").write_text("raise ValueError('not yet')")
    code, _, err = call("list", "systems", "--plugin", tmp_path / "broken.py")
    assert code == 2
    assert "broken.py" in err
    assert "not yet" in err
    code, _, err = call("list", "systems", "--plugin", tmp_path / "none.py")
    assert code == 2
    assert "none.py" in err


def test_a_suite_of_a_plug_in_is_listed_with_its_origin_and_runs_by_its_name(call, plugins):
    folder = plugins({"good_suite": """
        from pathlib import Path
        from chaosbench import hookimpl
        @hookimpl
        def chaosbench_suites():
            return [Path(__file__).with_name("quick-henon.toml")]
    """})  # fmt: skip
    suite = 'suite = "quick-henon"\ndescription = "Short."\nsystems = [{ kind = "henon" }]\n'
    suite += 'models = [{ kind = "rnn" }]\ntrainers = [{ kind = "bptt" }]\n'
    (folder / "quick-henon.toml").write_text(suite)
    assert rows(call("list", "suites", "--json")[1])["quick-henon"]["origin"] == "good_suite 1.2"
    code, out, _ = call("run", "quick-henon", "--dry-run", "--device", "cpu", "--results", folder / "results")
    assert code == 0
    assert "henon" in out


@pytest.mark.parametrize(
    ("name", "content"),
    [("quickstart.toml", 'suite = "quickstart"'), ("mine.toml", "suite ="), ("missing.toml", None)],
    ids=["is shipped already", "is no TOML", "is missing"],
)
def test_a_suite_of_a_plug_in_that_cannot_be_used_is_refused(name, content, call, plugins):
    folder = plugins({"bad_suite": f"""
        from pathlib import Path
        from chaosbench import hookimpl
        @hookimpl
        def chaosbench_suites():
            return [Path(__file__).with_name("{name}")]
    """})  # fmt: skip
    if content is not None:
        (folder / name).write_text(content)
    (row,) = json.loads(call("plugins", "list", "--json")[1])
    assert Path(name).stem in row["error"]


@pytest.mark.parametrize(
    ("needed", "word"), [("chaosbench>=99", "old"), ("chaosbench<0.0.1", "new")], ids=["too old", "too new"]
)
def test_a_plug_in_for_another_version_is_refused_before_its_import(needed, word, call, plugins):
    folder = plugins({"other": "raise ValueError('imported')"})
    metadata = folder / "other-1.2.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + f"Requires-Dist: {needed}\n")
    (row,) = json.loads(call("plugins", "list", "--json")[1])
    assert needed.removeprefix("chaosbench") in row["error"]
    assert f"too {word}" in row["error"]


def test_a_module_states_the_interface_that_it_needs(call, plugins):
    plugins({"attribute": "chaosbench_api = '>=99'", "present": "chaosbench_api = '>=0.1'"})
    listed = rows(call("plugins", "list", "--json")[1])
    assert ">=99" in listed["attribute"]["error"]
    assert listed["present"]["error"] is None


def test_a_foreign_package_that_owns_the_name_or_the_command_is_found(plugins):
    folder = plugins({})
    assert plugin_listing.foreign_owners() == []
    info = folder / "weather-3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weather\nVersion: 3.0\n")
    (info / "RECORD").write_text("chaosbench/__init__.py,,\n")
    (info / "entry_points.txt").write_text("[console_scripts]\nchaosbench = weather:main\n")
    name, command = plugin_listing.foreign_owners()
    assert "weather 3.0" in name
    assert "weather:main" in command


def test_what_two_plug_ins_offer_is_a_problem_of_the_later():
    rows = [{"name": name, "package": name, "offers": ["model mine"], "problems": [], "status": "ok"} for name in "ab"]
    plugin_doctor._compare(rows)
    assert [len(row["problems"]) for row in rows] == [0, 1]
    assert "a" in rows[1]["problems"][0]


@pytest.mark.slow
def test_the_doctor_names_eight_culprits_and_those_that_print_or_crash(call, plugins):
    crashing = {"bad_crashes": "import ctypes; ctypes.string_at(0)", "bad_prints": "print('hello')"}
    plugins(GOOD | BAD | crashing)
    code, out, _ = call("plugins", "doctor", "--json")
    found = {row["name"]: row["problems"] for row in json.loads(out)["plugins"]}
    assert code == 1
    assert {name for name, problems in found.items() if problems} == BAD.keys() | crashing.keys()
    assert all(CAUSES[name] in " ".join(found[name]) for name in BAD)
    assert "SIGSEGV" in found["bad_crashes"][0]
    assert any("hello" in problem for problem in found["bad_prints"])


@pytest.mark.slow
def test_a_campaign_beside_eight_broken_plug_ins_ends_in_its_table(call, plugins, tmp_path):
    plugins(GOOD | BAD)
    changes = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    words = ["run", "quickstart", "--seeds", "0:1", "--results", tmp_path / "results", "--device", "cpu", *changes]
    code, out, err = call(*words)
    assert code == 0, err
    assert "shallow_plrnn" in out
    assert all(err.count(f"plug-in '{name}'") == 1 for name in BAD)


@pytest.mark.slow
def test_a_file_under_development_is_trained_by_workers_and_enters_the_provenance(call, plugins, tmp_path):
    plugins({})
    (tmp_path / "mine.py").write_text(GOOD["good_system"])
    suite = 'suite = "mine"\nsystems = [{ kind = "sprott_b" }]\nmodels = [{ kind = "rnn" }]\n'
    (tmp_path / "mine.toml").write_text(suite + 'trainers = [{ kind = "bptt" }]\n')
    changes = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    words = ["run", tmp_path / "mine.toml", "--plugin", tmp_path / "mine.py", "--results", tmp_path / "results"]
    code, _, err = call(*words, "--seeds", "0:1", "--device", "cpu", *changes)
    assert code == 0, err
    from chaosbench.leaderboard import store

    (stored,) = store.read_all(tmp_path / "results")
    assert stored.runs[0]["provenance"]["plug-in mine"].startswith("sha256:")
