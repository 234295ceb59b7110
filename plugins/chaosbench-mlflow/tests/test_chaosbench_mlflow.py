"""A store of MLflow holds every number and setting of an experiment; one that is out of reach costs nothing."""

import subprocess
import sys
from pathlib import Path

import chaosbench_mlflow
import pytest
from chaosbench_mlflow import (
    chaosbench_experiment_finished,
    chaosbench_experiment_started,
    chaosbench_recorded,
    hyper_parameters,
    metric_name,
)

from chaosbench import Experiment, Record, Result, run_experiment

pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
pytestmark = pytest.mark.filterwarnings("default")  # mlflow warns about its own future
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


def run_small(monkeypatch: pytest.MonkeyPatch, uri: str) -> tuple[Experiment, Result, list[Record]]:
    """Run the experiment with the events that chaosbench sends, up to the last."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    experiment, records = Experiment.model_validate(SMALL), []
    chaosbench_experiment_started(experiment)

    def announce(record: Record) -> None:
        records.append(record)
        chaosbench_recorded(record)

    return experiment, run_experiment(experiment, announce=announce), records


def test_the_run_of_a_seed_holds_its_records_and_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mlflow import MlflowClient

    monkeypatch.setattr(chaosbench_mlflow, "_PATIENCE", 200)  # a busy machine may create the tables slowly
    uri = f"sqlite:///{tmp_path}/runs.db"
    experiment, result, records = run_small(monkeypatch, uri)
    chaosbench_experiment_finished(experiment, result)
    client = MlflowClient(tracking_uri=uri)
    stored = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    assert {run.data.tags["seed"] for run in stored} == {"0", "3"}
    for run in stored:
        assert run.info.status == "FINISHED"
        assert run.data.params == hyper_parameters(experiment)
        own = [record for record in records if str(record.seed) == run.data.tags["seed"] and record.value is not None]
        losses = [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, "loss")]
        assert losses == [(record.update, record.value) for record in own if record.name == "loss"]
        final = {metric_name(f"final/{record.name}"): record.value for record in own if record.update is None}
        assert {name: value for name, value in run.data.metrics.items() if name.startswith("final/")} == final
        assert final


def test_a_store_out_of_reach_costs_no_run_and_is_named_at_the_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(chaosbench_mlflow, "_PAUSE", 0.01)
    experiment, result, records = run_small(monkeypatch, "http://127.0.0.1:9")  # nothing listens there
    assert records
    assert {run.seed for run in result.runs} == {0, 3}
    with pytest.raises(RuntimeError, match=r"127\.0\.0\.1:9"):
        chaosbench_experiment_finished(experiment, result)


def test_names_of_metrics_are_those_that_mlflow_accepts():
    assert metric_name("final/loss(every=1)") == "final/loss_every_1_"
    assert metric_name("diagnosis.trained/largest exponent") == "diagnosis.trained/largest exponent"


def test_mlflow_is_imported_only_when_an_experiment_starts():
    code = "import sys, chaosbench_mlflow; sys.exit('mlflow' in sys.modules)"
    module = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=module).returncode == 0
