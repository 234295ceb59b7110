"""Orbits, exponents, gradients and statistics of anything that steps: tensors in, tensors out."""

from chaosbench.dynamics.autocorrelation import autocorrelation, decorrelation_time
from chaosbench.dynamics.coexistence import AttractorRegime, Found, find_attractors
from chaosbench.dynamics.collocation import Collocation, collocation
from chaosbench.dynamics.conventions import Convention, convention_of
from chaosbench.dynamics.ensembles import Ensemble, follow, mean_and_interval
from chaosbench.dynamics.exponential import ExponentialWeights, exponential_step, exponential_weights
from chaosbench.dynamics.gradients import (
    JacobianSizes,
    jacobian_growth,
    jacobian_sizes,
    log_spaced,
    rescaled,
    starting_tangents,
)
from chaosbench.dynamics.implicit import implicit_step
from chaosbench.dynamics.integration import CONTROLLED, EXPLICIT_LIMIT, Method, integrate, scheme
from chaosbench.dynamics.intervals import nan_half_width
from chaosbench.dynamics.loss_gradients import half_square, loss_gradient_growth
from chaosbench.dynamics.lyapunov import (
    entropy_bound,
    finite_time_exponents,
    kaplan_yorke_dimension,
    lyapunov_spectrum,
)
from chaosbench.dynamics.orbits import iterates, orbit, states_after
from chaosbench.dynamics.recorders import CudaRecorder, Recorder
from chaosbench.dynamics.regimes import Motion, Regime, map_regime, motion, periods, regime, shortest_period
from chaosbench.dynamics.replay import Loop, Tensors
from chaosbench.dynamics.runge_kutta import runge_kutta_step
from chaosbench.dynamics.singular_values import spectral_norm
from chaosbench.dynamics.step_maps import Step, StepMap, as_function, as_step_map, prepared, tangent_step_by_jvp
from chaosbench.dynamics.stiffness import long_step
from chaosbench.dynamics.vector_fields import VectorField

__all__ = [
    "CONTROLLED",
    "EXPLICIT_LIMIT",
    "AttractorRegime",
    "Collocation",
    "Convention",
    "CudaRecorder",
    "Ensemble",
    "ExponentialWeights",
    "Found",
    "JacobianSizes",
    "Loop",
    "Method",
    "Motion",
    "Recorder",
    "Regime",
    "Step",
    "StepMap",
    "Tensors",
    "VectorField",
    "as_function",
    "as_step_map",
    "autocorrelation",
    "collocation",
    "convention_of",
    "decorrelation_time",
    "entropy_bound",
    "exponential_step",
    "exponential_weights",
    "find_attractors",
    "finite_time_exponents",
    "follow",
    "half_square",
    "implicit_step",
    "integrate",
    "iterates",
    "jacobian_growth",
    "jacobian_sizes",
    "kaplan_yorke_dimension",
    "log_spaced",
    "long_step",
    "loss_gradient_growth",
    "lyapunov_spectrum",
    "map_regime",
    "mean_and_interval",
    "motion",
    "nan_half_width",
    "orbit",
    "periods",
    "prepared",
    "regime",
    "rescaled",
    "runge_kutta_step",
    "scheme",
    "shortest_period",
    "spectral_norm",
    "starting_tangents",
    "states_after",
    "tangent_step_by_jvp",
]
