"""Periods of sampled orbits: the lag after which an orbit repeats itself, not always a whole number of samples."""

import torch
from torch import Tensor

_STENCIL = (-2, -1, 0, 1, 2, 3)  # samples through which an orbit is interpolated
_REPEATS = 1e-3  # largest mismatch of an orbit that repeats itself, in its own standard deviations
_COMPARED = 128  # samples at which a lag is refined
_STILL = 1e-9  # an orbit is at rest if it deviates by no more than this, relative to its largest entry


@torch.no_grad()
def repeats(path: Tensor, *, continuous: bool) -> tuple[Tensor, Tensor]:
    """Find the lag after which each orbit repeats its first half.

    Args:
        path: `(B, T, S)`; periods of up to half of its length are found.
        continuous: true if samples are taken from orbits of a flow, so that a period may lie between two lags.

    Returns:
        The lag `(B,)` [samples], 0 for an orbit at rest; and `(B,)`, true where the orbit repeats itself.
    """
    still = (path - path[:, :1]).abs().amax((1, 2)) <= _STILL * path.abs().amax((1, 2)).clamp(min=1e-3)
    length = path.shape[1] // 2
    margin = _STENCIL[-1] + 1 if continuous else 0
    mismatch = _mismatch(path, length, path.shape[1] - length - margin)
    # The mismatch grows from lag 0 on; a return is sought beyond the first lag at which it is large.
    left = (mismatch > 0.5 * mismatch.amax(1, keepdim=True)).cumsum(1) > 0 if continuous else torch.ones_like(mismatch)
    good = torch.where(left.bool(), mismatch, torch.inf)
    # The first lag that is nearly as good as the best one: its multiples are as good.
    best = good.amin(1, keepdim=True).clamp(min=0)
    near = good <= (4 * best + 1e-2 * mismatch.amax(1, keepdim=True) if continuous else 4 * best + _REPEATS**2)
    lag = near.int().argmax(1) + 1
    lag = _lowest_nearby(good, lag) if continuous else lag
    offset, error = _refined(path, lag, length) if continuous else (0.0, _error(path, lag, length))
    # Shifted by nothing every orbit repeats itself: a spike that is sampled once may lead there.
    returning = (error <= _REPEATS) & ((lag + offset >= 1) | (not continuous))
    return torch.where(still, 0.0, lag + offset), returning | still


def _mismatch(path: Tensor, length: int, lags: int) -> Tensor:
    """Return the mean square of x(t + lag) - x(t) over the first `length` samples for lags 1, 2, ..., `(B, lags)`."""
    centred = path - path.mean(1, keepdim=True)
    size = 2 * path.shape[1]
    template = torch.fft.rfft(centred[:, :length], n=size, dim=1)
    products = torch.fft.irfft(torch.fft.rfft(centred, n=size, dim=1) * template.conj(), n=size, dim=1).sum(-1)
    energy = torch.nn.functional.pad(centred.square().sum(-1).cumsum(1), (1, 0))
    later = energy[:, 1 + length : 1 + length + lags] - energy[:, 1 : 1 + lags]
    mismatch: Tensor = (energy[:, length : length + 1] + later - 2 * products[:, 1 : 1 + lags]) / length
    return mismatch


def _lowest_nearby(mismatch: Tensor, lag: Tensor) -> Tensor:
    """Return the lag of the local minimum that follows `lag`."""
    rising = mismatch[:, 1:] > mismatch[:, :-1]
    beyond = torch.arange(1, mismatch.shape[1], device=lag.device) >= lag[:, None]
    minimum = (rising & beyond).int().argmax(1) + 1
    return torch.where((rising & beyond).any(1), minimum, lag)


def _refined(path: Tensor, lag: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Return the fraction of a sample to add to each lag, by three Gauss-Newton steps, and the mismatch that is left.

    The orbit is interpolated by polynomials of degree five.
    """
    start = _STENCIL[0]
    times = torch.arange(-start, length, max(1, length // _COMPARED), device=path.device)
    rows = (times + lag[:, None])[..., None].expand(-1, -1, path.shape[-1])
    samples = torch.stack([path.gather(1, rows + shift) for shift in _STENCIL])
    target, offset = path[:, times], torch.zeros(len(path), dtype=path.dtype, device=path.device)
    for _ in range(4):
        weights, slopes = (torch.stack(list(w))[..., None, None] for w in _lagrange(offset))
        difference, slope = (weights * samples).sum(0) - target, (slopes * samples).sum(0)
        step = (difference * slope).sum((1, 2)) / slope.square().sum((1, 2)).clamp(min=1e-30)
        error = difference.square().sum(-1).mean(-1).sqrt()
        offset = (offset - step).clamp(-1, 1)
    return offset, error / _size(path)


def _lagrange(offset: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return values and derivatives at `offset` of the Lagrange polynomials on the stencil, each `(B,)`."""
    values, slopes = [], []
    for node in _STENCIL:
        others = [other for other in _STENCIL if other != node]
        scale = float(torch.tensor([node - other for other in others], dtype=torch.float64).prod())
        factors = [offset - other for other in others]
        values.append(torch.stack(factors).prod(0) / scale)
        parts = [torch.stack([f for j, f in enumerate(factors) if j != skipped]).prod(0) for skipped in range(5)]
        slopes.append(torch.stack(parts).sum(0) / scale)
    return values, slopes


def _error(path: Tensor, lag: Tensor, length: int) -> Tensor:
    rows = (torch.arange(length, device=path.device) + lag[:, None])[..., None].expand(-1, -1, path.shape[-1])
    difference = path.gather(1, rows) - path[:, :length]
    return difference.square().sum(-1).mean(-1).sqrt() / _size(path)


def _size(path: Tensor) -> Tensor:
    return (path - path.mean(1, keepdim=True)).square().sum(-1).mean(-1).sqrt().clamp(min=1e-300)
