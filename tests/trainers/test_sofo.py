"""Forward-mode second-order steps, against backpropagation and direct curvature."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.multiprocessing.reductions import StorageWeakRef
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.models import LSTM, RNN, ModelSpec, ShallowPLRNN
from chaosbench.trainers import BPTT, SOFO
from chaosbench.trainers.sofo import FreeRun, forward_derivatives

SEEDS = (0, 1)
MODELS = [RNN(hidden=5), LSTM(hidden=3), ShallowPLRNN(hidden=9, states=4)]
TRAINER = SOFO(directions=6, batch=4, sequence_length=12, updates=40)
every_model = pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)


def flat(values, k: int) -> torch.Tensor:
    return torch.cat([value[k].flatten() for value in values])


@every_model
def test_the_gradient_is_that_of_backpropagation_projected_on_the_directions(spec: ModelSpec, lorenz: Dataset):
    """V Vᵀ g, with the columns of V of unit norm."""
    model = spec.build(3, SEEDS).double()
    training = TRAINER.start(model, lorenz, SEEDS)
    directions = TRAINER.random_directions(model, TRAINER.start(model, lorenz, SEEDS))
    windows = TRAINER.windows(training)
    loss = TRAINER.gradient(model, windows, training)
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    expected = BPTT().loss(model, windows, training)
    expected.sum().backward()
    assert_close(loss, expected.detach())
    for k in range(2):
        basis = torch.stack([flat([v[p] for v in directions.values()], k) for p in range(6)])
        assert_close(basis.square().sum(1), torch.ones(6, dtype=torch.float64))
        gradient = flat([p.grad if p.grad is not None else 0 * p.detach() for p in model.parameters()], k)
        assert_close(flat(gradients, k), basis.T @ (basis @ gradient), rtol=1e-9, atol=1e-12)


@every_model
def test_forward_derivatives_equal_finite_differences(spec: ModelSpec, lorenz: Dataset):
    model = spec.build(3, SEEDS).double()
    training = TRAINER.start(model, lorenz, SEEDS)
    windows, directions = TRAINER.windows(training), TRAINER.random_directions(model, training)
    predicted, derivatives = forward_derivatives(model, windows, directions)
    ends = []
    for sign in (1, -1):
        moved = spec.build(3, SEEDS).double()
        with torch.no_grad():
            for name, parameter in moved.named_parameters():
                parameter.add_(sign * 1e-6 * directions[name][2])
            ends.append(moved.predict(moved.initial_state(windows[:, :, :1]), 12)[0])
    assert_close(derivatives[2], (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-7)
    assert_close(predicted, model.predict(model.initial_state(windows[:, :, :1]), 12)[0].detach())


def test_directions_in_several_blocks_have_the_derivatives_of_single_ones(lorenz: Dataset):
    """They are equal up to rounding, since products over fewer directions round differently."""
    model, many = RNN(hidden=5).build(3, SEEDS).double(), TRAINER.replaced(directions=53)
    training = many.start(model, lorenz, SEEDS)
    windows, directions = many.windows(training), many.random_directions(model, training)
    _, together = forward_derivatives(model, windows, directions)
    assert len(together) == 53
    for p in (0, 24, 25, 52):
        _, alone = forward_derivatives(model, windows, {name: value[p : p + 1] for name, value in directions.items()})
        assert_close(together[p], alone[0])


def test_the_step_solves_the_damped_gauss_newton_system(lorenz: Dataset):
    """V (G + damping s_max)⁻¹ g with G = 2 / n Yᵀ Y and g = 2 / n Yᵀ r, by a linear solver."""
    model = RNN(hidden=5).build(3, SEEDS).double()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    training = TRAINER.start(model, lorenz, SEEDS)
    windows = TRAINER.windows(training)
    directions = TRAINER.random_directions(model, TRAINER.start(model, lorenz, SEEDS))
    predicted, tangents = forward_derivatives(model, windows, directions)
    TRAINER.gradient(model, windows, training)
    TRAINER.advance(model, training)
    for k in range(2):
        y, residual = tangents[:, k].flatten(1), (predicted - windows[:, :, 1:])[k].flatten()
        curvature, slopes = 2 / len(residual) * y @ y.T, 2 / len(residual) * y @ residual
        largest = torch.linalg.matrix_norm(curvature, 2)
        step = torch.linalg.solve(curvature + 1e-5 * largest * torch.eye(6), slopes)
        basis = torch.stack([flat([v[p] for v in directions.values()], k) for p in range(6)])
        moved = flat(before, k) - flat([parameter.detach() for parameter in model.parameters()], k)
        assert_close(moved, 0.01 * basis.T @ step, rtol=1e-6, atol=1e-10)


def test_as_many_directions_as_parameters_fit_a_linear_map_in_one_step(lorenz: Dataset):
    """A full Gauss-Newton step, at learning rate 1, minimises a quadratic loss: one step of a linear network."""
    model = ShallowPLRNN(hidden=1, states=3).build(3, (0,)).double()
    with torch.no_grad():
        model.threshold.fill_(-1e3)  # the hidden unit is silent: the prediction is linear in A and h1
    trainer = SOFO(directions=60, damping=1e-12, learning_rate=1.0, batch=30, sequence_length=1, updates=2)
    training = trainer.start(model, lorenz, (0,))
    windows = trainer.windows(training)
    trainer.gradient(model, windows, training)
    trainer.advance(model, training)
    x, target = windows[0, :, 0], windows[0, :, 1]
    for d in range(3):
        design = torch.stack([x[:, d], torch.ones(30, dtype=torch.float64)], dim=1)
        best = torch.linalg.lstsq(design, target[:, d]).solution
        assert_close(model.step(x[None])[0, :, d].detach(), design @ best, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spec", [LSTM(hidden=3), LSTM(hidden=3, form="closed_loop")], ids=lambda spec: spec.label)
def test_only_the_last_state_keeps_its_tangents(spec: ModelSpec, lorenz: Dataset):
    """Observations are a part of the state; a view of it would keep the tangents of the whole state alive."""
    model = spec.build(3, SEEDS).double()
    step, tangents, alive = model.step, [], []

    def counting_step(state):
        following = step(state)
        tangents.append(StorageWeakRef(forward_ad.unpack_dual(following).tangent.untyped_storage()))
        alive.append(sum(not tangent.expired() for tangent in tangents))
        return following

    model.step = counting_step
    with torch.no_grad(), forward_ad.dual_level():
        duals = {f"model.{name}": forward_ad.make_dual(p, torch.ones_like(p)) for name, p in model.named_parameters()}
        torch.func.functional_call(FreeRun(model), duals, (TRAINER.windows(TRAINER.start(model, lorenz, SEEDS)),))
    assert alive == [1, *[2] * 11]  # the new state and the one before
