import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from chaosbench.dynamics import orbit
from chaosbench.errors import DataError
from chaosbench.series import TimeSeries, delay_vectors, separation_curve
from chaosbench.systems import Henon, LimitCycle, Logistic, Lorenz63, Rossler, SystemSpec

DATA = os.environ.get("CHAOSBENCH_TEST_DATA")


@cache
def series(system: SystemSpec, rows: int = 10_000) -> torch.Tensor:
    """Return an observed orbit, computed once for each system."""
    start = system.initial_state(1, torch.Generator().manual_seed(5))
    return system.observe(orbit(system, start, steps=rows))[0]


def torus(rows=10_000, noise=0.0):
    """Two incommensurate rotations, deformed so that distances vary along the orbit."""
    time = 0.1 * torch.arange(rows, dtype=torch.float64)
    observed = time.cos().exp() * (1 + 0.5 * (time * 2**0.5).cos()) + torch.tanh(5 * (time * 3**0.5 / 3).sin())
    drawn = torch.randn(rows, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return delay_vectors((observed + noise * observed.std() * drawn)[:, None])


@pytest.mark.parametrize(
    ("system", "exponent", "tolerance"),
    [
        (Lorenz63(), 0.9056, 0.1),
        (Lorenz63(dt=0.04), 0.9056, 0.12),
        (Henon(), 0.41922, 0.03),
        (Logistic(r=4.0), 0.693147, 0.03),
    ],
    ids=lambda value: value.label if isinstance(value, SystemSpec) else None,
)
def test_the_exponent_estimated_from_data_is_that_of_the_system(system, exponent, tolerance):
    """There are 10,000 points; for flows the curve bends before the distance saturates, which widens the tolerance."""
    curve = separation_curve(series(system), dt=system.dt)
    assert curve.exponent == pytest.approx(exponent, rel=tolerance)
    assert abs(curve.exponent - exponent) < curve.interval
    assert curve.chaotic


def test_the_exponent_of_a_phase_coherent_flow_is_covered():
    """Without the distance along the orbit, which does not grow, Rössler's flow is not underestimated by a quarter."""
    curve = separation_curve(series(Rossler(dt=0.1)), dt=0.1)
    assert abs(curve.exponent - 0.0714) < curve.interval
    assert curve.chaotic


def test_the_exponent_can_be_estimated_from_one_observable():
    curve = separation_curve(delay_vectors(series(Lorenz63())[:, :1]), dt=0.01)
    assert curve.exponent == pytest.approx(0.9056, rel=0.15)


@pytest.mark.parametrize(
    "quiet",
    [
        lambda: series(LimitCycle(dt=0.5)),
        lambda: torus(),
        lambda: torus(noise=0.01),
        lambda: torus(noise=0.1),
        lambda: torch.randn(10_000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
        lambda: delay_vectors(
            torch.from_numpy(gaussian_filter1d(np.random.default_rng(0).standard_normal((10_000, 1)), 20, axis=0))
        ),
    ],
    ids=["limit cycle", "torus", "torus with 1 % noise", "torus with 10 % noise", "white noise", "coloured noise"],
)
def test_data_without_chaos_have_no_positive_exponent(quiet):
    curve = separation_curve(quiet(), dt=1.0)
    assert not curve.chaotic
    assert abs(curve.exponent) < curve.interval


def test_the_exponent_is_the_least_squares_slope_over_the_range_of_the_fit():
    curve = separation_curve(series(Henon()), dt=1.0)
    inside = (curve.times >= curve.fit[0]) & (curve.times <= curve.fit[1])
    slope = np.polyfit(curve.times[inside], curve.log_distance[inside], 1)[0]
    assert curve.exponent == pytest.approx(slope, rel=1e-12)
    explained = np.corrcoef(curve.times[inside], curve.log_distance[inside])[0, 1] ** 2
    assert curve.r_squared == pytest.approx(explained, rel=1e-9)


def test_the_curve_is_the_mean_over_nearest_neighbours():
    """For a short series the distances of all pairs can be computed directly."""
    data, theiler, steps = series(Henon(), 300), 7, 12
    curve = separation_curve(data, dt=1.0, theiler=theiler, steps=steps)
    points = (data - data.mean(0)) / data.std(0, correction=0)
    followed = len(points) - steps
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    index = torch.arange(followed)
    near = (index[:, None] - index).abs() <= theiler
    nearest = distances[:followed, :followed].masked_fill(near, torch.inf).argmin(1)
    expected = [distances[index + step, nearest + step].log().mean() for step in range(steps + 1)]
    torch.testing.assert_close(curve.log_distance, torch.stack(expected), rtol=1e-9, atol=1e-9)
    assert curve.times.tolist() == list(range(steps + 1))


def test_units_and_time_steps_only_change_the_unit_of_the_result():
    plain = separation_curve(series(Henon()), dt=1.0)
    scaled = separation_curve(series(Henon()) * torch.tensor([1e3, 1e-3]) + 5, dt=0.1)
    assert scaled.exponent == pytest.approx(10 * plain.exponent, rel=1e-6)
    assert scaled.times[-1] == pytest.approx(0.1 * plain.times[-1])


def test_delay_vectors_contain_past_and_present():
    vectors = delay_vectors(torch.arange(20.0)[:, None], dimension=3, lag=4)
    assert vectors.shape == (12, 3)
    assert vectors[0].tolist() == [0, 4, 8]
    assert vectors[-1].tolist() == [11, 15, 19]


def test_the_lag_of_delay_vectors_is_the_first_with_an_autocorrelation_below_one_over_e():
    """The autocorrelation of a sine is cos(lag w), below 1 / e from lag w = 1.194 on."""
    time = torch.arange(5_000, dtype=torch.float64)
    vectors = delay_vectors((0.05 * time).sin()[:, None], dimension=2)
    assert len(time) - len(vectors) == pytest.approx(1.194 / 0.05, abs=1)


def test_a_cycle_of_two_steps_has_the_exponent_zero():
    """The nearest distinct neighbour is the other state, at a constant distance."""
    curve = separation_curve(torch.arange(1_000.0)[:, None] % 2, dt=1.0)
    assert curve.exponent == pytest.approx(0, abs=1e-12)
    assert not curve.chaotic


def test_states_without_neighbours_are_an_error():
    with pytest.raises(DataError, match="more than 965 steps away"):
        separation_curve(series(Henon(), 1_000), dt=1.0, theiler=965)
    with pytest.raises(DataError, match="constant"):
        separation_curve(torch.ones(1_000, 2), dt=1.0)


def test_quantised_data_have_an_exponent():
    """The data are rounded to three digits; neighbours that equal the state are skipped."""
    curve = separation_curve(series(Logistic(r=4.0)).mul(1_000).round(), dt=1.0)
    assert curve.exponent == pytest.approx(0.693, rel=0.1)


def test_the_exponent_is_estimated_from_the_training_split(tmp_path):
    data = series(Henon()).numpy()
    np.save(tmp_path / "henon.npy", data)
    system = TimeSeries(path=str(tmp_path / "henon.npy"))
    expected = separation_curve(torch.from_numpy(data[:7_000]), dt=1.0)
    assert system.largest_exponent() == expected.exponent == system.separation().exponent
    narrow = system.replaced(columns=(0,))
    assert narrow.largest_exponent() == pytest.approx(0.419, rel=0.05)


def test_the_exponent_is_not_positive_if_chaos_is_in_doubt(tmp_path):
    np.save(tmp_path / "torus.npy", torus().numpy())
    assert TimeSeries(path=str(tmp_path / "torus.npy")).largest_exponent() <= 0


@pytest.mark.skipif(not DATA, reason="CHAOSBENCH_TEST_DATA names no folder of recorded data")
def test_the_temperature_series_agrees_with_its_authors():
    """Air temperature at Jena, embedded by Mikhaeil, Monfared and Durstewitz 2022 (NeurIPS), who report 0.016 per step.

    The interval is wide, because distances double only about once, within an eighth of a mean period, before they
    saturate.
    """
    system = TimeSeries(
        path=str(Path(DATA) / "temperature_tde.npy"),
        source="Mikhaeil, Monfared and Durstewitz 2022, On the difficulty of learning chaotic dynamics with RNNs",
        licence="CC BY",
    )
    assert system.read().shape == (5_900, 5)
    curve = system.separation()
    assert curve.chaotic
    assert abs(curve.exponent - 0.016) < curve.interval
