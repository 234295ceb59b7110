"""Gradient flossing: differentiable exponents, and the targets to which they are moved."""

import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.dynamics import finite_time_exponents, lyapunov_spectrum
from chaosbench.errors import DataError
from chaosbench.models import LSTM, RNN, ModelSpec, ShallowPLRNN
from chaosbench.systems import Henon, Lorenz63
from chaosbench.trainers import GradientFlossing
from chaosbench.trainers.gradient_flossing import differentiable_exponents

SEEDS = (0, 1)


def starts(model, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(model.seeds, batch, model.state_size, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("spec", [RNN(hidden=5), LSTM(hidden=3), ShallowPLRNN(hidden=9)], ids=lambda spec: spec.label)
def test_all_exponents_together_are_the_mean_logarithm_of_the_determinant(spec: ModelSpec):
    """Their sum is the only finite-time quantity that does not depend on the initial tangents."""
    model = spec.build(3, SEEDS).double()
    state = starts(model)
    exponents = differentiable_exponents(model, state, steps=6, exponents=model.state_size)
    other = finite_time_exponents(model, state, steps=6)
    assert_close(exponents.sum(-1), other.sum(-1), rtol=1e-9, atol=1e-9)


def test_growth_adds_up_over_a_transient_and_the_steps_after_it():
    """The logarithms of all m + n steps are those of the first m, plus those of n steps after m of alignment."""
    model = RNN(hidden=5).build(3, SEEDS).double()
    state, settings = starts(model), {"exponents": 4}
    whole = 9 * differentiable_exponents(model, state, steps=9, **settings)
    first = 4 * differentiable_exponents(model, state, steps=4, **settings)
    assert_close(whole - first, 5 * differentiable_exponents(model, state, steps=5, transient=4, **settings))


def test_its_defaults_are_those_of_the_published_code(lorenz: Dataset):
    """N, nLE = 80, 75; Tp = 55, of which growth counts after 10 + ceil(Tp / 10) steps; no weight decay."""
    trainer = GradientFlossing()
    assert len(trainer.extra_state(RNN(hidden=80).build(3, SEEDS).double(), lorenz)["target"]) == 75
    counted = []
    model = RNN(hidden=4).build(3, (0,)).double()
    step = model.tangent_step
    model.tangent_step = lambda *arguments: (counted.append(1), step(*arguments))[1]
    training = trainer.start(model, lorenz, (0,))
    counted.clear()
    training.update = 1
    loss = trainer.loss(model, trainer.windows(training), training)
    assert len(counted) == 55
    training.windows[0] = trainer.start(model, lorenz, (0,)).windows[0]
    start = model.initial_state(trainer.windows(training)[:, :1, :1])
    exponents = differentiable_exponents(model, start, steps=39, transient=16, exponents=4)
    assert_close(loss, exponents.square().mean(dim=(1, 2)))
    assert trainer.weight_decay == 0


def test_exponents_of_directions_that_a_closed_loop_forgets_are_not_moved(lorenz: Dataset):
    """The output is a function of the hidden state: S = M + 3, but Jacobians have at most rank M."""
    model = RNN(hidden=6, form="closed_loop").build(3, SEEDS).double()
    assert model.state_size == 9
    trainer = GradientFlossing(exponent_share=1.0, batch=2, sequence_length=7)
    training = trainer.start(model, lorenz, SEEDS)
    assert len(training.extra_state["target"]) == 6
    training.update = 1
    trainer.loss(model, trainer.windows(training), training).sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


def test_a_horizon_without_steps_that_count_is_rejected():
    with pytest.raises(ValidationError, match="horizon"):
        GradientFlossing(horizon=11)
    assert GradientFlossing(horizon=11, transient=0).horizon == 11


def test_the_gradient_of_the_exponents_equals_that_of_the_logarithm_of_singular_values():
    """The sum over all directions is the mean of ln |det|, which torch differentiates without any QR."""
    model = RNN(hidden=4).build(3, SEEDS).double()
    state = starts(model)
    differentiable_exponents(model, state, steps=3, exponents=4).sum().backward()
    gradient = model.weight.grad.clone()
    model.zero_grad()
    total = 0.0
    for k in range(2):
        for z in state[k]:
            for _ in range(3):
                z = torch.tanh(model.weight[k] @ z + model.bias[k, 0])  # the orbit
                jacobian = (1 - z.square())[:, None] * model.weight[k]
                total = total + torch.linalg.slogdet(jacobian).logabsdet / 3
    total.backward()
    assert_close(gradient, model.weight.grad, rtol=1e-9, atol=1e-10)


def test_loss_and_gradient_of_a_scaled_identity_have_closed_forms(lorenz: Dataset):
    """z' = a z: every exponent is ln a, so L = (ln a - t)², and dL / da_i = 2 / 3 (ln a - t) / a by ln |det|."""
    model = ShallowPLRNN(hidden=1, states=3).build(3, SEEDS).double()
    scales = torch.tensor([0.5, 1.5], dtype=torch.float64)
    with torch.no_grad():
        model.threshold.fill_(-1e3)  # the hidden unit is silent
        model.outward.zero_()
        model.diagonal.copy_(scales[:, None, None].expand_as(model.diagonal))
    trainer = GradientFlossing(target=-0.3, conditions=2, batch=2, sequence_length=7)
    training = trainer.start(model, lorenz, SEEDS)
    training.update = 1
    loss = trainer.loss(model, trainer.windows(training), training)
    loss.sum().backward()
    assert_close(loss.detach(), (scales.log() + 0.3).square())
    expected = 2 / 3 * (scales.log() + 0.3) / scales
    assert_close(model.diagonal.grad, expected[:, None, None].expand_as(model.diagonal))


@pytest.mark.parametrize("target", [0.0, -0.3])
def test_flossing_moves_the_spectrum_to_its_target(target: float, lorenz32: Dataset):
    """Another routine, over ten times as many steps, finds the distance from the target reduced to a tenth."""
    trainer = GradientFlossing(
        target=target, exponents=3, pretraining=250, episodes=0, updates=250, batch=4, conditions=4,
        sequence_length=1, horizon=30, transient=0, alignment=0.0, learning_rate=5e-3, clip_norm=None,
    )  # fmt: skip
    model = RNN(hidden=8).build(3, SEEDS)

    def distance() -> torch.Tensor:
        start = model.initial_state(lorenz32.train[:, :1].expand(2, -1, -1, -1).contiguous()).detach()
        spectra = lyapunov_spectrum(model, start, steps=300, exponents=3)
        return (spectra.mean(dim=1) - target).abs().mean(dim=1)

    before = distance()
    for _ in trainer.fit(model, lorenz32, SEEDS):
        pass
    assert (distance() < before / 10).all()


def test_the_target_may_be_the_spectrum_of_the_data(lorenz: Dataset):
    model = RNN(hidden=8).build(3, SEEDS).double()
    target = GradientFlossing(target="system").extra_state(model, lorenz)["target"]
    assert_close(target, 0.01 * torch.tensor(Lorenz63().reference.exponents, dtype=torch.float64))
    # The trace of the vector field, -(sigma + 1 + beta), is the sum of its exponents.
    assert float(target.sum()) == pytest.approx(-0.01 * (10 + 1 + 8 / 3), rel=1e-3)


def test_an_unknown_spectrum_is_rejected_as_a_target(lorenz: Dataset):
    with pytest.raises(DataError, match="lower exponents, or certify"):
        GradientFlossing(target="system", exponents=4).check(lorenz)
    assert Henon().reference is not None


def test_flossing_comes_before_training_and_in_episodes_during_it():
    trainer = GradientFlossing(pretraining=3, every=2, episode=1, episodes=2)
    schedule = "".join("f" if trainer.flosses(update) else "t" for update in range(1, 13))
    assert schedule == "fff" + "ttf" * 2 + "ttt"
