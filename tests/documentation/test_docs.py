"""Examples of the documentation run, and its lists agree with the code."""

import ast
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.main import get_command

from chaosbench import cli, registry, suite
from chaosbench.data import DataSpec
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.exponents import measured
from chaosbench.leaderboard import legend, schema
from chaosbench.metrics import PredictionError
from chaosbench.models import AlmostLinearRNN, ShallowPLRNN
from chaosbench.run import run_experiment
from chaosbench.systems import Henon
from chaosbench.systems.reference import Reference
from chaosbench.trainers import GeneralizedTeacherForcing, ScheduledSampling, SparseTeacherForcing
from docs.generate import theory

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGINS = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
METRICS = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs/results.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def block(text: str, language: str, having: str) -> str:
    """Return the single block of that language that contains `having`."""
    (matching,) = [code for code in blocks(text, language) if having in code]
    return matching


def section(text: str, title: str) -> str:
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert match, f"no section '## {title}'"
    return match[1]


COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for shown in blocks(README, "sh")
    for line in shown.splitlines()
    if line.startswith("chaosbench ")
]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the README's plug-in as pip would, and write its suites into the working directory."""
    project = tomllib.loads(block(README, "toml", "[project]"))
    ((name, module),) = project["project"]["entry-points"]["chaosbench"].items()
    (tmp_path / f"{module}.py").write_text(block(README, "python", "@hookimpl"), encoding="utf-8")
    info = tmp_path / f"{module}-{project['project']['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['project']['name']}\nVersion: {project['project']['version']}\n")
    (info / "entry_points.txt").write_text(f"[chaosbench]\n{name} = {module}\n")
    for shown in ("mine", "two-parts", "sprott"):
        text = block(README, "toml", f'suite = "{shown}"')
        (tmp_path / f"{shown}.toml").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAOSBENCH_PLUGINS", name)
    yield tmp_path
    sys.modules.pop(module, None)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["chaosbench", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return int(stop.value.code or 0)

    return run


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_readme_is_accepted(
    words: list[str], plugin: Path, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Run commands that train with --dry-run, those that need results with --help, and all others as they are."""
    needy = ["status", "rank", "certify", "explain", "compare", "power", "draw", "forecast", "export", "score"]
    needy += ["pack", "validate", "leaderboard", "push"]
    extra = {"run": ["--dry-run"], **{name: ["--help"] for name in needy}}.get(words[0], [])
    assert call(*words, *extra) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def test_the_readme_shows_every_command() -> None:
    commands = get_command(cli.app).commands  # type: ignore[attr-defined]  # a group, which typer's type hides
    assert {words[0] for words in COMMANDS} == set(commands)


def test_the_readmes_suites_load(plugin: Path) -> None:
    kinds = registry.load()
    assert len(suite.load("mine.toml", kinds)) == 2 * 2 * 2
    assert len(suite.load("two-parts.toml", kinds)) == 2 + 1
    assert {experiment.model.kind for experiment in suite.load("sprott.toml", kinds)} == {"residual", "shallow_plrnn"}


@pytest.fixture
def published_exponent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the published value instead of an estimate, which takes seconds."""
    published = Reference(
        parameters={}, exponents=(0.210,), intervals=(0.001,), source="Sprott 1994", method="published"
    )
    monkeypatch.setattr(measured, "cached_reference", lambda system: published)


def test_the_readmes_plug_in_is_trained_and_scored(plugin: Path, published_exponent: None) -> None:
    small = {
        "data.train_orbits": 2,
        "data.train_length": 300,
        "data.validation_orbits": 0,
        "data.test_orbits": 2,
        "data.test_length": 400,
        "evaluation.context": 1,  # a network of three updates escapes from other starting points
        "evaluation.free_runs": 1,
        "evaluation.free_run_steps": 300,
        "evaluation.free_run_transient": 0,
        "evaluation.horizon": 100,
        "evaluation.exponent_steps": 50,
        "evaluation.exponent_transient": 0,
        "trainer.updates": 3,
    }
    selection = suite.Selection(models=["residual"], seeds=[0, 1], changes=small)
    (experiment,) = suite.load("sprott.toml", registry.load(), selection)
    result = run_experiment(experiment)
    assert [run.status for run in result.runs] == ["ok", "ok"]
    assert {record.name for record in result.records} >= {metric.label for metric in experiment.metrics}


def test_the_readmes_library_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    exec(block(README, "python", "lyapunov_spectrum"), names)
    # |det J| = 0.3 everywhere, and the published exponent is 0.419.
    assert names["spectrum"].sum() == pytest.approx(float(torch.tensor(0.3, dtype=torch.float64).log()), abs=1e-9)
    assert names["spectrum"][0] == pytest.approx(0.419, abs=0.02)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_page_on_metrics_has_an_example_that_runs() -> None:
    """Independent noise fills three dimensions, has no valid step, and errors of sqrt(2) standard deviations."""
    names: dict[str, Any] = {}
    exec(block(METRICS, "python", "free_runs"), names)
    assert all(score.shape == (5,) for score in (*names["states"], *names["motion"], *names["forecasts"]))
    assert names["forecasts"][2] == pytest.approx(2**0.5, abs=0.15)
    assert names["dynamics"][0] == pytest.approx(0.056 / 0.906)


def test_make_targets_in_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {name for page in PAGES for name in re.findall(r"^make ([a-z-]+)", page.read_text(), re.MULTILINE)}
    assert {"quickstart", "test"} <= shown <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_have_a_target(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.parametrize("noun", registry.NOUNS)
def test_the_page_on_plug_ins_lists_all_abstract_members(noun: registry.Noun) -> None:
    spec = registry._BASES[noun]
    part = PLUGINS.partition("## What every class must define")[2]
    assert f"`{spec.__name__}`" in part
    for method in spec.__abstractmethods__:
        assert re.search(rf"`{method}\b", part), f"{spec.__name__}.{method}"
    for fact in ("unit", "better"):
        if fact in spec.__annotations__:
            assert f"`{fact}: ClassVar" in part


@pytest.mark.parametrize("kind", sorted(registry.load().kinds["metric"]))
def test_every_metric_is_documented_with_its_unit_direction_and_fields(kind: str) -> None:
    spec = registry.load().kinds["metric"][kind]
    if registry.load().origins["metric", kind].split()[0] != "chaosbench":
        pytest.skip("documented by its own plug-in")
    part = section(METRICS, f"`{kind}`")
    match = re.search(r"unit: ([A-Za-z0-9 ]+?)[ ]?(?:\(.*?\))?;\s+(lower|higher) is better", part, re.DOTALL)
    assert match, "no line 'unit: ...; lower is better'"
    assert match.groups() == (spec.unit, spec.better)  # type: ignore[attr-defined]  # a MetricSpec
    fields = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", part, re.MULTILINE))
    expected = {name: str(field.default) for name, field in spec.model_fields.items() if name != "kind"}
    assert {name: fields.get(name) for name in expected} == expected


def test_the_page_on_metrics_gives_the_defaults_of_an_evaluation() -> None:
    shown = re.findall(r"`(\w+)`\s+=\s+([\d.,]*\d|None)", section(METRICS, "What a model is evaluated on"))
    assert {name: ast.literal_eval(number.replace(",", "")) for name, number in shown} == {
        name: field.default for name, field in EvaluationSpec.model_fields.items() if name != "exponents"
    }


@pytest.mark.parametrize("name", ["runs", "records"])
def test_the_documented_fields_of_stored_tables_are_those_that_are_written(name: str) -> None:
    written = {"runs": schema.RUNS, "records": schema.RECORDS}[name]
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| (yes|no) \| (.+?) \|$", section(RESULTS, f"`{name}.parquet`"), re.M)
    assert rows == [
        (field.name, str(field.type), "yes" if field.nullable else "no", field.metadata[b"description"].decode())
        for field in written
    ]


def test_every_entry_of_the_provenance_is_explained() -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|$", section(RESULTS, "Provenance"), re.MULTILINE)
    assert dict(rows) == schema.PROVENANCE


def test_every_status_is_explained() -> None:
    shown = re.findall(r"^\| `(\w+)` \|", section(RESULTS, "Statuses"), re.MULTILINE)
    described = dict(zip(schema.RUNS.names, schema.RUNS, strict=True))["status"].metadata[b"description"].decode()
    assert sorted(shown) == sorted(re.findall(r"\w+(?=,| or |$)", described))


@pytest.mark.parametrize("name", ["quickstart", "seed-lorenz"])
def test_both_trainers_see_the_same_number_of_observations_as_decision_4_requires(name: str) -> None:
    def observations(experiment: Experiment) -> int:
        trainer: Any = experiment.trainer
        return int(trainer.updates * trainer.batch * trainer.sequence_length)

    assert len({observations(experiment) for experiment in suite.load(name, registry.load())}) == 1


def test_every_number_of_a_diagnosis_is_documented(plugin: Path, published_exponent: None) -> None:
    """Those of runs that force in part, draw, and toss, and of the untrained; exponents are counted as N."""
    page = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section(page, "What is stored"), re.MULTILINE))
    small = {
        "data": DataSpec(train_orbits=2, train_length=100, validation_orbits=0, test_orbits=4, test_length=500),
        "evaluation": EvaluationSpec(
            free_runs=1, free_run_steps=200, free_run_transient=0, conditions=2, horizon=20, exponent_steps=50
        ),
        "suite": "small",
        "system": Henon(),
        "metrics": (PredictionError(),),
        "seeds": (0,),
    }
    common = {"updates": 3, "batch": 4, "sequence_length": 20}
    units: dict[str, str] = {}
    for model, trainer in (
        (AlmostLinearRNN(hidden=4, rectified=1), SparseTeacherForcing(interval=5, clip_norm=1.0, **common)),
        (ShallowPLRNN(hidden=5), GeneralizedTeacherForcing(alpha=0.5, **common)),
        (ShallowPLRNN(hidden=5), ScheduledSampling(clip_value=1.0, **common)),
    ):
        for record in run_experiment(Experiment.model_validate({**small, "model": model, "trainer": trainer})).records:
            if record.name.startswith("diagnosis."):
                units[re.sub(r"_\d+", "_N", record.name.removeprefix("diagnosis."))] = record.unit
    assert rows.pop("peak_device_memory") == "MiB"  # on CUDA alone
    assert units == rows


def test_the_page_on_theory_is_what_the_command_prints() -> None:
    generated = theory.page(ROOT / "leaderboards/theory", theory.PICTURES)
    assert (ROOT / "docs/theory.md").read_text(encoding="utf-8") == generated


def test_the_documentation_explains_rankings_in_the_words_of_the_tables():
    text = " ".join(section(RESULTS, "Over systems").split())
    for words in (legend.WINS.removeprefix("Wins: h"), legend.RANKS, legend.TIERS):
        assert words in text
