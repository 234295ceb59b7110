"""The forcing of a block of samples inside an unroll by Triton."""

import triton
import triton.language as tl


@triton.jit
def weight_at(weights, k, s, t, samples, steps, N: tl.constexpr, INTERVAL: tl.constexpr, like):
    """Load the weights by which each sample is blended with its signal before step t, as a row."""
    moment = s * 0 + t
    if INTERVAL > 0:
        return tl.where((moment > 0) & (moment % INTERVAL == 0), 1.0, 0.0).to(like.dtype)
    else:
        return tl.load(weights + (k * samples + s) * (steps - 1) + t - 1, mask=moment > 0, other=0.0)


@triton.jit
def signal_at(k, s, m, t, samples, steps, N: tl.constexpr, INTERVAL: tl.constexpr):
    """Return where the signals of a block of samples before step t lie."""
    if INTERVAL > 0:
        moment = (k * samples + s) * ((steps - 1) // INTERVAL) + t // INTERVAL - 1
    else:
        moment = (k * samples + s) * (steps - 1) + t - 1
    return moment[None, :] * N + m[:, None]


@triton.jit
def forced(z, signals, weights, k, s, m, t, samples, steps, N: tl.constexpr, INTERVAL: tl.constexpr):
    """Return the states with which step t begins, `(MP, BLOCK)`."""
    if N > 0:
        w = weight_at(weights, k, s, t, samples, steps, N, INTERVAL, s.to(z.dtype))[None, :]
        drawn = (m < N)[:, None] & (w > 0)
        x = tl.load(signals + signal_at(k, s, m, t, samples, steps, N, INTERVAL), mask=drawn, other=0.0)
        if INTERVAL > 0:
            z = tl.where(drawn, x, z)
        else:  # torch.lerp's two forms
            z = tl.where(drawn, tl.where(w < 0.5, z + w * (x - z), x - (x - z) * (1 - w)), z)
    return z
