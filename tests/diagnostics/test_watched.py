"""Diagnostics of the free run during training, on maps whose rates are known."""

import math

import pytest
import torch

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.diagnostics import DiagnosticSpec, GradientGrowth, LargestExponent
from chaosbench.models import Forecaster
from chaosbench.systems import Logistic
from chaosbench.trainers import TrainingStep


class Tent(Forecaster):
    """Two tent maps of slopes 1.9 and 1.5; the observation is the state."""

    resets = True
    seeds, dimension, state_size = 2, 1, 1

    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor([1.9, 1.5]).view(2, 1, 1))

    def step(self, state):
        return self.slope * state - 2 * self.slope * torch.relu(state) + (self.slope - 1) / 2

    def observe(self, state):
        return state

    def force(self, state, observation):
        return 0.2 * torch.tanh(observation)


def step(model: Forecaster) -> TrainingStep:
    spec = DataSpec(train_orbits=3, train_length=50, validation_orbits=0, test_orbits=2, test_length=50)
    data: Dataset = simulate(Logistic(), spec).to("cpu", torch.float32)
    return TrainingStep(1, 10, torch.zeros(2), model, data)


@pytest.mark.parametrize("diagnostic", [GradientGrowth(horizon=64), LargestExponent(steps=64, transient=10)])
def test_rates_of_the_free_run_equal_those_of_the_map(diagnostic: DiagnosticSpec):
    """|J| is the slope at every state; logarithms of single precision err by 1e-7 each."""
    rates = diagnostic.measure(step(Tent()))
    assert rates.tolist() == pytest.approx([math.log(1.9), math.log(1.5)], abs=1e-6)


@pytest.mark.parametrize("diagnostic", [GradientGrowth(horizon=64), LargestExponent(steps=64, transient=10)])
def test_gradients_and_other_seeds_are_not_changed(diagnostic: DiagnosticSpec):
    model = Tent()
    model.slope.grad = torch.ones_like(model.slope)
    calm = diagnostic.measure(step(model))
    assert torch.equal(model.slope.grad, torch.ones_like(model.slope))
    with torch.no_grad():
        model.slope[1] = torch.nan
    lost = diagnostic.measure(step(model))
    assert lost[0] == calm[0]
    assert bool(lost[1].isnan())
