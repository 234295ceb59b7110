"""Diagnostics: numbers that are watched during training, one per seed at each due update."""

from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.diagnostics.gradient_growth import GradientGrowth
from chaosbench.diagnostics.health import COSTS, TrainingHealth, loss_spikes
from chaosbench.diagnostics.largest_exponent import LargestExponent
from chaosbench.diagnostics.training import GradientNorm, Loss

__all__ = [
    "COSTS",
    "DiagnosticSpec",
    "GradientGrowth",
    "GradientNorm",
    "LargestExponent",
    "Loss",
    "TrainingHealth",
    "loss_spikes",
]
