"""Data sets: shapes, noise, observables, delay coordinates, twins and the cache."""

import multiprocessing
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from chaosbench.data import Dataset, DataSpec, simulate
from chaosbench.data.cache import cached
from chaosbench.data.dataset import embedded
from chaosbench.errors import DataError
from chaosbench.metrics import valid_prediction_time
from chaosbench.seeds import seed_generator
from chaosbench.source import STATES_EVERY
from chaosbench.systems import Henon, Lorenz63

SMALL = {
    "train_orbits": 3, "train_length": 120, "validation_orbits": 2, "validation_length": 60,
    "test_orbits": 2, "test_length": 200,
}  # fmt: skip


def small(**changes) -> DataSpec:
    return DataSpec(**{**SMALL, **changes})


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path))
    return tmp_path


def test_orbits_have_the_numbers_and_lengths_of_the_spec():
    data = simulate(Lorenz63(), small())
    assert (data.train.shape, data.validation.shape, data.test.shape) == ((3, 120, 3), (2, 60, 3), (2, 200, 3))
    assert data.states is not None
    assert data.states.shape == (2, 200 // STATES_EVERY, 3)


def test_orbits_follow_the_step_of_the_system():
    """A step from each row gives the next one, up to the rounding of the standardisation."""
    data, system = simulate(Lorenz63(), small()), Lorenz63()
    raw = data.test * data.deviation + data.mean
    assert_close(system.step(raw[:, :-1]), raw[:, 1:], rtol=1e-10, atol=1e-10)
    assert_close(raw[:, ::STATES_EVERY], data.states, rtol=1e-12, atol=1e-12)


def test_training_data_are_standardised_by_their_own_moments():
    data = simulate(Lorenz63(), small())
    values = data.train.flatten(0, 1)
    assert_close(values.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    assert_close(values.std(0), torch.ones(3, dtype=torch.float64))
    assert not torch.allclose(data.test.flatten(0, 1).mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-3)
    whole = simulate(Lorenz63(), small(standardise="global"))
    assert whole.deviation.unique().numel() == 1
    raw = simulate(Lorenz63(), small(standardise="none"))
    assert_close((raw.train - data.mean) / data.deviation, data.train)


def test_all_orbits_have_different_starts():
    data = simulate(Lorenz63(), small(standardise="none"))
    starts = torch.cat([data.train[:, 0], data.validation[:, 0], data.test[:, 0]])
    distances = torch.cdist(starts, starts) + 1e3 * torch.eye(len(starts), dtype=torch.float64)
    assert distances.min() > 1e-3


@pytest.mark.parametrize("changes", [{}, {"noise": 0.1}, {"noise": 0.1, "embedding": 2, "observed": (0,)}])
def test_another_release_has_other_test_orbits_and_the_same_training_data(empty_cache: Path, changes: dict):
    """Noise, moments and validation included, bit for bit, whether orbits are simulated or read from the cache."""
    first, second, again = (simulate(Lorenz63(), small(release=r, **changes)) for r in (0, 1, 0))
    for name in ("train", "validation", "mean", "deviation"):
        assert torch.equal(getattr(first, name), getattr(second, name))
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.allclose(first.test[:, 0], second.test[:, 0])
    assert torch.equal(first.seen, again.seen)


def test_the_noise_of_test_orbits_is_drawn_anew_for_each_release():
    """Noise is what is seen minus the truth, in units of the deviation, which all releases share."""
    noises = [data.seen - data.test for data in (simulate(Lorenz63(), small(noise=0.1, release=r)) for r in (0, 1))]
    assert torch.corrcoef(torch.stack([noise.flatten() for noise in noises]))[0, 1].abs() < 0.15  # 5 / sqrt(1200)


def test_a_stride_of_two_takes_every_second_step():
    fine, coarse = simulate(Henon(), small(standardise="none")), simulate(Henon(), small(standardise="none", stride=2))
    assert_close(coarse.test[:, :50], fine.test[:, 1:100:2])
    assert coarse.dt == 2 * fine.dt


def test_noise_has_the_size_of_the_spec_and_leaves_the_truth_clean():
    """The sample deviation of 1,080 numbers is within 10 % of the spec's (4 sigma)."""
    clean, noisy = (
        simulate(Lorenz63(), small(standardise="none")),
        simulate(Lorenz63(), small(standardise="none", noise=0.1)),
    )
    spread = clean.train.flatten(0, 1).std(0)
    assert_close(((noisy.train - clean.train) / spread).std(), torch.tensor(0.1, dtype=torch.float64), rtol=0.1, atol=0)
    assert_close(((noisy.seen - clean.test) / spread).std(), torch.tensor(0.1, dtype=torch.float64), rtol=0.1, atol=0)
    assert torch.equal(noisy.test, clean.test)
    assert torch.equal(clean.seen, clean.test)


def test_observables_can_be_selected():
    whole, part = simulate(Lorenz63(), small()), simulate(Lorenz63(), small(observed=(2, 0)))
    assert torch.equal(part.test, whole.test[..., [2, 0]])
    with pytest.raises(DataError, match="names observable 3, but lorenz63 has 3, from 0"):
        simulate(Lorenz63(), small(observed=(3,)))


def test_delay_coordinates_contain_the_past():
    series = torch.arange(40.0).reshape(2, 20, 1)
    made = embedded(series, 3, 4)
    assert made.shape == (2, 12, 3)
    assert made[0, 0].tolist() == [8.0, 4.0, 0.0]
    assert made[1, 5].tolist() == [33.0, 29.0, 25.0]


@pytest.mark.parametrize(
    "spec",
    [small(), small(stride=3), small(embedding=3, lag=5, observed=(0,)), small(embedding=2, stride=2, noise=0.05)],
    ids=lambda spec: spec.label,
)
def test_an_unperturbed_twin_is_the_truth(spec: DataSpec):
    """The same arithmetic from the stored state gives the same orbit, delay coordinates included."""
    data = simulate(Lorenz63(), spec)
    orbits, times = data.conditions(9, 40)
    future = data.test.unfold(1, 40, 1)[orbits, times + 1].mT
    assert_close(data.twins(orbits, times, 40, 0.0), future, rtol=1e-9, atol=1e-9)


def test_conditions_leave_room_for_the_horizon_and_lie_at_stored_states():
    data = simulate(Henon(), small())
    orbits, times = data.conditions(1000, 60)
    assert set(orbits.tolist()) == {0, 1}
    assert times.max() + 60 <= 199
    assert (times % STATES_EVERY == 0).all()
    assert len(set(zip(orbits.tolist(), times.tolist(), strict=True))) == len(orbits)


@pytest.mark.slow
def test_the_twin_ceiling_of_lorenz_is_7_5_lyapunov_times():
    """An independent computation over 2,000 conditions with error 1e-4 and threshold 0.4 gives 7.5 +- 0.4 (median)."""
    data = simulate(Lorenz63(), DataSpec())
    orbits, times = data.conditions(2_000, 2_000)
    twins = data.twins(orbits, times, 2_000, 1e-4)
    assert twins is not None
    future = data.test.unfold(1, 2_000, 1)[orbits, times + 1].mT
    valid = valid_prediction_time(twins, future, dt=0.01, threshold=0.4, scale=torch.ones(3)) * 0.9056
    assert len(valid) == 2_000
    assert valid.median() == pytest.approx(7.5, abs=0.4)


def test_a_cached_entry_is_read_again(empty_cache: Path):
    made = []

    def make() -> dict[str, torch.Tensor]:
        made.append(1)
        return {"x": torch.arange(5.0)}

    first, second = cached("key", make), cached("key", make)
    assert len(made) == 1
    assert torch.equal(first["x"], second["x"])


@pytest.mark.parametrize("position", [0, 20, -1])
def test_a_damaged_entry_is_computed_again(empty_cache: Path, position: int):
    cached("key", lambda: {"x": torch.arange(5.0)})
    (entry,) = empty_cache.rglob("*.safetensors")
    content = bytearray(entry.read_bytes())
    content[position] ^= 1
    entry.write_bytes(content)
    assert torch.equal(cached("key", lambda: {"x": torch.ones(2)})["x"], torch.ones(2))
    assert torch.equal(cached("key", lambda: {"x": torch.zeros(2)})["x"], torch.ones(2))
    entry.write_bytes(entry.read_bytes()[:10])
    assert torch.equal(cached("key", lambda: {"x": torch.zeros(2)})["x"], torch.zeros(2))


def test_a_cache_that_cannot_be_written_does_not_change_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CHAOSBENCH_CACHE", str(tmp_path / "file"))
    assert torch.equal(cached("key", lambda: {"x": torch.ones(2)})["x"], torch.ones(2))


def _simulated(_: int) -> float:
    return float(simulate(Henon(), small()).train.sum())


def test_processes_that_need_the_same_data_compute_them_once(empty_cache: Path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:  # a fork server would keep its first environment
        sums = pool.map(_simulated, range(3), chunksize=1)
    assert len(set(sums)) == 1
    assert len(list(empty_cache.rglob("*.safetensors"))) == 1
    assert not list(empty_cache.rglob(".*"))


def test_standardisation_and_noise_share_cached_orbits(empty_cache: Path):
    for spec in (small(), small(noise=0.1), small(standardise="global"), small(dtype="float64")):
        simulate(Henon(), spec)
    assert len(list(empty_cache.rglob("*.safetensors"))) == 1


def test_parameters_at_which_the_orbit_escapes_are_named():
    with pytest.raises(DataError, match=r"henon\(a=3\) escapes to infinity"):
        simulate(Henon(a=3.0), small())


def test_windows_of_different_seeds_differ():
    data: Dataset = simulate(Henon(), small())
    windows = data.windows(5, 10, [seed_generator(0, "w"), seed_generator(1, "w")])
    assert not torch.equal(windows[0], windows[1])
