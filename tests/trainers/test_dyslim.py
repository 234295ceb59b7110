"""DySLIM: weights of the steps, growing runs, and the pushforward."""

import pytest
from torch.testing import assert_close

from chaosbench.data import Dataset
from chaosbench.dynamics.distances import maximum_mean_discrepancy
from chaosbench.models import RNN
from chaosbench.trainers import DySLIM

SEEDS = (0, 1)


def test_its_loss_equals_a_loop_over_steps(lorenz: Dataset):
    trainer = DySLIM(batch=6, sequence_length=4, growth=1, discount=0.5, least_weight=0.2)
    model = RNN(hidden=5).build(3, SEEDS).double()
    training = trainer.start(model, lorenz, SEEDS)
    training.update = 4
    windows = trainer.windows(training)
    twin = trainer.start(model, lorenz, SEEDS)
    attractor = lorenz.windows(6, 1, twin.draws)[:, :, 0]
    state, total, weights = model.initial_state(windows[:, :, :1]), 0.0, [1.0, 0.5, 0.25, 0.2]
    for k, weight in enumerate(weights, start=1):
        state = model.step(state)
        ours, theirs = model.observe(state), windows[:, :, k]
        error = (ours - theirs).square().mean(dim=(1, 2))
        measures = 100 * maximum_mean_discrepancy(ours, theirs, trainer.scales)
        total = total + weight * (error + measures + maximum_mean_discrepancy(ours, attractor, trainer.scales))
    assert_close(trainer.loss(model, windows, training), total / len(weights), rtol=1e-12, atol=1e-14)


def test_without_distances_it_is_the_mean_squared_error(lorenz: Dataset):
    trainer = DySLIM(batch=6, sequence_length=4, growth=1, discount=1.0, conditional=0.0, unconditional=0.0)
    model = RNN(hidden=5).build(3, SEEDS).double()
    training = trainer.start(model, lorenz, SEEDS)
    training.update = 9
    windows = trainer.windows(training)
    predicted = model.observe(model.unroll(model.initial_state(windows[:, :, :1]), 4))
    expected = (predicted - windows[:, :, 1:]).square().mean(dim=(1, 2, 3))
    assert_close(trainer.loss(model, windows, training), expected)


def test_runs_grow_by_one_step_until_they_are_longest(lorenz: Dataset):
    trainer = DySLIM(growth=10, sequence_length=3)
    training = trainer.start(RNN(hidden=4).build(3, SEEDS), lorenz, SEEDS)
    lengths = []
    for update in (1, 10, 11, 20, 21, 500):
        training.update = update
        lengths.append(trainer.window_length(training))
    assert lengths == [1, 1, 2, 2, 3, 3]


def test_with_the_pushforward_lengths_are_drawn_from_all_up_to_the_longest(lorenz: Dataset):
    """Each of 4 lengths is drawn in 1,000 of 4,000 updates, within 4 sigma = 110; no length exceeds the curriculum."""
    trainer = DySLIM(growth=5, sequence_length=4, pushforward=True)
    training, lengths = trainer.start(RNN(hidden=4).build(3, SEEDS), lorenz, SEEDS), []
    for training.update in range(1, 4_016):
        length = trainer.window_length(training)
        assert length == trainer.window_length(training)
        assert length <= 1 + (training.update - 1) // 5
        lengths.append(length)
    for length in range(1, 5):
        assert lengths[15:].count(length) == pytest.approx(1_000, abs=110)


def test_with_the_pushforward_gradients_pass_through_the_last_step_only(lorenz: Dataset):
    """The gradient is that of one step from a constant state, with the weight of the last step."""
    trainer = DySLIM(
        batch=6, sequence_length=4, growth=1, discount=0.5, conditional=0, unconditional=0, pushforward=True
    )
    model = RNN(hidden=5).build(3, SEEDS).double()
    training = trainer.start(model, lorenz, SEEDS)
    windows = lorenz.windows(6, 4, training.windows)
    trainer.loss(model, windows, training).sum().backward()
    gradient = model.weight.grad.clone()
    model.zero_grad()
    state = model.unroll(model.initial_state(windows[:, :, :1]), 3)[:, :, -1].detach()
    predicted = model.observe(model.step(state))
    (0.5**3 * (predicted - windows[:, :, 4]).square().mean(dim=(1, 2))).sum().backward()
    assert_close(gradient, model.weight.grad)
