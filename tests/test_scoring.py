"""Trajectories of any program are scored, and enter the ranking of stored experiments with the same truth."""

import numpy as np
import pytest
import torch
from small_experiment import small

import chaosbench
from chaosbench.data import simulate
from chaosbench.data.dataset import unembedded
from chaosbench.dynamics import orbit
from chaosbench.errors import ChaosbenchError
from chaosbench.evaluation import short_forecasts
from chaosbench.exporting import export_data
from chaosbench.leaderboard import store
from chaosbench.leaderboard.folder import read
from chaosbench.leaderboard.rank import rank
from chaosbench.metrics import (
    CorrelationDimensionError,
    LargestExponentError,
    PredictionError,
    SlicedWassersteinDistance,
    StateSpaceDivergence,
    ValidPredictionTime,
)
from chaosbench.run import run_experiment
from chaosbench.submission import experiment_with_truth, publish, submitted
from chaosbench.systems import Henon
from chaosbench.trajectories import read_trajectories

FREE = (StateSpaceDivergence(), SlicedWassersteinDistance())


@pytest.fixture(scope="module")
def orbits() -> np.ndarray:
    """Four orbits of the Hénon map, `(4, 2000, 2)`."""
    start = Henon().initial_state(4, torch.Generator().manual_seed(0))
    return orbit(Henon(), start, steps=2_000).numpy()


def numbers(scored, label: str) -> dict[str, float]:
    (result,) = [result for result in scored.results if result.experiment.model.label == label]
    return {record.name: record.value for record in result.records if record.better}


def test_the_floor_is_the_score_of_the_other_half_of_the_truth(orbits):
    halves = orbits[0, :1_000], orbits[0, 1_000:]
    scored = chaosbench.score({"other half": halves[1], "itself": halves[0]}, orbits[0], metrics=FREE)
    floors = [measure.floor for measure in scored.ranking.boards[0].measures]
    assert list(numbers(scored, "other half").values()) == pytest.approx(floors, abs=1e-12)
    assert all(value == pytest.approx(0, abs=1e-12) for value in numbers(scored, "itself").values())
    assert [entry.model for entry in scored.ranking.boards[0].entries] == ["itself", "other half"]


def test_scores_do_not_depend_on_the_units(orbits):
    """Scores refer to standard deviations of the truth, so that another unit changes nothing."""
    first, second = orbits[1], orbits[0]
    scored = chaosbench.score(first, second, metrics=FREE)
    other = chaosbench.score(1e3 * first + 7, torch.from_numpy(1e3 * second + 7), metrics=FREE)
    assert numbers(other, "generated") == pytest.approx(numbers(scored, "generated"), rel=1e-6)


def test_a_forecast_that_starts_with_the_truth_is_scored_as_one(orbits):
    """The Hénon map doubles an error in ln 2 / 0.419 steps, so that an error of 1e-9 is 0.4 after some 47 steps."""
    system, exponent = Henon(), 0.419
    start = torch.from_numpy(orbits[0, :1])
    generated = orbit(system, start + 1e-9, steps=500).numpy()[0]
    truth = orbits[0, 1:1_001]
    metrics = (ValidPredictionTime(), PredictionError(steps=5))
    scored = chaosbench.score(generated, truth, exponent=exponent, metrics=metrics)
    assert scored.aligned
    found = numbers(scored, "generated")
    assert found["valid_prediction_time"] == pytest.approx(np.log(0.4 / 1e-9), rel=0.25)
    assert found[metrics[1].label] < 1e-12
    apart = chaosbench.score(orbits[1], truth, exponent=exponent, metrics=(*metrics, *FREE))
    assert not apart.aligned
    assert set(apart.left_out) == {"valid_prediction_time", "prediction_error"}


def test_what_cannot_be_computed_is_left_out_with_a_reason(orbits):
    metrics = (LargestExponentError(), CorrelationDimensionError(), *FREE)
    scored = chaosbench.score(orbits[0], orbits[1], metrics=metrics)
    assert "largest_exponent_error" in scored.left_out
    assert all(scored.left_out.values())


@pytest.mark.parametrize(
    ("shape", "truth"), [((500, 3), (500, 2)), ((3, 500, 2), (2, 500, 2)), ((50, 2), (500, 2)), ((500, 2), (150, 2))]
)
def test_shapes_that_do_not_agree_are_refused_in_one_line(shape, truth):
    draw = np.random.default_rng(0).normal
    with pytest.raises(ChaosbenchError) as caught:
        chaosbench.score(draw(size=shape), draw(size=truth), metrics=FREE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [{}, {"observed": (1,), "noise": 0.1}], ids=["plain", "noisy"])
def test_a_model_submitted_from_outside_gets_the_scores_that_it_got_inside(tmp_path, data):
    """After three updates the network contracts, so that rounding does not grow."""
    results = tmp_path / "results"
    folder = store.write(run_experiment(small(**data)), results)
    inside = read(folder)
    files = {path.stem: str(path) for path in export_data(small(**data), tmp_path / "exported")}
    histories, conditions, truth = (read_trajectories(files[name]) for name in ("histories", "conditions", "truth"))
    experiment = experiment_with_truth(results, truth)
    assert experiment is not None
    models = [chaosbench.load(folder, seed).model for seed in (3, 1)]
    free = [model.forecast(histories, 100) for model in models]
    forecasts = [model.forecast(conditions, 20) for model in models]
    result = submitted(experiment, "mine", free, forecasts)
    scores = {(record.seed, record.name): record.value for record in result.records}
    for index, seed in enumerate((3, 1)):
        own = {row["name"]: row["value"] for row in inside.records if row["seed"] == seed and row["better"]}
        assert own == pytest.approx({name: scores[index, name] for name in own}, rel=1e-6)
    publish({"mine": result}, results)
    (board,) = rank(store.read_all(results)).boards
    assert {entry.model for entry in board.entries} == {"mine", inside.runs[0]["model"]}
    (entry,) = [entry for entry in board.entries if entry.model == "mine"]
    assert "without weights" in entry.trainer
    assert entry.train_seconds is None
    mine = next(path for path in results.iterdir() if path.name.startswith("mine"))
    with pytest.raises(ChaosbenchError, match="without weights"):
        chaosbench.load(mine)


def test_another_truth_does_not_enter_a_board(tmp_path):
    store.write(run_experiment(small()), tmp_path)
    other = small(seed=1)
    files = {path.stem: path for path in export_data(other, tmp_path / "exported")}
    assert experiment_with_truth(tmp_path, read_trajectories(str(files["truth"]))) is None


def test_free_runs_alone_are_scored_without_forecasts(tmp_path):
    draw = np.random.default_rng(0).normal(size=(2, 130, 2))
    result = submitted(small(), "mine", [draw])
    assert {record.name for record in result.records if record.better} == {"state_space_divergence"}
    with pytest.raises(ChaosbenchError, match="100"):
        submitted(small(), "mine", [draw[:, :90]])


def test_true_continuations_are_perfect_forecasts_in_delay_coordinates(tmp_path):
    experiment = small(observed=(1,), embedding=2, lag=3)
    data, reach = simulate(experiment.system, experiment.data), 3
    orbits, times, horizon = short_forecasts(data, experiment.evaluation)
    raw = unembedded(data.test * data.deviation + data.mean, 2, reach).numpy()
    starts = [(n, t + 1 + reach) for n, t in zip(orbits.tolist(), times.tolist(), strict=True)]
    forecasts = np.stack([raw[n, start : start + horizon] for n, start in starts])
    result = submitted(experiment, "truth", [raw[:2, reach : reach + 100]], [forecasts])
    scores = {record.name: record for record in result.records if record.better}
    assert scores["prediction_error(steps=5)"].value == pytest.approx(0, abs=1e-20)
    assert scores["state_space_divergence"].value < scores["state_space_divergence"].floor
