"""What trainers say of the products of Jacobians that their gradients pass."""

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


def path(trainer, data: Dataset, update: int) -> ForcingScheme:
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
def test_a_trainer_that_cuts_says_what_the_state_is_then(trainer, expected, lorenz: Dataset):
    assert path(trainer, lorenz, 1) == expected


def test_a_stretch_of_windowed_training_depends_on_no_data(lorenz: Dataset):
    """Every stretch begins from z = 0: predictions of all are those of the first."""
    model = RNN(hidden=4).build(3, (0,)).double()
    predicted = windowed_unroll(model, lorenz.train[None, :2, :13].double(), 4)
    assert torch.equal(predicted[:, :, :4], predicted[:, :, 4:8])
    assert torch.equal(predicted[:, :1], predicted[:, 1:])


@pytest.mark.parametrize(("interval", "spread", "mean"), [(20, 0, 20), (20, 5, 20), (1, 5, 2), (3, 4, 3)])
def test_the_path_of_a_drawn_interval_is_its_mean_whatever_was_drawn_last(interval, spread, mean, lorenz: Dataset):
    """From 1 +- 5 with at least 1 come six times 1 and 2 to 6, 26 / 11; of 3 +- 4 three times 1 and 2 to 7, 30 / 9."""
    trainer = SparseTeacherForcing(interval=interval, spread=spread)
    assert {path(trainer, lorenz, update).interval for update in range(1, 30)} == {mean}


def test_the_path_of_an_annealed_interval_grows_with_it(lorenz: Dataset):
    trainer = SparseTeacherForcing(interval=11, anneal=True, updates=100)
    assert [path(trainer, lorenz, update).interval for update in (1, 50, 100)] == [1, 6, 11]


def test_scheduled_sampling_tells_its_probability(lorenz: Dataset):
    trainer = ScheduledSampling(updates=100, probability=0.9, final_probability=0.1)
    found = path(trainer, lorenz, 51)
    assert (found.interval, found.forced) == (None, True)
    assert found.probability == pytest.approx(0.5)


@pytest.mark.parametrize(("probability", "chain"), [(0.0, 200), (0.5, 2), (1.0, 1)])
def test_the_mean_product_between_tosses_is_the_window_over_the_mean_number_of_them(probability, chain):
    """200 / (1 + 199 / 2) = 1.99."""
    assert ForcingScheme(200, probability=probability).product_length == chain
