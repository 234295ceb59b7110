"""The diagnosis of a model: the growth of its gradients, its Lyapunov exponents, and whether the two agree."""

from chaosbench.theory.adapters import NumpyStep
from chaosbench.theory.diagnosis import Diagnosis, diagnose
from chaosbench.theory.growth import Growth, growth_rate

__all__ = ["Diagnosis", "Growth", "NumpyStep", "diagnose", "growth_rate"]
