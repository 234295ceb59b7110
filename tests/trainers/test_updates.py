"""Updates that are replayed from a recording equal ordinary ones, and those that cannot be recorded say why."""

from typing import Any, Literal

import pytest
import torch
from operation_recorder import OperationRecorder
from torch import Tensor
from torch.testing import assert_close
from typing_extensions import override

from chaosbench import kernels
from chaosbench.data import Dataset
from chaosbench.models import GRU, LSTM, PLRNN, RNN, AlmostLinearRNN, ModelSpec, ShallowPLRNN
from chaosbench.models.forecaster import Forecaster
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
    TruncatedBPTT,
    WindowedBPTT,
    WindowTrainer,
    updates,
)
from chaosbench.trainers.draws import BulkIntegers
from chaosbench.trainers.training_state import TrainingState

SEEDS = [3, 8]
ROUNDING = 1e-10  # a recorded step is scaled by the learning rate, which an optimiser multiplies in another order
SMALL: dict[str, Any] = {"updates": 9, "batch": 3, "sequence_length": 12}
RECORDED = [
    SparseTeacherForcing(interval=5, **SMALL),
    SparseTeacherForcing(interval=5, spread=1, **SMALL),
    SparseTeacherForcing(interval=4, anneal=True, clip_norm=0.1, clip_value=0.05, **SMALL),
    SparseTeacherForcing(interval=5, optimizer="adamw", schedule="cosine", final_learning_rate=1e-5, **SMALL),
    BPTT(warm_up=2, **SMALL),
    TruncatedBPTT(truncation=5, **SMALL),
    WindowedBPTT(window=5, **SMALL),
    ScheduledSampling(**SMALL),
    GeneralizedTeacherForcing(alpha=0.5, final_alpha=0.0, optimizer="adam", **SMALL),
    GeneralizedTeacherForcing(optimizer="adam", every=4, **SMALL),
    MultipleShooting(interval=4, **SMALL),
    HorizonCurriculum(first=4, stages=2, **SMALL),
    DySLIM(growth=5, pushforward=True, **SMALL),
    InvariantMeasure(iterations=3, onset=0.3, **SMALL),
    InvariantMeasure(distance="sliced_wasserstein", onset=0.0, **SMALL),
    GradientFlossing(pretraining=2, every=4, episode=1, **SMALL),
    JacobianMatching(updates=9, batch=4),
]
UNRECORDED = [
    (SOFO(directions=3, **SMALL), "eigenvalues"),
    (SparseTeacherForcing(interval=5, conditioning=0.1, **SMALL), "singular values"),
]


def recorder_of_updates() -> OperationRecorder:
    """Return a stand-in for CUDA graphs; trainers keep settings, such as an interval, in integers on the host."""
    return OperationRecorder("_linalg_eigh", "_linalg_svd", "linalg_qr", on_host=[torch.int64])


def trained(
    trainer: WindowTrainer, spec: ModelSpec, data: Dataset, recorder: OperationRecorder | None = None
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Return the weights after training, and losses and gradient norms of all updates, `(U, K)`."""
    with pytest.MonkeyPatch.context() as patch, kernels.plain_torch():
        patch.setattr(updates, "recorder_for", lambda device: recorder)
        model, losses, norms = spec.build(data.dimension, SEEDS).to(data.train.dtype), [], []
        for step in trainer.fit(model, data, SEEDS):
            losses.append(step.loss)
            norms.append(step.gradient_norms())
    return {name: value.clone() for name, value in model.state_dict().items()}, torch.stack(losses), torch.stack(norms)


@pytest.mark.parametrize("trainer", RECORDED, ids=lambda trainer: trainer.label)
def test_replayed_updates_equal_ordinary_ones_to_rounding(trainer: WindowTrainer, lorenz: Dataset):
    recorder = recorder_of_updates()
    expected, replayed = trained(trainer, PLRNN(hidden=6), lorenz), trained(trainer, PLRNN(hidden=6), lorenz, recorder)
    for found, value in zip(replayed, expected, strict=True):
        assert_close(found, value, rtol=ROUNDING, atol=ROUNDING)
    assert recorder.replayed >= 4, "more than one whole update is replayed"
    assert recorder.recorded < recorder.replayed, "and recordings are used again"


@pytest.mark.parametrize("spec", [LSTM(hidden=5), GRU(hidden=5), RNN(hidden=5), AlmostLinearRNN(hidden=6, rectified=2)])
def test_updates_of_every_family_can_be_replayed(spec: ModelSpec, lorenz: Dataset):
    trainer, recorder = SparseTeacherForcing(interval=5, **SMALL), recorder_of_updates()
    expected, replayed = trained(trainer, spec, lorenz), trained(trainer, spec, lorenz, recorder)
    assert_close(replayed[0], expected[0], rtol=ROUNDING, atol=ROUNDING)
    assert recorder.replayed == 2 * (trainer.updates - 1)


@pytest.mark.parametrize(("trainer", "reason"), UNRECORDED, ids=lambda value: str(value)[:20])
def test_updates_that_wait_for_the_device_are_ordinary_and_say_why(
    trainer: WindowTrainer, reason: str, lorenz: Dataset, caplog: pytest.LogCaptureFixture
):
    recorder, spec = recorder_of_updates(), ShallowPLRNN(hidden=5, readout="linear")
    expected = trained(trainer, spec, lorenz)
    replayed = trained(trainer, spec, lorenz, recorder)
    assert torch.equal(expected[1], replayed[1])
    assert recorder.recorded == 0
    assert len(caplog.records) == 1, "the reason is reported once, not with every update"
    assert reason in caplog.text


def test_an_optimiser_that_reads_numbers_from_the_device_leaves_ordinary_updates(
    lorenz: Dataset, caplog: pytest.LogCaptureFixture
):
    trainer, recorder = SparseTeacherForcing(interval=5, optimizer="radam", **SMALL), recorder_of_updates()
    expected, replayed = trained(trainer, RNN(hidden=5), lorenz), trained(trainer, RNN(hidden=5), lorenz, recorder)
    assert_close(expected[0], replayed[0], rtol=ROUNDING, atol=ROUNDING)
    assert "without a CUDA graph" in caplog.text


class Fading(SparseTeacherForcing):
    """A trainer whose loss depends on the number of the update, which its plan does not hold."""

    kind: Literal["fading"] = "fading"  # type: ignore[assignment]

    @override
    def loss(self, model: Forecaster, windows: Tensor, training: TrainingState) -> Tensor:
        return super().loss(model, windows, training) * (1 - training.progress)


def test_a_loss_that_reads_the_number_of_the_update_is_never_frozen(lorenz: Dataset, caplog: pytest.LogCaptureFixture):
    trainer, recorder = Fading(interval=5, **SMALL), recorder_of_updates()
    expected, replayed = trained(trainer, RNN(hidden=5), lorenz), trained(trainer, RNN(hidden=5), lorenz, recorder)
    assert torch.equal(expected[1], replayed[1])
    assert recorder.replayed == 0
    assert "plan" in caplog.text


def test_training_resumed_between_replays_equals_uninterrupted_training(lorenz: Dataset):
    trainer, recorder = SparseTeacherForcing(interval=5, clip_norm=0.1, **SMALL), recorder_of_updates()
    with pytest.MonkeyPatch.context() as patch, kernels.plain_torch():
        patch.setattr(updates, "recorder_for", lambda device: recorder)
        model = RNN(hidden=5).build(3, SEEDS).double()
        steps = trainer.fit(model, lorenz, SEEDS)
        saved = [step.checkpoint() for step in steps][4]
        again = RNN(hidden=5).build(3, SEEDS).double()
        assert len(list(trainer.fit(again, lorenz, SEEDS, saved))) == trainer.updates - 5
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_integers_drawn_in_bulk_equal_those_drawn_for_each_update():
    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in SEEDS]

    bulk, single = BulkIntegers(generators()), generators()
    for update in range(600):
        bound, count = (10**7, 16) if update < 300 else (977, 5)
        expected = torch.stack([torch.randint(bound, (count,), generator=one) for one in single])
        assert torch.equal(bulk.draw(count, bound, torch.device("cpu")), expected)
        if update % 97 == 0:
            for mine, other in zip(bulk.generators, single, strict=True):
                assert torch.equal(mine.get_state(), other.get_state())
