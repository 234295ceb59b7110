"""Forecasters without gradients, from suite to ranking, and back from the weights that were stored."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from chaosbench import registry, suite
from chaosbench.builtin import chaosbench_pictures
from chaosbench.data import simulate
from chaosbench.errors import SpecError
from chaosbench.evaluation import free_run
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
[[parts.trainers]]
kind = "memorise"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All five, run and stored."""
    there = tmp_path_factory.mktemp("results")
    (there / "small.toml").write_text(SMALL)
    for experiment in suite.load(str(there / "small.toml"), registry.load()):
        store.write(run_experiment(experiment), there)
    return there


def test_they_are_run_stored_and_ranked_as_what_they_are(results: Path):
    """The clever before the parrot, that before what knows nothing of time; and who knows no place comes last."""
    found = {stored.experiment["model"]["kind"]: stored for stored in map(folder.read, store.folders(results))}
    assert {run["status"] for stored in found.values() for run in stored.runs} == {"ok"}
    medians = {
        kind: {
            name: sorted(row["value"] for row in stored.records if row["name"] == name and row["update"] is None)[0]
            for name in ("state_space_divergence", "valid_prediction_time", "largest_exponent_error")
        }
        for kind, stored in found.items()
    }
    times = [medians[kind]["valid_prediction_time"] for kind in ("sampled_rnn", "context_parroting", "persistence")]
    assert times == sorted(times, reverse=True)
    assert medians["climatology"]["valid_prediction_time"] < medians["persistence"]["valid_prediction_time"]
    assert medians["climatology"]["state_space_divergence"] < medians["persistence"]["state_space_divergence"] / 2
    for kind in ("persistence", "climatology", "context_parroting"):  # exponents of 0, as far as rounding goes
        assert medians[kind]["largest_exponent_error"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "kind", ["echo_state_network", "sampled_rnn", "persistence", "climatology", "context_parroting"]
)
def test_a_free_run_can_be_had_again_from_what_was_stored(kind: str, results: Path):
    """To the last bit, of a model that was built again and given the stored weights."""
    (stored,) = (one for one in map(folder.read, store.folders(results)) if one.experiment["model"]["kind"] == kind)
    experiment = registry.load().experiment_type().model_validate(stored.experiment)
    data = simulate(experiment.system, experiment.data).to("cpu", experiment.data.torch_dtype)
    model = experiment.model.build(data.dimension, experiment.seeds)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in folder.weights(stored.folder).items()})
    start = model.initial_state(data.seen[:2, 0].expand(2, -1, -1).contiguous())
    kept = torch.from_numpy(folder.forecast(stored.folder)["free_run"])
    assert_close(free_run(model, start, 1_000)[:, 0], kept, atol=0, rtol=0)


def test_without_gradients_there_is_no_picture_of_a_training(results: Path):
    stored = folder.read(store.folders(results)[0])
    drawn = {path.name for path in figures.draw(stored, chaosbench_pictures()).files}
    assert "attractor.png" in drawn
    assert not {name for name in drawn if name.startswith("training")}


def test_a_trainer_that_finds_nothing_to_learn_is_refused(tmp_path: Path):
    (tmp_path / "wrong.toml").write_text(SMALL.replace('kind = "ridge"', 'kind = "bptt"'))
    with pytest.raises(SpecError, match=r"bptt .*gradients.*echo_state_network.*regression"):
        suite.load(str(tmp_path / "wrong.toml"), registry.load())
