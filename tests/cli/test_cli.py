"""The command line as a person uses it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_suite import tiny_suite
from typer.main import get_command

from chaosbench import __version__, cli

TINY = tiny_suite(seeds=[0, 1], intervals=[2, 4])


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_help_and_version_import_no_torch():
    code = (
        "import sys; from typer.testing import CliRunner; from chaosbench.cli import app\n"
        "for words in (['--help'], ['run', '--help'], ['--version']):\n"
        "    assert CliRunner().invoke(app, words).exit_code == 0\n"
        "heavy = {'torch', 'pyarrow', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ranking_imports_no_torch():
    code = "import sys; import chaosbench.leaderboard.rank; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def commands_below(command: Any) -> Iterator[Any]:
    for one in getattr(command, "commands", {}).values():
        yield one
        yield from commands_below(one)


def test_no_help_text_loses_words_in_brackets():
    """Typer gives help texts to rich, which takes a unit such as [s] for a style and leaves it out."""
    commands = [*commands_below(get_command(cli.app))]
    texts = [command.help for command in commands] + [
        getattr(parameter, "help", None) for command in commands for parameter in command.params
    ]
    assert len(commands) > 20
    assert not [text for text in texts if text and re.search(r"\[[a-z/# ]+\]", text)]


def test_version(call):
    assert call("--version") == (0, f"{__version__}\n", "")


def test_a_sweep_is_drawn(call, few_pictures, tiny: Path, tmp_path: Path):
    results = tmp_path / "results"
    code, out, err = call("run", tiny, "--results", results, "--device", "cpu", "--set", "trainer.interval=[1, 2, 4]")
    assert code == 0, err
    assert f"{results}/forcing_curve.png" in out
    assert {path.name for path in results.glob("*.*")} >= {"forcing_curve.png", "forcing_curve.arrow"}
    assert len(list(results.glob("*/training.png"))) == 3
    assert len(list(results.glob("*/attractor.png"))) == 3


def test_a_suite_is_run_and_ranked_and_only_missing_runs_are_repeated(call, tiny: Path, tmp_path: Path):
    results = tmp_path / "results"
    code, out, err = call("run", tiny, "--results", results, "--device", "cpu")
    assert code == 0, err
    assert "2 experiments, 4 runs" in out
    assert "noise floor" in out
    folders = sorted(path for path in results.iterdir() if not path.name.startswith("."))  # and .checkpoints
    assert len(folders) == 2
    for folder in folders:
        names = {path.name for path in folder.iterdir()}
        assert {
            "spec.json",
            "runs.parquet",
            "records.parquet",
            "weights.safetensors",
            "attractor.png",
            "spectrum.png",
            "return_map.png",
            "training.png",
        } <= names
    before = {path: path.stat().st_mtime_ns for folder in folders for path in folder.iterdir()}

    code, out, err = call("run", tiny, "--results", results, "--device", "cpu")
    assert code == 0, err
    assert "0 experiments, 0 runs" in out
    assert "4 of 4 runs have ended already" in out
    assert {path: path.stat().st_mtime_ns for path in before} == before

    code, out, err = call(
        "run", tiny, "--results", results, "--device", "cpu", "--seeds", "0:3", "--set", "trainer.interval=2"
    )
    assert code == 0, err
    assert "1 experiment, 1 run on" in out
    assert "seeds 2" in out

    code, out, err = call("rank", results, "--json")
    assert code == 0, err
    (board,) = json.loads(out)["boards"]
    assert {(entry["trainer"].split("interval=")[1], entry["seeds"]) for entry in board["entries"]} == {
        ("2)", 3),
        ("4)", 2),
    }


def test_a_dry_run_creates_nothing(call, tiny: Path, tmp_path: Path):
    code, out, _ = call("run", tiny, "--results", tmp_path / "results", "--dry-run")
    assert code == 0
    assert "2 experiments" in out
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "quikstart"], "did you mean 'quickstart'"),
        (["run", "quickstart", "-m", "lstn"], "did you mean 'lstm'"),
        (["run", "quickstart", "--seeds", "5:2"], "--seeds '5:2'"),
        (["run", "quickstart", "--seeds", "x"], "--seeds 'x'"),
        (["run", "quickstart", "--set", "trainer.updats=3"], "did you mean 'updates'"),
        (["run", "quickstart", "--set", "trainer.updates"], "is not PART.FIELD=VALUE"),
        (["run", "quickstart", "--device", "cuda:99"], "there is no device 'cuda:99'"),
        (["describe", "lorenz64"], "did you mean 'lorenz"),
        (["rank", "nowhere"], "there are no results in 'nowhere'"),
        (["run", "quickstart", "--set", "trainer.interval=fast"], "interval: 'fast' is no forcing interval"),
        (["run", "quickstart", "--results", "/dev/null/x"], "there is a file; name a directory"),
        (["list", "modelz"], "did you mean 'models'"),
        (["rnu", "quickstart"], "No such command 'rnu'"),
        (["run", "quickstart", "--frobnicate"], "No such option"),
        (["run"], "Missing argument"),
    ],
)
def test_a_mistake_is_one_line_exit_code_2_and_nothing_created(call, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*words)
    assert code == 2
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_is_a_file_is_refused(call, tiny: Path, tmp_path: Path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    code, _, err = call("run", tiny, "--results", taken)
    assert code == 2
    assert "is a file" in err
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("what", ["systems", "models", "trainers", "diagnostics", "metrics", "pictures", "suites"])
def test_kinds_are_listed_as_a_table_and_as_json(call, what: str):
    code, out, _ = call("list", what, "--json")
    assert code == 0
    names = [row["name"] for row in json.loads(out)]
    assert names
    assert all(row["summary"] for row in json.loads(out))
    code, out, _ = call("list", what)
    assert all(name in out for name in names)


def test_a_kind_is_described_with_its_fields_and_source(call):
    _, out, _ = call("describe", "lstm")
    assert "Hochreiter" in out
    assert "hidden" in out
    assert "30" in out
    _, out, _ = call("describe", "lorenz63", "--json")
    described = json.loads(out)
    assert described["fields"]["rho"]["default"] == 28.0
    assert described["reference"]["exponents"][0] == pytest.approx(0.9056, abs=0.005)


def test_the_schema_is_json(call):
    _, out, _ = call("schema")
    form = json.loads(out)
    assert form["required"] == ["suite"]
    assert [set(alternative["required"]) for alternative in form["anyOf"]] == [
        {"systems", "models", "trainers"},
        {"parts"},
    ]


def test_the_list_reports_that_there_are_no_plug_ins(call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", "")
    _, out, _ = call("plugins", "list")
    assert "no plug-ins" in out
