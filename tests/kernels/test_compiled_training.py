import pytest
import torch

from chaosbench.data import DataSpec, simulate
from chaosbench.kernels import plain_torch
from chaosbench.models import LSTM, RNN, AlmostLinearRNN, ShallowPLRNN
from chaosbench.systems import Lorenz63
from chaosbench.trainers import GeneralizedTeacherForcing, SparseTeacherForcing, TruncatedBPTT

pytest.importorskip("numba")

SMALL = {"batch": 4, "sequence_length": 24, "updates": 100}


@pytest.mark.parametrize(
    ("model", "trainer"),
    [
        (ShallowPLRNN(hidden=10), SparseTeacherForcing(interval=8, **SMALL)),
        (ShallowPLRNN(hidden=10, clipped=True), GeneralizedTeacherForcing(alpha=0.2, optimizer="adam", **SMALL)),
        (AlmostLinearRNN(hidden=8), SparseTeacherForcing(interval=8, **SMALL)),
        (RNN(hidden=6), TruncatedBPTT(truncation=6, **SMALL)),
        (LSTM(hidden=6), SparseTeacherForcing(interval=8, **SMALL)),
    ],
    ids=["folded", "blended", "partly forced", "truncated", "gated"],
)
def test_a_hundred_updates_end_where_plain_torch_ends(model, trainer):
    """Rounding of 1e-16 grows by less than 1e6 over 100 updates at the default learning rate."""
    data = simulate(Lorenz63(), DataSpec(validation_orbits=0, test_orbits=2, test_length=2, train_length=200))
    data, ends = data.to("cpu", torch.float64), []
    for compiled in (True, False):
        built = model.build(data.dimension, range(2)).double()
        steps = trainer.fit(built, data, range(2))
        if compiled:
            losses = [step.loss for step in steps]
        else:
            with plain_torch():
                losses = [step.loss for step in steps]
        ends.append([losses[-1], *(parameter.detach() for parameter in built.parameters())])
    for ours, torchs in zip(*ends, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-10, atol=1e-10)
