"""Training on a GPU, whose updates are replayed as CUDA graphs, equals training on a CPU."""

import pytest
import torch
from test_updates import RECORDED, SEEDS, UNRECORDED
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.models import GRU, LSTM, PLRNN, RNN, AlmostLinearRNN, ModelSpec, ShallowPLRNN
from chaosbench.trainers import SparseTeacherForcing, WindowTrainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
FAMILIES = [RNN(hidden=9), PLRNN(hidden=9), ShallowPLRNN(hidden=12), AlmostLinearRNN(hidden=8), LSTM(hidden=9), GRU()]
TRAINERS = [*RECORDED, *(trainer for trainer, _ in UNRECORDED)]


def weights_after(
    trainer: WindowTrainer, spec: ModelSpec, data: Dataset, device: str
) -> tuple[dict[str, torch.Tensor], int]:
    """Train in the precision of the data; return the weights, and the number of finite losses."""
    data = data.to(device, data.train.dtype)
    model = spec.build(data.dimension, SEEDS).to(device, data.train.dtype)
    finite = sum(int(step.loss.isfinite().all()) for step in trainer.fit(model, data, SEEDS))
    return {name: value.cpu() for name, value in model.state_dict().items()}, finite


def assert_devices_agree(trainer: WindowTrainer, spec: ModelSpec, data: Dataset, rtol: float) -> None:
    """Check that training on a GPU moves the weights to where training on a CPU moves them, and stays finite."""
    expected, finite = weights_after(trainer, spec, data, "cpu")
    found, _ = weights_after(trainer, spec, data, "cuda")
    assert finite == trainer.updates
    for name, value in expected.items():
        assert_close(found[name], value, rtol=rtol, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda trainer: trainer.label[:60])
def test_every_trainer_learns_the_same_on_both_devices(trainer: WindowTrainer, lorenz: Dataset):
    assert_devices_agree(trainer, PLRNN(hidden=6), lorenz, 1e-9)


@pytest.mark.parametrize("spec", FAMILIES, ids=lambda spec: spec.kind)
def test_a_hundred_updates_of_every_family_agree_in_double_precision(spec: ModelSpec, lorenz: Dataset):
    trainer = SparseTeacherForcing(interval=7, updates=100, batch=4, sequence_length=25, clip_norm=1.0)
    assert_devices_agree(trainer, spec, lorenz, 1e-10)


@pytest.mark.parametrize("spec", FAMILIES, ids=lambda spec: spec.kind)
def test_kernels_inside_graphs_learn_what_plain_torch_learns(spec: ModelSpec, lorenz: Dataset):
    trainer = SparseTeacherForcing(interval=7, updates=20, batch=4, sequence_length=25, clip_norm=1.0)
    expected, _ = weights_after(trainer, spec, lorenz, "cpu")
    found, _ = weights_after(trainer, spec, lorenz.to("cpu", torch.float32), "cuda")
    for name, value in expected.items():  # twenty steps of Adam move a weight by at most 0.02
        assert_close(found[name].double(), value, rtol=0, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}")
