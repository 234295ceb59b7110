"""Autocorrelation of time series, and how long they stay correlated."""

import torch
from torch import Tensor


def autocorrelation(orbits: Tensor, *, adjusted: bool = True) -> Tensor:
    """Return the autocorrelation of each observable at every lag, estimated from all orbits together.

    The mean and the variance of an observable are those over all orbits.

    Args:
        orbits: `(N, T, D)`; computed in float64.
        adjusted: divide the sum at lag k by the number of its products, T - k, which is unbiased; otherwise by T, which
            damps large lags and keeps every value within -1 and 1.

    Returns:
        `(T, D)` float64, 1 at lag 0; 1 at every lag for an observable that never changes.
    """
    length = orbits.shape[1]
    centred = orbits.double() - orbits.double().mean(dim=(0, 1))
    # With T zeros of padding, the circular correlation that the Fourier transform gives equals the linear one.
    power = torch.fft.rfft(centred, n=2 * length, dim=1).abs().square()
    products = torch.fft.irfft(power, n=2 * length, dim=1)[:, :length].mean(dim=0)
    if adjusted:
        products = products * length / torch.arange(length, 0, -1, device=orbits.device)[:, None]
    return torch.where(products[0] == 0, 1.0, products / products[0])


def decorrelation_time(orbits: Tensor, *, adjusted: bool = True) -> Tensor:
    """Return the first lag at which the autocorrelation of each observable is below 1/e.

    Args:
        orbits: `(N, T, D)`.
        adjusted: as for `autocorrelation`.

    Returns:
        `(D,)` int64 [steps]; 0 where the autocorrelation never falls below 1/e.
    """
    below = autocorrelation(orbits, adjusted=adjusted) < 1 / torch.e
    return below.int().argmax(dim=0)
