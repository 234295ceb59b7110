"""An exponential Runge-Kutta step for stiff equations with a diagonal linear part (ETDRK4)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class ExponentialWeights(NamedTuple):
    """Weights of `exponential_step` for a linear part and a step size, `(S)` each."""

    whole: Tensor  # exp(L dt)
    half: Tensor  # exp(L dt / 2)
    stage: Tensor
    first: Tensor
    middle: Tensor
    last: Tensor


def exponential_weights(linear: Tensor, dt: float) -> ExponentialWeights:
    """Return the weights of ETDRK4 for a linear part and a step size.

    Near L = 0 the formulas lose all digits to cancellation, so they are replaced by their averages over a unit circle
    around L dt.

    Args:
        linear: L, the diagonal of the linear part, `(S)`, real, float64 [1 / system time].
        dt: step size [system time].

    Source:
        Kassam & Trefethen 2005, SIAM Journal on Scientific Computing 26, 1214, section 3 and equation 2.5.
    """
    angles = torch.pi * (torch.arange(1, 65, dtype=torch.float64, device=linear.device) - 0.5) / 64
    z = dt * linear[:, None] + torch.polar(torch.ones_like(angles), angles)
    exponential = z.exp()

    def mean(values: Tensor) -> Tensor:
        # Only the upper half of the circle is evaluated; the lower half gives the complex conjugate values.
        return dt * values.real.mean(-1)

    return ExponentialWeights(
        whole=(dt * linear).exp(),
        half=(dt / 2 * linear).exp(),
        stage=mean(((z / 2).exp() - 1) / z),
        first=mean((-4 - z + exponential * (4 - 3 * z + z * z)) / z**3),
        middle=mean((2 + z + exponential * (z - 2)) / z**3),
        last=mean((-4 - 3 * z - z * z + exponential * (4 - z)) / z**3),
    )


def exponential_step(nonlinear: Callable[[Tensor], Tensor], state: Tensor, weights: ExponentialWeights) -> Tensor:
    """Return the state after one step of ETDRK4 for dz/dt = L z + nonlinear(z).

    The method is of fourth order, and exact where `nonlinear` is zero.

    Args:
        nonlinear: the remaining vector field, `(..., S)` to `(..., S)`, real or complex.
        state: `(..., S)`.
        weights: from `exponential_weights`, for the linear part and the step size.

    Returns:
        `(..., S)`.

    Source:
        Cox & Matthews 2002, Journal of Computational Physics 176, 430, equations 26 to 29.
    """
    slope = nonlinear(state)
    a = weights.half * state + weights.stage * slope
    slope_a = nonlinear(a)
    b = weights.half * state + weights.stage * slope_a
    slope_b = nonlinear(b)
    c = weights.half * a + weights.stage * (2 * slope_b - slope)
    return (
        weights.whole * state
        + weights.first * slope
        + 2 * weights.middle * (slope_a + slope_b)
        + weights.last * nonlinear(c)
    )
