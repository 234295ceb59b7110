"""Generalised teacher forcing between its limits, and the estimates of Jacobians that set its alpha."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.linalg import expm, logm
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.models import LSTM, PLRNN, RNN, ModelSpec, ShallowPLRNN
from chaosbench.trainers import BPTT, GeneralizedTeacherForcing, SparseTeacherForcing
from chaosbench.trainers.forcing import blended_unroll
from chaosbench.trainers.jacobians import jacobian_size, jacobians

SEEDS = (0, 1)
MODELS = [RNN(hidden=6), LSTM(hidden=4), ShallowPLRNN(hidden=9), ShallowPLRNN(hidden=9, states=5)]
every_model = pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)


def windows_of(steps: int) -> torch.Tensor:
    return torch.randn(2, 3, steps + 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def gradients_of(trainer, spec: ModelSpec, data: Dataset):
    model = spec.build(3, SEEDS).double()
    training = trainer.start(model, data, SEEDS)
    training.update = 1
    trainer.loss(model, windows_of(12), training).sum().backward()
    return [parameter.grad for parameter in model.parameters()]


@every_model
@pytest.mark.parametrize(("alpha", "end"), [(0.0, BPTT()), (1.0, SparseTeacherForcing(interval=1))])
def test_alpha_0_is_backpropagation_and_alpha_1_forces_at_every_step(spec: ModelSpec, alpha, end, lorenz: Dataset):
    for gradient, other in zip(
        gradients_of(GeneralizedTeacherForcing(alpha=alpha), spec, lorenz), gradients_of(end, spec, lorenz), strict=True
    ):
        assert (gradient is None) == (other is None)
        if gradient is not None:
            assert_close(gradient, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_a_gradient_shrinks_by_one_minus_alpha_with_every_step(alpha: float):
    """dz_t / dz_0 is the product of (1 - alpha) J: for a linear network, (1 - alpha)^(t - 1) J^t."""
    model = ShallowPLRNN(hidden=4, states=3).build(3, SEEDS).double()
    with torch.no_grad():
        model.outward.zero_()
    windows = windows_of(5).requires_grad_()
    predicted = blended_unroll(model, windows, torch.full((2, 1, 4), alpha, dtype=torch.float64))
    (slope,) = torch.autograd.grad(predicted[:, 0, 4].sum(), windows)
    expected = (1 - alpha) ** 4 * model.diagonal[:, 0] ** 5
    assert_close(slope[:, 0, 0], expected.detach(), rtol=1e-12, atol=1e-14)


def shallow_jacobians(model, windows: np.ndarray) -> np.ndarray:
    """diag(A) + W1 diag(W2 z + h2 > 0) W2 at every observation but the last, `(K, B, T, M, M)`."""
    a, w1, w2, h2 = (value.detach().numpy() for value in (model.diagonal, model.outward, model.inward, model.threshold))
    matrices = np.empty((*windows.shape[:2], windows.shape[2] - 1, 3, 3))
    for k, b, t in np.ndindex(*matrices.shape[:3]):
        slope = windows[k, b, t] @ w2[k] + h2[k, 0] > 0
        matrices[k, b, t] = np.diag(a[k, 0]) + w1[k].T @ np.diag(slope.astype(float)) @ w2[k].T
    return matrices


def test_jacobians_and_all_estimates_of_their_size_equal_direct_computation():
    model, windows = ShallowPLRNN(hidden=9).build(3, SEEDS).double(), windows_of(7)
    direct = shallow_jacobians(model, windows.numpy())
    assert_close(jacobians(model, windows[:, 0, :-1]).detach(), torch.from_numpy(direct[:, 0]))
    norms = np.linalg.norm(direct, 2, axis=(-2, -1))
    logarithms = np.array([logm(matrix) for matrix in direct.reshape(-1, 3, 3)]).reshape(direct.shape).mean(axis=2)
    a, w1, w2 = (value.detach().numpy() for value in (model.diagonal, model.outward, model.inward))
    expected = {
        "jacobian_upper_bound": [
            abs(a[k]).max() + np.linalg.norm(w1[k], 2) * np.linalg.norm(w2[k], 2) for k in range(2)
        ],
        "batch_maximum": norms.max(axis=(1, 2)),
        "product_upper_bound": np.exp(np.log(norms).mean(axis=2)).max(axis=1),
        "arithmetic_mean": np.linalg.norm(direct.mean(axis=2), 2, axis=(-2, -1)).max(axis=1),
        "explog_approximation": [max(np.linalg.norm(expm(matrix), 2) for matrix in logarithms[k]) for k in range(2)],
    }
    for name, value in expected.items():
        size = jacobian_size(model, windows, name)
        assert_close(size, torch.as_tensor(np.asarray(value)), rtol=1e-9, atol=1e-12, msg=lambda text, n=name: n + text)


def test_the_upper_bound_bounds_the_maximum_that_bounds_the_geometric_mean():
    for spec in (PLRNN(hidden=5), ShallowPLRNN(hidden=9), ShallowPLRNN(hidden=9, clipped=True)):
        model, windows = spec.build(3, SEEDS).double(), windows_of(7)
        sizes = [
            jacobian_size(model, windows, name)
            for name in ("jacobian_upper_bound", "batch_maximum", "product_upper_bound")
        ]
        assert (sizes[0] >= sizes[1]).all()
        assert (sizes[1] >= sizes[2]).all()


def test_an_adaptive_alpha_rises_at_once_and_falls_slowly(lorenz: Dataset):
    trainer = GeneralizedTeacherForcing(estimator="batch_maximum", momentum=0.9, every=1, momentum_updates=None)
    model, windows = ShallowPLRNN(hidden=9).build(3, SEEDS).double(), 3 * windows_of(7)
    with torch.no_grad():
        model.outward.mul_(20)
    training = trainer.start(model, lorenz, SEEDS)
    training.update = 1
    target = (1 - 1 / jacobian_size(model, windows, "batch_maximum")).clamp(min=0)
    assert ((target > 0) & (target < 1)).all()
    assert_close(trainer.next_alpha(model, windows, training), 0.9 + 0.1 * target)
    training.extra_state["alpha"] = target / 2
    assert_close(trainer.next_alpha(model, windows, training), target)


def falling_alpha(trainer: GeneralizedTeacherForcing, data: Dataset) -> list[float]:
    """Return alpha at every update of a training whose Jacobians are zero, so that alpha* is 0 all the time."""
    model, windows = RNN(hidden=2).build(3, (0,)).double(), windows_of(3)[:1]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    training = trainer.start(model, data, (0,))
    alphas = []
    for _ in range(trainer.updates):
        training.update += 1
        training.extra_state["alpha"] = trainer.next_alpha(model, windows, training)
        alphas.append(float(training.extra_state["alpha"]))
    return alphas


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(estimates=st.integers(1, 30), every=st.integers(1, 4), momentum=st.floats(0.01, 0.999))
def test_alpha_falls_as_far_in_a_training_of_any_length(lorenz: Dataset, estimates: int, every: int, momentum: float):
    """n / every estimates that keep g = momentum^(N / n) of alpha leave momentum^(N / every), for every length n."""
    fields = {"momentum": momentum, "every": every, "momentum_updates": 40}
    short = GeneralizedTeacherForcing(updates=estimates * every, **fields)
    assert falling_alpha(short, lorenz)[-1] == pytest.approx(momentum ** (40 / every), rel=1e-9, abs=1e-300)


def test_alpha_has_fallen_equally_after_the_same_share_of_a_short_and_of_a_long_training(lorenz: Dataset):
    short, long = (
        falling_alpha(GeneralizedTeacherForcing(updates=n, every=1, momentum=0.9, momentum_updates=20), lorenz)
        for n in (20, 60)
    )
    assert short == pytest.approx(long[2::3], rel=1e-12)


def test_a_training_of_the_published_length_has_the_published_momentum():
    """Hess et al. 2023, code: 250,000 updates with a momentum of 0.999 every 5 updates."""
    trainer = GeneralizedTeacherForcing()
    assert (trainer.updates, trainer.every, trainer.scaled_momentum) == (250_000, 5, 0.999)
    assert GeneralizedTeacherForcing(updates=12_000).scaled_momentum ** (12_000 / 5) == pytest.approx(0.999**50_000)


def test_alpha_is_estimated_only_when_due_and_is_nan_for_a_diverged_seed(lorenz: Dataset):
    trainer = GeneralizedTeacherForcing(every=5)
    model, windows = RNN(hidden=6).build(3, SEEDS).double(), windows_of(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter[1] = torch.nan
    training = trainer.start(model, lorenz, SEEDS)
    training.update = 5
    assert torch.equal(trainer.next_alpha(model, windows, training), torch.ones(2, dtype=torch.float64))
    training.update = 6
    alpha = trainer.next_alpha(model, windows, training)
    assert alpha[0] < 1
    assert alpha[1].isnan()


def test_an_annealed_alpha_changes_linearly(lorenz: Dataset):
    trainer = GeneralizedTeacherForcing(alpha=0.8, final_alpha=0.2, updates=10)
    model = RNN(hidden=6).build(3, SEEDS)
    training = trainer.start(model, lorenz, SEEDS)
    training.update = 6
    assert_close(trainer.next_alpha(model, windows_of(5), training), torch.full((2,), 0.5, dtype=torch.float64))


def test_an_adaptive_alpha_has_no_final_value():
    with pytest.raises(ValidationError, match="final_alpha"):
        GeneralizedTeacherForcing(final_alpha=0.1)
