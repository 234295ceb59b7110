"""Multiple shooting: runs between learned states, and the gaps between them."""

import torch
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.models import RNN, ShallowPLRNN
from chaosbench.trainers import MultipleShooting, SparseTeacherForcing

SEEDS = (3, 5)
TRAINER = MultipleShooting(interval=6, sequence_length=25, batch=4, updates=60, continuity=0.7)


def test_the_loss_equals_a_loop_over_segments(lorenz: Dataset):
    model = RNN(hidden=5).build(3, SEEDS).double()
    training = TRAINER.start(model, lorenz, SEEDS)
    with torch.no_grad():
        training.extra_state["states"].add_(torch.randn(training.extra_state["states"].shape))
    windows = TRAINER.windows(training)
    assert windows.shape == (2, 4, 25, 3)
    cuts = (300 - 1) // 6
    for k in range(2):
        errors, gaps = [], []
        for b in range(4):
            first, end = int(training.extra_state["cuts"][k, b]), None
            assert torch.equal(lorenz.train[first // cuts, first % cuts * 6 :][:25], windows[k, b])
            for segment in range(4):
                start = state = training.extra_state["states"][k, first + segment]
                if end is not None:
                    gaps.append((end - start).square().sum())
                for t in range(6):
                    state = torch.tanh(model.weight[k] @ state + model.bias[k, 0])
                    errors.append((model.readout.weight[k] @ state - windows[k, b, 6 * segment + t + 1]).square())
                end = state
        expected = torch.stack(errors).mean() + 0.7 * torch.stack(gaps).mean()
        assert_close(TRAINER.loss(model, windows, training)[k], expected, rtol=1e-12, atol=1e-14)


def test_states_are_initialised_from_data(lorenz: Dataset):
    """With zero weight on the gaps, the first loss is that of sparse teacher forcing."""
    model, trainer = RNN(hidden=5).build(3, SEEDS).double(), TRAINER.replaced(continuity=0.0)
    training = trainer.start(model, lorenz, SEEDS)
    windows = trainer.windows(training)
    forced = SparseTeacherForcing(interval=6)
    expected = forced.loss(model, windows, forced.start(model, lorenz, SEEDS))
    assert_close(trainer.loss(model, windows, training), expected, rtol=1e-12, atol=1e-14)


def test_training_moves_the_states_and_closes_the_gaps(lorenz32: Dataset):
    trainer = TRAINER.replaced(continuity=10.0, learning_rate=0.01)
    model = ShallowPLRNN(hidden=12).build(3, SEEDS)
    losses, states = [], []
    for step in trainer.fit(model, lorenz32, SEEDS):
        assert step.training is not None
        losses.append(step.loss)
        states.append(step.training.extra_state["states"].detach().clone())
    assert not torch.equal(states[0], states[-1])
    assert (torch.stack(losses[-10:]).mean(0) < torch.stack(losses[:10]).mean(0)).all()
