"""The distance between the power spectra of model and truth (D_H)."""

from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from chaosbench.errors import ChaosbenchError, unknown_name
from chaosbench.metrics.arrays import Array, ArrayT, as_tensors, like
from chaosbench.metrics.base import Evaluation
from chaosbench.metrics.orbits import FreeRunMetric

Convention = Literal["gtf", "alrnn", "dynamix", "seed", "dysts"]

_SMOOTHING = {"gtf": 20.0, "alrnn": 20.0, "dynamix": 20.0, "seed": 2.0, "dysts": 0.0}  # [frequency bins]
_CHUNK, _CUTOFF = 2000, 500  # "seed": steps per chunk, frequencies kept
_LOWEST = 100  # "dysts": frequencies kept


def power_spectrum_distance(
    generated: ArrayT, truth: Array, *, smoothing: float | None = None, convention: Convention = "gtf"
) -> ArrayT:
    """Return the Hellinger distance D_H between smoothed power spectra, averaged over dimensions.

    Args:
        generated: `(..., T, D)`, equally long as `truth`; numpy array or tensor, computed in float64.
        truth: `(..., T, D)`, leading axes broadcast.
        smoothing: standard deviation of the Gaussian along frequency [frequency bins]; None: the convention's.
        convention: published settings.
            "gtf": the spectrum of the whole series, normalised to one; "alrnn" and "dynamix" are the same.
            "seed": the mean spectrum of chunks of 2000 steps, cut off after 500 frequencies without normalisation: the
            missing power counts as distance, so even identical series score above zero.
            "dysts": the first 100 frequencies of the unscaled series, including its mean, normalised to one.

    Returns:
        `(...)`, between 0 and 1, of the kind of `generated`; NaN for a series with a non-finite value.

    Source:
        Hess et al. 2023, ICML (arXiv 2306.04406), "gtf"; Brenner et al. 2024, NeurIPS (2410.14240), "alrnn"; Hemmer &
        Durstewitz 2025 (2505.13192), "dynamix"; Mikhaeil et al. 2022, NeurIPS (2110.07238), "seed"; Gilpin 2021,
        NeurIPS (2110.05266), "dysts".
    """
    if convention not in _SMOOTHING:
        raise unknown_name("convention", convention, _SMOOTHING)
    width = _SMOOTHING[convention] if smoothing is None else smoothing
    series, orbits = as_tensors(generated, truth)
    check_lengths(series, orbits)
    distance = {"seed": _chunked_distance, "dysts": _lowest_distance}.get(convention, _whole_distance)
    return like(distance(series.mT, orbits.mT, width).mean(-1), generated)


def power_spectrum(series: ArrayT, *, smoothing: float = 20.0) -> ArrayT:
    """Return the smoothed power spectrum that `power_spectrum_distance` compares, normalised to a sum of one.

    A constant series has no spectrum; its result is flat, the limit of a fixed point under vanishing white noise.

    Args:
        series: `(..., T, D)`; numpy array or tensor, computed in float64.
        smoothing: standard deviation of the Gaussian along frequency [frequency bins].

    Returns:
        `(..., T // 2 + 1, D)`, of the kind of `series`; the frequencies are those of `rfftfreq(T, dt)`.
    """
    (values,) = as_tensors(series)
    return like(_spectrum(values.mT, smoothing).mT, series)


def check_lengths(series: Tensor, truth: Tensor) -> None:
    """Raise a `ChaosbenchError` unless both series have the same numbers of steps and dimensions."""
    if series.shape[-2:] != truth.shape[-2:]:
        raise ChaosbenchError(
            f"spectra of series of shapes {tuple(series.shape[-2:])} and {tuple(truth.shape[-2:])} do not compare; "
            "cut both to the same steps and dimensions."
        )


def smoothed(power: Tensor, smoothing: float, *, mode: str, truncate: float) -> Tensor:
    """Smooth along the last axis with a Gaussian of standard deviation `smoothing`, cut off at `truncate` of them."""
    from scipy.ndimage import gaussian_filter1d

    if truncate * smoothing < 0.5:  # the kernel would be a single bin, and scipy divides by its variance
        return power
    smooth = gaussian_filter1d(power.cpu().numpy(), smoothing, mode=mode, truncate=truncate)
    return torch.from_numpy(smooth).to(power.device)


class PowerSpectrumDistance(FreeRunMetric):
    """Hellinger distance between power spectra, D_H, mean over dimensions, median over free runs.

    Source: Hess et al. 2023, ICML.
    """

    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    kind: Literal["power_spectrum_distance"] = "power_spectrum_distance"
    smoothing: NonNegativeFloat | None = None  # [frequency bins]; None: the convention's
    convention: Convention = "gtf"

    @property
    def least_free_run(self) -> int:
        """The length of a chunk, where the convention cuts the series into chunks [steps]."""
        return _CHUNK if self.convention == "seed" else 1

    def each_run(self, evaluation: Evaluation) -> Tensor:
        """Return the score of each free run, `(K, R)`; NaN where it is not finite."""
        return power_spectrum_distance(
            evaluation.free_run, evaluation.truth, smoothing=self.smoothing, convention=self.convention
        )


def _whole_distance(series: Tensor, orbits: Tensor, smoothing: float) -> Tensor:
    """Return the distance of whole spectra, `(..., D, T)` to `(..., D)`."""
    return _hellinger(_spectrum(series, smoothing), _spectrum(orbits, smoothing))


def _lowest_distance(series: Tensor, orbits: Tensor, smoothing: float) -> Tensor:
    """Return the distance of the lowest frequencies, `(..., D, T)` to `(..., D)`."""

    def spectrum(values: Tensor) -> Tensor:
        transform = torch.fft.rfft(values)[..., :_LOWEST]
        power = smoothed(transform.abs().square(), smoothing, mode="reflect", truncate=4.0)
        return power / power.sum(-1, keepdim=True)

    return _hellinger(spectrum(series), spectrum(orbits))


def _hellinger(spectrum: Tensor, other: Tensor) -> Tensor:
    """Return the distance over the last axis; the equivalent sqrt(1 - sum sqrt(p q)) can round to NaN."""
    return ((spectrum.sqrt() - other.sqrt()).square().sum(-1) / 2).sqrt()


def _chunked_distance(series: Tensor, orbits: Tensor, smoothing: float) -> Tensor:
    """Return the distance of mean spectra of chunks, `(..., D, T)` to `(..., D)`."""
    if series.shape[-1] < _CHUNK:
        raise ChaosbenchError(
            f"the convention 'seed' cuts series into chunks of {_CHUNK} steps, and these have {series.shape[-1]}; "
            "give more steps, or use the convention 'gtf'."
        )
    product = _chunked_spectrum(series, smoothing) * _chunked_spectrum(orbits, smoothing)
    return (1 - torch.trapezoid(product.sqrt())).clamp(min=0).sqrt()


def _spectrum(series: Tensor, smoothing: float) -> Tensor:
    """Return smoothed spectra with a sum of one, `(..., D, T)` to `(..., D, T // 2 + 1)`."""
    power = smoothed(_power(series), smoothing, mode="reflect", truncate=4.0).clamp(min=0)
    return power / power.sum(-1, keepdim=True)


def _chunked_spectrum(series: Tensor, smoothing: float) -> Tensor:
    """Return the mean spectrum of whole chunks, `(..., D, T)` to `(..., D, 500)`; remaining steps are left out."""
    count = series.shape[-1] // _CHUNK
    chunks = series[..., : count * _CHUNK].reshape(*series.shape[:-1], count, _CHUNK)
    return smoothed(_power(chunks), smoothing, mode="constant", truncate=5.0).mean(-2)[..., :_CUTOFF]


def _power(series: Tensor) -> Tensor:
    """Return the one-sided power of the z-scored series along its last axis.

    Its sum is one except for the Nyquist frequency, which counts twice.
    """
    steps = series.shape[-1]
    centred = series - series.mean(-1, keepdim=True)
    transform = torch.fft.rfft(centred / centred.square().mean(-1, keepdim=True).sqrt())
    power = (transform.real.square() + transform.imag.square()) * (2 / steps**2)
    # Not `== 0`: the mean of equal numbers has a rounding error, which z-scoring would amplify.
    peak = series.abs().amax(-1)
    constant = (series.amax(-1) - series.amin(-1) <= 1e-12 * peak) & peak.isfinite()
    return torch.where(constant[..., None], 2 / steps, power)
