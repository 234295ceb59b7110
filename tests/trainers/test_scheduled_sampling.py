"""Scheduled sampling between the closed loop and teacher forcing."""

from math import e, exp

import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.models import LSTM, RNN, ModelSpec, ShallowPLRNN
from chaosbench.trainers import ScheduledSampling
from chaosbench.trainers.base import squared_error
from chaosbench.trainers.forcing import sequential_unroll

MODELS = [RNN(hidden=6), LSTM(hidden=4), ShallowPLRNN(hidden=9, states=5)]


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)
@pytest.mark.parametrize(("probability", "interval"), [(0.0, 12), (1.0, 1)])
def test_probability_0_is_the_closed_loop_and_1_is_teacher_forcing(
    spec: ModelSpec, probability, interval, lorenz: Dataset
):
    trainer = ScheduledSampling(probability=probability, final_probability=probability)
    model = spec.build(3, (0, 1)).double()
    windows = torch.randn(2, 3, 13, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    training = trainer.start(model, lorenz, (0, 1))
    training.update = 1
    expected = squared_error(sequential_unroll(model, windows, interval), windows[:, :, 1:])
    assert_close(trainer.loss(model, windows, training), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("decay", "half_way"),
    [("linear", 0.5), ("exponential", exp(-5.0)), ("inverse_sigmoid", 10 / (10 + e**5))],
)
def test_the_probability_follows_its_formula(decay: str, half_way: float, lorenz: Dataset):
    """Half-way through 100 updates with k = 10, between 0.9 and 0.1."""
    trainer = ScheduledSampling(decay=decay, decay_updates=10, updates=100, probability=0.9, final_probability=0.1)
    training = trainer.start(RNN(hidden=4).build(3, (0,)), lorenz, (0,))
    training.update = 51
    assert trainer.probability_at(training) == pytest.approx(0.1 + 0.8 * half_way)


def test_a_steep_decay_does_not_overflow(lorenz: Dataset):
    trainer = ScheduledSampling(decay="inverse_sigmoid", decay_updates=0.1)
    training = trainer.start(RNN(hidden=4).build(3, (0,)), lorenz, (0,))
    training.update = 30_000
    assert trainer.probability_at(training) == pytest.approx(0.0)


def test_each_seed_draws_its_own_uniform_numbers(lorenz: Dataset):
    """The share of 8,000 numbers below 0.3 has a standard deviation of 0.005."""
    trainer = ScheduledSampling()
    pair, alone = (trainer.start(RNN(hidden=4).build(3, seeds), lorenz, seeds) for seeds in ((3, 5), (5,)))
    draws = pair.uniform(40, 100)
    assert torch.equal(draws[1], alone.uniform(40, 100)[0])
    assert (draws < 0.3).double().mean() == pytest.approx(0.3, abs=0.03)
