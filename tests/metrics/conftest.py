"""Orbits and an evaluation for the tests of the metrics."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from chaosbench.metrics import Evaluation

Orbits = Callable[..., NDArray[np.float64]]


@pytest.fixture(scope="session")
def lorenz() -> Orbits:
    """Independent orbits of the Lorenz-63 system on its attractor, `(count, steps, 3)`."""
    return lorenz_orbits


def lorenz_orbits(count: int, steps: int, *, rho: float = 28.0, dt: float = 0.01, seed: int = 0) -> NDArray[np.float64]:
    """Classical Runge-Kutta steps of at most 0.01, vectorised over `count`; 20 time units of transient are dropped."""

    def velocity(state: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y, z = state
        return np.stack([10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z])

    substeps = round(dt / 0.01)
    state = np.random.default_rng(seed).normal(size=(3, count)) + np.array([[0.0], [0.0], [rho - 1]])
    orbit = np.empty((steps, 3, count))
    for step in range(-2000, steps):
        for _ in range(substeps):
            k1 = velocity(state)
            k2 = velocity(state + 0.005 * k1)
            k3 = velocity(state + 0.005 * k2)
            k4 = velocity(state + 0.01 * k3)
            state = state + 0.01 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if step >= 0:
            orbit[step] = state
    return np.ascontiguousarray(orbit.transpose(2, 0, 1))


@pytest.fixture
def evaluation() -> Evaluation:
    """Random numbers in the shapes of an evaluation; K, R, T, D = 3, 2, 400, 2 and C, H = 4, 25."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return Evaluation(
        free_run=normal(3, 2, 400, 2),
        truth=normal(2, 400, 2),
        twin=normal(2, 400, 2),
        forecast=normal(3, 4, 25, 2),
        future=normal(4, 25, 2),
        twins=normal(4, 25, 2),
        scale=torch.ones(2, dtype=torch.float64),
        dt=0.1,
        exponents=torch.tensor([[1.2, -3.0], [0.9, -2.0], [-0.1, -1.0]], dtype=torch.float64),
        twin_exponents=torch.tensor([0.95, -2.5], dtype=torch.float64),
        largest_exponent=1.0,
        reference_exponents=torch.tensor([1.0, -2.6], dtype=torch.float64),
        resolution=0.05,
    )
