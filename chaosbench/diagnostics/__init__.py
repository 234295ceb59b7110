"""What is watched during training, one number per seed and due update."""

from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.diagnostics.diagnosis import Diagnosis, diagnose
from chaosbench.diagnostics.elsewhere import NumpyStep
from chaosbench.diagnostics.gradient_growth import GradientGrowth
from chaosbench.diagnostics.growth import Growth, growth_rate
from chaosbench.diagnostics.health import COSTS, TrainingHealth, loss_spikes
from chaosbench.diagnostics.largest_exponent import LargestExponent
from chaosbench.diagnostics.training import GradientNorm, Loss

__all__ = [
    "COSTS",
    "Diagnosis",
    "DiagnosticSpec",
    "GradientGrowth",
    "GradientNorm",
    "Growth",
    "LargestExponent",
    "Loss",
    "NumpyStep",
    "TrainingHealth",
    "diagnose",
    "growth_rate",
    "loss_spikes",
]
