"""The equations of dysts whose parameters are arrays, and its map that solves an equation, written for coordinates.

Each function takes the coordinates of the state and the parameters of dysts, and returns the derivatives or the next
coordinates. dysts writes these with operations on whole arrays, which fit a single state only.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

Vector = Sequence[float]
Matrix = Sequence[Sequence[float]]
_NEWTON = 12  # steps of Newton's method; Kepler's equation is solved to rounding after six to ten


def lorenz96(x: Sequence[Tensor], *, f: float) -> list[Tensor]:
    """Return dx/dt of Lorenz's model of 1996 on a ring of len(x) sites."""
    n = len(x)
    return [(x[(i + 1) % n] - x[i - 2]) * x[i - 1] - x[i] + f for i in range(n)]


def bickley_jet(
    state: Sequence[Tensor], *, ell: float, eps: Vector, k: Vector, omega: float, sigma: Vector, u: float
) -> list[Tensor]:
    """Return d(y, x, z)/dt of a tracer in a jet with three waves."""
    y, x, z = state
    decay = (1 / torch.cosh(y / ell)).square()
    phases = [number * (x - z * speed) for number, speed in zip(k, sigma, strict=True)]
    along = _sum(size * phase.cos() for size, phase in zip(eps, phases, strict=True))
    across = _sum(size * number * phase.sin() for size, number, phase in zip(eps, k, phases, strict=True))
    dx = u * decay * (-1 - 2 * along * torch.tanh(y / ell))
    return [ell * u * decay * across, dx, torch.full_like(z, omega)]


def interior_squirmer(state: Sequence[Tensor], *, a: Vector, g: Vector, tau: float) -> list[Tensor]:
    """Return d(r, theta, t)/dt of a tracer inside a squirming drop whose two modes of motion alternate."""
    r, theta, time = state
    phase = 0.5 + 0.5 * torch.tanh(20 * tau * torch.sin(2 * math.pi * time / tau))
    radial, angular = torch.zeros_like(r), torch.zeros_like(r)
    for n, (one, other) in enumerate(zip(a, g, strict=True), start=1):
        sine, cosine, power = torch.sin(n * theta), torch.cos(n * theta), r**n
        radial = radial + n * power * (r * r - 1) / r * ((1 - phase) * other * cosine + phase * one * sine)
        skew = phase * one * cosine - (1 - phase) * other * sine
        angular = angular + power * (2 * r + (r * r - 1) * n / r) * skew
    return [radial, angular / r, torch.ones_like(time)]


def beer_rnn(x: Sequence[Tensor], *, tau: Vector, theta: Vector, w: Matrix) -> list[Tensor]:
    """Return dx/dt of a continuous-time recurrent network."""
    active = [torch.sigmoid(one + bias) for one, bias in zip(x, theta, strict=True)]
    return [(-one + _product(row, active)) / time for one, row, time in zip(x, w, tau, strict=True)]


def hopfield(x: Sequence[Tensor], *, beta: float, eps: float, k: Matrix, tau: float) -> list[Tensor]:
    """Return dx/dt of Hopfield's network."""
    return [-one / tau + (1 + torch.tanh(eps * _product(row, x))) / 2 - beta for one, row in zip(x, k, strict=True)]


def mac_arthur(
    state: Sequence[Tensor], *, c: Matrix, d: float, k: Matrix, m: float, r: float, s: Vector
) -> list[Tensor]:
    """Return d(n, R)/dt of five species that compete for five resources, each limited by the scarcest one."""
    species, resources = state[: len(s)], state[len(s) :]
    growth = [
        reduce(torch.minimum, [r * left / (k[j][i] + left) for j, left in enumerate(resources)])
        for i in range(len(species))
    ]
    eaten = [rate * number for rate, number in zip(growth, species, strict=True)]
    changes = [number * (rate - m) for rate, number in zip(growth, species, strict=True)]
    supplied = [d * (supply - left) for supply, left in zip(s, resources, strict=True)]
    return changes + [more - _product(row, eaten) for more, row in zip(supplied, c, strict=True)]


def blinking_vortex_map(state: Sequence[Tensor], *, a: float, b: float, gamma: float, t: float) -> list[Tensor]:
    """Return (r, theta) after the time t in the field of one vortex in a disc.

    dysts means to let two vortices blink, but its parameters do not change between steps, and neither do they here.
    """
    r, theta = state
    image = a * a / b
    ratio = (b * b + r * r - 2 * b * r * theta.cos()) / (image * image + r * r - 2 * image * r * theta.cos())
    root = ratio.sqrt()
    centre = (b - ratio * image) / (1 - ratio)
    radius = (root / (1 - ratio) * (image - b)).abs()
    begin = torch.atan2(r * theta.sin(), r * theta.cos() - centre)
    period = (2 * math.pi) ** 2 * radius * radius / gamma * (1 + ratio) / (1 - ratio)
    eccentricity = 2 * root / (1 + ratio)
    mean = begin - eccentricity * begin.sin() + 2 * math.pi * t / period
    angle = mean
    for _ in range(_NEWTON):  # Kepler's equation
        angle = angle - (angle - eccentricity * angle.sin() - mean) / (1 - eccentricity * angle.cos())
    distance = (radius * radius + centre * centre + 2 * radius * centre * angle.cos()).sqrt()
    return [distance, torch.atan2(radius * angle.sin(), centre + radius * angle.cos())]


Written = Callable[..., list[Tensor]]
FLOWS: dict[str, Written] = {
    "BeerRNN": beer_rnn,
    "BickleyJet": bickley_jet,
    "Hopfield": hopfield,
    "InteriorSquirmer": interior_squirmer,
    "Lorenz96": lorenz96,
    "MacArthur": mac_arthur,
}
MAPS: dict[str, Written] = {"BlinkingVortexMap": blinking_vortex_map}


def _product(row: Sequence[float], column: Sequence[Tensor]) -> Tensor:
    """Return the product of a row of numbers and a column of coordinates; zeros are left out."""
    return _sum(number * one for number, one in zip(row, column, strict=True) if number)


def _sum(terms: Any) -> Tensor:
    total: Tensor = reduce(torch.add, terms)
    return total
