"""Training of K seeds at once: independence, clipping, repeatability."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.errors import DataError
from chaosbench.models import LSTM, PLRNN, RNN, ModelSpec, ShallowPLRNN, seed_generator
from chaosbench.testing import check_trainer
from chaosbench.trainers import BPTT, SparseTeacherForcing, TrainerSpec
from chaosbench.trainers.base import clip_gradients, gradient_norms

MODELS = [RNN(hidden=8), LSTM(hidden=8), PLRNN(hidden=8), ShallowPLRNN(hidden=12)]
SMALL = {"updates": 12, "batch": 4, "sequence_length": 25}
TRAINERS = [
    SparseTeacherForcing(interval=7, **SMALL),
    BPTT(**SMALL),
    BPTT(truncation=6, **SMALL),
    BPTT(window=6, **SMALL),
    SparseTeacherForcing(interval=7, optimizer="radam", final_learning_rate=1e-5, clip_norm=0.1, **SMALL),
]
every_model = pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)
every_trainer = pytest.mark.parametrize("trainer", TRAINERS, ids=lambda trainer: trainer.label)


def test_a_seed_sees_the_same_windows_alone_and_beside_others(lorenz32: Dataset):
    many = [seed_generator(seed, "windows") for seed in (3, 5, 8)]
    one = [seed_generator(5, "windows")]
    for _ in range(3):
        assert torch.equal(lorenz32.windows(6, 20, many)[1], lorenz32.windows(6, 20, one)[0])


def test_windows_are_stretches_of_training_orbits(lorenz32: Dataset):
    windows = lorenz32.windows(6, 20, [seed_generator(0, "windows")])
    assert windows.shape == (1, 6, 21, 3)
    stretches = lorenz32.train.unfold(1, 21, 1).mT
    for window in windows[0]:
        assert (stretches == window).flatten(2).all(dim=-1).any()


@every_model
@every_trainer
def test_every_trainer_keeps_the_promises_of_its_contract(spec: ModelSpec, trainer: TrainerSpec, lorenz32: Dataset):
    """Among them that a seed trains alike alone and beside others, repeats itself, and may diverge on its own."""
    check_trainer(trainer, model=spec, data=lorenz32)


@every_model
@every_trainer
def test_training_changes_every_parameter(spec: ModelSpec, trainer: TrainerSpec, lorenz32: Dataset):
    model, start = spec.build(3, (0, 1)), spec.build(3, (0, 1))
    for _ in trainer.fit(model, lorenz32, (0, 1)):
        pass
    for after, before in zip(model.parameters(), start.parameters(), strict=True):
        assert not torch.equal(after, before)


def test_gradients_are_clipped_seed_by_seed():
    model = RNN(hidden=8).build(3, (0, 1))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
        parameter.grad[1] *= 1e-3
    before = gradient_norms(model)
    flat = torch.cat([parameter.grad[0].flatten() for parameter in model.parameters()])
    assert_close(before[0], torch.linalg.vector_norm(flat))
    clip_gradients(model, 0.5)
    assert_close(gradient_norms(model), torch.stack([torch.tensor(0.5), before[1]]))


def test_a_window_as_long_as_the_sequence_starts_once_from_zero(lorenz: Dataset):
    model = RNN(hidden=8).build(3, (0, 1)).double()
    windows = lorenz.windows(4, 25, [seed_generator(0, "w"), seed_generator(1, "w")])
    state = torch.zeros(2, 4, 8, dtype=torch.float64)
    expected = (model.observe(model.unroll(state, 25)) - windows[:, :, 1:]).square().mean(dim=(1, 2, 3))
    assert_close(BPTT(window=25, **SMALL).loss(model, windows, lorenz), expected)


def test_truncation_and_window_exclude_each_other():
    with pytest.raises(ValidationError, match="exclude each other"):
        BPTT(truncation=5, window=5)


def test_windows_longer_than_the_orbits_are_refused_before_training(lorenz: Dataset):
    with pytest.raises(DataError, match="do not fit"):
        BPTT(sequence_length=300).check(lorenz)
    calm = replace(lorenz, largest_exponent=-1.0)
    with pytest.raises(DataError, match="not chaotic"):
        SparseTeacherForcing(sequence_length=20).check(calm)


def test_the_learning_rate_decays_to_its_final_value(lorenz32: Dataset):
    trainer = SparseTeacherForcing(interval=5, final_learning_rate=1e-5, **SMALL)
    optimizer, decay = trainer._optimizer(RNN(hidden=4).build(3, (0,)))
    assert optimizer.param_groups[0]["lr"] * decay**trainer.updates == pytest.approx(1e-5)
