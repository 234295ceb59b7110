"""The forcing interval: in steps, from data, random, and growing."""

import math

import numpy as np
import pytest
import torch

from chaosbench.data import Dataset
from chaosbench.errors import DataError
from chaosbench.models import RNN
from chaosbench.trainers import SparseTeacherForcing, TrainingState
from chaosbench.trainers.forcing_interval import autocorrelation_time


def training_of(trainer: SparseTeacherForcing, data: Dataset) -> TrainingState:
    return trainer.start(RNN(hidden=4).build(3, (0, 1)), data, (0, 1))


def intervals(trainer: SparseTeacherForcing, data: Dataset) -> list[int]:
    training, values = training_of(trainer, data), []
    for training.update in range(1, trainer.updates + 1):
        values.append(trainer.interval_at(training))
    return values


def test_an_annealed_interval_follows_the_papers_formula(lorenz: Dataset):
    """floor((tau - 1) e / E) + 1: from 1 to tau in even steps."""
    values = intervals(SparseTeacherForcing(interval=7, anneal=True, updates=20), lorenz)
    assert values == [math.floor(6 * update / 20) + 1 for update in range(1, 21)]
    assert (values[0], values[-1]) == (1, 7)


def test_a_random_interval_is_uniform_and_never_below_one(lorenz: Dataset):
    """Each of 11 values is drawn 545 +- 22 times of 6,000."""
    counts = np.bincount(intervals(SparseTeacherForcing(interval=8, spread=5, updates=6_000), lorenz))
    assert counts[:3].sum() == 0
    assert abs(counts[3:14] - 6_000 / 11).max() < 5 * 22
    assert len(counts) == 14
    wide = intervals(SparseTeacherForcing(interval=2, spread=9, updates=300), lorenz)
    assert (min(wide), max(wide)) == (1, 11)


def test_a_random_interval_is_the_same_in_every_training(lorenz: Dataset):
    trainer = SparseTeacherForcing(interval=8, spread=5, updates=50)
    assert intervals(trainer, lorenz) == intervals(trainer, lorenz)


def test_the_autocorrelation_time_of_a_cosine_is_where_it_falls_to_1_over_e():
    """The autocorrelation of cos(2 pi t / P) is that cosine, which first falls below 1/e at P arccos(1/e) / 2 pi."""
    t = torch.arange(40_000, dtype=torch.float64)
    periods = (50.0, 80.0, 200.0)
    orbit = torch.stack([torch.cos(2 * torch.pi * t / period) for period in periods], dim=-1)[None]
    assert autocorrelation_time(orbit) == math.ceil(80 * math.acos(1 / math.e) / (2 * math.pi))


def test_the_autocorrelation_time_equals_direct_sums(lorenz: Dataset):
    x = lorenz.train.numpy() - lorenz.train.numpy().mean(axis=(0, 1))
    times = []
    for d in range(3):
        variance = (x[:, :, d] ** 2).mean()
        lags = (lag for lag in range(1, 300) if (x[:, lag:, d] * x[:, :-lag, d]).mean() < variance / math.e)
        times.append(next(lags))
    assert autocorrelation_time(lorenz.train) == sorted(times)[1]
    trainer = SparseTeacherForcing(interval="autocorrelation")
    assert trainer.interval_at(training_of(trainer, lorenz)) == sorted(times)[1]


def test_a_series_that_stays_correlated_has_no_autocorrelation_time():
    """Two orbits at rest at opposite values have an autocorrelation of 1 at every lag."""
    orbits = torch.ones(2, 30, 3) * torch.tensor([1.0, -1.0])[:, None, None]
    with pytest.raises(DataError, match="1/e"):
        autocorrelation_time(orbits)
