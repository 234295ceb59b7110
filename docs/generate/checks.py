"""Claims of papers that are checked in seconds, in float64, whenever the page is generated."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.models.forecaster import Forecaster
from chaosbench.models.rnn import RNN
from chaosbench.seeds import seed_generator
from chaosbench.systems.lorenz63 import Lorenz63
from chaosbench.trainers.bptt import BPTT
from chaosbench.trainers.gradient_flossing import GradientFlossing
from chaosbench.trainers.sofo import SOFO

_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Flossed:
    """Leading exponents of networks before and after flossing, without other training.

    Attributes:
        target, before, after: `(M,)`, mean over seeds [1 / step].
        remaining: remaining share of the distance to the target; the largest over seeds.
    """

    target: Tensor
    before: Tensor
    after: Tensor
    remaining: float


@cache
def flossed(target: float | Literal["system"], *, updates: int = 150) -> Flossed:
    """Floss three networks of 8 units, and compute their exponents by another routine over ten times as many steps.

    Source:
        Engelken 2023, NeurIPS (2312.17306), figure 2: exponents move to their target. The target `"system"` is ours.
    """
    data = _data()
    trainer = GradientFlossing(
        target=target, exponents=3, horizon=60, transient=0, alignment=0.0, pretraining=updates, episodes=0,
        updates=updates, batch=4, conditions=2, sequence_length=60, learning_rate=2e-2, final_learning_rate=1e-3,
        weight_decay=0.01, clip_norm=None,
    )  # fmt: skip
    model = RNN(hidden=8).build(data.dimension, _SEEDS).double()
    goal = trainer.extra_state(model, data)["target"]
    before = _spectra(model, data)
    for _ in trainer.fit(model, data, _SEEDS):
        pass
    after = _spectra(model, data)
    remaining = (after - goal).norm(dim=1) / (before - goal).norm(dim=1)
    return Flossed(goal, before.mean(dim=0), after.mean(dim=0), float(remaining.max()))


@cache
def projection_error() -> float:
    """Return the largest difference between the gradient of SOFO and V Vᵀ g, relative to the largest entry of V Vᵀ g.

    g is the gradient by backpropagation, and V are the directions.

    Source:
        Yu, Xia, Ma, Lengyel and Hennequin 2024, NeurIPS: forward mode gives the gradient's projection exactly.
    """
    data, trainer = _data(), SOFO(directions=20, batch=4)
    model = RNN(hidden=8).build(data.dimension, _SEEDS).double()
    training = trainer.start(model, data, _SEEDS)
    directions = trainer.random_directions(model, trainer.start(model, data, _SEEDS))  # the same, from the same seeds
    windows = trainer.windows(training)
    trainer.gradient(model, windows, training)
    forward = _flat([_gradient(parameter) for parameter in model.parameters()])
    model.zero_grad()
    BPTT().loss(model, windows, training).sum().backward()
    gradient = _flat([_gradient(parameter) for parameter in model.parameters()])
    basis = torch.stack([_flat([value[p] for value in directions.values()]) for p in range(20)], dim=-1)
    projected = (basis @ (basis.mT @ gradient.unsqueeze(-1))).squeeze(-1)
    return float((forward - projected).abs().max() / projected.abs().max())


def _data() -> Dataset:
    """Return noise instead of orbits, which would differ between machines after a chaotic transient."""
    data = simulate(Lorenz63(), DataSpec(train_orbits=1, train_length=2, validation_orbits=0, test_length=2))
    noise = torch.randn(8, 100, data.dimension, dtype=torch.float64, generator=seed_generator(0, "noise"))
    return replace(data, train=noise)


@torch.no_grad()
def _spectra(model: Forecaster, data: Dataset) -> Tensor:
    """Return the Lyapunov spectra, `(K, D)` [1 / step]."""
    start = model.initial_state(data.train[:, :1].expand(len(_SEEDS), -1, -1, -1).contiguous())
    return lyapunov_spectrum(model, start, steps=600, exponents=data.dimension).mean(dim=1)


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()


def _flat(values: list[Tensor]) -> Tensor:
    """Flatten the values of each seed into one row, `(K, P)`."""
    return torch.cat([value.flatten(1) for value in values], dim=1)
