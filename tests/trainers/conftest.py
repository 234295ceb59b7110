"""A small data set for tests of trainers."""

import pytest
import torch

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.systems import Lorenz63


@pytest.fixture(scope="session")
def lorenz() -> Dataset:
    """A few short orbits of Lorenz-63."""
    spec = DataSpec(train_orbits=4, train_length=300, validation_orbits=0, test_orbits=2, test_length=300)
    return simulate(Lorenz63(), spec)


@pytest.fixture
def lorenz32(lorenz: Dataset) -> Dataset:
    """The same orbits in single precision, as in training."""
    return lorenz.to("cpu", torch.float32)
