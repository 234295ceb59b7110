"""The correlation of the power spectra of model and truth on a logarithmic scale (PSC)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import FreeRunMetric
from chaosbench.metrics.power_spectrum_distance import check_lengths, smoothed


def power_spectrum_correlation(
    generated: ArrayT, truth: Array, *, smoothing: float = 20.0, frequencies: int | None = None
) -> ArrayT:
    """Return the Pearson correlation of smoothed power spectra in decibels, averaged over dimensions.

    Logarithms weight strong and weak frequencies alike, whereas strong ones dominate `power_spectrum_distance`. The
    correlation ignores a factor. The frequency zero, the mean, is left out.

    Args:
        generated: `(..., T, D)`, equally long as `truth`; numpy array or tensor, computed in float64.
        truth: `(..., T, D)`, leading axes broadcast.
        smoothing: standard deviation of the Gaussian along frequency [frequency bins].
        frequencies: number of lowest frequencies to compare [frequency bins]; None: all.

    Returns:
        `(...)`, between -1 and 1, of the kind of `generated`; 0 for a constant series, which has no
        spectrum; NaN for a series with a non-finite value.

    Source:
        Brenner et al. 2022, ICML (arXiv 2207.02542).
    """
    series, orbits = as_tensors(generated, truth)
    check_lengths(series, orbits)
    levels = (_decibels(values.mT, smoothing)[..., :frequencies] for values in (series, orbits))
    own, true = (level - level.mean(-1, keepdim=True) for level in levels)
    product = (own * true).sum(-1)
    size = (own.square().sum(-1) * true.square().sum(-1)).sqrt()
    return like(torch.where(size == 0, 0.0, product / size).mean(-1), generated)


class PowerSpectrumCorrelation(FreeRunMetric):
    """Correlation of power spectra in decibels, PSC, mean over dimensions, median over free runs.

    Source: Brenner et al. 2022, ICML.
    """

    unit: ClassVar[str] = "1"
    unordered: ClassVar[Mapping[str, str]] = {
        "points thrown away": "spikes have a flat spectrum, whose correlation is random"
    }
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    kind: Literal["power_spectrum_correlation"] = "power_spectrum_correlation"
    smoothing: NonNegativeFloat = 20.0  # [frequency bins]
    frequencies: PositiveInt | None = None  # [frequency bins], number of lowest ones to compare; None: all

    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)`; NaN where it is not finite."""
        return power_spectrum_correlation(
            evaluation.free_run, evaluation.truth, smoothing=self.smoothing, frequencies=self.frequencies
        )


def _decibels(series: Tensor, smoothing: float) -> Tensor:
    """Return smoothed spectra in decibels, `(..., D, T)` to `(..., D, T // 2)`; zero for a constant series."""
    amplitude = torch.fft.rfft(series - series.mean(-1, keepdim=True))[..., 1:].abs()
    largest = amplitude.amax(-1, keepdim=True)
    # Below rounding a logarithm is meaningless: -240 dB is the lowest level.
    constant = largest <= 1e-12 * series.shape[-1] * series.abs().amax(-1, keepdim=True)
    level = 20 * (amplitude / largest).clamp(min=1e-12).log10()
    return smoothed(torch.where(constant, 0.0, level), smoothing, mode="reflect", truncate=5.0)
