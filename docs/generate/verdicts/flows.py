"""Flows outside the catalogue, as plain functions of a state: each returns the time derivatives of the coordinates."""

import torch

from docs.generate.verdicts.equation import Coordinates


def linear(state: Coordinates) -> Coordinates:
    """Decay at the rates 1 and 2."""
    x, y = state
    return -x, -2 * y


def brusselator(state: Coordinates) -> Coordinates:
    """React as the Brusselator at A = 1 and B = 3."""
    x, y = state
    made = x * x * y
    return 1 + made - 4 * x, 3 * x - made


def sprott_a(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case A, which is also the Nosé-Hoover oscillator."""
    x, y, z = state
    return y, -x + y * z, 1 - y * y


def sprott_b(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case B."""
    x, y, z = state
    return y * z, x - y, 1 - x * y


def sprott_c(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case C."""
    x, y, z = state
    return y * z, x - y, 1 - x * x


def sprott_d(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case D."""
    x, y, z = state
    return -y, x + z, x * z + 3 * (y * y)


def sprott_e(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case E."""
    x, y, z = state
    return y * z, x * x - y, 1 - 4 * x


def sprott_f(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case F."""
    x, y, z = state
    return y + z, -x + 0.5 * y, x * x - z


def sprott_g(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case G."""
    x, y, z = state
    return 0.4 * x + z, x * z - y, -x + y


def sprott_h(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case H."""
    x, y, z = state
    return -y + z * z, x + 0.5 * y, x - z


def sprott_i(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case I."""
    x, y, z = state
    return -0.2 * y, x + z, x + y * y - z


def sprott_j(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case J."""
    x, y, z = state
    return 2 * z, -2 * y + z, -x + y + y * y


def sprott_k(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case K."""
    x, y, z = state
    return x * y - z, x - y, x + 0.3 * z


def sprott_l(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case L."""
    x, y, z = state
    return y + 3.9 * z, 0.9 * (x * x) - y, 1 - x


def sprott_m(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case M."""
    x, y, z = state
    return -z, -x * x - y, 1.7 + 1.7 * x + y


def sprott_n(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case N."""
    x, y, z = state
    return -2 * y, x + z * z, 1 + y - 2 * z


def sprott_o(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case O."""
    x, y, z = state
    return y, x - z, x + x * z + 2.7 * y


def sprott_p(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case P."""
    x, y, z = state
    return 2.7 * y + z, -x + y * y, x + y


def sprott_q(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case Q."""
    x, y, z = state
    return -z, x - y, 3.1 * x + y * y + 0.5 * z


def sprott_r(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case R."""
    x, y, z = state
    return 0.9 - y, 0.4 + z, x * y - z


def sprott_s(state: Coordinates) -> Coordinates:
    """Move as in Sprott's case S."""
    x, y, z = state
    return -x - 4 * y, x + z * z, 1 + x


def diffusionless_lorenz(state: Coordinates) -> Coordinates:
    """Move as the diffusionless Lorenz system at R = 1."""
    x, y, z = state
    return -y - x, -x * z, x * y + 1


def complex_butterfly(state: Coordinates) -> Coordinates:
    """Move as Elwakil's complex butterfly at a = 0.55, of linear pieces."""
    x, y, z = state
    return 0.55 * (y - x), -z * x.sign(), x.abs() - 1


def rabinovich_fabrikant(state: Coordinates) -> Coordinates:
    """Move as the waves of Rabinovich and Fabrikant at gamma = 0.87 and alpha = 1.1."""
    x, y, z = state
    return y * (z - 1 + x * x) + 0.87 * x, x * (3 * z + 1 - x * x) + 0.87 * y, -2 * z * (1.1 + x * y)


def chua(state: Coordinates) -> Coordinates:
    """Move as Chua's circuit at alpha = 9, beta = 100/7, with slopes -8/7 and -5/7 of its diode."""
    x, y, z = state
    diode = -5 / 7 * x - 3 / 14 * ((x + 1).abs() - (x - 1).abs())
    return 9 * (y - x - diode), x - y + z, -100 / 7 * y


def windmi(state: Coordinates) -> Coordinates:
    """Move as the WINDMI model of substorms at a = 0.7 and b = 2.5."""
    x, y, z = state
    return y, z, -0.7 * z - y + 2.5 - torch.exp(x)


def quadratic_jerk(state: Coordinates) -> Coordinates:
    """Move as the simplest quadratic flow at a = 2.017."""
    x, y, z = state
    return y, z, -2.017 * z + y * y - x


def cubic_jerk(state: Coordinates) -> Coordinates:
    """Move as the simplest cubic flow at a = 2.028."""
    x, y, z = state
    return y, z, -2.028 * z + x * (y * y) - x


def absolute_jerk(state: Coordinates) -> Coordinates:
    """Move as the simplest flow of linear pieces at a = 0.6."""
    x, y, z = state
    return y, z, -0.6 * z - y + x.abs() - 1


def double_scroll(state: Coordinates) -> Coordinates:
    """Move as the double scroll with a sign at a = 0.8."""
    x, y, z = state
    return y, z, -0.8 * (z + y + x - x.sign())
