"""The conformance kit, of models and trainers without gradients."""

import pytest
import torch

from chaosbench.models import RNN, Climatology, ModelSpec, Persistence, SampledRNN
from chaosbench.models.persistence import PersistenceForecaster
from chaosbench.models.sampled_rnn import AutonomousSampledRNN
from chaosbench.testing import check_model, check_trainer
from chaosbench.trainers import Memorise, Ridge, TrainerSpec, TrainingStep


class KeepsItAside(PersistenceForecaster):
    """What it has learned is lost when results are stored."""

    shift: torch.Tensor | float = 0.0

    def memorise(self, orbits, generators):
        self.shift = orbits.flatten(0, 1).square().mean(dim=0)

    def step(self, state):
        return state + self.shift


class KeepsItsGradients(AutonomousSampledRNN):
    def __init__(self, hidden, dimension, seeds):
        super().__init__(hidden, dimension, seeds)
        self.outward.requires_grad_(True)


@pytest.mark.parametrize(
    ("network", "trainer", "sentence"),
    [
        (AutonomousSampledRNN, None, "it learns by regression; give check_model a trainer that does the same"),
        (AutonomousSampledRNN, Memorise(), "memorise trains by memory, and sampled_rnn(hidden=9) learns by regression"),
        (KeepsItsGradients, Ridge(), "so no parameter may ask for a gradient; 1 do"),
    ],
)
def test_a_broken_model_without_gradients_is_told_so(network, trainer, sentence, monkeypatch):
    monkeypatch.setattr(SampledRNN, "build", lambda self, dimension, seeds: network(self.hidden, dimension, seeds))
    with pytest.raises(AssertionError) as raised:
        check_model(SampledRNN(hidden=9), trainer=trainer)
    assert sentence in str(raised.value)


def test_what_a_model_has_learned_must_be_stored(monkeypatch):
    monkeypatch.setattr(Persistence, "build", lambda self, dimension, seeds: KeepsItAside(dimension, seeds))
    with pytest.raises(AssertionError, match="a new model with its `state_dict` must predict the same; they differ by"):
        check_model(Persistence(), trainer=Memorise())


def test_a_model_that_no_gradient_reaches_must_say_how_it_learns(monkeypatch):
    monkeypatch.setattr(RNN, "build", lambda self, dimension, seeds: Persistence().build(dimension, seeds))
    with pytest.raises(AssertionError, match="no parameter takes a gradient; say by `learning` how it is trained"):
        check_model(RNN())


class YieldsBeforeItIsDone(Ridge):
    def fit(self, model, data, seeds):
        for step in super().fit(model, data, seeds):
            yield step
            model.outward.mul_(2)


class RemembersNothing(Memorise):
    def fit(self, model, data, seeds):
        yield TrainingStep(1, 1, torch.zeros(len(seeds)), model, data)


@pytest.mark.parametrize(
    ("trainer", "model", "sentence"),
    [
        (YieldsBeforeItIsDone(), SampledRNN(hidden=9), "fit must yield when all is done, but 'outward' changes"),
        (RemembersNothing(), Climatology(), "training must change the model; after 1 updates every number is the same"),
        (Ridge(), None, "and shallow_plrnn(hidden=12) learns by gradients; give check_trainer a model that does"),
    ],
)
def test_a_broken_trainer_without_gradients_is_told_so(trainer: TrainerSpec, model: ModelSpec, sentence: str):
    with pytest.raises(AssertionError) as raised:
        check_trainer(trainer, model=model)
    assert sentence in str(raised.value)
