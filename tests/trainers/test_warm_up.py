"""A warm-up at the head of each window sets the state and does not enter the loss."""

import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import DataError
from chaosbench.models import LSTM, PLRNN, RNN, ModelSpec, ShallowPLRNN
from chaosbench.systems import Lorenz63
from chaosbench.theory.forced import forced_growth, windows_along
from chaosbench.trainers import (
    BPTT,
    SOFO,
    DySLIM,
    GeneralizedTeacherForcing,
    GradientFlossing,
    GradientTrainer,
    HorizonCurriculum,
    InvariantMeasure,
    JacobianMatching,
    MultipleShooting,
    ScheduledSampling,
    SparseTeacherForcing,
    TruncatedBPTT,
    WindowedBPTT,
    WindowTrainer,
)

SEEDS = (0, 1)
SMALL = {"updates": 2, "batch": 3, "sequence_length": 12}
TRAINERS = [
    BPTT(**SMALL),
    TruncatedBPTT(truncation=5, **SMALL),
    SparseTeacherForcing(interval=5, **SMALL),
    GeneralizedTeacherForcing(alpha=0.3, **SMALL),
    GeneralizedTeacherForcing(**SMALL),
    ScheduledSampling(probability=0.5, **SMALL),
    HorizonCurriculum(first=12, **SMALL),
    GradientFlossing(pretraining=0, **SMALL),
    GradientFlossing(pretraining=2, **SMALL),
    DySLIM(growth=1, **SMALL),
    DySLIM(growth=1, pushforward=True, **SMALL),
    InvariantMeasure(interval=5, onset=0.0, iterations=3, **SMALL),
]
KEEPING = [LSTM(hidden=6, form="closed_loop"), ShallowPLRNN(hidden=9, states=5)]
every_trainer = pytest.mark.parametrize("trainer", TRAINERS, ids=lambda trainer: trainer.label)


def loss_at(trainer: GradientTrainer, spec: ModelSpec, data: Dataset, windows: torch.Tensor) -> torch.Tensor:
    """Return the loss of these windows in the last update of a new training, `(K,)`."""
    model = spec.build(3, SEEDS).double()
    training = trainer.start(model, data, SEEDS)
    training.update = 2
    return trainer.loss(model, windows, training).detach()


def drawn(trainer: WindowTrainer, data: Dataset) -> torch.Tensor:
    training = trainer.start(RNN(hidden=3).build(3, SEEDS).double(), data, SEEDS)
    training.update = 2
    return trainer.windows(training)


@every_trainer
def test_a_warm_up_lengthens_windows_and_changes_no_loss_of_a_model_that_resets(
    trainer: GradientTrainer, lorenz: Dataset
):
    """The loss of windows with a head equals that of the same windows without it."""
    warmed = trainer.replaced(warm_up=7)
    windows = drawn(warmed, lorenz)
    assert windows.shape[2] == drawn(trainer, lorenz).shape[2] + 7
    for spec in (RNN(hidden=6), PLRNN(hidden=6)):
        expected = loss_at(trainer, spec, lorenz, windows[:, :, 7:])
        assert_close(loss_at(warmed, spec, lorenz, windows), expected, atol=1e-13, rtol=1e-12)


@every_trainer
@pytest.mark.parametrize("spec", KEEPING, ids=lambda spec: spec.label)
def test_a_model_that_keeps_a_part_of_its_state_is_trained_from_the_state_after_the_warm_up(
    trainer: GradientTrainer, spec: ModelSpec, lorenz: Dataset
):
    """A model built with the state after the warm-up as its start has the same loss on windows without a head."""
    warmed = trainer.replaced(warm_up=7)
    windows = drawn(warmed, lorenz)
    with pytest.MonkeyPatch.context() as patch:
        start = spec.build(3, SEEDS).double().initial_state(windows[:, :, :8])
        kind = type(spec.build(3, SEEDS))
        patch.setattr(kind, "initial_state", lambda _, history: start[:, : history.shape[1]])
        expected = None if _estimates(trainer) else loss_at(trainer, spec, lorenz, windows[:, :, 7:])
    if expected is not None:
        actual = loss_at(warmed, spec, lorenz, windows)
        assert_close(actual, expected, atol=1e-12, rtol=1e-10)
        assert not torch.allclose(actual, loss_at(trainer, spec, lorenz, windows[:, :, 7:]))


def _estimates(trainer: GradientTrainer) -> bool:
    """Return True if the loss needs states at other observations, too."""
    return isinstance(trainer, GeneralizedTeacherForcing) and trainer.alpha == "adaptive"


def test_gradients_pass_through_the_warm_up(lorenz: Dataset):
    """The gradient equals that of a loss written out as forcings, steps and errors."""
    trainer, model = BPTT(warm_up=4, **SMALL), LSTM(hidden=5, form="closed_loop").build(3, SEEDS).double()
    windows = drawn(trainer, lorenz)
    trainer.loss(model, windows, trainer.start(model, lorenz, SEEDS)).sum().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    state, errors = model.force(torch.zeros(2, 3, model.state_size, dtype=torch.float64), windows[:, :, 0]), []
    for time in range(1, windows.shape[2]):
        state = model.step(state)
        if time <= 4:
            state = model.force(state, windows[:, :, time])
        else:
            errors.append((model.observe(state) - windows[:, :, time]).square())
    torch.stack(errors).mean(dim=(0, 2, 3)).sum().backward()
    for name, parameter in model.named_parameters():
        assert_close(gradients[name], parameter.grad, atol=1e-12, rtol=1e-9)


def test_forward_mode_warms_up_like_backpropagation(lorenz: Dataset):
    trainer, model = SOFO(directions=3, warm_up=4, **SMALL), LSTM(hidden=5, form="closed_loop").build(3, SEEDS).double()
    windows = drawn(trainer, lorenz)
    loss = trainer.gradient(model, windows, trainer.start(model, lorenz, SEEDS))
    other = BPTT(warm_up=4, **SMALL)
    assert_close(loss, other.loss(model, windows, other.start(model, lorenz, SEEDS)).detach())


def test_products_of_jacobians_are_followed_from_the_end_of_the_warm_up(lorenz: Dataset):
    """The product over one step is the Jacobian at the state after the warm-up."""
    model = LSTM(hidden=5, form="closed_loop").build(3, SEEDS).double()
    trainer = BPTT(warm_up=9, **SMALL)
    scheme = trainer.forcing_scheme(trainer.start(model, lorenz, SEEDS))
    windows = windows_along(lorenz.train, scheme, count=3, seeds=2)
    assert windows.shape[2] == 9 + 12 + 1
    state = model.initial_state(windows[:, :, :10])
    identity = torch.eye(model.state_size, dtype=torch.float64).expand(2, 3, -1, -1).contiguous()
    _, jacobian = model.tangent_step(state, identity)
    growth = forced_growth(model, windows, scheme)
    assert_close(growth.values[..., 0], torch.linalg.matrix_norm(jacobian, 2).log())


@pytest.mark.parametrize("kind", [WindowedBPTT, MultipleShooting, JacobianMatching])
def test_trainers_whose_states_do_not_come_from_a_history_refuse_a_warm_up(kind: type[WindowTrainer]):
    with pytest.raises(ValidationError, match=r"warm_up = 3"):
        kind(warm_up=3)


def test_a_warm_up_that_does_not_fit_into_the_orbits_is_refused(lorenz: Dataset):
    length = lorenz.train.shape[1]
    trainer = BPTT(sequence_length=length - 10, warm_up=10)
    reason = trainer.incompatibility(Lorenz63(), DataSpec(train_length=length), RNN())
    assert reason is not None
    for part in ("warm_up", "sequence_length", str(length)):
        assert part in reason
    with pytest.raises(DataError):
        trainer.check(lorenz)
    BPTT(sequence_length=length - 10, warm_up=9).check(lorenz)
