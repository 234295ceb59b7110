"""Training of K seeds at once: independence, clipping, schedules, repeatability, and checkpoints."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec
from chaosbench.errors import DataError
from chaosbench.models import LSTM, PLRNN, RNN, ModelSpec, ShallowPLRNN
from chaosbench.seeds import seed_generator
from chaosbench.series import TimeSeries
from chaosbench.systems import Duffing, Lorenz63, MackeyGlass, SystemSpec
from chaosbench.testing import check_trainer
from chaosbench.trainers import (
    BPTT,
    SOFO,
    DySLIM,
    GeneralizedTeacherForcing,
    GradientFlossing,
    HorizonCurriculum,
    InvariantMeasure,
    JacobianMatching,
    MultipleShooting,
    ScheduledSampling,
    SparseTeacherForcing,
    TrainerSpec,
    TruncatedBPTT,
    WindowedBPTT,
    WindowTrainer,
)
from chaosbench.trainers.descent import clip_gradients, clip_values, gradient_norms
from chaosbench.trainers.regularisers import conditioning_penalty, manifold_attractor_penalty

MODELS = [RNN(hidden=8), LSTM(hidden=8), PLRNN(hidden=8), ShallowPLRNN(hidden=12)]
SMALL = {"updates": 12, "batch": 4, "sequence_length": 25}
FLOSSING = {"pretraining": 3, "every": 2, "episode": 2, "episodes": 2}
TRAINERS = [
    SparseTeacherForcing(interval=7, **SMALL),
    BPTT(**SMALL),
    TruncatedBPTT(truncation=6, **SMALL),
    WindowedBPTT(window=6, clip_value=0.01, **SMALL),
    SparseTeacherForcing(interval=7, optimizer="radam", final_learning_rate=1e-5, clip_norm=0.1, **SMALL),
]
KINDS = [
    BPTT(clip_norm=None, **SMALL),
    WindowedBPTT(window=40, **SMALL),
    SparseTeacherForcing(interval="autocorrelation", spread=9, anneal=True, **SMALL),
    GeneralizedTeacherForcing(**SMALL),
    GeneralizedTeacherForcing(alpha=0.5, final_alpha=0.0, **SMALL),
    ScheduledSampling(**SMALL),
    MultipleShooting(interval=6, **SMALL),
    HorizonCurriculum(schedule="cosine", final_learning_rate=1e-5, **SMALL),
    GradientFlossing(**FLOSSING, **SMALL),
    GradientFlossing(target="system", **FLOSSING, **SMALL),
    DySLIM(growth=3, **SMALL),
    DySLIM(growth=3, pushforward=True, **SMALL),
    InvariantMeasure(iterations=8, onset=0.5, **SMALL),
    InvariantMeasure(distance="sliced_wasserstein", onset=0.0, **SMALL),
    JacobianMatching(updates=12, batch=9),
    SOFO(directions=7, **SMALL),
]
every_model = pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.label)
every_trainer = pytest.mark.parametrize("trainer", TRAINERS, ids=lambda trainer: trainer.label)
every_kind = pytest.mark.parametrize("trainer", KINDS, ids=lambda trainer: trainer.label)


def test_a_seed_sees_the_same_windows_alone_and_with_others(lorenz32: Dataset):
    group = [seed_generator(seed, "windows") for seed in (3, 5, 8)]
    alone = [seed_generator(5, "windows")]
    for _ in range(3):
        assert torch.equal(lorenz32.windows(6, 20, group)[1], lorenz32.windows(6, 20, alone)[0])


def test_windows_are_stretches_of_training_orbits(lorenz32: Dataset):
    windows = lorenz32.windows(6, 20, [seed_generator(0, "windows")])
    assert windows.shape == (1, 6, 21, 3)
    stretches = lorenz32.train.unfold(1, 21, 1).mT
    for window in windows[0]:
        assert (stretches == window).flatten(2).all(dim=-1).any()


@every_model
@every_trainer
def test_every_model_and_trainer_pass_the_conformance_kit(spec: ModelSpec, trainer: TrainerSpec, lorenz32: Dataset):
    """Among others: a seed trains alike alone and with others, repeats itself, and diverges on its own."""
    check_trainer(trainer, model=spec, data=lorenz32)


@pytest.mark.parametrize("spec", [RNN(hidden=5), ShallowPLRNN(hidden=9, states=4)], ids=lambda spec: spec.label)
@every_kind
def test_every_kind_passes_the_conformance_kit(spec: ModelSpec, trainer: TrainerSpec, lorenz32: Dataset):
    """Once with forcing of the whole state, once with forcing of a part of it."""
    check_trainer(trainer, model=spec, data=lorenz32)


@every_model
@every_trainer
def test_training_changes_every_parameter(spec: ModelSpec, trainer: TrainerSpec, lorenz32: Dataset):
    model, start = spec.build(3, (0, 1)), spec.build(3, (0, 1))
    for _ in trainer.fit(model, lorenz32, (0, 1)):
        pass
    for after, before in zip(model.parameters(), start.parameters(), strict=True):
        assert not torch.equal(after, before)


@pytest.mark.parametrize("trainer", [*TRAINERS, *KINDS], ids=lambda trainer: trainer.label)
def test_training_continued_from_a_checkpoint_equals_uninterrupted_training(trainer: WindowTrainer, lorenz32: Dataset):
    """To the last bit, in a model with other initial weights, for an early and a later checkpoint."""
    spec, seeds = ShallowPLRNN(hidden=9), (3, 5)
    whole, checkpoints = spec.build(3, seeds), []
    for step in trainer.fit(whole, lorenz32, seeds):
        if step.update in (1, 5):
            checkpoints.append(step.checkpoint())
    for checkpoint in checkpoints:
        model = spec.build(3, (1, 2))
        updates = [step.update for step in trainer.fit(model, lorenz32, seeds, checkpoint)]
        assert updates == list(range(int(checkpoint["update"]) + 1, 13))
        for name, value in whole.state_dict().items():
            assert torch.equal(model.state_dict()[name], value), name


def test_gradients_are_clipped_seed_by_seed():
    model = RNN(hidden=8).build(3, (0, 1))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
        parameter.grad[1] *= 1e-3
    before = gradient_norms(model)
    flat = torch.cat([parameter.grad[0].flatten() for parameter in model.parameters()])
    assert_close(before[0], torch.linalg.vector_norm(flat))
    clip_gradients(model, 0.5)
    assert_close(gradient_norms(model), torch.stack([torch.tensor(0.5), before[1]]))


def test_clipping_by_value_bounds_every_entry_and_keeps_small_entries():
    model = RNN(hidden=8).build(3, (0, 1))
    for parameter in model.parameters():
        parameter.grad = torch.linspace(-1, 1, parameter.numel()).view_as(parameter).clone()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    clip_values(model, 0.3)
    for parameter, gradient in zip(model.parameters(), before, strict=True):
        assert torch.equal(
            parameter.grad, torch.maximum(torch.minimum(gradient, torch.tensor(0.3)), -torch.tensor(0.3))
        )


def test_a_window_as_long_as_the_sequence_is_one_free_run_from_zero(lorenz: Dataset):
    model = RNN(hidden=8).build(3, (0, 1)).double()
    windows = lorenz.windows(4, 25, [seed_generator(0, "w"), seed_generator(1, "w")])
    state = torch.zeros(2, 4, 8, dtype=torch.float64)
    expected = (model.observe(model.unroll(state, 25)) - windows[:, :, 1:]).square().mean(dim=(1, 2, 3))
    trainer = WindowedBPTT(window=25, **SMALL)
    assert_close(trainer.loss(model, windows, trainer.start(model, lorenz, (0, 1))), expected)


def test_truncation_to_the_whole_window_is_plain_backpropagation(lorenz: Dataset):
    """No cut falls inside the window, so every update is the same; a kernel may add in another order."""
    losses = [
        torch.stack([step.loss for step in trainer.fit(RNN(hidden=5).build(3, (0, 1)).double(), lorenz, (0, 1))])
        for trainer in (TruncatedBPTT(truncation=25, clip_norm=1.0, **SMALL), BPTT(**SMALL))
    ]
    assert_close(*losses, rtol=1e-10, atol=0)


@pytest.mark.parametrize("field", ["truncation", "window"])
def test_backpropagation_through_whole_windows_has_no_field_that_cuts(field: str):
    with pytest.raises(ValidationError, match=field):
        BPTT.model_validate({field: 30})


def test_windows_longer_than_the_orbits_are_rejected_before_training(lorenz: Dataset):
    with pytest.raises(DataError, match="do not fit"):
        BPTT(sequence_length=300).check(lorenz)
    periodic = replace(lorenz, largest_exponent=-1.0)
    with pytest.raises(DataError, match="not chaotic"):
        SparseTeacherForcing(sequence_length=20).check(periodic)


def test_schedules_start_at_the_learning_rate_and_follow_their_formulas():
    rates = {"learning_rate": 1e-2, "final_learning_rate": 1e-5}
    exponential = BPTT(**rates)
    assert exponential.learning_rate_at(0.5) == pytest.approx((1e-2 * 1e-5) ** 0.5)
    assert exponential.learning_rate_at(1.0) == pytest.approx(1e-5)
    cosine = BPTT(schedule="cosine", **rates)
    assert cosine.learning_rate_at(0.5) == pytest.approx((1e-2 + 1e-5) / 2)
    assert cosine.learning_rate_at(1 / 3) == pytest.approx(1e-5 + (1e-2 - 1e-5) * 0.75)
    steps = BPTT(schedule="multi_step", **rates)
    rates_of_steps = [steps.learning_rate_at(progress) for progress in (0.0, 0.09, 0.1, 0.79, 0.8, 0.9)]
    assert rates_of_steps == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-5])
    assert {trainer.learning_rate_at(0.0) for trainer in (exponential, cosine, steps, BPTT(learning_rate=1e-2))} == {
        1e-2
    }


def test_a_schedule_without_an_end_is_rejected():
    with pytest.raises(ValidationError, match="final_learning_rate"):
        BPTT(schedule="cosine")


def test_the_optimizer_steps_at_the_scheduled_rate(lorenz32: Dataset):
    """The first step of Adam has the length of the learning rate, whatever the gradient."""
    for trainer, rate in ((BPTT(learning_rate=0.01, **SMALL), 0.01), (BPTT(learning_rate=0.02, **SMALL), 0.02)):
        model, start = RNN(hidden=5).build(3, (0,)), RNN(hidden=5).build(3, (0,))
        steps = trainer.fit(model, lorenz32, (0,))
        next(steps), next(steps)
        shift = (model.weight - start.weight).abs()
        assert_close(shift, torch.full_like(shift, rate), rtol=1e-3, atol=0)


def test_the_manifold_attractor_penalty_vanishes_for_the_identity_and_counts_the_last_states():
    """A = 1, W = 0 and h = 0 keep every state unchanged; only the rows of the last states count."""
    model = PLRNN(hidden=6).build(3, (0, 1))
    with torch.no_grad():
        model.weight[:, 4:], model.bias[:, :, 4:] = torch.eye(6)[4:], 0.0
    assert_close(manifold_attractor_penalty(model, 1 / 3), torch.zeros(2))
    a, w, h = model.weight.diagonal(dim1=1, dim2=2), model.weight * (1 - torch.eye(6)), model.bias
    expected = (1 - a).square().sum(1) + w.square().sum((1, 2)) + h.square().sum((1, 2))
    assert_close(manifold_attractor_penalty(model, 1.0), expected)


def test_the_conditioning_penalty_follows_from_the_condition_number():
    model = RNN(hidden=6).build(3, (0, 1, 2))
    with torch.no_grad():
        model.readout.weight[1] = torch.eye(3, 6)
        model.readout.weight[2] = torch.nan
    penalty = conditioning_penalty(model.readout)
    assert_close(penalty[0], (1 - torch.linalg.cond(model.readout.weight[0])).square(), rtol=1e-4, atol=1e-5)
    assert penalty[1] < 1e-6
    assert penalty[2].isnan()


def test_penalties_are_added_to_the_loss(lorenz32: Dataset):
    spec = PLRNN(hidden=6)
    plain, heavy = (
        next(BPTT(**SMALL, **weights).fit(spec.build(3, (0,)), lorenz32, (0,))).loss
        for weights in ({}, {"manifold_attractor": 0.5, "conditioning": 0.25})
    )
    model = spec.build(3, (0,))
    added = 0.5 * manifold_attractor_penalty(model, 1.0) + 0.25 * conditioning_penalty(model.readout)
    assert_close(heavy, plain + added.detach())


SERIES = TimeSeries(path="nowhere.npy", columns=(0, 1, 2))


@pytest.mark.parametrize(
    ("trainer", "system", "data", "model", "reason"),
    [
        (BPTT(sequence_length=3_000), Lorenz63(), DataSpec(), RNN(), "does not fit into orbits"),
        (BPTT(manifold_attractor=1.0), Lorenz63(), DataSpec(), LSTM(), "PLRNN family"),
        (BPTT(conditioning=1.0), Lorenz63(), DataSpec(), ShallowPLRNN(), "observation matrix"),
        (
            GeneralizedTeacherForcing(estimator="jacobian_upper_bound"),
            Lorenz63(),
            DataSpec(),
            RNN(),
            "PLRNN family",
        ),
        (JacobianMatching(), SERIES, DataSpec(), RNN(), "no equation"),
        (JacobianMatching(), Lorenz63(), DataSpec(observed=(0, 1)), RNN(), "do not show the state itself"),
        (JacobianMatching(), Lorenz63(), DataSpec(embedding=2), RNN(), "do not show the state itself"),
        (JacobianMatching(), MackeyGlass(), DataSpec(), RNN(), "do not show the state itself"),
        (JacobianMatching(), Duffing(), DataSpec(), RNN(), "do not show the state itself"),
        (GradientFlossing(target="system"), SERIES, DataSpec(), RNN(), "no equation"),
        (GradientFlossing(target="system"), Lorenz63(rho=30.0), DataSpec(), RNN(), "0 exponents of"),
        (MultipleShooting(interval=150), Lorenz63(), DataSpec(), RNN(), "at least sequence_length = 300"),
        (InvariantMeasure(statistics="lorenz96"), Lorenz63(), DataSpec(), RNN(), "at least 4 sites"),
    ],
    ids=lambda value: value.label if isinstance(value, TrainerSpec) else "",
)
def test_an_impossible_combination_is_rejected_with_the_reason(
    trainer: TrainerSpec, system: SystemSpec, data: DataSpec, model: ModelSpec, reason: str
):
    assert reason in (trainer.incompatibility(system, data, model) or "")


@pytest.mark.parametrize("trainer", [*TRAINERS, *KINDS], ids=lambda trainer: trainer.label)
def test_a_possible_combination_is_accepted(trainer: TrainerSpec):
    assert trainer.incompatibility(Lorenz63(), DataSpec(), RNN()) is None
    if not (isinstance(trainer, JacobianMatching) or "system" in trainer.label):
        assert trainer.incompatibility(SERIES, DataSpec(), RNN()) is None
