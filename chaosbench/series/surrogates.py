"""Test whether a series is more predictable than every linear stochastic process of the same spectrum."""

from typing import Any

import numpy as np

from chaosbench.source import SurrogateTest

Array = np.ndarray[Any, np.dtype[Any]]

SURROGATES = 39  # the least p-value is 1 / 40, below half of the level of 5 %
_LONGEST = 2_000  # rows that are tested, at most
_ITERATIONS = 50  # of amplitudes and spectrum; both are reached to about 1 % then
_NEIGHBOURS = 5  # whose futures are averaged
_TRIMMED = 0.05  # share of the rows at either end within which matching ends are searched


def surrogate_test(
    series: Array, embedding: tuple[int, int], *, period: float, count: int = SURROGATES, seed: int = 0
) -> SurrogateTest:
    """Compare how well a series forecasts itself with how well surrogates do.

    The forecast of a state is the mean future of its nearest neighbours, a quarter of a mean period ahead. Surrogates
    have the distribution of each observable and, nearly, all spectra and cross-spectra of the series, but are random
    otherwise. The p-value is that of the rank of the series among them, so chaos in very noisy data is not found.

    Args:
        series: `(T, D)`, without gaps, trend and season; the middle is used if it is long.
        embedding: number of delay coordinates of each observable, and their lag; `(1, 1)`: the series itself.
        period: the mean period [steps].
        count: number of surrogates.
        seed: of their random phases.

    Source:
        Theiler, Eubank, Longtin, Galdrikian and Farmer 1992, Physica D 58, 77; the surrogates: Schreiber and Schmitz
        2000, Physica D 142, 346, sections 4.3 and 5; the statistic: Schreiber and Schmitz 1997, Physical Review E 55,
        5443.
    """
    middle = max(0, (len(series) - _LONGEST) // 2)
    tested = matching_ends(series[middle : middle + _LONGEST])
    tested = (tested - tested.mean(axis=0)) / tested.std(axis=0)
    dimension, lag = embedding
    ahead, theiler = max(1, round(period / 4)), max(1, round(period))
    generator = np.random.default_rng(seed)

    def error(values: Array) -> float:
        return forecast_error(values, dimension=dimension, lag=lag, ahead=ahead, theiler=theiler)

    own = error(tested)
    others = tuple(error(surrogate(tested, generator)) for _ in range(count))
    better = sum(other <= own for other in others)
    return SurrogateTest(count, own, others, (1 + better) / (1 + count))


def surrogate(series: Array, generator: np.random.Generator) -> Array:
    """Return a random series `(T, D)` with the values of each observable and nearly the spectra and cross-spectra.

    Source:
        Schreiber and Schmitz 2000, Physica D 142, 346, equations 15 to 22.
    """
    spectrum = np.fft.rfft(series, axis=0)
    amplitudes, phases = np.abs(spectrum), np.angle(spectrum)
    ordered = np.sort(series, axis=0)
    rows = generator.permutation(len(series))  # the same for all observables
    current = series[rows]
    for _ in range(_ITERATIONS):
        turned = np.angle(np.fft.rfft(current, axis=0)) - phases
        common = np.angle(np.exp(1j * turned).sum(axis=1, keepdims=True))
        shaped = np.fft.irfft(amplitudes * np.exp(1j * (phases + common)), n=len(series), axis=0)
        ranks = shaped.argsort(axis=0).argsort(axis=0)
        current = np.take_along_axis(ordered, ranks, axis=0)
    return current


def forecast_error(series: Array, *, dimension: int, lag: int, ahead: int, theiler: int) -> float:
    """Return the root mean squared error of forecasts by neighbours [standard deviations].

    Args:
        series: `(T, D)`.
        dimension, lag: delay coordinates of each observable.
        ahead: length of the forecasts [steps].
        theiler: least distance in time between a state and its neighbours [steps].
    """
    from scipy.spatial import cKDTree

    back = (dimension - 1) * lag
    columns = [series[back - index * lag : len(series) - index * lag] for index in range(dimension)]
    states = np.concatenate(columns, axis=1)[: len(series) - back - ahead]
    futures = series[back + ahead :]
    queried = min(len(states), _NEIGHBOURS + 2 * theiler + 1)
    _, index = cKDTree(states).query(states, k=queried)
    eligible = np.abs(index - np.arange(len(states))[:, None]) > theiler
    chosen = eligible & (eligible.cumsum(axis=1) <= _NEIGHBOURS)
    weights = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)
    forecasts = (futures[index] * weights[:, :, None]).sum(axis=1)
    return float(np.sqrt(np.mean((forecasts - futures) ** 2)) / series.std())


def matching_ends(series: Array) -> Array:
    """Return the stretch whose end continues at its beginning: a jump between them would add high frequencies."""
    reach = int(_TRIMMED * len(series))
    if reach < 2:
        return series
    scale = series.std(axis=0)
    heads = np.concatenate([series[:reach], series[1 : reach + 1] - series[:reach]], axis=1) / np.tile(scale, 2)
    tails = np.concatenate([series[-reach:], series[-reach:] - series[-reach - 1 : -1]], axis=1) / np.tile(scale, 2)
    apart = ((heads[:, None] - tails[None]) ** 2).sum(axis=2)
    first, last = np.unravel_index(apart.argmin(), apart.shape)
    return series[first : len(series) - reach + int(last)]
