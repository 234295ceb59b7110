"""The horizon of a curriculum grows from its first length to the whole window."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.errors import DataError
from chaosbench.models import RNN
from chaosbench.trainers import BPTT, HorizonCurriculum


def test_horizons_grow_by_equal_factors_in_equal_stages(lorenz: Dataset):
    trainer = HorizonCurriculum(first=5, stages=5, sequence_length=80, updates=20)
    training = trainer.start(RNN(hidden=4).build(3, (0,)), lorenz, (0,))
    horizons = []
    for update in range(1, 21):
        training.update = update
        horizons.append(trainer.window_length(training))
        assert trainer.windows(training).shape[2] == horizons[-1] + 1
    assert horizons == [length for length in (5, 10, 20, 40, 80) for _ in range(4)]


def test_the_loss_is_that_of_backpropagation_over_the_horizon(lorenz: Dataset):
    model, trainer = RNN(hidden=4).build(3, (0,)).double(), HorizonCurriculum(first=5)
    training = trainer.start(model, lorenz, (0,))
    training.update = 1
    windows = trainer.windows(training)
    assert torch.equal(trainer.loss(model, windows, training), BPTT().loss(model, windows, training))


def test_a_first_horizon_in_predictability_times_depends_on_the_data(lorenz: Dataset):
    slow = replace(lorenz, largest_exponent=lorenz.largest_exponent / 10)
    trainer = HorizonCurriculum(first="0.1 tau_pred", sequence_length=50)
    steps = trainer.extra_state(RNN(hidden=4).build(3, (0,)), lorenz)["first"]
    assert_close(float(steps), lorenz.predictability_time / 10, rtol=0, atol=0.5)
    with pytest.raises(DataError, match="sequence_length = 50"):
        trainer.check(slow)
