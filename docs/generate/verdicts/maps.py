"""Maps outside the catalogue, as plain functions of a state: each returns the coordinates one step later."""

import math

import torch

from docs.generate.verdicts.equation import Coordinates


def gauss(state: Coordinates) -> Coordinates:
    """Map a number to the fractional part of its reciprocal (Gauss, continued fractions)."""
    (x,) = state
    return ((1 / x) % 1,)


def beta(state: Coordinates) -> Coordinates:
    """Map x to 1.9 x mod 1 (Rényi)."""
    (x,) = state
    return ((1.9 * x) % 1,)


def bernoulli(state: Coordinates) -> Coordinates:
    """Map x to 2 x mod 1, the Bernoulli shift."""
    (x,) = state
    return ((2 * x) % 1,)


def skew_tent(state: Coordinates) -> Coordinates:
    """Stretch [0, 0.3] and [0.3, 1] each over [0, 1]."""
    (x,) = state
    return (torch.where(x < 0.3, x / 0.3, (1 - x) / 0.7),)


def cubic(state: Coordinates) -> Coordinates:
    """Map x to 3 x (1 - x^2), which is conjugate to the third Chebyshev polynomial."""
    (x,) = state
    return (3 * x * (1 - x * x),)


def cusp(state: Coordinates) -> Coordinates:
    """Map x to 1 - 2 sqrt(|x|)."""
    (x,) = state
    return (1 - 2 * x.abs().sqrt(),)


def sine(state: Coordinates) -> Coordinates:
    """Map x to sin(pi x)."""
    (x,) = state
    return (torch.sin(math.pi * x),)


def ricker(state: Coordinates) -> Coordinates:
    """Map a population x to 20 x exp(-x)."""
    (x,) = state
    return (20 * x * torch.exp(-x),)


def pinchers(state: Coordinates) -> Coordinates:
    """Map x to |tanh(2 (x - 1/2))|."""
    (x,) = state
    return (torch.tanh(2 * (x - 0.5)).abs(),)


def sine_circle(state: Coordinates) -> Coordinates:
    """Advance the circle map at K = 2 and Omega = 1/2."""
    (x,) = state
    return ((x + 0.5 - torch.sin(2 * math.pi * x) / math.pi) % 1,)


def critical_circle(state: Coordinates) -> Coordinates:
    """Advance the circle map at K = 1, where its winding number is the golden mean."""
    (x,) = state
    return ((x + 0.60666106347011 - torch.sin(2 * math.pi * x) / (2 * math.pi)) % 1,)


def rotation(state: Coordinates) -> Coordinates:
    """Turn the circle by the inverse of the golden mean, in x + y i."""
    x, y = state
    angle = math.pi * (math.sqrt(5) - 1)
    cosine, sine = math.cos(angle), math.sin(angle)
    return cosine * x - sine * y, sine * x + cosine * y


def cat(state: Coordinates) -> Coordinates:
    """Advance Arnold's cat map."""
    x, y = state
    return (x + y) % 1, (x + 2 * y) % 1


def baker(state: Coordinates) -> Coordinates:
    """Advance the generalised baker's map: strips of 0.4 and 0.6, contracted to 0.3 and 0.4."""
    x, y = state
    low = y < 0.4
    return torch.where(low, 0.3 * x, 0.5 + 0.4 * x), torch.where(low, y / 0.4, (y - 0.4) / 0.6)


def kaplan_yorke(state: Coordinates) -> Coordinates:
    """Advance the map of Kaplan and Yorke at a = 2 and b = 0.2."""
    x, y = state
    return (2 * x) % 1, 0.2 * y + torch.cos(4 * math.pi * x)


def delayed_logistic(state: Coordinates) -> Coordinates:
    """Advance the logistic map whose growth is limited by the generation before, A = 2.27."""
    x, y = state
    return 2.27 * x * (1 - y), x


def tinkerbell(state: Coordinates) -> Coordinates:
    """Advance the Tinkerbell map at a = 0.9, b = -0.6, c = 2, d = 0.5."""
    x, y = state
    return x * x - y * y + 0.9 * x - 0.6 * y, x * y + x * y + 2 * x + 0.5 * y


def burgers(state: Coordinates) -> Coordinates:
    """Advance Burgers' map at a = 0.75 and b = 1.75."""
    x, y = state
    return 0.75 * x - y * y, 1.75 * y + x * y


def holmes(state: Coordinates) -> Coordinates:
    """Advance Holmes's cubic map at b = 0.2 and d = 2.77."""
    x, y = state
    return y, -0.2 * x + 2.77 * y - y * y * y


def dissipative_standard(state: Coordinates) -> Coordinates:
    """Advance the standard map with friction, b = 0.1 and k = 8.8."""
    x, y = state
    kicked = (0.1 * y + 8.8 * torch.sin(x)) % (2 * math.pi)
    return (x + kicked) % (2 * math.pi), kicked


def sinai(state: Coordinates) -> Coordinates:
    """Advance Sinai's map at delta = 0.1."""
    x, y = state
    return (x + y + 0.1 * torch.cos(2 * math.pi * y)) % 1, (x + 2 * y) % 1


def predator_prey(state: Coordinates) -> Coordinates:
    """Advance prey x and predators y at r = 3, K = 1 and alpha = 5."""
    x, y = state
    return x * torch.exp(3 * (1 - x) - 5 * y), x * (1 - torch.exp(-5 * y))


def standard(state: Coordinates) -> Coordinates:
    """Advance the standard map at K = 6.908745."""
    x, y = state
    kicked = (y + 6.908745 * torch.sin(x)) % (2 * math.pi)
    return (x + kicked) % (2 * math.pi), kicked


def area_preserving_henon(state: Coordinates) -> Coordinates:
    """Advance Hénon's area-preserving map, which turns by arccos 0.24."""
    x, y = state
    lifted = y - x * x
    sine = math.sqrt(1 - 0.24**2)
    return 0.24 * x - sine * lifted, sine * x + 0.24 * lifted


def gingerbreadman(state: Coordinates) -> Coordinates:
    """Advance the gingerbreadman map."""
    x, y = state
    return 1 + x.abs() - y, x


def web(state: Coordinates) -> Coordinates:
    """Advance the chaotic web map that turns by a quarter, k = 1."""
    x, y = state
    return -(y + torch.sin(x)), x


def lorenz_3d(state: Coordinates) -> Coordinates:
    """Advance Lorenz's map x y - z of three variables."""
    x, y, z = state
    return x * y - z, x, y


def towel(state: Coordinates) -> Coordinates:
    """Advance Rössler's map of a folded towel."""
    x, y, z = state
    folded = (y + 0.35) * (1 - 2 * z)
    return 3.8 * x * (1 - x) - 0.05 * folded, 0.1 * (folded - 1) * (1 - 1.9 * x), 3.78 * z * (1 - z) + 0.2 * y


def coupled_beta(state: Coordinates) -> Coordinates:
    """Advance sixteen maps 1.9 x mod 1 on a ring with coupling 0.3."""
    local = [(1.9 * x) % 1 for x in state]
    ring = zip(local, local[1:] + local[:1], local[-1:] + local[:-1], strict=True)
    return tuple(0.7 * x + 0.15 * (right + left) for x, right, left in ring)
