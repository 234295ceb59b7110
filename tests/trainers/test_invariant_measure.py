"""Transport between summary statistics of windows."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.dynamics.distances import sinkhorn_divergence
from chaosbench.models import RNN
from chaosbench.trainers import InvariantMeasure

SEEDS = (0, 1)


def windows_of(steps: int, dimension: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 4, steps, dimension, dtype=torch.float64, generator=generator)


def test_the_statistics_of_lorenz96_are_those_of_its_equation():
    """x_(k-1) (x_(k-2) - x_(k+1)) on a ring, with the velocity and the site itself, one point per site and time."""
    window = windows_of(6, dimension=5)[0, 0]
    points = InvariantMeasure(statistics="lorenz96").summary(window)
    x, expected = window.numpy(), []
    for t in range(5):
        for k in range(5):
            advection = x[t, k - 1] * (x[t, k - 2] - x[t, (k + 1) % 5])
            expected.append([advection, x[t + 1, k] - x[t, k], x[t, k]])
    assert_close(points, torch.from_numpy(np.array(expected)))


def test_the_default_statistics_are_points_and_velocities():
    window = windows_of(6)
    points = InvariantMeasure().summary(window)
    assert torch.equal(points, torch.cat([window[:, :, :-1], window[:, :, 1:] - window[:, :, :-1]], dim=-1))


@pytest.mark.parametrize("distance", ["sinkhorn", "sliced_wasserstein"])
def test_equal_windows_have_no_transport_cost_and_units_do_not_matter(distance: str, lorenz: Dataset):
    trainer, target, other = InvariantMeasure(distance=distance, blur=0.3), windows_of(20), windows_of(20, seed=1)
    model = RNN(hidden=4).build(3, SEEDS)

    def transport(predicted: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        return trainer.transport(predicted, true, trainer.start(model, lorenz, SEEDS))

    assert_close(transport(target, target), torch.zeros(2, 4, dtype=torch.float64))
    apart = transport(other, target)
    assert (apart > 1e-3).all()
    units = torch.tensor([3.0, 0.1, 50.0], dtype=torch.float64)
    assert_close(transport(other * units + 7, target * units + 7), apart, rtol=1e-6, atol=1e-9)


def test_the_loss_is_a_relative_error_plus_the_transport_cost_after_its_onset(lorenz: Dataset):
    trainer = InvariantMeasure(updates=10, batch=4, sequence_length=12, interval=4, iterations=5)
    model = RNN(hidden=5).build(3, SEEDS).double()
    training = trainer.start(model, lorenz, SEEDS)
    training.update = 1
    windows = trainer.windows(training)
    starts = [model.initial_state(windows[:, :, t : t + 1]) for t in (0, 4, 8)]
    predicted = model.observe(torch.cat([model.unroll(start, 4) for start in starts], dim=2))
    target = windows[:, :, 1:]
    error = ((predicted - target).norm(dim=(2, 3)) / target.norm(dim=(2, 3))).mean(dim=1)
    assert_close(trainer.loss(model, windows, training), error)
    training.update = 10
    ours, theirs = trainer.summary(predicted), trainer.summary(target)
    mean, deviation = theirs.mean(2, keepdim=True), theirs.std(2, keepdim=True)
    transport = sinkhorn_divergence((ours - mean) / deviation, (theirs - mean) / deviation, blur=0.02, iterations=5)
    assert_close(trainer.loss(model, windows, training), error + 3 * transport.mean(dim=1))


def test_long_windows_are_compared_at_the_same_random_points(lorenz: Dataset):
    """The cost is 0 between a window and itself, and positive after a shift by one standard deviation."""
    trainer, target = InvariantMeasure(points=7, blur=0.05, iterations=400), windows_of(40)
    model = RNN(hidden=4).build(3, SEEDS)
    same = trainer.transport(target, target, trainer.start(model, lorenz, SEEDS))
    assert_close(same, torch.zeros(2, 4, dtype=torch.float64))
    moved = trainer.transport(target + target.std(2, keepdim=True), target, trainer.start(model, lorenz, SEEDS))
    assert (moved > 0.1).all()
