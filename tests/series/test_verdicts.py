"""Exponents of recorded data with a verdict: trends and seasons, surrogates, phase-coherent flows, several trials."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.integrate import odeint
from series_files import logistic

from chaosbench.series import TimeSeries, delay_vectors, separation_curve
from chaosbench.series.exponent import estimate
from chaosbench.series.surrogates import SURROGATES, surrogate
from chaosbench.series.trend import season, stationary
from chaosbench.source import DataSpec


def monthly(rows=288):
    """Monthly values with a growing season, a trend and noise of 2 %: no chaos."""
    noise = np.random.default_rng(0).standard_normal(rows)
    month = np.arange(rows)
    return ((100 + 0.9 * month) * (1 + 0.2 * np.sin(2 * np.pi * month / 12)) * (1 + 0.02 * noise))[:, None]


def orbit(field, start, *, transient, dt, rows):
    """Return an orbit `(rows, 3)` after a transient, by an adaptive method of relative error 1e-8."""
    settled = odeint(field, start, [0, transient], mxstep=1_000_000)[-1]
    return torch.from_numpy(odeint(field, settled, dt * np.arange(rows), mxstep=10_000))


@cache
def rossler(rows, a, c):
    def field(s, _):
        return [-s[1] - s[2], s[0] + a * s[1], 0.2 + s[2] * (s[0] - c)]

    return orbit(field, [1, 1, 1], transient=200, dt=0.1, rows=rows)


@cache
def lorenz(rows):
    def field(s, _):
        return [16 * (s[1] - s[0]), s[0] * (45.92 - s[2]) - s[1], s[0] * s[1] - 4 * s[2]]

    return orbit(field, [1, 1, 30], transient=50, dt=0.01, rows=rows)


def test_trend_and_season_with_noise_are_not_told_from_noise():
    curve = estimate([monthly()], dt=1.0)
    assert curve.detrended == "seasonal"
    assert curve.verdict == "cannot be told"
    assert curve.cautious is None
    assert curve.surrogates is not None
    assert curve.surrogates.count == SURROGATES
    assert curve.surrogates.p_value > 0.05


@pytest.mark.parametrize(
    "noise", [lambda draw: draw.standard_normal((600, 1)), lambda draw: draw.standard_normal((600, 1)).cumsum(0)],
    ids=["white noise", "a random walk"],
)  # fmt: skip
def test_linear_noise_is_never_called_chaotic(noise):
    """At the level of 5 % one of four draws might be, with a probability of 0.2; the exponent must agree, too."""
    curves = [estimate([noise(np.random.default_rng(seed))], dt=1.0) for seed in range(2)]
    assert "chaotic" not in [curve.verdict for curve in curves]


def test_a_short_chaotic_series_is_called_chaotic():
    curve = estimate([logistic(420)[:, None]], dt=1.0)
    assert (curve.verdict, curve.detrended) == ("chaotic", "")
    assert curve.surrogates.p_value == 1 / (SURROGATES + 1)


@pytest.mark.parametrize(("rows", "a", "c", "exponent"), [(4_000, 0.15, 10, 0.09), (4_000, 0.2, 5.7, 0.0714)])
def test_the_interval_of_a_phase_coherent_flow_covers_its_exponent(rows, a, c, exponent):
    """Rössler's flow: 0.09 (Rosenstein, Collins and De Luca 1993, table 1), 0.0714 (Sprott 2003)."""
    curve = separation_curve(rossler(rows, a, c), dt=0.1)
    assert abs(curve.exponent - exponent) < curve.interval
    assert curve.chaotic


def test_the_lorenz_flow_of_the_original_paper_has_its_exponent():
    """1.50 (Rosenstein, Collins and De Luca 1993, table 1)."""
    curve = separation_curve(lorenz(5_000), dt=0.01)
    assert abs(curve.exponent - 1.5) < curve.interval
    assert curve.chaotic


def test_several_trials_give_the_exponent_of_one_long_series():
    """ln 2 for the fully chaotic logistic map (0.693); 20 trials of 100 steps."""
    starts = np.linspace(0.11, 0.89, 20)
    trials = [torch.from_numpy(logistic(100, r=4.0, start=start)[:, None]) for start in starts]
    curve = separation_curve(trials, dt=1.0)
    assert abs(curve.exponent - math.log(2)) < curve.interval


def test_pairs_are_not_followed_beyond_the_end_of_a_trial():
    """With two states that alternate in each trial all distances are constant; across borders they are not."""
    odd = torch.tensor([0.0, 1.0] * 30)[:, None]
    trials = [torch.cat([odd, odd + 1e-3 * shift], 1)[: 59 + shift] for shift in range(2)]
    whole = [trial + torch.tensor([0.0, 0.1]) * number for number, trial in enumerate(trials)]
    curve = separation_curve(whole, dt=1.0, steps=10, theiler=1)
    assert torch.allclose(curve.log_distance, curve.log_distance[0], atol=1e-9)


def test_surrogates_have_the_values_and_nearly_the_spectrum_of_the_series():
    series = np.stack([logistic(500), np.roll(logistic(500), 1)], axis=1)
    other = surrogate(series, np.random.default_rng(0))
    assert np.array_equal(np.sort(other, axis=0), np.sort(series, axis=0))
    assert not np.allclose(other, series)
    spectra = [np.abs(np.fft.rfft(values - values.mean(0), axis=0)) ** 2 for values in (series, other)]
    assert np.abs(spectra[0] - spectra[1]).sum() < 0.05 * spectra[0].sum()


def test_a_season_is_found_by_its_length_and_chaos_has_none():
    month = np.arange(240)
    values = np.sin(2 * np.pi * month / 12) + 0.3 * np.cos(2 * np.pi * month / 4)
    period, share = season(values[:, None] + 0.1 * np.random.default_rng(0).standard_normal((240, 1)))
    assert period == 12
    assert share > 0.9
    assert season(logistic(420)[:, None])[1] < 0.5
    assert stationary([logistic(420)[:, None]], "auto")[1] == ""


@pytest.mark.parametrize("r", [3.58, 3.6, 3.65])
def test_bands_between_which_chaos_alternates_are_no_season(r):
    """The logistic map has four bands at r = 3.58, two at 3.6 and 3.65: a cycle explains over 70 % of the variance."""
    series = logistic(1_420, r=r)[1_000:, None]
    assert season(series)[1] > 0.7
    assert stationary([series], "auto")[1] == ""


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_season_that_is_added_to_chaos_or_noise_is_removed(noise):
    wave = 2 * np.sin(2 * np.pi * np.arange(420) / 12)
    random = noise * np.random.default_rng(0).standard_normal(420)
    for rest in (logistic(420), random + 1e-3 * logistic(420)):
        assert stationary([(wave + rest)[:, None]], "auto")[1] == "seasonal"


def test_the_interval_covers_the_exponent_as_often_as_it_says():
    """At a level of 95 %, 17 of 20 short series of the fully chaotic logistic map are covered with probability 0.98."""
    starts = np.random.default_rng(0).uniform(0.1, 0.9, 20)
    curves = [
        separation_curve(delay_vectors(torch.from_numpy(logistic(420, r=4.0, start=start)[:, None])), dt=1.0)
        for start in starts
    ]
    assert sum(abs(curve.exponent - math.log(2)) < curve.interval for curve in curves) >= 17


def test_the_verdict_reaches_the_data_and_is_said(tmp_path):
    np.save(tmp_path / "monthly.npy", monthly())
    system = TimeSeries(path=str(tmp_path / "monthly.npy"))
    assert system.largest_exponent() is None
    assert "cannot be told" in system.describe(DataSpec())[-1]
