"""Training by storing the data."""

import re

import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec
from chaosbench.models import (
    LSTM,
    Analogue,
    Climatology,
    ContextParroting,
    EchoStateNetwork,
    ModelSpec,
    Persistence,
    SampledRNN,
)
from chaosbench.seeds import seed_generator
from chaosbench.systems import Lorenz63
from chaosbench.testing import check_trainer
from chaosbench.trainers import BPTT, SOFO, JacobianMatching, Memorise, Ridge, TrainerSpec


@pytest.mark.parametrize("spec", [Climatology(), Analogue()], ids=lambda spec: spec.kind)
def test_it_passes_the_conformance_kit(spec: ModelSpec, lorenz32: Dataset):
    check_trainer(Memorise(), model=spec, data=lorenz32)


def test_the_loss_is_the_error_of_one_step_from_the_data(lorenz32: Dataset):
    """For persistence it is the change of the data; for analogues 0, since they store them."""
    windows = lorenz32.windows(256, 1, [seed_generator(seed, "windows") for seed in (3, 8)])
    for spec, expected in (
        (Persistence(), (windows[:, :, 1] - windows[:, :, 0]).square().mean(dim=(1, 2))),
        (Analogue(), torch.zeros(2)),
    ):
        (step,) = Memorise().fit(spec.build(3, (3, 8)), lorenz32, (3, 8))
        assert_close(step.loss, expected)
        assert step.gradient_norms().tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("trainer", "model", "learning"),
    [
        (BPTT(), Persistence(), ("gradients", "memory")),
        (JacobianMatching(), SampledRNN(), ("gradients", "regression")),
        (SOFO(), EchoStateNetwork(hidden=9), ("gradients", "regression")),
        (Ridge(), LSTM(), ("regression", "gradients")),
        (Ridge(), ContextParroting(), ("regression", "memory")),
        (Memorise(), EchoStateNetwork(), ("memory", "regression")),
        (Memorise(), Climatology(), None),
        (Ridge(), EchoStateNetwork(), None),
    ],
    ids=lambda value: value.kind if isinstance(value, TrainerSpec | ModelSpec) else "",
)
def test_a_trainer_rejects_models_with_another_way_of_learning(trainer, model, learning: tuple[str, str] | None):
    """The reason names both kinds, and how each learns."""
    reason = trainer.incompatibility(Lorenz63(), DataSpec(), model)
    if learning is None:
        assert reason is None
    else:
        assert re.search(f"{trainer.kind}.*{learning[0]}.*{model.kind}.*{learning[1]}", reason)
