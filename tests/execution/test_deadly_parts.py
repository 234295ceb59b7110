"""A part of a plug-in that ends its process costs its own numbers alone; trained weights and other scores stay."""

from pathlib import Path

import numpy as np
import pytest
from deadly import Blind, Cheat, DeadlyDiagnostic, DeadlyMetric, Idle
from small import experiment

from chaosbench.diagnostics import COSTS, Loss
from chaosbench.execution import Finished, alone, carry_out
from chaosbench.experiment import Experiment, Result
from chaosbench.plugin_choice import Choice
from chaosbench.run import run_experiment

SOUND = experiment(diagnostics=(Loss(every=5),))


def result(experiment: Experiment, folder: Path, plugins: Choice | None = None) -> Result:
    events = carry_out(alone([experiment]), device="cpu", workers=1, logs=folder / "logs", plugins=plugins)
    (finished,) = [event for event in events if isinstance(event, Finished)]
    return finished.result


@pytest.fixture(scope="module")
def sound() -> Result:
    return run_experiment(SOUND)


def assert_same_but_for(name: str, found: Result, sound: Result) -> None:
    """Weights and numbers are those of a run without the culprit, which every row names."""
    for weights, values in sound.weights.items():
        np.testing.assert_array_equal(found.weights[weights], values)
    numbers, others = (
        {
            (record.name, record.seed, record.update): record.value
            for record in one.records
            if record.name.removeprefix("diagnosis.") not in COSTS and not record.name.startswith("deadly")
        }
        for one in (found, sound)
    )
    assert numbers == others
    assert [run.status for run in found.runs] == [run.status for run in sound.runs]
    assert all(name in run.message for run in found.runs)


@pytest.mark.parametrize("kill", [False, True])
def test_a_metric_that_ends_its_process_costs_its_own_score_alone(kill: bool, tmp_path: Path, sound: Result):
    metrics = (DeadlyMetric(kill=kill), *SOUND.metrics)
    assert_same_but_for("metric deadly_metric", result(SOUND.replaced(metrics=metrics), tmp_path), sound)


def test_a_diagnostic_that_ends_its_process_is_left_out_of_the_training(tmp_path: Path, sound: Result):
    diagnostics = (Loss(every=5), DeadlyDiagnostic())
    found = result(SOUND.replaced(diagnostics=diagnostics), tmp_path)
    assert_same_but_for("diagnostic deadly_diagnostic", found, sound)


def test_an_event_hook_that_ends_its_process_is_not_called_again(tmp_path: Path, sound: Result):
    """The result was complete, and only its announcement is repeated without the hook."""
    deadly = str(Path(__file__).with_name("deadly.py"))
    assert_same_but_for("plug-in deadly", result(SOUND, tmp_path, Choice((), (deadly,))), sound)


def test_a_training_that_had_ended_is_not_repeated(tmp_path: Path):
    """The trainer makes 5,000 updates, of which the log of the second worker has none."""
    longer = SOUND.replaced(
        trainer=SOUND.trainer.replaced(updates=500), diagnostics=(), metrics=(DeadlyMetric(), *SOUND.metrics)
    )
    events = list(carry_out(alone([longer]), device="cpu", workers=1, logs=tmp_path / "logs"))
    updates = [event.progress.update for event in events if getattr(event, "progress", None)]
    trained = [update for update in updates if update]
    assert trained == sorted(trained)
    assert trained.count(500) == 1
    assert events[-1].result.runs[0].updates == 500


def test_a_trainer_that_makes_no_update_has_failed(tmp_path: Path):
    found = result(experiment(trainer=Idle()), tmp_path)
    assert {run.status for run in found.runs} == {"failed"}
    assert all("idle" in run.message for run in found.runs)


def test_a_seed_whose_first_loss_is_not_a_number_has_failed():
    found = run_experiment(experiment(trainer=Blind()))
    assert [run.status for run in found.runs] == ["ok", "failed"]
    assert "loss" in found.runs[1].message


def test_a_trainer_that_writes_into_the_test_data_is_found():
    found = run_experiment(experiment(trainer=Cheat(updates=3, batch=2, sequence_length=5)))
    assert {run.status for run in found.runs} == {"failed"}
    assert all("cheat" in run.message for run in found.runs)
    assert found.weights
