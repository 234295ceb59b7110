"""The exponent of recorded data with a verdict: without trend and season, and tested against surrogates."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from chaosbench.series.rosenstein import delay_vectors, embedding_lag, mean_period, separation_curve
from chaosbench.series.surrogates import surrogate_test
from chaosbench.series.table import Array
from chaosbench.series.trend import Detrend, stationary
from chaosbench.source import SeparationCurve

_DIMENSION = 5  # delay coordinates of a single observable


def estimate(stretches: Sequence[Array], *, dt: float, detrend: Detrend = "auto") -> SeparationCurve:
    """Estimate the largest exponent of stretches of one series, and whether it is chaos.

    A trend or season that explains much of the variance is removed. A single observable is embedded in five delay
    coordinates. The longest stretch is tested against surrogates: `verdict` is "cannot be told" if linear noise with
    the same spectrum is as predictable.

    Args:
        stretches: `(T, D)` each.
        dt: time per row [system time].
        detrend: what to remove, as for `stationary`.

    Raises:
        DataError: as `separation_curve` does.
    """
    still, removed = stationary(list(stretches), detrend)
    states = [torch.from_numpy(np.ascontiguousarray(part)) for part in still]
    longest = max(still, key=len)
    period, embedding = mean_period(still), (1, 1)
    if longest.shape[1] == 1:
        lag = embedding_lag(torch.from_numpy(np.ascontiguousarray(longest)), dimension=_DIMENSION)
        states = _embedded(states, lag)
        embedding = (3, lag)
    curve = separation_curve(states, dt=dt)
    test = surrogate_test(longest, embedding, period=period)
    return replace(curve, surrogates=test, detrended=removed)


def _embedded(stretches: Sequence[Tensor], lag: int) -> list[Tensor]:
    back = (_DIMENSION - 1) * lag
    return [delay_vectors(part, dimension=_DIMENSION, lag=lag) for part in stretches if len(part) >= 2 * back]
