"""Jacobian matching: the system's own Jacobian, in the units of the data."""

from dataclasses import replace
from typing import ClassVar, Literal

import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.errors import DataError
from chaosbench.models import GRU, LEM, LSTM, RNN, CoRNN, LinOSS, LiquidTimeConstant, ModelSpec, NeuralODE, ShallowPLRNN
from chaosbench.models.forecaster import Forecaster
from chaosbench.seeds import seed_generator
from chaosbench.systems import Henon, Lorenz63
from chaosbench.systems.base import Map
from chaosbench.trainers import JacobianMatching
from chaosbench.trainers.jacobian_matching import system_jacobian
from chaosbench.trainers.regularisers import manifold_attractor_penalty

SMOOTH = [
    RNN(hidden=5),
    GRU(hidden=5),
    LSTM(hidden=5, form="closed_loop"),
    LEM(hidden=5),
    LiquidTimeConstant(hidden=5),
    CoRNN(hidden=5),
    LinOSS(hidden=5),
    NeuralODE(hidden=5),
]
MATRIX = ((0.6, -1.0), (0.9, 0.7))  # |det| = 1.32, so that orbits do not decay; the sine bounds them


class Turning(Map):
    """x' = sin(M x): a bounded, nonlinear map."""

    kind: Literal["turning"] = "turning"
    dimension: ClassVar[int] = 2
    start: ClassVar[tuple[float, ...] | None] = (0.3, 0.2)

    def step(self, state):
        return torch.sin(state @ torch.tensor(MATRIX, dtype=state.dtype).T)


class TrueMap(Forecaster):
    """The true map between standardised observations; K = 2."""

    def __init__(self, data: Dataset, system: Map) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.resets = 2, 2, 2, True
        self.data, self.system = data, system

    def step(self, state):
        for _ in range(self.data.spec.stride):
            state = self.system.step(state)
        return state

    def observe(self, state):
        return (state - self.data.mean) / self.data.deviation

    def force(self, state, observation):
        return observation * self.data.deviation + self.data.mean


def data_of(system: Map, **settings) -> Dataset:
    spec = DataSpec(train_orbits=4, train_length=200, validation_orbits=0, test_orbits=2, test_length=50, **settings)
    return replace(simulate(system, spec), largest_exponent=1.0)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("standardise", ["dimension", "global", "none"])
@pytest.mark.parametrize("system", [Turning(), Henon()], ids=lambda system: system.kind)
def test_the_true_map_has_no_loss_in_any_units(system: Map, standardise: str, stride: int):
    data = data_of(system, standardise=standardise, stride=stride)
    trainer, model = JacobianMatching(), TrueMap(data, system)
    training = trainer.start(RNN(hidden=4).build(2, (0, 1)), data, (0, 1))
    assert_close(trainer.loss(model, trainer.windows(training), training), torch.zeros(2, dtype=torch.float64))


def test_the_jacobian_of_henon_is_the_known_one_in_standardised_units():
    """J = [[-2 a x, 1], [b, 0]] in its own units; entry (i, j) is scaled by deviation_j / deviation_i."""
    data = data_of(Henon())
    x = data.train[0, :5]
    jacobians = system_jacobian(data, x)
    own = (x * data.deviation + data.mean)[:, 0]
    scale = data.deviation[None] / data.deviation[:, None]
    for t in range(5):
        expected = torch.tensor([[-2.8 * float(own[t]), 1.0], [0.3, 0.0]], dtype=torch.float64)
        assert_close(jacobians[t], expected * scale)


def test_the_loss_equals_one_computed_with_autograd_point_by_point(lorenz: Dataset):
    trainer, model = JacobianMatching(weight=0.5, batch=3), ShallowPLRNN(hidden=9).build(3, (0, 1)).double()
    training = trainer.start(model, lorenz, (0, 1))
    windows = trainer.windows(training)
    for k in range(2):
        errors, mismatches = [], []
        for b in range(3):

            def forecast(x, k=k):
                both_seeds = x.expand(2, 1, 3)
                return model.observe(model.step(model.initial_state(both_seeds.unsqueeze(2))))[k, 0]

            x = windows[k, b, 0]
            errors.append((forecast(x) - windows[k, b, 1]).square())
            jacobian = torch.autograd.functional.jacobian(forecast, x)
            mismatches.append((jacobian - system_jacobian(lorenz, x)).square())
        expected = torch.stack(errors).mean() + 0.5 * torch.stack(mismatches).mean()
        assert_close(trainer.loss(model, windows, training)[k], expected)


def test_data_that_do_not_show_the_state_are_rejected(lorenz: Dataset):
    JacobianMatching().check(lorenz)
    for changes in ({"observed": (0, 1)}, {"embedding": 2}):
        hidden = replace(lorenz, spec=lorenz.spec.replaced(**changes))
        with pytest.raises(DataError, match="do not show the state itself"):
            JacobianMatching().check(hidden)
    assert JacobianMatching().incompatibility(Lorenz63(), DataSpec(observed=(0, 1, 2)), RNN()) is None


@pytest.mark.parametrize("spec", SMOOTH, ids=lambda spec: spec.label)
def test_the_gradient_is_the_slope_of_the_loss(spec: ModelSpec, lorenz: Dataset):
    """Along a random direction, by central differences, whose error is h² of the third derivative: some 1e-8."""
    trainer, model = JacobianMatching(batch=6), spec.build(3, (0,)).double()
    training = trainer.start(model, lorenz, (0,))
    windows, parameters = trainer.windows(training), list(model.parameters())
    directions = [torch.randn(p.shape, dtype=p.dtype, generator=seed_generator(1, "direction")) for p in parameters]
    trainer.gradient(model, windows, training)
    slope = sum((p.grad * d).sum() for p, d in zip(parameters, directions, strict=True) if p.grad is not None)
    losses = []
    for shift in (1e-5, -2e-5):  # from the centre to one end, and then to the other
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.add_(shift * direction)
            losses.append(trainer.loss(model, windows, training).squeeze())
    assert_close(slope, (losses[0] - losses[1]) / 2e-5, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("spec", [NeuralODE(hidden=5), ShallowPLRNN(hidden=9)], ids=lambda spec: spec.label)
def test_blocks_of_pairs_give_the_gradient_of_all_pairs(spec: ModelSpec, lorenz: Dataset):
    """450 pairs of 3 tangents make two blocks; penalties count once. Sums in another order differ by rounding."""
    penalty = 0.3 if isinstance(spec, ShallowPLRNN) else 0.0
    trainer, model = JacobianMatching(batch=9, sequence_length=50, manifold_attractor=penalty), spec.build(3, (0, 1))
    training = trainer.start(model.double(), lorenz, (0, 1))
    windows = trainer.windows(training)
    assert [part.shape for part in trainer.parts(windows)] == [(2, 225, 2, 3)] * 2
    loss = trainer.gradient(model, windows, training)
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    expected = trainer.loss(model, windows, training)
    if penalty:
        expected = expected + penalty * manifold_attractor_penalty(model, 1.0)
    expected.sum().backward()
    assert_close(loss, expected.detach())
    assert_close(gradients, [parameter.grad for parameter in model.parameters() if parameter.grad is not None])


def test_blocks_do_not_depend_on_the_number_of_seeds(lorenz: Dataset):
    """Sums then have one order, and a seed's numbers do not depend on the other seeds."""
    trainer = JacobianMatching(batch=9, sequence_length=50)
    sizes = {
        count: [part.shape[1] for part in trainer.parts(trainer.windows(trainer.start(model, lorenz, range(count))))]
        for count, model in ((count, RNN(hidden=4).build(3, range(count))) for count in (1, 2, 40))
    }
    assert sizes[1] == sizes[2] == sizes[40]
