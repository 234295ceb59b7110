import numpy as np
import torch

from chaosbench.data import DataSpec, simulate
from chaosbench.diagnostics import TrainingHealth, loss_spikes
from chaosbench.models import ShallowPLRNN
from chaosbench.systems import Henon
from chaosbench.trainers import BPTT


def test_a_long_spike_counts_once():
    losses = torch.ones(2, 400, dtype=torch.float64)
    losses[0, 150], losses[0, 300:310] = 10.0, 5.0
    losses[1, 50] = 10.0  # too early: there are no hundred updates before it
    assert loss_spikes(losses).tolist() == [2.0, 0.0]
    assert loss_spikes(losses[:, :80]).tolist() == [0.0, 0.0]


def test_quantiles_shares_and_curves_cover_every_update():
    """A second implementation: norms and losses collected by hand, their quantiles by numpy."""
    data = simulate(
        Henon(), DataSpec(train_orbits=2, train_length=100, validation_orbits=0, test_orbits=2, test_length=50)
    )
    data = data.to("cpu", torch.float32)
    trainer = BPTT(updates=20, batch=4, sequence_length=10, clip_norm=0.5)
    model = ShallowPLRNN(hidden=5).build(2, (0, 1))
    health, norms, losses = TrainingHealth(trainer), [], []
    for step in trainer.fit(model, data, (0, 1)):
        if step.update == 7:  # one seed is not finite, once
            step.loss[1] = torch.nan
        health.see(step)
        norms.append(step.gradient_norms().tolist())
        losses.append(step.loss.tolist())
    columns = health.columns(2.0, "cpu")
    measured = np.array(norms).T
    assert np.allclose(columns["gradient_norm_median"][0], np.median(measured[0]))
    assert np.allclose(columns["gradient_norm_q95"][0], np.quantile(measured[0], 0.95))
    assert np.allclose(columns["clipped_share"][0], (measured[0] > 0.5).mean())
    assert columns["nonfinite_share"] == [0.0, 1 / 20]
    assert columns["updates_per_second"] == [10.0, 10.0]
    assert columns["loss_first"] == losses[0]
    curves = health.curves()
    assert curves["training_updates"].tolist() == list(range(1, 21))
    np.testing.assert_allclose(curves["training_norm"], measured, rtol=1e-6)


def test_a_training_without_updates_has_no_numbers():
    health = TrainingHealth(BPTT())
    assert health.columns(1.0, "cpu") == {}
    assert health.curves() == {}


def test_the_share_of_clipped_updates_equals_that_of_a_loop():
    """Entries first, then the norm of the clipped gradient, as in training; a second implementation in numpy."""
    data = simulate(
        Henon(), DataSpec(train_orbits=2, train_length=100, validation_orbits=0, test_orbits=2, test_length=50)
    ).to("cpu", torch.float32)
    trainer = BPTT(updates=20, batch=4, sequence_length=10, clip_norm=1.0, clip_value=0.5)
    model = ShallowPLRNN(hidden=5).build(2, (0, 1))
    health, entries, norms = TrainingHealth(trainer), [], []
    for step in trainer.fit(model, data, (0, 1)):
        health.see(step)
        flat = np.concatenate([parameter.grad.reshape(2, -1).numpy() for parameter in model.parameters()], axis=1)
        entries.append(np.abs(flat).max(axis=1) > 0.5)
        norms.append(np.linalg.norm(flat.clip(-0.5, 0.5), axis=1) > 1.0)
    columns = health.columns(2.0, "cpu")
    np.testing.assert_allclose(columns["clipped_entries_share"], np.mean(entries, axis=0))
    np.testing.assert_allclose(columns["clipped_share"], np.mean(norms, axis=0))
    assert 0 < np.mean(entries) < 1
    assert 0 < np.mean(norms) < 1
