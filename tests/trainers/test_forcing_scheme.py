"""Trainers report where they force the state, where they cut the gradient, and how."""

import pytest
import torch

from chaosbench.data import Dataset
from chaosbench.models import RNN
from chaosbench.trainers import (
    BPTT,
    ForcingScheme,
    MultipleShooting,
    ScheduledSampling,
    SparseTeacherForcing,
    TruncatedBPTT,
    WindowedBPTT,
)
from chaosbench.trainers.forcing import windowed_unroll


def scheme(trainer, data: Dataset, update: int) -> ForcingScheme:
    training = trainer.start(RNN(hidden=4).build(3, (0,)).double(), data, (0,))
    training.update = update
    return trainer.forcing_scheme(training)


@pytest.mark.parametrize(
    ("trainer", "expected"),
    [
        (BPTT(), ForcingScheme(200)),
        (TruncatedBPTT(), ForcingScheme(200, 30, "kept")),
        (WindowedBPTT(), ForcingScheme(200, 30, "zero")),
        (MultipleShooting(interval=7), ForcingScheme(196, 7, "learned")),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_the_scheme_says_what_the_state_is_after_a_cut(trainer, expected, lorenz: Dataset):
    assert scheme(trainer, lorenz, 1) == expected


def test_windows_of_windowed_training_start_alike_whatever_the_data(lorenz: Dataset):
    """Every window starts from z = 0, so that all have the predictions of the first."""
    model = RNN(hidden=4).build(3, (0,)).double()
    predicted = windowed_unroll(model, lorenz.train[None, :2, :13].double(), 4)
    assert torch.equal(predicted[:, :, :4], predicted[:, :, 4:8])
    assert torch.equal(predicted[:, :1], predicted[:, 1:])


@pytest.mark.parametrize(("interval", "spread", "mean"), [(20, 0, 20), (20, 5, 20), (1, 5, 2), (3, 4, 3)])
def test_the_scheme_of_a_random_interval_has_its_mean(interval, spread, mean, lorenz: Dataset):
    """1 +- 5, at least 1: six times 1, and 2 to 6, mean 26 / 11; 3 +- 4: three times 1, and 2 to 7, mean 30 / 9."""
    trainer = SparseTeacherForcing(interval=interval, spread=spread)
    assert {scheme(trainer, lorenz, update).interval for update in range(1, 30)} == {mean}


def test_the_interval_of_the_scheme_grows_when_it_is_annealed(lorenz: Dataset):
    trainer = SparseTeacherForcing(interval=11, anneal=True, updates=100)
    assert [scheme(trainer, lorenz, update).interval for update in (1, 50, 100)] == [1, 6, 11]


def test_scheduled_sampling_reports_its_probability(lorenz: Dataset):
    trainer = ScheduledSampling(updates=100, probability=0.9, final_probability=0.1)
    sampled = scheme(trainer, lorenz, 51)
    assert (sampled.interval, sampled.forced) == (None, True)
    assert sampled.probability == pytest.approx(0.5)


@pytest.mark.parametrize(("probability", "length"), [(0.0, 200), (0.01, 67), (0.5, 2), (1.0, 1)])
def test_the_mean_product_is_the_window_over_the_mean_number_of_forcings(probability, length):
    """The window's end closes the last product: 200 / (1 + 199 / 100) = 66.9, not 100; 200 / (1 + 199 / 2) = 1.99."""
    assert ForcingScheme(200, probability=probability).product_length == length
