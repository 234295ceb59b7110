"""What is watched during training, one number per seed and due update."""

from chaosbench.diagnostics.base import DiagnosticSpec
from chaosbench.diagnostics.largest_exponent import LargestExponent
from chaosbench.diagnostics.training import GradientNorm, Loss

__all__ = ["DiagnosticSpec", "GradientNorm", "LargestExponent", "Loss"]
