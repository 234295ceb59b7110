"""The conformance kit for models and trainers that do not learn by gradients."""

import pytest
import torch

from chaosbench.models import RNN, Climatology, ModelSpec, Persistence, SampledRNN
from chaosbench.models.persistence import PersistenceForecaster
from chaosbench.models.sampled_rnn import AutonomousSampledRNN
from chaosbench.testing import check_model, check_trainer
from chaosbench.trainers import Memorise, Ridge, TrainerSpec, TrainingStep


class LearnsOutsideItsParameters(PersistenceForecaster):
    """Learns a plain attribute, which is lost when results are stored."""

    shift: torch.Tensor | float = 0.0

    def memorise(self, orbits, generators):
        self.shift = orbits.flatten(0, 1).square().mean(dim=0)

    def step(self, state):
        return state + self.shift


class RequiresGradients(AutonomousSampledRNN):
    def __init__(self, hidden, dimension, seeds):
        super().__init__(hidden, dimension, seeds)
        self.outward.requires_grad_(True)


@pytest.mark.parametrize(
    ("network", "trainer", "words"),
    [
        (AutonomousSampledRNN, None, ["learning = 'regression'", "check_model", "trainer"]),
        (AutonomousSampledRNN, Memorise(), ["memorise", "'memory'", "sampled_rnn(hidden=9)", "'regression'"]),
        (RequiresGradients, Ridge(), ["no parameter may require a gradient", "1"]),
    ],
)
def test_a_broken_model_without_gradients_fails_with_its_broken_promise(network, trainer, words, monkeypatch):
    monkeypatch.setattr(SampledRNN, "build", lambda self, dimension, seeds: network(self.hidden, dimension, seeds))
    with pytest.raises(AssertionError) as raised:
        check_model(SampledRNN(hidden=9), trainer=trainer)
    assert [word for word in words if word not in str(raised.value)] == []


def test_a_model_must_keep_what_it_learns_in_its_state_dict(monkeypatch):
    monkeypatch.setattr(
        Persistence, "build", lambda self, dimension, seeds: LearnsOutsideItsParameters(dimension, seeds)
    )
    with pytest.raises(AssertionError, match=r"state_dict .*deviation"):
        check_model(Persistence(), trainer=Memorise())


def test_a_model_without_trainable_parameters_must_declare_how_it_learns(monkeypatch):
    monkeypatch.setattr(RNN, "build", lambda self, dimension, seeds: Persistence().build(dimension, seeds))
    with pytest.raises(AssertionError, match=r"'gradients'.*requires_grad.*`learning`"):
        check_model(RNN())


class YieldsBeforeTrainingIsComplete(Ridge):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            yield step
            model.outward.mul_(2)


class MemorisesNothing(Memorise):
    def fit(self, model, data, seeds):
        yield TrainingStep(1, 1, torch.zeros(len(seeds)), model, data)


@pytest.mark.parametrize(
    ("trainer", "model", "words"),
    [
        (YieldsBeforeTrainingIsComplete(), SampledRNN(hidden=9), ["without gradients", "yield", "'outward'"]),
        (MemorisesNothing(), Climatology(), ["must change the model", "1 updates"]),
        (Ridge(), None, ["shallow_plrnn(hidden=12)", "'gradients'", "check_trainer", "model"]),
    ],
)
def test_a_broken_trainer_without_gradients_fails_with_its_broken_promise(
    trainer: TrainerSpec, model: ModelSpec, words: list[str]
):
    with pytest.raises(AssertionError) as raised:
        check_trainer(trainer, model=model)
    assert [word for word in words if word not in str(raised.value)] == []
