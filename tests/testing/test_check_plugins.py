"""The checks of all that a plug-in offers: one row each, whatever the plug-in does."""

from pathlib import Path
from typing import ClassVar, Literal

import pytest
import torch

from chaosbench import registry
from chaosbench.errors import UnknownNameError
from chaosbench.metrics import FreeRunMetric
from chaosbench.models import ModelSpec
from chaosbench.source import Source
from chaosbench.testing.plugins import check_plugins

ROOT = Path(__file__).parents[2]
BUNDLED = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))


class Good(FreeRunMetric):
    """Distance between the distributions of single observables (Wasserstein)."""

    kind: Literal["good"] = "good"
    unit: ClassVar[str] = "std"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    def each_run(self, evaluation):
        free_run, truth = (series.double().sort(-2).values for series in (evaluation.free_run, evaluation.truth))
        return (free_run - truth).abs().mean((2, 3))


class Bad(Good):
    kind: Literal["bad"] = "bad"

    def each_run(self, evaluation):
        return torch.zeros(evaluation.free_run.shape[:2], dtype=torch.float64)


class Raises(Good):
    kind: Literal["raises"] = "raises"

    def each_run(self, evaluation):
        raise ZeroDivisionError("by nothing")


class NeedsAPath(Source):
    kind: Literal["needs_a_path"] = "needs_a_path"
    dimension: ClassVar[int] = 1
    path: str

    def recordings(self, spec):
        raise NotImplementedError


class Odd(ModelSpec):
    learning: ClassVar[str] = "telepathy"
    kind: Literal["odd"] = "odd"

    def module(self, dimension):
        raise ValueError("no module today")


@pytest.fixture
def installed() -> registry.Registry:
    """Return the registry with a plug-in that offers these classes, and with one that is broken."""
    loaded = registry.load()
    loaded.plugins = [registry.Plugin("mine", "chaosbench-mine", "1.0"), registry.Plugin("lost", "lost", "2", "oh no")]
    offered = (("metric", Good), ("metric", Bad), ("metric", Raises), ("system", NeedsAPath), ("model", Odd))
    for noun, cls in offered:
        kind = cls.model_fields["kind"].default
        loaded.kinds[noun][kind] = cls
        loaded.origins[noun, kind] = "chaosbench-mine 1.0"
    return loaded


@pytest.mark.parametrize("package", ["mine", "chaosbench-mine"])
def test_every_kind_of_a_plugin_is_checked_and_each_failure_is_a_sentence(package: str, installed: registry.Registry):
    outcomes = {(row.kind, row.check): row for row in check_plugins(installed, package)}
    assert outcomes["", "import"].failure is None
    assert outcomes["good", "check_metric"].failure is outcomes["good", "check_metric"].omitted is None
    assert "must notice" in str(outcomes["bad", "check_metric"].failure)
    assert "ZeroDivisionError: by nothing" in str(outcomes["raises", "check_metric"].failure)
    assert "path" in str(outcomes["needs_a_path", "check_source"].omitted)
    assert "no module today" in str(outcomes["odd", "check_model"].failure)
    assert "'telepathy'" in str(outcomes["odd", "training"].omitted)
    assert len(outcomes) == 7


def test_a_plugin_that_is_not_installed_is_an_unknown_name(installed: registry.Registry):
    with pytest.raises(UnknownNameError, match=r"'mime'.*'mine'"):
        list(check_plugins(installed, "mime"))


def test_a_short_training_ends_in_scores(installed: registry.Registry, monkeypatch: pytest.MonkeyPatch):
    """A shipped model, as if a plug-in offered it; its own check is another test."""
    monkeypatch.setattr("chaosbench.testing.plugins.check_model", lambda spec, trainer: None)
    installed.origins = {("model", "rnn"): "chaosbench-mine 1.0"} | dict.fromkeys(
        [("trainer", kind) for kind in installed.kinds["trainer"]], "chaosbench"
    )
    outcomes = list(check_plugins(installed, "mine"))
    assert [(row.check, row.failure, row.omitted) for row in outcomes] == [
        ("import", None, None), ("check_model", None, None), ("training", None, None)
    ]  # fmt: skip


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda folder: folder.name)
def test_the_tests_of_bundled_plugins_call_the_check_of_each_noun_that_they_offer(folder: Path):
    """So that `make test`, which runs them, runs the conformance kit over every bundled plug-in."""
    modules = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py") if "tests" not in path.parts]
    tests = "".join(path.read_text(encoding="utf-8") for path in (folder / "tests").rglob("*.py"))
    nouns = ("system", "model", "trainer", "diagnostic", "metric", "picture")
    offered = [noun for noun in nouns if any(f"def chaosbench_{noun}s(" in text for text in modules)]
    checks = {noun: (f"check_{noun}(",) for noun in nouns} | {"system": ("check_system(", "check_source(")}
    assert [noun for noun in offered if not any(check in tests for check in checks[noun])] == []
