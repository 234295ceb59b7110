"""Evaluation after a history: equal conditions for all models, old numbers at one observation, and clear errors."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from stored_runs import StoredSeed, publish

from chaosbench.assessment import diagnose_model
from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.diagnostics.base import starting_states
from chaosbench.errors import DataError
from chaosbench.evaluation import evaluate, free_run
from chaosbench.experiment import EvaluationSpec, Experiment
from chaosbench.explain.explanation import explain
from chaosbench.leaderboard.folder import MANIFEST, read
from chaosbench.leaderboard.rank import rank
from chaosbench.metrics import PredictionError
from chaosbench.models import LSTM, RNN, Forecaster, ShallowPLRNN
from chaosbench.models.readouts import FullyObservedForecaster
from chaosbench.source import STATES_EVERY
from chaosbench.systems import Henon
from chaosbench.trainers import BPTT
from chaosbench.trainers.base import TrainingStep

SEEDS = (0, 1)
SPEC = EvaluationSpec(
    free_runs=1,
    free_run_steps=100,
    free_run_transient=5,
    conditions=7,
    horizon=20,
    exponent_conditions=2,
    exponent_steps=20,
    exponent_transient=5,
)


@pytest.fixture(scope="module")
def henon() -> Dataset:
    return simulate(
        Henon(), DataSpec(train_orbits=3, train_length=90, validation_orbits=0, test_orbits=3, test_length=300)
    )


def evaluated(model: Forecaster, data: Dataset, context: int):
    return evaluate(model, data, SPEC.model_copy(update={"context": context}), torch.zeros(2, 2))


@pytest.mark.parametrize("spec", [RNN(hidden=5), LSTM(hidden=4), ShallowPLRNN(hidden=6)], ids=lambda spec: spec.label)
def test_a_model_that_resets_has_its_old_numbers_at_a_context_of_one(spec, henon: Dataset):
    """Before there was a history, states were forced from the observation at each condition, the first at time 0."""
    model = spec.build(2, SEEDS).double()
    new = evaluated(model, henon, 1)
    orbits, length = henon.test.shape[:2]
    starts = (length - 20 - 1) // STATES_EVERY + 1
    flat = torch.linspace(0, orbits * starts - 1, 7, dtype=torch.float64).long()
    orbit, time = flat // starts, flat % starts * STATES_EVERY

    def forced(observation: torch.Tensor) -> torch.Tensor:
        observation = observation.expand(2, -1, -1).contiguous()
        zero = torch.zeros(*observation.shape[:2], model.state_size, dtype=torch.float64)
        return model.force(zero, observation)

    with torch.no_grad():
        assert torch.equal(new.forecast, free_run(model, forced(henon.seen[orbit, time]), 20))
        assert torch.equal(new.free_run, free_run(model, forced(henon.seen[:1, 0]), 105)[:, :, 5:])
    assert torch.equal(new.future, henon.test.unfold(1, 20, 1)[orbit, time + 1].mT)


class Recorder(FullyObservedForecaster):
    """Keeps the histories it is started from; x' = x."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size = 2, 2, 2
        self.histories: list[torch.Tensor] = []

    def initial_state(self, history: torch.Tensor) -> torch.Tensor:
        self.histories.append(history)
        return super().initial_state(history)

    def step(self, state: torch.Tensor) -> torch.Tensor:
        return state


@pytest.mark.parametrize("context", [1, 26, 27, 60])
def test_every_start_follows_as_many_true_observations_as_the_context_has(context: int, henon: Dataset):
    """Free runs, forecasts, exponents and gradients; each history is a stretch of a test orbit as seen."""
    model = Recorder()
    new = evaluated(model, henon, context)
    diagnose_model(model, henon, SPEC.model_copy(update={"context": context}), None, trained=False)
    free, forecasts, diagnosed = model.histories
    assert torch.equal(free[0], henon.seen[:1, :context])
    stretches = henon.seen.unfold(1, context, 1).mT.flatten(0, 1)
    for histories in (forecasts, diagnosed):
        assert histories.shape[2] == context
        assert all((stretches == history).flatten(1).all(dim=1).any() for history in histories[1])
    steps = henon.test[None] == new.future[:, None, :1]  # the last seen observation comes one step before the future
    orbits, times = zip(*(found.all(dim=-1).nonzero()[0].tolist() for found in steps), strict=True)
    assert torch.equal(forecasts[0, :, -1], henon.seen[list(orbits), [time - 1 for time in times]])
    assert min(times) - 1 >= context - 1


def test_conditions_do_not_depend_on_what_the_model_needs(henon: Dataset):
    futures = [evaluated(spec.build(2, SEEDS).double(), henon, 50).future for spec in (RNN(), LSTM(form="closed_loop"))]
    assert torch.equal(*futures)


def test_states_during_training_follow_histories_of_training_orbits(henon: Dataset):
    """A history of 200 steps does not fit into orbits of 90, so that half of an orbit is used."""
    model = Recorder()
    step = TrainingStep(1, 1, torch.zeros(2), model, henon)
    starting_states(step, 4, context=200)
    starting_states(step, 4, context=1)
    assert [history.shape for history in model.histories] == [(2, 4, 45, 2), (2, 4, 1, 2)]
    observations = henon.train.flatten(0, 1)
    indices = torch.linspace(0, len(observations) - 1, 4, dtype=torch.float64).long()
    assert torch.equal(model.histories[1][0, :, 0], observations[indices])


def test_orbits_too_short_for_the_context_are_refused_by_the_name_of_the_field(henon: Dataset):
    """Once when the suite is read, and for data whose length the source decides, before training."""
    content = {"suite": "s", "system": Henon(), "model": RNN(), "trainer": BPTT(), "metrics": (PredictionError(),)}
    data = DataSpec(test_length=2_150)
    with pytest.raises(ValidationError, match=r"evaluation\.context = 200 .*2150"):
        Experiment(**content, data=data, seeds=SEEDS, evaluation=EvaluationSpec(free_run_steps=2_000, horizon=2_000))
    Experiment(
        **content, data=data, seeds=SEEDS, evaluation=EvaluationSpec(free_run_steps=2_000, horizon=2_000, context=100)
    )
    with pytest.raises(DataError, match=r"evaluation\.context = 290 .*300"):
        diagnose_model(RNN(hidden=3).build(2, SEEDS).double(), henon, SPEC.model_copy(update={"context": 290}), None)


def test_results_stored_without_a_context_are_read_ranked_on_their_own_board_and_explained(tmp_path: Path):
    """The digest of the file of an old folder is in its manifest, as it was when it was written."""
    new = publish(tmp_path, StoredSeed())
    old = tmp_path / "old"
    shutil.copytree(new.folder, old)
    spec = json.loads((old / "spec.json").read_text())
    del spec["experiment"]["evaluation"]["context"]
    spec["identity"] = "0" * 64
    (old / "spec.json").write_text(json.dumps(spec))
    manifest = json.loads((old / MANIFEST).read_text())
    manifest["files"]["spec.json"] = hashlib.sha256((old / "spec.json").read_bytes()).hexdigest()
    (old / MANIFEST).write_text(json.dumps(manifest))
    stored = read(old)
    boards = rank([new, stored]).boards
    assert len(boards) == 2
    assert sorted("context" in json.loads(board.evaluation) for board in boards) == [False, True]
    assert explain(stored) is not None
