"""Event files hold every number of an experiment, readable by TensorBoard's own reader."""

import subprocess
import sys
from pathlib import Path

import pytest
from chaosbench_tensorboard import (
    FOLDER,
    chaosbench_experiment_finished,
    chaosbench_experiment_started,
    chaosbench_recorded,
    hyper_parameters,
    seed_folder,
)

from chaosbench import Experiment, Record, run_experiment

pytest.importorskip("tensorboard", reason="tensorboard is not installed")
SMALL = {
    "suite": "small",
    "system": "henon",
    "data": {"train_orbits": 2, "train_length": 200, "validation_orbits": 0, "test_orbits": 2, "test_length": 300},
    "model": {"kind": "shallow_plrnn", "hidden": 5},
    "trainer": {"kind": "bptt", "updates": 4, "batch": 2, "sequence_length": 5},
    "metrics": ["state_space_divergence"],
    "diagnostics": ["loss"],
    "evaluation": {
        "free_runs": 1, "free_run_steps": 100, "free_run_transient": 0, "horizon": 10, "exponent_steps": 20,
        "exponent_transient": 0,
    },
    "seeds": [0, 3],
}  # fmt: skip


def test_the_file_of_a_seed_holds_its_records_and_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv(FOLDER, str(tmp_path))
    experiment, records = Experiment.model_validate(SMALL), []
    chaosbench_experiment_started(experiment)

    def announce(record: Record) -> None:
        records.append(record)
        chaosbench_recorded(record)

    result = run_experiment(experiment, announce=announce)
    chaosbench_experiment_finished(experiment, result)
    for seed in experiment.seeds:
        events = EventAccumulator(str(seed_folder(experiment, seed)))
        events.Reload()
        own = [record for record in records if record.seed == seed and record.value is not None]
        losses = [(event.step, event.value) for event in events.Scalars("loss")]
        expected = [(record.update, pytest.approx(record.value)) for record in own if record.name == "loss"]
        assert losses == expected
        assert [step for step, _ in losses] == [1, 4]
        for record in own:
            if record.update is None:
                assert events.Scalars(f"final/{record.name}")[0].value == pytest.approx(record.value), record.name
        settings = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        assert b"model.hidden" in settings


def test_hyper_parameters_are_numbers_and_texts():
    settings = hyper_parameters(Experiment.model_validate(SMALL))
    assert settings["model.hidden"] == 5
    assert settings["trainer.kind"] == "bptt"
    assert all(isinstance(value, str | int | float | bool) for value in settings.values())


def test_tensorboard_is_imported_only_when_an_experiment_starts():
    code = "import sys, chaosbench_tensorboard; sys.exit('tensorboard' in sys.modules)"
    module = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=module).returncode == 0
