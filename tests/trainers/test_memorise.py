"""Training by showing the data once."""

import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec
from chaosbench.models import LSTM, Climatology, ContextParroting, EchoStateNetwork, ModelSpec, Persistence, SampledRNN
from chaosbench.seeds import seed_generator
from chaosbench.systems import Lorenz63
from chaosbench.testing import check_trainer
from chaosbench.trainers import BPTT, SOFO, JacobianMatching, Memorise, Ridge, TrainerSpec


@pytest.mark.parametrize("spec", [Climatology(), ContextParroting()], ids=lambda spec: spec.kind)
def test_it_keeps_the_promises_of_its_contract(spec: ModelSpec, lorenz32: Dataset):
    check_trainer(Memorise(), model=spec, data=lorenz32)


def test_the_loss_is_the_error_of_one_step_from_the_data(lorenz32: Dataset):
    """Of persistence the change of the data; of the parrot none, since it has seen them."""
    windows = lorenz32.windows(256, 1, [seed_generator(seed, "windows") for seed in (3, 8)])
    for spec, expected in (
        (Persistence(), (windows[:, :, 1] - windows[:, :, 0]).square().mean(dim=(1, 2))),
        (ContextParroting(), torch.zeros(2)),
    ):
        (step,) = Memorise().fit(spec.build(3, (3, 8)), lorenz32, (3, 8))
        assert_close(step.loss, expected)
        assert step.gradient_norms().tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("trainer", "model", "reason"),
    [
        (BPTT(), Persistence(), "bptt trains by gradients, and persistence learns by memory"),
        (
            JacobianMatching(),
            SampledRNN(),
            "jacobian_matching trains by gradients, and sampled_rnn learns by regression",
        ),
        (SOFO(), EchoStateNetwork(hidden=9), "sofo trains by gradients, and echo_state_network learns by regression"),
        (Ridge(), LSTM(), "ridge trains by regression, and lstm learns by gradients"),
        (Ridge(), ContextParroting(), "ridge trains by regression, and context_parroting learns by memory"),
        (Memorise(), EchoStateNetwork(), "memorise trains by memory, and echo_state_network learns by regression"),
        (Memorise(), Climatology(), None),
        (Ridge(), EchoStateNetwork(), None),
    ],
    ids=lambda value: value.kind if isinstance(value, TrainerSpec | ModelSpec) else "",
)
def test_a_trainer_refuses_models_that_learn_otherwise(trainer: TrainerSpec, model: ModelSpec, reason: str | None):
    assert trainer.incompatibility(Lorenz63(), DataSpec(), model) == reason
