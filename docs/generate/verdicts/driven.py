"""Driven flows outside the catalogue, as plain functions of a state and the time."""

import torch
from torch import Tensor

from docs.generate.verdicts.equation import Coordinates


def ueda(state: Coordinates, time: Tensor) -> Coordinates:
    """Move as Ueda's oscillator with damping 0.05 and drive 7.5."""
    x, v = state
    return v, -0.05 * v - x * x * x + 7.5 * torch.sin(time)


def pendulum(state: Coordinates, time: Tensor) -> Coordinates:
    """Swing as a pendulum with damping 0.05, driven by 0.6 at the frequency 0.7."""
    x, v = state
    return v, -0.05 * v - torch.sin(x) + 0.6 * torch.sin(0.7 * time)


def driven_van_der_pol(state: Coordinates, time: Tensor) -> Coordinates:
    """Oscillate as van der Pol's oscillator at b = 3, driven by 5 at the frequency 1.788."""
    x, v = state
    return v, 3 * (1 - x * x) * v - x + 5 * torch.sin(1.788 * time)


def two_well(state: Coordinates, time: Tensor) -> Coordinates:
    """Move between two wells with damping 0.25, driven by 0.4 at the frequency 1."""
    x, v = state
    return v, x - x * x * x - 0.25 * v + 0.4 * torch.sin(time)


def simplest_driven(state: Coordinates, time: Tensor) -> Coordinates:
    """Move in the potential x^4 / 4 without friction, driven by 1 at the frequency 1.88."""
    x, v = state
    return v, -x * x * x + torch.sin(1.88 * time)
