"""A training that was killed goes on from its checkpoint, and a finished one can be made longer: bit for bit."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from small import experiment

from chaosbench.checkpoints import FOLDER, Checkpoints
from chaosbench.diagnostics import COSTS, GradientNorm, Loss
from chaosbench.execution import Advanced, Published, alone, carry_on, missing
from chaosbench.experiment import Experiment, Result
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import Stored, forecast, weights
from chaosbench.run import build, prepare, run_experiment, train
from chaosbench.series import TimeSeries
from chaosbench.trainers import BPTT, GeneralizedTeacherForcing, SparseTeacherForcing, TrainerSpec

UPDATES = 300
WATCHED = (Loss(every=7), GradientNorm(every=50))


def trained_by(trainer: TrainerSpec) -> Experiment:
    return experiment(trainer=trainer, diagnostics=WATCHED)


def forcing(updates: int, **fields) -> SparseTeacherForcing:
    return SparseTeacherForcing(interval=2, updates=updates, batch=4, sequence_length=20, **fields)


def killed_at(updates: Sequence[int], experiment: Experiment, results: Path) -> Stored:
    """Run an experiment, and kill its process whenever it has passed one of the updates."""
    left, kills = list(updates), 0
    while todo := missing([experiment], store.read_all(results, may_be_empty=True), ["crashed"]):
        for event in carry_on(alone(todo), results, device="cpu", workers=1, every=0.0):
            if isinstance(event, Advanced) and left and event.progress.update >= left[0]:
                left = [update for update in left if update > event.progress.update]
                for child in multiprocessing.active_children():
                    os.kill(child.pid, signal.SIGKILL)
                kills += 1
            if isinstance(event, Published) and not event.stored.retryable:
                assert kills or not updates
                return event.stored
    raise AssertionError("there is nothing to run")


def same_numbers(first: Stored, second: Stored) -> None:
    for read in (weights, forecast):
        arrays, others = read(first.folder), read(second.folder)
        assert arrays.keys() == others.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, others[name], err_msg=name)
    rows, others = (
        [
            (row["name"], row["seed"], row["update"], row["value"])
            for row in stored.records
            if row["name"].removeprefix("diagnosis.") not in COSTS
        ]
        for stored in (first, second)
    )
    assert rows == others


def test_a_training_that_was_killed_several_times_ends_with_the_same_bits(tmp_path: Path):
    """The rate decays with the updates done, momenta of Adam are kept, and windows follow each other as before."""
    whole = trained_by(forcing(UPDATES, final_learning_rate=1e-5, clip_norm=1.0))
    interrupted = killed_at((20, 120, 220), whole, tmp_path / "killed")
    same_numbers(interrupted, killed_at((), whole, tmp_path / "whole"))
    assert interrupted.runs[0]["updates"] == UPDATES
    assert [path.name for path in (tmp_path / "killed" / FOLDER).iterdir() if "-end" not in path.name] == []


def result(experiment: Experiment, folder: Path) -> tuple[Result, int]:
    """Run in this process; return also the update at which training began."""
    checkpoints = Checkpoints(experiment, folder, "cpu")
    began = checkpoints.position().update
    return run_experiment(experiment, checkpoints=checkpoints), began


def test_the_checkpoint_of_a_recorded_series_is_that_of_its_content(tmp_path: Path):
    """A longer training of a file that was moved goes on from it, and that of a file that was overwritten does not."""

    def checkpoints(updates: int = 5) -> Checkpoints:
        (path,) = tmp_path.glob("*/series.npy")
        system = TimeSeries(path=str(path), exponent=0.5, exponent_source="the logistic map")
        return Checkpoints(recorded.replaced(system=system, trainer=forcing(updates)), tmp_path / FOLDER, "cpu")

    (tmp_path / "here").mkdir()
    values = np.random.default_rng(0).normal(size=(600, 2))
    np.save(tmp_path / "here/series.npy", values)
    series = TimeSeries(path=str(tmp_path / "here/series.npy"), exponent=0.5, exponent_source="the logistic map")
    recorded = Experiment(
        suite="mine", system=series, model="shallow_plrnn", trainer=forcing(3), metrics=(), seeds=(0,)
    )
    data = prepare([recorded], "cpu")
    train(recorded, build(recorded, data, (0,)), data, lambda progress: None, checkpoints(3))
    assert checkpoints().position().update == 3
    (tmp_path / "here").rename(tmp_path / "there")
    assert checkpoints().position().update == 3
    np.save(tmp_path / "there/series.npy", values + 1)
    assert checkpoints().position().update == 0


def test_a_longer_training_goes_on_from_the_finished_one(tmp_path: Path):
    result(trained_by(forcing(10)), tmp_path)
    longer, began = result(trained_by(forcing(25)), tmp_path)
    assert began == 10
    whole = run_experiment(trained_by(forcing(25)))
    for name, values in whole.weights.items():
        np.testing.assert_array_equal(longer.weights[name], values)
    watched = [record for record in whole.records if record.name.partition("(")[0] in ("loss", "gradient_norm")]
    assert [record for record in longer.records if record in watched] == watched
    assert longer.runs[0].updates == 25


@pytest.mark.parametrize(
    "fields",
    [
        {"trainer": forcing(10, final_learning_rate=1e-5)},
        {"trainer": forcing(10, anneal=True)},
        {"trainer": GeneralizedTeacherForcing(updates=10, batch=2, sequence_length=10)},
    ],
    ids=["decaying rate", "annealed interval", "momentum of alpha"],
)
def test_a_schedule_that_depends_on_the_number_of_updates_is_not_stretched(tmp_path: Path, fields):
    result(trained_by(fields["trainer"]), tmp_path)
    longer = trained_by(fields["trainer"].replaced(updates=20))
    position = Checkpoints(longer, tmp_path, "cpu").position()
    assert position.update == 0
    assert "10" in position.why_not


def test_another_training_does_not_go_on_from_this_one(tmp_path: Path):
    result(trained_by(forcing(10)), tmp_path)
    others = (
        trained_by(forcing(20, learning_rate=2e-3)),
        trained_by(BPTT(updates=20, batch=4, sequence_length=20)),
        trained_by(forcing(20)).replaced(seeds=(0, 2)),
        trained_by(forcing(20)).replaced(diagnostics=()),
    )
    assert [Checkpoints(other, tmp_path, "cpu").position().update for other in others] == [0, 0, 0, 0]
    assert Checkpoints(trained_by(forcing(5)), tmp_path, "cpu").position().update == 0


def test_a_damaged_checkpoint_is_ignored(tmp_path: Path):
    result(trained_by(forcing(10)), tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:40])
    assert Checkpoints(trained_by(forcing(20)), tmp_path, "cpu").position().update == 0


def test_what_a_killed_process_left_half_written_goes_with_the_checkpoint_and_nothing_else(tmp_path: Path):
    experiment = trained_by(forcing(5))
    result(experiment, tmp_path)
    (whole,) = tmp_path.glob("*.safetensors")
    half = tmp_path / f".{whole.stem}.0123abcd.safetensors"
    other = tmp_path / ".another-5-end.0123abcd.safetensors"
    for path in (half, other):
        path.write_bytes(b"half")
    Checkpoints(experiment, tmp_path, "cpu").discard()
    assert not half.exists()
    assert whole.exists()
    assert other.exists()
