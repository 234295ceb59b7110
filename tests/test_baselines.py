"""Forecasters without gradients: run from a suite, scored, stored, and rebuilt from the stored weights."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from chaosbench import registry, suite
from chaosbench.builtin import chaosbench_pictures
from chaosbench.data import simulate
from chaosbench.errors import SpecError
from chaosbench.evaluation import free_run, free_run_starts
from chaosbench.figures import draw as figures
from chaosbench.leaderboard import folder, store
from chaosbench.run import run_experiment

SMALL = """
suite = "small"
seeds = [0, 1]
metrics = ["state_space_divergence", "power_spectrum_distance", "valid_prediction_time", "largest_exponent_error"]
[data]
train_orbits = 8
train_length = 1_000
validation_orbits = 0
test_orbits = 4
test_length = 1_000
[evaluation]
free_runs = 2
free_run_steps = 1_000
free_run_transient = 0
conditions = 20
horizon = 500
exponent_steps = 300
exponent_transient = 50
[[systems]]
kind = "lorenz63"
[[parts]]
[[parts.models]]
kind = "echo_state_network"
hidden = 100
[[parts.models]]
kind = "sampled_rnn"
hidden = 100
[[parts.trainers]]
kind = "ridge"
[[parts]]
[[parts.models]]
kind = "persistence"
[[parts.models]]
kind = "climatology"
[[parts.models]]
kind = "context_parroting"
[[parts.models]]
kind = "analogue"
[[parts.trainers]]
kind = "memorise"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run and store all six."""
    folder_path = tmp_path_factory.mktemp("results")
    (folder_path / "small.toml").write_text(SMALL)
    for experiment in suite.load(str(folder_path / "small.toml"), registry.load()):
        store.write(run_experiment(experiment), folder_path)
    return folder_path


def test_scores_have_the_order_that_theory_expects(results: Path):
    """Forecasts: learned, then copied, then constant, then shuffled. States: shuffled observations beat a constant."""
    experiments = {stored.experiment["model"]["kind"]: stored for stored in map(folder.read, store.folders(results))}
    assert {run["status"] for stored in experiments.values() for run in stored.runs} == {"ok"}
    medians = {
        kind: {
            name: sorted(row["value"] for row in stored.records if row["name"] == name and row["update"] is None)[0]
            for name in ("state_space_divergence", "valid_prediction_time", "largest_exponent_error")
        }
        for kind, stored in experiments.items()
    }
    times = [
        medians[kind]["valid_prediction_time"]
        for kind in ("sampled_rnn", "analogue", "context_parroting", "persistence")
    ]
    assert times == sorted(times, reverse=True)
    assert medians["climatology"]["valid_prediction_time"] < medians["persistence"]["valid_prediction_time"]
    assert medians["climatology"]["state_space_divergence"] < medians["persistence"]["state_space_divergence"] / 2
    for kind in ("persistence", "climatology", "analogue"):  # their exponents are 0 up to rounding
        assert medians[kind]["largest_exponent_error"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "kind", ["echo_state_network", "sampled_rnn", "persistence", "climatology", "context_parroting", "analogue"]
)
def test_a_model_rebuilt_from_stored_weights_repeats_its_free_run(kind: str, results: Path):
    """The free run of the rebuilt model equals the stored one to the last bit."""
    (stored,) = (
        results_of
        for results_of in map(folder.read, store.folders(results))
        if results_of.experiment["model"]["kind"] == kind
    )
    experiment = registry.load().experiment_type().model_validate(stored.experiment)
    data = simulate(experiment.system, experiment.data).to("cpu", experiment.torch_dtype)
    model = experiment.model.build(data.dimension, experiment.seeds)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in folder.weights(stored.folder).items()})
    start = free_run_starts(model, data, experiment.evaluation)
    expected = torch.from_numpy(folder.forecast(stored.folder)["free_run"])
    assert_close(free_run(model, start, 1_000)[:, 0], expected, atol=0, rtol=0)


def test_without_gradients_no_training_curve_is_drawn(results: Path):
    stored = folder.read(store.folders(results)[0])
    drawn = {path.name for path in figures.draw(stored, chaosbench_pictures()).files}
    assert "attractor.png" in drawn
    assert not {name for name in drawn if name.startswith("training")}


def test_a_trainer_with_another_way_of_learning_is_rejected(tmp_path: Path):
    (tmp_path / "wrong.toml").write_text(SMALL.replace('kind = "ridge"', 'kind = "bptt"'))
    with pytest.raises(SpecError, match=r"bptt .*gradients.*echo_state_network.*regression"):
        suite.load(str(tmp_path / "wrong.toml"), registry.load())
