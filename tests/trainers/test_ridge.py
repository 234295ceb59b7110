"""Ridge regression against numpy's least squares, and the effects of noise and warm-up."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import DataError
from chaosbench.models import EchoStateNetwork, RegressionForecaster, SampledRNN
from chaosbench.systems import Lorenz63
from chaosbench.testing import check_trainer
from chaosbench.trainers import Ridge

SEEDS = (2, 5)


class Linear(RegressionForecaster):
    """x' = C x + d; K = 2."""

    resets = True

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.seeds, self.dimension, self.state_size, self.feature_count = 2, dimension, dimension, dimension
        self.weight = nn.Parameter(torch.zeros(2, dimension, dimension), requires_grad=False)
        self.offset = nn.Parameter(torch.zeros(2, 1, dimension), requires_grad=False)

    def step(self, state):
        return torch.baddbmm(self.offset, state, self.weight.mT)

    def observe(self, state):
        return state

    def force(self, state, observation):
        return observation

    def respond(self, state, observation):
        return observation, observation

    def set_readout(self, weight, offset):
        self.weight.copy_(weight)
        self.offset.copy_(offset)


def fitted(trainer: Ridge, model: RegressionForecaster, data: Dataset) -> torch.Tensor:
    (step,) = trainer.fit(model, data, SEEDS)
    return step.loss


@pytest.mark.parametrize("spec", [EchoStateNetwork(hidden=20), SampledRNN(hidden=20)], ids=lambda spec: spec.kind)
@pytest.mark.parametrize("trainer", [Ridge(), Ridge(noise=0.0, warm_up=0)], ids=lambda trainer: trainer.label)
def test_it_passes_the_conformance_kit(spec, trainer: Ridge, lorenz32: Dataset):
    check_trainer(trainer, model=spec, data=lorenz32)


@pytest.mark.parametrize("strength", [1e-3, 1e-6])
def test_the_read_out_solves_least_squares_with_the_penalty_as_additional_rows(strength: float, lorenz: Dataset):
    """The rows are sqrt(n strength) I. Normal equations lose the condition number times rounding, 1e-9 here."""
    model = EchoStateNetwork(hidden=20).build(3, SEEDS).double()
    fitted(Ridge(regularisation=strength, noise=0.0, warm_up=40), model, lorenz)
    state, rows, targets = torch.zeros(2, 4, model.state_size, dtype=torch.float64), [], []
    for time in range(299):
        state, response = model.respond(state, lorenz.train[:, time].expand(2, -1, -1))
        if time >= 40:
            rows.append(response.numpy())
            targets.append(lorenz.train[:, time + 1].numpy())
    for seed in range(2):
        phi = np.concatenate([row[seed] for row in rows])
        whole = np.block(
            [[phi, np.ones((len(phi), 1))], [np.sqrt(len(phi) * strength) * np.eye(20), np.zeros((20, 1))]]
        )
        padded = np.concatenate([*targets, np.zeros((20, 3))])
        solution = np.linalg.lstsq(whole, padded, rcond=None)[0]
        assert_close(model.readout.weight[seed].numpy(), solution[:-1].T, atol=1e-7, rtol=1e-7)
        assert_close(model.readout.bias[seed, 0].numpy(), solution[-1], atol=1e-7, rtol=1e-7)


def test_a_linear_map_is_recovered_and_the_loss_is_the_residual(lorenz: Dataset):
    """Data from x' = A x + b are fitted exactly; on other data the loss is numpy's residual."""
    matrix = torch.tensor([[0.9, -0.4, 0.0], [0.4, 0.9, 0.1], [0.0, 0.0, 0.5]], dtype=torch.float64)
    orbits = [torch.randn(4, 3, dtype=torch.float64)]
    for _ in range(40):
        orbits.append(orbits[-1] @ matrix.T + 0.3)
    exact = replace(lorenz, train=torch.stack(orbits, dim=1))
    model = Linear(3).double()
    loss = fitted(Ridge(regularisation=1e-15, noise=0.0, warm_up=0), model, exact)
    assert_close(model.weight, matrix.expand(2, -1, -1), atol=1e-9, rtol=0)
    assert (loss < 1e-18).all()
    loss = fitted(Ridge(regularisation=1e-15, noise=0.0, warm_up=0), model, lorenz)
    before, after = lorenz.train[:, :-1].reshape(-1, 3).numpy(), lorenz.train[:, 1:].reshape(-1, 3).numpy()
    whole = np.column_stack([before, np.ones(len(before))])
    residual = ((whole @ np.linalg.lstsq(whole, after, rcond=None)[0] - after) ** 2).mean()
    assert loss.tolist() == pytest.approx([residual, residual], rel=1e-8)


def test_noise_shrinks_the_slopes_as_predicted(lorenz: Dataset):
    """C = cov(x', x) (cov(x) + s²)⁻¹ for noise s, up to 1 / sqrt(pairs) = 3 %; each seed has its own noise."""
    model = Linear(3).double()
    fitted(Ridge(regularisation=1e-15, noise=0.5, warm_up=0), model, lorenz)
    before, after = lorenz.train[:, :-1].flatten(0, 1), lorenz.train[:, 1:].flatten(0, 1)
    before, after = before - before.mean(dim=0), after - after.mean(dim=0)
    covariance = before.T @ before / len(before) + 0.25 * torch.eye(3, dtype=torch.float64)
    expected = (after.T @ before / len(before)) @ torch.linalg.inv(covariance)
    assert (model.weight - expected).abs().max() < 4 * len(before) ** -0.5
    assert not torch.equal(model.weight[0], model.weight[1])


def test_observations_in_the_warm_up_do_not_count(lorenz: Dataset):
    train = lorenz.train.clone()
    train[:, :50] += 5.0
    weights = []
    for data in (lorenz, replace(lorenz, train=train)):
        model = Linear(3).double()
        fitted(Ridge(warm_up=50), model, data)
        weights.append(model.weight)
    assert torch.equal(*weights)


def test_a_warm_up_as_long_as_the_orbits_is_rejected(lorenz: Dataset):
    reason = Ridge(warm_up=299).incompatibility(Lorenz63(), DataSpec(train_length=300), EchoStateNetwork())
    for part in ("warm_up", "300", "data.train_length"):
        assert part in (reason or "")
    with pytest.raises(DataError, match="do not fit"):
        Ridge(warm_up=299).check(lorenz)
    Ridge(warm_up=298).check(lorenz)
    assert torch.isfinite(fitted(Ridge(warm_up=298), Linear(3).double(), lorenz)).all()
