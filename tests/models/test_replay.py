"""Forecasters that replay observations against searches and copies in numpy."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.dynamics import lyapunov_spectrum
from chaosbench.errors import DataError
from chaosbench.metrics import power_spectrum, power_spectrum_distance, state_space_divergence
from chaosbench.models import Analogue, Climatology, Forecaster, ModelSpec, Persistence, replay
from chaosbench.systems import Lorenz63, SystemSpec, TwoCycle
from chaosbench.trainers import Memorise

SEEDS = (2, 5)


def short_data(system: SystemSpec, **settings) -> Dataset:
    short = {"train_orbits": 4, "train_length": 300, "validation_orbits": 0, "test_orbits": 2, "test_length": 300}
    return simulate(system, DataSpec.model_validate(short | settings))


@pytest.fixture(scope="module")
def lorenz() -> Dataset:
    return short_data(Lorenz63())


def trained(spec: ModelSpec, data: Dataset) -> Forecaster:
    model = spec.build(data.dimension, SEEDS).double()
    for _ in Memorise().fit(model, data, SEEDS):
        pass
    return model


def conditions(data: Dataset, count: int = 5) -> torch.Tensor:
    """Return histories of a single observation, `(K, count, 1, D)`."""
    return data.test[0, :: len(data.test[0]) // count][:count, None].expand(len(SEEDS), -1, -1, -1)


def test_persistence_repeats_its_observation_and_all_its_exponents_are_zero(lorenz: Dataset):
    model, x = trained(Persistence(), lorenz), conditions(lorenz)
    observed, _ = model.predict(model.initial_state(x), 7)
    assert torch.equal(observed, x.expand(-1, -1, 7, -1))
    spectrum = lyapunov_spectrum(model, model.initial_state(x), steps=20)
    assert_close(spectrum, torch.zeros_like(spectrum), atol=1e-14, rtol=0)
    assert model.parameters_per_seed() == 0


def test_one_cycle_of_climatology_has_every_training_observation_once(lorenz: Dataset):
    model, count = trained(Climatology(), lorenz), lorenz.train[..., 0].numel()
    start = model.step(model.initial_state(conditions(lorenz)))
    cycle, last = model.predict(start, count)
    assert torch.equal(last, start)
    expected = lorenz.train.flatten(0, 1).sort(dim=0).values
    assert torch.equal(cycle.sort(dim=2).values, expected.expand(*cycle.shape[:2], -1, -1))
    assert not torch.equal(cycle[0], cycle[1])  # each seed has its own order


def test_climatology_has_the_invariant_measure_and_the_spectrum_of_noise(lorenz: Dataset):
    """One cycle has the histogram of the data. Shuffled points have a flat spectrum; smoothing over 20 bins leaves
    fluctuations of 1 / sqrt(2 sqrt(pi) 20) = 12 %, which change the distance by half their square. The orbits are
    compared as one long series."""
    model, truth = trained(Climatology(), lorenz), lorenz.train.flatten(0, 1)
    cycle, _ = model.predict(model.initial_state(conditions(lorenz, 1)), len(truth))
    assert float(state_space_divergence(cycle[0, 0], truth)) == pytest.approx(0, abs=1e-12)
    power = power_spectrum(truth)
    flat = (1 - (power / len(power)).sqrt().sum(dim=0)).sqrt().mean()
    assert float(power_spectrum_distance(cycle[0, 0], truth)) == pytest.approx(float(flat), abs=0.02)


def test_an_analogue_equals_a_search_and_a_copy(lorenz: Dataset):
    """Find the nearest point and copy its successors; at the end of an orbit, search the point nearest to that end."""
    model, x, steps = trained(Analogue(), lorenz), conditions(lorenz), 1_000
    observed, _ = model.predict(model.initial_state(x), steps)
    orbits = lorenz.train.numpy()
    for index in range(x.shape[1]):
        last, orbit, time = x[0, index, 0].numpy(), -1, -1
        for step in range(steps):
            if orbit < 0 or time == orbits.shape[1] - 1:
                searched = orbits if orbit < 0 else orbits[:, :-1]
                distance = ((searched - last) ** 2).sum(axis=-1)
                orbit, time = np.unravel_index(distance.argmin(), distance.shape)
            time += 1
            last = orbits[orbit, time]
            assert_close(observed[:, index, step].numpy(), np.stack([last] * len(SEEDS)), atol=0, rtol=0)


def test_an_analogue_forecasts_a_cycle_without_error():
    data = short_data(TwoCycle())
    model = trained(Analogue(), data)
    observed, _ = model.predict(model.initial_state(data.test[None, :, :1].expand(2, -1, -1, -1)), 299)
    assert_close(observed, data.test[:, 1:].expand(2, -1, -1, -1), atol=1e-9, rtol=0)  # the cycle is reached to 1e-9


def test_delay_coordinates_make_the_motif_longer_and_forecasts_better():
    """A single coordinate of Lorenz-63 is ambiguous; with its past the copy follows the right branch for longer."""
    errors = []
    for embedding in (1, 3):
        data = short_data(Lorenz63(), observed=(0,), embedding=embedding, lag=5, train_length=1_000)
        model = trained(Analogue(), data)
        orbits, times = data.conditions(20, 10)
        observed, _ = model.predict(model.initial_state(data.test[orbits, times][:, None].expand(2, -1, -1, -1)), 10)
        truth = data.test.unfold(1, 10, 1)[orbits, times + 1].mT
        errors.append((observed[0, ..., 0] - truth[..., 0]).square().mean())
    assert errors[1] < errors[0] / 10


@pytest.mark.parametrize("spec", [Climatology(), Analogue()], ids=lambda spec: spec.kind)
def test_a_replayed_record_is_neither_stable_nor_unstable(spec: ModelSpec, lorenz: Dataset):
    """The first step projects every tangent on the position; after that it neither grows nor shrinks."""
    model = trained(spec, lorenz)
    spectrum = lyapunov_spectrum(model, model.initial_state(conditions(lorenz)), steps=400, transient=1)
    assert_close(spectrum[..., 0], torch.zeros(2, 5, dtype=torch.float64), atol=1e-14, rtol=0)
    assert torch.isneginf(spectrum[..., 1:]).all()


@pytest.mark.parametrize("chunk", [2**23, 1_000])
def test_the_nearest_point_equals_that_of_a_tree(chunk: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replay, "_CHUNK", chunk)
    record, queries = torch.randn(2, 700, 4, dtype=torch.float64), torch.randn(2, 30, 4, dtype=torch.float64)
    expected = [cKDTree(points).query(part)[1] for points, part in zip(record.numpy(), queries.numpy(), strict=True)]
    assert replay.nearest(record, queries).tolist() == np.stack(expected).tolist()


def test_a_forecast_from_a_training_observation_is_what_followed_it(lorenz: Dataset):
    """This holds in single precision, where distances computed by products would confuse near points."""
    model = Analogue().build(3, SEEDS)
    data = lorenz.to("cpu", torch.float32)
    (step,) = Memorise().fit(model, data, SEEDS)
    assert step.loss.tolist() == [0.0, 0.0]
    observed, _ = model.predict(model.initial_state(data.train[:, :1].expand(2, -1, -1, -1)), 299)
    assert torch.equal(observed, data.train[:, 1:].expand(2, -1, -1, -1))


def test_a_record_with_more_positions_than_the_precision_represents_is_rejected():
    model = Analogue().build(1, (0,)).half()
    with pytest.raises(DataError, match=r"2000 .*too many"):
        model.set_record(torch.zeros(1, 2_000, 1), torch.ones(1, 2_000))
