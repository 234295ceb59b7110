"""Searches: values chosen on validation data alone, at a cost that counts, the same every time, and resumable."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from small_experiment import small

from chaosbench import registry, suite
from chaosbench.checkpoints import Checkpoints
from chaosbench.data import simulate
from chaosbench.errors import ChaosbenchError, DataError, SpecError
from chaosbench.execution import check_searches, groups
from chaosbench.experiment import Experiment
from chaosbench.explain.explanation import explain
from chaosbench.leaderboard.folder import in_memory
from chaosbench.run import run_experiment
from chaosbench.search import SearchSpec
from chaosbench.search import study as search_study
from chaosbench.search.study import find, require
from chaosbench.trainers.early_stopping import validation_error

SEARCH = SearchSpec(
    model={"hidden": (3, 6)}, trainer={"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}, trials=5
)
SUITE = """
suite = "mine"
[data]
validation_orbits = 1
[[systems]]
kind = "henon"
[[models]]
kind = "shallow_plrnn"
[[models]]
kind = "rnn"
[[trainers]]
kind = "sparse_teacher_forcing"
updates = 40
[[search]]
"""


def searching(**changes) -> Experiment:
    return small().replaced(search=SEARCH.replaced(**changes))


def found(experiment, data=None, **options):
    data = simulate(experiment.system, experiment.data) if data is None else data
    return find(experiment.search, experiment.model, experiment.trainer, data, **options)


def loaded(tmp_path: Path, search: str, **selection) -> list[Experiment]:
    (tmp_path / "suite.toml").write_text(SUITE + search)
    return suite.load(str(tmp_path / "suite.toml"), registry.load(), suite.Selection(**selection))


def test_the_best_trial_has_the_least_error_of_a_network_trained_with_its_values():
    experiment = searching()
    best = found(experiment).best
    data = simulate(experiment.system, experiment.data)
    model = experiment.model.replaced(hidden=best.values["model.hidden"]).build(2, (0,)).double()
    trainer = experiment.trainer.replaced(learning_rate=best.values["trainer.learning_rate"])
    assert [step.update for step in trainer.fit(model, data, (0,))][-1] == best.updates == 3
    assert float(validation_error(model, data)) == best.error


def test_test_data_are_not_seen():
    experiment = searching()
    data = simulate(experiment.system, experiment.data)
    nothing = {name: torch.full_like(getattr(data, name), math.nan) for name in ("test", "seen", "history", "states")}
    assert found(experiment, replace(data, **nothing)).best.values == found(experiment, data).best.values
    seen = data.without_test()
    assert (len(seen.test), len(seen.seen), len(seen.history), seen.states) == (0, 0, 0, None)


def test_equal_searches_choose_equal_values_and_another_sampler_seed_tries_others():
    first, again, other = (
        found(experiment) for experiment in (searching(), searching().replaced(seeds=(9,)), searching(seed=1))
    )
    assert (first.best.values, first.best.error) == (again.best.values, again.best.error)
    assert first.best.values != other.best.values


def test_trials_that_a_file_holds_are_not_trained_again(tmp_path, monkeypatch):
    """The first search is ended before its fourth trial; with another that is trained alone, all five are done."""
    experiment, file, whole = searching(), tmp_path / "trials.json", found(searching())

    def ended(number: int) -> None:
        if number == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found(experiment, file=file, report=ended)
    assert len(json.loads(file.read_text())) == 3
    trained, original = [], search_study._tried
    monkeypatch.setattr(search_study, "_tried", lambda *given: trained.append(given) or original(*given))
    rest = found(experiment, file=file)
    assert len(trained) == 2
    assert (rest.best.values, rest.best.error, rest.updates) == (whole.best.values, whole.best.error, whole.updates)


def test_the_result_holds_the_values_and_counts_the_cost_of_the_search(tmp_path):
    """Five trials of three updates, and three updates of training; a search without a company of seeds."""
    experiment = searching()
    checkpoints = Checkpoints(experiment, tmp_path, "cpu")
    result = run_experiment(experiment, checkpoints=checkpoints)
    trials = [*json.loads(checkpoints.trials_file().read_text())]
    best = min(trials, key=lambda trial: trial["error"])
    assert result.experiment.model.hidden == best["values"]["model.hidden"]
    assert result.experiment.trainer.learning_rate == best["values"]["trainer.learning_rate"]
    assert result.experiment.identity == experiment.identity
    assert {run.updates for run in result.runs} == {5 * 3 + 3}
    seconds = sum(trial["seconds"] for trial in trials)
    stored = in_memory(result)
    assert "15 updates" in dict(explain(stored).paragraphs)["search"]
    for run in stored.runs:
        updates, training = stored.training_of(run)
        assert (updates, run["train_seconds"]) == (3, pytest.approx(training + seconds / 2))
    numbers = {record.name: record.value for record in result.records if record.name.startswith("search.")}
    assert numbers == {
        "search.trials": 5,
        "search.error": best["error"],
        "search.updates": 15,
        "search.seconds": seconds,
    }
    assert Experiment.model_validate(result.experiment.model_dump(mode="json")) == result.experiment


def test_the_training_after_a_search_is_that_of_the_chosen_values_alone():
    result = run_experiment(searching())
    alone = run_experiment(result.experiment.replaced(search=None))
    assert all((result.weights[name] == weights).all() for name, weights in alone.weights.items())
    assert result.experiment.labels["trainer"] != alone.experiment.labels["trainer"]


def test_an_experiment_without_a_search_keeps_its_identity():
    assert "search" not in small().model_dump()
    assert small().replaced(search=SEARCH).identity != small().identity
    assert searching().replaced(model=small().model.replaced(hidden=50)).identity == searching().identity


def test_values_that_do_not_go_together_are_failed_trials():
    """Windows of 500 steps do not fit into orbits of 300; if all fail, nothing can be chosen."""
    some = small().replaced(search=SearchSpec(trainer={"sequence_length": (20, 500)}, trials=4))
    assert found(some).best.values == {"trainer.sequence_length": 20}
    with pytest.raises(ChaosbenchError, match="none of the 3 trials"):
        found(small().replaced(search=SearchSpec(trainer={"sequence_length": (400, 500)}, trials=3)))


def test_a_search_may_train_its_trials_shorter_and_trainers_without_updates_can_be_searched():
    assert found(searching(updates=2)).updates == 5 * 2
    ridge = Experiment.model_validate(
        small().model_dump() | {"model": "echo_state_network", "trainer": "ridge", "search": {
            "model": {"hidden": [10, 30]}, "trials": 3}}
    )  # fmt: skip
    cost = found(ridge)
    assert cost.best.values["model.hidden"] in (10, 30)
    assert cost.updates <= 2  # equal values are fitted once


def test_a_suite_names_the_fields_and_the_entries_that_are_searched(tmp_path):
    experiments = loaded(
        tmp_path, 'trials = 7\nmodel.kind = "rnn"\nmodel.hidden = [5, 50]\ntrainer.interval = { low = 2, high = 9 }'
    )
    by_kind = {experiment.model.kind: experiment for experiment in experiments}
    assert by_kind["shallow_plrnn"].search is None
    assert by_kind["rnn"].search.trials == 7
    assert [*by_kind["rnn"].search.fields] == ["model.hidden", "trainer.interval"]
    assert all(len(group) == 1 for group in groups(experiments, "cpu", True))
    both = loaded(tmp_path, "model.hidden = [5, 50]")
    assert all(experiment.search is not None for experiment in both)
    assert len(loaded(tmp_path, 'model.kind = "rnn"\nmodel.hidden = [5, 50]', models=["shallow_plrnn"])) == 1
    assert len(loaded(tmp_path, "model.hidden = [5, 50]", changes={"model.hidden": [7, 8]})) == 2


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("model.hiden = [5, 50]", ("search.0.model", "'hiden'", "'hidden'")),
        ('model.kind = "gru"\nmodel.hidden = [5, 50]', ("search.0.model.kind", "'gru'")),
        ("model.hidden = [5, -50]", ("search.0.model", "hidden", "-50")),
        ("trainer.interval = { low = 5, high = 5 }", ("search.0", "low", "high")),
        ("trainer.learning_rate = { low = 0.0, high = 0.1, log = true }", ("search.0", "logarithm")),
        ("trials = 5", ("search.0", "model.hidden")),
        ("model.hidden = [5]", ("model.hidden", "two choices")),
        ("model = 3", ("search.0.model", "3")),
        ("model.hidden = [5, 6]\n[[search]]\nmodel.hidden = [7, 8]", ("search.0", "search.1")),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path, table, words):
    with pytest.raises(ChaosbenchError) as raised:
        loaded(tmp_path, table)
    assert all(word in str(raised.value) for word in words), str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_search_needs_validation_data(tmp_path):
    with pytest.raises(SpecError, match="validation_orbits"):
        loaded(tmp_path, "model.hidden = [5, 50]", changes={"data.validation_orbits": 0})
    experiment = searching()
    data = simulate(experiment.system, experiment.data)
    with pytest.raises(DataError, match="validation"):
        found(experiment, replace(data, validation=data.validation[:, :1]))
    with pytest.raises(ValidationError):
        SearchSpec()


def test_without_optuna_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    check_searches([small()])
    for act in (require, lambda: check_searches([searching()])):
        with pytest.raises(SpecError, match="pip install"):
            act()
