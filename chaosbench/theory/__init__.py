"""The diagnosis of a model: the growth of its gradients, its Lyapunov exponents, and whether the two agree."""

from chaosbench.theory.adapters import NumpyStep
from chaosbench.theory.diagnosis import Diagnosis, diagnose
from chaosbench.theory.growth import Growth, growth_rate
from chaosbench.theory.run_diagnosis import RunDiagnosis

__all__ = ["Diagnosis", "Growth", "NumpyStep", "RunDiagnosis", "diagnose", "growth_rate"]
